#include "test/bridge/bridge_world.hpp"

#include "test/support/node_process.hpp"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>

namespace matricula::test {

using connectors::postgres::connection;
using connectors::postgres::failure;

std::vector<generation> all_generations() {
  return {newest,
          {"background_task_ref_id", table_kind::background_task, "ref_id"},
          {"background_task_strict_types", table_kind::background_task, "unique_id", false, true},
          {"id_generation_unique_id", table_kind::id_generation, "unique_id"},
          {"id_generation_ref_id_one_time", table_kind::id_generation, "ref_id", true},
          {"id_generation_strict_types", table_kind::id_generation, "unique_id", false, true}};
}

bridge_world::bridge_world(const generation& g) : made(g) { make_tables(); }

void bridge_world::make_tables() {
  sql(fmt::format(R"(
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, is_registrant boolean, is_group boolean,
  {0} varchar CONSTRAINT res_partner_uniq UNIQUE);
CREATE TABLE identifier_history (id bigserial, registrant integer, was varchar);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO identifier_history (registrant, was) VALUES (old.id, old.{0}); RETURN new; END $$;
CREATE TRIGGER watch AFTER UPDATE ON res_partner FOR EACH ROW
  WHEN (coalesce(old.{0}, '') <> '' AND old.{0} IS DISTINCT FROM new.{0}) EXECUTE FUNCTION remember();)",
                  made.id_column));
  if (made.strict_types) sql("CREATE TYPE task_word AS ENUM ('NOT_APPLICABLE', 'PENDING', 'COMPLETED', 'FAILED')");
  const std::string word = made.strict_types ? "task_word" : "varchar";
  if (made.kind == table_kind::background_task)
    sql(fmt::format(R"(
CREATE TABLE g2p_que_background_task (id serial PRIMARY KEY, worker_type varchar DEFAULT 'example_worker',
  worker_payload {} NOT NULL, task_status {} NOT NULL DEFAULT 'PENDING',
  queued_datetime timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'), number_of_attempts integer DEFAULT 0,
  last_attempt_datetime timestamp, last_attempt_error_code varchar))",
                    made.strict_types ? "jsonb" : "json", word));
  else
    sql(fmt::format(R"(
CREATE TABLE g2p_que_id_generation (id serial PRIMARY KEY, registrant_id varchar UNIQUE,
  id_generation_request_status {0} NOT NULL DEFAULT 'PENDING',
  id_generation_update_status {0} NOT NULL DEFAULT 'NOT_APPLICABLE',
  queued_datetime timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  number_of_attempts_request integer DEFAULT 0, number_of_attempts_update integer DEFAULT 0,
  last_attempt_error_code_request varchar, last_attempt_error_code_update varchar, {1}))",
                    word,
                    made.one_time_for_both_steps
                        ? "last_attempt_datetime timestamp"
                        : "last_attempt_datetime_request timestamp, last_attempt_datetime_update timestamp"));
}

std::vector<std::vector<std::string>> bridge_world::sql(const std::string& statements) {
  for (int tries = 0;; ++tries) {
    if (!sql_) {
      auto opened = connection::open({.connection = server.connection(), .statement_at_most = 60s}, never_, never_);
      if (!opened) throw std::runtime_error("the test's own connection: " + opened.error().message);
      sql_ = std::move(*opened);
    }
    // A script has no cells; one statement may.
    const bool is_query = statements.starts_with("SELECT") || statements.find("RETURNING") != std::string::npos;
    auto done = [&]() -> connectors::postgres::sql_result<std::vector<std::vector<std::string>>> {
      std::vector<std::vector<std::string>> cells;
      if (!is_query) {
        if (auto ran = sql_->run_script(statements); !ran) return std::unexpected(ran.error());
        return cells;
      }
      auto found = sql_->run(statements);
      if (!found) return std::unexpected(found.error());
      for (std::size_t row = 0; row < found->size(); ++row) {
        auto& line = cells.emplace_back();
        for (std::size_t column = 0; column < found->columns(); ++column) line.push_back(found->text(row, column));
      }
      return cells;
    }();
    if (done) return std::move(*done);
    // The server was restarted since; only reading is done again.
    sql_.reset();
    if (done.error().what != failure::lost || !statements.starts_with("SELECT") || tries == 1)
      throw std::runtime_error(done.error().message + " (" + statements + ")");
  }
}

std::string bridge_world::value(const std::string& query) {
  const auto cells = sql(query);
  return cells.empty() ? "" : cells.front().front();
}
std::int64_t bridge_world::number(const std::string& query) { return std::stoll(value(query)); }

std::int64_t bridge_world::add_registrant() {
  const auto task =
      made.kind == table_kind::background_task
          ? "INSERT INTO g2p_que_background_task (worker_type, worker_payload) SELECT "
            "'id_generation_request_worker', json_build_object('registrant_id', id)" +
                std::string(made.strict_types ? "::jsonb" : "") + " FROM added"
          : std::string("INSERT INTO g2p_que_id_generation (registrant_id) SELECT id::varchar FROM added");
  return std::stoll(sql("WITH added AS (INSERT INTO res_partner (name, is_registrant) VALUES ('A. Person', true) "
                        "RETURNING id), queued AS (" +
                        task + ") SELECT id FROM added")
                        .front()
                        .front());
}

