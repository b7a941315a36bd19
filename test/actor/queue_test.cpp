// The task queue: what it promises to those who queue, to workers and to operators, also when it is restarted, late,
// without room, or holds fewer rows in memory than there are.
#include "test/actor/queue_of_a_stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace matricula::actor_test {
namespace {

using actors::leased_task;
using actors::new_task;
using tasks::outcome;
using tasks::outcome_kind;
using tasks::task_state;

const outcome done{outcome_kind::done, R"({"ok":true})", {}};
const outcome broken{outcome_kind::transient, "The other side does not answer.", {}};
const outcome hopeless{outcome_kind::permanent, "There is no such registrant.", {}};
const outcome too_early{outcome_kind::not_yet, "No identifier is available.", {}};

actors::queue_context some_types(std::size_t window_rows = 10'000) {
  actors::queue_context cx;
  cx.types = {{.name = "work", .retry = {.tries_max = 3, .backoff_first = 1s, .backoff_max = 4s, .not_yet = 1s}},
              {.name = "few", .retry = {}, .running_max = 2},
              {.name = "slow", .retry = {}, .starts_per_s = 4}};
  cx.retention = {.completed = 1h, .cancelled = 2h, .failed = 3h};
  cx.window_rows = window_rows;
  return cx;
}

class a_queue : public ::testing::Test {
protected:
  static stage_options options(actors::queue_context cx) {
    stage_options o;
    o.tasks = std::move(cx);
    return o;
  }
  explicit a_queue(actors::queue_context cx = some_types()) : s(options(std::move(cx))), q(s) { s.pass(100ms); }
  void TearDown() override {
    s.run();
    EXPECT_EQ(q.verified(), "");
  }
  static new_task a_task(std::string type = "work", std::string key = {}) {
    return queue_of_a_stage::a_task(std::move(type), std::move(key));
  }
  /// In leaps of both clocks, each long enough for whatever it makes due.
  void later(milliseconds by) {
    s.advance(by);
    s.pass(60ms);
  }
  /// Begins and ends one try.
  tasks::task try_once(const outcome& how, const std::string& type = "work") {
    const auto held = q.lease_one(type);
    const auto ended = q.end(held, how);
    EXPECT_TRUE(ended) << ended.error().message;
    return ended.value_or(tasks::task{});
  }
  void kill() { s.kill(queue_of_a_stage::path); }
  static std::vector<std::uint64_t> ids(const std::vector<leased_task>& leased) {
    std::vector<std::uint64_t> out;
    for (const auto& one : leased) out.push_back(one.task.id);
    return out;
  }

  stage s;
  queue_of_a_stage q;
};

// -- from the first word to the last ----------------------------------------------------------------------------------

TEST_F(a_queue, gives_a_worker_what_was_queued_and_keeps_how_it_ended) {
  const auto id = q.enqueue_one(a_task());
  EXPECT_EQ(q.find(id).task.tries_max, 3U) << "as the worker type has it";
  EXPECT_EQ(q.find(id).task.queued_by, "client");
  const auto held = q.lease_one();
  EXPECT_EQ(held.task.id, id);
  EXPECT_EQ(held.task.payload, R"({"a":1})");
  EXPECT_EQ(held.task.tries, 1U);
  EXPECT_EQ(q.state(id), task_state::running);
  EXPECT_EQ(q.find(id).held, held.lease);
  EXPECT_EQ(q.counts().of(task_state::running), 1U);
  const auto ended = q.end(held, done);
  ASSERT_TRUE(ended);
  EXPECT_EQ(*ended, q.find(id).task);
  EXPECT_EQ(ended->state, task_state::completed);
  EXPECT_EQ(ended->result, done.text);
  ASSERT_EQ(ended->history.size(), 1U);
  EXPECT_EQ(ended->history.front().worker, "w");
  const auto c = q.counts();
  EXPECT_EQ(c.of(task_state::completed), 1U);
  EXPECT_EQ(c.tries_total, 1U);
  EXPECT_EQ(c.queued_total, 1U);
}

TEST_F(a_queue, takes_as_many_tasks_in_one_write_as_it_says_or_none) {
  const auto queued = q.enqueue(std::vector(actors::enqueued_tasks_max, a_task()));
  ASSERT_TRUE(queued) << queued.error().message;
  EXPECT_EQ(queued->size(), actors::enqueued_tasks_max);
  EXPECT_EQ(q.counts().of(task_state::pending), actors::enqueued_tasks_max);
  auto large = a_task();
  large.payload = "{\"a\":\"" + std::string(tasks::task::payload_bytes_max - 8, 'x') + "\"}";
  EXPECT_EQ(refusal(q.enqueue(std::vector(5, large))), errc::payload_too_large);
  EXPECT_EQ(refusal(q.enqueue({a_task(), a_task("unheard_of")})), errc::invalid_argument);
  EXPECT_EQ(q.counts().queued_total, actors::enqueued_tasks_max) << "nothing of what was refused";
  EXPECT_TRUE(q.enqueue(std::vector(3, large)));
}

TEST_F(a_queue, has_room_for_all_that_is_long_at_once) {
  const std::string type(64, 't'), key(128, 'k'), principal(64, 'p');
  auto cx = some_types();
  cx.types.push_back({.name = type, .retry = {}});
  stage other(options(cx));
  queue_of_a_stage queue(other);
  other.run();
  std::vector<new_task> wanted;
  for (int i = 0; i < 300; ++i) wanted.push_back(a_task(type, fmt::format("{:03}{}", i, key.substr(3))));
  actors::enqueue_tasks m;
  m.tasks = wanted;
  auto cell = std::make_shared<runtime::reply_cell<std::vector<actors::queued_task>>>(nullptr);
  m.context.principal = principal;
  m.reply = runtime::reply_to<std::vector<actors::queued_task>>(cell);
  caf::anon_send(other.queue()->queue.address(), m);
  ASSERT_TRUE(queue.answer(cell));
  const auto leased = queue.answer(queue.send_lease(type, 100, {}, std::string(64, 'w')));
  ASSERT_TRUE(leased);
  ASSERT_EQ(leased->size(), 100U);
  const std::string error(tasks::task::error_bytes_max, 'e');
  EXPECT_TRUE(queue.end(leased->front(), {outcome_kind::transient, error, {}}));
  EXPECT_EQ(queue.verified(), "");
}

TEST_F(a_queue, refuses_a_request_whose_deadline_passed_before_it_was_begun) {
  const auto cell = q.send_tasks({a_task()}, s.monotonic() + 5ms);
  s.advance(5ms);
  s.run();
  EXPECT_EQ(refusal(cell), errc::deadline_exceeded);
  EXPECT_EQ(q.counts().queued_total, 0U);
}

TEST_F(a_queue, answers_only_when_what_it_says_is_durable) {
  const auto queued = q.send_tasks({a_task()});
  s.run_actors();
  EXPECT_FALSE(queued->ready());
  const auto leased = q.send_lease();
  s.run_actors();
  EXPECT_FALSE(leased->ready());
  s.run();
  ASSERT_TRUE(leased->ready() && leased->value());
  const auto ended = q.send_end(leased->value()->front(), done);
  const auto again = q.send_end(leased->value()->front(), done);
  s.run_actors();
  EXPECT_FALSE(ended->ready());
  EXPECT_FALSE(again->ready()) << "it rests on a write that is on its way";
  s.run();
  EXPECT_TRUE(ended->value());
  EXPECT_TRUE(again->value());
}

TEST_F(a_queue, queues_what_follows_in_the_write_that_ends_a_task) {
  (void)q.enqueue_one(a_task());
  const auto held = q.lease_one();
  EXPECT_EQ(refusal(q.end(held, done, {a_task("unheard_of")})), errc::invalid_argument);
  ASSERT_TRUE(q.end(held, done, {a_task("few", "after 1")}));
  EXPECT_EQ(q.counts("few").of(task_state::pending), 1U);
  ASSERT_TRUE(q.end(held, done, {a_task("few")})) << "said again";
  EXPECT_EQ(q.counts("few").queued_total, 1U);
}

// -- unique keys ------------------------------------------------------------------------------------------------------

TEST_F(a_queue, has_one_task_for_a_key_whoever_asks_and_however_close_together) {
  const auto first = q.send_tasks({a_task("work", "k"), a_task("work", "k")});
  const auto second = q.send_tasks({a_task("work", "k"), a_task("work", "other")});
  s.run_actors();
  EXPECT_FALSE(first->ready() || second->ready());
  s.run();
  const auto& a = *first->value();
  const auto& b = *second->value();
  EXPECT_FALSE(a[0].existed);
  EXPECT_TRUE(a[1].existed && b[0].existed);
  EXPECT_EQ(a[1].id, a[0].id);
  EXPECT_EQ(b[0].id, a[0].id);
  EXPECT_FALSE(b[1].existed);
  EXPECT_NE(q.enqueue_one(a_task("few", "k")), a[0].id) << "of another worker type";
  EXPECT_EQ(q.counts().queued_total, 2U);
}

TEST_F(a_queue, says_that_a_key_exists_only_when_its_task_is_durable) {
  (void)q.send_tasks({a_task("work", "k")});
  const auto second = q.send_tasks({a_task("work", "k")});
  s.run_actors();
  EXPECT_FALSE(second->ready());
  s.power_cut();
  EXPECT_EQ(refusal(second), errc::outcome_unknown);
  s.run();
  EXPECT_FALSE(q.enqueue({a_task("work", "k")})->front().existed);
}

TEST_F(a_queue, knows_a_key_after_its_task_was_purged) {
  const auto id = q.enqueue_one(a_task("work", "k"));
  (void)try_once(done);
  later(1h);
  later(10s);
  ASSERT_FALSE(q.exists(id));
  kill();
  const auto again = q.enqueue({a_task("work", "k")});
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->front().existed);
  EXPECT_EQ(again->front().id, id);
  EXPECT_TRUE(q.lease().empty());
}

