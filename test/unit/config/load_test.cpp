#include "config/load.hpp"
#include "config/toml_document.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace matricula::config {
namespace {

using ::testing::HasSubstr;

TEST(load, without_any_source_gives_the_defaults) {
  const auto now = accepted(load(sources{}));
  EXPECT_EQ(now.values, defaults());
  EXPECT_TRUE(now.origins.empty());
}

TEST(load, takes_the_file_before_the_default) {
  const auto now = accepted(load_text("[server]\nthreads = 7\n"));
  EXPECT_EQ(now.values.server.threads, 7U);
  EXPECT_EQ(to_string(now.origin_of("server.threads")), "test.toml:2");
  EXPECT_EQ(to_string(now.origin_of("server.listen")), "default");
}

TEST(load, takes_the_environment_before_the_file) {
  const auto now = accepted(load_text("[server]\nthreads = 7\n", {{"MATRICULA_SERVER__THREADS", "8"}}));
  EXPECT_EQ(now.values.server.threads, 8U);
  EXPECT_EQ(to_string(now.origin_of("server.threads")), "environment MATRICULA_SERVER__THREADS");
}

TEST(load, takes_the_command_line_before_the_environment) {
  const auto now =
      accepted(load_text("[server]\nthreads = 7\n", {{"MATRICULA_SERVER__THREADS", "8"}}, {"server.threads=9"}));
  EXPECT_EQ(now.values.server.threads, 9U);
  EXPECT_EQ(to_string(now.origin_of("server.threads")), "--set server.threads");
}

TEST(load, takes_the_last_of_two_sets_for_one_key) {
  EXPECT_EQ(accepted(load_text("", {}, {"server.threads=3", "server.threads=4"})).values.server.threads, 4U);
}

TEST(load, overrides_every_kind_of_value_from_text) {
  const auto now = accepted(load_text("",
                                      {{"MATRICULA_SERVER__LISTEN", "[::1]:0"},
                                       {"MATRICULA_LOG__LEVEL", "debug"},
                                       {"MATRICULA_AUTH__OPEN_ROUTES", "GET /v1/ids, POST /v1/ids/{type}"},
                                       {"MATRICULA_IDENTIFIERS__TIME_ZONE", "Africa/Addis_Ababa"},
                                       {"MATRICULA_IDENTIFIERS__TYPES__UIN__ENABLED", "false"},
                                       {"MATRICULA_IDENTIFIERS__TYPES__VID__RULES__SEQUENCE_LIMIT", "0"},
                                       {"MATRICULA_IDENTIFIERS__TYPES__SOCIAL_ID__RULES__NOT_START_WITH", ""}},
                                      {R"(identifiers.types.vid.rules.restricted_numbers=["13", "666"])",
                                       "identifiers.expirer_schedule=*/5 1-3 * * mon"}));
  const auto& s = now.values;
  EXPECT_EQ(s.server.listen, "[::1]:0");
  EXPECT_EQ(s.log.level, log::level::debug);
  EXPECT_EQ(s.auth.open_routes, (std::vector<std::string>{"GET /v1/ids", "POST /v1/ids/{type}"}));
  EXPECT_EQ(s.identifiers.time_zone, "Africa/Addis_Ababa");
  EXPECT_FALSE(s.identifiers.types.at("uin").enabled);
  EXPECT_EQ(s.identifiers.types.at("vid").rules.sequence_limit, 0U);
  EXPECT_EQ(s.identifiers.types.at("social_id").rules.not_start_with, std::vector<std::string>{});
  EXPECT_EQ(s.identifiers.types.at("vid").rules.restricted_numbers, (std::vector<std::string>{"13", "666"}));
  EXPECT_EQ(s.identifiers.expirer_schedule, "*/5 1-3 * * mon");
}

TEST(load, lets_a_file_change_one_key_of_a_shipped_type) {
  const auto now = accepted(load_text("[identifiers.types.uin]\nlength = 12\n"));
  auto expected = defaults().identifiers.types.at("uin");
  expected.length = 12;
  EXPECT_EQ(now.values.identifiers.types.at("uin"), expected);
}

TEST(load, gives_a_new_type_the_strict_profile_and_the_other_defaults) {
  const auto now = accepted(load_text("[identifiers.types.school_id]\nlength = 9\nlifecycle = \"uin\"\n"
                                      "[identifiers.types.school_id.rules]\ncyclic_numbers = false\n"));
  const auto& type = now.values.identifiers.types.at("school_id");
  EXPECT_TRUE(type.enabled);
  EXPECT_EQ(type.length, 9U);
  EXPECT_EQ(type.profile, "strict");
  EXPECT_EQ(type.alphabet, "digits");
  EXPECT_EQ(type.reuse, "random");
  EXPECT_EQ(type.cool_off_seconds, 432'000U);
  EXPECT_EQ(type.rules.cyclic_numbers, false);
  EXPECT_EQ(type.rules.digits_limit, std::nullopt);
}

TEST(load, makes_a_new_type_from_overrides_alone) {
  const auto now = accepted(
      load_text("", {{"MATRICULA_IDENTIFIERS__TYPES__TINY__LENGTH", "4"}}, {"identifiers.types.tiny.lifecycle=pool"}));
  EXPECT_EQ(now.values.identifiers.types.at("tiny").length, 4U);
}

TEST(load, reads_a_type_name_with_double_and_trailing_underscores_from_the_environment) {
  const auto now = accepted(load_text("[identifiers.types.a__b_]\nlength = 9\nlifecycle = \"pool\"\n",
                                      {{"MATRICULA_IDENTIFIERS__TYPES__A__B___POOL_MIN", "11"},
                                       {"MATRICULA_IDENTIFIERS__TYPES__A__B___RULES__DIGITS_LIMIT", "4"}}));
  EXPECT_EQ(now.values.identifiers.types.at("a__b_").pool_min, 11U);
  EXPECT_EQ(now.values.identifiers.types.at("a__b_").rules.digits_limit, 4U);
}

TEST(load, does_not_depend_on_how_toml_spells_a_table) {
  const auto expected = accepted(load_text("[identifiers.types.uin]\nlength = 12\npool_min = 9\n")).values;
  for (const auto* text : {"identifiers.types.uin.length = 12\nidentifiers.types.uin.pool_min = 9\n",
                           "identifiers = { types = { uin = { length = 12, pool_min = 9 } } }\n",
                           "[identifiers]\n[identifiers.types]\nuin = { length = 0xC, \"pool_min\" = 9 }\n"})
    EXPECT_EQ(accepted(load_text(text)).values, expected) << text;
}

TEST(load, ignores_variables_that_are_not_its_own) {
  const auto now = accepted(load_text("", {{"PATH", "/bin"},
                                           {"MATRICULA_PORT", "tcp://10.0.0.1:8080"},
                                           {"MATRICULA_SERVICE_HOST", "10.0.0.1"},
                                           {"matricula_server__threads", "x"},
                                           {"MATRICULAX_SERVER__THREADS", "x"}}));
  EXPECT_EQ(now.values, defaults());
}

TEST(load, takes_the_master_key_from_the_environment_only) {
  const std::string key(64, 'a');
  EXPECT_EQ(accepted(load_text("", {{"MATRICULA_IDENTIFIERS__KEY", key}})).values.identifiers.key, key);
  EXPECT_EQ(all_problems(load_text("[identifiers]\nkey = \"" + key + "\"\n")),
            "test.toml:2:7: identifiers.key: found a value in a file; allowed: only the environment variable "
            "MATRICULA_IDENTIFIERS__KEY");
  EXPECT_EQ(all_problems(load_text("", {}, {"identifiers.key=" + key})),
            "--set identifiers.key: identifiers.key: found a value on the command line, where others can read it; "
            "allowed: only the environment variable MATRICULA_IDENTIFIERS__KEY");
}

TEST(load, never_repeats_a_secret_in_a_message) {
  const std::string key = std::string(63, 'b') + "z";
  const auto problems = all_problems(load_text("", {{"MATRICULA_IDENTIFIERS__KEY", key}}));
  EXPECT_EQ(problems, "environment MATRICULA_IDENTIFIERS__KEY: identifiers.key: found something else (not shown); "
                      "allowed: 64 hexadecimal digits");
}

TEST(load, reports_every_problem_of_every_source_at_once) {
  EXPECT_EQ(all_problems(load_text("[server]\nthreads = 0\nlisten = 8080\n[log]\nlevel = \"loud\"\n",
                                   {{"MATRICULA_SERVER__THREADS", "many"}}, {"storage.ballast_mib=-1"})),
            "test.toml:2:11: server.threads: found the integer 0; allowed: an integer from 1 to 1024 (threads)\n"
            "test.toml:3:10: server.listen: found the integer 8080; allowed: \"HOST:PORT\", with an IPv6 address in "
            "brackets and a port from 0 to 65535\n"
            "test.toml:5:9: log.level: found the text \"loud\"; allowed: one of \"debug\", \"info\", \"warning\", "
            "\"error\"\n"
            "environment MATRICULA_SERVER__THREADS: server.threads: found the text \"many\"; allowed: an integer from "
            "1 to 1024 (threads)\n"
            "--set storage.ballast_mib: storage.ballast_mib: found the integer -1; allowed: an integer from 0 to "
            "65536 (MiB)");
}

TEST(load, asks_the_outside_checks_about_cron_and_time_zone) {
  const outside_checks checks{
      [](std::string_view text) { return text == "99 * * * *" ? std::optional("minute is 0 to 59") : std::nullopt; },
      [](std::string_view text) { return text == "Mars/Base" ? std::optional("no such zone") : std::nullopt; }};
  const auto outcome =
      load(sources{{}, {}, {"identifiers.expirer_schedule=99 * * * *", "identifiers.time_zone=Mars/Base"}}, checks);
  EXPECT_EQ(all_problems(outcome),
            "--set identifiers.expirer_schedule: identifiers.expirer_schedule: found the text \"99 * * * *\"; allowed: "
            "five fields: minute, hour, day of month, month, day of week; or six, the second before them (minute is 0 "
            "to 59)\n"
            "--set identifiers.time_zone: identifiers.time_zone: found the text \"Mars/Base\"; allowed: a time zone's "
            "name such as \"UTC\" or \"Africa/Nairobi\" (no such zone)");
  EXPECT_TRUE(load(sources{}, checks));
}

TEST(load, stops_counting_words_after_a_hundred_problems) {
  std::string text = "[server]\n";
  for (int i = 0; i < 5000; ++i) text += "unknown_" + std::to_string(i) + " = 1\n";
  const auto outcome = load_text(text);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().size(), problem_list::max + 1);
  EXPECT_THAT(to_string(outcome.error().back()), HasSubstr("and 4900 more problems"));
}

TEST(load, bounds_the_number_of_types) {
  std::string text;
  for (std::size_t i = 0; i <= types_max - defaults().identifiers.types.size(); ++i)
    text += "[identifiers.types.t" + std::to_string(i) + "]\nlength = 9\nlifecycle = \"pool\"\n";
  EXPECT_EQ(all_problems(load_text(text)),
            "test.toml:166:20: identifiers.types.t55: found more than 64 types; allowed: at most 64, the shipped ones "
            "included");
}

/// A file of the test's own that disappears with it.
struct temporary_file {
  explicit temporary_file(const std::string& text)
      : path(std::filesystem::path(testing::TempDir()) /
             (std::string("matricula_") + testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml")) {
    std::ofstream(path, std::ios::binary) << text;
  }
  ~temporary_file() { std::filesystem::remove(path); }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  std::filesystem::path path;
};

TEST(load, reads_a_file_and_names_it_by_its_path) {
  const temporary_file file("[server]\nthreads = 5\n");
  const auto now = accepted(load(options{file.path.string(), {}, {}}));
  EXPECT_EQ(now.values.server.threads, 5U);
  EXPECT_EQ(to_string(now.origin_of("server.threads")), file.path.string() + ":2");
}

TEST(load, names_a_missing_file_and_what_else_is_wrong) {
  EXPECT_EQ(all_problems(load(options{"/nonexistent/matricula.toml", {}, {"server.threads=0"}})),
            "/nonexistent/matricula.toml: cannot be opened; allowed: a settings file that this user may read\n"
            "--set server.threads: server.threads: found the integer 0; allowed: an integer from 1 to 1024 (threads)");
}

TEST(load, refuses_a_folder_as_file) {
  EXPECT_EQ(all_problems(load(options{testing::TempDir(), {}, {}})),
            testing::TempDir() + ": found a folder; allowed: a settings file");
}

TEST(load, refuses_a_file_of_ten_megabytes_without_reading_it_all) {
  std::string large;
  large.resize(10'000'000, '#');
  const temporary_file file(large);
  EXPECT_EQ(all_problems(load(options{file.path.string(), {}, {}})),
            file.path.string() + ": found more than 1048576 bytes; allowed: at most that many");
}

TEST(load, reads_a_file_without_an_end_only_up_to_its_bound) {
  EXPECT_EQ(all_problems(load(options{"/dev/zero", {}, {}})),
            "/dev/zero: found more than 1048576 bytes; allowed: at most that many");
}

TEST(environment_of, splits_at_the_first_equals_sign_and_skips_what_is_no_variable) {
  const char* const block[] = {"A=1", "B=x=y", "=odd", "none", "C=", nullptr};
  EXPECT_EQ(environment_of(block), (variables{{"A", "1"}, {"B", "x=y"}, {"C", ""}}));
  EXPECT_TRUE(environment_of(nullptr).empty());
}

} // namespace
} // namespace matricula::config
