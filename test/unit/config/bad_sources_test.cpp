// Keys, quotas and a configuration server that are refused, with the exact words.
#include "test/unit/config/loading.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace matricula::config {
namespace {

struct bad_source {
  const char* what;
  std::string file;
  std::string says;
};
void PrintTo(const bad_source& input, std::ostream* out) { *out << input.what; }

class bad_sources : public testing::TestWithParam<bad_source> {};

TEST_P(bad_sources, are_refused_with_what_is_allowed) {
  EXPECT_EQ(all_problems(load_text(GetParam().file)), GetParam().says);
}

const std::vector<bad_source> cases{
    {"previous_key_without_a_kind", "[identifiers]\nprevious_keys = [\"/etc/key\"]\n",
     "test.toml:2:17: identifiers.previous_keys: found a list of 1 text, the first \"/etc/key\"; allowed: a list of up "
     "to 32 texts "
     "\"file:PATH\", \"command:COMMAND LINE\" or \"env:NAME\""},
    {"previous_key_in_the_data",
     "[identifiers]\nprevious_keys = [\"env:OK\", \"file:/data/old\"]\n[storage]\ndata_dir = \"/data\"\n",
     "test.toml:2:17: identifiers.previous_keys: found \"/data/old\" inside storage.data_dir = \"/data\"; allowed: a "
     "file elsewhere, so that a copy of the data is no copy of the key"},
    {"quota_below_nothing", "[quotas]\nmisses_per_min = -1\n",
     "test.toml:2:18: quotas.misses_per_min: found the integer -1; allowed: an integer from 0 to 1000000000 (misses "
     "per "
     "minute)"},
    {"config_server_in_the_clear", "[config_server]\nurl = \"http://config.example/\"\n",
     "test.toml:2:7: config_server.url: found the text \"http://config.example/\"; " +
         std::string("allowed: https://HOST[:PORT]/PATH without user and fragment, or http:// with 127.0.0.1, [::1] or "
                     "localhost")},
    {"config_server_with_an_odd_label", "[config_server]\nurl = \"https://config.example/\"\nlabel = \"a/b\"\n",
     "test.toml:3:9: config_server.label: found the text \"a/b\"; allowed: letters, digits, '.', '_', '-' and ','"},
    {"config_server_with_a_user_only", "[config_server]\nurl = \"https://config.example/\"\nuser = \"u\"\n",
     "test.toml:3:8: config_server.user: found a user without a password; allowed: both or neither, the password in "
     "the "
     "environment variable MATRICULA_CONFIG_SERVER__PASSWORD"},
    {"config_server_password_in_a_file", "[config_server]\npassword = \"x\"\n",
     "test.toml:2:12: config_server.password: found a value in a file; allowed: only the environment variable "
     "MATRICULA_CONFIG_SERVER__PASSWORD"},
};
INSTANTIATE_TEST_SUITE_P(settings, bad_sources, testing::ValuesIn(cases),
                         [](const auto& one) { return std::string(one.param.what); });

TEST(key_sources, are_a_file_a_command_or_a_variable) {
  const auto parsed = [](std::string_view text) {
    const auto source = parse_key_source(text);
    return source ? std::to_string(static_cast<int>(source->from)) + " " + source->what : std::string("refused");
  };
  EXPECT_EQ(parsed("file:/etc/a:b"), "0 /etc/a:b");
  EXPECT_EQ(parsed("command:vault read -field=key secret/x"), "1 vault read -field=key secret/x");
  EXPECT_EQ(parsed("env:OLD_KEY_2"), "2 OLD_KEY_2");
  for (const auto* bad : {"", ":", "file:", "env:", "env:A-B", "env:A B", "FILE:x", "/etc/key", "file:a\nb", "x:y"})
    EXPECT_EQ(parsed(bad), "refused") << bad;
}

} // namespace
} // namespace matricula::config
