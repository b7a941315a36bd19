#include "connectors/postgres/own_schema.hpp"

namespace matricula::connectors::postgres {

namespace {

/// Whether all of schema.sql is there. The function comes last in it.
sql_result<bool> is_there(connection& on) {
  auto found = on.run("SELECT to_regclass('matricula.bridge_try') IS NOT NULL AND "
                      "to_regclass('matricula.bridge_call') IS NOT NULL AND "
                      "to_regclass('matricula.bridge_doubt') IS NOT NULL AND "
                      "to_regprocedure('matricula.bridge_wake()') IS NOT NULL");
  if (!found) return std::unexpected(found.error());
  return found->flag(0, 0);
}

sql_result<void> may_use_it(connection& on) {
  auto missing =
      on.run("SELECT w.word, t.name FROM (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS w(word), (VALUES "
             "('bridge_try'), ('bridge_call'), ('bridge_doubt')) AS t(name) WHERE (w.word <> 'DELETE' OR t.name = "
             "'bridge_try') AND NOT has_table_privilege('matricula.' || t.name, w.word) UNION ALL SELECT 'USAGE', "
             "'bridge_call_number' WHERE NOT "
             "has_sequence_privilege('matricula.bridge_call_number', 'USAGE') LIMIT 1");
  if (!missing) return std::unexpected(missing.error());
  if (missing->empty()) return {};
  return std::unexpected(sql_error{failure::refused,
                                   {},
                                   "The database user has not the right " + missing->text(0, 0) + " on matricula." +
                                       missing->text(0, 1) + "; docs/bridge.md has the rights that it needs."});
}

/// Bridges that start together do not both create the same; the lock ends with the transaction.
sql_result<void> one_at_a_time(connection& on) {
  auto locked = on.run("SELECT pg_advisory_xact_lock(hashtext('matricula.bridge'))");
  if (!locked) return std::unexpected(locked.error());
  return {};
}

} // namespace

sql_result<void> make_own_schema(connection& on, bool may) {
  const auto there = is_there(on);
  if (!there) return std::unexpected(there.error());
  if (*there) return may_use_it(on);
  if (!may)
    return std::unexpected(sql_error{failure::refused,
                                     {},
                                     "The schema matricula is not complete. A database "
                                     "administrator creates it once: docs/bridge.md."});
  auto tx = transaction::begin(on);
  if (!tx) return std::unexpected(tx.error());
  if (auto alone = one_at_a_time(on); !alone) return alone;
  if (auto made = on.run_script(std::string(schema_sql)); !made) {
    if (made.error().what == failure::refused)
      made.error().message = "The schema matricula is not complete and cannot be made (" + made.error().message +
                             "). A database administrator creates it once: docs/bridge.md.";
    return made;
  }
  return tx->commit();
}

sql_result<void> make_wake_trigger(connection& on, const std::string& table) {
  auto tx = transaction::begin(on);
  if (!tx) return std::unexpected(tx.error());
  if (auto alone = one_at_a_time(on); !alone) return alone;
  auto found =
      on.run("SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = 'matricula_bridge_wake'", table);
  if (!found) return std::unexpected(found.error());
  if (!found->empty()) return tx->commit();
  auto made = on.run("CREATE TRIGGER matricula_bridge_wake AFTER INSERT ON " + table +
                     " FOR EACH STATEMENT EXECUTE FUNCTION matricula.bridge_wake()");
  if (!made) return std::unexpected(made.error());
  return tx->commit();
}

} // namespace matricula::connectors::postgres
