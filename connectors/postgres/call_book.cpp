#include "connectors/postgres/call_book.hpp"

namespace matricula::connectors::postgres {

namespace {

call_state state_of(std::string_view word) {
  if (word == "calling") return call_state::calling;
  if (word == "answered") return call_state::answered;
  if (word == "applied") return call_state::applied;
  return call_state::ended;
}

sql_result<void> only_done(sql_result<rows> r) {
  if (!r) return std::unexpected(r.error());
  return {};
}
sql_result<bool> changed_one(sql_result<rows> r) {
  if (!r) return std::unexpected(r.error());
  return r->changed() == 1;
}

/// Rows of bridge_call, as rows of bridge_doubt. What was listed before keeps its reason.
constexpr const char* list_into_doubt =
    "INSERT INTO matricula.bridge_doubt (call_number, subject, registrant_id, generator, owner, called_at, reason, "
    "identifier) SELECT c.call_number, c.subject, c.registrant_id, c.generator, c.owner, c.called_at, $1::text, "
    "c.identifier FROM listed c ON CONFLICT (call_number) DO UPDATE SET identifier = "
    "coalesce(matricula.bridge_doubt.identifier, excluded.identifier)";

} // namespace

sql_result<call_row> call_book::lock(std::int64_t registrant) {
  if (auto made = on_.run("INSERT INTO matricula.bridge_call (subject, registrant_id) VALUES ($1, $2::bigint) ON "
                          "CONFLICT DO NOTHING",
                          subject_, registrant);
      !made)
    return std::unexpected(made.error());
  auto found =
      on_.run("SELECT call_number, state, coalesce(state = 'calling' AND lease_until > clock_timestamp(), false), "
              "generator, coalesce(identifier, ''), collisions FROM matricula.bridge_call WHERE subject = $1 AND "
              "registrant_id = $2::bigint FOR UPDATE",
              subject_, registrant);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::unexpected(sql_error{failure::locked, {}, "the row of a call went away"});
  return call_row{found->number(0, 0), state_of(found->text(0, 1)), found->flag(0, 2),
                  found->text(0, 3),   found->text(0, 4),           found->number(0, 5)};
}

sql_result<std::int64_t> call_book::begin(std::int64_t registrant, milliseconds lease) {
  auto begun = on_.run("UPDATE matricula.bridge_call SET call_number = nextval('matricula.bridge_call_number'), "
                       "generator = $3, state = 'calling', owner = $4, lease_until = clock_timestamp() + $5::bigint * "
                       "interval '1 ms', called_at = clock_timestamp(), identifier = NULL WHERE subject = $1 AND "
                       "registrant_id = $2::bigint RETURNING call_number",
                       subject_, registrant, generator_, owner_, lease);
  if (!begun) return std::unexpected(begun.error());
  return begun->number(0, 0);
}

sql_result<bool> call_book::answered(std::int64_t registrant, std::int64_t number, std::string_view identifier) {
  // The second part: this was sent before, and the answer to it was lost.
  return changed_one(on_.run("UPDATE matricula.bridge_call SET state = CASE WHEN state = 'applied' THEN state ELSE "
                             "'answered' END, identifier = $4, lease_until = NULL WHERE subject = $1 AND registrant_id "
                             "= $2::bigint AND call_number = $3::bigint AND (state = 'calling' OR (state IN "
                             "('answered', 'applied') AND identifier = $4))",
                             subject_, registrant, number, identifier));
}

sql_result<void> call_book::applied(std::int64_t registrant) {
  return only_done(on_.run("UPDATE matricula.bridge_call SET state = 'applied' WHERE subject = $1 AND registrant_id = "
                           "$2::bigint",
                           subject_, registrant));
}

sql_result<bool> call_book::ended(std::int64_t registrant, std::int64_t number) {
  return changed_one(on_.run("UPDATE matricula.bridge_call SET state = 'ended', lease_until = NULL WHERE subject = $1 "
                             "AND registrant_id = $2::bigint AND call_number = $3::bigint AND state = 'calling'",
                             subject_, registrant, number));
}

sql_result<void> call_book::doubt_last(std::int64_t registrant, std::string_view reason) {
  return only_done(on_.run(std::string("WITH listed AS (UPDATE matricula.bridge_call SET state = 'ended', lease_until "
                                       "= NULL WHERE subject = $2 AND registrant_id = $3::bigint RETURNING *) ") +
                               list_into_doubt,
                           reason, subject_, registrant));
}

sql_result<void> call_book::collided(std::int64_t registrant) {
  return only_done(on_.run("UPDATE matricula.bridge_call SET collisions = collisions + 1 WHERE subject = $1 AND "
                           "registrant_id = $2::bigint",
                           subject_, registrant));
}

sql_result<void> call_book::late_answer(std::int64_t number, std::string_view identifier) {
  return only_done(on_.run("UPDATE matricula.bridge_doubt SET identifier = $2, reason = 'The answer came when the call "
                           "was given up already.' WHERE call_number = $1::bigint AND identifier IS NULL",
                           number, identifier));
}

sql_result<std::uint64_t> call_book::doubt_abandoned(std::uint32_t at_most) {
  auto listed = on_.run(
      std::string(
          "WITH gone AS MATERIALIZED (SELECT subject, registrant_id FROM matricula.bridge_call WHERE state = 'calling' "
          "AND lease_until <= now() AND generator = $2::text LIMIT $3::bigint FOR UPDATE SKIP LOCKED), listed AS "
          "(UPDATE matricula.bridge_call c SET state = 'ended', lease_until = NULL FROM gone WHERE "
          "c.subject = gone.subject AND c.registrant_id = gone.registrant_id RETURNING c.*) ") +
          list_into_doubt,
      "The bridge ended during the call.", generator_, at_most);
  if (!listed) return std::unexpected(listed.error());
  return listed->changed();
}

sql_result<doubt_counts> count_doubts(connection& on) {
  auto found =
      on.run("SELECT count(*) FILTER (WHERE identifier IS NULL), count(*) FILTER (WHERE identifier IS NOT NULL) "
             "FROM matricula.bridge_doubt");
  if (!found) return std::unexpected(found.error());
  return doubt_counts{static_cast<std::uint64_t>(found->number(0, 0)), static_cast<std::uint64_t>(found->number(0, 1))};
}

sql_result<std::vector<doubt>> list_doubts(connection& on, std::int64_t after, std::uint32_t at_most) {
  auto found = on.run(
      "SELECT call_number, subject, registrant_id, generator, coalesce(owner, ''), to_char(called_at AT TIME ZONE "
      "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), to_char(listed_at AT TIME ZONE 'UTC', "
      "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), reason, coalesce(identifier, '') FROM "
      "matricula.bridge_doubt WHERE call_number > $1::bigint ORDER BY call_number LIMIT $2::bigint",
      after, at_most);
  if (!found) return std::unexpected(found.error());
  std::vector<doubt> out;
  for (std::size_t i = 0; i < found->size(); ++i)
    out.push_back({found->number(i, 0), found->text(i, 1), found->number(i, 2), found->text(i, 3), found->text(i, 4),
                   found->text(i, 5), found->text(i, 6), found->text(i, 7), found->text(i, 8)});
  return out;
}

} // namespace matricula::connectors::postgres
