#include "domain/identifiers/body_codec.hpp"
#include "domain/identifiers/profiles.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace matricula::identifiers {
namespace {

std::string text_of(const body_codec& codec, halves number) {
  std::array<char, 32> text{};
  return codec.write(number, text.data()) ? std::string(text.data(), codec.length()) : "";
}

TEST(body_codec, counts_bodies_in_ascending_order) {
  for (std::size_t length = 2; length <= 6; ++length) {
    const body_codec codec({alphabet::digits, length, {}});
    const auto low = codec.sizes().low;
    for (std::uint64_t n = 0; n < codec.sizes().high * low; ++n) {
      const halves number{n / low, n % low};
      auto expected = std::to_string(n);
      expected.insert(0, length - expected.size(), '0');
      ASSERT_EQ(text_of(codec, number), expected);
      ASSERT_EQ(codec.read(expected), number);
    }
  }
}

TEST(body_codec, counts_only_first_symbols_that_are_allowed) {
  rule_set rules;
  rules.not_start_with = {"0", "3", "45"};
  rules.check_digit = true;
  const body_codec codec({alphabet::digits, 6, rules});
  EXPECT_EQ(codec.length(), 5U);
  EXPECT_EQ(codec.sizes(), (halves{800, 100}));
  EXPECT_EQ(text_of(codec, {0, 0}), "10000");
  EXPECT_EQ(text_of(codec, {200, 7}), "40007");
  EXPECT_EQ(text_of(codec, {799, 99}), "99999");
  EXPECT_EQ(codec.read("40007"), (halves{200, 7}));
  EXPECT_FALSE(codec.read("30007"));
  EXPECT_FALSE(codec.read("4000"));
  EXPECT_FALSE(codec.read("400A7"));
}

TEST(body_codec, reads_back_what_it_writes_at_every_length_and_in_both_alphabets) {
  for (const auto written_in : {alphabet::digits, alphabet::letters_and_digits})
    for (std::size_t length = 2; length <= length_max(written_in); ++length) {
      const body_codec codec({written_in, length, {}});
      const auto [high, low] = codec.sizes();
      for (const halves number :
           {halves{0, 0}, {high - 1, low - 1}, {high / 3, low / 7}, {high - 1, 0}, {0, low - 1}}) {
        const auto text = text_of(codec, number);
        ASSERT_EQ(text.size(), length);
        ASSERT_TRUE(is_written_in(written_in, text)) << text;
        ASSERT_EQ(codec.read(text), number) << text;
      }
    }
}

TEST(body_codec, gives_up_only_on_bodies_that_break_a_rule) {
  const auto rules = find_profile("strict").value();
  const body_codec codec({alphabet::digits, 7, rules});
  const auto low = codec.sizes().low;
  std::size_t given_up = 0;
  for (std::uint64_t n = 0; n < codec.sizes().high * low; n += 7) {
    if (!text_of(codec, {n / low, n % low}).empty()) continue;
    ++given_up;
    ASSERT_FALSE(accepts_part(rules, std::to_string(200000 + n))) << n;
  }
  EXPECT_GT(given_up, 50'000U);
}

} // namespace
} // namespace matricula::identifiers
