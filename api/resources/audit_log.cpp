#include "api/resources/audit_log.hpp"

#include "api/json_writer.hpp"
#include "api/page_size.hpp"
#include "storage/audit.hpp"

namespace matricula::api {

std::vector<route> audit_routes(const storage::notebook& audit_log) {
  const auto list = [&audit_log](const request& r) -> outcome<response> {
    const auto limit = page_size(r);
    if (!limit) return std::unexpected(limit.error());
    const auto rows = audit_log.rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    const auto cursor = r.query_value("cursor").value_or("");
    if (!cursor.empty() && !storage::audit::is_cursor(cursor))
      return refuse(400, errc::invalid_argument, "cursor is the next_cursor of an earlier page.");
    const auto page = storage::audit::list(**rows, cursor, *limit);
    if (!page) return std::unexpected(refusal(page.error()));
    json::writer w(1024);
    w.begin_object().key("items").begin_array();
    for (const auto& e : page->entries) {
      w.begin_object()
          .member("id", e.id)
          .member("at", to_rfc3339(e.at))
          .member("who", e.who)
          .member("action", e.action);
      w.member("target", e.target);
      if (!e.reason.empty()) w.member("reason", e.reason);
      w.member("request_id", e.request_id).end_object();
    }
    w.end_array();
    if (!page->next.empty()) w.member("next_cursor", page->next);
    w.end_object();
    return response{.body = std::move(w).str()};
  };
  route r{"GET", "/v1/audit", "audit:read", list};
  r.query = {"limit", "cursor"};
  return {r};
}

} // namespace matricula::api
