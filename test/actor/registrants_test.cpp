// Registrants and their two workers: one ID for each, for ever, whoever dies when; and no call of a generator that is
// not ours is forgotten.
#include "test/actor/registrants_of_a_stage.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>

namespace matricula::actor_test {
namespace {

using registrants::call_outcome;
using registrants::call_state;
using registrants::id_progress;
using tasks::outcome_kind;
using tasks::task_state;

/// Identifiers that the pool of the stage ever gave out.
std::uint64_t issued(const stage& s) { return s.counters().issues_total; }

class local_registrants : public ::testing::Test {
protected:
  explicit local_registrants(stage_options o = local_workers()) : s(std::move(o)), r(s) { s.pass(200ms); }
  void TearDown() override {
    s.run();
    EXPECT_EQ(r.verified(), "");
  }
  stage s;
  registrants_of_a_stage r;
};

TEST_F(local_registrants, get_an_identifier_of_the_pool_which_is_confirmed) {
  const auto id = r.create("ref-1");
  s.pass(200ms);
  const auto found = r.find(id);
  EXPECT_EQ(found.progress, id_progress::confirmed);
  EXPECT_EQ(found.reference, "ref-1");
  EXPECT_EQ(found.created_by, "client");
  ASSERT_FALSE(found.unique_id.empty());
  const auto record = s.record(found.unique_id);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, identifiers::id_state::assigned);
  EXPECT_EQ(record->holder, registrants::task_key_of(id));
  EXPECT_EQ(record->assignment, found.assignment);
  EXPECT_EQ(r.task(found.request_task).state, task_state::completed);
  EXPECT_EQ(r.task(found.request_task).payload, R"({"registrant_id":1})");
  EXPECT_EQ(r.task(found.update_task).state, task_state::completed);
  EXPECT_EQ(r.task(found.request_task).tries, 1U);
  EXPECT_EQ(issued(s), 1U);
}

TEST_F(local_registrants, start_within_no_time_when_the_workers_are_idle) {
  s.pass(60s); // whoever waits for tasks has been told that there are none, and has asked again
  const auto id = r.create();
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed) << "no time has passed since it was created";
}

TEST_F(local_registrants, with_the_same_reference_are_one) {
  const auto first = r.create("ref");
  const auto again =
      r.queue().answer(r.send({r.one("ref"), r.one("other"), r.one("other"), r.one("ref", "{\"a\":1}")}));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->at(0).id, first);
  EXPECT_TRUE(again->at(0).existed);
  EXPECT_FALSE(again->at(1).existed);
  EXPECT_EQ(again->at(2).id, again->at(1).id) << "of one request, too";
  EXPECT_TRUE(again->at(2).existed);
  EXPECT_TRUE(again->at(3).conflict) << "it has other data";
  EXPECT_EQ(again->at(3).id, first);
  s.pass(200ms);
  EXPECT_EQ(issued(s), 2U);
}

TEST_F(local_registrants, created_with_a_key_are_shown_again) {
  const auto first = r.queue().answer(r.send({r.one()}, "key"));
  const auto again = r.queue().answer(r.send({r.one()}, "key"));
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->front().id, first->front().id);
  EXPECT_TRUE(again->front().existed);
  auto other = r.one();
  other.kind = "household";
  EXPECT_EQ(refusal(r.queue().answer(r.send({other}, "key"))), errc::idempotency_mismatch);
}

