// Settings of tasks and worker types: how they are said, and refused with the exact words.
#include "config/reload.hpp"
#include "config/schema.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace matricula::config {
namespace {

struct bad_worker_types {
  const char* what;
  std::string file;
  variables environment;
  std::vector<std::string> sets;
  std::string says;
};
void PrintTo(const bad_worker_types& input, std::ostream* out) { *out << input.what; }
class worker_type_settings_refused : public testing::TestWithParam<bad_worker_types> {};

TEST_P(worker_type_settings_refused, with_place_key_found_and_allowed) {
  const auto& given = GetParam();
  EXPECT_EQ(all_problems(load_text(given.file, given.environment, given.sets)), given.says);
}

const std::vector<bad_worker_types> cases{
    {"no_attempt",
     "[tasks.types.example]\nmax_attempts = 0\n",
     {},
     {},
     "test.toml:2:16: tasks.types.example.max_attempts: found the integer 0; allowed: an integer from 1 to 1000 "
     "(attempts)"},
    {"too_many_attempts",
     "",
     {{"MATRICULA_TASKS__TYPES__EXAMPLE__MAX_ATTEMPTS", "1001"}},
     {},
     "environment MATRICULA_TASKS__TYPES__EXAMPLE__MAX_ATTEMPTS: tasks.types.example.max_attempts: found the integer "
     "1001; allowed: an integer from 1 to 1000 (attempts)"},
    {"no_lease",
     "",
     {},
     {"tasks.types.example.lease_seconds=0"},
     "--set tasks.types.example.lease_seconds: tasks.types.example.lease_seconds: found the integer 0; allowed: an "
     "integer from 1 to 43200 (seconds)"},
    {"text_for_a_number",
     "[tasks]\nageing_seconds = \"10\"\n",
     {},
     {},
     "test.toml:2:18: tasks.ageing_seconds: found the text \"10\"; allowed: an integer from 0 to 86400 (seconds)"},
    {"negative_retention",
     "[tasks]\nfailed_retention_days = -1\n",
     {},
     {},
     "test.toml:2:25: tasks.failed_retention_days: found the integer -1; allowed: an integer from 0 to 3650 (days)"},
    {"cap_below_the_first_delay",
     "[tasks.types.example]\nbackoff_first_ms = 500\nbackoff_max_ms = 499\n",
     {},
     {},
     "test.toml:3:18: tasks.types.example.backoff_max_ms: found the integer 499; allowed: not below backoff_first_ms = "
     "500"},
    {"mistyped_key",
     "[tasks.types.example]\nmax_attemps = 3\n",
     {},
     {},
     "test.toml:2:15: tasks.types.example.max_attemps: unknown key; did you mean tasks.types.example.max_attempts?"},
    {"mistyped_key_of_the_section",
     "[tasks]\nageing_second = 3\n",
     {},
     {},
     "test.toml:2:17: tasks.ageing_second: unknown key; did you mean tasks.ageing_seconds?"},
    {"name_with_a_capital",
     "[tasks.types.Mail]\nmax_attempts = 3\n",
     {},
     {},
     "test.toml:1:14: tasks.types.Mail: found the name \"Mail\"; allowed: a small letter, then 1 to 63 small letters, "
     "digits or underscores"},
    {"number_for_a_type",
     "[tasks.types]\nmail = 3\n",
     {},
     {},
     "test.toml:2:8: tasks.types.mail: found the integer 3; allowed: a table [tasks.types.mail]"},
};
INSTANTIATE_TEST_SUITE_P(table, worker_type_settings_refused, testing::ValuesIn(cases),
                         [](const auto& one) { return one.param.what; });

TEST(worker_types, have_some_that_are_shipped) {
  const auto s = defaults().tasks;
  EXPECT_EQ(s.ageing_seconds, 10U);
  EXPECT_EQ(s.completed_retention_hours, 24U);
  EXPECT_EQ(s.cancelled_retention_hours, 24U);
  EXPECT_EQ(s.failed_retention_days, 30U);
  ASSERT_EQ(s.types.size(), 4U);
  EXPECT_EQ(s.types.at("id_generation_request_worker").workers, 2U);
  EXPECT_EQ(s.types.at("id_generation_update_worker").workers, 2U);
  EXPECT_EQ(s.types.at("webhook").workers, 8U);
  EXPECT_EQ(s.beat, "* * * * *");
  EXPECT_EQ(s.types.at("example"), (worker_type_settings{true, 5, 1000, 300'000, 1000, 30, 0, 0}));
}

TEST(worker_types, of_ones_own_have_every_default) {
  const auto now = accepted(load_text("[tasks.types.mail]\nrunning_max = 3\n",
                                      {{"MATRICULA_TASKS__TYPES__PRINT__CARDS__STARTS_PER_S", "7"}},
                                      {"tasks.types.example.enabled=false"}));
  const auto& types = now.values.tasks.types;
  EXPECT_EQ(types.at("mail"), (worker_type_settings{true, 5, 1000, 300'000, 1000, 30, 3, 0}));
  EXPECT_EQ(types.at("print__cards").starts_per_s, 7U);
  EXPECT_FALSE(types.at("example").enabled);
  EXPECT_EQ(types.size(), 6U);
}

TEST(worker_types, are_no_more_than_the_limit) {
  std::string file;
  for (std::size_t i = 0; i < worker_types_max; ++i) file += "[tasks.types.w" + std::to_string(i) + "]\n";
  EXPECT_THAT(all_problems(load_text(file)),
              testing::HasSubstr("found more than 64 worker types; allowed: at most 64, the shipped ones included"));
}

TEST(registrant_kinds, say_the_type_of_their_ids) {
  const auto s = defaults().registrants.kinds;
  ASSERT_EQ(s.size(), 2U);
  EXPECT_EQ(s.at("individual").id_type, "uin");
  EXPECT_EQ(s.at("household").id_type, "family_id");
  const auto now = accepted(load_text("[registrants.kinds.farmer]\nid_type = \"farmer\"\n"));
  EXPECT_EQ(now.values.registrants.kinds.at("farmer").id_type, "farmer");
}

TEST(registrant_kinds, say_whose_generator_gives_their_ids) {
  EXPECT_EQ(defaults().registrants.kinds.at("individual").generator, "local");
  const std::string kind = "[registrants.kinds.resident]\ngenerator = \"mosip\"\n";
  const auto now =
      accepted(load_text(kind + "[generators.mosip]\nkind = \"mosip\"\nurl = \"https://a.example/uin\"\n"));
  EXPECT_EQ(now.values.registrants.kinds.at("resident").generator, "mosip");
  EXPECT_EQ(all_problems(load_text(kind)),
            "test.toml:2:13: registrants.kinds.resident.generator: found the text \"mosip\"; allowed: \"local\" or the "
            "name of one of [generators.NAME]");
  EXPECT_EQ(all_problems(load_text("[bridges.g2p]\nconnection = 'dbname=g2p'\ngenerator = 'mosip'\n")),
            "test.toml:3:13: bridges.g2p.generator: found the text \"mosip\"; allowed: \"local\" or the name of one of "
            "[generators.NAME]");
  EXPECT_THAT(all_problems(load_text("[generators.local]\nkind = \"mosip\"\nurl = \"https://a.example/uin\"\n")),
              testing::HasSubstr("but not \"local\""));
}

TEST(registrant_kinds, name_a_type_that_is_there) {
  EXPECT_THAT(
      all_problems(load_text("[registrants.kinds.farmer]\nid_type = \"farmers\"\n")),
      testing::HasSubstr("registrants.kinds.farmer.id_type: found the text \"farmers\"; allowed: the name of an "
                         "identifier type"));
  EXPECT_TRUE(load_text("[identifiers.types.uin]\nenabled = false\n")) << "a kind less";
}

TEST(worker_types, change_at_a_restart) {
  auto after = defaults();
  after.tasks.types.at("example").max_attempts = 9;
  after.tasks.types["mail"] = after.tasks.types.at("example");
  EXPECT_THAT(diff_reload(defaults(), after).restart,
              testing::ElementsAre(changed_setting{"tasks.types.example.max_attempts", "5", "9"},
                                   changed_setting{"tasks.types.mail", "", "there"}));
}

} // namespace
} // namespace matricula::config
