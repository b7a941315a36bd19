#include "connectors/shown_text.hpp"

#include <gtest/gtest.h>

namespace matricula::connectors {

TEST(shown_text, is_one_short_line_without_identifiers) {
  EXPECT_EQ(shown_text("fine, 12345 times", 100), "fine, 12345 times");
  EXPECT_EQ(shown_text("UIN 4920546943 is not there", 100), "UIN (digits) is not there");
  EXPECT_EQ(shown_text("a\r\nb\tc\x01\xc3\xa9", 100), "a  b c???");
  EXPECT_EQ(shown_text(std::string(101, 'x'), 100), std::string(97, 'x') + "...");
  EXPECT_EQ(shown_text(std::string(100, 'x'), 100), std::string(100, 'x'));
  EXPECT_EQ(shown_text("4920546943", 4), "(...");
  EXPECT_EQ(shown_text("long", 2), "..");
  EXPECT_EQ(shown_text("", 10), "");
}

} // namespace matricula::connectors
