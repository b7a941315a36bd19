#include "api/resources/dead_letters.hpp"

#include "api/json_writer.hpp"
#include "api/page_size.hpp"
#include "foundation/digest.hpp"

namespace matricula::api {

namespace {
void write_letter(json::writer& w, const kept_dead_letter& kept) {
  const auto& letter = kept.letter;
  w.member("id", kept.id)
      .member("actor", letter.actor_path)
      .member("generation", letter.generation)
      .member("at", to_rfc3339(letter.at))
      .member("message_type", letter.message_type)
      .member("size_bytes", letter.size_bytes)
      .member("replayable", letter.replayable && !kept.replayed);
  w.member("replayed", kept.replayed);
  if (!letter.trace.request_id.empty()) w.member("request_id", letter.trace.request_id);
}

outcome<response> list(const dead_letter_desk& letters, const request& from) {
  const auto limit = page_size(from);
  if (!limit) return std::unexpected(limit.error());
  const auto page = letters.list({.actor = std::string(from.query_value("actor").value_or("")),
                                  .cursor = std::string(from.query_value("cursor").value_or("")),
                                  .items_max = *limit});
  if (!page) return std::unexpected(refusal(page.error()));
  json::writer w(1024);
  w.begin_object().key("items").begin_array();
  for (const auto& kept : page->items) {
    w.begin_object();
    write_letter(w, kept);
    w.end_object();
  }
  w.end_array();
  if (!page->next_cursor.empty()) w.member("next_cursor", page->next_cursor);
  w.end_object();
  return response{.body = std::move(w).str()};
}

outcome<response> show(const dead_letter_desk& letters, const request& from) {
  const auto kept = letters.find(from.param("id"));
  if (!kept) return std::unexpected(refusal(kept.error()));
  json::writer w(1024);
  w.begin_object();
  write_letter(w, *kept);
  if (from.who->may("dead-letters:content"))
    w.key("content")
        .begin_object()
        .member("reason", kept->letter.reason)
        .member("payload_hex", to_hex(kept->letter.payload))
        .end_object();
  w.end_object();
  return response{.body = std::move(w).str()};
}

using verb = result<void> (dead_letter_desk::*)(std::string_view, std::chrono::nanoseconds);

outcome<response> act(dead_letter_desk& letters, const request& from, verb what, std::string_view name,
                      const audit_hook& audit) {
  const auto id = from.param("id");
  if (const auto known = letters.find(id); !known) return std::unexpected(refusal(known.error()));
  if (auto ok = audit_with_reason(from, "dead_letter." + std::string(name), std::string(id), audit); !ok)
    return std::unexpected(ok.error());
  if (auto ok = (letters.*what)(id, from.deadline); !ok) return std::unexpected(refusal(ok.error()));
  json::writer w;
  w.begin_object().member("id", id).member("action", name).end_object();
  return response{.body = std::move(w).str()};
}
} // namespace

std::vector<route> dead_letter_routes(dead_letter_desk& letters, audit_hook audit) {
  std::vector<route> routes = {
      {"GET", "/v1/dead-letters", "dead-letters:read", [&letters](const request& from) { return list(letters, from); }},
      {"GET", "/v1/dead-letters/{id}", "dead-letters:read",
       [&letters](const request& from) { return show(letters, from); }},
      {"POST", "/v1/dead-letters/{id}/replay", "dead-letters:act",
       [&letters, audit](const request& from) {
         return act(letters, from, &dead_letter_desk::replay, "replay", audit);
       }},
      {"POST", "/v1/dead-letters/{id}/discard", "dead-letters:act",
       [&letters, audit](const request& from) {
         return act(letters, from, &dead_letter_desk::discard, "discard", audit);
       }},
  };
  routes.front().query = {"actor", "cursor", "limit"};
  return routes;
}

} // namespace matricula::api
