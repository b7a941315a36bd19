#include "api/target.hpp"

#include <gtest/gtest.h>

namespace matricula::api {
namespace {

TEST(target, decodes_escapes_and_leaves_plain_text_alone) {
  EXPECT_EQ(percent_decode("abc-1.2~x").value(), "abc-1.2~x");
  EXPECT_EQ(percent_decode("a%20b%2Fc%c3%A4").value(), "a b/c\xc3\xa4");
  EXPECT_EQ(percent_decode("a+b").value(), "a+b");
  EXPECT_EQ(percent_decode("a+b", true).value(), "a b");
}

TEST(target, refuses_what_has_no_single_meaning) {
  for (const auto* text : {"%", "%4", "%zz", "a%2", "%00", "%0a", "%7f", "%c3", "%ed%a0%80", "%c0%af", "%fe"}) {
    const auto decoded = percent_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().status, 400) << text;
  }
}

TEST(target, splits_a_path_into_segments) {
  EXPECT_TRUE(path_segments("/").value().empty());
  EXPECT_EQ(path_segments("/v1/ids/uin").value(), (std::vector<std::string_view>{"v1", "ids", "uin"}));
}

TEST(target, refuses_paths_that_a_proxy_may_read_differently) {
  for (const auto* path : {"", "v1", "//", "/v1//ids", "/v1/ids/", "/v1/./ids", "/v1/../ids", "/.."})
    EXPECT_FALSE(path_segments(path)) << path;
  std::string deep;
  for (int i = 0; i < 33; ++i) deep += "/a";
  EXPECT_FALSE(path_segments(deep));
}

TEST(target, reads_a_query) {
  const auto query = parse_query("a=1&b=x%20y+z&c&d=").value();
  EXPECT_EQ(query, (name_values{{"a", "1"}, {"b", "x y z"}, {"c", ""}, {"d", ""}}));
  EXPECT_TRUE(parse_query("").value().empty());
}

TEST(target, refuses_a_query_with_a_repeated_or_missing_name) {
  EXPECT_FALSE(parse_query("a=1&a=2"));
  EXPECT_FALSE(parse_query("a=1&%61=2"));
  EXPECT_FALSE(parse_query("=1"));
  EXPECT_FALSE(parse_query("a=1&&b=2"));
  EXPECT_FALSE(parse_query("a=%zz"));
  std::string many;
  for (int i = 0; i < 33; ++i) many += "p" + std::to_string(i) + "=1&";
  EXPECT_FALSE(parse_query(many));
}

} // namespace
} // namespace matricula::api
