#include "connectors/postgres/task_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

namespace matricula::connectors::postgres {

namespace {

constexpr std::size_t name_bytes_max = 63;
constexpr std::int64_t error_characters_max = 500;

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '.')
      out += "\".\"";
    else
      out += c;
  }
  return out + '"';
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + '\'';
}

struct columns {
  std::map<std::string, std::int64_t, std::less<>> characters_max; ///< of each column; 0: no limit
  [[nodiscard]] bool has(std::string_view name) const { return characters_max.contains(name); }
};

sql_result<columns> columns_of(connection& on, const std::string& table, const std::string& as_set) {
  auto found = on.run("SELECT a.attname, CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 4 THEN "
                      "a.atttypmod - 4 ELSE 0 END FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND "
                      "a.attnum > 0 AND NOT a.attisdropped",
                      table);
  if (!found) return std::unexpected(found.error());
  if (found->empty())
    return std::unexpected(sql_error{failure::refused,
                                     {},
                                     fmt::format("There is no table {}, or this database user may "
                                                 "not see it.",
                                                 as_set)});
  columns out;
  for (std::size_t i = 0; i < found->size(); ++i) out.characters_max[found->text(i, 0)] = found->number(i, 1);
  return out;
}

/// What differs between the steps of the two generations.
struct step_shape {
  std::string_view name;
  std::string status, attempts, error, attempted_at;
  std::string filter;     ///< " AND ...", or nothing
  std::string subject;    ///< what names the registrant
  std::string completing; ///< ", column = value": what else completing sets
};

step_statements statements_of(const step_shape& s, const std::string& table, const std::string& name,
                              const columns& has) {
  const auto limit = has.characters_max.find(s.error)->second;
  const auto error_max = limit > 0 ? std::min(limit, error_characters_max) : error_characters_max;
  const auto own = fmt::format("y.task_table = {} AND y.step = '{}'", literal(name), s.name);
  const auto pending = fmt::format("t.{} = 'PENDING'{}", s.status, s.filter);
  // OpenG2P's own workers keep UTC without a zone.
  const auto tried =
      fmt::format("{0} = coalesce({0}, 0) + 1, {1} = now() AT TIME ZONE 'UTC'", s.attempts, s.attempted_at);
  const auto error_text = [&](int at) { return fmt::format("{} = left(${}::text, {})", s.error, at, error_max); };
  const auto change = [&](const std::string& sets) {
    return fmt::format("UPDATE {} t SET {}, {} WHERE t.id = $1::bigint AND t.{} = 'PENDING' RETURNING t.{}", table,
                       tried, sets, s.status, s.attempts);
  };
  step_statements out;
  // Each row is looked up by key, in a subquery that the planner cannot turn into a join: without statistics, as after
  // a restore or at the first start, it would join ten thousand rows with each other one by one.
  const auto begun = fmt::format("(SELECT true FROM matricula.bridge_try y WHERE {} AND y.task_id = t.id)", own);
  const auto to_do =
      fmt::format("coalesce((SELECT true FROM {} t WHERE t.id = y.task_id AND {}), false)", table, pending);
  // Of another worker type it may be another bridge's.
  const auto anybodys = fmt::format(
      "coalesce((SELECT true FROM {} t WHERE t.id = y.task_id AND t.{} = 'PENDING'), false)", table, s.status);
  constexpr std::string_view not_claimed = "(y.lease_until IS NULL OR y.lease_until <= now())";
  out.claim_new = fmt::format("WITH found AS MATERIALIZED (SELECT t.id, coalesce(t.{0}, 0) AS attempts FROM {1} t "
                              "WHERE {2} AND {3} IS NULL ORDER "
                              "BY t.id LIMIT $3::bigint FOR UPDATE OF t SKIP LOCKED) INSERT INTO matricula.bridge_try "
                              "(task_table, step, task_id, "
                              "owner, lease_until, due_at, attempts_seen) SELECT {4}, '{5}', id, $1::text, now() + "
                              "$2::bigint * interval '1 ms', "
                              "now(), attempts FROM found ON CONFLICT DO NOTHING RETURNING task_id",
                              s.attempts, table, pending, begun, literal(name), s.name);
  const auto those_found = fmt::format("{} AND y.task_id = ANY (ARRAY(SELECT task_id FROM found))", own);
  out.claim_due =
      fmt::format("WITH found AS MATERIALIZED (SELECT y.task_id FROM matricula.bridge_try y WHERE {0} AND y.due_at <= "
                  "now() AND {1} AND "
                  "{2} ORDER BY y.due_at, y.task_id LIMIT $3::bigint FOR UPDATE OF y SKIP LOCKED) UPDATE "
                  "matricula.bridge_try y SET "
                  "owner = $1::text, lease_until = now() + $2::bigint * interval '1 ms' WHERE {3} RETURNING y.task_id",
                  own, not_claimed, to_do, those_found);
  out.lock =
      fmt::format("SELECT t.{0} = 'PENDING', coalesce(t.{1}, 0), {2} FROM {3} t WHERE t.id = $1::bigint FOR UPDATE",
                  s.status, s.attempts, s.subject, table);
  out.complete = change(fmt::format("{} = 'COMPLETED', {} = NULL{}", s.status, s.error, s.completing));
  out.try_failed = change(fmt::format("{} = $2, {}", s.status, error_text(3)));
  out.note_interrupt = change(error_text(2));
  out.forget = fmt::format(
      "WITH found AS MATERIALIZED (SELECT y.task_id FROM matricula.bridge_try y WHERE {0} AND {1} AND NOT {2} LIMIT "
      "$1::bigint FOR UPDATE OF y SKIP LOCKED) DELETE FROM matricula.bridge_try y WHERE {3}",
      own, not_claimed, anybodys, those_found);
  out.counts = fmt::format(
      "SELECT count(*) FILTER (WHERE t.{0} = 'PENDING'), count(*) FILTER (WHERE t.{0} = 'FAILED'), coalesce(floor("
      "extract(epoch FROM (now() AT TIME ZONE 'UTC') - min(t.queued_datetime) FILTER (WHERE t.{0} = "
      "'PENDING')))::bigint, "
      "0) FROM {1} t WHERE t.{0} IN ('PENDING', 'FAILED'){2}",
      s.status, table, s.filter);
  return out;
}

