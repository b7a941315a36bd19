/// What is said to the task queue. Times are milliseconds since 1970, an absent one is 0.
#pragma once
#include "actors/registrants/messages.hpp"
#include "actors/request_context.hpp"
#include "actors/tasks/new_task.hpp"
#include "domain/tasks/task.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace matricula::actors {

/// api -> queue: all of them or none. The reply leaves when they are durable.
struct enqueue_tasks {
  trace_context trace;
  request_context context;
  std::vector<new_task> tasks; ///< at most enqueued_tasks_max
  bool whole = false;          ///< whether the answer has the tasks, too
  runtime::reply_to<std::vector<queued_task>> reply;
};

/// A worker -> queue: give me so many. Answered when there are some, or with none when `wait_until_ns` has passed.
struct lease_tasks {
  trace_context trace;
  request_context context;
  std::string worker_type; ///< or a lane of one: "type.lane"
  std::string worker;      ///< 1 to 64 bytes
  std::uint32_t count = 1;
  std::int64_t lease_ms = 0;      ///< 0: as the worker type has it
  std::int64_t wait_until_ns = 0; ///< on the monotonic clock; 0: does not wait
  runtime::reply_to<std::vector<leased_task>> reply;
};

/// A worker -> queue: I am still at it.
struct renew_lease {
  trace_context trace;
  request_context context;
  std::uint64_t id = 0;
  std::uint64_t token = 0;
  std::int64_t lease_ms = 0; ///< 0: as the worker type has it
  runtime::reply_to<tasks::lease> reply;
};

/// A worker -> queue: this is how the try ended. What is to be done next comes into the same batch.
struct end_task {
  trace_context trace;
  request_context context;
  std::uint64_t id = 0;
  std::uint64_t token = 0;
  std::uint8_t kind = 0; ///< tasks::outcome_kind, neither `lost` nor `cancelled`
  std::string text;
  std::int64_t try_again_ms = -1; ///< -1: as the worker type has it
  std::vector<new_task> then;
  registrant_effect effect; ///< of tasks that concern registrants
  runtime::reply_to<tasks::task> reply;
};

/// A worker -> queue: these are done. Each counts or does not, whatever becomes of the others.
struct finish_tasks {
  trace_context trace;
  request_context context;
  std::vector<finished_try> tries; ///< at most finished_tries_max
  runtime::reply_to<finished_tries> reply;
};

enum class task_action : std::uint8_t { cancel = 1, retry };

/// api -> queue
struct change_task {
  trace_context trace;
  request_context context;
  std::uint64_t id = 0;
  std::uint8_t action = 0; ///< task_action
  runtime::reply_to<tasks::task> reply;
};

/// api -> queue: those of the FAILED ones that match are to be tried again, at most `limit`, from the one that failed
/// first. queue -> itself: the rest of it.
struct retry_failed {
  trace_context trace;
  request_context context;
  std::string worker_type;  ///< or a lane of one; empty: all
  std::string error_prefix; ///< empty: all
  std::uint32_t limit = 0;
  failed_place from; ///< until 0: what failed before this message
  std::uint64_t done = 0;
  runtime::reply_to<retried_tasks> reply;
};

/// api -> queue: nothing is leased while it is paused.
struct pause_queue {
  trace_context trace;
  request_context context;
  std::string worker_type;
  bool paused = false;
  runtime::reply_to<bool> reply;
};

/// scheduler -> queue: look at everything again. Nothing waits for it: it is there for what was overlooked.
struct run_beat {
  static constexpr bool replayable = true;
};

inline std::size_t approximate_size(const new_task& t) {
  return sizeof(t) + t.worker_type.size() + t.lane.size() + t.payload.size() + t.unique_key.size();
}
inline std::size_t approximate_size(const enqueue_tasks& m) {
  std::size_t bytes = sizeof(m);
  for (const auto& t : m.tasks) bytes += approximate_size(t);
  return bytes;
}
inline std::size_t approximate_size(const end_task& m) {
  std::size_t bytes = sizeof(m) + m.text.size();
  for (const auto& t : m.then) bytes += approximate_size(t);
  return bytes;
}

inline std::size_t approximate_size(const finish_tasks& m) {
  std::size_t bytes = sizeof(m);
  for (const auto& t : m.tries) bytes += sizeof(t) + t.result.size();
  return bytes;
}

template <class I>
typename I::result_type inspect(I& f, finished_try& x) {
  return f(caf::meta::type_name("finished_try"), x.id, x.token, x.result);
}
template <class I>
typename I::result_type inspect(I& f, failed_place& x) {
  return f(caf::meta::type_name("failed_place"), x.until_ms, x.at, x.id);
}
template <class I>
typename I::result_type inspect(I& f, new_task& x) {
  return f(caf::meta::type_name("new_task"), x.worker_type, x.lane, x.payload, x.unique_key, x.priority, x.due_at_ms,
           x.tries_max);
}
template <class I>
typename I::result_type inspect(I& f, run_beat&) {
  return f(caf::meta::type_name("run_beat"));
}
template <class I>
typename I::result_type inspect(I& f, enqueue_tasks& x) {
  return f(caf::meta::type_name("enqueue_tasks"), x.trace, x.context, x.tasks, x.whole, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, lease_tasks& x) {
  return f(caf::meta::type_name("lease_tasks"), x.trace, x.context, x.worker_type, x.worker, x.count, x.lease_ms,
           x.wait_until_ns, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, renew_lease& x) {
  return f(caf::meta::type_name("renew_lease"), x.trace, x.context, x.id, x.token, x.lease_ms, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, end_task& x) {
  return f(caf::meta::type_name("end_task"), x.trace, x.context, x.id, x.token, x.kind, x.text, x.try_again_ms, x.then,
           x.effect, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, finish_tasks& x) {
  return f(caf::meta::type_name("finish_tasks"), x.trace, x.context, x.tries, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, change_task& x) {
  return f(caf::meta::type_name("change_task"), x.trace, x.context, x.id, x.action, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, retry_failed& x) {
  return f(caf::meta::type_name("retry_failed"), x.trace, x.context, x.worker_type, x.error_prefix, x.limit, x.from,
           x.done, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, pause_queue& x) {
  return f(caf::meta::type_name("pause_queue"), x.trace, x.context, x.worker_type, x.paused, x.reply);
}

} // namespace matricula::actors
