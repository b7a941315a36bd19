#include "domain/alerts/alert.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace matricula::alerts {
namespace {

using namespace std::chrono_literals;

alert an_alert() {
  alert a;
  a.id = 7;
  a.rule = "queue_age";
  a.subject = "id_generation";
  a.how = severity::critical;
  a.text = "Nobody works.";
  a.since = timestamp{1'700'000'000'000ms};
  a.told_at = a.since + 10min;
  a.next_due = a.told_at + 20min;
  a.told = 2;
  a.returns = 3;
  a.debts = {{"mail", true, false}, {"log", false, true}};
  return a;
}

TEST(alert_rows, are_read_as_they_were_written) {
  auto a = an_alert();
  EXPECT_EQ(decode_alert(encode(a)).value(), a);
  a.acknowledged_at = a.since + 1min;
  a.acknowledged_by = "default/operator";
  EXPECT_EQ(decode_alert(encode(a)).value(), a);
  a.ended_at = a.since + 1h;
  a.unheard = true;
  a.debts.clear();
  EXPECT_EQ(decode_alert(encode(a)).value(), a);
}

TEST(alert_rows, that_are_cut_or_longer_are_refused) {
  const auto whole = encode(an_alert());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const auto cut = decode_alert(std::string_view(whole).substr(0, n));
    ASSERT_FALSE(cut) << n << " of " << whole.size() << " bytes";
    EXPECT_EQ(cut.error().code, errc::corrupt);
  }
  EXPECT_FALSE(decode_alert(whole + "x"));
}

TEST(alert_rows, of_another_version_severity_or_time_are_refused) {
  auto other = encode(an_alert());
  other[0] = 2;
  EXPECT_FALSE(decode_alert(other));
  other = encode(an_alert());
  other[1] = 8;
  EXPECT_FALSE(decode_alert(other)) << "an unknown bit";
  other = encode(an_alert());
  other[2] = 3;
  EXPECT_FALSE(decode_alert(other)) << "an unknown severity";
  auto late = an_alert();
  late.next_due = timestamp{253'402'300'800'000ms};
  EXPECT_FALSE(decode_alert(encode(late))) << "the year 10000";
  auto none = an_alert();
  none.id = 0;
  EXPECT_FALSE(decode_alert(encode(none)));
}

struct dirty_text {
  const char* what;
  std::string text;
  std::string clean;
};
void PrintTo(const dirty_text& t, std::ostream* out) { *out << t.what; }
class one_line_of : public testing::TestWithParam<dirty_text> {};

TEST_P(one_line_of, is_one_line_of_utf8) { EXPECT_EQ(one_line(GetParam().text, 40), GetParam().clean); }

const std::vector<dirty_text> texts{
    {"plain", "id_generation", "id_generation"},
    {"empty", "", ""},
    {"line_ends", "a\r\nBcc: x@y.z\n", "a  Bcc: x@y.z "},
    {"zero_and_delete", std::string("a\0b\x7f", 4), "a b "},
    {"controls_of_two_bytes",
     "a\xC2\x85"
     "b\xC2\x9F"
     "c",
     "a b c"},
    {"separators_of_lines",
     "a\xE2\x80\xA8"
     "b\xE2\x80\xA9"
     "c",
     "a b c"},
    {"umlaut_and_geez", "ä ኢትዮጵያ", "ä ኢትዮጵያ"},
    {"four_bytes", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    {"lone_continuation",
     "a\x80"
     "b",
     "a\xEF\xBF\xBD"
     "b"},
    {"overlong", "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"overlong_of_three", "\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"surrogate", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"above_all_characters", "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"cut_in_the_middle", "a\xE2\x82", "a\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"too_long", std::string(50, 'x'), std::string(40, 'x')},
    {"cut_before_a_character", std::string(39, 'x') + "ä", std::string(39, 'x')},
};
INSTANTIATE_TEST_SUITE_P(table, one_line_of, testing::ValuesIn(texts), [](const auto& one) { return one.param.what; });

} // namespace
} // namespace matricula::alerts