TEST_F(local_registrants, may_have_the_longest_reference_and_are_found_before_they_are_durable) {
  const auto ask = [this] {
    actors::create_registrants m;
    m.context.tenant = std::string(64, 't');
    for (std::size_t i = 0; i < actors::created_registrants_max; ++i) {
      auto wanted = r.one(fmt::format("{:0>128}", i), std::string(1'310, '1'));
      m.registrants.push_back(std::move(wanted));
    }
    return r.queue().ask<std::vector<actors::created_registrant>>(std::move(m));
  };
  const auto first = ask(), again = ask();
  s.run();
  ASSERT_TRUE(first->ready() && again->ready());
  ASSERT_TRUE(first->value()) << first->value().error().message;
  ASSERT_TRUE(again->value()) << again->value().error().message;
  ASSERT_EQ(again->value()->size(), actors::created_registrants_max);
  for (std::size_t i = 0; i < actors::created_registrants_max; ++i) {
    EXPECT_FALSE(first->value()->at(i).existed);
    EXPECT_TRUE(again->value()->at(i).existed);
    EXPECT_EQ(again->value()->at(i).id, first->value()->at(i).id);
  }
}

TEST_F(local_registrants, are_compared_with_what_is_stored_whatever_else_is_asked_for_with_them) {
  const auto there = r.create("ref");
  auto other = r.one("ref");
  other.kind = "household";
  const auto both = r.queue().answer(r.send({other, other, r.one("ref")}));
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->at(0).conflict);
  EXPECT_TRUE(both->at(1).conflict);
  EXPECT_FALSE(both->at(2).conflict);
  for (const auto& one : *both) EXPECT_EQ(one.id, there);
}

TEST_F(local_registrants, in_conflict_are_so_again_with_the_same_key) {
  const auto there = r.create("ref");
  auto other = r.one("ref");
  other.kind = "household";
  for (int i = 0; i < 2; ++i) {
    const auto answer = r.queue().answer(r.send({other}, "key"));
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->front().conflict) << i;
    EXPECT_FALSE(answer->front().replayed) << i;
  }
  const auto known = r.queue().answer(r.send({r.one("ref")}, "other key"));
  const auto again = r.queue().answer(r.send({r.one("ref")}, "other key"));
  ASSERT_TRUE(known && again);
  EXPECT_FALSE(known->front().replayed) << "it was there, but not by this key";
  EXPECT_TRUE(again->front().replayed);
  EXPECT_EQ(again->front().id, there);
}

TEST_F(local_registrants, have_one_task_that_is_to_be_done_whichever_is_tried_again) {
  const std::string type(registrants::request_worker);
  const auto early = r.queue().enqueue_one(queue_of_a_stage::a_task(type, registrants::task_key_of(1)));
  s.pass(200ms);
  ASSERT_EQ(r.task(early).state, task_state::failed) << "there is no registrant 1 yet";
  ASSERT_TRUE(r.queue().pause(type, true));
  const auto id = r.create();
  ASSERT_EQ(id, 1U);
  const auto task = r.find(id).request_task;
  ASSERT_NE(task, early);
  EXPECT_EQ(refusal(r.queue().retry(early)), errc::conflict);
  const auto in_bulk = r.queue().answer(r.queue().send_retry_failed(type, "", 100));
  ASSERT_TRUE(in_bulk);
  EXPECT_EQ(in_bulk->count, 0U);
  // The other way round, too.
  ASSERT_TRUE(r.queue().cancel(task));
  ASSERT_TRUE(r.queue().retry(early));
  EXPECT_EQ(refusal(r.queue().retry(task)), errc::conflict);
  ASSERT_TRUE(r.queue().pause(type, false));
  s.pass(500ms);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(r.task(early).state, task_state::completed);
  EXPECT_EQ(issued(s), 1U);
}

