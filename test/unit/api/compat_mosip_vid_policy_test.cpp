#include "api/compat/mosip_vid_policy.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace matricula::api::compat {
namespace {

using identifiers::restore_action;
using identifiers::vid_policy;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// One policy of the file, its members as JSON.
std::string policy(std::string_view type, std::string_view valid_for = "null", std::string_view transactions = "null",
                   std::string_view instances = "1", std::string_view restores = "true",
                   std::string_view on = "\"REVOKED\"") {
  return fmt::format(R"({{"vidType":{},"policy":{{"validForInMinutes":{},"transactionsAllowed":{},)"
                     R"("instancesAllowed":{},"autoRestoreAllowed":{},"restoreOnAction":{}}}}})",
                     type, valid_for, transactions, instances, restores, on);
}
std::string file_of(const std::string& policies) { return R"({"vidPolicies":[)" + policies + "]}"; }

TEST(mosips_policies, are_read_as_it_ships_them) {
  const auto all = parse_mosip_vid_policies(file_of(policy("\"Perpetual\"") + "," +
                                                    policy("\"Temporary\"", "30", "2", "5", "false", "\"REGENERATE\"") +
                                                    "," + policy("\"OneTimeUse\"", "null", "2", "5", "false")));
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_THAT(*all, ElementsAre(vid_policy{"perpetual", {}, {}, 1, true, restore_action::revoked},
                                vid_policy{"temporary", 30, 2, 5, false, restore_action::regenerate},
                                vid_policy{"one_time_use", {}, 2, 5, false, restore_action::revoked}));
}

struct bad_file {
  const char* what;
  std::string text;
  const char* says;
};
void PrintTo(const bad_file& bad, std::ostream* out) { *out << bad.what; }
class bad_policy_file : public ::testing::TestWithParam<bad_file> {};

TEST_P(bad_policy_file, is_refused_with_the_path_of_what_is_wrong) {
  const auto all = parse_mosip_vid_policies(GetParam().text);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, errc::invalid_argument);
  EXPECT_THAT(all.error().message, StartsWith(GetParam().says));
}

const std::string good = policy("\"Perpetual\"");

INSTANTIATE_TEST_SUITE_P(
    with, bad_policy_file,
    ::testing::Values(
        bad_file{"nothing", "", "the file: "}, bad_file{"no_json", "{", "the file: "},
        bad_file{"a_list", "[]", "the file: found something else; allowed: an object"},
        bad_file{"no_policies", "{}", "vidPolicies: missing"},
        bad_file{"an_unknown_member", R"({"vidPolicies":[],"version":1})", "the file: found the member 'version'"},
        bad_file{"a_name_twice_in_an_object", R"({"vidPolicies":[],"vidPolicies":[]})", "the file: "},
        bad_file{"an_empty_list", file_of(""), "vidPolicies: found something else"},
        bad_file{"too_many", file_of([] {
                   std::string all;
                   for (int i = 0; i < 33; ++i) all += (i > 0 ? "," : "") + policy(fmt::format("\"a{}\"", i));
                   return all;
                 }()),
                 "vidPolicies: found something else; allowed: a list of 1 to 32 policies"},
        bad_file{"an_entry_that_is_none", file_of("1"), "vidPolicies[0]: found something else"},
        bad_file{"no_type", file_of(R"({"policy":{}})"), "vidPolicies[0].vidType: missing"},
        bad_file{"a_type_that_is_no_text", file_of(good + "," + policy("1")), "vidPolicies[1].vidType: "},
        bad_file{"a_type_that_is_no_name", file_of(policy("\"no name\"")), "vidPolicies[0].vidType: "},
        bad_file{"a_type_twice", file_of(good + "," + policy("\"perpetual\"")), "vidPolicies[1].vidType: found a type"},
        bad_file{"a_member_missing", file_of(R"({"vidType":"A","policy":{"validForInMinutes":null}})"),
                 "vidPolicies[0].policy.transactionsAllowed: missing"},
        bad_file{"an_unknown_member_of_a_policy", file_of(R"({"vidType":"A","policy":{"instances":1}})"),
                 "vidPolicies[0].policy: found the member 'instances'"},
        bad_file{"a_zero_for_no_limit", file_of(policy("\"A\"", "0")), "vidPolicies[0].policy.validForInMinutes: "},
        bad_file{"a_fraction", file_of(policy("\"A\"", "1.5")), "vidPolicies[0].policy.validForInMinutes: "},
        bad_file{"a_negative_number", file_of(policy("\"A\"", "null", "-1")),
                 "vidPolicies[0].policy.transactionsAllowed: "},
        bad_file{"a_number_too_large", file_of(good + "," + policy("\"A\"", "null", "null", "4294967297")),
                 "vidPolicies[1].policy.instancesAllowed: "},
        bad_file{"no_instances", file_of(good + "," + policy("\"A\"", "null", "null", "0")),
                 "vidPolicies[1].policy.instancesAllowed: found the integer 0; allowed: 1 to 32"},
        bad_file{"a_text_for_a_flag", file_of(policy("\"A\"", "null", "null", "1", "\"true\"")),
                 "vidPolicies[0].policy.autoRestoreAllowed: "},
        bad_file{"an_unknown_action", file_of(policy("\"A\"", "null", "null", "1", "true", "\"REVOKE\"")),
                 "vidPolicies[0].policy.restoreOnAction: "},
        bad_file{"no_action", file_of(policy("\"A\"", "null", "null", "1", "true", "null")),
                 "vidPolicies[0].policy.restoreOnAction: "},
        bad_file{"a_contradiction", file_of(policy("\"A\"", "null", "null", "1", "true", "\"REGENERATE\"")),
                 "vidPolicies[0].policy.restoreOnAction: found \"REGENERATE\""}),
    [](const auto& one) { return one.param.what; });

TEST(mosips_policies, are_refused_without_showing_what_could_spoil_a_terminal) {
  const auto all = parse_mosip_vid_policies("{\"\\u001b[31m" + std::string(100, 'x') + "\":1}");
  ASSERT_FALSE(all);
  EXPECT_THAT(all.error().message, HasSubstr("'?[31mxxx"));
  EXPECT_LT(all.error().message.size(), 120u);
}

} // namespace
} // namespace matricula::api::compat
