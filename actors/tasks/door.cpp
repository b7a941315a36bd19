#include "actors/tasks/door.hpp"

#include "actors/messages.hpp"
#include "actors/verdict_error.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace matricula::actors {

namespace {

request_context context_of(const caller& who) { return {who.principal, who.deadline.count(), who.tenant}; }

} // namespace

task_door::task_door(std::shared_ptr<const queue_context> queue, std::shared_ptr<runtime::reply_gate> gate)
    : queue_(std::move(queue)), gate_(std::move(gate)) {}

const std::vector<worker_type>& task_door::types() const noexcept { return queue_->types; }
const storage::task_partition& task_door::part() const noexcept { return queue_->part; }
result<std::shared_ptr<const storage::view>> task_door::rows() const { return queue_->log->read(queue_->part.shard); }
std::map<std::string, queue_report> task_door::reports() const { return queue_->gauge->get(); }

template <class T, class Message>
result<T> task_door::ask(Message message, const caller& who) {
  const auto cell = std::make_shared<runtime::reply_cell<T>>(gate_);
  message.trace = who.trace;
  message.context = context_of(who);
  message.reply = runtime::reply_to<T>(cell);
  caf::anon_send(queue_->queue.address(), std::move(message));
  const auto* answer = cell->wait_for(who.deadline - queue_->monotonic->monotonic());
  if (answer == nullptr) return std::unexpected(no_answer_in_time(advice_on_tasks));
  return *answer;
}

template <class T, class Message>
promised<T> task_door::begin(Message message, const caller& who, runtime::reply_notice told) {
  const auto cell = std::make_shared<runtime::reply_cell<T>>(std::move(told));
  message.trace = who.trace;
  message.context = context_of(who);
  message.reply = runtime::reply_to<T>(cell);
  caf::anon_send(queue_->queue.address(), std::move(message));
  return [cell]() -> result<T> {
    if (!cell->ready()) return std::unexpected(no_answer_in_time(advice_on_tasks));
    return cell->take();
  };
}

result<tasks::task> task_door::cancel(std::uint64_t id, const caller& who) {
  change_task message;
  message.id = id;
  message.action = static_cast<std::uint8_t>(task_action::cancel);
  return ask<tasks::task>(std::move(message), who);
}

result<tasks::task> task_door::retry(std::uint64_t id, const caller& who) {
  change_task message;
  message.id = id;
  message.action = static_cast<std::uint8_t>(task_action::retry);
  return ask<tasks::task>(std::move(message), who);
}

result<retried_tasks> task_door::retry_failed(const failed_ones& which, const caller& who) {
  actors::retry_failed message;
  message.worker_type = which.worker_type;
  message.error_prefix = which.error_prefix;
  message.limit = which.limit;
  message.from = which.from;
  return ask<retried_tasks>(std::move(message), who);
}

result<bool> task_door::pause(const std::string& worker_type, bool paused, const caller& who) {
  pause_queue message;
  message.worker_type = worker_type;
  message.paused = paused;
  return ask<bool>(std::move(message), who);
}

promised<std::vector<queued_task>> task_door::begin_enqueue(std::vector<new_task> tasks, bool whole, const caller& who,
                                                            runtime::reply_notice told) {
  require(!tasks.empty() && tasks.size() <= enqueued_tasks_max, "as many tasks as one write takes");
  enqueue_tasks message;
  message.tasks = std::move(tasks);
  message.whole = whole;
  return begin<std::vector<queued_task>>(std::move(message), who, std::move(told));
}

promised<std::vector<leased_task>> task_door::begin_lease(const lease_call& what, const caller& who,
                                                          runtime::reply_notice told) {
  lease_tasks message;
  message.worker_type = what.worker_type;
  message.worker = what.worker;
  message.count = what.count;
  message.lease_ms = what.lease.count();
  // With some time left for the answer on its way.
  constexpr milliseconds spare{200};
  if (what.wait > milliseconds{0})
    message.wait_until_ns =
        std::min<std::chrono::nanoseconds>(queue_->monotonic->monotonic() + what.wait, who.deadline - spare).count();
  return begin<std::vector<leased_task>>(std::move(message), who, std::move(told));
}

promised<tasks::lease> task_door::begin_renew(std::uint64_t id, std::uint64_t token, milliseconds lease,
                                              const caller& who, runtime::reply_notice told) {
  renew_lease message;
  message.id = id;
  message.token = token;
  message.lease_ms = lease.count();
  return begin<tasks::lease>(std::move(message), who, std::move(told));
}

promised<tasks::task> task_door::begin_end(ending e, const caller& who, runtime::reply_notice told) {
  end_task message;
  message.id = e.id;
  message.token = e.token;
  message.kind = static_cast<std::uint8_t>(e.how.kind);
  message.text = std::move(e.how.text);
  if (e.how.try_again) message.try_again_ms = e.how.try_again->count();
  message.then = std::move(e.then);
  message.effect = std::move(e.effect);
  return begin<tasks::task>(std::move(message), who, std::move(told));
}

promised<finished_tries> task_door::begin_finish(std::vector<finished_try> tries, const caller& who,
                                                 runtime::reply_notice told) {
  require(!tries.empty() && tries.size() <= finished_tries_max, "as many tries as one message takes");
  finish_tasks message;
  message.tries = std::move(tries);
  return begin<finished_tries>(std::move(message), who, std::move(told));
}

} // namespace matricula::actors