sql_error missing_column(const std::string& table, std::string_view column) {
  return {failure::refused, {}, fmt::format("The table {} has no column {}.", table, column)};
}

std::array<step_shape, 2> shapes_of_background_task(const table_options& o) {
  const auto shape = [](std::string_view name, const std::string& worker_type) {
    return step_shape{name,
                      "task_status",
                      "number_of_attempts",
                      "last_attempt_error_code",
                      "last_attempt_datetime",
                      fmt::format(" AND t.worker_type = {}", literal(worker_type)),
                      "t.worker_payload::text",
                      ""};
  };
  return {shape("request", o.request_worker_type), shape("update", o.update_worker_type)};
}

std::array<step_shape, 2> shapes_of_id_generation(const columns& has) {
  const auto shape = [&](std::string_view name) {
    // The first versions had one time for both steps.
    const auto own_time = fmt::format("last_attempt_datetime_{}", name);
    return step_shape{name,
                      fmt::format("id_generation_{}_status", name),
                      fmt::format("number_of_attempts_{}", name),
                      fmt::format("last_attempt_error_code_{}", name),
                      has.has(own_time) ? own_time : std::string("last_attempt_datetime"),
                      "",
                      "t.registrant_id::text",
                      ""};
  };
  auto request = shape("request");
  request.completing = ", id_generation_update_status = CASE WHEN id_generation_update_status = 'NOT_APPLICABLE' THEN "
                       "'PENDING' ELSE id_generation_update_status END";
  return {std::move(request), shape("update")};
}

/// Whether an index of the table has this column: alone and unique, or at its beginning.
sql_result<bool> has_index(connection& on, const std::string& table, const std::string& column, bool unique) {
  auto found =
      on.run("SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
             "WHERE i.indrelid = to_regclass($1) AND a.attname = $2 AND i.indisvalid AND (NOT $3::bool OR "
             "(i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL)) LIMIT 1",
             table, column, unique);
  if (!found) return std::unexpected(found.error());
  return !found->empty();
}

/// SCHEMA.NAME
sql_result<std::string> full_name(connection& on, const std::string& quoted) {
  auto found = on.run("SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
                      "c.relnamespace WHERE c.oid = to_regclass($1)",
                      quoted);
  if (!found) return std::unexpected(found.error());
  return found->text(0, 0);
}

/// What a column is wanted for.
struct right {
  std::string_view word; ///< SELECT, INSERT or UPDATE
  std::string table;     ///< quoted
  std::string column;
};

/// Before the first task: without a right every task would fail, after it has cost an identifier.
sql_result<void> may(connection& on, const std::vector<right>& wanted) {
  std::string list;
  for (const auto& r : wanted)
    list += fmt::format("{}('{}', {}, {})", list.empty() ? "" : ", ", r.word, literal(r.table), literal(r.column));
  auto missing = on.run("SELECT r.word, r.column_name, to_regclass(r.table_name)::text FROM (VALUES " + list +
                        ") AS r(word, table_name, column_name) WHERE NOT has_column_privilege(r.table_name, "
                        "r.column_name, r.word) LIMIT 1");
  if (!missing) return std::unexpected(missing.error());
  if (missing->empty()) return {};
  return std::unexpected(sql_error{failure::refused,
                                   {},
                                   fmt::format("The database user may not {} the column {} of {}; docs/bridge.md has "
                                               "the rights that it needs.",
                                               missing->text(0, 0), missing->text(0, 1), missing->text(0, 2))});
}

} // namespace

std::string_view to_string(task_step s) noexcept { return s == task_step::request ? "request" : "update"; }

bool is_table_name(std::string_view name) noexcept {
  const auto is_part = [](std::string_view part) {
    return !part.empty() && part.size() <= name_bytes_max && !(part.front() >= '0' && part.front() <= '9') &&
           std::ranges::all_of(part, [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
           });
  };
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return is_part(name);
  return is_part(name.substr(0, dot)) && is_part(name.substr(dot + 1));
}

