#include "connectors/mail_message.hpp"

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <vector>

namespace matricula::connectors {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

mail a_mail() {
  mail m;
  m.from = "matricula@example.org";
  m.to = {"a@example.org", "b@example.org"};
  m.subject = "[critical] disk_full";
  m.key = "alert-7-first";
  m.text = "Free some.\n";
  m.date = timestamp{milliseconds{1'767'225'599'000}};
  return m;
}

TEST(mails, have_headers_and_a_body) {
  EXPECT_EQ(compose(a_mail()), "Date: Wed, 31 Dec 2025 23:59:59 +0000\r\n"
                               "From: matricula@example.org\r\n"
                               "To: a@example.org,\r\n b@example.org\r\n"
                               "Subject: [critical] disk_full\r\n"
                               "Message-ID: <alert-7-first@example.org>\r\n"
                               "Auto-Submitted: auto-generated\r\n"
                               "MIME-Version: 1.0\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Content-Transfer-Encoding: base64\r\n"
                               "\r\n"
                               "RnJlZSBzb21lLg0K\r\n");
}

TEST(mails, name_the_one_that_they_follow) {
  auto m = a_mail();
  m.key = "alert-7-repeat-2";
  m.reference = "alert-7-first";
  EXPECT_THAT(compose(m), HasSubstr("Message-ID: <alert-7-repeat-2@example.org>\r\n"
                                    "In-Reply-To: <alert-7-first@example.org>\r\n"
                                    "References: <alert-7-first@example.org>\r\n"));
}

TEST(mails, hold_no_header_that_came_from_outside) {
  auto m = a_mail();
  m.subject = "queue_age\r\nBcc: x@example.org\r\n\r\nbody";
  m.key = "alert-7\r\nBcc: y@example.org";
  m.reference = "r\nBcc: z";
  m.text = "\r\n.\r\nMAIL FROM:<x@example.org>\r\n";
  const auto bytes = compose(m);
  EXPECT_THAT(bytes, Not(HasSubstr("\nBcc")));
  EXPECT_THAT(bytes, Not(HasSubstr("\n.")));
  EXPECT_THAT(bytes, Not(HasSubstr("MAIL FROM")));
  EXPECT_EQ(bytes.find("\r\n\r\n"), bytes.rfind("\r\n\r\n")) << "one end of the headers";
  for (std::size_t at = 0; (at = bytes.find('\n', at)) != bytes.npos; ++at)
    ASSERT_TRUE(at > 0 && bytes[at - 1] == '\r') << "a bare line feed at " << at;
}

TEST(mails, have_short_lines_whatever_they_hold) {
  auto m = a_mail();
  m.subject = std::string(100'000, 's') + "\xff\xfe";
  m.text = std::string(1'000'000, 't') + "\xff";
  m.to.assign(32, std::string(60, 'a') + "@" + std::string(180, 'd') + ".example.org");
  const auto bytes = compose(m);
  EXPECT_LT(bytes.size(), 200'000U);
  std::size_t from = 0;
  for (std::size_t end = 0; (end = bytes.find("\r\n", from)) != bytes.npos; from = end + 2)
    ASSERT_LE(end - from, 300U) << bytes.substr(from, 40);
  EXPECT_EQ(from, bytes.size());
}

struct subject_case {
  const char* what;
  std::string text;
  std::string value;
};
void PrintTo(const subject_case& c, std::ostream* out) { *out << c.what; }
class header_text_of : public testing::TestWithParam<subject_case> {};

TEST_P(header_text_of, is_printable_ascii) { EXPECT_EQ(header_text(GetParam().text), GetParam().value); }

const std::vector<subject_case> subjects{
    {"plain", "disk_full", "disk_full"},
    {"empty", "", ""},
    {"umlaut", "Störung", "=?UTF-8?B?U3TDtnJ1bmc=?="},
    {"geez_in_two_words", "ኢትዮጵያ ኢትዮጵያ ኢትዮጵያ",
     "=?UTF-8?B?4Yqi4Ym14Yuu4Yy14YurIOGKouGJteGLruGMteGLqyDhiqLhibXhi67hjLU=?=\r\n =?UTF-8?B?4Yur?="},
    {"what_looks_encoded", "=?UTF-8?B?eA==?=", "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?="},
    {"line_end", "a\nb", "a b"},
    {"blank_at_the_end", "a ", "=?UTF-8?B?YSA=?="},
    {"long", std::string(61, 'x'),
     "=?UTF-8?B?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4?=\r\n "
     "=?UTF-8?B?eHh4eHh4eHh4eHh4eHh4eA==?="},
};
INSTANTIATE_TEST_SUITE_P(table, header_text_of, testing::ValuesIn(subjects),
                         [](const auto& one) { return one.param.what; });

TEST(mail_addresses, are_taken_when_they_are_plain) {
  for (const auto* good : {"a@b", "operators@example.org", "first.last+tag@mail.example.org", "x_y-z@127.0.0.1"})
    EXPECT_TRUE(is_mail_address(good)) << good;
  for (const std::string bad :
       {"",      "a",       "@",       "a@",      "@b",   "a b@c",  "a@b c", "a@b\r\nRCPT TO:<x@y>",
        "<a@b>", "A <a@b>", "a@b,c@d", "\"a\"@b", "a@b>", "a@@b",   "a@b@c", "a@.b",
        "a@b.",  "a@-b",    "a@b..c",  "ä@b",     "a@ä",  "a@b\x7f"})
    EXPECT_FALSE(is_mail_address(bad)) << bad;
  EXPECT_FALSE(is_mail_address(std::string(250, 'a') + "@b.cd"));
  EXPECT_FALSE(is_mail_address(std::string("a\0@b", 4)));
}

} // namespace
} // namespace matricula::connectors
