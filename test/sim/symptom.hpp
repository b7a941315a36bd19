/// What kind of wrong a finding is: a planted bug must show as the one that people would suffer from, not as any.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace matricula::sim {

enum class symptom : std::uint8_t {
  other,
  process_ended,         ///< a crash of the whole process, which no fault of the simulation explains
  start_refused,         ///< the store says that acknowledged writes are missing
  handed_out_twice,      ///< one identifier for two requests
  acknowledged_lost,     ///< an identifier that was answered is not in the store
  key_forgotten,         ///< a key that was answered has no row
  key_answered_twice,    ///< the same key, another answer
  ended_answer_replayed, ///< a key was answered with an assignment that had ended
  verifier_missed_index, ///< `matricula verify` would say that the due index lacks a row
  never_expired,         ///< a run of the expirer left out what was due
  expired_early,         ///< an identifier ended before its expiry
  pool_dead,             ///< a pool that nobody refills any more
  time_went_back,        ///< a decision with a time before the last durable one
  expired_while_suspect, ///< the expirer ran though the clock had jumped
  letter_lost,           ///< a message that crashed its actor was neither kept nor counted
  letter_replayed_again, ///< the same dead letter reached its actor twice
  letter_changed,        ///< a dead letter is not what was kept, or not in the state that was answered
  run_repeated,          ///< a scheduled run that was remembered ran again, or one that runs at most once ran twice
  run_left_out,          ///< a scheduled run that was due was neither made nor skipped by the rules
  policy_exceeded,       ///< a holder has more VIDs active than a policy allows, or one transaction counted twice
  run_unasked,           ///< a scheduled run at a time when there must be none
  issued_again_after_restore, ///< an identifier that was issued after the backup from which the node was restored
  granted_twice,        ///< a grant was taken twice: its taker has the identifier already, or another one has it, too
  import_issued,        ///< an identifier that was imported was issued
  import_lost,          ///< an identifier that was imported is not in the store
  task_lost,            ///< a task that was acknowledged is not in the store
  key_doubled,          ///< two tasks with one unique key
  leased_twice,         ///< a task was given to a worker while another one's lease held
  lease_broken,         ///< a worker was refused though its lease held
  ended_without_lease,  ///< the end of a try was acknowledged to a worker whose try it was not
  ended_twice,          ///< a task was acknowledged as done to two workers
  outcome_changed,      ///< how a task ended is another one later, and nobody asked for another try
  tries_miscounted,     ///< a task counts other tries than there were
  id_shared,            ///< two registrants have one unique ID
  id_changed,           ///< a registrant has another unique ID than before
  registrant_forgotten, ///< a registrant's task is done, and it has no ID
  call_lost,            ///< a generator gave an identifier that nobody has, and no list says so
  number_given_again,   ///< a task or a lease has the number of one that was given out after the backup
  count_
};
inline constexpr std::size_t symptoms = static_cast<std::size_t>(symptom::count_);

inline constexpr std::array<std::string_view, symptoms> symptom_names{
    "other",
    "process_ended",
    "start_refused",
    "handed_out_twice",
    "acknowledged_lost",
    "key_forgotten",
    "key_answered_twice",
    "ended_answer_replayed",
    "verifier_missed_index",
    "never_expired",
    "expired_early",
    "pool_dead",
    "time_went_back",
    "expired_while_suspect",
    "letter_lost",
    "letter_replayed_again",
    "letter_changed",
    "run_repeated",
    "run_left_out",
    "policy_exceeded",
    "run_unasked",
    "issued_again_after_restore",
    "granted_twice",
    "import_issued",
    "import_lost",
    "task_lost",
    "key_doubled",
    "leased_twice",
    "lease_broken",
    "ended_without_lease",
    "ended_twice",
    "outcome_changed",
    "tries_miscounted",
    "id_shared",
    "id_changed",
    "registrant_forgotten",
    "call_lost",
    "number_given_again",
};
[[nodiscard]] constexpr std::string_view to_string(symptom s) noexcept {
  return symptom_names[static_cast<std::size_t>(s)];
}

} // namespace matricula::sim
