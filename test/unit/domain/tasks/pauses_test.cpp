#include "domain/tasks/pauses.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace matricula::tasks {
namespace {

using std::chrono::nanoseconds;

TEST(pauses_of_tasks, end_in_the_order_of_their_times) {
  pauses p(10);
  EXPECT_FALSE(p.first());
  p.add({100, 1}, nanoseconds{30});
  p.add({100, 2}, nanoseconds{10});
  p.add({90, 3}, nanoseconds{20});
  std::vector<std::uint64_t> order;
  while (const auto next = p.first()) {
    order.push_back(next->second.id);
    p.erase(next->second);
  }
  EXPECT_EQ(order, (std::vector<std::uint64_t>{2, 3, 1}));
  EXPECT_EQ(p.size(), 0U);
}

TEST(pauses_of_tasks, that_do_not_fit_are_left_out_and_unknown_ones_do_no_harm) {
  pauses p(2);
  p.add({1, 1}, nanoseconds{5});
  p.add({1, 1}, nanoseconds{1});
  EXPECT_EQ(p.first()->first, nanoseconds{5}) << "it is there";
  p.add({2, 2}, nanoseconds{6});
  p.add({3, 3}, nanoseconds{1});
  EXPECT_EQ(p.size(), 2U);
  p.erase({3, 3});
  p.erase({1, 1});
  EXPECT_EQ(p.first()->second.id, 2U);
  p.add({3, 3}, nanoseconds{1});
  EXPECT_EQ(p.first()->second.id, 3U);
}

} // namespace
} // namespace matricula::tasks
