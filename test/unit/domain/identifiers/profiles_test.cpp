#include "domain/identifiers/enumeration.hpp"
#include "domain/identifiers/profiles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace matricula::identifiers {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

/// The refusal's message; empty when the rules are accepted.
std::string refusal(const rule_set& rules, std::size_t length = 10, alphabet written_in = alphabet::digits) {
  const auto verdict = validate(rules, written_in, length);
  if (verdict) return "";
  EXPECT_EQ(verdict.error().code, errc::invalid_argument);
  return verdict.error().message;
}

TEST(profiles, are_found_by_their_exact_names) {
  ASSERT_EQ(profile_names().size(), 6U);
  for (const auto name : profile_names()) EXPECT_TRUE(find_profile(name)) << name;
  for (const auto& name : {""s, "MOSIP-UIN"s, "mosip-uin "s, "mosip-uin\0"s, "mosip"s})
    EXPECT_FALSE(find_profile(name));
}

TEST(profiles, are_all_accepted_at_every_length_of_both_alphabets) {
  for (const auto name : profile_names())
    for (const auto written_in : {alphabet::digits, alphabet::letters_and_digits})
      for (std::size_t length = 3; length <= length_max(written_in); ++length)
        EXPECT_EQ(refusal(find_profile(name).value(), length, written_in), "") << name << ' ' << length;
}

TEST(profiles, called_strict_accepts_nothing_that_another_rejects) {
  for (const std::size_t length : {4U, 5U, 6U}) {
    std::uint64_t accepted = 0;
    enumerate({alphabet::digits, length, find_profile("strict").value()}, [&](std::string_view id) {
      ++accepted;
      for (const auto name : profile_names())
        EXPECT_TRUE(failed_rules(find_profile(name).value(), alphabet::digits, length, id).empty())
            << name << ' ' << id;
      return true;
    });
    EXPECT_GT(accepted, 100U);
  }
}

TEST(profiles, of_the_generator_accept_nothing_that_the_validator_rejects) {
  enumerate({alphabet::digits, 6, find_profile("mosip-uin").value()}, [](std::string_view id) {
    EXPECT_TRUE(failed_rules(find_profile("mosip-uin-validator").value(), alphabet::digits, 6, id).empty()) << id;
    return true;
  });
}

TEST(rule_validation, names_the_limit_that_is_out_of_range) {
  const auto with = [](auto change) {
    auto rules = find_profile("mosip-uin").value();
    change(rules);
    return refusal(rules);
  };
  EXPECT_THAT(with([](auto& r) { r.sequence_limit = 1; }),
              HasSubstr("sequence_limit is 1, but must be 0 (off) or 2 to 10"));
  EXPECT_THAT(with([](auto& r) { r.sequence_limit = 11; }), HasSubstr("sequence_limit is 11"));
  EXPECT_THAT(with([](auto& r) { r.repeating_limit = 32; }), HasSubstr("repeating_limit is 32"));
  EXPECT_THAT(with([](auto& r) {
                r.repeating = repeating_kind::below_limit;
                r.repeating_limit = 1;
              }),
              HasSubstr("repeating_limit is 1, but must be 0 (off) or 2 to 31"));
  EXPECT_THAT(with([](auto& r) { r.repeating_block_limit = 17; }), HasSubstr("repeating_block_limit is 17"));
  EXPECT_THAT(with([](auto& r) { r.conjugative_even_digits_limit = 33; }),
              HasSubstr("conjugative_even_digits_limit is 33"));
  EXPECT_THAT(with([](auto& r) { r.digits_limit = 17; }), HasSubstr("digits_limit is 17"));
  EXPECT_THAT(with([](auto& r) { r.reverse_digits_limit = 4'000'000'000; }),
              HasSubstr("reverse_digits_limit is 4000000000"));
}

TEST(rule_validation, names_the_list_entry_that_no_identifier_could_hold) {
  const auto with_restricted = [](std::string entry, alphabet written_in = alphabet::digits) {
    rule_set rules;
    rules.restricted_numbers = {"786", std::move(entry)};
    return refusal(rules, 10, written_in);
  };
  EXPECT_EQ(with_restricted("302"), "");
  EXPECT_THAT(with_restricted(" 302"), HasSubstr("restricted_numbers entry \" 302\""));
  EXPECT_THAT(with_restricted("30a"), HasSubstr("\"30a\""));
  EXPECT_THAT(with_restricted("CF"), HasSubstr("\"CF\""));
  EXPECT_EQ(with_restricted("CF", alphabet::letters_and_digits), "");
  EXPECT_THAT(with_restricted("cf", alphabet::letters_and_digits), HasSubstr("\"cf\""));
  EXPECT_THAT(with_restricted(""), HasSubstr("empty entry"));
  EXPECT_THAT(with_restricted("\xd9\xa7\n"), HasSubstr("\"???\""));
  EXPECT_THAT(with_restricted("12345678901"), HasSubstr("longer than the identifier's 10 symbols"));
  rule_set prefixed;
  prefixed.not_start_with = {"0", "1 "};
  EXPECT_THAT(refusal(prefixed), HasSubstr("not_start_with entry \"1 \""));
  rule_set crowded;
  crowded.restricted_numbers.assign(1001, "123");
  EXPECT_THAT(refusal(crowded), HasSubstr("1001 entries"));
}

TEST(rule_validation, refuses_lengths_that_do_not_exist) {
  const rule_set rules;
  for (const std::size_t length : {0U, 1U, 33U, 1000000U}) EXPECT_THAT(refusal(rules, length), HasSubstr("2 to 32"));
  EXPECT_THAT(refusal(rules, 25, alphabet::letters_and_digits), HasSubstr("2 to 24"));
  EXPECT_EQ(refusal(rules, 32), "");
  EXPECT_EQ(refusal(rules, 24, alphabet::letters_and_digits), "");
}

TEST(rule_validation, refuses_rules_that_leave_no_identifier) {
  rule_set no_start;
  for (char c = '0'; c <= '9'; ++c) no_start.not_start_with.emplace_back(1, c);
  EXPECT_THAT(refusal(no_start), HasSubstr("forbids every first symbol"));

  rule_set no_prefix;
  for (int i = 0; i < 100; ++i) no_prefix.not_start_with.push_back(std::to_string(100 + i).substr(1));
  EXPECT_THAT(refusal(no_prefix, 4), HasSubstr("no identifier of 4 symbols was found"));

  rule_set all_different;
  all_different.repeating_block_limit = 1;
  EXPECT_EQ(refusal(all_different, 10), "");
  EXPECT_THAT(refusal(all_different, 11), HasSubstr("no identifier of 11 symbols was found"));

  rule_set no_digit;
  for (char c = '0'; c <= '9'; ++c) no_digit.restricted_numbers.emplace_back(1, c);
  EXPECT_THAT(refusal(no_digit), HasSubstr("no identifier of 10 symbols was found"));
}

} // namespace
} // namespace matricula::identifiers
