#include "runtime/cron.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using matricula::parse_rfc3339;
using matricula::timestamp;
using matricula::to_rfc3339;
using matricula::runtime::cron_expression;

timestamp at(const std::string& text) {
  const auto t = parse_rfc3339(text);
  EXPECT_TRUE(t) << text;
  return t.value_or(timestamp{});
}

/// Without fraction: the expected times are whole seconds.
std::vector<std::string> runs(const std::string& expression, const std::string& zone, const std::string& after,
                              std::size_t count) {
  const auto cron = cron_expression::parse(expression, zone);
  EXPECT_TRUE(cron) << (cron ? "" : cron.error().message);
  std::vector<std::string> out;
  if (!cron) return out;
  auto t = at(after);
  while (out.size() < count) {
    const auto next = cron->next_after(t);
    if (!next) {
      out.emplace_back("never");
      break;
    }
    EXPECT_GT(*next, t);
    auto text = to_rfc3339(*next);
    EXPECT_EQ(text.substr(19), ".000Z");
    out.push_back(text.substr(0, 19) + "Z");
    t = *next;
  }
  return out;
}

struct row {
  std::string what;
  std::string expression;
  std::string zone;
  std::string after;
  std::vector<std::string> expected;
};
void PrintTo(const row& r, std::ostream* out) { *out << r.expression << " in " << r.zone; }

class cron_table : public ::testing::TestWithParam<row> {};

TEST_P(cron_table, runs_at) {
  const auto& r = GetParam();
  EXPECT_EQ(runs(r.expression, r.zone, r.after, r.expected.size()), r.expected);
}

