#include "api/deadline_wheel.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>

namespace matricula::api {
namespace {

using std::chrono::milliseconds;
using time_point = deadline_wheel::time_point;

TEST(deadline_wheel, gives_back_what_is_due_and_nothing_earlier) {
  const time_point start(milliseconds(1'000'003));
  deadline_wheel wheel(start);
  EXPECT_FALSE(wheel.next());
  deadline_wheel::entry soon, later, far;
  wheel.set(soon, start + milliseconds(5));
  wheel.set(later, start + milliseconds(500));
  wheel.set(far, start + std::chrono::minutes(10)); // many rounds away
  EXPECT_EQ(wheel.take_due(start + milliseconds(4)), nullptr);
  EXPECT_EQ(wheel.take_due(start + milliseconds(5) + 2 * deadline_wheel::tick), &soon);
  EXPECT_EQ(wheel.take_due(start + milliseconds(400)), nullptr);
  wheel.clear(later);
  wheel.clear(later);
  EXPECT_EQ(wheel.take_due(start + std::chrono::minutes(10) - milliseconds(1)), nullptr);
  EXPECT_EQ(wheel.take_due(start + std::chrono::minutes(10) + 2 * deadline_wheel::tick), &far);
  EXPECT_EQ(wheel.take_due(start + std::chrono::hours(10)), nullptr);
}

TEST(deadline_wheel, one_that_is_past_already_is_due_next) {
  const time_point start(milliseconds(50'000));
  deadline_wheel wheel(start);
  deadline_wheel::entry late;
  wheel.set(late, start - std::chrono::hours(1));
  ASSERT_TRUE(wheel.next());
  EXPECT_EQ(wheel.take_due(*wheel.next()), &late);
}

/// Against a sorted map, with random sets, moves, clears and steps of time; who sleeps until `next` misses nothing.
TEST(deadline_wheel, does_as_a_sorted_map_does) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto up_to = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    time_point now(milliseconds(up_to(100'000)));
    deadline_wheel wheel(now);
    std::array<deadline_wheel::entry, 40> entries;
    std::map<deadline_wheel::entry*, time_point> expected;
    for (int step = 0; step < 2'000; ++step) {
      auto& one = entries.at(static_cast<std::size_t>(up_to(entries.size())));
      switch (up_to(4)) {
      case 0:
        wheel.clear(one);
        expected.erase(&one);
        break;
      case 1:
      case 2:
        expected[&one] = now + milliseconds(up_to(3) == 0 ? up_to(60'000) : up_to(300));
        wheel.set(one, expected[&one]);
        break;
      default:
        now += milliseconds(up_to(20) == 0 ? up_to(30'000) : up_to(50));
        while (auto* due = wheel.take_due(now)) {
          ASSERT_TRUE(expected.contains(due)) << "seed " << seed;
          ASSERT_LE(expected[due], now) << "seed " << seed;
          expected.erase(due);
        }
        for (const auto& [entry, at] : expected) ASSERT_GT(at + 2 * deadline_wheel::tick, now) << "seed " << seed;
      }
      for (const auto& [entry, at] : expected) {
        ASSERT_TRUE(wheel.next()) << "seed " << seed;
        ASSERT_LE(*wheel.next(), at + 2 * deadline_wheel::tick) << "seed " << seed;
      }
    }
  }
}

} // namespace
} // namespace matricula::api
