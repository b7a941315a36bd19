// Registrants of kinds with different generators, worked by the same workers: each gets its ID from its own.
#include "actors/registrants/chosen_id_handler.hpp"
#include "actors/registrants/local_generator.hpp"
#include "test/actor/registrants_of_a_stage.hpp"

#include <gmock/gmock.h>

namespace matricula::actor_test {
namespace {

using registrants::id_progress;
using tasks::task_state;

stage_options chosen_workers(const std::shared_ptr<foreign_generator>& generator,
                             const std::shared_ptr<waiting_work>& work) {
  auto o = local_workers();
  o.workers = [generator, work](const auto& queue, const auto& contexts, caf::actor_system& system) {
    const auto pools = std::make_shared<actors::id_door>(contexts, nullptr);
    const actors::remote_generator from{"foreign", generator};
    const actors::blocking_work later = [work](std::function<void()> f) { work->items.push_back(std::move(f)); };
    const auto request = std::make_shared<actors::chosen_id_handler>(
        queue, std::make_shared<actors::local_request_handler>(queue, pools),
        actors::chosen_id_handler::by_generator{
            {"foreign", std::make_shared<actors::remote_request_handler>(queue, from, later)}});
    const auto update = std::make_shared<actors::chosen_id_handler>(
        queue, std::make_shared<actors::local_update_handler>(queue, pools),
        actors::chosen_id_handler::by_generator{
            {"foreign", std::make_shared<actors::remote_update_handler>(queue, from, later)}});
    return std::vector{actors::make_worker_pool(queue, queue->types[0], request, 1, system, {}),
                       actors::make_worker_pool(queue, queue->types[1], update, 1, system, {})};
  };
  return o;
}

class chosen_generators : public ::testing::Test {
protected:
  chosen_generators() { s.pass(200ms); }
  void TearDown() override {
    work->items.clear();
    s.run();
    EXPECT_EQ(r.verified(), "");
  }
  std::uint64_t create(std::string of) {
    auto wanted = r.one();
    wanted.generator = std::move(of);
    const auto made = r.queue().answer(r.send({wanted}));
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->front().id : 0;
  }
  void settle() {
    for (int i = 0; i < 5; ++i) {
      while (work->do_one()) s.run();
      s.pass(200ms);
    }
  }
  std::shared_ptr<foreign_generator> generator = std::make_shared<foreign_generator>();
  std::shared_ptr<waiting_work> work = std::make_shared<waiting_work>();
  stage s{chosen_workers(generator, work)};
  registrants_of_a_stage r{s};
};

TEST_F(chosen_generators, give_to_each_registrant_what_its_kind_said) {
  const auto ours = create(""), theirs = create("foreign");
  settle();
  EXPECT_EQ(r.find(ours).progress, id_progress::confirmed);
  EXPECT_EQ(r.find(theirs).progress, id_progress::confirmed);
  EXPECT_EQ(r.find(theirs).unique_id, "F000001");
  EXPECT_EQ(r.find(theirs).generator, "foreign");
  EXPECT_EQ(generator->calls, 1U);
  EXPECT_EQ(generator->confirmed.size(), 1U);
  EXPECT_EQ(s.counters().issues_total, 1U);
  EXPECT_TRUE(s.record(r.find(ours).unique_id));
}

TEST_F(chosen_generators, that_are_gone_fail_the_task_and_nobody_gets_an_id_from_elsewhere) {
  const auto lost = create("of_yesterday");
  settle();
  const auto found = r.find(lost);
  EXPECT_EQ(found.progress, id_progress::failed);
  EXPECT_EQ(found.unique_id, "");
  const auto task = r.task(found.request_task);
  EXPECT_EQ(task.state, task_state::failed);
  EXPECT_EQ(task.last_error,
            "No generator is called 'of_yesterday', as the registrant's kind had it when it was created.");
  EXPECT_EQ(generator->calls + s.counters().issues_total, 0U);
}

TEST(workers_without_other_generators, do_not_take_ids_from_the_own_pool_in_their_place) {
  stage s(local_workers());
  registrants_of_a_stage r(s);
  s.pass(200ms);
  auto wanted = r.one();
  wanted.generator = "of_yesterday";
  const auto made = r.queue().answer(r.send({wanted}));
  ASSERT_TRUE(made);
  s.pass(200ms);
  EXPECT_EQ(r.find(made->front().id).progress, id_progress::failed);
  EXPECT_EQ(s.counters().issues_total, 0U);
}

} // namespace
} // namespace matricula::actor_test