/// A stage without workers: the test is the worker, and asks handlers what they would do.
TEST(registrants_of_two_pools, with_the_same_identifier_ask_for_another_one) {
  auto o = local_workers();
  std::shared_ptr<const actors::queue_context> queue;
  std::shared_ptr<actors::id_door> pools;
  o.workers = [&](const auto& of, const auto& contexts, caf::actor_system&) {
    queue = of;
    pools = std::make_shared<actors::id_door>(contexts, nullptr);
    return std::vector<std::shared_ptr<const actors::worker_pool>>{};
  };
  stage s(std::move(o));
  registrants_of_a_stage r(s);
  s.pass(200ms);
  const auto first = r.create(), second = r.create();
  const auto handled = [&](const actors::leased_task& what) {
    std::optional<actors::task_end> end;
    actors::local_request_handler(queue, pools).run(what, [&](actors::task_end e) { end = std::move(e); });
    s.run();
    return end.value_or(actors::task_end{});
  };
  const auto end = [&](const actors::leased_task& what, const actors::task_end& how) {
    actors::end_task m;
    m.id = what.task.id;
    m.token = what.lease.token;
    m.kind = static_cast<std::uint8_t>(how.how.kind);
    m.effect = how.effect;
    return r.queue().answer(r.queue().ask<tasks::task>(std::move(m)));
  };
  const std::string type(registrants::request_worker);
  const auto of_first = r.queue().lease_one(type), of_second = r.queue().lease_one(type);
  const auto theirs = handled(of_second);
  // Another pool has the same identifier, and gave it to the first one.
  ASSERT_TRUE(end(of_first, theirs));
  ASSERT_TRUE(end(of_second, theirs));
  EXPECT_EQ(r.find(first).unique_id, theirs.effect.unique_id);
  EXPECT_EQ(r.find(second).unique_id, "");
  EXPECT_EQ(r.task(r.find(second).request_task).state, task_state::pending) << "it is tried again";
  s.pass(5s);
  const auto again = r.queue().lease_one(type);
  const auto another = handled(again);
  EXPECT_NE(another.effect.unique_id, theirs.effect.unique_id);
  ASSERT_TRUE(end(again, another));
  EXPECT_EQ(r.find(second).unique_id, another.effect.unique_id);
  pools = nullptr;
  queue = nullptr;
}

TEST_F(local_registrants, a_second_task_for_one_finds_the_first) {
  const auto id = r.create();
  auto again = queue_of_a_stage::a_task(std::string(registrants::request_worker), registrants::task_key_of(id));
  const auto queued = r.queue().enqueue({again});
  ASSERT_TRUE(queued);
  EXPECT_TRUE(queued->front().existed);
  EXPECT_EQ(queued->front().id, r.find(id).request_task);
}

TEST_F(local_registrants, tasks_that_name_nobody_fail_at_once_and_say_why) {
  const std::string type(registrants::request_worker);
  const auto nobody = r.queue().enqueue_one(queue_of_a_stage::a_task(type));
  const auto missing = r.queue().enqueue_one(queue_of_a_stage::a_task(type, registrants::task_key_of(77)));
  const auto update = r.queue().enqueue_one(
      queue_of_a_stage::a_task(std::string(registrants::update_worker), registrants::task_key_of(78)));
  s.pass(200ms);
  for (const auto& [id, why] : {std::pair(nobody, "The payload names no registrant"),
                                {missing, "no registrant 77"},
                                {update, "no registrant 78"}}) {
    EXPECT_EQ(r.task(id).state, task_state::failed);
    EXPECT_EQ(r.task(id).tries, 1U);
    EXPECT_THAT(r.task(id).last_error, testing::HasSubstr(why));
  }
  // The key of the one that named somebody too early keeps nobody from getting an ID.
  for (int i = 0; i < 77; ++i) (void)r.create();
  s.pass(500ms);
  EXPECT_EQ(r.find(77).progress, id_progress::confirmed);
}

TEST_F(local_registrants, that_are_cancelled_ask_again) {
  ASSERT_TRUE(r.queue().pause(std::string(registrants::request_worker), true));
  const auto id = r.create();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  EXPECT_EQ(r.find(id).progress, id_progress::none);
  const auto asked = r.request_id(id);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->progress, id_progress::requested);
  ASSERT_TRUE(r.queue().pause(std::string(registrants::request_worker), false));
  s.pass(200ms);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  const auto done = r.request_id(id);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->unique_id, r.find(id).unique_id) << "it has one";
  s.pass(200ms);
  EXPECT_EQ(issued(s), 1U);
  EXPECT_EQ(refusal(r.request_id(99)), errc::not_found);
}

/// Who dies, or what ends, at each moment of a registrant's way.
enum class end_of { worker, update_worker, queue, pool, power };

