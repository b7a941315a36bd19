// Registrants with a generator of another system stand in a queue of their own: however slow it is, and however many
// they are, the others get their IDs as if they were alone.
#include "actors/registrants/chosen_id_handler.hpp"
#include "actors/tasks/call_line.hpp"
#include "test/actor/registrants_of_a_stage.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <iterator>

namespace matricula::actor_test {
namespace {

using registrants::id_progress;
using tasks::task_state;

constexpr std::uint32_t calls_max = 2;
const auto request_lane = tasks::queue_name(registrants::request_worker, "foreign");
const auto update_lane = tasks::queue_name(registrants::update_worker, "foreign");

actors::queue_context with_lanes() {
  auto cx = types_of_registrants();
  for (const auto& name : {request_lane, update_lane}) {
    cx.types.push_back(cx.types.front());
    cx.types.back().name = name;
  }
  return cx;
}

stage_options workers_in_lanes(const std::shared_ptr<foreign_generator>& generator,
                               const std::shared_ptr<waiting_work>& work) {
  auto o = local_workers();
  o.tasks = with_lanes();
  o.workers = [generator, work](const auto& queue, const auto& contexts, caf::actor_system& system) {
    const auto pools = std::make_shared<actors::id_door>(contexts, nullptr);
    const actors::remote_generator from{"foreign", generator};
    const actors::blocking_work later = [work](std::function<void()> f) { work->items.push_back(std::move(f)); };
    const auto line = std::make_shared<actors::call_line>(calls_max, 4 * calls_max, queue->closing);
    // As in the node: the lane and the type's own workers have a handler each, of one generator.
    const auto request = [&] {
      return std::make_shared<actors::handler_in_line>(
          std::make_shared<actors::remote_request_handler>(queue, from, later), line, later);
    };
    const auto update = [&] {
      return std::make_shared<actors::handler_in_line>(
          std::make_shared<actors::remote_update_handler>(queue, from, later), line, later);
    };
    const auto chosen = [&](std::shared_ptr<actors::task_handler> local, std::shared_ptr<actors::task_handler> remote) {
      return std::make_shared<actors::chosen_id_handler>(
          queue, std::move(local), actors::chosen_id_handler::by_generator{{"foreign", std::move(remote)}});
    };
    std::vector<std::shared_ptr<const actors::worker_pool>> made;
    const auto add = [&](std::string_view type, std::shared_ptr<actors::task_handler> handler) {
      if (const auto* of = queue->find(type))
        made.push_back(actors::make_worker_pool(queue, *of, std::move(handler), 1, system, {}));
    };
    add(registrants::request_worker, chosen(std::make_shared<actors::local_request_handler>(queue, pools), request()));
    add(registrants::update_worker, chosen(std::make_shared<actors::local_update_handler>(queue, pools), update()));
    add(request_lane, request());
    add(update_lane, update());
    return made;
  };
  return o;
}

class a_generator_that_answers_nothing : public ::testing::Test {
protected:
  a_generator_that_answers_nothing() { s.pass(200ms); }
  void TearDown() override {
    work->items.clear();
    s.run();
    EXPECT_EQ(r.verified(), "");
  }
  std::vector<std::uint64_t> create(std::size_t count, const std::string& of) {
    auto wanted = r.one();
    wanted.generator = of;
    const auto made = r.queue().answer(r.send(std::vector(count, wanted)));
    EXPECT_TRUE(made) << made.error().message;
    std::vector<std::uint64_t> ids;
    if (made)
      for (const auto& one : *made) ids.push_back(one.id);
    return ids;
  }
  /// The generator answers from now on.
  void settle() {
    for (int i = 0; i < 5; ++i) {
      while (work->do_one()) s.run();
      s.pass(200ms);
    }
  }
  [[nodiscard]] std::size_t with(const std::vector<std::uint64_t>& who, id_progress p) const {
    return static_cast<std::size_t>(std::ranges::count_if(who, [&](auto id) { return r.find(id).progress == p; }));
  }
  std::shared_ptr<foreign_generator> generator = std::make_shared<foreign_generator>();
  std::shared_ptr<waiting_work> work = std::make_shared<waiting_work>();
  stage s{workers_in_lanes(generator, work)};
  registrants_of_a_stage r{s};
};

TEST_F(a_generator_that_answers_nothing, keeps_no_registrant_of_another_kind_waiting) {
  std::vector<std::uint64_t> theirs;
  for (int i = 0; i < 5; ++i) std::ranges::copy(create(100, "foreign"), std::back_inserter(theirs));
  s.pass(5s);
  const auto ours = create(1, "").front();
  s.pass(1s);
  EXPECT_EQ(r.find(ours).progress, id_progress::confirmed) << "within a second, behind 500 that wait";
  // Nobody takes up and gives back what waits: it costs nothing.
  EXPECT_EQ(r.queue().counts(request_lane).of(task_state::running), 2 * calls_max);
  EXPECT_EQ(r.queue().counts(request_lane).tries_total, 0U);
  EXPECT_EQ(r.queue().counts(registrants::request_worker).queued_total, 1U);
  settle();
  EXPECT_EQ(with(theirs, id_progress::confirmed), theirs.size());
  EXPECT_EQ(generator->given.size(), theirs.size());
  EXPECT_EQ(s.counters().issues_total, 1U);
}

TEST_F(a_generator_that_answers_nothing, has_a_queue_that_is_paused_by_its_name) {
  ASSERT_TRUE(r.queue().pause(request_lane, true));
  const auto theirs = create(3, "foreign");
  const auto ours = create(1, "");
  settle();
  EXPECT_EQ(with(theirs, id_progress::requested), 3U);
  EXPECT_EQ(with(ours, id_progress::confirmed), 1U);
  ASSERT_TRUE(r.queue().pause(request_lane, false));
  settle();
  EXPECT_EQ(with(theirs, id_progress::confirmed), 3U);
}

TEST_F(a_generator_that_answers_nothing, has_the_tasks_that_others_queue_for_its_registrants_too) {
  const auto id = create(1, "foreign").front();
  const auto first = r.find(id).request_task;
  EXPECT_EQ(r.task(first).lane, "foreign");
  ASSERT_TRUE(r.queue().cancel(first));
  ASSERT_TRUE(r.request_id(id));
  EXPECT_EQ(r.queue().counts(request_lane).of(task_state::cancelled), 0U) << "it is tried again";
  auto early = queue_of_a_stage::a_task(std::string(registrants::update_worker), registrants::task_key_of(id));
  early.due_at_ms = (s.now() + 1h).time_since_epoch().count();
  EXPECT_EQ(r.task(r.queue().enqueue_one(early)).lane, "foreign");
  auto in_words = queue_of_a_stage::a_task(request_lane);
  EXPECT_EQ(refusal(r.queue().enqueue({in_words})), errc::invalid_argument) << "a lane is no worker type";
}

TEST_F(a_generator_that_answers_nothing, is_asked_once_at_a_time_for_a_registrant_from_whichever_queue) {
  const auto early = r.queue().enqueue_one(
      queue_of_a_stage::a_task(std::string(registrants::request_worker), registrants::task_key_of(1)));
  s.pass(5s);
  ASSERT_EQ(r.task(early).state, task_state::failed) << "there is no such registrant yet";
  EXPECT_EQ(r.task(early).lane, "");
  const auto id = create(1, "foreign").front();
  ASSERT_EQ(id, 1U);
  s.pass(1s);
  ASSERT_TRUE(work->do_one()) << "its turn";
  s.run();
  ASSERT_EQ(work->items.size(), 1U);
  const auto on_its_way = std::move(work->items.front());
  work->items.clear();
  ASSERT_TRUE(r.queue().cancel(r.find(id).request_task));
  ASSERT_TRUE(r.queue().retry(early));
  settle();
  EXPECT_EQ(generator->calls, 0U) << "no second one beside it";
  on_its_way();
  s.run(); // its answer is known before the next try begins
  settle();
  s.pass(5s);
  settle();
  EXPECT_EQ(r.find(id).progress, id_progress::confirmed);
  EXPECT_EQ(generator->calls, 1U);
}

TEST_F(a_generator_that_answers_nothing, that_is_no_longer_configured_keeps_its_tasks_until_it_is_again) {
  const auto theirs = create(4, "foreign");
  work->items.clear();
  s.retune(types_of_registrants());
  s.pass(200ms);
  const auto task = r.find(theirs.front()).request_task;
  ASSERT_TRUE(r.queue().cancel(task));
  EXPECT_EQ(refusal(r.queue().retry(task)), errc::invalid_argument);
  EXPECT_EQ(refusal(r.request_id(theirs.front())), errc::invalid_argument);
  EXPECT_EQ(with(theirs, id_progress::requested), 3U);
  const auto new_one = create(1, "foreign").front();
  EXPECT_EQ(r.task(r.find(new_one).request_task).lane, "") << "the type's own workers look at it";
  work->items.clear();
  s.retune(with_lanes());
  s.pass(200ms);
  ASSERT_TRUE(r.request_id(theirs.front()));
  settle();
  s.pass(10s); // until the lease of what was in hand before has run out
  settle();
  EXPECT_EQ(with(theirs, id_progress::confirmed), theirs.size());
  EXPECT_EQ(r.find(new_one).progress, id_progress::confirmed);
}

} // namespace
} // namespace matricula::actor_test
