#include "connectors/spring_document.hpp"

#include <gtest/gtest.h>

namespace matricula::connectors {
namespace {

properties parsed(std::string_view text) {
  auto all = parse_spring_document(text);
  EXPECT_TRUE(all) << all.error().message;
  return all.value_or(properties{});
}

/// What `name` is after its placeholders were put in.
std::string resolved(const properties& all, std::string_view name) {
  const auto value = resolve(all, name);
  if (!value) return "refused: " + value.error().message;
  return *value ? **value : "(absent)";
}

} // namespace

TEST(spring_document, gives_the_first_source_that_has_a_key) {
  // As a server answers for kernel/env/develop: the profile's file, then the application's, then everybody's.
  const auto all = parsed(R"({"name":"kernel","profiles":["env"],"label":"develop","version":"5f1c","state":null,
    "propertySources":[
      {"name":"https://git.example/mosip-config/kernel-env.properties","source":{"a":"1","b":"x"}},
      {"name":"https://git.example/mosip-config/kernel-default.properties","source":{"a":"2","c":"3"}},
      {"name":"https://git.example/mosip-config/application-default.properties","source":{"c":"4","d":"5"}}]})");
  EXPECT_EQ(all, (properties{{"a", "1"}, {"b", "x"}, {"c", "3"}, {"d", "5"}}));
}

TEST(spring_document, takes_numbers_and_booleans_as_text_and_leaves_the_rest_out) {
  const auto all = parsed(R"({"propertySources":[{"source":
    {"n":200000,"big":18446744073709551615,"minus":-5,"yes":true,"half":1.5,"none":null,"list":[1],"o":{"x":1}}}]})");
  EXPECT_EQ(all,
            (properties{
                {"n", "200000"}, {"big", "18446744073709551615"}, {"minus", "-5"}, {"yes", "true"}, {"half", "1.5"}}));
}

TEST(spring_document, without_sources_says_nothing) { EXPECT_TRUE(parsed(R"({"propertySources":[]})").empty()); }

TEST(spring_document, is_refused_when_it_is_none) {
  for (const std::string text : {"", "x", "[]", "{}", "null", R"({"propertySources":{}})", R"({"propertySources":[1]})",
                                 R"({"propertySources":[{"name":"x"}]})", R"({"propertySources":[{"source":[]}]})",
                                 "{\"propertySources\":[\xff]}", "<html>404</html>"}) {
    const auto refused = parse_spring_document(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, errc::invalid_argument) << text;
  }
  EXPECT_FALSE(parse_spring_document(std::string(document_bytes_max + 1, ' ')));
}

TEST(placeholders, are_put_in_with_their_defaults) {
  const properties all{{"plain", "5"},
                       {"whole", "${plain}"},
                       {"inside", "a${plain}b${plain}c"},
                       {"default", "${absent:7}"},
                       {"unused", "${plain:7}"},
                       {"empty", "${absent:}"},
                       {"nested", "${absent:${other:${plain}}}"},
                       {"colon", "${absent:http://host:80/}"}};
  EXPECT_EQ(resolved(all, "plain"), "5");
  EXPECT_EQ(resolved(all, "whole"), "5");
  EXPECT_EQ(resolved(all, "inside"), "a5b5c");
  EXPECT_EQ(resolved(all, "default"), "7");
  EXPECT_EQ(resolved(all, "unused"), "5");
  EXPECT_EQ(resolved(all, "empty"), "");
  EXPECT_EQ(resolved(all, "nested"), "5");
  EXPECT_EQ(resolved(all, "colon"), "http://host:80/");
  EXPECT_EQ(resolved(all, "absent"), "(absent)");
}

TEST(placeholders, that_lead_nowhere_are_refused) {
  properties all{{"circle", "${circle}"}, {"a", "${b}"}, {"b", "${a}"}, {"open", "${plain"}, {"absent", "${nothing}"}};
  for (const auto* name : {"circle", "a", "open", "absent"})
    EXPECT_TRUE(resolved(all, name).starts_with("refused: ")) << name << " " << resolved(all, name);
  // A value that doubles at every step is cut off.
  all["x0"] = std::string(2000, 'x');
  for (int i = 1; i < 8; ++i) {
    const auto before = "${x" + std::to_string(i - 1) + "}";
    all["x" + std::to_string(i)] = before + before;
  }
  EXPECT_TRUE(resolved(all, "x7").starts_with("refused: "));
  // As is one that only takes for ever.
  all["y0"] = "";
  for (int i = 1; i < 8; ++i) {
    auto& many = all["y" + std::to_string(i)];
    for (int n = 0; n < 100; ++n) many += "${y" + std::to_string(i - 1) + "}";
  }
  EXPECT_TRUE(resolved(all, "y7").starts_with("refused: "));
  all["long"] = std::string(5'000, 'x');
  EXPECT_TRUE(resolved(all, "long").starts_with("refused: "));
}

} // namespace matricula::connectors