TEST(registrants_of_the_pool, get_one_identifier_whoever_dies_at_whatever_moment) {
  for (const auto who : {end_of::worker, end_of::update_worker, end_of::queue, end_of::pool, end_of::power}) {
    bool over = false; // it was done before that moment came
    for (int moment = 0; !over; ++moment) {
      SCOPED_TRACE(fmt::format("{} at {}", static_cast<int>(who), moment));
      stage s(local_workers());
      registrants_of_a_stage r(s);
      s.pass(200ms);
      const auto answer = r.send({r.one("it")});
      for (int i = 0; i < moment && !over; ++i) over = !s.little_step();
      if (over) {
        EXPECT_GT(moment, 20);
      }
      const bool acknowledged = answer->ready();
      switch (who) {
      case end_of::worker:
        s.kill(registrants_of_a_stage::request_path);
        break;
      case end_of::update_worker:
        s.kill("root/domain/tasks/id_generation_update_worker/1");
        break;
      case end_of::queue:
        s.kill(queue_of_a_stage::path);
        break;
      case end_of::pool:
        s.kill("pool");
        break;
      case end_of::power:
        s.power_cut();
        break;
      }
      s.pass(15s);
      const auto again = r.queue().answer(r.send({r.one("it")}));
      ASSERT_TRUE(again) << again.error().message;
      if (acknowledged) {
        EXPECT_TRUE(again->front().existed);
      }
      s.pass(15s);
      const auto found = r.find(again->front().id);
      EXPECT_EQ(found.progress, id_progress::confirmed);
      EXPECT_EQ(issued(s), 1U);
      EXPECT_EQ(s.counters().assigned, 1U);
      EXPECT_LE(r.task(found.request_task).tries, 2U);
      EXPECT_EQ(r.verified(), "");
      if (HasFailure()) return;
    }
  }
}

// -- a generator that is not ours -------------------------------------------------------------------------------------

class foreign_registrants : public ::testing::Test {
protected:
  explicit foreign_registrants(std::uint32_t tries_max = 5) : s(foreign_workers(generator, work, tries_max)), r(s) {
    s.pass(200ms);
  }
  void TearDown() override {
    s.run();
    EXPECT_EQ(r.verified(), "");
    work->items.clear();
  }
  /// Everybody works, and calls are answered, while time passes.
  void go_on(milliseconds how_long) {
    for (auto left = how_long; left > 0ms; left -= 100ms) {
      s.pass(100ms);
      while (work->do_one()) s.run();
    }
  }
  /// Until a call waits to be made.
  void until_a_call() {
    for (int i = 0; i < 200 && work->items.empty(); ++i) s.pass(100ms);
    ASSERT_FALSE(work->items.empty());
  }
  void cut_power() {
    work->items.clear();
    s.power_cut();
  }
  static registrants::generator_answer answer(call_outcome o) { return {o, {}, "as the test has it", {}}; }

  std::shared_ptr<foreign_generator> generator = std::make_shared<foreign_generator>();
  std::shared_ptr<waiting_work> work = std::make_shared<waiting_work>();
  stage s;
  registrants_of_a_stage r;
};

TEST_F(foreign_registrants, get_what_it_gives_and_no_call_stays_behind) {
  const auto id = r.create();
  ASSERT_EQ(r.calls(false).size(), 1U) << "written down before it is made";
  EXPECT_EQ(r.calls(false).front().state, call_state::open);
  EXPECT_EQ(generator->calls, 0U);
  go_on(1s);
  const auto found = r.find(id);
  EXPECT_EQ(found.unique_id, "F000001");
  EXPECT_EQ(found.progress, id_progress::confirmed);
  EXPECT_THAT(generator->confirmed, testing::ElementsAre("F000001"));
  EXPECT_TRUE(r.calls(false).empty());
}

