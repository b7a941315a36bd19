// Settings of alerts and their sinks: how they are said, and refused with the exact words.
#include "config/effective.hpp"
#include "config/reload.hpp"
#include "config/schema.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace matricula::config {
namespace {

struct bad_alerts {
  const char* what;
  std::string file;
  std::string says;
};
void PrintTo(const bad_alerts& input, std::ostream* out) { *out << input.what; }
class alert_settings_refused : public testing::TestWithParam<bad_alerts> {};

TEST_P(alert_settings_refused, with_place_key_found_and_allowed) {
  EXPECT_EQ(all_problems(load_text(GetParam().file)), GetParam().says);
}

const std::string mail = "[alerts.sinks.mail]\nkind = \"smtp\"\nserver = \"mail.example.org:587\"\n"
                         "from = \"m@example.org\"\nto = [\"o@example.org\"]\n";

const std::vector<bad_alerts> cases{
    {"no_beat", "[alerts]\nbeat_seconds = 0\n",
     "test.toml:2:16: alerts.beat_seconds: found the integer 0; allowed: an integer from 1 to 3600 (seconds)"},
    {"longest_below_first", "[alerts]\nrepeat_first_minutes = 20\nrepeat_max_minutes = 10\n",
     "test.toml:3:22: alerts.repeat_max_minutes: found the integer 10; allowed: not below repeat_first_minutes = 20"},
    {"unknown_kind", "[alerts.sinks.mail]\nkind = \"pigeon\"\n",
     "test.toml:2:8: alerts.sinks.mail.kind: found the text \"pigeon\"; allowed: one of \"log\", \"smtp\", "
     "\"webhook\""},
    {"no_webhook", "[alerts.sinks.pager]\nkind = \"webhook\"\n",
     "default: alerts.sinks.pager.webhook: found nothing with kind = \"webhook\"; allowed: the name of one of "
     "[webhooks.NAME]"},
    {"unknown_webhook", "[alerts.sinks.pager]\nkind = \"webhook\"\nwebhook = \"ops\"\n",
     "test.toml:3:11: alerts.sinks.pager.webhook: found the text \"ops\" with kind = \"webhook\"; allowed: the name of "
     "one of [webhooks.NAME]"},
    {"password_in_the_file", mail + "user = \"u\"\npassword = \"secret\"\n",
     "test.toml:7:12: alerts.sinks.mail.password: found a value in a file; allowed: only the environment variable "
     "MATRICULA_ALERTS__SINKS__MAIL__PASSWORD"},
    {"user_without_password", mail + "user = \"u\"\n",
     "test.toml:6:8: alerts.sinks.mail.user: found a user without a password; allowed: both or neither, the password "
     "in password_file or in the environment"},
    {"password_among_the_data", "[storage]\ndata_dir = \"/d\"\n" + mail + "user = \"u\"\npassword_file = \"/d/p\"\n",
     "test.toml:9:17: alerts.sinks.mail.password_file: found \"/d/p\" inside storage.data_dir = \"/d\"; allowed: a "
     "file "
     "elsewhere, so that a copy of the data is no copy of the secret"},
    {"plain_text_over_the_network", mail + "security = \"none\"\n",
     "test.toml:6:12: alerts.sinks.mail.security: found \"none\" with server = \"mail.example.org:587\"; allowed: "
     "\"none\" only on 127.0.0.1, [::1] or localhost, else \"starttls\" or \"tls\""},
    {"no_port", "[alerts.sinks.mail]\nkind = \"smtp\"\nserver = \"mail.example.org\"\nfrom = \"m@x\"\nto = [\"o@x\"]\n",
     "test.toml:3:10: alerts.sinks.mail.server: found the text \"mail.example.org\"; allowed: \"HOST:PORT\", with an "
     "IPv6 address in brackets and a port from 1 to 65535"},
    {"name_with_a_capital", "[alerts.sinks.Mail]\nkind = \"log\"\n",
     "test.toml:1:15: alerts.sinks.Mail: found the name \"Mail\"; allowed: a small letter, then 1 to 63 small letters, "
     "digits or underscores"},
    {"mistyped_key", "[alerts.sinks.log]\nkinds = \"log\"\n",
     "test.toml:2:9: alerts.sinks.log.kinds: unknown key; did you mean alerts.sinks.log.kind?"},
};
INSTANTIATE_TEST_SUITE_P(table, alert_settings_refused, testing::ValuesIn(cases),
                         [](const auto& one) { return one.param.what; });

TEST(alert_settings, say_what_a_mail_lacks) {
  const auto problems = all_problems(load_text("[alerts.sinks.mail]\nkind = \"smtp\"\nserver = \"localhost:25\"\n"));
  EXPECT_THAT(problems, testing::HasSubstr("alerts.sinks.mail.from: found nothing with kind = \"smtp\""));
  EXPECT_THAT(problems, testing::HasSubstr("alerts.sinks.mail.to: found nothing with kind = \"smtp\""));
  EXPECT_EQ(all_problems(load_text("[alerts.sinks.mail]\nkind = \"smtp\"\nenabled = false\n")), "");
}

TEST(alert_settings, have_one_sink_that_is_shipped) {
  const auto s = defaults().alerts;
  EXPECT_EQ(s.beat_seconds, 10U);
  EXPECT_EQ(s.repeat_first_minutes, 10U);
  EXPECT_EQ(s.repeat_max_minutes, 1440U);
  ASSERT_EQ(s.sinks.size(), 1U);
  EXPECT_TRUE(s.sinks.at("log").enabled);
  EXPECT_EQ(s.sinks.at("log").kind, sink_kind::log);
}

TEST(alert_settings, take_a_mail_whose_password_is_in_the_environment) {
  const auto now = accepted(load_text(mail + "user = \"u\"\n", {{"MATRICULA_ALERTS__SINKS__MAIL__PASSWORD", "secret"}},
                                      {"alerts.sinks.log.enabled=false"}));
  const auto& sink = now.values.alerts.sinks.at("mail");
  EXPECT_EQ(sink.kind, sink_kind::smtp);
  EXPECT_EQ(sink.security, mail_security::starttls);
  EXPECT_EQ(sink.password, "secret");
  EXPECT_EQ(sink.timeout_ms, 30'000U);
  EXPECT_FALSE(now.values.alerts.sinks.at("log").enabled);
  for (const auto& one : diff_reload(defaults(), now.values).restart)
    EXPECT_THAT(one.after, testing::Not(testing::HasSubstr("secret"))) << one.key;
}

TEST(alert_settings, are_no_more_sinks_than_the_limit) {
  std::string file;
  for (std::size_t i = 0; i < alert_sinks_max; ++i) file += "[alerts.sinks.s" + std::to_string(i) + "]\n";
  EXPECT_THAT(all_problems(load_text(file)),
              testing::HasSubstr("found more than 16 sinks; allowed: at most 16, the shipped ones included"));
}

} // namespace
} // namespace matricula::config
