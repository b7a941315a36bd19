#include "api/json.hpp"

#include <gtest/gtest.h>

namespace matricula::api::json {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

struct refused {
  const char* name;
  std::string text;
  std::string_view says;
};

class json_refusal : public testing::TestWithParam<refused> {};

TEST_P(json_refusal, is_400_and_says_why) {
  const auto parsed = parse(GetParam().text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().status, 400);
  EXPECT_TRUE(parsed.error().cause.message.contains(GetParam().says)) << parsed.error().cause.message;
}

INSTANTIATE_TEST_SUITE_P(
    malformed, json_refusal,
    testing::Values(refused{"empty", "", "required"}, refused{"spaces", "   ", "required"},
                    refused{"cut", "{\"a\":", "not JSON"}, refused{"trailing", "{} x", "not JSON"},
                    refused{"two_values", "{}{}", "not JSON"}, refused{"single_quotes", "{'a':1}", "not JSON"},
                    refused{"comment", "{/**/}", "not JSON"}, refused{"trailing_comma", "[1,]", "not JSON"},
                    refused{"bad_utf8", "{\"a\":\"\xff\"}", "UTF-8"}, refused{"overlong", "\"\xc0\xaf\"", "UTF-8"},
                    refused{"encoded_surrogate", "\"\xed\xa0\x80\"", "UTF-8"},
                    refused{"lone_surrogate", R"("\ud800")", "escape"}, refused{"control", "\"a\nb\"", ""},
                    refused{"huge_number", "[123456789012345678901234567890]", "64 bits"},
                    refused{"infinite", "[1e999]", "64 bits"}, refused{"leading_zero", "[01]", ""},
                    refused{"duplicate", R"({"a":1,"b":2,"a":3})", "'a' twice"},
                    refused{"escaped_duplicate", R"({"a":1,"\u0061":3})", "'a' twice"},
                    refused{"deep_duplicate", R"([{"x":{"b":1,"b":1}}])", "'b' twice"},
                    refused{"too_deep", nested(depth_max + 1), "deep"},
                    refused{"far_too_deep", nested(100'000), "deep"}),
    [](const auto& about) { return about.param.name; });

TEST(json, reads_every_kind_of_value) {
  const auto parsed = parse(R"({"n":null,"t":true,"i":-9223372036854775808,"u":18446744073709551615,)"
                            R"("d":0.5,"s":"\u00e4\ud83d\ude00","a":[1,[2]],"o":{}})");
  ASSERT_TRUE(parsed) << parsed.error().cause.message;
  const auto& members = *parsed->as<value::object>();
  ASSERT_EQ(members.size(), 8u);
  EXPECT_TRUE(members[0].held.as<null>());
  EXPECT_TRUE(*members[1].held.as<bool>());
  EXPECT_EQ(*members[2].held.as<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(*members[3].held.as<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(*members[4].held.as<double>(), 0.5);
  EXPECT_EQ(*members[5].held.as<std::string>(), "\xc3\xa4\xf0\x9f\x98\x80");
  EXPECT_EQ(members[6].held.as<value::array>()->size(), 2u);
  EXPECT_TRUE(members[7].held.as<value::object>()->empty());
}

TEST(json, accepts_the_deepest_that_is_allowed_after_refusing_a_deeper_one) {
  EXPECT_FALSE(parse(nested(depth_max + 1)));
  EXPECT_TRUE(parse(nested(depth_max - 1)));
}

TEST(json, keeps_the_depth_bound_when_its_buffers_grow) {
  EXPECT_TRUE(parse("\"" + std::string(100'000, 'a') + "\""));
  EXPECT_FALSE(parse(nested(depth_max + 1)));
}

/// What `wrong` says after `read` has taken its fields from `text`; empty when nothing is.
template <class Read>
std::string says(std::string_view text, Read read, int status = 422) {
  fields body(text);
  read(body);
  const auto bad = body.wrong();
  if (!bad) return "";
  EXPECT_EQ(bad->status, status) << bad->cause.message;
  return bad->cause.message;
}

TEST(json_fields, gives_values_and_fallbacks) {
  fields body(R"({"count":5,"holder":"x","urgent":true,"until":"2030-01-31T12:00:00Z","nothing":null})");
  EXPECT_EQ(body.whole("count", {.least = 1, .most = 10}), 5);
  EXPECT_EQ(body.whole("absent", {.fallback = 7}), 7);
  EXPECT_EQ(body.optional_whole("absent_too", {}), std::nullopt);
  EXPECT_EQ(body.text("holder", {}), "x");
  EXPECT_EQ(body.optional_text("nothing", {}), std::nullopt) << "null is as good as absent";
  EXPECT_TRUE(body.yes_or_no("urgent", false));
  EXPECT_EQ(body.optional_time("until"), parse_rfc3339("2030-01-31T12:00:00Z").value());
  EXPECT_FALSE(body.wrong());
}

TEST(json_fields, names_the_field_that_is_wrong) {
  const auto count = [](fields& f) { (void)f.whole("count", {.least = 1, .most = 10}); };
  EXPECT_EQ(says(R"({"count":11})", count), "The field 'count' must be a whole number from 1 to 10.");
  EXPECT_EQ(says(R"({"count":0})", count), "The field 'count' must be a whole number from 1 to 10.");
  EXPECT_EQ(says(R"({"count":1.5})", count), "The field 'count' must be a whole number from 1 to 10.");
  EXPECT_EQ(says(R"({"count":"5"})", count), "The field 'count' must be a whole number from 1 to 10.");
  EXPECT_EQ(says(R"({"count":18446744073709551615})", count), "The field 'count' must be a whole number from 1 to 10.");
  EXPECT_EQ(says("{}", count), "The field 'count' is required.");
  const auto name = [](fields& f) { (void)f.text("name", {.bytes_min = 2, .bytes_max = 3}); };
  EXPECT_EQ(says(R"({"name":"a"})", name), "The field 'name' must have from 2 to 3 bytes.");
  EXPECT_EQ(says(R"({"name":"abcd"})", name), "The field 'name' must have from 2 to 3 bytes.");
  EXPECT_EQ(says(R"({"name":5})", name), "The field 'name' must be a string.");
  EXPECT_EQ(says(R"({"name":"a\u0000"})", name), "The field 'name' must have no control characters.");
  EXPECT_EQ(says("{}", name), "The field 'name' is required.");
  EXPECT_EQ(says(R"({"x":1})", [](fields& f) { (void)f.yes_or_no("x", false); }),
            "The field 'x' must be true or false.");
  EXPECT_TRUE(
      says(R"({"x":"2030-02-30T00:00:00Z"})", [](fields& f) { (void)f.optional_time("x"); }).contains("RFC 3339"));
}

TEST(json_fields, refuses_unknown_fields_and_lists_the_known_ones) {
  const auto read = [](fields& f) {
    (void)f.optional_whole("count", {});
    (void)f.optional_text("holder", {});
  };
  EXPECT_EQ(says(R"({"count":1,"cuont":1})", read), "The field 'cuont' is not known here. Known: count, holder.");
}

TEST(json_fields, keeps_the_first_thing_that_is_wrong) {
  EXPECT_TRUE(says(R"({"a":"x","b":"y"})", [](fields& f) {
                (void)f.whole("a", {});
                (void)f.whole("b", {});
              }).contains("'a'"));
}

TEST(json_fields, needs_an_object) {
  EXPECT_EQ(says("[]", [](fields&) {}, 400), "The body must be a JSON object.");
  EXPECT_EQ(says("", [](fields&) {}, 400), "A JSON body is required.");
  EXPECT_FALSE(fields("", fields::empty_body::allowed).wrong());
}

TEST(json_fields, puts_the_path_before_nested_names) {
  fields body(R"({"details":{"name":1}})");
  fields details(*body.any("details"), "details.");
  (void)details.text("name", {});
  EXPECT_EQ(details.wrong()->cause.message, "The field 'details.name' must be a string.");
  const value not_an_object{std::int64_t{1}};
  EXPECT_EQ(fields(not_an_object, "details.").wrong()->cause.message, "The field 'details' must be an object.");
}

} // namespace
} // namespace matricula::api::json