TEST_F(foreign_registrants, an_empty_pool_costs_no_attempt) {
  generator->script = {answer(call_outcome::none_available), answer(call_outcome::none_available),
                       answer(call_outcome::none_available), answer(call_outcome::none_available),
                       answer(call_outcome::none_available), answer(call_outcome::none_available),
                       answer(call_outcome::none_available)};
  const auto id = r.create();
  go_on(20s);
  const auto found = r.find(id);
  EXPECT_EQ(found.progress, id_progress::confirmed);
  EXPECT_EQ(generator->calls, 8U);
  EXPECT_EQ(r.task(found.request_task).tries, 1U);
}

TEST_F(foreign_registrants, a_refusal_fails_at_once_and_can_be_asked_again) {
  generator->script = {answer(call_outcome::refused)};
  const auto id = r.create();
  go_on(5s);
  EXPECT_EQ(r.find(id).progress, id_progress::failed);
  EXPECT_EQ(r.task(r.find(id).request_task).tries, 1U);
  EXPECT_EQ(r.task(r.find(id).request_task).last_error, "as the test has it");
  ASSERT_TRUE(r.request_id(id));
  go_on(5s);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_TRUE(r.calls().empty()) << "it surely had no effect";
}

TEST_F(foreign_registrants, a_call_that_nobody_knows_the_end_of_is_listed_and_resolved) {
  generator->script = {answer(call_outcome::unknown)};
  const auto id = r.create();
  go_on(5s);
  const auto found = r.find(id);
  EXPECT_EQ(found.progress, id_progress::confirmed);
  EXPECT_EQ(generator->calls, 2U);
  EXPECT_EQ(r.task(found.request_task).tries, 2U);
  ASSERT_EQ(r.calls().size(), 1U);
  const auto call = r.calls().front();
  EXPECT_EQ(call.registrant, id);
  EXPECT_EQ(call.task, found.request_task);
  EXPECT_EQ(call.generator, "foreign");
  EXPECT_EQ(call.reason, "as the test has it");
  const auto resolved = r.resolve(call.number, "F-lost");
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->state, call_state::resolved);
  EXPECT_EQ(resolved->unique_id, "F-lost");
  EXPECT_TRUE(r.calls().empty());
  EXPECT_EQ(r.calls(false).size(), 1U) << "what was found out stays";
  EXPECT_EQ(refusal(r.resolve(call.number, "")), errc::conflict);
  EXPECT_EQ(refusal(r.resolve(99, "")), errc::not_found);
  EXPECT_EQ(r.find(id).unique_id, found.unique_id) << "an ID never changes";
}

TEST_F(foreign_registrants, use_what_an_operator_found_out) {
  generator->script = {answer(call_outcome::unknown), answer(call_outcome::refused)};
  const auto id = r.create();
  go_on(5s);
  ASSERT_EQ(r.find(id).progress, id_progress::failed);
  ASSERT_EQ(r.calls().size(), 1U);
  ASSERT_TRUE(r.resolve(r.calls().front().number, "F-found"));
  ASSERT_TRUE(r.request_id(id));
  go_on(5s);
  EXPECT_EQ(r.find(id).unique_id, "F-found");
  EXPECT_EQ(generator->calls, 2U) << "nobody was asked again";
  EXPECT_EQ(r.calls(false).size(), 1U);
  EXPECT_EQ(r.calls(false).front().note, "looked it up");
}

TEST_F(foreign_registrants, an_identifier_that_somebody_has_already_fails_the_task_and_is_told) {
  generator->script = {{call_outcome::done, "SAME", {}, {}}, {call_outcome::done, "SAME", {}, {}}};
  const auto first = r.create();
  go_on(1s);
  const auto second = r.create();
  go_on(1s);
  EXPECT_EQ(r.find(first).unique_id, "SAME");
  EXPECT_EQ(r.find(second).progress, id_progress::failed);
  EXPECT_THAT(r.task(r.find(second).request_task).last_error, testing::HasSubstr("registrant 1 has already"));
  EXPECT_THAT(s.alarms(), testing::Contains("registrant_id root/domain/tasks/queue"));
  ASSERT_EQ(r.calls().size(), 1U) << "it consumed something";
  EXPECT_EQ(r.calls().front().unique_id, "SAME");
}

