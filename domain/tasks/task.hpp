/// A task: work that is done once, in however many tries. What its states are and how one follows another; no clock, no
/// store, no threads. States and columns after OpenG2P's g2p_que_background_task; leases with fencing tokens, error
/// classes and the attempts' history after Temporal's activities.
#pragma once
#include "domain/tasks/retry_policy.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::tasks {

enum class task_state : std::uint8_t {
  pending = 1, ///< waits for its time, a free worker or a retry
  running,     ///< leased to a worker
  completed,
  failed, ///< its budget of tries is spent, or trying again is pointless
  cancelled,
};
/// PENDING, RUNNING, COMPLETED, FAILED, CANCELLED; anything else is UNKNOWN.
[[nodiscard]] std::string_view to_string(task_state s) noexcept;
/// The same words, in any case.
[[nodiscard]] std::optional<task_state> parse_task_state(std::string_view word) noexcept;
[[nodiscard]] constexpr bool is_final(task_state s) noexcept { return s >= task_state::completed; }

/// How a try ended.
enum class outcome_kind : std::uint8_t {
  done = 1,
  transient, ///< costs a try; again after a back-off, until the budget is spent
  permanent, ///< trying again cannot help: fails at once
  not_yet,   ///< what it needs is not there, such as an identifier in an empty pool: again later, costs no try
  lost,      ///< its worker said nothing until the lease ran out; it may have had its effect. Costs a try
  cancelled, ///< somebody cancelled the task meanwhile; it may have had its effect
};
[[nodiscard]] std::string_view to_string(outcome_kind k) noexcept;
[[nodiscard]] std::optional<outcome_kind> parse_outcome_kind(std::string_view word) noexcept;

struct outcome {
  outcome_kind kind = outcome_kind::done;
  std::string text;                      ///< done: the result as JSON, or empty; else what went wrong, for a person
  std::optional<milliseconds> try_again; ///< transient, not_yet: instead of what the policy says
};

/// A try, as the history keeps it.
struct attempt {
  std::uint32_t number = 0; ///< from 1; after a manual retry it goes on counting
  std::uint64_t token = 0;  ///< of its lease: who says again how it ended is told what became of it
  timestamp started_at{};
  timestamp ended_at{};
  outcome_kind ended = outcome_kind::done;
  std::string worker;
  std::string error; ///< empty when done or cancelled

  bool operator==(const attempt&) const = default;
};

struct task {
  static constexpr std::size_t payload_bytes_max = std::size_t{64} << 10;
  static constexpr std::size_t result_bytes_max = std::size_t{16} << 10;
  static constexpr std::size_t error_bytes_max = 1'000;
  static constexpr std::size_t history_max = 20; ///< tries that are kept, the latest
  static constexpr std::uint8_t priority_lowest = 9;
  static constexpr std::uint8_t priority_usual = 4;

  std::uint64_t id = 0;
  std::string worker_type;
  std::string lane;    ///< of its worker type's tasks, those with the same one are a queue of their own; empty: none
  std::string payload; ///< a JSON object
  std::uint8_t priority = priority_usual; ///< 0 (first) to 9
  task_state state = task_state::pending;
  timestamp queued_at{};
  timestamp due_at{};             ///< PENDING: not started earlier
  std::uint64_t rank = 0;         ///< PENDING: its place among those that may be begun, the lowest first; fixed when it
                                  ///< became PENDING, whatever becomes of the settings
  std::uint32_t tries = 0;        ///< real ones, all together
  std::uint32_t tries_max = 0;    ///< FAILED when the last of so many failed; a manual retry raises it
  std::uint32_t tries_before = 0; ///< of `tries`, those before the last manual retry: back-off begins anew after it
  std::optional<timestamp> last_try_at;
  std::optional<timestamp> finished_at;
  std::string last_error; ///< of the last try; empty once done
  std::string result;     ///< COMPLETED: what the worker gave, JSON or empty
  std::string unique_key; ///< empty: none
  std::string queued_by;  ///< the principal
  std::vector<attempt> history;

  bool operator==(const task&) const = default;
};

/// The queue of the tasks of a worker type, or of a lane of it: "type" or "type.lane". Neither has a dot in it.
[[nodiscard]] std::string queue_name(std::string_view worker_type, std::string_view lane);
[[nodiscard]] std::string queue_of(const task& t);
/// The worker type of the tasks in a queue.
[[nodiscard]] constexpr std::string_view worker_type_of(std::string_view queue) noexcept {
  return queue.substr(0, queue.find('.'));
}
[[nodiscard]] constexpr bool is_lane(std::string_view queue) noexcept { return queue.find('.') != queue.npos; }
/// Whether `name` is that of its worker type or of its queue.
[[nodiscard]] bool is_of(const task& t, std::string_view name);

/// A running try: who has the task, until when, and the token without which nobody may say how it ended.
struct lease {
  std::uint64_t token = 0; ///< never the same for two tries of any tasks
  std::string worker;      ///< 1 to 64 bytes
  timestamp granted_at{};
  timestamp until{};

  bool operator==(const lease&) const = default;
};

/// Begins a try. @pre the task is PENDING.
void begin_try(task& t, timestamp now);
/// Ends a try as `how`; what becomes of the task is in its state and `due_at`. @pre the task is RUNNING under `held`.
void end_try(task& t, const lease& held, const outcome& how, timestamp now, const retry_policy& policy,
             random_source& random);
/// PENDING and RUNNING become CANCELLED; whoever runs it is refused when it is done. False: it had ended before.
/// @param held of the try that this ends; null exactly when none runs
[[nodiscard]] bool cancel(task& t, const lease* held, timestamp now);
/// FAILED and CANCELLED become PENDING, due at once, with `more` further tries. False: it is in another state.
[[nodiscard]] bool retry(task& t, std::uint32_t more, timestamp now);

/// Since when each try has ended with `not_yet`, as far as the history tells; nothing when the last one did not.
[[nodiscard]] std::optional<timestamp> put_off_since(const task& t);

[[nodiscard]] std::string encode(const task& t);
/// Errors: corrupt.
[[nodiscard]] result<task> decode_task(std::string_view bytes);
[[nodiscard]] std::string encode(const lease& l);
/// Errors: corrupt.
[[nodiscard]] result<lease> decode_lease(std::string_view bytes);

} // namespace matricula::tasks
