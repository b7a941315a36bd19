#include "config/reload.hpp"
#include "config/report.hpp"
#include "config/schema.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

namespace matricula::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(reload, of_the_same_settings_changes_nothing) {
  const auto plan = diff_reload(defaults(), defaults());
  EXPECT_THAT(plan.now, IsEmpty());
  EXPECT_THAT(plan.restart, IsEmpty());
  EXPECT_EQ(reload_report(plan), "nothing changed\n");
}

TEST(reload, tells_what_applies_at_once_from_what_needs_a_restart) {
  auto after = defaults();
  after.log.level = log::level::debug;
  after.server.requests_in_flight_max = 99;
  after.server.listen = "127.0.0.1:9090";
  after.identifiers.types.at("uin").pool_min = 77;
  after.identifiers.types.at("uin").length = 11;
  const auto plan = diff_reload(defaults(), after);
  EXPECT_THAT(plan.now, ElementsAre(changed_setting{"server.requests_in_flight_max", "512", "99"},
                                    changed_setting{"log.level", "\"info\"", "\"debug\""},
                                    changed_setting{"identifiers.types.uin.pool_min", "20000", "77"}));
  EXPECT_THAT(plan.restart, ElementsAre(changed_setting{"server.listen", "\"127.0.0.1:8080\"", "\"127.0.0.1:9090\""},
                                        changed_setting{"identifiers.types.uin.length", "10", "11"}));
  EXPECT_EQ(reload_report(plan), "server.requests_in_flight_max: 512 -> 99 (in effect)\n"
                                 "log.level: \"info\" -> \"debug\" (in effect)\n"
                                 "identifiers.types.uin.pool_min: 20000 -> 77 (in effect)\n"
                                 "server.listen: \"127.0.0.1:8080\" -> \"127.0.0.1:9090\" (after a restart)\n"
                                 "identifiers.types.uin.length: 10 -> 11 (after a restart)\n");
}

TEST(reload, leaves_new_and_removed_types_and_policies_to_a_restart) {
  auto after = defaults();
  after.identifiers.types.erase("prid");
  add_type(after, "school_id");
  after.vid_policies.policies.erase("temporary");
  after.vid_policies.policies.at("perpetual").instances_allowed = 2;
  EXPECT_THAT(diff_reload(defaults(), after).restart,
              ElementsAre(changed_setting{"identifiers.types.prid", "there", ""},
                          changed_setting{"identifiers.types.school_id", "", "there"},
                          changed_setting{"vid_policies.perpetual.instances_allowed", "1", "2"},
                          changed_setting{"vid_policies.temporary", "there", ""}));
}

TEST(reload, does_not_show_a_changed_secret) {
  auto after = defaults();
  after.identifiers.key = std::string(64, 'f');
  EXPECT_THAT(diff_reload(defaults(), after).restart,
              ElementsAre(changed_setting{"identifiers.key", "\"\"", "(not shown)"}));
}

TEST(reload, leaves_running_settings_that_differ_only_where_a_restart_is_needed) {
  auto fresh = one_of_each();
  for (const auto& row : schema())
    if (row.what == kind::integer) row.write(fresh, some_name(row), row.max - 1);
  fresh.log.format = log::format::json;
  fresh.identifiers.types.erase("prid");
  add_type(fresh, "school_id");
  const auto after = after_reload({defaults(), {}}, {fresh, {}}).values;
  EXPECT_THAT(diff_reload(after, fresh).now, IsEmpty());
  EXPECT_THAT(diff_reload(defaults(), after).restart, IsEmpty());
  EXPECT_EQ(after.server.request_deadline_ms, 599'999U);
  EXPECT_EQ(after.server.threads, 32U);
  EXPECT_EQ(after.log.format, log::format::text);
  EXPECT_TRUE(after.identifiers.types.contains("prid"));
  EXPECT_FALSE(after.identifiers.types.contains("school_id"));
}

TEST(reload, takes_over_where_a_setting_came_from_only_with_its_value) {
  const auto running =
      accepted(load_text("[server]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"debug\"\n"
                         "[identifiers]\nbatch_count_max = 7\n[identifiers.types.uin]\npool_min = 9\n"));
  const auto fresh = accepted(load_text("[identifiers.types.uin]\nlength = 11\n\npool_min = 9\n[server]\nthreads = 2\n",
                                        {{"MATRICULA_SERVER__LISTEN", "127.0.0.1:2"}}, {"log.level=error"}));
  const auto after = after_reload(running, fresh);
  const auto shown = [&](std::string_view key) { return to_string(after.origin_of(key)); };
  EXPECT_EQ(after.values.server.listen, "127.0.0.1:1");
  EXPECT_EQ(shown("server.listen"), "test.toml:2") << "beside the old value its old origin";
  EXPECT_EQ(shown("server.threads"), "default");
  EXPECT_EQ(shown("identifiers.types.uin.length"), "default");
  EXPECT_EQ(shown("log.level"), "--set log.level");
  EXPECT_EQ(shown("identifiers.batch_count_max"), "default") << "no longer in the file";
  EXPECT_EQ(shown("identifiers.types.uin.pool_min"), "test.toml:4");
}

TEST(reload, can_change_every_limit_of_requests_pools_and_what_is_kept) {
  std::vector<std::string_view> keys;
  for (const auto& row : schema())
    if (row.reloadable) keys.push_back(row.key);
  EXPECT_THAT(keys,
              ElementsAre("server.requests_in_flight_max", "server.body_bytes_max", "server.request_deadline_ms",
                          "server.drain_timeout_ms", "server.tls.certificate", "server.tls.key", "auth.jwt.issuer",
                          "auth.jwt.audience", "auth.jwt.leeway_s", "auth.jwt.name_claim", "auth.jwt.tenant_claim",
                          "auth.jwt.tenant", "auth.jwt.roles_claim", "auth.jwt.role_map", "log.level",
                          "dead_letters.per_actor_and_reason_max", "quotas.requests_per_s", "quotas.requests_burst",
                          "quotas.issued_per_min", "quotas.misses_per_min", "identifiers.batch_count_max",
                          "identifiers.capacity_warning_percent", "identifiers.capacity_critical_percent",
                          "identifiers.types.<type>.pool_min", "identifiers.types.<type>.pool_target"));
}

} // namespace
} // namespace matricula::config
