/// Faults that are built into a simulated node on purpose: a harness that does not find them proves nothing.
/// None of them is in the program; each is planted around it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace matricula::sim {

enum class planted_bug : std::uint8_t {
  none,
  no_tenure,          ///< a pool loads while its predecessor's writes are still on their way
  no_sync,            ///< the disk says that it synced and did not
  idempotency_apart,  ///< the idempotency row is written in a batch of its own
  reply_before_write, ///< the completion runs before the batch is written
  missing_index_key,  ///< now and then a row of the due index is forgotten
  expiry_off_by_one,  ///< identifiers expire one millisecond early
  lost_refill_order,  ///< a refill order that is lost is never given again
  early_purge,        ///< an idempotency record goes when its purge row is due, whoever still needs it
  time_goes_back,     ///< a restarted node does not know the time of its last durable write
  trusting_clock,     ///< the monotonic clock jumps with the wall clock, so that no jump is seen
  unkept_letter,      ///< a dead letter is said to be durable and is not written
  unmarked_replay,    ///< that a dead letter was replayed is said to be durable and is not written
  forgotten_run,      ///< that a schedule ran is said to be durable; only its beginning is written
  unsettled_restore,  ///< a node starts from a restored backup, and nobody has said what was issued since
  count_apart,        ///< a holder's row is written in a batch of its own: decisions meet counts of before
  forgotten_grant,    ///< the taker of a grant does not write down which one it took
  unskipped_import,   ///< who looks whether a candidate was imported finds nothing
  unfenced_end,       ///< however late a worker comes, it passes for whoever has the task now
  tries_twice,        ///< the try that runs is counted again when the queue is loaded
  task_key_apart,     ///< a task's unique key is written in a batch of its own, behind the task
  unwritten_lease,    ///< that a task was leased is not written down
  untold_lapse,       ///< a try whose lease ran out leaves no trace: its task waits again as if it had not been begun
  unwritten_call,     ///< that a generator is about to be called is said to be durable and is not written
  id_apart,           ///< a registrant's ID is written in a batch of its own, behind the end of its task
  count_
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(planted_bug::count_)> planted_bug_names{
    "none",
    "no_tenure",
    "no_sync",
    "idempotency_apart",
    "reply_before_write",
    "missing_index_key",
    "expiry_off_by_one",
    "lost_refill_order",
    "early_purge",
    "time_goes_back",
    "trusting_clock",
    "unkept_letter",
    "unmarked_replay",
    "forgotten_run",
    "unsettled_restore",
    "count_apart",
    "forgotten_grant",
    "unskipped_import",
    "unfenced_end",
    "tries_twice",
    "task_key_apart",
    "unwritten_lease",
    "untold_lapse",
    "unwritten_call",
    "id_apart",
};

[[nodiscard]] constexpr std::string_view to_string(planted_bug bug) noexcept {
  return planted_bug_names[static_cast<std::size_t>(bug)];
}

[[nodiscard]] constexpr std::optional<planted_bug> parse_planted_bug(std::string_view name) noexcept {
  for (std::size_t i = 0; i < planted_bug_names.size(); ++i)
    if (planted_bug_names[i] == name) return static_cast<planted_bug>(i);
  return std::nullopt;
}

} // namespace matricula::sim
