#include "domain/identifiers/alphabet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace matricula::identifiers {
namespace {

using namespace std::string_literals;

TEST(alphabet, is_found_by_its_exact_name) {
  for (const auto a : {alphabet::digits, alphabet::letters_and_digits}) EXPECT_EQ(parse_alphabet(to_string(a)), a);
  for (const auto& name : {""s, "Digits"s, " digits"s, "digits\0"s, "letters"s}) EXPECT_FALSE(parse_alphabet(name));
}

TEST(alphabet, lists_its_symbols_once_and_in_ascending_order) {
  for (const auto a : {alphabet::digits, alphabet::letters_and_digits}) {
    const auto all = symbols(a);
    EXPECT_EQ(all.size(), radix(a));
    EXPECT_TRUE(std::ranges::is_sorted(all));
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
    for (unsigned i = 0; i < all.size(); ++i) EXPECT_EQ(value_of(a, all[i]), i);
  }
}

TEST(alphabet, of_letters_and_digits_holds_no_look_alikes_and_no_vowels) {
  for (const std::string_view alike : {"0OQD", "1IL", "2Z", "5S", "8B", "UV"}) {
    const auto held =
        std::ranges::count_if(alike, [](char c) { return value_of(alphabet::letters_and_digits, c).has_value(); });
    EXPECT_LE(held, 1) << alike;
  }
  for (const char vowel : "AEIOUY"s) EXPECT_FALSE(value_of(alphabet::letters_and_digits, vowel)) << vowel;
}

TEST(alphabet, knows_no_other_byte) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    EXPECT_EQ(is_written_in(alphabet::digits, {&c, 1}), byte >= '0' && byte <= '9') << byte;
    EXPECT_EQ(is_written_in(alphabet::letters_and_digits, {&c, 1}),
              "23456789CFGHJMPQRVWX"s.find(c) != std::string::npos)
        << byte;
  }
  EXPECT_FALSE(is_written_in(alphabet::letters_and_digits, "cfg"));  // upper case only
  EXPECT_FALSE(is_written_in(alphabet::digits, "\xd9\xa1\xd9\xa2")); // Arabic-Indic digits
}

} // namespace
} // namespace matricula::identifiers