void bridge_world::add_registrants(int count) {
  const auto task =
      made.kind == table_kind::background_task
          ? fmt::format("INSERT INTO g2p_que_background_task (worker_type, worker_payload) SELECT "
                        "'id_generation_request_worker', json_build_object('registrant_id', id){} FROM "
                        "added",
                        made.strict_types ? "::jsonb" : "")
          : std::string("INSERT INTO g2p_que_id_generation (registrant_id) SELECT id::varchar FROM added");
  sql(fmt::format("WITH added AS (INSERT INTO res_partner (name, is_registrant) SELECT 'A. Person', true FROM "
                  "generate_series(1, {}) RETURNING id) {}",
                  count, task));
}

void bridge_world::make_user(const std::string& name) {
  sql(fmt::format("CREATE ROLE {0} LOGIN; GRANT USAGE ON SCHEMA matricula TO {0};"
                  "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA matricula TO {0};"
                  "GRANT USAGE ON ALL SEQUENCES IN SCHEMA matricula TO {0};"
                  "GRANT SELECT, INSERT, UPDATE ON g2p_que_background_task TO {0};"
                  "GRANT USAGE ON SEQUENCE g2p_que_background_task_id_seq TO {0};"
                  "GRANT SELECT, UPDATE (unique_id) ON res_partner TO {0}",
                  name));
}

std::int64_t bridge_world::add_task(const std::string& worker_type, const std::string& payload) {
  return number(
      fmt::format("INSERT INTO g2p_que_background_task (worker_type, worker_payload) VALUES ('{}', {}) RETURNING "
                  "id",
                  worker_type, payload));
}

std::string bridge_world::identifier_of(std::int64_t registrant) {
  return value(fmt::format("SELECT {} FROM res_partner WHERE id = {}", made.id_column, registrant));
}

std::string bridge_world::task_query(std::int64_t registrant, const char* step) {
  if (made.kind == table_kind::background_task)
    return fmt::format("SELECT task_status, number_of_attempts, last_attempt_error_code, last_attempt_datetime FROM "
                       "g2p_que_background_task WHERE worker_type = 'id_generation_{}_worker' AND "
                       "worker_payload->>'registrant_id' = '{}' ORDER BY id",
                       step, registrant);
  return fmt::format(
      "SELECT id_generation_{0}_status, number_of_attempts_{0}, last_attempt_error_code_{0}, {1} FROM "
      "g2p_que_id_generation WHERE registrant_id = '{2}'",
      step, made.one_time_for_both_steps ? "last_attempt_datetime" : fmt::format("last_attempt_datetime_{}", step),
      registrant);
}

namespace {
task_row row_of(const std::vector<std::vector<std::string>>& cells) {
  if (cells.empty()) return {};
  const auto& c = cells.front();
  return {c[0], c[1].empty() ? -1 : std::stoi(c[1]), c[2], c[3]};
}
} // namespace

task_row bridge_world::request_of(std::int64_t registrant) { return row_of(sql(task_query(registrant, "request"))); }
task_row bridge_world::update_of(std::int64_t registrant) { return row_of(sql(task_query(registrant, "update"))); }
task_row bridge_world::task(std::int64_t id) {
  return row_of(
      sql(fmt::format("SELECT task_status, number_of_attempts, last_attempt_error_code, last_attempt_datetime "
                      "FROM g2p_que_background_task WHERE id = {}",
                      id)));
}

std::int64_t bridge_world::pending() {
  return number(made.kind == table_kind::background_task
                    ? "SELECT count(*) FROM g2p_que_background_task WHERE task_status = 'PENDING'"
                    : "SELECT count(*) FROM g2p_que_id_generation WHERE id_generation_request_status = 'PENDING' OR "
                      "id_generation_update_status = 'PENDING'");
}

std::set<std::string> bridge_world::identifiers() {
  std::set<std::string> out;
  for (const auto& row : sql(fmt::format("SELECT {0} FROM res_partner WHERE coalesce({0}, '') <> ''", made.id_column)))
    out.insert(row.front());
  return out;
}
std::int64_t bridge_world::changed_identifiers() { return number("SELECT count(*) FROM identifier_history"); }
std::int64_t bridge_world::doubts() { return number("SELECT count(*) FROM matricula.bridge_doubt"); }

bridge_options bridge_world::options() const {
  bridge_options o;
  o.name = "openg2p";
  o.database.connection = server.connection();
  o.tables.kind = made.kind;
  o.tables.tasks = made.kind == table_kind::background_task ? "g2p_que_background_task" : "g2p_que_id_generation";
  o.tables.id_column = made.id_column;
  o.generator = "counting";
  o.retry = {.tries_max = 5, .backoff_first = 1ms, .backoff_max = 5ms, .not_yet = 5ms};
  o.lease = 1'000ms;
  o.poll = 10ms;
  o.report_every = 200ms;
  o.time = &time_;
  return o;
}

bridge& bridge_world::make_bridge(registrants::id_generator& generator, bridge_options with) {
  bridges_.push_back(std::make_unique<bridge>(std::move(with), generator, random_));
  return *bridges_.back();
}

bool bridge_world::run_until(bridge& b, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto idle = b.step();
    if (condition()) return true;
    if (idle > 0ms) b.wait(std::min(idle, milliseconds{20}));
  }
  return false;
}

} // namespace matricula::test
