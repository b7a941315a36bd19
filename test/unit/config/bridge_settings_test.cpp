// Settings of bridges: how they are said, and refused with the exact words.
#include "config/report.hpp"
#include "config/schema.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace matricula::config {
namespace {

struct bad_bridge {
  const char* what;
  std::string file;
  variables environment;
  std::string says;
};
void PrintTo(const bad_bridge& input, std::ostream* out) { *out << input.what; }
class bridge_settings_refused : public testing::TestWithParam<bad_bridge> {};

TEST_P(bridge_settings_refused, with_place_key_found_and_allowed) {
  const auto& given = GetParam();
  EXPECT_EQ(all_problems(load_text(given.file, given.environment, {})), given.says);
}

std::string with(const std::string& line) { return "[bridges.openg2p]\nconnection = 'dbname=g2p'\n" + line + "\n"; }

const std::vector<bad_bridge> cases{
    {"no_connection",
     "[bridges.openg2p]\nworkers = 2\n",
     {},
     "test.toml:1:10: bridges.openg2p.connection: missing; allowed: a text of 1 to 4096 bytes without control "
     "characters, which a new bridge must say"},
    {"password_in_a_file",
     with("password = 'x'"),
     {},
     "test.toml:3:12: bridges.openg2p.password: found a value in a file; allowed: only the environment variable "
     "MATRICULA_BRIDGES__OPENG2P__PASSWORD"},
    {"password_among_the_words",
     "[bridges.openg2p]\nconnection = 'dbname=g2p password = secret'\n",
     {},
     "test.toml:2:14: bridges.openg2p.connection: found a password (not shown); allowed: none here, but in "
     "bridges.openg2p.password_file or the environment variable MATRICULA_BRIDGES__OPENG2P__PASSWORD"},
    {"password_in_a_url",
     "[bridges.openg2p]\nconnection = 'postgresql://me:secret@db/g2p'\n",
     {},
     "test.toml:2:14: bridges.openg2p.connection: found a password (not shown); allowed: none here, but in "
     "bridges.openg2p.password_file or the environment variable MATRICULA_BRIDGES__OPENG2P__PASSWORD"},
    {"two_passwords",
     with("password_file = '/p'"),
     {{"MATRICULA_BRIDGES__OPENG2P__PASSWORD", "x"}},
     "test.toml:3:17: bridges.openg2p.password_file: found a file besides bridges.openg2p.password; allowed: one of "
     "the "
     "two"},
    {"a_table_that_is_none",
     with("task_table = 'g2p;drop table x'"),
     {},
     "test.toml:3:14: bridges.openg2p.task_table: found the text \"g2p;drop table x\"; allowed: NAME or SCHEMA.NAME of "
     "letters, digits and '_'"},
    {"a_column_that_is_none",
     with("id_column = 'public.unique_id'"),
     {},
     "test.toml:3:13: bridges.openg2p.id_column: found the text \"public.unique_id\"; allowed: a name of letters, "
     "digits "
     "and '_'"},
    {"unknown_queue",
     with("queue = 'celery'"),
     {},
     "test.toml:3:9: bridges.openg2p.queue: found the text \"celery\"; allowed: one of \"background_task\", "
     "\"id_generation\""},
    {"one_type_for_two_steps",
     with("update_worker_type = 'id_generation_request_worker'"),
     {},
     "test.toml:3:22: bridges.openg2p.update_worker_type: found the text \"id_generation_request_worker\"; allowed: "
     "not "
     "the same as request_worker_type"},
    {"cap_below_the_first_delay",
     with("backoff_max_ms = 999"),
     {},
     "test.toml:3:18: bridges.openg2p.backoff_max_ms: found the integer 999; allowed: not below backoff_first_ms = "
     "1000"},
    {"lease_that_a_call_outlives",
     "[generators.mosip]\nkind = 'mosip'\nurl = 'https://m/v1/idgenerator/uin'\ntimeout_ms = 50000\n" +
         with("generator = 'mosip'"),
     {},
     "default: bridges.openg2p.lease_seconds: found the integer 60; allowed: longer than generators.mosip.timeout_ms "
     "and statement_timeout_ms together, 60000 ms, or a call that still runs is made again"},
    {"password_among_the_data",
     "[storage]\ndata_dir = '/d'\n" + with("password_file = '/d/password'"),
     {},
     "test.toml:5:17: bridges.openg2p.password_file: found \"/d/password\" inside storage.data_dir = \"/d\"; allowed: "
     "a "
     "file elsewhere, so that a copy of the data is no copy of the secret"},
};
INSTANTIATE_TEST_SUITE_P(table, bridge_settings_refused, testing::ValuesIn(cases),
                         [](const auto& one) { return std::string(one.param.what); });

TEST(bridges, are_none_unless_somebody_says_so) { EXPECT_TRUE(accepted(load_text("")).values.bridges.empty()); }

TEST(bridges, have_every_default) {
  const auto now = accepted(load_text(with("id_column = 'ref_id'"), {{"MATRICULA_BRIDGES__OPENG2P__WORKERS", "2"}}));
  const auto& bridge = now.values.bridges.at("openg2p");
  EXPECT_TRUE(bridge.enabled && bridge.install);
  EXPECT_EQ(bridge.connection, "dbname=g2p");
  EXPECT_EQ(bridge.id_column, "ref_id");
  EXPECT_EQ(bridge.registrant_table, "res_partner");
  EXPECT_EQ(bridge.queue, "background_task");
  EXPECT_EQ(bridge.unknown_worker_types, "leave");
  EXPECT_EQ(bridge.workers, 2U);
  EXPECT_EQ(bridge.max_attempts, 5U);
}

TEST(bridges, may_call_as_long_as_their_lease_is_longer) {
  EXPECT_EQ(all_problems(load_text("[generators.mosip]\nkind = 'mosip'\nurl = 'https://m/v1/idgenerator/uin'\n"
                                   "timeout_ms = 49999\n" +
                                   with("generator = 'mosip'"))),
            "");
}

TEST(bridges, never_show_a_password) {
  const auto now = accepted(load_text(with(""), {{"MATRICULA_BRIDGES__OPENG2P__PASSWORD", "hidden-word"}}));
  EXPECT_EQ(now.values.bridges.at("openg2p").password, "hidden-word");
  EXPECT_THAT(show_report(now), testing::Not(testing::HasSubstr("hidden-word")));
}

TEST(bridges, may_be_named_by_a_url) {
  EXPECT_EQ(accepted(load_text("[bridges.openg2p]\nconnection = 'postgresql://db.example/g2p?sslmode=require'\n"))
                .values.bridges.at("openg2p")
                .connection,
            "postgresql://db.example/g2p?sslmode=require");
}

} // namespace
} // namespace matricula::config
