#include "test/sim/simulation.hpp"

namespace matricula::sim {

std::string_view to_string(counter c) noexcept {
  static constexpr std::array<std::string_view, counters> names{"seeds",
                                                                "steps",
                                                                "lives",
                                                                "power_cuts",
                                                                "process_kills",
                                                                "actor_kills_by_order",
                                                                "actor_kills_by_exit",
                                                                "subtree_kills",
                                                                "poison_messages",
                                                                "poisoned_reads",
                                                                "clock_steps",
                                                                "clock_steps_back",
                                                                "suspect_clock_steps",
                                                                "holds_of_the_expirer",
                                                                "disk_failures",
                                                                "expired_deadlines",
                                                                "groups_written",
                                                                "flushes",
                                                                "background_jobs",
                                                                "requests",
                                                                "acknowledged",
                                                                "letters_kept",
                                                                "letters_only_counted",
                                                                "letters_replayed",
                                                                "replays_refused",
                                                                "letters_discarded",
                                                                "runs_on_time",
                                                                "runs_caught_up",
                                                                "runs_skipped",
                                                                "runs_sent_again",
                                                                "holders_vids_made",
                                                                "holders_vids_used",
                                                                "handovers",
                                                                "settled_checks",
                                                                "backups",
                                                                "restores",
                                                                "retired_by_restore",
                                                                "imports_loaded",
                                                                "imports_repeated",
                                                                "imports_in_conflict",
                                                                "imports_of_returned",
                                                                "violations"};
  return names[static_cast<std::size_t>(c)];
}

} // namespace matricula::sim
