#include "foundation/metrics.hpp"

#include <gtest/gtest.h>
#include <prometheus/counter.h>

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

} // namespace matricula
