#include "foundation/clock.hpp"

#include <gtest/gtest.h>

namespace matricula {
namespace {

using std::chrono::hours;

struct hand_clock final : clock {
  timestamp now_wall{milliseconds{1'700'000'000'000}};
  std::chrono::nanoseconds now_monotonic{0};
  [[nodiscard]] timestamp wall() const override { return now_wall; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return now_monotonic; }
  void pass(milliseconds d) { now_wall += d, now_monotonic += d; }
};

TEST(decision_clock, never_goes_back_when_the_wall_clock_does) {
  hand_clock source;
  decision_clock clock(source, {});
  const auto before = clock.now();
  source.now_wall -= hours(3);
  EXPECT_EQ(clock.now(), before);
  source.pass(hours(4));
  EXPECT_EQ(clock.now(), before + hours(1));
}

TEST(decision_clock, never_starts_before_the_last_durable_time) {
  hand_clock source;
  const auto durable = source.now_wall + hours(2);
  decision_clock clock(source, durable);
  EXPECT_EQ(clock.now(), durable);
  EXPECT_FALSE(clock.suspect());
}

TEST(decision_clock, a_jump_forward_of_more_than_an_hour_is_suspect_until_trusted) {
  hand_clock source;
  decision_clock clock(source, {});
  source.pass(hours(100));
  EXPECT_FALSE(clock.suspect()) << "time that really passed is no jump";
  source.now_wall += hours(1);
  EXPECT_FALSE(clock.suspect()) << "exactly an hour is allowed";
  source.now_wall += hours(1) + milliseconds(1);
  EXPECT_TRUE(clock.suspect());
  clock.trust();
  EXPECT_FALSE(clock.suspect());
  EXPECT_EQ(clock.now(), source.now_wall);
}

TEST(decision_clock, decides_by_the_time_that_has_passed_while_the_wall_clock_is_not_believed) {
  hand_clock source;
  decision_clock clock(source, {});
  const auto before = clock.now();
  source.now_wall += std::chrono::days(365);
  EXPECT_EQ(clock.now(), before) << "a wrong time never becomes durable";
  source.pass(hours(2));
  EXPECT_EQ(clock.now(), before + hours(2));
  EXPECT_TRUE(clock.suspect());
}

TEST(decision_clock, believes_the_wall_clock_again_when_the_jump_was_put_right) {
  hand_clock source;
  decision_clock clock(source, {});
  const auto before = clock.now();
  source.now_wall += std::chrono::days(365);
  EXPECT_TRUE(clock.suspect());
  source.now_wall -= std::chrono::days(365);
  source.pass(hours(2));
  EXPECT_FALSE(clock.suspect());
  EXPECT_EQ(clock.now(), before + hours(2)) << "and nothing of the jump is left";
}

TEST(decision_clock, stays_suspect_over_any_number_of_restarts) {
  hand_clock source;
  auto durable = source.now_wall;
  source.now_wall += std::chrono::days(3'650);
  for (int start = 0; start < 3; ++start) {
    decision_clock clock(source, durable);
    EXPECT_TRUE(clock.suspect());
    source.pass(hours(1));
    durable = clock.now(); // something was written
  }
  EXPECT_EQ(durable, timestamp{milliseconds{1'700'000'000'000}} + hours(3));
  decision_clock clock(source, durable);
  clock.trust();
  EXPECT_FALSE(decision_clock(source, clock.now()).suspect());
}

TEST(decision_clock, a_clock_that_starts_far_behind_and_is_put_right_is_believed) {
  hand_clock source;
  const auto durable = source.now_wall;
  source.now_wall = timestamp{hours(1)}; // 1970, as hardware without a battery has it
  decision_clock clock(source, durable);
  EXPECT_EQ(clock.now(), durable);
  EXPECT_FALSE(clock.suspect());
  source.pass(std::chrono::minutes(1));
  source.now_wall = durable + hours(30);
  EXPECT_FALSE(clock.suspect());
  EXPECT_EQ(clock.now(), durable + hours(30));
}

TEST(decision_clock, a_restart_more_than_a_week_after_the_last_write_is_suspect) {
  hand_clock source;
  EXPECT_FALSE(decision_clock(source, source.now_wall - std::chrono::days(7)).suspect());
  EXPECT_TRUE(decision_clock(source, source.now_wall - std::chrono::days(7) - milliseconds(1)).suspect());
  EXPECT_FALSE(decision_clock(source, {}).suspect()) << "a new store has no last write";
}

TEST(rfc3339, reads_back_what_it_writes) {
  for (const std::int64_t ms : {0LL, 1LL, 1'700'000'000'123LL, 253'402'300'799'999LL}) {
    const timestamp t{milliseconds{ms}};
    EXPECT_EQ(parse_rfc3339(to_rfc3339(t)).value(), t) << to_rfc3339(t);
  }
}

TEST(rfc3339, writes_every_part_with_its_zeros) {
  EXPECT_EQ(to_rfc3339(timestamp{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(timestamp{milliseconds{-1}}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(timestamp{milliseconds{951'868'799'008}}), "2000-02-29T23:59:59.008Z");
  EXPECT_EQ(to_rfc3339(timestamp{milliseconds{-62'167'219'200'000}}), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(timestamp{milliseconds{253'402'300'799'999}}), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(timestamp{milliseconds{253'402'300'800'000}}), "10000-01-01") << "beyond the format";
}

TEST(rfc3339, reads_fractions_and_offsets) {
  const auto noon = parse_rfc3339("2030-01-02T12:00:00Z").value();
  EXPECT_EQ(parse_rfc3339("2030-01-02T12:00:00.000Z").value(), noon);
  EXPECT_EQ(parse_rfc3339("2030-01-02T17:45:00+05:45").value(), noon);
  EXPECT_EQ(parse_rfc3339("2030-01-02T09:00:00-03:00").value(), noon);
  EXPECT_EQ(parse_rfc3339("2030-01-02T12:00:00.123456789Z").value(), noon + milliseconds(123));
}

TEST(rfc3339, refuses_everything_else) {
  for (const auto* text : {"",
                           "2030",
                           "2030-02-30T00:00:00Z",
                           "2030-13-01T00:00:00Z",
                           "2030-00-01T00:00:00Z",
                           "2030-01-32T00:00:00Z",
                           "2030-01-01T24:00:00Z",
                           "2030-01-01T00:60:00Z",
                           "2030-01-01T00:00:60Z",
                           "2030-01-01 00:00:00Z",
                           "2030-01-01T00:00:00",
                           "2030-01-01T00:00:00.Z",
                           "2030-01-01T00:00:00.1234567890Z",
                           " 2030-01-01T00:00:00Z",
                           "2030-01-01T00:00:00Z ",
                           "2030-1-1T00:00:00Z",
                           "1969-12-31T23:59:59Z",
                           "1970-01-01T00:00:00+01:00",
                           "9999-12-31T23:59:59-00:01",
                           "2030-01-01T00:00:00+0100",
                           "2030-01-01T00:00:00+24:00",
                           "٢٠٣٠-01-01T00:00:00Z"})
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
}

} // namespace
} // namespace matricula
