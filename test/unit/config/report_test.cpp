#include "config/effective.hpp"
#include "config/family.hpp"
#include "config/report.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <map>

namespace matricula::config {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(check_report, says_that_all_is_well) {
  EXPECT_EQ(check_report(load_text("[server]\nthreads = 3\n", {}, {"identifiers.types.prid.enabled=false"})),
            "settings accepted: 2 values beside the defaults, 8 identifier types\n");
}

TEST(check_report, lists_problems_a_line_each_and_counts_them) {
  EXPECT_EQ(check_report(load_text("[server]\nthreads = 0\n")),
            "test.toml:2:11: server.threads: found the integer 0; allowed: an integer from 1 to 1024 (threads)\n"
            "settings refused: 1 problem\n");
  EXPECT_THAT(check_report(load_text("a = 1\nb = 1\n")), EndsWith("\nsettings refused: 2 problems\n"));
}

TEST(show_report, names_the_origin_of_each_value) {
  const auto text = show_report(accepted(load_text("[server]\nthreads = 3\n", {{"MATRICULA_LOG__LEVEL", "debug"}},
                                                   {"identifiers.types.uin.rules.cyclic_numbers=false"})));
  EXPECT_THAT(text, HasSubstr("[server]\nlisten = \"127.0.0.1:8080\"  # default\nevent_loops = 0  # default\nthreads = "
                              "3  # test.toml:2\n"));
  EXPECT_THAT(text, HasSubstr("\n[log]\nlevel = \"debug\"  # environment MATRICULA_LOG__LEVEL\n"));
  EXPECT_THAT(text, HasSubstr("\n[identifiers.types.uin.rules]\ncyclic_numbers = false  "
                              "# --set identifiers.types.uin.rules.cyclic_numbers\n"));
  EXPECT_THAT(text, Not(HasSubstr("sequence_limit")));
}

TEST(show_report, never_shows_the_master_key) {
  const std::string key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  const auto now = accepted(load_text("", {{"MATRICULA_IDENTIFIERS__KEY", key}}));
  const auto text = show_report(now);
  EXPECT_THAT(text, Not(HasSubstr(key.substr(0, 8))));
  EXPECT_THAT(text, HasSubstr("# key: set, not shown; environment MATRICULA_IDENTIFIERS__KEY\n"));
  for (const auto& e : effective(now)) EXPECT_THAT(to_toml(e.current), Not(HasSubstr(key.substr(0, 8)))) << e.key;
  EXPECT_THAT(show_report(accepted(load_text(""))), HasSubstr("# key: not set\n"));
}

TEST(show_report, loads_again_to_the_same_settings) {
  const auto now = accepted(load_text("[storage]\ndata_dir = 'a \"quoted\" \\ folder \xc3\xa9'\n[auth]\n"
                                      "open_routes = ['GET /v1/ids/{type}', 'POST /\"']\n"
                                      "[identifiers.types.uin.rules]\nnot_start_with = []\nsequence_limit = 0\n"
                                      "[vid_policies]\nfile = '/p.json'\n"
                                      "[identifiers.types.new_one]\nlength = 6\nlifecycle = 'vid'\nreuse = 'never'\n"));
  EXPECT_EQ(accepted(load_text(show_report(now))).values, now.values);
}

TEST(show_report, keeps_a_strange_file_name_in_its_comment) {
  auto now = accepted(load(sources{file_text{"a\nthreads = 9\n\xff", "[server]\nthreads = 3\n"}, {}, {}}));
  EXPECT_EQ(accepted(load_text(show_report(now))).values, now.values);
}

TEST(effective, lists_every_key_of_every_shipped_member) {
  const std::map<std::string_view, std::size_t> shipped{{"<type>", 9},   {"<policy>", 6},    {"<worker_type>", 4},
                                                        {"<kind>", 2},   {"<generator>", 0}, {"<webhook>", 0},
                                                        {"<bridge>", 0}, {"<sink>", 1}};
  std::size_t expected = 0;
  for (const auto& row : schema()) expected += row.named() ? shipped.at(family_of_row(row.key)->placeholder) : 1;
  EXPECT_EQ(effective(accepted(load_text(""))).size(), expected);
}

TEST(value_text, escapes_what_toml_cannot_hold_bare) {
  EXPECT_EQ(to_toml(value{std::string("a\"\\\n\t\x01\x7f\xc3\xa9")}), "\"a\\\"\\\\\\n\\t\\u0001\\u007F\xc3\xa9\"");
  EXPECT_EQ(to_toml(value{std::vector<std::string>{"a", "b"}}), "[\"a\", \"b\"]");
  EXPECT_EQ(to_toml(value{std::vector<std::string>{}}), "[]");
}

TEST(utf8, is_judged_by_the_table_of_the_standard) {
  for (const auto* good : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(first_invalid_utf8(good), std::string_view::npos) << in_quotes(good);
  for (const auto* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
        "\xe2\x82\x41", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
    EXPECT_EQ(first_invalid_utf8(std::string("ok") + bad), 2U) << in_quotes(bad);
}

} // namespace
} // namespace matricula::config
