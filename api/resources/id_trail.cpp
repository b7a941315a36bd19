#include "api/resources/id_trail.hpp"

#include "api/issuer_cursor.hpp"
#include "api/json_writer.hpp"
#include "api/page_size.hpp"
#include "foundation/digest.hpp"
#include "storage/audit.hpp"
#include "storage/id_trail.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace matricula::api {

using namespace identifiers;
namespace id_trail = storage::id_trail;
namespace journal = storage::journal;

namespace {

std::string to_text(const id_trail::cursor& c) {
  return c.place == UINT32_MAX ? fmt::format("{}", c.seq) : fmt::format("{}.{}", c.seq, c.place);
}

std::optional<id_trail::cursor> cursor_in(std::string_view text) {
  id_trail::cursor c;
  const auto dot = text.find('.');
  const auto number = [](std::string_view digits, auto& to) {
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    return bad == std::errc{} && end == digits.data() + digits.size();
  };
  if (!number(text.substr(0, dot), c.seq) || c.seq == 0 || c.seq == UINT64_MAX) return std::nullopt;
  if (dot != std::string_view::npos && !number(text.substr(dot + 1), c.place)) return std::nullopt;
  return c;
}

outcome<const id_type*> type_asked_for(const actors::id_door& door, const request& r) {
  if (const auto name = r.query_value("type"))
    if (const auto* type = door.find(*name)) return type;
  std::vector<std::string_view> known;
  for (const auto* t : door.types()) known.push_back(t->name);
  return refuse(400, errc::invalid_argument,
                fmt::format("type must be an identifier type: {}.", fmt::join(known, ", ")));
}

struct question {
  id_trail::query what;
  bool of_nobody = false; ///< of one identifier, which was never issued
};

outcome<question> question_of(const actors::id_door& door, const request& r, const id_type& type) {
  question asked;
  auto& what = asked.what;
  what.principal = r.query_value("principal").value_or("");
  for (const auto& [name, to] : {std::pair{"from", &what.from}, std::pair{"to", &what.to}}) {
    const auto text = r.query_value(name);
    if (!text) continue;
    const auto at = parse_rfc3339(*text);
    if (!at) return refuse(400, errc::invalid_argument, fmt::format("{}: {}", name, at.error().message));
    *to = *at;
  }
  if (const auto id = r.query_value("id")) {
    const auto place = door.locate(type, *id);
    if (!place) return std::unexpected(refusal(place.error()));
    if (!*place) {
      refusal why(400, errc::invalid_argument,
                  fmt::format("No identifier of type '{}' looks like this id; /validate names the rules it breaks.",
                              type.name));
      why.missed = true;
      return std::unexpected(std::move(why));
    }
    what.counter = (*place)->counter;
    asked.of_nobody = !(*place)->record;
  }
  return asked;
}

outcome<response> list(const actors::id_door& door, const request& r) {
  const auto type = type_asked_for(door, r);
  if (!type) return std::unexpected(type.error());
  const auto limit = page_size(r);
  if (!limit) return std::unexpected(limit.error());
  const auto asked = question_of(door, r, **type);
  if (!asked) return std::unexpected(asked.error());
  const auto parts = door.parts(**type);
  id_trail::cursor from;
  issuer_cursor place;
  if (const auto text = r.query_value("cursor")) {
    const auto given = read_issuer_cursor(*text, parts.size());
    const auto within = given && !given->rest.empty() ? cursor_in(given->rest) : std::nullopt;
    if (!given || (!within && (parts.size() == 1 || !given->rest.empty())))
      return refuse(400, errc::invalid_argument, "cursor is the next_cursor of an earlier page.");
    place = *given;
    if (within) from = *within;
  }
  const auto rows = door.rows(**type, place.issuer);
  if (!rows) return std::unexpected(refusal(rows.error()));
  const auto page = id_trail::find(**rows, parts[place.issuer], asked->what, from, *limit);
  if (!page) return std::unexpected(refusal(page.error()));
  json::writer w(256 + page->entries.size() * 240);
  w.begin_object().member("type", (*type)->name).key("items").begin_array();
  for (const auto& e : page->entries) {
    w.begin_object().member("seq", e.seq).member("at", to_rfc3339(e.what.at)).member("id", e.what.id);
    w.member("assignment", e.what.assignment)
        .member("from", to_string(e.what.from))
        .member("to", to_string(e.what.to))
        .member("by", e.what.by);
    if (!e.tenant.empty()) w.member("tenant", e.tenant);
    if (!e.what.holder.empty()) w.member("holder", e.what.holder);
    if (!e.request_id.empty()) w.member("request_id", e.request_id);
    w.end_object();
  }
  w.end_array();
  const auto rest = page->next ? std::optional(to_text(*page->next)) : std::nullopt;
  if (const auto next = next_issuer_cursor(place.issuer, parts.size(), rest)) w.member("next_cursor", *next);
  w.end_object();
  response out{.body = std::move(w).str()};
  out.missed = asked->of_nobody;
  return out;
}

outcome<void> head(json::writer& w, std::string_view name, const storage::view& rows, const journal::chain& chain) {
  const auto tip = journal::find_tip(rows, chain);
  if (!tip) return std::unexpected(refusal(tip.error()));
  const auto beginning = journal::find_beginning(rows, chain);
  if (!beginning) return std::unexpected(refusal(beginning.error()));
  w.begin_object().member("chain", name).member("seq", tip->seq).member("hash", to_hex(tip->hash));
  if (tip->seq > 0) w.member("at", to_rfc3339(tip->at));
  w.member("first", beginning->first).end_object();
  return {};
}

outcome<response> heads(const actors::id_door& door, const storage::notebook& audit_log) {
  json::writer w(1024);
  w.begin_object().key("items").begin_array();
  const auto acts = audit_log.rows();
  if (!acts) return std::unexpected(refusal(acts.error()));
  if (auto ok = head(w, "audit", **acts, storage::audit::acts); !ok) return std::unexpected(ok.error());
  for (const auto* type : door.types()) {
    const auto parts = door.parts(*type);
    for (const auto& part : parts) {
      const auto rows = door.rows(*type, part.issuer);
      if (!rows) return std::unexpected(refusal(rows.error()));
      const auto name = parts.size() == 1 ? "ids/" + type->name : fmt::format("ids/{}/{}", type->name, part.issuer);
      if (auto ok = head(w, name, **rows, id_trail::chain_of(part)); !ok) return std::unexpected(ok.error());
    }
  }
  w.end_array().end_object();
  return response{.body = std::move(w).str()};
}

} // namespace

std::vector<route> id_trail_routes(const actors::id_door& door, const storage::notebook& audit_log) {
  route identifiers{"GET", "/v1/audit/identifiers", "audit:read", [&door](const request& r) { return list(door, r); }};
  identifiers.query = {"type", "id", "principal", "from", "to", "cursor", "limit"};
  identifiers.guessable = true; // by `id`
  return {std::move(identifiers), {"GET", "/v1/audit/heads", "audit:read", [&door, &audit_log](const request&) {
                                     return heads(door, audit_log);
                                   }}};
}

} // namespace matricula::api
