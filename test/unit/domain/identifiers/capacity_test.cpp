#include "domain/identifiers/capacity.hpp"
#include "domain/identifiers/enumeration.hpp"
#include "domain/identifiers/profiles.hpp"
#include "domain/identifiers/valid_count.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <string>
#include <vector>

namespace matricula::identifiers {
namespace {

id_format digits(std::string_view profile, std::size_t length) {
  return {alphabet::digits, length, find_profile(profile).value()};
}

struct counted_space {
  const char* profile;
  std::size_t length;
  std::uint64_t valid;
};
void expect_counts(std::initializer_list<counted_space> table) {
  for (const auto& [profile, length, valid] : table)
    EXPECT_EQ(count_valid(digits(profile, length)), valid) << profile << " " << length;
}

TEST(capacity, is_exact_where_it_can_be_counted) {
  expect_counts({{"openg2p", 4, 465},
                 {"openg2p", 5, 3'723},
                 {"openg2p", 6, 29'593},
                 {"openg2p", 7, 231'359},
                 {"openg2p", 8, 1'790'577},
                 {"mosip-uin", 6, 22'268},
                 {"mosip-uin", 7, 161'750},
                 {"mosip-uin", 8, 1'162'672},
                 {"mosip-vid", 6, 25'799},
                 {"mosip-vid", 8, 1'444'911}});
}

#ifndef __SANITIZE_ADDRESS__ // a minute's work there, of the same code
TEST(capacity, of_nine_and_ten_digits_is_exact) {
  expect_counts({{"openg2p", 9, 13'682'178}, {"mosip-uin", 9, 8'265'546}, {"mosip-vid", 9, 10'642'542}});
  expect_counts({{"openg2p", 10, 103'311'928}, {"mosip-uin", 10, 58'106'898}});
}
#endif

TEST(capacity, is_counted_as_the_rules_judge_whatever_they_are) {
  const auto by_the_rules = [](const id_format& format) {
    std::uint64_t count = 0;
    (void)enumerate(format, [&](std::string_view) { return ++count > 0; });
    return count;
  };
  for (const auto profile : profile_names())
    for (const std::size_t length : {2U, 3U, 5U, 6U}) {
      const auto format = digits(profile, length);
      if (validate(format.rules, format.written_in, length)) {
        EXPECT_EQ(count_valid(format), by_the_rules(format)) << profile << " " << length;
      }
      const id_format letters{alphabet::letters_and_digits, length, format.rules};
      if (length < 6 && validate(letters.rules, letters.written_in, length)) {
        EXPECT_EQ(count_valid(letters), by_the_rules(letters)) << profile << " letters " << length;
      }
    }
  seeded_random random(3);
  for (int i = 0; i < 200; ++i) {
    rule_set rules;
    const auto up_to = [&](unsigned most) { return static_cast<unsigned>(random.below(most + 1)); };
    if (random.below(2) == 0) rules.not_start_with = {"0", "12", "345"};
    rules.sequence_limit = up_to(3) + 1;
    if (rules.sequence_limit == 1) rules.sequence_limit = 0;
    rules.sequence_wraps = random.below(2) == 0;
    rules.repeating = static_cast<repeating_kind>(random.below(3));
    rules.repeating_limit = up_to(2) + (rules.repeating == repeating_kind::below_limit ? 2 : 0);
    rules.repeating_block_limit = up_to(3);
    rules.conjugative_even_digits_limit = up_to(3);
    rules.zero_counts_as_even = random.below(2) == 0;
    rules.digits_limit = up_to(3);
    rules.reverse_digits_limit = up_to(3);
    rules.groups_may_overlap = random.below(2) == 0;
    if (random.below(2) == 0) rules.restricted_numbers = {"7", "86", "1934"};
    rules.cyclic_numbers = true;
    rules.check_digit = random.below(4) != 0;
    const id_format format{alphabet::digits, 4 + random.below(2), rules};
    if (!validate(rules, format.written_in, format.length)) continue;
    EXPECT_EQ(count_valid(format), by_the_rules(format)) << i;
  }
  EXPECT_EQ(count_valid(digits("mosip-uin", 7)), by_the_rules(digits("mosip-uin", 7))) << "142857 fits in";
}

TEST(capacity, stops_counting_when_it_is_told_to) {
  const std::atomic<bool> stop{true};
  EXPECT_EQ(count_valid(digits("mosip-vid", 16), &stop), std::nullopt);
}

TEST(capacity, is_not_counted_beyond_the_bound) {
  EXPECT_EQ(raw_size(digits("openg2p", 5)), 80'00U);
  EXPECT_TRUE(exact_capacity(digits("openg2p", 5), 8'000));
  EXPECT_FALSE(exact_capacity(digits("openg2p", 5), 7'999));
  EXPECT_FALSE(exact_capacity(digits("openg2p", 10)));
}

TEST(capacity, of_large_spaces_is_estimated_within_its_error) {
  struct space {
    id_format format;
    double exact;
  };
  // Counted exactly, once, by enumerate().
  const space cases[] = {{digits("mosip-uin", 10), 58'106'898},
                         {digits("openg2p", 10), 103'311'928},
                         {digits("mosip-uin", 9), 8'265'546},
                         {digits("mosip-vid", 9), 10'642'542}};
  seeded_random random(11);
  for (const auto& c : cases) {
    const auto estimate = estimate_capacity(c.format, random, 4'000);
    EXPECT_FALSE(estimate.exact);
    EXPECT_GT(estimate.standard_error, 0);
    EXPECT_LT(estimate.standard_error, 0.02 * c.exact);
    EXPECT_NEAR(estimate.value, c.exact, 4 * estimate.standard_error);
  }
}

TEST(capacity, of_small_spaces_is_estimated_exactly) {
  seeded_random random(1);
  const auto estimate = estimate_capacity(digits("openg2p", 6), random);
  EXPECT_TRUE(estimate.exact);
  EXPECT_EQ(estimate.value, 29'593);
  EXPECT_EQ(estimate.standard_error, 0);
}

TEST(capacity, is_found_where_hardly_any_raw_number_is_valid) {
  seeded_random random(5);
  const auto estimate = estimate_capacity(digits("strict", 32), random, 200);
  EXPECT_GT(estimate.value, 1e24);
  EXPECT_LT(estimate.value, 5e24);
}

TEST(enumeration, visits_all_identifiers_in_ascending_order) {
  const auto format = digits("mosip-uin", 5);
  std::vector<std::string> seen;
  EXPECT_EQ(enumerate(format, [&](std::string_view id) { return seen.emplace_back(id), true; }),
            enumeration_end::complete);
  EXPECT_EQ(seen.size(), 3'020U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
  for (const auto& id : seen) EXPECT_TRUE(failed_rules(format.rules, alphabet::digits, 5, id).empty()) << id;
}

TEST(enumeration, stops_when_told_to_or_out_of_budget) {
  int visits = 0;
  EXPECT_EQ(enumerate(digits("openg2p", 5), [&](std::string_view) { return ++visits < 3; }), enumeration_end::stopped);
  EXPECT_EQ(visits, 3);
  EXPECT_EQ(enumerate(digits("openg2p", 5), [](std::string_view) { return true; }, 100), enumeration_end::over_budget);
}

} // namespace
} // namespace matricula::identifiers
