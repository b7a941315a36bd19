// Tasks for registrants that somebody queues himself, in lists as long as they may be.
#include "test/actor/registrants_of_a_stage.hpp"

#include <caf/send.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace matricula::actor_test {
namespace {

using registrants::id_progress;

constexpr std::size_t many = 100;

/// Until the settings are changed nobody confirms IDs, and no task for it is queued.
stage_options without_confirmation() {
  auto o = local_workers();
  o.tasks->types.pop_back();
  o.workers = [](const auto& queue, const auto& contexts, caf::actor_system& system) {
    const auto pools = std::make_shared<actors::id_door>(contexts, nullptr);
    std::vector<std::shared_ptr<const actors::worker_pool>> made;
    made.push_back(actors::make_worker_pool(
        queue, queue->types[0], std::make_shared<actors::local_request_handler>(queue, pools), 2, system, {}));
    if (queue->types.size() > 1)
      made.push_back(actors::make_worker_pool(
          queue, queue->types[1], std::make_shared<actors::local_update_handler>(queue, pools), 1, system, {}));
    return made;
  };
  return o;
}

template <class T, class Message>
auto ask_in_many_words(stage& s, Message message) {
  auto answer = std::make_shared<runtime::reply_cell<T>>(nullptr);
  message.context.principal = std::string(255, 'p');
  message.context.tenant = std::string(64, 't');
  message.reply = runtime::reply_to<T>(answer);
  caf::anon_send(s.queue()->queue.address(), std::move(message));
  return answer;
}

TEST(tasks_of_registrants, find_room_in_a_write_with_all_that_they_change) {
  stage s(without_confirmation());
  registrants_of_a_stage r(s);
  s.pass(200ms);
  std::vector<std::uint64_t> who;
  for (std::size_t i = 0; i < many; i += 25) {
    actors::create_registrants m;
    for (std::size_t n = 0; n < 25; ++n) {
      auto one = r.one(fmt::format("{:036}", i + n));
      one.kind = std::string(64, 'k');
      m.registrants.push_back(std::move(one));
    }
    const auto made = r.queue().answer(ask_in_many_words<std::vector<actors::created_registrant>>(s, std::move(m)));
    ASSERT_TRUE(made) << made.error().message;
    for (const auto& one : *made) who.push_back(one.id);
  }
  for (int i = 0; i < 100 && r.find(who.back()).progress != id_progress::assigned; ++i) s.pass(200ms);
  s.pass(10s);
  for (const auto id : who) ASSERT_EQ(r.find(id).progress, id_progress::assigned);
  s.retune(types_of_registrants());
  s.pass(200ms);
  const std::string type(registrants::update_worker);
  const auto confirm_all = [&](std::size_t times) {
    actors::enqueue_tasks m;
    for (std::size_t n = 0; n < times; ++n)
      for (const auto id : who) {
        auto t = queue_of_a_stage::a_task(type, registrants::task_key_of(id));
        t.payload = registrants::task_payload_of(id);
        m.tasks.push_back(std::move(t));
      }
    return r.queue().answer(ask_in_many_words<std::vector<actors::queued_task>>(s, std::move(m)));
  };
  EXPECT_EQ(refusal(confirm_all(5)), errc::payload_too_large) << "500 of them";
  const auto queued = confirm_all(1);
  ASSERT_TRUE(queued) << queued.error().message;
  for (int i = 0; i < 50 && r.find(who.back()).progress != id_progress::confirmed; ++i) s.pass(200ms);
  for (const auto id : who) EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(r.verified(), "");
}

TEST(tasks_of_registrants, are_one_also_when_a_worker_queues_itself_what_follows) {
  auto o = local_workers();
  o.workers = nullptr;
  stage s(std::move(o));
  registrants_of_a_stage r(s);
  s.pass(200ms);
  const auto who = r.create();
  const auto held = r.queue().lease_one(std::string(registrants::request_worker));
  actors::end_task m;
  m.id = held.task.id;
  m.token = held.lease.token;
  m.kind = static_cast<std::uint8_t>(tasks::outcome_kind::done);
  m.effect.unique_id = "X1";
  for (int i = 0; i < 2; ++i) {
    auto then = queue_of_a_stage::a_task(std::string(registrants::update_worker), registrants::task_key_of(who));
    then.payload = registrants::task_payload_of(who);
    m.then.push_back(std::move(then));
  }
  const auto ended = r.queue().answer(r.queue().ask<tasks::task>(std::move(m)));
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(r.find(who).unique_id, "X1");
  EXPECT_EQ(r.queue().counts(registrants::update_worker).queued_total, 1U) << "two would be confirmed side by side";
  EXPECT_EQ(r.task(r.find(who).update_task).state, tasks::task_state::pending);
  EXPECT_EQ(r.verified(), "");
}

TEST(tasks_of_registrants, put_a_call_on_the_list_when_its_registrant_got_another_identifier) {
  auto o = local_workers();
  o.workers = nullptr;
  stage s(std::move(o));
  registrants_of_a_stage r(s);
  s.pass(200ms);
  const std::string type(registrants::request_worker);
  const auto who = r.create();
  const auto first = r.queue().lease_one(type);
  actors::begin_generator_call begin;
  begin.task = first.task.id;
  begin.token = first.lease.token;
  begin.generator = "foreign";
  const auto permit = r.queue().answer(r.queue().ask<actors::call_permit>(std::move(begin)));
  ASSERT_TRUE(permit) << permit.error().message;
  ASSERT_TRUE(r.queue().end(first, {tasks::outcome_kind::transient, "no answer", {}}));
  ASSERT_TRUE(r.resolve(permit->call, "X1"));
  EXPECT_TRUE(r.calls().empty()) << "the next try uses it";
  s.pass(5s);
  const auto second = r.queue().lease_one(type);
  actors::end_task m;
  m.id = second.task.id;
  m.token = second.lease.token;
  m.kind = static_cast<std::uint8_t>(tasks::outcome_kind::done);
  m.effect.unique_id = "Y1";
  ASSERT_TRUE(r.queue().answer(r.queue().ask<tasks::task>(std::move(m))));
  EXPECT_EQ(r.find(who).unique_id, "Y1");
  ASSERT_EQ(r.calls().size(), 1U) << "nobody has what it got";
  EXPECT_EQ(r.calls().front().unique_id, "X1");
  EXPECT_EQ(r.verified(), "");
}

TEST(tasks_of_registrants, are_not_tried_again_beside_a_later_one_for_the_same_registrant) {
  stage s(local_workers());
  registrants_of_a_stage r(s);
  s.pass(200ms);
  const std::string type(registrants::request_worker);
  auto early = queue_of_a_stage::a_task(type, registrants::task_key_of(1));
  early.payload = registrants::task_payload_of(1);
  const auto first = r.queue().enqueue_one(early);
  s.pass(200ms);
  ASSERT_EQ(r.task(first).state, tasks::task_state::failed) << "there is no such registrant yet";
  ASSERT_TRUE(r.queue().pause(type, true));
  const auto who = r.create();
  ASSERT_EQ(who, 1U);
  ASSERT_NE(r.find(who).request_task, first);
  EXPECT_EQ(refusal(r.queue().retry(first)), errc::conflict);
  const auto all = r.queue().answer(r.queue().send_retry_failed("", "", 10));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->count, 0U);
  ASSERT_TRUE(r.queue().pause(type, false));
  s.pass(200ms);
  EXPECT_EQ(r.find(who).progress, id_progress::confirmed);
  EXPECT_TRUE(r.queue().retry(first)) << "it harms nobody any more";
  s.pass(200ms);
  EXPECT_EQ(s.counters().issues_total, 1U);
  EXPECT_EQ(r.verified(), "");
}

} // namespace
} // namespace matricula::actor_test
