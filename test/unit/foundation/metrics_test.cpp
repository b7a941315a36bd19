#include "foundation/metrics.hpp"

#include <gtest/gtest.h>
#include <prometheus/counter.h>

#include <barrier>
#include <string>
#include <thread>
#include <vector>

namespace matricula {

TEST(metrics, bring_a_counter_up_to_its_total_and_never_down) {
  metrics numbers;
  const auto& counter = numbers.counter("t_total", "A total.");
  numbers.set_total("t_total", "A total.", 7);
  EXPECT_EQ(counter.Value(), 7);
  numbers.set_total("t_total", "A total.", 5);
  EXPECT_EQ(counter.Value(), 7);
  numbers.set_total("t_total", "A total.", 8);
  EXPECT_EQ(counter.Value(), 8);
}

TEST(metrics, count_a_total_once_when_two_publish_it_at_the_same_moment) {
  constexpr int rounds = 2'000;
  constexpr double total = 1'000'000;
  metrics numbers;
  std::barrier together(2);
  {
    std::vector<std::jthread> publishers;
    for (int i = 0; i < 2; ++i)
      publishers.emplace_back([&] {
        for (int round = 0; round < rounds; ++round) {
          together.arrive_and_wait();
          numbers.set_total("t_total", "A total.", total, {{"round", std::to_string(round)}});
        }
      });
  }
  for (int round = 0; round < rounds; ++round)
    ASSERT_EQ(numbers.counter("t_total", "A total.", {{"round", std::to_string(round)}}).Value(), total) << round;
}

} // namespace matricula
