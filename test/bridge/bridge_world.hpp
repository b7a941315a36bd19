/// OpenG2P's tables in a PostgreSQL of the test's own, a generator that counts, and bridges over both.
#pragma once
#include "connectors/postgres/bridge_thread.hpp"
#include "test/bridge/counting_generator.hpp"
#include "test/support/postgres_server.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace matricula::test {

using namespace std::chrono_literals;
using connectors::postgres::bridge;
using connectors::postgres::bridge_moment;
using connectors::postgres::bridge_options;
using connectors::postgres::table_kind;

/// How OpenG2P's tables were made.
struct generation {
  const char* name;
  table_kind kind = table_kind::background_task;
  const char* id_column = "unique_id";
  bool one_time_for_both_steps = false; ///< id_generation, its first versions
  bool strict_types = false;            ///< jsonb and an enumeration in place of json and text
};
inline void PrintTo(const generation& g, std::ostream* out) { *out << g.name; }
/// The newer table with the newer column.
inline constexpr generation newest{"background_task_unique_id"};
[[nodiscard]] std::vector<generation> all_generations();

struct task_row {
  std::string status;
  int attempts = 0;
  std::string error;     ///< "" for NULL
  std::string attempted; ///< "" for NULL
};

class bridge_world {
public:
  explicit bridge_world(const generation& g = newest);

  /// Runs SQL as the superuser over a connection that stays; after a restart of the server over a new one. Fails the
  /// test when the server refuses. Cells as text, NULL as "".
  std::vector<std::vector<std::string>> sql(const std::string& statements);
  /// The first cell; "" when there is none.
  std::string value(const std::string& query);
  std::int64_t number(const std::string& query);

  /// As Odoo does it: the registrant and its task in one transaction. Returns the registrant.
  std::int64_t add_registrant();
  /// So many, in one transaction.
  void add_registrants(int count);
  /// A database user who may do what docs/bridge.md says and nothing else. The schema of the bridges must be there.
  void make_user(const std::string& name);
  /// A task of the newer table with this payload, as SQL. Returns the task.
  std::int64_t add_task(const std::string& worker_type, const std::string& payload);
  [[nodiscard]] std::string identifier_of(std::int64_t registrant);
  /// The request task of a registrant (of either generation), and the update task.
  [[nodiscard]] task_row request_of(std::int64_t registrant);
  [[nodiscard]] task_row update_of(std::int64_t registrant);
  [[nodiscard]] task_row task(std::int64_t id);
  /// Tasks that are still to do, of both steps.
  [[nodiscard]] std::int64_t pending();
  /// Distinct identifiers of registrants.
  [[nodiscard]] std::set<std::string> identifiers();
  /// Identifiers that a registrant had and has no more.
  [[nodiscard]] std::int64_t changed_identifiers();
  [[nodiscard]] std::int64_t doubts();

  /// Small times, retried at once.
  [[nodiscard]] bridge_options options() const;
  /// A bridge that this object runs, in the caller's thread.
  bridge& make_bridge(registrants::id_generator& generator, bridge_options with);
  bridge& make_bridge(registrants::id_generator& generator) { return make_bridge(generator, options()); }
  /// Rounds of a bridge until the condition holds; false when it does not within 20 s.
  bool run_until(bridge& b, const std::function<bool()>& condition);
  bool run_until_done(bridge& b) {
    return run_until(b, [this] { return pending() == 0; });
  }

  postgres_server server;
  scratch_directory files;
  generation made;

private:
  void make_tables();
  std::string task_query(std::int64_t registrant, const char* step);

  connectors::stop_signal never_;
  std::optional<connectors::postgres::connection> sql_;
  seeded_random random_{1};
  system_clock time_;
  std::vector<std::unique_ptr<bridge>> bridges_;
};

} // namespace matricula::test
