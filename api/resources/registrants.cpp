#include "api/resources/registrants.hpp"

#include "api/import_lines.hpp"
#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "api/page_size.hpp"
#include "foundation/digest.hpp"
#include "storage/idempotency.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <ranges>

namespace matricula::api {

using registrants::generator_call;
using registrants::registrant;

namespace {

constexpr std::size_t lines_max = 10'000;
constexpr std::size_t line_bytes_max = 8'192;
constexpr std::size_t bulk_bytes_max = std::size_t{1} << 20;
constexpr std::size_t write_data_bytes_max = std::size_t{64} << 10; ///< data that one write takes, about
constexpr std::size_t reason_bytes_max = 500;
constexpr std::string_view ndjson = "application/x-ndjson";

std::string id_text(std::uint64_t id) { return std::to_string(id); }

std::optional<std::uint64_t> whole(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (bad != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

void write_members(json::writer& w, const registrant& r, std::string_view data) {
  w.member("registrant_id", r.id).member("kind", r.kind).member("id_type", r.id_type);
  if (!r.generator.empty()) w.member("generator", r.generator);
  if (!r.reference.empty()) w.member("reference", r.reference);
  if (!r.unique_id.empty()) w.member("unique_id", r.unique_id);
  w.member("id_state", registrants::to_string(r.progress));
  w.key("task_ids").begin_array();
  for (const auto task : {r.request_task, r.update_task})
    if (task != 0) w.value(task);
  w.end_array();
  if (!data.empty()) w.key("data").raw(data);
  w.member("created_at", to_rfc3339(r.created_at)).member("changed_at", to_rfc3339(r.changed_at));
  w.member("created_by", r.created_by);
}

void write_members(json::writer& w, const generator_call& c) {
  w.member("call", c.number).member("registrant_id", c.registrant).member("task_id", c.task);
  w.member("generator", c.generator).member("state", registrants::to_string(c.state));
  w.member("began_at", to_rfc3339(c.began_at));
  if (c.doubted_at) w.member("doubted_at", to_rfc3339(*c.doubted_at));
  if (!c.reason.empty()) w.member("reason", c.reason);
  if (!c.unique_id.empty()) w.member("unique_id", c.unique_id);
  if (c.resolved_at) w.member("resolved_at", to_rfc3339(*c.resolved_at));
  if (!c.resolved_by.empty()) w.member("resolved_by", c.resolved_by);
  if (!c.note.empty()) w.member("note", c.note);
}

response one(int status, const registrant& r, std::string_view data) {
  json::writer w(512 + data.size());
  w.begin_object();
  write_members(w, r, data);
  w.end_object();
  return {.status = status, .body = std::move(w).str()};
}

bool is_ndjson(const request& r) {
  const auto type = r.header("Content-Type").substr(0, ndjson.size());
  return std::ranges::equal(type, ndjson, {}, [](unsigned char c) { return std::tolower(c); });
}

/// A line of a bulk request: what is wanted, or why not, and then what became of it.
struct line {
  std::size_t number = 0;
  actors::new_registrant wanted;
  actors::created_registrant made;
  std::string_view code; ///< of the refusal; empty: none
  std::string message;
};

class registrant_resource {
public:
  explicit registrant_resource(registrant_sources sources) : from_(std::move(sources)) {}

  /// One as JSON, or many as NDJSON.
  outcome<response> create(const request& r) const {
    if (is_ndjson(r)) {
      if (r.idempotency_key.empty()) return create_many(r);
      return refuse(400, errc::invalid_argument,
                    "Idempotency-Key is for a single registrant. Give each line a reference instead: sent again, it is "
                    "found.");
    }
    json::fields body(r.body);
    const auto wanted = read(body);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    actors::registrant_door::key key;
    if (!r.idempotency_key.empty()) {
      key.ref = storage::idempotency::hash_of({r.who->tenant, r.who->name, "registrants.create", r.idempotency_key});
      key.fingerprint =
          sha256(fmt::format("registrants.create\n{}\n{}\n{}", wanted.kind, wanted.reference, wanted.data));
    }
    const auto made = from_.door->create({wanted}, key, caller_of(r));
    if (!made) return std::unexpected(refusal(made.error()));
    if (made->front().conflict)
      return std::unexpected(refusal(error{
          errc::conflict,
          fmt::format("Registrant {} has this reference, and is of another kind or has other data. It stays as it is.",
                      made->front().id),
          {}}));
    auto out = show(made->front().id, made->front().existed ? 200 : 201);
    if (out && made->front().replayed) out->headers.push_back({"Idempotent-Replayed", "true"});
    return out;
  }

  outcome<response> create_many(const request& r) const {
    auto lines = read_lines(r.body);
    if (!lines) return std::unexpected(lines.error());
    std::size_t at = 0;
    while (at < lines->size()) {
      std::vector<actors::new_registrant> wanted;
      std::vector<line*> of;
      std::size_t bytes = 0;
      for (; at < lines->size() && wanted.size() < actors::created_registrants_max; ++at) {
        auto& one = (*lines)[at];
        if (!one.code.empty()) continue;
        bytes += one.wanted.data.size();
        if (bytes > write_data_bytes_max && !wanted.empty()) break;
        wanted.push_back(std::move(one.wanted));
        of.push_back(&one);
      }
      if (wanted.empty()) break;
      const auto made = from_.door->create(std::move(wanted), {}, caller_of(r));
      for (std::size_t i = 0; i < of.size(); ++i) {
        if (made) {
          of[i]->made = (*made)[i];
          continue;
        }
        // The lines before have their registrants: they are told, and these can be sent again.
        of[i]->code = to_string(made.error().code);
        of[i]->message = made.error().message;
      }
    }
    return answer(*lines);
  }

  outcome<response> show(const request& r) const {
    const auto id = whole(r.param("id"));
    if (!id) return refuse(404, errc::not_found, "A registrant's id is a whole number.");
    return show(*id, 200);
  }

  outcome<response> list(const request& r) const {
    const auto limit = page_size(r);
    if (!limit) return std::unexpected(limit.error());
    const auto cursor = whole(r.query_value("cursor").value_or("0"));
    if (!cursor) return refuse(400, errc::invalid_argument, "cursor is the next_cursor of an earlier page.");
    const auto reference = r.query_value("reference");
    const auto unique_id = r.query_value("unique_id");
    if (reference && unique_id)
      return refuse(400, errc::invalid_argument, "Ask by reference or by unique_id, not by both.");
    const auto rows = from_.door->rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    const auto reader = storage::reader_of(**rows);
    const auto part = from_.door->part();
    std::vector<registrant> found;
    std::optional<std::uint64_t> next;
    if (reference || unique_id) {
      const auto key = reference ? part.reference_key(r.who->tenant, *reference) : part.unique_id_key(*unique_id);
      const auto id = storage::find_number(reader, key);
      if (!id) return std::unexpected(refusal(id.error()));
      if (*id) {
        auto there = storage::find_registrant(reader, part, **id);
        if (!there) return std::unexpected(refusal(there.error()));
        if (*there) found.push_back(std::move(**there));
      }
    } else {
      auto page = storage::list_registrants(**rows, part, *cursor, *limit + 1);
      if (!page) return std::unexpected(refusal(page.error()));
      found = std::move(*page);
      if (found.size() > *limit) {
        next = found.back().id;
        found.pop_back();
      }
    }
    json::writer w(64 + found.size() * 384);
    w.begin_object().key("items").begin_array();
    for (const auto& one : found) {
      const auto data = storage::find_registrant_data(reader, part, one.id);
      if (!data) return std::unexpected(refusal(data.error()));
      w.begin_object();
      write_members(w, one, *data);
      w.end_object();
    }
    w.end_array();
    if (next) w.member("next_cursor", id_text(*next));
    w.end_object();
    response out{.body = std::move(w).str()};
    out.missed = found.empty() && (reference || unique_id);
    return out;
  }

  outcome<response> request_id(const request& r) const {
    const auto id = whole(r.param("id"));
    if (!id) return refuse(404, errc::not_found, "A registrant's id is a whole number.");
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto reason = body.optional_text("reason", {.bytes_max = reason_bytes_max}).value_or("");
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    if (const auto known = show(*id, 200); !known) return std::unexpected(known.error());
    if (auto ok = audit_act(r, "registrant.request_id", id_text(*id), reason, from_.audit); !ok)
      return std::unexpected(ok.error());
    const auto done = from_.door->request_id(*id, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    return show(*id, 200);
  }

  outcome<response> calls(const request& r) const {
    const auto limit = page_size(r);
    if (!limit) return std::unexpected(limit.error());
    const auto cursor = whole(r.query_value("cursor").value_or("0"));
    if (!cursor) return refuse(400, errc::invalid_argument, "cursor is the next_cursor of an earlier page.");
    const auto state = r.query_value("state");
    if (state && *state != "in_doubt")
      return refuse(400, errc::invalid_argument, "state is in_doubt; without it all calls are listed.");
    const auto rows = from_.door->rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    auto found = storage::list_calls(**rows, from_.door->part(), state.has_value(), *cursor, *limit + 1);
    if (!found) return std::unexpected(refusal(found.error()));
    const bool more = found->size() > *limit;
    json::writer w(64 + found->size() * 256);
    w.begin_object().key("items").begin_array();
    for (const auto& c : std::views::take(*found, static_cast<std::ptrdiff_t>(*limit))) {
      w.begin_object();
      write_members(w, c);
      w.end_object();
    }
    w.end_array();
    if (more) w.member("next_cursor", id_text(found->back().number));
    w.end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> resolve(const request& r) const {
    const auto call = whole(r.param("call"));
    if (!call) return refuse(404, errc::not_found, "A call's number is a whole number.");
    json::fields body(r.body);
    const auto unique_id = body.optional_text("unique_id", {.bytes_max = registrant::unique_id_bytes_max}).value_or("");
    if (!unique_id.empty() && !registrants::is_unique_id(unique_id))
      body.refuse_field("unique_id", "must be letters, digits and '-' only");
    const auto note = body.text("note", {.bytes_max = reason_bytes_max});
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const auto rows = from_.door->rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    const auto known = storage::find_call(storage::reader_of(**rows), from_.door->part(), *call);
    if (!known) return std::unexpected(refusal(known.error()));
    if (!*known)
      return std::unexpected(
          refusal(error{errc::not_found, fmt::format("There is no call {}, or it ended well.", *call), {}}));
    if (auto ok = audit_act(r, "generator_call.resolve", id_text(*call), note, from_.audit); !ok)
      return std::unexpected(ok.error());
    const auto done = from_.door->resolve(*call, unique_id, note, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    json::writer w;
    w.begin_object();
    write_members(w, *done);
    w.end_object();
    return response{.body = std::move(w).str()};
  }

private:
  static actors::caller caller_of(const request& r) { return {r.who->name, r.who->tenant, r.trace, r.deadline}; }

  actors::new_registrant read(json::fields& body) const {
    actors::new_registrant w;
    w.kind = body.optional_text("kind", {.bytes_max = registrant::kind_bytes_max}).value_or("individual");
    const auto known = from_.kinds.find(w.kind);
    if (known == from_.kinds.end()) {
      body.refuse_field("kind", fmt::format("names no kind of registrant that is configured here ({})",
                                            fmt::join(std::views::keys(from_.kinds), ", ")));
    } else {
      w.id_type = known->second.id_type;
      w.generator = known->second.generator;
    }
    w.reference = body.optional_text("reference", {.bytes_max = registrant::reference_bytes_max}).value_or("");
    read_registrant_id(body, w.reference);
    if (const auto* data = body.any("data")) {
      w.data = json::text_of(*data);
      if (w.data.size() > registrant::data_bytes_max)
        body.refuse_field("data", fmt::format("must be at most {} bytes long as JSON", registrant::data_bytes_max));
    }
    return w;
  }

  /// What the client calls the registrant, as other systems name that member: another word for `reference`.
  static void read_registrant_id(json::fields& body, std::string& reference) {
    const auto* given = body.any("registrant_id");
    if (given == nullptr) return;
    if (!reference.empty())
      return body.refuse_field("registrant_id", "and the field 'reference' are two words for the same: send one");
    if (const auto* number = given->as<std::int64_t>(); number != nullptr && *number > 0)
      reference = std::to_string(*number);
    else
      reference = body.optional_text("registrant_id", {.bytes_max = registrant::reference_bytes_max}).value_or("");
  }

  outcome<std::vector<line>> read_lines(std::string_view text) const {
    std::vector<line> lines;
    std::size_t number = 0;
    while (!text.empty()) {
      const auto end = text.find('\n');
      auto one = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (one.ends_with('\r')) one.remove_suffix(1);
      if (++number > lines_max)
        return refuse(413, errc::payload_too_large,
                      fmt::format("At most {} lines are read at once. Send the rest in further requests.", lines_max));
      if (one.empty()) continue;
      line l;
      l.number = number;
      if (one.size() > line_bytes_max) {
        l.code = "line_too_long";
        l.message = fmt::format("It has {} bytes; a line has at most {}.", one.size(), line_bytes_max);
      } else {
        json::fields body(one);
        l.wanted = read(body);
        if (const auto bad = body.wrong()) {
          l.code = "malformed_line";
          l.message = bad->cause.message;
        }
      }
      lines.push_back(std::move(l));
    }
    if (lines.empty()) return refuse(400, errc::invalid_argument, "Send registrants as NDJSON, one a line.");
    return lines;
  }

  static response answer(const std::vector<line>& lines) {
    std::size_t created = 0, existed = 0, refused = 0;
    json::writer w(128 + lines.size() * 64);
    w.begin_object().key("items").begin_array();
    for (const auto& l : lines) {
      w.begin_object().member("line", l.number);
      if (!l.code.empty()) {
        ++refused;
        w.member("code", l.code).member("message", l.message);
      } else {
        w.member("registrant_id", l.made.id).member("existed", l.made.existed);
        if (l.made.conflict) {
          ++refused;
          w.member("code", "conflict")
              .member("message", "It is of another kind or has other data, and stays as it is.");
        } else {
          ++(l.made.existed ? existed : created);
        }
      }
      w.end_object();
    }
    w.end_array().member("created", created).member("existed", existed).member("refused", refused).end_object();
    return {.body = std::move(w).str()};
  }

  outcome<response> show(std::uint64_t id, int status) const {
    const auto rows = from_.door->rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    const auto reader = storage::reader_of(**rows);
    const auto found = storage::find_registrant(reader, from_.door->part(), id);
    if (!found) return std::unexpected(refusal(found.error()));
    if (!*found)
      return std::unexpected(refusal(error{errc::not_found, fmt::format("There is no registrant {}.", id), {}}));
    const auto data = storage::find_registrant_data(reader, from_.door->part(), id);
    if (!data) return std::unexpected(refusal(data.error()));
    return one(status, **found, *data);
  }

  registrant_sources from_;
};

} // namespace

std::vector<route> registrant_routes(registrant_sources sources) {
  const auto all = std::make_shared<const registrant_resource>(std::move(sources));
  using handler = outcome<response> (registrant_resource::*)(const request&) const;
  const auto simple = [all](std::string method, std::string path, std::string scope, handler what) {
    return route{std::move(method), std::move(path), std::move(scope),
                 [all, what](const request& r) { return ((*all).*what)(r); }};
  };
  route create = simple("POST", "/v1/registrants", "registrants:write", &registrant_resource::create);
  create.idempotency = idempotency::accepted;
  create.content_types.emplace_back(ndjson);
  create.body_bytes_max = bulk_bytes_max;
  route many = simple("POST", "/v1/registrants/bulk", "registrants:write", &registrant_resource::create_many);
  many.content_types = {std::string(ndjson)};
  many.body_bytes_max = bulk_bytes_max;
  route list = simple("GET", "/v1/registrants", "registrants:read", &registrant_resource::list);
  list.query = {"reference", "unique_id", "cursor", "limit"};
  list.guessable = true;
  route show = simple("GET", "/v1/registrants/{id}", "registrants:read", &registrant_resource::show);
  show.guessable = true;
  route again = simple("POST", "/v1/registrants/{id}/request-id", "registrants:act", &registrant_resource::request_id);
  again.guessable = true;
  route calls = simple("GET", "/v1/generator-calls", "registrants:read", &registrant_resource::calls);
  calls.query = {"state", "cursor", "limit"};
  return {std::move(create),
          std::move(many),
          std::move(list),
          std::move(show),
          std::move(again),
          std::move(calls),
          simple("POST", "/v1/generator-calls/{call}/resolve", "registrants:act", &registrant_resource::resolve)};
}

} // namespace matricula::api
