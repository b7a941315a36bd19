#include "api/json.hpp"
#include "api/json_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace matricula::api::json {
namespace {

TEST(json_writer, puts_commas_where_they_belong) {
  writer w;
  w.begin_object()
      .member("a", 1)
      .key("list")
      .begin_array()
      .value("x")
      .begin_object()
      .end_object()
      .begin_array()
      .end_array()
      .value(true)
      .null()
      .end_array()
      .member_if("absent", std::optional<int>{})
      .member_if("b", std::optional<int>{2})
      .key("raw")
      .raw("[1]")
      .end_object();
  EXPECT_EQ(w.str(), R"({"a":1,"list":["x",{},[],true,null],"b":2,"raw":[1]})");
}

TEST(json_writer, escapes_so_that_every_string_comes_back) {
  std::string all;
  for (int c = 1; c < 128; ++c) all.push_back(static_cast<char>(c));
  all.push_back('\0');
  all += "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
  writer w;
  w.value(all);
  const auto back = parse(w.str());
  ASSERT_TRUE(back) << w.str();
  EXPECT_EQ(*back->as<std::string>(), all);
}

TEST(json_writer, writes_utf8_whatever_it_is_given) {
  for (const auto* bad :
       {"\xff", "a\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98", "\xc0\xaf", "\xf4\x90\x80\x80"}) {
    writer w;
    w.value(std::string(bad) + "!");
    EXPECT_TRUE(is_utf8(w.str())) << w.str();
    EXPECT_TRUE(parse(w.str())) << w.str();
    EXPECT_TRUE(w.str().contains("\xef\xbf\xbd"));
  }
}

TEST(json_writer, writes_numbers_that_read_back_the_same) {
  for (const double d : {0.1, -0.0, 1e300, 5e-324, 1.0 / 3, 23456789012345678848.0, 1e15, 999999999999999.0}) {
    writer w;
    w.begin_array().value(d).end_array();
    const auto back = parse(w.str());
    ASSERT_TRUE(back) << w.str();
    const auto& item = back->as<value::array>()->front();
    const double read = item.as<double>() ? *item.as<double>() : static_cast<double>(*item.as<std::int64_t>());
    EXPECT_EQ(read, d) << w.str();
  }
  writer w;
  w.begin_array()
      .value(std::numeric_limits<double>::infinity())
      .value(std::numeric_limits<double>::quiet_NaN())
      .value(std::numeric_limits<std::uint64_t>::max())
      .value(std::numeric_limits<std::int64_t>::min())
      .end_array();
  EXPECT_EQ(w.str(), "[null,null,18446744073709551615,-9223372036854775808]");
}

} // namespace
} // namespace matricula::api::json
