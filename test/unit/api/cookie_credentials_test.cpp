#include "api/cookie_credentials.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gtest/gtest.h>

namespace matricula::api {
namespace {

TEST(cookie_token, is_the_value_of_the_cookie_authorization) {
  const std::pair<const char*, const char*> table[] = {
      {"Authorization=abc", "abc"},     {"Authorization=a.b-c_d=", "a.b-c_d="}, {"x=y; Authorization=abc; z=1", "abc"},
      {"x=y;Authorization=abc", "abc"}, {" \tAuthorization=abc\t ", "abc"},     {"Authorization=\"abc\"", "abc"},
      {"Authorization=abc;", "abc"},    {";;Authorization=abc;;", "abc"},       {"junk; Authorization=abc", "abc"},
  };
  for (const auto& [cookies, token] : table) EXPECT_EQ(cookie_token(cookies), token) << cookies;
}

TEST(cookie_token, is_nothing_where_it_is_missing_empty_doubled_or_odd) {
  for (const std::string_view cookies :
       {"", ";", "=", "Authorization", "Authorization=", "Authorization=\"\"", "authorization=abc",
        "AuthorizationX=abc", "X=Authorization=abc", "Authorization =abc", "Authorization=a b", "Authorization=a,b",
        "Authorization=a\"b", "Authorization=a\\b", "Authorization=\"abc", "Authorization=a; Authorization=a",
        "Authorization=\xc3\xa4"})
    EXPECT_FALSE(cookie_token(cookies)) << cookies;
}

TEST(cookie_credentials, stand_for_a_bearer_token_where_the_client_sent_no_credentials) {
  request_from_text with_cookie("GET", "/x", {{"Cookie", "Authorization=abc"}, {"Host", "h"}});
  const with_cookie_credentials seen(with_cookie, true);
  EXPECT_EQ(seen.header("Authorization"), "Bearer abc");
  EXPECT_EQ(seen.header("aUTHORIZATION"), "Bearer abc");
  EXPECT_EQ(seen.header("Host"), "h");
  EXPECT_EQ(seen.target(), "/x");
  const with_cookie_credentials not_counted(with_cookie, false);
  EXPECT_TRUE(not_counted.header("Authorization").empty());
  request_from_text both("GET", "/x", {{"Cookie", "Authorization=abc"}, {"Authorization", "Bearer own"}});
  EXPECT_EQ(with_cookie_credentials(both, true).header("Authorization"), "Bearer own");
}

} // namespace
} // namespace matricula::api
