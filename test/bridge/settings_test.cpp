// Bridges as a node has them: made from settings, stopped, and shown in /metrics.
#include "commands/bridges.hpp"
#include "test/bridge/bridge_world.hpp"
#include "test/support/node_process.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace matricula::test {
namespace {

using testing::HasSubstr;

deed give(std::string_view /*request*/, std::size_t /*n*/) { return deed::give; }

struct bridges_of_settings : testing::Test {
  config::bridge_settings settings() const {
    config::bridge_settings s;
    s.connection = world.server.connection();
    s.queue = "background_task";
    s.registrant_table = "res_partner";
    s.id_column = "unique_id";
    s.request_worker_type = "id_generation_request_worker";
    s.update_worker_type = "id_generation_update_worker";
    s.unknown_worker_types = "leave";
    s.generator = "local";
    s.id_type = "uin";
    s.workers = 3;
    s.batch_size = 4;
    s.poll_interval_ms = 20;
    s.lease_seconds = 60;
    s.max_attempts = 5;
    s.backoff_first_ms = 1;
    s.backoff_max_ms = 5;
    s.not_yet_ms = 5;
    s.statement_timeout_ms = 10'000;
    return s;
  }
  bridge_world world;
  counting_generator generator{world.files / "calls", give};
  system_clock time;
  static constexpr const char* timeline = "a1";
};

TEST_F(bridges_of_settings, work_report_and_stop) {
  config::settings all;
  all.bridges["openg2p"] = settings();
  all.bridges["old"] = settings();
  all.bridges["old"].enabled = false;
  std::string asked;
  auto started = commands::bridges::start(
      all, timeline, time, [&](std::string_view bridge, std::string_view name, std::string_view id_type) {
        asked += std::string(bridge) + ": " + std::string(name) + " for " + std::string(id_type);
        return &generator;
      });
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(asked, "openg2p: local for uin");
  world.add_registrants(30);
  ASSERT_TRUE(eventually([&] { return world.pending() == 0; })) << started->reports().front().problem;
  EXPECT_EQ(world.identifiers().size(), 30U);
  EXPECT_EQ(generator.calls(), 30U);
  ASSERT_EQ(started->reports().size(), 1U);
  const auto report = started->reports().front();
  EXPECT_EQ(report.name, "openg2p");
  EXPECT_TRUE(report.connected);
  EXPECT_EQ(report.did.identifiers_given, 30U);
  EXPECT_EQ(report.did.tasks_completed, 60U);

  metrics numbers;
  commands::publish_bridges(numbers, *started);
  commands::publish_bridges(numbers, *started);
  EXPECT_THAT(numbers.render(), HasSubstr("matricula_bridge_identifiers_given_total{bridge=\"openg2p\"} 30\n"));
  EXPECT_THAT(numbers.render(), HasSubstr("matricula_bridge_connected{bridge=\"openg2p\"} 1\n"));
  EXPECT_EQ(started->find("old"), nullptr);
  ASSERT_NE(started->find("openg2p"), nullptr);
  EXPECT_TRUE(started->find("openg2p")->doubts(0, 10)->empty());

  started->stop();
  world.add_registrant();
  EXPECT_EQ(world.pending(), 1) << "nobody works any more";
  EXPECT_EQ(world.number("SELECT count(*) FROM matricula.bridge_try WHERE owner IS NOT NULL"), 0);
}

TEST_F(bridges_of_settings, name_a_generator_that_there_is) {
  config::settings all;
  all.bridges["openg2p"] = settings();
  const auto started = commands::bridges::start(
      all, timeline, time,
      [](std::string_view, std::string_view, std::string_view) -> registrants::id_generator* { return nullptr; });
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "bridges.openg2p.generator: there is no generator local for the type uin.");
}

TEST_F(bridges_of_settings, read_their_password_from_a_file) {
  auto s = settings();
  s.password_file = (world.files / "password").string();
  const auto read = [&] { return commands::bridge_options_of("openg2p", s, timeline, time); };
  EXPECT_THAT(read().error().message, HasSubstr("No such file"));
  std::ofstream(s.password_file) << "\nsecond line";
  std::filesystem::permissions(s.password_file, std::filesystem::perms(0640));
  EXPECT_THAT(read().error().message, HasSubstr("may be read by others"));
  std::filesystem::permissions(s.password_file, std::filesystem::perms(0600));
  EXPECT_THAT(read().error().message, HasSubstr("has no first line"));
  std::ofstream(s.password_file) << "first word\r\nsecond line\n";
  EXPECT_EQ(read()->database.password, "first word");
}

TEST_F(bridges_of_settings, tell_the_pools_of_stores_and_bridges_from_each_other) {
  const auto name = [&](const std::string& bridge, const char* line) {
    return commands::bridge_options_of(bridge, settings(), line, time)->generator;
  };
  EXPECT_EQ(name("north", "a1"), "local/a1/north/uin");
  EXPECT_NE(name("north", "a1"), name("north", "b2"));
  EXPECT_NE(name("north", "a1"), name("south", "a1"));
  auto remote = settings();
  remote.generator = "mosip";
  EXPECT_EQ(commands::bridge_options_of("north", remote, "a1", time)->generator, "mosip")
      << "it is the same for every node";
}

TEST_F(bridges_of_settings, have_the_tables_of_their_generation) {
  auto s = settings();
  EXPECT_EQ(commands::bridge_options_of("openg2p", s, timeline, time)->tables.tasks, "g2p_que_background_task");
  s.queue = "id_generation";
  EXPECT_EQ(commands::bridge_options_of("openg2p", s, timeline, time)->tables.tasks, "g2p_que_id_generation");
  s.task_table = "registry.queue";
  EXPECT_EQ(commands::bridge_options_of("openg2p", s, timeline, time)->tables.tasks, "registry.queue");
}

} // namespace
} // namespace matricula::test
