#include "domain/identifiers/checksum.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace matricula::identifiers {
namespace {

using namespace std::string_literals;

TEST(checksum, gives_the_published_digits) {
  const std::pair<std::string, char> cases[] = {{"236", '3'},       {"12345", '1'},          {"0", '4'},
                                                {"9", '1'},         {"142857", '0'},         {"201302380", '5'},
                                                {"302938475", '6'}, {"7512430132862", '0'},  {"999999999", '0'},
                                                {"796472941", '8'}, {"537184361359820", '6'}};
  for (const auto& [body, digit] : cases) {
    EXPECT_EQ(check_digit(body), digit) << body;
    EXPECT_TRUE(has_valid_check_digit(body + digit)) << body;
  }
}

TEST(checksum, accepts_exactly_one_last_digit) {
  for (int body = 0; body < 1000; ++body) {
    int accepted = 0;
    for (char last = '0'; last <= '9'; ++last) accepted += has_valid_check_digit(std::to_string(body) + last) ? 1 : 0;
    EXPECT_EQ(accepted, 1) << body;
  }
}

TEST(checksum, catches_every_single_digit_change_and_every_adjacent_swap) {
  for (const auto& id : {"7964729418"s, "2363"s, "5164721753769035"s}) {
    ASSERT_TRUE(has_valid_check_digit(id));
    for (std::size_t i = 0; i < id.size(); ++i) {
      for (char other = '0'; other <= '9'; ++other) {
        auto changed = id;
        changed[i] = other;
        EXPECT_EQ(has_valid_check_digit(changed), other == id[i]) << changed;
      }
      if (i + 1 == id.size() || id[i] == id[i + 1]) continue;
      auto swapped = id;
      std::swap(swapped[i], swapped[i + 1]);
      EXPECT_FALSE(has_valid_check_digit(swapped)) << swapped;
    }
  }
}

TEST(checksum, refuses_what_is_not_two_to_thirty_two_ascii_digits) {
  const auto longest = std::string(31, '7');
  EXPECT_TRUE(has_valid_check_digit(longest + check_digit(longest)));
  for (const auto& id : {""s, "4"s, std::string(33, '0'), "23 63"s, "2363 "s, "-2363"s, "236\0"s, "2\0363"s, "23a3"s,
                         "\xd9\xa2\xd9\xa3\xd9\xa6\xd9\xa3"s, std::string(1 << 20, '0')})
    EXPECT_FALSE(has_valid_check_digit(id)) << id.substr(0, 40);
}

TEST(checksum_death_test, ends_the_process_when_asked_for_the_digit_of_a_bad_body) {
  EXPECT_DEATH((void)check_digit(""), "check_digit");
  EXPECT_DEATH((void)check_digit("12a4"), "check_digit");
  EXPECT_DEATH((void)check_digit(std::string(32, '1')), "check_digit");
}

} // namespace
} // namespace matricula::identifiers