sql_result<task_table> task_table::look_up(connection& on, const table_options& o) {
  task_table out;
  out.kind_ = o.kind;
  out.quoted_ = quoted_name(o.tasks);
  const auto registrants = quoted_name(o.registrants), id = quoted_name(o.id_column);
  const auto tasks = columns_of(on, out.quoted_, o.tasks);
  if (!tasks) return std::unexpected(tasks.error());
  const auto partners = columns_of(on, registrants, o.registrants);
  if (!partners) return std::unexpected(partners.error());
  if (!partners->has(o.id_column)) return std::unexpected(missing_column(o.registrants, o.id_column));

  const bool newer = o.kind == table_kind::background_task;
  const auto shapes = newer ? shapes_of_background_task(o) : shapes_of_id_generation(*tasks);
  std::vector<std::string> needed{"id", "queued_datetime"};
  for (const auto& s : shapes) needed.insert(needed.end(), {s.status, s.attempts, s.error, s.attempted_at});
  if (newer)
    needed.insert(needed.end(), {"worker_type", "worker_payload"});
  else
    needed.emplace_back("registrant_id");
  for (const auto& column : needed)
    if (!tasks->has(column)) return std::unexpected(missing_column(o.tasks, column));

  std::vector<right> wanted{
      {"SELECT", registrants, "id"}, {"SELECT", registrants, o.id_column}, {"UPDATE", registrants, o.id_column}};
  for (const auto& column : needed) wanted.push_back({"SELECT", out.quoted_, column});
  for (const auto& s : shapes)
    for (const auto& column : {s.status, s.attempts, s.error, s.attempted_at})
      wanted.push_back({"UPDATE", out.quoted_, column});
  if (newer)
    for (const char* column : {"worker_type", "worker_payload", "task_status", "queued_datetime", "number_of_attempts"})
      wanted.push_back({"INSERT", out.quoted_, column});
  if (auto allowed = may(on, wanted); !allowed) return std::unexpected(allowed.error());

  auto full = full_name(on, out.quoted_);
  if (!full) return std::unexpected(full.error());
  out.name_ = std::move(*full);
  auto of_registrants = full_name(on, registrants);
  if (!of_registrants) return std::unexpected(of_registrants.error());
  out.subject_ = fmt::format("{}.{}", *of_registrants, o.id_column);
  for (std::size_t i = 0; i < shapes.size(); ++i)
    out.steps_.at(i) = statements_of(shapes.at(i), out.quoted_, out.name_, *tasks);

  out.read_registrant = fmt::format("SELECT coalesce({}, '') FROM {} WHERE id = $1::bigint", id, registrants);
  out.lock_registrant = out.read_registrant + " FOR UPDATE";
  out.find_holder = fmt::format("SELECT id FROM {} WHERE {} = $1 AND id <> $2::bigint LIMIT 1", registrants, id);
  out.give = fmt::format("UPDATE {0} SET {1} = $2 WHERE id = $1::bigint AND coalesce({1}, '') = ''", registrants, id);
  if (newer) {
    out.queue_update = fmt::format("INSERT INTO {} (worker_type, worker_payload, task_status, queued_datetime, "
                                   "number_of_attempts) VALUES ({}, $1, "
                                   "'PENDING', now() AT TIME ZONE 'UTC', 0)",
                                   out.quoted_, literal(o.update_worker_type));
    // As text, because the column may hold what is no JSON.
    out.has_update = fmt::format("SELECT 1 FROM {} WHERE worker_type = {} AND worker_payload::text ~ "
                                 "('\"registrant_id\"\\s*:\\s*\"?' || $1::text || '\"?\\s*[,}}]') LIMIT 1",
                                 out.quoted_, literal(o.update_worker_type));
    out.refuse_unknown = fmt::format(
        "UPDATE {0} SET task_status = 'FAILED', number_of_attempts = coalesce(number_of_attempts, 0) + 1, "
        "last_attempt_datetime = now() AT TIME ZONE 'UTC', last_attempt_error_code = left({1}, {2}) WHERE id IN "
        "(SELECT "
        "id FROM {0} WHERE task_status = 'PENDING' AND (worker_type IS NULL OR worker_type NOT IN ({3}, {4})) ORDER BY "
        "id "
        "LIMIT $1::bigint FOR UPDATE SKIP LOCKED)",
        out.quoted_,
        literal(fmt::format("The worker_type is neither {} nor {}.", o.request_worker_type, o.update_worker_type)),
        [&] {
          const auto limit = tasks->characters_max.find("last_attempt_error_code")->second;
          return limit > 0 ? std::min(limit, error_characters_max) : error_characters_max;
        }(),
        literal(o.request_worker_type), literal(o.update_worker_type));
  }

  const auto status_index = has_index(on, out.quoted_, shapes[0].status, false);
  if (!status_index) return std::unexpected(status_index.error());
  const auto unique_index = has_index(on, registrants, o.id_column, true);
  if (!unique_index) return std::unexpected(unique_index.error());
  out.status_index_ = *status_index;
  out.unique_index_ = *unique_index;
  return out;
}

} // namespace matricula::connectors::postgres