TEST_F(foreign_registrants, a_worker_that_dies_during_a_call_takes_nothing_with_it) {
  const auto id = r.create();
  until_a_call();
  s.kill(registrants_of_a_stage::request_path);
  s.pass(30s);
  EXPECT_EQ(r.task(r.find(id).request_task).state, task_state::running) << "its lease is renewed all the time";
  EXPECT_TRUE(r.task(r.find(id).request_task).history.empty());
  go_on(1s);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(generator->calls, 1U);
  EXPECT_TRUE(r.calls(false).empty());
}

TEST_F(foreign_registrants, an_answer_that_comes_when_the_lease_is_over_is_used_by_the_next_try) {
  const auto id = r.create();
  until_a_call();
  // The worker is silent: nothing renews its lease.
  s.advance(30s);
  s.run_actors_but({registrants_of_a_stage::request_path});
  while (s.write_group()) s.run_actors_but({registrants_of_a_stage::request_path});
  ASSERT_EQ(r.calls().size(), 1U) << "the lease is over, and nobody knows of the call";
  go_on(10s);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(r.find(id).unique_id, "F000001");
  EXPECT_EQ(generator->given.size(), 1U + r.calls().size());
}

TEST_F(foreign_registrants, have_one_call_under_way_whatever_becomes_of_their_task) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  ASSERT_EQ(r.calls().size(), 1U) << "nobody knows how it will end";
  ASSERT_TRUE(r.request_id(id));
  s.pass(10s);
  EXPECT_EQ(work->items.size(), 1U) << "the first one is still on its way";
  go_on(10s);
  EXPECT_EQ(generator->calls, 1U);
  EXPECT_EQ(r.find(id).unique_id, "F000001");
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_TRUE(r.calls().empty()) << "its answer came late";
}

TEST_F(foreign_registrants, whose_task_was_cancelled_leave_an_answer_on_the_list_until_they_ask_again) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  go_on(5s);
  ASSERT_EQ(r.calls().size(), 1U) << "it consumed an identifier, and nobody has it";
  EXPECT_EQ(r.calls().front().unique_id, "F000001");
  EXPECT_EQ(r.verified(), "");
  ASSERT_TRUE(r.request_id(id));
  go_on(5s);
  EXPECT_EQ(r.find(id).unique_id, "F000001") << "no second one is consumed";
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(generator->calls, 1U);
  EXPECT_TRUE(r.calls().empty());
}

TEST_F(foreign_registrants, whose_task_is_cancelled_before_a_late_answer_is_used_leave_it_on_the_list) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  ASSERT_TRUE(r.queue().pause(std::string(registrants::request_worker), true));
  ASSERT_TRUE(r.request_id(id));
  go_on(5s);
  EXPECT_TRUE(r.calls().empty()) << "the next try uses it";
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  s.run();
  ASSERT_EQ(r.calls().size(), 1U);
  EXPECT_EQ(r.calls().front().unique_id, "F000001");
  const auto resolved = r.resolve(r.calls().front().number, "");
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_TRUE(r.calls().empty()) << "given back at its generator";
}

TEST_F(foreign_registrants, whose_call_was_resolved_before_its_answer_came_are_told_of_again) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  ASSERT_EQ(r.calls().size(), 1U);
  const auto call = r.calls().front().number;
  ASSERT_TRUE(r.resolve(call, ""));
  EXPECT_TRUE(r.calls().empty());
  go_on(5s);
  ASSERT_EQ(r.calls().size(), 1U) << "it got something after all";
  EXPECT_EQ(r.calls().front().number, call);
  EXPECT_EQ(r.calls().front().unique_id, "F000001");
  EXPECT_THAT(r.calls().front().reason, testing::HasSubstr("got nothing; its answer came after that"));
  EXPECT_EQ(r.verified(), "");
  ASSERT_TRUE(r.request_id(id));
  go_on(5s);
  EXPECT_EQ(r.find(id).unique_id, "F000001");
  EXPECT_TRUE(r.calls().empty());
}

