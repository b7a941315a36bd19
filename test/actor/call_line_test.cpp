// The line before another system: never more at once than there are places, each in its turn.
#include "actors/tasks/call_line.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

namespace matricula::actors {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct call_lines : testing::Test {
  void enter(int who) {
    if (!line.enter([this, who] { begun.push_back(who); }, [this, who] { never.push_back(who); }))
      refused.push_back(who);
  }
  std::shared_ptr<std::atomic<bool>> closing = std::make_shared<std::atomic<bool>>(false);
  static constexpr std::size_t many = 200'000;
  call_line line{2, many, closing};
  std::vector<int> begun, never, refused;
};

TEST_F(call_lines, let_in_as_many_as_there_are_places_and_the_others_in_their_order) {
  for (int who = 1; who <= 5; ++who) enter(who);
  EXPECT_THAT(begun, ElementsAre(1, 2));
  line.leave();
  EXPECT_THAT(begun, ElementsAre(1, 2, 3));
  line.leave();
  line.leave();
  EXPECT_THAT(begun, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(never, IsEmpty());
}

TEST_F(call_lines, take_who_is_done_before_they_return) {
  int turns = 0;
  for (int i = 0; i < 10'000; ++i)
    EXPECT_TRUE(line.enter(
        [this, &turns] {
          ++turns;
          line.leave();
        },
        [] {}));
  EXPECT_EQ(turns, 10'000);
}

TEST_F(call_lines, that_are_long_do_not_pile_up_on_the_stack) {
  enter(1);
  enter(2);
  std::size_t turns = 0;
  for (std::size_t i = 0; i < many; ++i)
    EXPECT_TRUE(line.enter(
        [this, &turns] {
          ++turns;
          line.leave();
        },
        [] {}));
  EXPECT_EQ(turns, 0U);
  enter(3);
  EXPECT_THAT(refused, ElementsAre(3)) << "so many wait already";
  line.leave();
  EXPECT_EQ(turns, many);
}

TEST(a_call_line_in_which_nobody_may_wait, lets_in_who_finds_a_place) {
  call_line line(1, 0, std::make_shared<std::atomic<bool>>(false));
  int begun = 0;
  const auto enter = [&] { return line.enter([&begun] { ++begun; }, [] {}); };
  EXPECT_TRUE(enter());
  EXPECT_FALSE(enter());
  line.leave();
  EXPECT_TRUE(enter());
  EXPECT_EQ(begun, 2);
}

TEST_F(call_lines, that_close_give_nobody_a_turn_any_more) {
  for (int who = 1; who <= 4; ++who) enter(who);
  *closing = true;
  line.leave();
  enter(5);
  EXPECT_THAT(begun, ElementsAre(1, 2));
  EXPECT_THAT(never, ElementsAre(3, 4, 5));
}

/// Ends its tries when the test says so.
class held_handler final : public task_handler {
public:
  void run(const leased_task& what, done_callback done) override {
    if (what.task.id == 0) throw std::runtime_error("nobody has number 0");
    held.push_back(std::move(done));
  }
  std::vector<done_callback> held;
};

TEST(a_handler_in_line, holds_its_place_until_the_try_is_over) {
  const auto closing = std::make_shared<std::atomic<bool>>(false);
  const auto inner = std::make_shared<held_handler>();
  handler_in_line outer(inner, std::make_shared<call_line>(1, 3, closing),
                        [](const std::function<void()>& begin) { begin(); });
  EXPECT_EQ(outer.in_hand_max(), 2U) << "one that is at it, and one that goes on when it leaves";
  std::vector<tasks::outcome_kind> ends;
  const auto begin = [&](std::uint64_t id) {
    leased_task t;
    t.task.id = id;
    outer.run(t, [&ends](const task_end& end) { ends.push_back(end.how.kind); });
  };
  begin(1);
  begin(2);
  begin(0);
  begin(3);
  ASSERT_EQ(inner->held.size(), 1U);
  inner->held[0](task_end::done());
  EXPECT_THAT(ends, ElementsAre(tasks::outcome_kind::done));
  ASSERT_EQ(inner->held.size(), 2U);
  inner->held[1](task_end::done());
  EXPECT_THAT(ends, ElementsAre(tasks::outcome_kind::done, tasks::outcome_kind::done, tasks::outcome_kind::transient))
      << "one that throws leaves its place";
  ASSERT_EQ(inner->held.size(), 3U);
  begin(4);
  begin(5);
  begin(6);
  begin(7);
  EXPECT_THAT(ends, ElementsAre(tasks::outcome_kind::done, tasks::outcome_kind::done, tasks::outcome_kind::transient,
                                tasks::outcome_kind::not_yet))
      << "the seventh is given back";
  *closing = true;
  inner->held[2](task_end::done());
  EXPECT_EQ(ends.size(), 8U);
  EXPECT_EQ(ends.back(), tasks::outcome_kind::not_yet) << "the fourth to the sixth never had their turn";
  EXPECT_EQ(inner->held.size(), 3U);
}

} // namespace
} // namespace matricula::actors