INSTANTIATE_TEST_SUITE_P(
    fields, cron_table,
    ::testing::Values(
        row{"each_minute",
            "* * * * *",
            "UTC",
            "2026-01-01T00:00:59.999Z",
            {"2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"}},
        row{"strictly_after", "0 0 * * *", "UTC", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
        row{"a_millisecond_before", "0 0 * * *", "UTC", "2025-12-31T23:59:59.999Z", {"2026-01-01T00:00:00Z"}},
        row{"seconds",
            "*/20 * * * * *",
            "UTC",
            "2026-01-01T00:00:05Z",
            {"2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"}},
        row{"lists_and_ranges",
            "5,10-12 8 * * *",
            "UTC",
            "2026-01-01T08:05:00Z",
            {"2026-01-01T08:10:00Z", "2026-01-01T08:11:00Z", "2026-01-01T08:12:00Z", "2026-01-02T08:05:00Z"}},
        row{"range_with_step",
            "0 8-18/5 * * *",
            "UTC",
            "2026-01-01T08:00:00Z",
            {"2026-01-01T13:00:00Z", "2026-01-01T18:00:00Z", "2026-01-02T08:00:00Z"}},
        row{"names",
            "0 0 * Feb MON",
            "UTC",
            "2026-01-01T00:00:00Z",
            {"2026-02-02T00:00:00Z", "2026-02-09T00:00:00Z", "2026-02-16T00:00:00Z", "2026-02-23T00:00:00Z",
             "2027-02-01T00:00:00Z"}},
        row{"sunday_is_7",
            "0 0 * * 7",
            "UTC",
            "2026-11-16T00:00:00Z",
            {"2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"}},
        row{"friday_to_sunday",
            "0 0 * * fri-sun",
            "UTC",
            "2026-11-16T00:00:00Z",
            {"2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z"}},
        row{"either_day_field",
            "0 0 13 * 5",
            "UTC",
            "2026-11-07T00:00:00Z",
            {"2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z", "2026-12-04T00:00:00Z",
             "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z"}},
        row{"both_when_one_begins_with_a_star",
            "0 0 */2 * 1",
            "UTC",
            "2026-11-01T00:00:00Z",
            {"2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z", "2026-12-07T00:00:00Z"}},
        row{"last_days", "0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", {"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
        row{"leap_day", "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
        row{"leap_day_over_2100", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", {"2104-02-29T00:00:00Z"}},
        row{"monthly", "@monthly", "UTC", "2026-11-22T00:00:00Z", {"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"}},
        row{"weekly", "@weekly", "UTC", "2026-11-22T00:00:00Z", {"2026-11-29T00:00:00Z"}}),
    [](const auto& one) { return one.param.what; });

INSTANTIATE_TEST_SUITE_P(
    zones, cron_table,
    ::testing::Values(
        row{"kathmandu_is_five_hours_and_three_quarters_ahead",
            "0 0 * * *",
            "Asia/Kathmandu",
            "2026-03-28T12:00:00Z",
            {"2026-03-28T18:15:00Z", "2026-03-29T18:15:00Z"}},
        row{"kathmandu_weekday_is_the_local_one",
            "30 4 * * mon",
            "Asia/Kathmandu",
            "2026-11-20T00:00:00Z",
            {"2026-11-22T22:45:00Z"}},
        row{"berlin_a_time_in_the_gap_runs_right_after_it",
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-27T12:00:00Z",
            {"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
        row{"berlin_several_times_in_the_gap_run_once",
            "0,30 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            {"2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"}},
        row{"berlin_three_o_clock_is_right_after_the_gap",
            "0 3 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            {"2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"}},
        row{"berlin_every_quarter_skips_the_gap",
            "*/15 2 * * *",
            "Europe/Berlin",
            "2026-03-28T01:40:00Z",
            {"2026-03-28T01:45:00Z", "2026-03-30T00:00:00Z"}},
        row{"berlin_a_repeated_time_runs_in_the_first_pass",
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            {"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
        row{"berlin_between_the_passes",
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:45:00Z",
            {"2026-10-26T01:30:00Z"}},
        row{"berlin_in_the_second_pass",
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T01:29:00Z",
            {"2026-10-26T01:30:00Z"}},
        row{"berlin_every_half_hour_runs_in_both_passes",
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            {"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
        row{"berlin_right_after_the_overlap",
            "0 3 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            {"2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"}},
        // Morocco keeps +01 all the year but for Ramadan: back on 2026-02-15 at 02:00Z, forth on 2026-03-22 at 02:00Z.
        row{"casablanca_before_ramadan",
            "0 12 * * *",
            "Africa/Casablanca",
            "2026-02-13T12:00:00Z",
            {"2026-02-14T11:00:00Z", "2026-02-15T12:00:00Z"}},
        row{"casablanca_repeated_time",
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-02-14T12:00:00Z",
            {"2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"}},
        row{"casablanca_gap",
            "30 2 * * *",
            "Africa/Casablanca",
            "2026-03-21T12:00:00Z",
            {"2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"}},
        row{"casablanca_hourly_is_every_hour",
            "0 * * * *",
            "Africa/Casablanca",
            "2026-02-15T00:30:00Z",
            {"2026-02-15T01:00:00Z", "2026-02-15T02:00:00Z", "2026-02-15T03:00:00Z"}}),
    [](const auto& one) { return one.param.what; });

struct bad_row {
  std::string expression;
  std::string names; ///< what the message must name
};
void PrintTo(const bad_row& r, std::ostream* out) { *out << r.expression; }
class cron_refuses : public ::testing::TestWithParam<bad_row> {};

TEST_P(cron_refuses, and_names_the_field) {
  const auto cron = cron_expression::parse(GetParam().expression);
  ASSERT_FALSE(cron);
  EXPECT_EQ(cron.error().code, matricula::errc::invalid_argument);
  EXPECT_NE(cron.error().message.find(GetParam().names), std::string::npos) << cron.error().message;
}

INSTANTIATE_TEST_SUITE_P(table, cron_refuses,
                         ::testing::Values(bad_row{"", "0 fields"}, bad_row{"* * * *", "4 fields"},
                                           bad_row{"* * * * * * *", "7 fields"}, bad_row{"60 * * * *", "'minute'"},
                                           bad_row{"* 24 * * *", "'hour'"}, bad_row{"* * 0 * *", "'day of month'"},
                                           bad_row{"* * 32 * *", "'day of month'"}, bad_row{"* * * 13 *", "'month'"},
                                           bad_row{"* * * * 8", "'day of week'"}, bad_row{"60 * * * * *", "'second'"},
                                           bad_row{"5-1 * * * *", "backwards"}, bad_row{"*/0 * * * *", "step"},
                                           bad_row{"*/61 * * * *", "step"}, bad_row{"5/2 * * * *", "step needs"},
                                           bad_row{"-5 * * * *", "'minute'"}, bad_row{"1,,2 * * * *", "'minute'"},
                                           bad_row{"1, * * * *", "'minute'"}, bad_row{"* * * mon *", "'month'"},
                                           bad_row{"*/ * * * *", "step"}, bad_row{"+5 * * * *", "'minute'"},
                                           bad_row{"99999999999 * * * *", "'minute'"},
                                           bad_row{"0 0 31 2,4 *", "never occurs"}, bad_row{"@reboot", "fields"},
                                           bad_row{std::string(300, '1'), "longer"}));

TEST(cron, refuses_a_time_zone_that_does_not_exist) {
  const auto cron = cron_expression::parse("* * * * *", "Europe/Atlantis");
  ASSERT_FALSE(cron);
  EXPECT_NE(cron.error().message.find("Europe/Atlantis"), std::string::npos);
}

TEST(cron, has_no_run_between_a_time_and_the_next_one) {
  const auto cron = cron_expression::parse("17 2,14 * * *", "Europe/Berlin");
  ASSERT_TRUE(cron);
  for (auto t = at("2026-03-28T00:00:00Z"); t < at("2026-03-31T00:00:00Z"); t += std::chrono::minutes(7)) {
    const auto next = cron->next_after(t);
    ASSERT_TRUE(next);
    EXPECT_EQ(cron->next_after(t + (*next - t) / 2), next);
    EXPECT_EQ(cron->next_after(*next - std::chrono::milliseconds(1)), next);
  }
}

} // namespace