TEST_F(foreign_registrants, whose_call_was_resolved_use_its_answer_when_they_still_need_it) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  ASSERT_TRUE(r.resolve(r.calls().front().number, ""));
  ASSERT_TRUE(r.request_id(id));
  go_on(10s);
  EXPECT_EQ(r.find(id).unique_id, "F000001");
  EXPECT_EQ(generator->calls, 1U);
  EXPECT_TRUE(r.calls().empty());
}

TEST_F(foreign_registrants, are_not_given_what_is_no_identifier_or_another_ones) {
  generator->script = {answer(call_outcome::unknown)};
  const auto first = r.create();
  go_on(5s);
  const auto second = r.create();
  go_on(5s);
  ASSERT_EQ(r.calls().size(), 1U);
  const auto call = r.calls().front().number;
  EXPECT_EQ(refusal(r.resolve(call, r.find(second).unique_id)), errc::conflict);
  EXPECT_TRUE(r.resolve(call, r.find(first).unique_id));
}

// The four moments at which a crash may come, of which the second and third are the generator's own affair.
TEST_F(foreign_registrants, lose_no_call_when_the_power_fails_before_it_was_made) {
  const auto id = r.create();
  until_a_call();
  cut_power();
  go_on(30s);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(generator->given.size(), 1U);
  EXPECT_EQ(r.calls().size(), 1U) << "nobody can know that it was not made";
}

TEST_F(foreign_registrants, report_a_call_when_the_power_fails_before_its_answer_was_written) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(work->do_one());
  cut_power();
  go_on(30s);
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(r.find(id).unique_id, "F000002");
  EXPECT_EQ(generator->given.size(), 1U + r.calls().size());
}

TEST_F(foreign_registrants, lose_nothing_when_the_power_fails_after_the_answer_was_written_and_before_its_use) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(work->do_one());
  s.run();
  cut_power();
  go_on(30s);
  EXPECT_EQ(r.find(id).unique_id, "F000001");
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_TRUE(r.calls().empty());
}

TEST_F(foreign_registrants, lose_nothing_when_the_power_fails_after_the_update_call) {
  const auto id = r.create();
  until_a_call();
  ASSERT_TRUE(work->do_one());
  until_a_call();
  ASSERT_TRUE(work->do_one());
  cut_power();
  go_on(30s);
  EXPECT_EQ(r.find(id).unique_id, "F000001");
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(generator->given.size(), 1U);
}

TEST(registrants_of_a_foreign_generator, fail_after_exactly_as_many_calls_as_the_settings_say) {
  for (const std::uint32_t tries : {1U, 4U, 5U, 10U}) {
    SCOPED_TRACE(tries);
    const auto generator = std::make_shared<foreign_generator>();
    const auto work = std::make_shared<waiting_work>();
    generator->script = {{call_outcome::failed, {}, "The generator says 500.", {}}};
    generator->last_for_ever = true;
    stage s(foreign_workers(generator, work, tries));
    registrants_of_a_stage r(s);
    s.pass(200ms);
    const auto id = r.create();
    for (int i = 0; i < 400; ++i) {
      s.pass(100ms);
      while (work->do_one()) s.run();
    }
    const auto task = r.task(r.find(id).request_task);
    EXPECT_EQ(task.state, task_state::failed);
    EXPECT_EQ(task.tries, tries);
    EXPECT_EQ(generator->calls, tries);
    EXPECT_EQ(task.last_error, "The generator says 500.");
    EXPECT_EQ(r.find(id).progress, id_progress::failed);
    EXPECT_TRUE(r.calls(false).empty());
    EXPECT_EQ(r.verified(), "");
    work->items.clear();
  }
}

// -- workers inside of the node ---------------------------------------------------------------------------------------

