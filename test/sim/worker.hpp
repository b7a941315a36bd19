/// Runs many seeds in child processes, so that a crash of one is a finding and both cores work.
#pragma once
#include "test/sim/simulation.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace matricula::sim {

struct seeds_report {
  std::array<std::uint64_t, counters> counts{};
  std::uint64_t trace_hash = 0;
  std::uint64_t violating_seeds = 0;
  std::uint64_t first_violating_seed = 0;
  std::uint64_t first_seed_with_symptom = 0; ///< that was looked for; 0: none
  std::string symptom_text;
  std::uint64_t crashes = 0;           ///< of a process, each by one seed
  std::vector<std::string> violations; ///< the first of each of the first three such seeds, with how to replay it
  double seconds = 0;

  [[nodiscard]] std::uint64_t operator[](counter c) const noexcept { return counts[static_cast<std::size_t>(c)]; }
  /// A table for people.
  [[nodiscard]] std::string to_text() const;
};

/// Seeds first to first + count - 1. @param until ends soon after the first seed that shows it
[[nodiscard]] seeds_report run_seeds(std::uint64_t first, std::uint64_t count, planted_bug bug,
                                     std::optional<symptom> until = {});

} // namespace matricula::sim