// -- when -------------------------------------------------------------------------------------------------------------

TEST_F(a_queue, begins_nothing_before_its_time_and_everything_at_it) {
  auto t = a_task();
  t.due_at_ms = (s.now() + 5s).time_since_epoch().count();
  const auto id = q.enqueue_one(t);
  EXPECT_EQ(q.find(id).task.due_at, s.now() + 5s);
  const auto worker = q.send_lease("work", 1, 10s);
  s.pass(4'980ms);
  EXPECT_FALSE(worker->ready());
  s.pass(20ms);
  ASSERT_TRUE(worker->ready() && worker->value());
  EXPECT_EQ(worker->value()->front().task.id, id);
}

TEST_F(a_queue, waits_for_a_time_that_is_centuries_ahead_without_haste) {
  auto t = a_task();
  t.due_at_ms = 253'402'300'799'000; // the last second of the year 9999
  (void)q.enqueue_one(t);
  const auto before = s.look(queue_of_a_stage::path).handled;
  s.pass(10s);
  EXPECT_LT(s.look(queue_of_a_stage::path).handled - before, 5U) << "it looks at the clock now and then";
  EXPECT_TRUE(q.lease().empty());
}

TEST_F(a_queue, sleeps_when_there_is_nothing_to_do) {
  (void)q.enqueue_one(a_task());
  (void)try_once(done);
  s.pass(10s);
  const auto before = s.look(queue_of_a_stage::path).handled;
  s.pass(60s);
  EXPECT_LT(s.look(queue_of_a_stage::path).handled - before, 10U);
}

TEST_F(a_queue, tries_again_after_a_back_off_until_the_budget_is_spent) {
  const auto id = q.enqueue_one(a_task());
  for (std::uint32_t n = 1; n <= 3; ++n) {
    const auto t = try_once(broken);
    EXPECT_EQ(t.tries, n);
    EXPECT_EQ(t.last_error, broken.text);
    ASSERT_EQ(t.state, n < 3 ? task_state::pending : task_state::failed);
    if (n == 3) break;
    EXPECT_LE(t.due_at, s.now() + (n == 1 ? 1s : 2s));
    later(2s);
  }
  EXPECT_EQ(q.find(id).task.history.size(), 3U);
  EXPECT_EQ(q.counts().tries_total, 3U);
}

TEST_F(a_queue, fails_exactly_when_so_many_real_tries_failed) {
  for (const std::uint32_t budget : {1U, 4U, 5U, 10U}) {
    auto t = a_task();
    t.tries_max = budget;
    const auto id = q.enqueue_one(t);
    std::uint32_t real = 0;
    for (; q.state(id) == task_state::pending; ++real) {
      if (real == 1) {
        (void)try_once(too_early);
        later(2s);
      }
      (void)try_once(broken);
      later(4s);
    }
    EXPECT_EQ(real, budget);
    EXPECT_EQ(q.find(id).task.tries, budget);
    EXPECT_EQ(q.state(id), task_state::failed);
  }
}

TEST_F(a_queue, tries_again_when_the_worker_says_so) {
  (void)q.enqueue_one(a_task());
  const auto t = try_once({outcome_kind::transient, "later", 7s});
  EXPECT_EQ(t.due_at, s.now() + 7s);
  later(6'900ms);
  EXPECT_TRUE(q.lease().empty());
  later(200ms);
  EXPECT_EQ(q.lease().size(), 1U);
}

TEST_F(a_queue, does_not_count_a_try_that_found_nothing_to_work_with) {
  const auto id = q.enqueue_one(a_task());
  for (int i = 0; i < 10; ++i) {
    const auto t = try_once(too_early);
    EXPECT_EQ(t.tries, 0U);
    EXPECT_EQ(t.state, task_state::pending);
    later(6s);
  }
  EXPECT_EQ(try_once(done).tries, 1U);
  EXPECT_EQ(q.state(id), task_state::completed);
}

TEST_F(a_queue, asks_ever_more_seldom_for_what_is_not_there) {
  (void)q.enqueue_one(a_task());
  milliseconds longest{0};
  for (int i = 0; i < 12; ++i) {
    const auto t = try_once(too_early);
    longest = std::max(longest, t.due_at - s.now());
    EXPECT_LE(t.due_at, s.now() + 6s) << "four seconds, and half of that";
    later(6s);
  }
  EXPECT_GE(longest, 2s);
  (void)try_once(broken);
  later(1s);
  EXPECT_LE(try_once(too_early).due_at, s.now() + 1'500ms) << "it begins anew";
}

TEST_F(a_queue, goes_on_after_a_back_off_though_the_wall_clock_was_set_back) {
  const auto id = q.enqueue_one(a_task());
  (void)try_once({outcome_kind::transient, "later", 7s});
  s.jump(-1h);
  s.pass(6'900ms);
  EXPECT_TRUE(q.lease().empty());
  s.pass(200ms);
  const auto leased = q.lease();
  ASSERT_EQ(leased.size(), 1U);
  EXPECT_EQ(leased.front().task.id, id);
}

TEST_F(a_queue, does_not_spin_while_the_time_of_decisions_stands_still) {
  auto t = a_task();
  t.due_at_ms = (s.now() + 1ms).time_since_epoch().count();
  (void)q.enqueue_one(t);
  s.jump(-1h);
  const auto before = s.look(queue_of_a_stage::path).handled;
  for (int i = 0; i < 1'000; ++i) {
    s.advance(1ms);
    s.run();
  }
  EXPECT_LT(s.look(queue_of_a_stage::path).handled - before, 100U);
  s.jump(1h);
  s.pass(1s);
  EXPECT_EQ(q.lease().size(), 1U);
}

TEST_F(a_queue, fails_at_once_what_cannot_be_helped) {
  (void)q.enqueue_one(a_task());
  const auto t = try_once(hopeless);
  EXPECT_EQ(t.state, task_state::failed);
  EXPECT_EQ(t.last_error, hopeless.text);
  EXPECT_EQ(t.tries, 1U);
}

TEST_F(a_queue, takes_in_many_finished_tasks_at_once_and_judges_each_by_itself) {
  for (int i = 0; i < 5; ++i) (void)q.enqueue_one(a_task(i == 4 ? "few" : "work"));
  auto held = q.lease("work", 4);
  held.push_back(q.lease_one("few"));
  ASSERT_TRUE(q.cancel(held[1].task.id));
  ASSERT_TRUE(q.end(held[2], done));
  std::vector<actors::finished_try> tries;
  for (const auto& one : held) tries.push_back({one.task.id, one.lease.token, R"({"ok":true})"});
  tries.push_back(tries[0]);
  tries.push_back({777, 1, {}});
  tries.push_back({held[3].task.id, held[0].lease.token, {}});
  const auto answers = q.answer(q.send_finish(tries));
  ASSERT_TRUE(answers) << answers.error().message;
  std::vector<std::string> said;
  for (const auto& one : *answers) said.emplace_back(one ? to_string(*one) : to_string(one.error().code));
  EXPECT_EQ(said, (std::vector<std::string>{"COMPLETED", "lease_lost", "COMPLETED", "COMPLETED", "COMPLETED",
                                            "COMPLETED", "lease_lost", "lease_lost"}));
  EXPECT_EQ(q.find(held[0].task.id).task.result, R"({"ok":true})");
  EXPECT_EQ(q.counts().of(task_state::completed), 3U);
  EXPECT_EQ(q.counts("few").of(task_state::completed), 1U);
  EXPECT_EQ(q.counts().tries_total, 4U);
}

TEST_F(a_queue, takes_in_finished_tasks_that_do_not_fit_one_write) {
  const std::string long_text(tasks::task::result_bytes_max - 2, 'x');
  std::vector<actors::finished_try> tries;
  for (int i = 0; i < 40; ++i) (void)q.enqueue_one(a_task());
  for (const auto& one : q.lease("work", 40)) tries.push_back({one.task.id, one.lease.token, "\"" + long_text + "\""});
  const auto answers = q.answer(q.send_finish(tries));
  ASSERT_TRUE(answers) << answers.error().message;
  for (const auto& one : *answers) EXPECT_EQ(one, task_state::completed);
  EXPECT_EQ(q.counts().of(task_state::completed), 40U);
}

TEST_F(a_queue, shows_whole_tasks_to_who_asks_for_them) {
  const auto ask = [&](std::string key) {
    actors::enqueue_tasks m;
    m.tasks = {a_task("work", std::move(key))};
    m.whole = true;
    return q.answer(q.ask<std::vector<actors::queued_task>>(std::move(m)));
  };
  const auto fresh = ask("k");
  ASSERT_TRUE(fresh && fresh->front().task);
  EXPECT_FALSE(fresh->front().existed);
  EXPECT_EQ(fresh->front().task->payload, R"({"a":1})");
  EXPECT_EQ(fresh->front().task->state, task_state::pending);
  const auto held = q.lease_one();
  const auto running = ask("k");
  ASSERT_TRUE(running && running->front().task && running->front().held);
  EXPECT_TRUE(running->front().existed);
  EXPECT_EQ(running->front().task->state, task_state::running);
  EXPECT_EQ(*running->front().held, held.lease);
  ASSERT_TRUE(q.end(held, done));
  later(2h);
  const auto gone = ask("k");
  ASSERT_TRUE(gone);
  EXPECT_TRUE(gone->front().existed);
  EXPECT_FALSE(gone->front().task) << "it was purged";
}

TEST_F(a_queue, refuses_an_outcome_that_no_worker_can_tell) {
  (void)q.enqueue_one(a_task());
  const auto held = q.lease_one();
  for (const int kind : {0, 5, 6, 255}) {
    EXPECT_EQ(refusal(q.end(held, {static_cast<outcome_kind>(kind), "", {}})), errc::invalid_argument) << kind;
  }
  EXPECT_TRUE(q.end(held, done));
}

TEST_F(a_queue, begins_the_better_priority_first_but_lets_nobody_wait_for_ever) {
  auto last = a_task(), usual = a_task(), first = a_task();
  last.priority = 9;
  first.priority = 0;
  const auto c = q.enqueue_one(last);
  const auto b = q.enqueue_one(usual);
  const auto a = q.enqueue_one(first);
  later(91s); // nine steps of ten seconds
  const auto late = q.enqueue_one(first);
  EXPECT_EQ(ids(q.lease("work", 4)), (std::vector{a, b, c, late}));
}

// -- leases -----------------------------------------------------------------------------------------------------------

TEST_F(a_queue, takes_a_task_back_when_its_worker_says_nothing_and_fences_it) {
  const auto id = q.enqueue_one(a_task());
  const auto first = q.lease_one();
  later(29s);
  EXPECT_EQ(q.state(id), task_state::running);
  later(1s);
  EXPECT_EQ(q.state(id), task_state::pending);
  EXPECT_EQ(q.find(id).task.tries, 1U) << "it may have been done";
  EXPECT_EQ(q.find(id).task.history.front().ended, outcome_kind::lost);
  EXPECT_EQ(refusal(q.end(first, done)), errc::lease_lost);
  later(1s);
  const auto second = q.lease_one();
  EXPECT_GT(second.lease.token, first.lease.token);
  EXPECT_EQ(refusal(q.end(first, done)), errc::lease_lost);
  EXPECT_EQ(refusal(q.answer(q.send_renewal(first))), errc::lease_lost);
  EXPECT_TRUE(q.end(second, done));
  EXPECT_EQ(refusal(q.end(first, done)), errc::lease_lost);
  EXPECT_EQ(q.find(id).task.tries, 2U);
}

TEST_F(a_queue, fails_what_was_lost_too_often) {
  const auto id = q.enqueue_one(a_task());
  for (int i = 0; i < 3; ++i) {
    (void)q.lease_one();
    later(30s);
    later(4s);
  }
  EXPECT_EQ(q.state(id), task_state::failed);
  EXPECT_EQ(q.counts().tries_total, 3U);
}

TEST_F(a_queue, leaves_a_task_to_whoever_sends_heartbeats) {
  const auto id = q.enqueue_one(a_task());
  const auto held = q.lease_one();
  for (int i = 0; i < 5; ++i) {
    later(25s);
    const auto renewed = q.answer(q.send_renewal(held));
    ASSERT_TRUE(renewed);
    EXPECT_EQ(renewed->until, s.now() + 30s);
    EXPECT_EQ(q.find(id).held, *renewed);
  }
  const auto longer = q.answer(q.send_renewal(held, 10min));
  ASSERT_TRUE(longer);
  later(9min);
  EXPECT_TRUE(q.end(held, done));
}

TEST_F(a_queue, says_again_how_a_try_ended_to_whoever_has_its_token) {
  const auto id = q.enqueue_one(a_task());
  const auto first = q.lease_one();
  ASSERT_TRUE(q.end(first, broken));
  EXPECT_TRUE(q.end(first, broken));
  EXPECT_EQ(refusal(q.end(first, done)), errc::lease_lost) << "not another outcome";
  EXPECT_EQ(q.find(id).task.tries, 1U);
  later(1s);
  const auto second = q.lease_one();
  ASSERT_TRUE(q.end(second, done));
  kill();
  const auto again = q.end(second, done);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->result, done.text);
  EXPECT_EQ(q.counts().tries_total, 2U);
}

TEST_F(a_queue, knows_after_a_restart_who_has_what_and_for_how_long) {
  const auto id = q.enqueue_one(a_task());
  const auto held = q.lease_one();
  later(20s);
  s.power_cut();
  s.run();
  EXPECT_EQ(q.find(id).held, held.lease);
  later(9s);
  EXPECT_EQ(q.state(id), task_state::running);
  EXPECT_TRUE(q.lease().empty());
  later(2s);
  EXPECT_EQ(q.state(id), task_state::pending);
  EXPECT_EQ(q.find(id).task.tries, 1U);
}

TEST_F(a_queue, never_gives_the_same_token_twice) {
  std::set<std::uint64_t> tokens;
  for (int i = 0; i < 4; ++i) {
    (void)q.enqueue_one(a_task());
    for (const auto& one : q.lease("work", 5)) EXPECT_TRUE(tokens.insert(one.lease.token).second);
    if (i % 2 == 0)
      kill();
    else
      s.power_cut();
    s.run();
  }
  EXPECT_EQ(tokens.size(), 4U);
}

// -- many tasks -------------------------------------------------------------------------------------------------------

TEST_F(a_queue, gives_a_new_task_at_once_behind_ten_thousand_that_are_blocked_and_ten_thousand_that_failed) {
  constexpr std::uint64_t many = 10'000;
  const std::array hows{hopeless, broken, too_early};
  for (std::uint64_t done_with = 0; done_with < 2 * many;) {
    ASSERT_TRUE(q.enqueue(std::vector<new_task>(400, a_task())));
    for (int i = 0; i < 4; ++i)
      for (const auto& one : q.lease("work", 100)) {
        const bool fails = done_with++ < many;
        auto how = fails ? hopeless : hows[1 + done_with % 2];
        if (!fails) how.try_again = 1h;
        (void)q.send_end(one, how);
      }
    s.run();
  }
  ASSERT_EQ(q.counts().of(task_state::failed), many);
  ASSERT_EQ(q.counts().of(task_state::pending), many);
  const auto waits = q.send_lease("work", 1, 10s);
  s.run();
  ASSERT_FALSE(waits->ready()) << "nothing can be begun";
  const auto id = q.enqueue_one(a_task());
  ASSERT_TRUE(waits->ready() && waits->value()) << "and no time has passed";
  EXPECT_EQ(ids(*waits->value()), std::vector{id});
}

TEST_F(a_queue, moves_what_becomes_due_at_once_a_part_at_a_time) {
  auto t = a_task();
  t.due_at_ms = (s.now() + 1s).time_since_epoch().count();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(q.enqueue(std::vector<new_task>(400, t)));
  const auto ready = [&] { return storage::find_ready(*s.durable(), s.queue()->part, "work", {}, 5'000)->size(); };
  ASSERT_EQ(ready(), 0U);
  s.advance(1s);
  s.run();
  EXPECT_GT(ready(), 0U);
  EXPECT_LT(ready(), 2'000U) << "others are served between";
  s.pass(500ms);
  EXPECT_EQ(ready(), 2'000U);
}

// -- workers that wait ------------------------------------------------------------------------------------------------

TEST_F(a_queue, wakes_one_waiting_worker_for_each_task_in_the_order_in_which_they_came) {
  const auto first = q.send_lease("work", 1, 10s, "first");
  const auto second = q.send_lease("work", 1, 10s, "second");
  s.run();
  EXPECT_FALSE(first->ready() || second->ready());
  (void)q.enqueue_one(a_task());
  ASSERT_TRUE(first->ready() && first->value());
  EXPECT_EQ(first->value()->front().lease.worker, "first");
  EXPECT_FALSE(second->ready());
  (void)q.enqueue_one(a_task());
  EXPECT_TRUE(second->ready());
}

TEST_F(a_queue, sends_workers_away_when_they_have_waited) {
  const auto at_once = q.send_lease();
  const auto waits = q.send_lease("work", 1, 1s);
  s.run();
  ASSERT_TRUE(at_once->ready() && at_once->value());
  EXPECT_TRUE(at_once->value()->empty());
  s.pass(980ms);
  EXPECT_FALSE(waits->ready());
  s.pass(40ms);
  ASSERT_TRUE(waits->ready() && waits->value());
  EXPECT_TRUE(waits->value()->empty());
}

TEST_F(a_queue, gives_nothing_to_a_worker_whose_deadline_has_passed) {
  const auto gone = q.send_lease("work", 1, 10s, "gone", {}, s.monotonic() + 1s);
  const auto here = q.send_lease("work", 1, 10s, "here");
  s.pass(2s);
  (void)q.enqueue_one(a_task());
  EXPECT_EQ(refusal(gone), errc::unavailable);
  ASSERT_TRUE(here->ready() && here->value());
  EXPECT_EQ(here->value()->size(), 1U);
}

TEST_F(a_queue, refuses_workers_of_a_type_that_is_not_configured) {
  EXPECT_EQ(refusal(q.answer(q.send_lease("unheard_of"))), errc::invalid_argument);
  EXPECT_EQ(refusal(q.pause("unheard_of", true)), errc::invalid_argument);
}

// -- limits and what operators do ------------------------------------------------------------------------------------

TEST_F(a_queue, begins_nothing_while_it_is_paused_also_after_a_restart) {
  const auto id = q.enqueue_one(a_task());
  (void)q.enqueue_one(a_task("few"));
  ASSERT_TRUE(q.pause("work", true));
  EXPECT_TRUE(q.lease().empty());
  EXPECT_EQ(q.lease("few").size(), 1U) << "the others go on";
  s.power_cut();
  s.run();
  EXPECT_TRUE(q.report().counts.paused);
  const auto waits = q.send_lease("work", 1, 10s);
  s.run();
  EXPECT_FALSE(waits->ready());
  ASSERT_TRUE(q.pause("work", false));
  ASSERT_TRUE(waits->ready() && waits->value());
  EXPECT_EQ(ids(*waits->value()), std::vector{id});
}

TEST_F(a_queue, takes_in_the_end_of_what_ran_when_it_was_paused) {
  (void)q.enqueue_one(a_task());
  const auto held = q.lease_one();
  ASSERT_TRUE(q.pause("work", true));
  EXPECT_TRUE(q.end(held, done));
}

TEST_F(a_queue, runs_no_more_at_once_than_a_type_may) {
  for (int i = 0; i < 5; ++i) (void)q.enqueue_one(a_task("few"));
  const auto two = q.lease("few", 5);
  ASSERT_EQ(two.size(), 2U);
  const auto waits = q.send_lease("few", 5, 10s);
  s.run();
  EXPECT_FALSE(waits->ready());
  ASSERT_TRUE(q.end(two[0], done));
  ASSERT_TRUE(waits->ready() && waits->value());
  EXPECT_EQ(waits->value()->size(), 1U);
  kill();
  EXPECT_TRUE(q.lease("few", 5).empty()) << "its successor counts those that run";
}

TEST_F(a_queue, begins_no_more_in_a_second_than_a_type_may) {
  for (int i = 0; i < 40; ++i) (void)q.enqueue_one(a_task("slow"));
  std::size_t begun = 0;
  std::vector<queue_of_a_stage::leased_cell> workers;
  for (int i = 0; i < 40; ++i) workers.push_back(q.send_lease("slow", 1, 60s));
  for (int second = 0; second < 5; ++second) {
    s.run();
    begun = static_cast<std::size_t>(std::ranges::count_if(workers, [](const auto& w) { return w->ready(); }));
    EXPECT_LE(begun, 4U + static_cast<std::size_t>(second) * 4U);
    s.pass(1s);
  }
  EXPECT_GE(begun, 4U + 4U * 4U - 1U) << "and not much less";
}

TEST_F(a_queue, cancels_what_waits_what_is_ready_and_what_runs) {
  const auto running = q.enqueue_one(a_task());
  const auto held = q.lease_one();
  auto late = a_task();
  late.due_at_ms = (s.now() + 1h).time_since_epoch().count();
  const auto waiting = q.enqueue_one(late);
  const auto ready = q.enqueue_one(a_task());
  for (const auto id : {running, waiting, ready}) {
    const auto cancelled = q.cancel(id);
    ASSERT_TRUE(cancelled) << cancelled.error().message;
    EXPECT_EQ(cancelled->state, task_state::cancelled);
    EXPECT_EQ(refusal(q.cancel(id)), errc::conflict);
  }
  EXPECT_EQ(refusal(q.end(held, done)), errc::lease_lost);
  EXPECT_EQ(refusal(q.answer(q.send_renewal(held))), errc::lease_lost);
  EXPECT_EQ(q.counts().of(task_state::cancelled), 3U);
  EXPECT_EQ(q.counts().tries_total, 1U) << "the one that ran was a try";
  const auto taken_away = q.find(running).task;
  EXPECT_EQ(taken_away.tries, 1U);
  ASSERT_EQ(taken_away.history.size(), 1U);
  EXPECT_EQ(taken_away.history[0].ended, outcome_kind::cancelled);
  EXPECT_EQ(taken_away.history[0].token, held.lease.token);
  EXPECT_EQ(taken_away.history[0].worker, "w");
  EXPECT_TRUE(q.find(ready).task.history.empty());
  EXPECT_EQ(q.counts().of(task_state::running), 0U);
  later(2h);
  EXPECT_TRUE(q.lease().empty());
  EXPECT_EQ(refusal(q.cancel(777)), errc::not_found);
}

TEST_F(a_queue, cancels_what_became_ready_under_another_ageing) {
  auto t = a_task();
  t.priority = 7;
  const auto id = q.enqueue_one(t);
  auto cx = some_types();
  cx.ageing = 3s;
  s.retune(cx);
  s.run();
  ASSERT_TRUE(q.cancel(id));
  EXPECT_EQ(q.verified(), "");
  ASSERT_TRUE(q.retry(id));
  EXPECT_EQ(ids(q.lease("work", 10)), std::vector{id}) << "once";
}

TEST_F(a_queue, tries_again_what_an_operator_wants_tried_again) {
  const auto id = q.enqueue_one(a_task());
  EXPECT_EQ(refusal(q.retry(id)), errc::conflict);
  (void)try_once(hopeless);
  const auto again = q.retry(id);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->state, task_state::pending);
  EXPECT_EQ(again->tries_max, 4U) << "as many more as the type has";
  EXPECT_EQ(refusal(q.retry(id)), errc::conflict);
  EXPECT_EQ(try_once(done).state, task_state::completed);
  EXPECT_EQ(refusal(q.retry(id)), errc::conflict);
  EXPECT_EQ(refusal(q.cancel(id)), errc::conflict);
}

TEST_F(a_queue, tries_again_in_bulk_by_type_and_error) {
  std::vector<new_task> many(250, a_task());
  ASSERT_TRUE(q.enqueue(many));
  (void)q.enqueue_one(a_task("few"));
  for (const auto& one : q.lease("work", 100)) ASSERT_TRUE(q.end(one, hopeless));
  for (const auto& one : q.lease("work", 100)) ASSERT_TRUE(q.end(one, {outcome_kind::permanent, "Another thing", {}}));
  (void)try_once(hopeless, "few");
  ASSERT_EQ(q.counts().of(task_state::failed), 200U);
  const auto some = q.answer(q.send_retry_failed("work", "There is no", 30));
  ASSERT_TRUE(some && some->next);
  EXPECT_EQ(some->count, 30U);
  const auto others = q.answer(q.send_retry_failed("work", "There is no", 1'000, *some->next));
  ASSERT_TRUE(others);
  EXPECT_EQ(others->count, 70U);
  EXPECT_FALSE(others->next);
  EXPECT_EQ(q.counts().of(task_state::failed), 100U);
  EXPECT_EQ(q.counts("few").of(task_state::failed), 1U);
  const auto all = q.answer(q.send_retry_failed("", "", 1'000));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->count, 101U);
  EXPECT_EQ(q.counts().of(task_state::pending), 250U);
}

TEST_F(a_queue, tries_again_in_bulk_what_failed_first_and_leaves_alone_what_fails_again_meanwhile) {
  std::vector<std::uint64_t> failed;
  for (int i = 0; i < 4; ++i) {
    failed.push_back(q.enqueue_one(a_task()));
    (void)try_once(hopeless);
    later(10ms);
  }
  const auto first = q.answer(q.send_retry_failed("", "", 2));
  ASSERT_TRUE(first && first->next);
  EXPECT_EQ(first->count, 2U);
  EXPECT_EQ(q.state(failed[1]), task_state::pending);
  EXPECT_EQ(q.state(failed[2]), task_state::failed);
  later(10ms);
  (void)try_once(hopeless);
  const auto rest = q.answer(q.send_retry_failed("", "", 10, *first->next));
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->count, 2U) << "and not the one that failed again";
  EXPECT_FALSE(rest->next);
}

TEST_F(a_queue, tries_again_in_bulk_around_a_row_that_is_damaged) {
  std::vector<std::uint64_t> failed;
  for (int i = 0; i < 3; ++i) {
    failed.push_back(q.enqueue_one(a_task()));
    (void)try_once(hopeless);
    later(10ms);
  }
  const auto key = s.queue()->part.task_key(failed[1]);
  const auto row = s.row(storage::column::tasks, key);
  s.overwrite(storage::column::tasks, key, "damaged");
  const auto retried = q.answer(q.send_retry_failed("", "", 10));
  ASSERT_TRUE(retried);
  EXPECT_EQ(retried->count, 2U);
  EXPECT_FALSE(s.alarms().empty());
  s.overwrite(storage::column::tasks, key, *row);
  EXPECT_EQ(q.report().counts, q.counts());
}

TEST_F(a_queue, purges_what_has_ended_when_its_time_is_over) {
  const auto completed = q.enqueue_one(a_task());
  (void)try_once(done);
  const auto failed = q.enqueue_one(a_task());
  (void)try_once(hopeless);
  const auto cancelled = q.enqueue_one(a_task());
  ASSERT_TRUE(q.cancel(cancelled));
  const auto pending = q.enqueue_one(a_task());
  later(59min);
  later(10s);
  EXPECT_TRUE(q.exists(completed));
  later(1min);
  later(10s);
  EXPECT_FALSE(q.exists(completed));
  EXPECT_TRUE(q.exists(cancelled));
  later(1h);
  later(10s);
  EXPECT_FALSE(q.exists(cancelled));
  EXPECT_TRUE(q.exists(failed));
  later(1h);
  later(10s);
  EXPECT_FALSE(q.exists(failed));
  EXPECT_TRUE(q.exists(pending));
  const auto c = q.counts();
  EXPECT_EQ(c.purged_total, 3U);
  EXPECT_EQ(c.of(task_state::completed) + c.of(task_state::failed) + c.of(task_state::cancelled), 0U);
}

TEST_F(a_queue, purges_more_than_fits_one_write) {
  ASSERT_TRUE(q.enqueue(std::vector<new_task>(450, a_task())));
  for (int i = 0; i < 5; ++i)
    for (const auto& one : q.lease("work", 100)) (void)q.send_end(one, done);
  s.run();
  ASSERT_EQ(q.counts().of(task_state::completed), 450U);
  later(1h);
  s.pass(11s);
  EXPECT_EQ(q.counts().purged_total, 450U);
}

TEST_F(a_queue, goes_on_purging_while_its_writes_are_on_their_way) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(q.enqueue(std::vector<new_task>(400, a_task())));
  for (int i = 0; i < 12; ++i)
    for (const auto& one : q.lease("work", 100)) (void)q.send_end(one, done);
  s.run();
  ASSERT_EQ(q.counts().of(task_state::completed), 1'200U);
  s.advance(1h);
  for (int i = 0; i < 3; ++i) {
    s.advance(20ms);
    s.run_actors(); // nothing that it writes settles
  }
  s.pass(500ms);
  EXPECT_EQ(q.counts().purged_total, 1'200U) << "and not the rest ten seconds later";
}

TEST_F(a_queue, purges_nothing_while_the_clock_is_not_to_be_believed) {
  const auto id = q.enqueue_one(a_task());
  (void)try_once(done);
  s.jump(2h);
  EXPECT_TRUE(s.decisions().suspect());
  s.pass(30s);
  EXPECT_TRUE(q.exists(id));
  s.decisions().trust();
  s.pass(30s);
  EXPECT_FALSE(q.exists(id));
}

// -- faults -----------------------------------------------------------------------------------------------------------

TEST_F(a_queue, that_is_restarted_writes_what_it_had_decided_and_answers_it) {
  const auto queued = q.send_tasks({a_task()});
  ASSERT_TRUE(s.step(queue_of_a_stage::path));
  kill();
  const auto leased = q.send_lease();
  s.run_actors();
  EXPECT_FALSE(queued->ready() || leased->ready());
  s.run();
  ASSERT_TRUE(queued->value() && leased->value());
  EXPECT_EQ(ids(*leased->value()), std::vector{queued->value()->front().id});
}

TEST_F(a_queue, that_is_fenced_refuses_and_its_successor_goes_on) {
  auto granted = std::make_shared<bool>(false);
  s.log().acquire(s.queue()->part.shard, "tasks",
                  [granted](result<storage::tenure> t) noexcept { *granted = t.has_value(); });
  const auto fenced = q.send_tasks({a_task("work", "k")});
  s.run();
  ASSERT_TRUE(*granted);
  EXPECT_EQ(refusal(fenced), errc::unavailable);
  const auto next = q.send_tasks({a_task("work", "k")});
  const auto worker = q.send_lease("work", 1, 5s);
  s.pass(1s);
  ASSERT_TRUE(next->ready() && next->value());
  EXPECT_FALSE(next->value()->front().existed);
  ASSERT_TRUE(worker->ready() && worker->value());
  EXPECT_EQ(q.counts().queued_total, 1U);
}

/// All the room of the commit log, until it is let go.
std::vector<storage::permit> all_room(stage& s) {
  std::optional<storage::tenure> held;
  s.log().acquire(s.queue()->part.shard, "a greedy one", [&held](result<storage::tenure> t) noexcept {
    if (t) held = *t;
  });
  s.run();
  std::vector<storage::permit> taken;
  for (auto bytes = storage::batch::bytes_max; bytes > 0;) {
    auto room = s.log().reserve(*held, bytes);
    if (room)
      taken.push_back(std::move(*room));
    else
      bytes /= 2;
  }
  return taken;
}

TEST_F(a_queue, without_room_in_the_log_refuses_and_nothing_has_happened) {
  auto due = a_task();
  due.due_at_ms = (s.now() + 1s).time_since_epoch().count();
  const auto waits = q.enqueue_one(due);
  const auto lapses = q.enqueue_one(a_task());
  const auto lapsing = q.answer(q.send_lease("work", 1, {}, "w", 1s));
  ASSERT_TRUE(lapsing && lapsing->size() == 1);
  const auto ready = q.enqueue_one(a_task());
  const auto other = q.enqueue_one(a_task());
  const auto held = q.lease("work", 1);
  ASSERT_EQ(ids(held), std::vector{ready});
  const auto before = q.counts();
  {
    const auto taken = all_room(s);
    EXPECT_EQ(refusal(q.enqueue({a_task("work", "k")})), errc::overloaded);
    EXPECT_EQ(refusal(q.answer(q.send_lease())), errc::overloaded);
    EXPECT_EQ(refusal(q.end(held.front(), done)), errc::overloaded);
    EXPECT_EQ(refusal(q.answer(q.send_renewal(held.front()))), errc::overloaded);
    EXPECT_EQ(refusal(q.cancel(other)), errc::overloaded);
    EXPECT_EQ(refusal(q.pause("work", true)), errc::overloaded);
    s.pass(2s); // a task becomes due and a lease runs out, and none of it can be written
    EXPECT_EQ(q.counts(), before);
    EXPECT_EQ(q.report().counts, before);
    const auto processed = s.look(queue_of_a_stage::path).handled;
    s.pass(1s);
    EXPECT_LT(s.look(queue_of_a_stage::path).handled - processed, 100U) << "it looks again, but does not spin";
  }
  s.pass(100ms);
  EXPECT_EQ(q.state(lapses), task_state::pending);
  EXPECT_TRUE(q.end(held.front(), done));
  later(1s);
  EXPECT_EQ(q.lease("work", 10).size(), 3U) << waits << ", " << lapses << " and " << other;
  EXPECT_FALSE(q.enqueue({a_task("work", "k")})->front().existed);
}

TEST_F(a_queue, passes_over_a_damaged_row_and_tells_operators) {
  const auto damaged = q.enqueue_one(a_task());
  const auto good = q.enqueue_one(a_task());
  const auto key = s.queue()->part.task_key(damaged);
  const auto row = s.row(storage::column::tasks, key);
  s.overwrite(storage::column::tasks, key, "damaged");
  EXPECT_EQ(ids(q.lease("work", 5)), std::vector{good});
  EXPECT_EQ(s.alarms(), std::vector<std::string>{"unreadable_row root/domain/tasks/queue"});
  s.overwrite(storage::column::tasks, key, *row);
  kill();
  EXPECT_EQ(ids(q.lease("work", 5)), std::vector{damaged}) << "once it is mended";
}

TEST_F(a_queue, starts_though_the_row_of_a_running_task_is_damaged) {
  const auto damaged = q.enqueue_one(a_task());
  const auto good = q.enqueue_one(a_task());
  ASSERT_EQ(q.lease("work", 2).size(), 2U);
  const auto key = s.queue()->part.task_key(damaged);
  const auto row = s.row(storage::column::tasks, key);
  s.overwrite(storage::column::tasks, key, "damaged");
  kill();
  later(31s);
  EXPECT_EQ(q.state(good), task_state::pending);
  s.overwrite(storage::column::tasks, key, *row);
  kill();
  later(1s);
  EXPECT_EQ(q.state(damaged), task_state::pending) << "once it is mended";
}

TEST_F(a_queue, keeps_the_tasks_of_a_type_that_is_no_longer_configured) {
  const auto id = q.enqueue_one(a_task("few"));
  auto cx = some_types();
  std::erase_if(cx.types, [](const auto& t) { return t.name == "few"; });
  s.retune(cx);
  s.run();
  EXPECT_EQ(refusal(q.enqueue({a_task("few")})), errc::invalid_argument);
  EXPECT_EQ(refusal(q.answer(q.send_lease("few"))), errc::invalid_argument);
  EXPECT_EQ(q.report("few").counts.of(task_state::pending), 1U);
  EXPECT_TRUE(q.cancel(id));
  EXPECT_EQ(refusal(q.retry(id)), errc::invalid_argument) << "nobody would do it";
}

// -- more than is in memory -------------------------------------------------------------------------------------------

struct a_queue_with_a_small_window : a_queue {
  a_queue_with_a_small_window() : a_queue(some_types(4)) {}
};

struct a_queue_with_little_memory : a_queue {
  static actors::queue_context little() {
    auto cx = some_types();
    cx.running_bytes_max = 1'000; // of one task
    cx.running_most = 5;
    return cx;
  }
  a_queue_with_little_memory() : a_queue(little()) {}
};

TEST_F(a_queue_with_little_memory, ends_each_task_as_if_it_had_kept_it) {
  for (int i = 0; i < 5; ++i) (void)q.enqueue_one(a_task());
  const auto held = q.lease("work", 5);
  ASSERT_EQ(held.size(), 5U);
  ASSERT_TRUE(q.answer(q.send_renewal(held[1])));
  EXPECT_EQ(q.end(held[1], done)->state, task_state::completed);
  EXPECT_EQ(q.end(held[2], hopeless)->history.size(), 1U);
  EXPECT_EQ(q.cancel(held[3].task.id)->state, task_state::cancelled);
  later(31s);
  EXPECT_EQ(q.find(held[4].task.id).task.last_error, "The worker w said nothing until its lease ran out.");
  EXPECT_EQ(q.find(held[0].task.id).task.tries, 1U);
}

TEST_F(a_queue_with_little_memory, runs_no_more_at_once_than_it_has_memory_for) {
  for (int i = 0; i < 8; ++i) (void)q.enqueue_one(a_task());
  const auto held = q.lease("work", 8);
  ASSERT_EQ(held.size(), 5U);
  EXPECT_TRUE(q.lease("work", 8).empty());
  ASSERT_TRUE(q.end(held[0], done));
  EXPECT_EQ(q.lease("work", 8).size(), 1U);
}

TEST_F(a_queue_with_little_memory, lets_a_running_task_whose_row_is_damaged_harm_no_other) {
  for (int i = 0; i < 3; ++i) (void)q.enqueue_one(a_task());
  const auto held = q.lease("work", 3);
  const auto key = s.queue()->part.task_key(held[1].task.id);
  const auto row = s.row(storage::column::tasks, key);
  s.overwrite(storage::column::tasks, key, "damaged");
  EXPECT_EQ(refusal(q.end(held[1], done)), errc::corrupt);
  later(31s);
  EXPECT_EQ(q.state(held[2].task.id), task_state::pending) << "its lease ran out, too";
  EXPECT_FALSE(s.alarms().empty());
  s.overwrite(storage::column::tasks, key, *row);
  kill();
  later(1s);
  EXPECT_EQ(q.state(held[1].task.id), task_state::pending) << "once it is mended";
}

TEST_F(a_queue_with_a_small_window, gives_everything_once_and_in_order) {
  std::vector<std::uint64_t> expected;
  for (int i = 0; i < 30; ++i) {
    expected.push_back(q.enqueue_one(a_task()));
    later(1ms);
  }
  std::vector<std::uint64_t> given;
  for (int i = 0; i < 60 && given.size() < expected.size(); ++i) {
    for (const auto& one : q.lease("work", 7)) given.push_back(one.task.id);
    s.pass(20ms);
  }
  EXPECT_EQ(given, expected);
}

TEST_F(a_queue_with_a_small_window, brings_all_that_is_due) {
  for (int i = 0; i < 30; ++i) {
    auto t = a_task();
    t.due_at_ms = (s.now() + milliseconds{1'000 + 37 * (i % 7)}).time_since_epoch().count();
    (void)q.enqueue_one(t);
  }
  later(2s);
  s.pass(1s);
  std::size_t given = 0;
  for (int i = 0; i < 60; ++i) {
    given += q.lease("work", 7).size();
    s.pass(20ms);
  }
  EXPECT_EQ(given, 30U);
}

TEST_F(a_queue_with_a_small_window, serves_a_better_priority_that_comes_late) {
  for (int i = 0; i < 20; ++i) (void)q.enqueue_one(a_task());
  (void)q.lease("work", 2);
  auto urgent = a_task();
  urgent.priority = 0;
  const auto id = q.enqueue_one(urgent);
  EXPECT_EQ(q.lease_one().task.id, id);
}

/// Whatever is asked, and wherever it is interrupted: memory equals rows, rows agree, and each task ends once.
TEST(a_queue_in_trouble, agrees_with_its_rows_and_ends_each_task_once) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    seeded_random random(seed);
    stage_options o;
    o.tasks = some_types(1 + random.below(6));
    stage s(std::move(o));
    queue_of_a_stage q(s);
    s.pass(100ms);
    std::map<std::uint64_t, std::uint32_t> completions; // acknowledged, by task
    std::set<std::uint64_t> known;
    std::map<std::string, std::uint64_t> of_key;
    std::vector<queue_of_a_stage::leased_cell> asked;
    std::vector<leased_task> held;
    std::vector<std::pair<std::uint64_t, queue_of_a_stage::task_cell>> endings;
    std::vector<std::pair<std::string, queue_of_a_stage::queued_cell>> queued;
    const auto collect = [&] {
      for (const auto& cell : asked)
        if (cell->ready() && cell->value())
          for (const auto& one : *cell->value()) held.push_back(one);
      std::erase_if(asked, [](const auto& cell) { return cell->ready(); });
      for (const auto& [id, cell] : endings)
        if (cell->ready() && cell->value() && cell->value()->state == task_state::completed) ++completions[id];
      std::erase_if(endings, [](const auto& e) { return e.second->ready(); });
      for (const auto& [key, cell] : queued)
        if (cell->ready() && cell->value())
          for (const auto& one : *cell->value()) {
            known.insert(one.id);
            if (!key.empty()) {
              EXPECT_EQ(of_key.try_emplace(key, one.id).first->second, one.id) << key;
            }
          }
      std::erase_if(queued, [](const auto& e) { return e.second->ready(); });
    };
    for (int i = 0; i < 400; ++i) {
      const auto what = random.below(100);
      if (what < 25) {
        const auto key = random.below(2) == 0 ? std::string{} : fmt::format("k{}", random.below(20));
        auto t = queue_of_a_stage::a_task("work", key);
        t.priority = static_cast<std::uint8_t>(random.below(10));
        if (random.below(3) == 0)
          t.due_at_ms =
              (s.now() + milliseconds{static_cast<std::int64_t>(random.below(500))}).time_since_epoch().count();
        queued.emplace_back(key, q.send_tasks({t}));
      } else if (what < 45) {
        asked.push_back(q.send_lease("work", 1 + static_cast<std::uint32_t>(random.below(4)),
                                     milliseconds{static_cast<std::int64_t>(random.below(2)) * 300}));
      } else if (what < 65 && !held.empty()) {
        const auto at = random.below(held.size());
        const auto one = held[at];
        const std::array hows{done, done, broken, too_early};
        endings.emplace_back(one.task.id, q.send_end(one, hows[random.below(hows.size())]));
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
      } else if (what < 69 && !known.empty()) {
        const auto id = *std::next(known.begin(), static_cast<std::ptrdiff_t>(random.below(known.size())));
        (void)q.send_change(id, random.below(2) == 0 ? actors::task_action::cancel : actors::task_action::retry);
      } else if (what < 73 && s.has_work(queue_of_a_stage::path)) {
        s.kill(queue_of_a_stage::path);
      } else if (what < 75) {
        s.advance(milliseconds{static_cast<std::int64_t>(random.below(40'000))});
      } else if (what < 85) {
        s.advance(milliseconds{static_cast<std::int64_t>(random.below(200))});
      } else {
        for (auto steps = random.below(12); steps > 0 && s.little_step(); --steps) {
        }
      }
      collect();
    }
    for (int rounds = 0;
         rounds < 500 && q.report().counts.of(task_state::pending) + q.report().counts.of(task_state::running) > 0;
         ++rounds) {
      s.pass(200ms);
      collect();
      for (const auto& one : held) endings.emplace_back(one.task.id, q.send_end(one, done));
      held.clear();
      asked.push_back(q.send_lease("work", 20));
      if (rounds % 10 == 9) s.advance(31s);
    }
    s.pass(1s);
    collect();
    EXPECT_EQ(q.verified(), "");
    EXPECT_EQ(q.report().counts, q.counts());
    EXPECT_EQ(q.counts().of(task_state::pending) + q.counts().of(task_state::running), 0U) << "something is stuck";
    for (const auto id : known) ASSERT_TRUE(q.exists(id)) << id;
    EXPECT_GT(completions.size(), 5U);
    for (const auto& [id, times] : completions) EXPECT_EQ(times, 1U) << "task " << id;
    const auto before = q.report().counts;
    s.kill(queue_of_a_stage::path);
    s.run();
    EXPECT_EQ(q.report().counts, before);
  }
}

} // namespace
} // namespace matricula::actor_test
