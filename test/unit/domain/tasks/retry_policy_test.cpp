#include "domain/tasks/retry_policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

namespace matricula::tasks {
namespace {

milliseconds most_after(std::uint32_t failures, const retry_policy& p) {
  const auto doubled = static_cast<double>(p.backoff_first.count()) * std::pow(2.0, failures - 1.0);
  return milliseconds{static_cast<std::int64_t>(std::min(doubled, static_cast<double>(p.backoff_max.count())))};
}

TEST(back_off, reaches_from_nothing_to_a_bound_that_doubles_up_to_the_cap) {
  const retry_policy p{.backoff_first = milliseconds{100}, .backoff_max = milliseconds{5'000}};
  seeded_random random(5);
  for (const std::uint32_t failures : {1U, 2U, 3U, 6U, 7U, 40U, 1'000U}) {
    const auto most = most_after(failures, p);
    milliseconds least_seen = most, most_seen{0};
    for (int i = 0; i < 5'000; ++i) {
      const auto delay = backoff(p, failures, random);
      ASSERT_GE(delay, milliseconds{0});
      ASSERT_LE(delay, most) << failures;
      least_seen = std::min(least_seen, delay);
      most_seen = std::max(most_seen, delay);
    }
    EXPECT_LT(least_seen, most / 50) << failures;
    EXPECT_GT(most_seen, most * 49 / 50) << failures;
  }
}

TEST(back_off, is_spread_evenly) {
  const retry_policy p{.backoff_first = milliseconds{1'000}, .backoff_max = milliseconds{60'000}};
  seeded_random random(6);
  constexpr int draws = 80'000;
  std::array<int, 8> found{};
  for (int i = 0; i < draws; ++i) // up to 3,999 ms, and now and then one more
    ++found[static_cast<std::size_t>(std::min<std::int64_t>(backoff(p, 3, random).count() / 500, 7))];
  for (const auto n : found) EXPECT_NEAR(n, draws / 8.0, draws / 8.0 * 0.05);
}

TEST(back_off, never_exceeds_a_cap_below_its_beginning_and_may_be_none) {
  seeded_random random(7);
  const retry_policy low{.backoff_first = milliseconds{1'000}, .backoff_max = milliseconds{10}};
  const retry_policy none{.backoff_first = milliseconds{0}, .backoff_max = milliseconds{0}};
  for (std::uint32_t failures = 0; failures < 50; ++failures) {
    EXPECT_LE(backoff(low, failures, random), milliseconds{10});
    EXPECT_EQ(backoff(none, failures, random), milliseconds{0});
  }
}

TEST(the_pause_of_what_is_not_yet_there, is_spread_around_what_the_policy_says) {
  const retry_policy p{.not_yet = milliseconds{1'000}};
  seeded_random random(8);
  double sum = 0;
  milliseconds least{10'000}, most{0};
  constexpr int draws = 20'000;
  for (int i = 0; i < draws; ++i) {
    const auto delay = pause_for_not_yet(p, random);
    least = std::min(least, delay);
    most = std::max(most, delay);
    sum += static_cast<double>(delay.count());
  }
  EXPECT_GE(least, milliseconds{500});
  EXPECT_LE(least, milliseconds{505});
  EXPECT_LE(most, milliseconds{1'500});
  EXPECT_GE(most, milliseconds{1'495});
  EXPECT_NEAR(sum / draws, 1'000, 10);
}

TEST(the_pause_of_what_is_not_yet_there, doubles_up_to_a_bound_and_is_never_below_the_first) {
  seeded_random random(9);
  const retry_policy p{.backoff_max = milliseconds{300'000}, .not_yet = milliseconds{1'000}};
  const retry_policy capped{.backoff_max = milliseconds{3'000}, .not_yet = milliseconds{1'000}};
  const retry_policy long_first{.backoff_max = milliseconds{10}, .not_yet = milliseconds{1'000}};
  for (const auto& [policy, in_a_row, mean] : {std::tuple{p, 2U, 2'000},
                                               {p, 5U, 16'000},
                                               {p, 4'000'000'000U, 16'000},
                                               {capped, 3U, 3'000},
                                               {long_first, 9U, 1'000}})
    for (int i = 0; i < 1'000; ++i) {
      const auto delay = pause_for_not_yet(policy, random, in_a_row);
      ASSERT_GE(delay, milliseconds{mean / 2}) << in_a_row;
      ASSERT_LE(delay, milliseconds{mean / 2 * 3}) << in_a_row;
    }
}

} // namespace
} // namespace matricula::tasks
