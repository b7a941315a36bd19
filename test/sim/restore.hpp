/// A backup of the simulated node, and the way back to it when its disk is gone.
#pragma once
#include "test/sim/audit_check.hpp"
#include "test/sim/holders.hpp"
#include "test/sim/imports.hpp"
#include "test/sim/letters.hpp"
#include "test/sim/model.hpp"
#include "test/sim/queue_clients.hpp"
#include "test/sim/runs.hpp"
#include "test/sim/sim_clock.hpp"
#include "test/support/sim_disk.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace matricula::sim {

/// What was on the disk at a moment, and what the outside knew then: of what came later, the restored node knows
/// nothing, and nobody can hold that against it. That it hands none of it out again is another matter.
struct backup {
  std::shared_ptr<const test::sim_disk> disk;
  model known;
  letters known_letters;
  runs known_runs;
  holders known_holders;
  imports known_imports;
  queue_clients known_tasks;
  acknowledged_steps acknowledged;
};

/// How an operator finds out what may have been issued since the backup.
enum class settled_by : std::uint8_t { old_data, skip };

struct settlement {
  std::uint64_t retired = 0; ///< released identifiers
  /// By type, of the lost disk: imported identifiers that had never been issued there. Those that had been are like
  /// what was issued since the backup: not taken over, and never issued again.
  std::vector<std::set<std::string>> imported;
};

/// Does what `matricula settle-restore` does, on `restored`. @param old what is left of the disk that is replaced
/// Errors: what the store says.
[[nodiscard]] result<settlement> settle_after_restore(std::shared_ptr<test::sim_disk> restored,
                                                      std::shared_ptr<test::sim_disk> old, settled_by how,
                                                      const sim_clock& time, random_source& random);

} // namespace matricula::sim
