#include "domain/identifiers/capacity.hpp"
#include "domain/identifiers/enumeration.hpp"
#include "domain/identifiers/profiles.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace matricula::identifiers {
namespace {

id_format digits(std::string_view profile, std::size_t length) {
  return {alphabet::digits, length, find_profile(profile).value()};
}

TEST(capacity, is_exact_for_small_spaces) {
  EXPECT_EQ(exact_capacity(digits("openg2p", 4)), 465U);
  EXPECT_EQ(exact_capacity(digits("openg2p", 5)), 3'723U);
  EXPECT_EQ(exact_capacity(digits("openg2p", 6)), 29'593U);
  EXPECT_EQ(exact_capacity(digits("openg2p", 7)), 231'359U);
  EXPECT_EQ(exact_capacity(digits("mosip-uin", 6)), 22'268U);
  EXPECT_EQ(exact_capacity(digits("mosip-uin", 7)), 161'750U);
  EXPECT_EQ(exact_capacity(digits("mosip-vid", 6)), 25'799U);
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
