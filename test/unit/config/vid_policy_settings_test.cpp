// Settings of VID policies: how they are said, and refused with the exact words.
#include "test/unit/config/loading.hpp"

#include <ostream>

namespace matricula::config {
namespace {

struct bad_policies {
  const char* what;
  std::string file;
  variables environment;
  std::vector<std::string> sets;
  std::string says;
};
void PrintTo(const bad_policies& input, std::ostream* out) { *out << input.what; }
class vid_policy_settings : public testing::TestWithParam<bad_policies> {};

TEST_P(vid_policy_settings, are_refused_with_place_key_found_and_allowed) {
  const auto& given = GetParam();
  EXPECT_EQ(all_problems(load_text(given.file, given.environment, given.sets)), given.says);
}

const std::vector<bad_policies> cases{
    {"new_policy_without_instances",
     "[vid_policies.visitor]\nvalid_for_minutes = 5\n",
     {},
     {},
     "test.toml:1:15: vid_policies.visitor.instances_allowed: missing; allowed: an integer from 1 to 32 (VIDs), which "
     "a new policy must say"},
    {"mistyped_policy",
     "[vid_policies.temporay]\nvalid_for_minutes = 5\n",
     {},
     {},
     "test.toml:1:15: vid_policies.temporay.instances_allowed: missing; allowed: an integer from 1 to 32 (VIDs), which "
     "a new policy must say (did you mean the policy temporary?)"},
    {"policy_that_would_be_taken_for_a_setting",
     "[vid_policies.file]\ninstances_allowed = 5\n",
     {},
     {},
     "test.toml:1:15: vid_policies.file: found a table; allowed: a text of up to 4096 bytes without control "
     "characters"},
    {"policy_with_a_name_too_long",
     "[vid_policies.a2345678901234567890123456789012x]\ninstances_allowed = 5\n",
     {},
     {},
     "test.toml:1:15: vid_policies.a2345678901234567890123456789012x: found the name "
     "\"a2345678901234567890123456789012x\"; allowed: a small letter, then 1 to 31 small letters, digits or "
     "underscores, but not \"type\" or \"file\""},
    {"policy_without_instances",
     "[vid_policies.temporary]\ninstances_allowed = 0\n",
     {},
     {},
     "test.toml:2:21: vid_policies.temporary.instances_allowed: found the integer 0; allowed: an integer from 1 to 32 "
     "(VIDs)"},
    {"policy_restored_on_an_unknown_end",
     "",
     {{"MATRICULA_VID_POLICIES__ONE_TIME_USE__RESTORE_ON_ACTION", "EXPIRED"}},
     {},
     "environment MATRICULA_VID_POLICIES__ONE_TIME_USE__RESTORE_ON_ACTION: "
     "vid_policies.one_time_use.restore_on_action: found the text \"EXPIRED\"; allowed: one of \"REVOKED\", "
     "\"USED\", \"REGENERATE\""},
    {"mistyped_key_of_a_policy",
     "[vid_policies.temporary]\ntransactions = 1\n",
     {},
     {},
     "test.toml:2:16: vid_policies.temporary.transactions: unknown key; did you mean "
     "vid_policies.temporary.transactions_allowed?"},
    {"policies_in_two_places",
     "[vid_policies]\nfile = \"/p.json\"\n[vid_policies.temporary]\ninstances_allowed = 2\n",
     {},
     {},
     "test.toml:4:21: vid_policies.temporary.instances_allowed: found besides vid_policies.file (test.toml:2); "
     "allowed: "
     "policies in one of the two"},
};
INSTANTIATE_TEST_SUITE_P(table, vid_policy_settings, testing::ValuesIn(cases),
                         [](const auto& one) { return one.param.what; });

TEST(policy_settings, of_a_shipped_policy_are_changed_key_by_key) {
  const auto now = accepted(load_text("[vid_policies.temporary]\ntransactions_allowed = 0\n",
                                      {{"MATRICULA_VID_POLICIES__ONE_TIME_USE__INSTANCES_ALLOWED", "3"}},
                                      {"vid_policies.perpetual.enabled=false"}));
  const auto& policies = now.values.vid_policies.policies;
  EXPECT_EQ(policies.at("temporary").transactions_allowed, 0U);
  EXPECT_EQ(policies.at("temporary").valid_for_minutes, 30U) << "as shipped";
  EXPECT_EQ(policies.at("one_time_use").instances_allowed, 3U);
  EXPECT_FALSE(policies.at("perpetual").enabled);
  EXPECT_EQ(policies.size(), 6U);
}

TEST(policy_settings, of_a_new_policy_have_defaults_beside_its_instances) {
  const auto now = accepted(load_text("[vid_policies.visitor]\ninstances_allowed = 2\n"));
  const auto& visitor = now.values.vid_policies.policies.at("visitor");
  EXPECT_EQ(visitor, (policy_settings{true, 0, 0, 2, false, "REGENERATE"}));
}

TEST(policy_settings, that_only_repeat_the_shipped_ones_may_stand_beside_a_file) {
  EXPECT_EQ(all_problems(load_text("[vid_policies]\nfile = \"/p\"\n[vid_policies.temporary]\ninstances_allowed = 5\n")),
            "");
}

} // namespace
} // namespace matricula::config
