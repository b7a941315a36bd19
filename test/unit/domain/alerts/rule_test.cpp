#include "domain/alerts/rule.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>

namespace matricula::alerts {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<rule> some_rules() {
  return {{.name = "too_many",
           .reads = "failed",
           .how = severity::critical,
           .holds = above(10),
           .text = [](const reading& r) { return fmt::format("{} of {}", r.value, r.subject); }},
          {.name = "more_and_more",
           .reads = "failed",
           .holds = grown(),
           .text = [](const reading&) { return std::string("more"); },
           .quiet = milliseconds{7}},
          {.name = "too_few",
           .reads = "level",
           .holds = below(5),
           .text = [](const reading&) { return std::string("few"); },
           .after = milliseconds{9}}};
}

std::vector<std::string> shown(const std::vector<finding>& found) {
  std::vector<std::string> out;
  for (const auto& f : found)
    out.push_back(fmt::format("{} {} {}{}", f.rule, f.subject, f.holds ? "yes " : "no", f.text));
  return out;
}

TEST(alert_rules, are_applied_to_every_reading_of_their_name) {
  rule_book book(some_rules());
  const std::vector<reading> now{{"failed", "a", 11}, {"failed", "b", 10}, {"level", "", 4}, {"unknown", "a", 1}};
  const auto found = book.apply(now);
  EXPECT_THAT(shown(found), ElementsAre("too_many a yes 11 of a", "too_many b no", "too_few  yes few"));
  EXPECT_EQ(found[0].how, severity::critical);
  EXPECT_EQ(found[2].after, milliseconds{9});
}

TEST(alert_rules, of_growth_say_nothing_of_a_first_reading) {
  rule_book book(some_rules());
  const auto growth = [&](double value) {
    std::vector<std::string> out;
    const std::vector<reading> now{{"failed", "a", value}};
    for (const auto& f : book.apply(now))
      if (f.rule == "more_and_more") out.push_back(f.holds ? "yes" : "no");
    return out;
  };
  EXPECT_THAT(growth(3), IsEmpty());
  EXPECT_THAT(growth(4), ElementsAre("yes"));
  EXPECT_THAT(growth(4), ElementsAre("no"));
  EXPECT_THAT(growth(1), ElementsAre("no")) << "some were retried";
  EXPECT_THAT(growth(2), ElementsAre("yes"));
  EXPECT_THAT(book.apply({}), IsEmpty());
  EXPECT_THAT(growth(9), IsEmpty()) << "nobody knows what was between";
}

TEST(alert_rules, pass_over_what_is_no_number) {
  rule_book book(some_rules());
  const std::vector<reading> odd{{"failed", "a", std::numeric_limits<double>::quiet_NaN()},
                                 {"failed", "b", std::numeric_limits<double>::infinity()}};
  EXPECT_THAT(book.apply(odd), IsEmpty());
}

} // namespace
} // namespace matricula::alerts
