/// One seed: several lives of one node, with clients, faults, crashes in between, and everything checked.
#pragma once
#include "test/sim/planted_bug.hpp"
#include "test/sim/symptom.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::sim {

/// Everything that is counted, by name. Plain numbers, so that worker processes can hand them back as they are.
enum class counter : std::uint8_t {
  seeds,
  steps,
  lives,
  power_cuts,
  process_kills,
  actor_kills_by_order,
  actor_kills_by_exit,
  subtree_kills,
  poison_messages,
  poisoned_reads,
  clock_steps,
  clock_steps_back,
  suspect_clock_steps,
  holds_of_the_expirer,
  disk_failures,
  expired_deadlines,
  groups_written,
  flushes,
  background_jobs,
  requests,
  acknowledged,
  letters_kept,
  letters_only_counted,
  letters_replayed,
  replays_refused,
  letters_discarded,
  runs_on_time,
  runs_caught_up,
  runs_skipped,
  runs_sent_again,
  holders_vids_made,
  holders_vids_used,
  handovers,
  settled_checks,
  backups,
  restores,
  retired_by_restore,
  imports_loaded,
  imports_repeated,
  imports_in_conflict,
  imports_of_returned, ///< issued here before, and available again
  queue_kills,
  tasks_queued,
  task_keys_repeated,
  tries_begun,
  tasks_completed,
  late_workers, ///< who came when the lease was over
  violations,
  count_
};
inline constexpr std::size_t counters = static_cast<std::size_t>(counter::count_);
[[nodiscard]] std::string_view to_string(counter c) noexcept;

struct run_report {
  std::array<std::uint64_t, counters> counts{};
  std::uint64_t trace_hash = 0; ///< over every choice, answer and write; seeds add up by exclusive or
  std::vector<std::string> violations;
  std::array<std::string, symptoms> first; ///< violation by symptom; empty: none

  std::uint64_t& operator[](counter c) noexcept { return counts[static_cast<std::size_t>(c)]; }
  [[nodiscard]] std::uint64_t operator[](counter c) const noexcept { return counts[static_cast<std::size_t>(c)]; }
};

/// At least so much happens to every seed, unless a finding ends it.
inline constexpr std::uint64_t steps_min = 2'000;
inline constexpr std::uint64_t power_cuts_min = 2;

/// @param trace writes what happens to standard error
[[nodiscard]] run_report run_seed(std::uint64_t seed, planted_bug bug, bool trace = false);

} // namespace matricula::sim
