#include "api/router.hpp"

#include <gtest/gtest.h>

namespace matricula::api {
namespace {

class router_test : public testing::Test {
protected:
  router_test() {
    std::size_t index = 0;
    for (const auto& [method, path] : table) EXPECT_TRUE(routes.add(method, path, index++)) << path;
  }
  /// "GET /path" of the route that matches, then its parameters; or the status of the refusal.
  [[nodiscard]] std::string find(std::string_view method, std::string_view path) const {
    const auto match = routes.find(method, path);
    if (!match) return std::to_string(match.error().status);
    std::string text = table[match->index].first + " " + table[match->index].second;
    for (const auto& [name, value] : match->params) text.append(" ").append(name).append("=").append(value);
    return text;
  }

  const std::vector<std::pair<std::string, std::string>> table = {
      {"GET", "/"},
      {"GET", "/v1/ids"},
      {"GET", "/v1/ids/{type}"},
      {"POST", "/v1/ids/{type}"},
      {"GET", "/v1/ids/{type}/unconfirmed"},
      {"GET", "/v1/ids/{type}/{id}"},
      {"POST", "/v1/ids/{type}/{id}/confirm"},
      {"DELETE", "/v1/ids/special"},
      {"GET", "/v1/actors"},
      {"GET", "/v1/actors/{path...}"},
      {"POST", "/v1/actors/{path...}/restart"},
  };
  router routes;
};

TEST_F(router_test, finds_literals_and_parameters) {
  EXPECT_EQ(find("GET", "/"), "GET /");
  EXPECT_EQ(find("GET", "/v1/ids"), "GET /v1/ids");
  EXPECT_EQ(find("GET", "/v1/ids/uin"), "GET /v1/ids/{type} type=uin");
  EXPECT_EQ(find("POST", "/v1/ids/uin/123/confirm"), "POST /v1/ids/{type}/{id}/confirm type=uin id=123");
}

TEST_F(router_test, prefers_a_literal_and_falls_back_to_a_parameter) {
  EXPECT_EQ(find("GET", "/v1/ids/uin/unconfirmed"), "GET /v1/ids/{type}/unconfirmed type=uin");
  EXPECT_EQ(find("GET", "/v1/ids/uin/unconfirmed2"), "GET /v1/ids/{type}/{id} type=uin id=unconfirmed2");
  EXPECT_EQ(find("DELETE", "/v1/ids/special"), "DELETE /v1/ids/special");
  EXPECT_EQ(find("GET", "/v1/ids/special"), "GET /v1/ids/{type} type=special");
  EXPECT_EQ(find("GET", "/v1/ids/special/1"), "GET /v1/ids/{type}/{id} type=special id=1");
}

TEST_F(router_test, a_rest_parameter_takes_slashes_and_one_literal_may_follow) {
  EXPECT_EQ(find("GET", "/v1/actors/root/domain/uin"), "GET /v1/actors/{path...} path=root/domain/uin");
  EXPECT_EQ(find("POST", "/v1/actors/root/uin/restart"), "POST /v1/actors/{path...}/restart path=root/uin");
  EXPECT_EQ(find("GET", "/v1/actors/root/restart"), "GET /v1/actors/{path...} path=root/restart");
  EXPECT_EQ(find("POST", "/v1/actors/restart"), "405");
}

TEST_F(router_test, decodes_parameters) {
  EXPECT_EQ(find("GET", "/v1/ids/a%2Fb"), "GET /v1/ids/{type} type=a/b");
  EXPECT_EQ(find("GET", "/v1/actors/a%20b/c"), "GET /v1/actors/{path...} path=a b/c");
  EXPECT_EQ(find("GET", "/v1/ids/%zz"), "400");
  EXPECT_EQ(find("GET", "/v1/%69ds"), "404") << "literals are compared as they are sent";
}

TEST_F(router_test, serves_head_by_get) { EXPECT_EQ(find("HEAD", "/v1/ids"), "GET /v1/ids"); }

TEST_F(router_test, tells_unknown_paths_from_methods_that_are_not_served) {
  EXPECT_EQ(find("GET", "/v1/nothing"), "404");
  EXPECT_EQ(find("GET", "/v1/ids/uin/1/confirm/x"), "404");
  EXPECT_EQ(find("GET", "/v1/ids/"), "404");
  const auto refused = routes.find("DELETE", "/v1/ids/uin");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 405);
  ASSERT_EQ(refused.error().headers.size(), 1u);
  EXPECT_EQ(refused.error().headers[0].name, "Allow");
  EXPECT_EQ(refused.error().headers[0].value, "GET, HEAD, POST");
}

TEST(router, refuses_two_routes_of_one_shape) {
  router routes;
  ASSERT_TRUE(routes.add("GET", "/a/{x}", 0));
  EXPECT_TRUE(routes.add("POST", "/a/{y}", 1));
  const auto again = routes.add("GET", "/a/{other}", 2);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::conflict);
}

TEST(router, refuses_malformed_templates) {
  router routes;
  for (const auto* path : {"a", "/a/", "/{}", "/{a}/{a}", "/x{a}", "/{a...}/b/c", "/{a...}/{b}", "/{a...}/{b...}"})
    EXPECT_FALSE(routes.add("GET", path, 0)) << path;
}

} // namespace
} // namespace matricula::api
