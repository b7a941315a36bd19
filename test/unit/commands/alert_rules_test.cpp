// What a node's rules say of what it reads about its bridges.
#include "commands/alerts.hpp"
#include "domain/alerts/rule.hpp"

#include <gmock/gmock.h>

#include <map>

namespace matricula::commands {
namespace {

using testing::HasSubstr;

class no_generator final : public registrants::id_generator {
public:
  registrants::generator_answer issue(std::string_view /*request*/) override { return {}; }
  registrants::generator_answer confirm(std::string_view /*id*/) override { return {}; }
  [[nodiscard]] bool knows_requests() const noexcept override { return true; }
};

TEST(alert_rules, tell_a_bridge_that_cannot_work_for_a_minute) {
  alerts::rule_book rules(alert_rules(config::defaults()));
  const std::vector<alerts::reading> now{{"bridge_works", "north", 0}, {"bridge_works", "south", 1}};
  std::map<std::string, alerts::finding> found;
  for (auto& f : rules.apply(now))
    if (f.rule == "bridge_down") found.emplace(f.subject, f);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found.at("north").holds);
  EXPECT_EQ(found.at("north").after, std::chrono::seconds(60));
  EXPECT_THAT(found.at("north").text, HasSubstr("The bridge north cannot work"));
  EXPECT_FALSE(found.at("south").holds);
}

TEST(alert_rules, tell_what_is_tried_in_vain_and_a_bridge_that_is_behind) {
  auto s = config::defaults();
  s.alerts.queue_age_seconds_max = 60;
  const std::vector<alerts::reading> now{{"tasks_put_off_seconds", "id_generation_request_worker.mosip", 61},
                                         {"tasks_put_off_seconds", "mail", 59},
                                         {"bridge_oldest_pending_seconds", "north", 61}};
  const auto holding = [&] {
    std::map<std::string, std::string> found;
    alerts::rule_book rules(alert_rules(s));
    for (auto& f : rules.apply(now))
      if (f.holds) found.emplace(f.rule + " " + f.subject, f.text);
    return found;
  };
  const auto found = holding();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_THAT(found.at("tasks_put_off id_generation_request_worker.mosip"),
              HasSubstr("/v1/tasks?worker_type=id_generation_request_worker)"));
  EXPECT_THAT(found.at("bridge_behind north"), HasSubstr("PENDING for 61 s"));
  s.alerts.queue_age_seconds_max = 0;
  EXPECT_TRUE(holding().empty());
}

TEST(readings_of_bridges, say_nothing_of_calls_in_doubt_while_nobody_knows) {
  config::settings s;
  auto& north = s.bridges["north"];
  north.connection = "host=/nowhere dbname=openg2p";
  north.queue = "background_task";
  north.workers = 1;
  north.batch_size = 1;
  north.statement_timeout_ms = 1'000;
  const system_clock time;
  no_generator generator;
  auto started =
      bridges::start(s, "a1", time, [&](std::string_view, std::string_view, std::string_view) { return &generator; });
  ASSERT_TRUE(started) << started.error().message;
  std::vector<alerts::reading> to;
  readings_of_bridges([&] { return &*started; })(to);
  ASSERT_EQ(to.size(), 1U);
  EXPECT_EQ(to.front().name, "bridge_works");
  EXPECT_EQ(to.front().subject, "north");
  EXPECT_EQ(to.front().value, 0);
  readings_of_bridges([]() -> const bridges* { return nullptr; })(to);
  EXPECT_EQ(to.size(), 1U);
}

} // namespace
} // namespace matricula::commands
