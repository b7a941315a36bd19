#include "domain/identifiers/usage_history.hpp"

#include <gtest/gtest.h>

namespace matricula::identifiers {
namespace {

using namespace std::chrono_literals;
const timestamp noon = timestamp{milliseconds{1'700'000'000'000}};

TEST(usage_history, knows_no_rate_before_a_minute_has_passed) {
  usage_history h;
  EXPECT_FALSE(h.per_second(1h, noon, 10));
  h.note(noon, 10);
  EXPECT_FALSE(h.per_second(1h, noon + 59s, 70));
  EXPECT_DOUBLE_EQ(h.per_second(1h, noon + 60s, 70).value(), 1.0);
  EXPECT_DOUBLE_EQ(h.per_second(24h, noon + 60s, 70).value(), 1.0);
}

TEST(usage_history, tells_the_last_hour_from_the_last_day) {
  usage_history h;
  std::int64_t used = 0;
  timestamp now = noon;
  // Ten a second for 23 hours, then one a second for two.
  for (int minute = 0; minute <= 25 * 60; ++minute, now += 1min) {
    h.note(now, used);
    used += minute < 23 * 60 ? 600 : 60;
  }
  EXPECT_NEAR(h.per_second(1h, now, used).value(), 1.0, 0.01);
  EXPECT_NEAR(h.per_second(24h, now, used).value(), (22 * 10.0 + 2) / 24, 0.2);
}

TEST(usage_history, stays_small_and_survives_being_written_down) {
  usage_history h;
  for (int minute = 0; minute < 10'000; ++minute) h.note(noon + minute * 1min, 1'000'000'000'000 + minute);
  const auto bytes = h.encode();
  EXPECT_LT(bytes.size(), 2'000U);
  EXPECT_EQ(usage_history::decode(bytes).value(), h);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(usage_history::decode(bytes.substr(0, n))) << n;
  EXPECT_FALSE(usage_history::decode(bytes + "x"));
  usage_history negative;
  negative.note(noon, -5);
  EXPECT_EQ(usage_history::decode(negative.encode()).value(), negative);
}

TEST(usage_history, of_a_node_that_was_down_for_a_day_begins_anew) {
  usage_history h;
  h.note(noon, 0);
  EXPECT_FALSE(h.per_second(1h, noon + 48h, 500)) << "what is older says nothing about the last hour";
  EXPECT_DOUBLE_EQ(h.per_second(24h, noon + 24h, 86'400).value(), 1.0);
}

TEST(usage_history, takes_more_coming_back_than_going_out) {
  usage_history h;
  h.note(noon, 600);
  EXPECT_LT(h.per_second(1h, noon + 60s, 0).value(), 0);
}

TEST(forecast, says_how_long_the_rest_lasts) {
  const std::uint32_t thresholds[] = {80, 95};
  const capacity_estimate ten_million{10e6, 0, true};
  const auto at = [&](std::uint64_t used, std::optional<double> rate) {
    return forecast(ten_million, used, rate, noon, thresholds);
  };
  const auto half = at(5'000'000, 5e6 / 86'400 / 10);
  EXPECT_DOUBLE_EQ(half.remaining, 5e6);
  EXPECT_DOUBLE_EQ(half.used_share, 0.5);
  EXPECT_NEAR(half.days_to_exhaustion.value(), 10, 1e-6);
  EXPECT_NEAR(std::chrono::duration<double>(half.exhausted_at.value() - noon - 240h).count(), 0, 1);
  EXPECT_FALSE(half.warning);
  EXPECT_EQ(at(7'999'999, {}).warning, std::nullopt);
  EXPECT_EQ(at(8'000'000, {}).warning, 80U);
  EXPECT_EQ(at(9'499'999, {}).warning, 80U);
  EXPECT_EQ(at(9'500'000, {}).warning, 95U);
  for (const std::optional<double> rate : {std::optional<double>{}, std::optional(0.0), std::optional(-1.0)}) {
    EXPECT_FALSE(at(1, rate).days_to_exhaustion);
    EXPECT_FALSE(at(1, rate).exhausted_at);
  }
  const auto over = at(10'000'000, 1.0);
  EXPECT_EQ(over.days_to_exhaustion, 0);
  EXPECT_EQ(over.exhausted_at, noon);
  // More than the estimate said there are.
  EXPECT_EQ(at(11'000'000, 1.0).used_share, 1.0);
  EXPECT_EQ(at(11'000'000, 1.0).remaining, 0);
  const auto never = at(1, 1e-9);
  EXPECT_GT(never.days_to_exhaustion.value(), 1e9);
  EXPECT_FALSE(never.exhausted_at) << "beyond what a date can say";
}

} // namespace
} // namespace matricula::identifiers
