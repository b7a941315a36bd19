/// The task queue of a stage: what its clients and workers say, and what its rows tell.
#pragma once
#include "storage/task_list.hpp"
#include "test/actor/stage.hpp"

#include <caf/send.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace matricula::actor_test {

class queue_of_a_stage {
public:
  static constexpr std::string_view path = "root/domain/tasks/queue";
  template <class T>
  using cell = std::shared_ptr<runtime::reply_cell<T>>;
  using queued_cell = cell<std::vector<actors::queued_task>>;
  using leased_cell = cell<std::vector<actors::leased_task>>;
  using lease_cell = cell<tasks::lease>;
  using task_cell = cell<tasks::task>;

  explicit queue_of_a_stage(stage& s) : s_(s) {}

  static actors::new_task a_task(std::string type = "work", std::string key = {}) {
    actors::new_task t;
    t.worker_type = std::move(type);
    t.payload = R"({"a":1})";
    t.unique_key = std::move(key);
    return t;
  }

  // -- what is said; each is answered when the stage runs -----------------------------------------------------------
  template <class T, class Message>
  cell<T> ask(Message message) {
    auto answer = std::make_shared<runtime::reply_cell<T>>(nullptr);
    message.context.principal = "client";
    message.reply = runtime::reply_to<T>(answer);
    caf::anon_send(s_.queue()->queue.address(), std::move(message));
    return answer;
  }
  queued_cell send_tasks(std::vector<actors::new_task> wanted, std::chrono::nanoseconds deadline = {}) {
    actors::enqueue_tasks m;
    m.tasks = std::move(wanted);
    m.context.deadline_ns = deadline.count();
    return ask<std::vector<actors::queued_task>>(std::move(m));
  }
  leased_cell send_lease(std::string type = "work", std::uint32_t count = 1, milliseconds wait = {},
                         std::string worker = "w", milliseconds time = {}, std::chrono::nanoseconds deadline = {}) {
    actors::lease_tasks m;
    m.worker_type = std::move(type);
    m.worker = std::move(worker);
    m.count = count;
    m.lease_ms = time.count();
    m.context.deadline_ns = deadline.count();
    if (wait > milliseconds{0}) m.wait_until_ns = (s_.monotonic() + wait).count();
    return ask<std::vector<actors::leased_task>>(std::move(m));
  }
  lease_cell send_renewal(const actors::leased_task& of, milliseconds time = {}) {
    actors::renew_lease m;
    m.id = of.task.id;
    m.token = of.lease.token;
    m.lease_ms = time.count();
    return ask<tasks::lease>(m);
  }
  task_cell send_end(const actors::leased_task& of, tasks::outcome how, std::vector<actors::new_task> then = {}) {
    actors::end_task m;
    m.id = of.task.id;
    m.token = of.lease.token;
    m.kind = static_cast<std::uint8_t>(how.kind);
    m.text = std::move(how.text);
    if (how.try_again) m.try_again_ms = how.try_again->count();
    m.then = std::move(then);
    return ask<tasks::task>(std::move(m));
  }
  task_cell send_change(std::uint64_t id, actors::task_action action) {
    actors::change_task m;
    m.id = id;
    m.action = static_cast<std::uint8_t>(action);
    return ask<tasks::task>(m);
  }
  cell<actors::finished_tries> send_finish(std::vector<actors::finished_try> tries) {
    actors::finish_tasks m;
    m.tries = std::move(tries);
    return ask<actors::finished_tries>(std::move(m));
  }
  cell<actors::retried_tasks> send_retry_failed(std::string type, std::string error, std::uint32_t limit,
                                                actors::failed_place from = {}) {
    actors::retry_failed m;
    m.from = from;
    m.worker_type = std::move(type);
    m.error_prefix = std::move(error);
    m.limit = limit;
    return ask<actors::retried_tasks>(std::move(m));
  }

  // -- with their answers -------------------------------------------------------------------------------------------
  result<std::vector<actors::queued_task>> enqueue(std::vector<actors::new_task> wanted) {
    return answer(send_tasks(std::move(wanted)));
  }
  /// The number of a task that is queued.
  std::uint64_t enqueue_one(actors::new_task wanted) {
    const auto queued = enqueue({std::move(wanted)});
    EXPECT_TRUE(queued) << queued.error().message;
    return queued ? queued->front().id : 0;
  }
  std::vector<actors::leased_task> lease(std::string type = "work", std::uint32_t count = 1, milliseconds time = {}) {
    const auto leased = answer(send_lease(std::move(type), count, {}, "w", time));
    EXPECT_TRUE(leased) << leased.error().message;
    return leased.value_or(std::vector<actors::leased_task>{});
  }
  /// @pre one is ready
  actors::leased_task lease_one(std::string type = "work") {
    const auto leased = lease(std::move(type));
    EXPECT_EQ(leased.size(), 1U);
    return leased.empty() ? actors::leased_task{} : leased.front();
  }
  result<tasks::task> end(const actors::leased_task& of, tasks::outcome how, std::vector<actors::new_task> then = {}) {
    return answer(send_end(of, std::move(how), std::move(then)));
  }
  result<tasks::task> cancel(std::uint64_t id) { return answer(send_change(id, actors::task_action::cancel)); }
  result<tasks::task> retry(std::uint64_t id) { return answer(send_change(id, actors::task_action::retry)); }
  result<bool> pause(std::string type, bool paused) {
    actors::pause_queue m;
    m.worker_type = std::move(type);
    m.paused = paused;
    return answer(ask<bool>(std::move(m)));
  }
  template <class T>
  result<T> answer(const cell<T>& to) {
    s_.run();
    if (!to->ready()) return fail(errc::internal, "there is no answer yet");
    return to->value();
  }

  // -- durable rows -------------------------------------------------------------------------------------------------
  [[nodiscard]] storage::found_task find(std::uint64_t id) const {
    const auto found = storage::find_task(*s_.durable(), s_.queue()->part, id);
    EXPECT_TRUE(found && *found) << "task " << id << " is not there";
    return found && *found ? **found : storage::found_task{};
  }
  [[nodiscard]] tasks::task_state state(std::uint64_t id) const { return find(id).task.state; }
  [[nodiscard]] bool exists(std::uint64_t id) const {
    const auto found = storage::find_task(*s_.durable(), s_.queue()->part, id);
    EXPECT_TRUE(found);
    return found && found->has_value();
  }
  [[nodiscard]] tasks::queue_counts counts(std::string_view type = "work") const {
    const auto found = storage::find_queue(*s_.durable(), s_.queue()->part, type);
    EXPECT_TRUE(found);
    return found.value_or(tasks::queue_counts{});
  }
  /// As the queue has them in memory.
  [[nodiscard]] actors::queue_report report(const std::string& type = "work") const {
    return s_.queue()->gauge->get()[type];
  }
  /// What `matricula verify` says; empty when everything agrees.
  [[nodiscard]] std::string verified() const {
    storage::verify_report report;
    storage::tasks_verifier().check(*s_.durable(), report);
    std::string said;
    for (const auto& problem : report.problems()) said += problem.message + "\n";
    return said;
  }

private:
  stage& s_;
};

} // namespace matricula::actor_test
