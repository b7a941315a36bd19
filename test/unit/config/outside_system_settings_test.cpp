// Settings of generators and webhooks: how they are said, and refused with the exact words.
#include "config/reload.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace matricula::config {
namespace {

const std::string mosip = "[generators.mosip]\nkind = \"mosip\"\nurl = \"https://mosip.example/v1/idgenerator/uin\"\n";
const std::string openg2p = "[generators.g2p]\nkind = \"openg2p\"\nurl = \"http://ids:8080\"\nid_type = \"farmer\"\n";
const std::string hook = "[webhooks.registry]\nurl = \"https://registry.example/hook\"\n";

struct bad_outside_system {
  const char* what;
  std::string file;
  std::string says;
};
void PrintTo(const bad_outside_system& input, std::ostream* out) { *out << input.what; }
class outside_system_settings_refused : public testing::TestWithParam<bad_outside_system> {};

TEST_P(outside_system_settings_refused, with_place_key_found_and_allowed) {
  EXPECT_EQ(all_problems(load_text(GetParam().file)), GetParam().says);
}

const std::vector<bad_outside_system> cases{
    {"generator_without_anything", "[generators.mosip]\n",
     "test.toml:1:13: generators.mosip.kind: missing; allowed: one of \"openg2p\", \"mosip\", which a new generator "
     "must "
     "say\n"
     "test.toml:1:13: generators.mosip.url: missing; allowed: a text of 1 to 4096 bytes without control characters, "
     "which a new generator must say"},
    {"other_kind", "[generators.x1]\nkind = \"other\"\nurl = \"https://a.example\"\n",
     "test.toml:2:8: generators.x1.kind: found the text \"other\"; allowed: one of \"openg2p\", \"mosip\""},
    {"no_address", "[generators.x1]\nkind = \"mosip\"\nurl = \"ftp://a.example\"\n",
     "test.toml:3:7: generators.x1.url: found the text \"ftp://a.example\"; allowed: http:// or https://, "
     "HOST[:PORT]/PATH, without user and fragment"},
    {"password_in_the_address", "[generators.x1]\nkind = \"mosip\"\nurl = \"https://u:p@a.example\"\n",
     "test.toml:3:7: generators.x1.url: found the text \"https://u:p@a.example\"; allowed: http:// or https://, "
     "HOST[:PORT]/PATH, without user and fragment"},
    {"openg2p_without_type", "[generators.x1]\nkind = \"openg2p\"\nurl = \"https://a.example\"\n",
     "default: generators.x1.id_type: found nothing with kind = \"openg2p\"; allowed: a small letter, then 1 to 63 "
     "small "
     "letters, digits or underscores"},
    {"openg2p_with_a_bad_type", "[generators.x1]\nkind = \"openg2p\"\nurl = \"https://a.example\"\nid_type = \"a/b\"\n",
     "test.toml:4:11: generators.x1.id_type: found the text \"a/b\" with kind = \"openg2p\"; allowed: a small letter, "
     "then 1 to 63 small letters, digits or underscores"},
    {"mosip_with_a_type", mosip + "id_type = \"farmer\"\n",
     "test.toml:4:11: generators.mosip.id_type: found the text \"farmer\" with kind = \"mosip\"; allowed: nothing, "
     "MOSIP "
     "has UINs only"},
    {"token_without_a_client", mosip + "token_url = \"https://iam.example/token\"\nclient_secret_env = \"SECRET\"\n",
     "test.toml:4:13: generators.mosip.token_url: found without client_id; allowed: with client_id and with "
     "client_secret_file or client_secret_env"},
    {"token_without_a_secret", mosip + "token_url = \"https://iam.example/token\"\nclient_id = \"m\"\n",
     "test.toml:4:13: generators.mosip.token_url: found without a secret; allowed: with client_id and with "
     "client_secret_file or client_secret_env"},
    {"secret_without_a_token", mosip + "client_secret_env = \"SECRET\"\n",
     "test.toml:4:21: generators.mosip.client_secret_env: found without token_url; allowed: with it"},
    {"two_secrets",
     mosip + "token_url = \"https://iam.example/token\"\nclient_id = \"m\"\nclient_secret_env = \"SECRET\"\n"
             "client_secret_file = \"/etc/secret\"\n",
     "test.toml:6:21: generators.mosip.client_secret_env: found besides client_secret_file (test.toml:7); allowed: "
     "one "
     "of the two"},
    {"secret_in_the_data", "[storage]\ndata_dir = \"/data\"\n" + hook + "secret_file = \"/data/secret\"\n",
     "test.toml:5:15: webhooks.registry.secret_file: found \"/data/secret\" inside storage.data_dir = \"/data\"; "
     "allowed: "
     "a file elsewhere, so that a copy of the data is no copy of the secret"},
    {"no_variable", hook + "secret_env = \"MY SECRET\"\n",
     "test.toml:3:14: webhooks.registry.secret_env: found the text \"MY SECRET\"; allowed: the name of an environment "
     "variable: letters, digits and underscores"},
    {"host_with_a_path", hook + "allowed_hosts = [\"a.example\", \"b.example/x\"]\n",
     "test.toml:3:17: webhooks.registry.allowed_hosts: found the text \"b.example/x\"; allowed: \"HOST\" or "
     "\"HOST:PORT\", IPv6 in brackets"},
    {"secret_itself", hook + "secret = \"s\"\n",
     "test.toml:3:10: webhooks.registry.secret: unknown key; did you mean webhooks.registry.secret_env?"},
};
INSTANTIATE_TEST_SUITE_P(table, outside_system_settings_refused, testing::ValuesIn(cases),
                         [](const auto& one) { return one.param.what; });

TEST(outside_systems, are_none_until_somebody_names_one) {
  EXPECT_TRUE(defaults().generators.empty());
  EXPECT_TRUE(defaults().webhooks.empty());
}

TEST(outside_systems, have_every_default_but_what_is_said) {
  const auto now = accepted(load_text(mosip + openg2p + hook,
                                      {{"MATRICULA_GENERATORS__MOSIP__TOKEN_URL", "https://iam.example/token"},
                                       {"MATRICULA_GENERATORS__MOSIP__CLIENT_ID", "matricula"},
                                       {"MATRICULA_GENERATORS__MOSIP__CLIENT_SECRET_ENV", "MOSIP_SECRET"}},
                                      {"webhooks.registry.allowed_hosts=a.example,b.example:8443,[::1]:80,[::1]"}));
  const auto& g = now.values.generators;
  EXPECT_EQ(g.at("mosip"), (generator_settings{.kind = "mosip",
                                               .url = "https://mosip.example/v1/idgenerator/uin",
                                               .timeout_ms = 10'000,
                                               .calls_max = 4,
                                               .token_url = "https://iam.example/token",
                                               .client_id = "matricula",
                                               .client_secret_env = "MOSIP_SECRET"}));
  EXPECT_EQ(
      g.at("g2p"),
      (generator_settings{
          .kind = "openg2p", .url = "http://ids:8080", .id_type = "farmer", .timeout_ms = 10'000, .calls_max = 4}));
  EXPECT_EQ(now.values.webhooks.at("registry").allowed_hosts,
            (std::vector<std::string>{"a.example", "b.example:8443", "[::1]:80", "[::1]"}));
}

TEST(outside_systems, change_at_a_restart) {
  const auto before = accepted(load_text(mosip)).values;
  auto after = before;
  after.generators.at("mosip").timeout_ms = 500;
  after.webhooks["registry"].url = "https://registry.example/hook";
  EXPECT_THAT(diff_reload(before, after).restart,
              testing::ElementsAre(changed_setting{"generators.mosip.timeout_ms", "10000", "500"},
                                   changed_setting{"webhooks.registry", "", "there"}));
}

} // namespace
} // namespace matricula::config