/// Does what its payload says.
class moody_handler final : public actors::task_handler {
public:
  void run(const actors::leased_task& what, done_callback done) override {
    if (what.task.payload == R"({"throw":1})") throw std::runtime_error("a mood");
    if (what.task.payload == R"({"then":1})") {
      auto end = actors::task_end::done();
      end.then.push_back({"unheard_of", {}, "{}", {}, 4, 0, 0});
      return done(std::move(end));
    }
    if (what.task.payload == R"({"hold":1})") {
      held = std::move(done);
      return;
    }
    done(actors::task_end::done(R"({"ok":true})"));
  }
  done_callback held;
};

class workers_inside : public ::testing::Test {
protected:
  static stage_options options(const std::shared_ptr<moody_handler>& handler) {
    stage_options o;
    o.tasks.emplace();
    o.tasks->types = {{.name = "moody",
                       .retry = {.tries_max = 2, .backoff_first = 1s, .backoff_max = 1s, .not_yet = 1s},
                       .lease = 3s}};
    o.workers = [handler](const auto& queue, const auto&, caf::actor_system& system) {
      return std::vector{actors::make_worker_pool(queue, queue->types[0], handler, 1, system, {})};
    };
    return o;
  }
  workers_inside() : s(options(handler)), q(s) { s.pass(100ms); }
  void TearDown() override {
    handler->held = nullptr;
    EXPECT_EQ(q.verified(), "");
  }
  std::uint64_t queue(std::string payload) {
    auto t = queue_of_a_stage::a_task("moody");
    t.payload = std::move(payload);
    return q.enqueue_one(std::move(t));
  }
  std::shared_ptr<moody_handler> handler = std::make_shared<moody_handler>();
  stage s;
  queue_of_a_stage q;
};

TEST_F(workers_inside, survive_a_handler_that_throws_and_the_try_counts) {
  const auto bad = queue(R"({"throw":1})");
  s.pass(3s);
  EXPECT_EQ(q.state(bad), task_state::failed);
  EXPECT_EQ(q.find(bad).task.tries, 2U);
  EXPECT_EQ(q.find(bad).task.last_error, "The handler failed: a mood");
  EXPECT_EQ(s.look("root/domain/tasks/moody/1").restarts, 0U);
  const auto good = queue("{}");
  EXPECT_EQ(q.state(good), task_state::completed);
  EXPECT_EQ(q.find(good).task.result, R"({"ok":true})");
}

TEST_F(workers_inside, fail_a_task_whose_result_cannot_be_taken) {
  const auto id = queue(R"({"then":1})");
  s.pass(1s);
  EXPECT_EQ(q.state(id), task_state::failed);
  EXPECT_THAT(q.find(id).task.last_error, testing::HasSubstr("No worker type is called 'unheard_of'"));
}

TEST_F(workers_inside, renew_the_lease_of_what_takes_long) {
  const auto id = queue(R"({"hold":1})");
  s.pass(20s);
  EXPECT_EQ(q.state(id), task_state::running);
  EXPECT_EQ(q.find(id).task.tries, 1U);
  ASSERT_TRUE(handler->held);
  handler->held(actors::task_end::done());
  s.run();
  EXPECT_EQ(q.state(id), task_state::completed);
}

TEST_F(workers_inside, of_an_earlier_life_lose_their_leases_at_once) {
  const auto id = queue(R"({"hold":1})");
  EXPECT_EQ(q.state(id), task_state::running);
  handler->held = nullptr;
  s.power_cut();
  s.pass(100ms);
  EXPECT_EQ(q.find(id).task.tries, 1U);
  EXPECT_EQ(q.find(id).task.history.size(), 1U);
  EXPECT_EQ(q.find(id).task.history.front().ended, outcome_kind::lost);
}

TEST_F(workers_inside, go_on_after_a_beat) {
  caf::anon_send(s.queue()->queue.address(), actors::run_beat{});
  s.run();
  const auto id = queue("{}");
  EXPECT_EQ(q.state(id), task_state::completed) << "after everything was looked at again";
}

} // namespace
} // namespace matricula::actor_test
