#include "domain/identifiers/vid_policy.hpp"

#include <gtest/gtest.h>

namespace matricula::identifiers {
namespace {

using enum restore_action;
using part = policy_fault::part;

struct a_policy {
  const char* name;
  vid_policy policy;
  std::optional<part> fault;
};
void PrintTo(const a_policy& p, std::ostream* out) { *out << p.name; }

class vid_policy_check : public ::testing::TestWithParam<a_policy> {};

TEST_P(vid_policy_check, names_the_part_that_is_wrong) {
  const auto found = fault_of(GetParam().policy);
  EXPECT_EQ(found ? std::optional(found->of) : std::nullopt, GetParam().fault);
  if (found) {
    EXPECT_NE(found->why.find("allowed: "), std::string::npos) << found->why;
  }
}

INSTANTIATE_TEST_SUITE_P(
    of, vid_policy_check,
    ::testing::Values(a_policy{"perpetual", {"perpetual", {}, {}, 1, true, revoked}, {}},
                      a_policy{"what_mosip_ships_without_effect", {"one_time_use", {}, 2, 5, false, revoked}, {}},
                      a_policy{"every_limit_at_its_least", {"a", 1, 1, 1, false, regenerate}, {}},
                      a_policy{"every_limit_at_its_most", {"a", 52'596'000, 1'000'000, 32, true, used}, {}},
                      a_policy{"no_name", {"", {}, {}, 1, false, regenerate}, part::name},
                      a_policy{"capitals", {"Perpetual", {}, {}, 1, false, regenerate}, part::name},
                      a_policy{"a_digit_first", {"1a", {}, {}, 1, false, regenerate}, part::name},
                      a_policy{"a_name_too_long", {std::string(33, 'a'), {}, {}, 1, false, regenerate}, part::name},
                      a_policy{"no_time", {"a", 0, {}, 1, false, regenerate}, part::valid_for},
                      a_policy{"too_much_time", {"a", 52'596'001, {}, 1, false, regenerate}, part::valid_for},
                      a_policy{"no_transaction", {"a", {}, 0, 1, false, regenerate}, part::transactions},
                      a_policy{"too_many_transactions", {"a", {}, 1'000'001, 1, false, regenerate}, part::transactions},
                      a_policy{"no_instance", {"a", {}, {}, 0, false, regenerate}, part::instances},
                      a_policy{"too_many_instances", {"a", {}, {}, 33, false, regenerate}, part::instances},
                      a_policy{"restored_by_what_is_no_end", {"a", {}, {}, 1, true, regenerate}, part::restore_on},
                      a_policy{
                          "restored_by_a_last_use_that_never_comes", {"a", {}, {}, 1, true, used}, part::restore_on},
                      a_policy{"restored_by_use_but_never", {"a", {}, 1, 1, false, used}, part::auto_restore}),
    [](const auto& one) { return one.param.name; });

TEST(vid_policies, are_found_by_their_whole_name) {
  const vid_policies all({{"temporary", 30, 2, 5, false, regenerate}, {"perpetual", {}, {}, 1, true, revoked}});
  ASSERT_NE(all.find("temporary"), nullptr);
  EXPECT_EQ(all.find("temporary")->instances_allowed, 5u);
  for (const auto* other : {"", "temp", "temporary2", "Temporary", "zzz"}) EXPECT_EQ(all.find(other), nullptr) << other;
  EXPECT_EQ(all.names(), "perpetual, temporary");
}

TEST(vid_policies, take_their_names_from_mosips) {
  EXPECT_EQ(policy_name_of("Perpetual"), "perpetual");
  EXPECT_EQ(policy_name_of("OneTimeUse"), "one_time_use");
  EXPECT_EQ(policy_name_of("short_term"), "short_term");
  EXPECT_EQ(policy_name_of("UIN2Vid"), "uin2vid");
  EXPECT_EQ(policy_name_of("no name"), "no name");
}

TEST(restore_action, is_read_as_it_is_written) {
  for (const auto a : {revoked, used, regenerate}) EXPECT_EQ(parse_restore_action(to_string(a)), a);
  for (const auto* other : {"", "revoked", "REVOKE", "EXPIRED"}) EXPECT_FALSE(parse_restore_action(other)) << other;
}

} // namespace
} // namespace matricula::identifiers
