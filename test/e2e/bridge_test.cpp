// A real node beside OpenG2P's tables: the bridge of the settings takes its identifiers from the node's own pool.
#include "test/e2e/task_world.hpp"
#include "test/support/byte_server.hpp"
#include "test/support/postgres_server.hpp"

#include <gmock/gmock.h>

#include <set>
#include <sstream>

namespace matricula::test {

using ::testing::HasSubstr;

namespace {

constexpr const char* tables = R"(
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, unique_id varchar UNIQUE);
CREATE TABLE g2p_que_background_task (id serial PRIMARY KEY, worker_type varchar, worker_payload json NOT NULL,
  task_status varchar NOT NULL DEFAULT 'PENDING',
  queued_datetime timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'), number_of_attempts integer DEFAULT 0,
  last_attempt_datetime timestamp, last_attempt_error_code varchar))";

class node_with_bridges : public ::testing::Test {
protected:
  node_with_bridges() {
    for (const char* database : {"north", "south"}) {
      sql("postgres", std::string("CREATE DATABASE ") + database);
      sql(database, tables);
    }
  }
  void TearDown() override {
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }
  [[nodiscard]] std::string connection(const std::string& database) const {
    return server_.connection() + " dbname=" + database;
  }
  /// Rows as lines, their cells separated by '|'.
  std::string sql(const std::string& database, const std::string& statement) const {
    const auto done = run_command({"psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set",
                                   "ON_ERROR_STOP=1", "--command", statement, connection(database)});
    if (done.status != 0) throw std::runtime_error(statement + ": " + done.errors);
    return done.output;
  }
  void add_registrants(const std::string& database, unsigned count) const {
    sql(database, "WITH added AS (INSERT INTO res_partner (name) SELECT 'A. Person' FROM generate_series(1, " +
                      std::to_string(count) +
                      ") RETURNING id) INSERT INTO g2p_que_background_task (worker_type, worker_payload) SELECT "
                      "'id_generation_request_worker', json_build_object('registrant_id', id) FROM added");
  }
  [[nodiscard]] unsigned done(const std::string& database) const {
    return static_cast<unsigned>(
        std::stoul(sql(database, "SELECT count(*) FROM g2p_que_background_task WHERE worker_type = "
                                 "'id_generation_update_worker' AND task_status = 'COMPLETED'")));
  }
  /// Identifiers that registrants have.
  [[nodiscard]] std::set<std::string> identifiers(const std::string& database) const {
    std::set<std::string> out;
    std::istringstream lines(sql(database, "SELECT unique_id FROM res_partner WHERE unique_id <> ''"));
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) out.insert(line);
    return out;
  }
  [[nodiscard]] node_options options() const {
    std::string bridges;
    for (const std::string name : {"north", "south"})
      bridges += "[bridges." + name + "]\nconnection = \"" + connection(name) +
                 "\"\nworkers = 2\npoll_interval_ms = 50\nbackoff_first_ms = 1\nnot_yet_ms = 1\nlease_seconds = 12\n";
    return task_world({}, bridges);
  }

  postgres_server server_;
  node_process node_{options()};
};

} // namespace

TEST_F(node_with_bridges, gives_each_registrant_of_each_database_an_identifier_of_its_own_though_it_is_killed) {
  constexpr unsigned many = 150;
  for (const char* database : {"north", "south"}) add_registrants(database, many);
  node_.start();
  ASSERT_TRUE(eventually([&] { return identifiers("north").size() >= 20; }));
  node_.kill();
  const auto before = identifiers("north");
  node_.start();
  ASSERT_TRUE(eventually([&] { return done("north") == many && done("south") == many; }, std::chrono::seconds(60)));
  const auto north = identifiers("north"), south = identifiers("south");
  EXPECT_EQ(north.size(), many);
  EXPECT_EQ(south.size(), many);
  EXPECT_TRUE(std::ranges::includes(north, before)) << "nobody's identifier changes";
  // The two number their registrants alike, and still nobody shares one.
  std::set<std::string> all = north;
  all.insert(south.begin(), south.end());
  EXPECT_EQ(all.size(), 2 * many);
  api_client client(node_);
  for (const auto& id : {*north.begin(), *south.rbegin()})
    EXPECT_EQ(client.get("/v1/ids/uin/" + id)().at("state"), "ASSIGNED") << id;
  const auto uins = client.get("/v1/ids/uin")();
  EXPECT_EQ(uins.at("issued"), 2 * many) << "none was consumed for nobody";
  const auto metrics = client.get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr(R"(matricula_bridge_connected{bridge="north"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(matricula_bridge_in_doubt{bridge="south"} 0)"));
  EXPECT_EQ(node_.stop(), 0) << node_.log_tail();
}

TEST_F(node_with_bridges, stops_in_its_time_though_generators_do_not_answer) {
  std::atomic<int> calls{0};
  byte_server silent{[&](int socket) {
    while (read_request(socket)) ++calls;
  }};
  auto config = *options().config +
                "[server]\ndrain_timeout_ms = 300\n[generators.silent]\nkind = \"openg2p\"\nurl = "
                "\"http://127.0.0.1:" +
                std::to_string(silent.port()) + "\"\nid_type = \"farmer\"\ntimeout_ms = 600000\n";
  for (const std::string own : {"[bridges.north]\n", "[bridges.south]\n"})
    config.insert(config.find(own) + own.size(), "generator = \"silent\"\nbatch_size = 1\n");
  const std::string lease = "lease_seconds = 12";
  for (auto at = config.find(lease); at != std::string::npos; at = config.find(lease))
    config.replace(at, lease.size(), "lease_seconds = 700");
  node_.write_config(config);
  for (const char* database : {"north", "south"}) add_registrants(database, 5);
  node_.start();
  ASSERT_TRUE(eventually([&] { return calls == 4; })) << "two workers of each bridge";
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(node_.stop(), 0) << node_.log_tail();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(1)) << "a call takes ten";
  EXPECT_TRUE(node_.logged("node.bridges_cut"));
  EXPECT_EQ(calls, 4) << "none is begun any more";
}

TEST_F(node_with_bridges, starts_and_stops_though_the_database_is_away) {
  server_.stop();
  node_.start();
  EXPECT_THAT(api_client(node_).get("/metrics").body, HasSubstr(R"(matricula_bridge_connected{bridge="north"} 0)"));
  server_.start();
  add_registrants("north", 5);
  EXPECT_TRUE(eventually([&] { return done("north") == 5; }));
  server_.stop();
  EXPECT_EQ(node_.stop(), 0) << node_.log_tail();
}

} // namespace matricula::test
