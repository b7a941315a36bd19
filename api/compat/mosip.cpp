#include "api/compat/mosip.hpp"

#include "api/compat/mosip_envelope.hpp"
#include "api/compat/mosip_time.hpp"
#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "api/problem.hpp"

#include <memory>

namespace matricula::api::compat {

using namespace identifiers;

namespace {
using namespace mosip;

constexpr std::size_t echoed_bytes_max = 256;
constexpr std::size_t word_bytes_max = 64;

/// The body of a PUT: `{id, version, requesttime, metadata, request: {<number>, status}}`.
struct put_request {
  echo as;
  std::string number;
  std::string status;
  std::optional<refusal> wrong;
};

put_request read_put(std::string_view body, std::string_view number_name) {
  put_request out;
  json::fields all(body);
  out.as.id = all.optional_text("id", {.bytes_min = 0, .bytes_max = echoed_bytes_max});
  out.as.version = all.optional_text("version", {.bytes_min = 0, .bytes_max = echoed_bytes_max});
  const auto time = all.optional_text("requesttime", {.bytes_min = 0, .bytes_max = word_bytes_max});
  if (time && !parse_mosip_time(*time))
    all.refuse_field("requesttime", "must be a time in the pattern yyyy-MM-dd'T'HH:mm:ss.SSS'Z'");
  static_cast<void>(all.any("metadata")); // whatever it is
  const auto* inner = all.any("request");
  if (!inner) all.refuse_field("request", "is required");
  if (out.wrong = all.wrong(); out.wrong) return out;
  json::fields change(*inner, "request.");
  constexpr json::fields::text_range word{.bytes_min = 0, .bytes_max = word_bytes_max};
  out.number = change.optional_text(number_name, word).value_or("");
  out.status = change.optional_text("status", word).value_or("");
  out.wrong = change.wrong();
  return out;
}

std::string number_body(std::string_view name, std::string_view number) {
  json::writer w;
  w.begin_object().member(name, number).end_object();
  return std::move(w).str();
}

std::string status_body(std::string_view name, std::string_view number, std::string_view status) {
  json::writer w;
  w.begin_object().member(name, number).member("status", status).end_object();
  return std::move(w).str();
}

bool is_blank(std::string_view text) noexcept { return text.find_first_not_of(" \t") == std::string_view::npos; }

class mosip_resource {
public:
  explicit mosip_resource(mosip_sources sources) : from_(std::move(sources)) {}

  outcome<begun> issue_uin(const request& r, const runtime::reply_notice& told) const {
    return issue(r, told, "uin", uin_not_found, std::nullopt);
  }
  outcome<begun> issue_prid(const request& r, const runtime::reply_notice& told) const {
    return issue(r, told, "prid", prid_not_available, std::nullopt);
  }

  outcome<begun> issue_vid(const request& r, const runtime::reply_notice& told) const {
    const auto given = r.query_value("videxpiry");
    if (!given) return issue(r, told, "vid", vid_not_available, std::nullopt);
    if (is_blank(*given)) return failed(vid_expiry_empty);
    const auto expires_at = parse_mosip_time(*given);
    if (!expires_at) return failed(vid_expiry_malformed);
    // With a key it may be a repetition of a request whose time has come since; the pool looks for its answer first.
    // The epoch itself means "none" to it, and never was in the future.
    const auto earliest = r.idempotency_key.empty() ? from_.now() : timestamp{milliseconds{1}};
    if (*expires_at < earliest) return failed(vid_expiry_past);
    if (from_.clock_suspect())
      return std::unexpected(refusal(error{
          errc::unavailable,
          "The node's clock jumped and nobody has confirmed it: what expires cannot be issued. See GET /v1/clock.",
          std::chrono::seconds(60)}));
    return issue(r, told, "vid", vid_not_available, expires_at);
  }

  outcome<response> change_uin(const request& r) const {
    const auto asked = read_put(r.body, "uin");
    if (asked.wrong) return failed(uin_failed, asked.as, detail_of(*asked.wrong));
    const bool returned = asked.status == "UNASSIGNED";
    if (returned && !r.open && !r.who->may("ids:return")) {
      refusal why(error{errc::forbidden, "UNASSIGNED needs the scope ids:return.", {}});
      why.headers.push_back(
          {"WWW-Authenticate", R"(Bearer realm="matricula", error="insufficient_scope", scope="ids:return")"});
      return std::unexpected(std::move(why));
    }
    const auto type = type_of("uin", lifecycle::uin);
    if (!type) return std::unexpected(type.error());

    const auto place = from_.ids->locate(**type, asked.number);
    if (!place) return std::unexpected(refusal(place.error()));
    if (!*place || !(*place)->record) return missed(uin_not_found, asked.as);
    const auto& record = *(*place)->record;
    if (record.state != id_state::issued) return failed(uin_not_issued, asked.as);
    if (!returned && asked.status != "ASSIGNED") return failed(uin_status_unknown, asked.as);
    // By its assignment number: should it be returned and issued to somebody else meanwhile, nothing is done to theirs.
    const auto changed = from_.ids->change(
        **type, (*place)->counter, returned ? id_event::give_back : id_event::confirm, record.assignment, caller_of(r));
    if (!changed) {
      const auto code = changed.error().code;
      if (code == errc::not_found) return missed(uin_not_found, asked.as);
      if (code == errc::conflict || code == errc::stale_assignment) return failed(uin_not_issued, asked.as);
      return std::unexpected(refusal(changed.error()));
    }
    return response{
        .body = success(from_.now(), asked.as, status_body("uin", asked.number, returned ? "UNUSED" : "ASSIGNED"))};
  }

  outcome<begun> revoke_vid(const request& r, const runtime::reply_notice& told) const {
    const auto asked = read_put(r.body, "vid");
    if (asked.wrong) return failed(vid_failed, asked.as, detail_of(*asked.wrong));
    const auto type = type_of("vid", lifecycle::vid);
    if (!type) return std::unexpected(type.error());
    const auto counter = from_.ids->counter_of(**type, asked.number);
    if (!counter) return std::unexpected(refusal(counter.error()));
    if (!*counter) return missed(vid_not_found, asked.as);
    if (asked.status != "REVOKED") return failed(vid_failed, asked.as, "The status must be REVOKED.");
    return answer_later([this, asked,
                         answer = from_.ids->begin_change(**type, **counter, id_event::revoke, 0, caller_of(r),
                                                          told)]() -> outcome<response> {
      if (const auto changed = answer(); !changed) {
        const auto code = changed.error().code;
        if (code == errc::not_found) return missed(vid_not_found, asked.as);
        if (code == errc::conflict) return failed(vid_not_assigned, asked.as);
        return std::unexpected(refusal(changed.error()));
      }
      return response{.body = success(from_.now(), asked.as, status_body("vid", asked.number, "EXPIRED"))};
    });
  }

  bool reads_to_revoke() const {
    const auto type = type_of("vid", lifecycle::vid);
    return type && from_.ids->reads_to_change(**type);
  }

  outcome<response> health() const {
    const auto storage = from_.health.storage();
    const auto pools = from_.health.pools();
    const auto disk = from_.health.disk();
    struct check {
      std::string_view name;
      bool up;
      std::string data;
    };
    json::writer db, space, generator;
    db.begin_object().member("database", "embedded");
    if (storage)
      db.member("hello", 1);
    else
      db.member("error", storage.error().message);
    db.end_object();
    space.begin_object().member("total", disk.total_bytes).member("free", disk.free_bytes);
    space.member("threshold", disk.threshold_bytes).end_object();
    generator.begin_object().member("response", pools ? "active" : "inactive").end_object();
    const check checks[] = {{"db", storage.has_value(), db.str()},
                            {"diskspace", disk.free_bytes >= disk.threshold_bytes, space.str()},
                            {"idgenerator", pools.has_value(), generator.str()}};
    const auto word = [](bool up) { return up ? "UP" : "DOWN"; };
    bool all = true;
    for (const auto& one : checks) all = all && one.up;

    json::writer w(768);
    w.begin_object().member("status", word(all)).key("checks").begin_array();
    for (const auto& one : checks) {
      w.begin_object().member("id", one.name).member("status", word(one.up)).key("data").raw(one.data);
      w.end_object();
    }
    w.end_array().key("details").begin_object();
    for (const auto& one : checks) {
      w.key(one.name).begin_object().member("status", word(one.up)).key("details").raw(one.data);
      w.end_object();
    }
    w.end_object().end_object();
    return response{.status = all ? 200 : 503, .body = std::move(w).str()};
  }

  outcome<response> metrics() const {
    return response{.body = from_.metrics(), .content_type = "text/plain; version=0.0.4"};
  }

  /// For route::refusal_body.
  [[nodiscard]] auto refusing_with(const fault& all_else) const {
    return [now = from_.now, all_else](const refusal& why, response& answer) {
      mosip::refuse(why, all_else, now(), answer);
    };
  }

private:
  response failed(const fault& why, const echo& of = {}, std::string_view message = "") const {
    return {.body = failure(from_.now(), of, why, message)};
  }

  /// Nobody has this number: whoever asks often is guessing.
  response missed(const fault& why, const echo& of) const {
    auto out = failed(why, of);
    out.missed = true;
    return out;
  }

  outcome<const id_type*> type_of(std::string_view name, lifecycle of) const {
    const auto* type = from_.ids->find(name);
    if (type && type->rules.of == of) return type;
    return std::unexpected(refusal(
        error{errc::unavailable,
              "This node has no identifier type '" + std::string(name) + "' of the lifecycle that this route needs.",
              {}}));
  }

  /// @param name a literal; it outlives the request
  /// @param none what an empty pool is called.
  outcome<begun> issue(const request& r, const runtime::reply_notice& told, std::string_view name, const fault& none,
                       std::optional<timestamp> expires_at) const {
    // The router serves HEAD by GET; here it would take an identifier that nobody gets to see.
    if (r.method == "HEAD")
      return std::unexpected(refusal(405, errc::unsupported, "Every GET takes an identifier, so there is no HEAD.",
                                     {{"Allow", name == "prid" ? "GET" : "GET, PUT"}}));
    const auto type = type_of(name, name == "uin" ? lifecycle::uin : name == "vid" ? lifecycle::vid : lifecycle::pool);
    if (!type) return std::unexpected(type.error());
    auto answer = from_.ids->begin_issue(**type, one_identifier(r, **type, expires_at), caller_of(r), told);
    return answer_later([this, name, none, expires = expires_at.has_value(), answer]() -> outcome<response> {
      const auto issued = answer();
      if (!issued) {
        const auto code = issued.error().code;
        if (code == errc::refilling || code == errc::exhausted) return empty(none, issued.error());
        if (code == errc::invalid_argument && expires) return failed(vid_expiry_past);
        return std::unexpected(refusal(issued.error()));
      }
      response out{.body = success(from_.now(), {}, number_body(name, issued->issued.ids.front()))};
      if (issued->replayed)
        out.headers.push_back({"Idempotent-Replayed", "true"});
      else
        out.issued = 1;
      return out;
    });
  }

  /// With Retry-After while more is on its way.
  response empty(const fault& none, const error& why) const {
    auto out = head_of(refusal(why));
    out.status = 200;
    out.content_type = "application/json";
    out.body = failure(from_.now(), {}, none);
    return out;
  }

  mosip_sources from_;
};

} // namespace

std::vector<route> mosip_routes(mosip_sources sources) {
  require(sources.ids && sources.now && sources.clock_suspect && sources.metrics && sources.health.storage &&
              sources.health.pools && sources.health.disk,
          "mosip_routes needs all its sources");
  const auto ids = std::make_shared<const mosip_resource>(std::move(sources));
  using handler = outcome<begun> (mosip_resource::*)(const request&, const runtime::reply_notice&) const;
  const auto serve = [ids](std::string method, std::string path, std::string scope, handler begin,
                           const fault& all_else) {
    route r{std::move(method), std::move(path), std::move(scope), {}};
    if (begin)
      r.begin = [ids, begin](const request& from, const runtime::reply_notice& told) {
        return (*ids.*begin)(from, told);
      };
    else // looks the identifier up first
      r.handle = [ids](const request& from) { return ids->change_uin(from); };
    r.cookie_credentials = true;
    r.refusal_body = ids->refusing_with(all_else);
    r.idempotency = r.method == "GET" ? idempotency::accepted : idempotency::ignored;
    r.issues = r.method == "GET";
    r.guessable = r.method == "PUT";
    r.body_bytes_max = small_body_bytes_max;
    return r;
  };
  std::vector<route> routes{
      serve("GET", "/v1/idgenerator/uin", "ids:issue", &mosip_resource::issue_uin, uin_failed),
      serve("PUT", "/v1/idgenerator/uin", "ids:confirm", nullptr, uin_failed),
      serve("GET", "/v1/idgenerator/vid", "ids:issue", &mosip_resource::issue_vid, vid_failed),
      serve("PUT", "/v1/idgenerator/vid", "ids:revoke", &mosip_resource::revoke_vid, vid_failed),
      serve("GET", "/v1/pridgenerator/prid", "ids:issue", &mosip_resource::issue_prid, prid_failed),
  };
  routes[2].query = {"videxpiry"};
  routes[3].begin_reads = [ids](const request&) { return ids->reads_to_revoke(); };
  route health{"GET", "/v1/idgenerator/actuator/health", "", [ids](const request&) { return ids->health(); }};
  health.under_load = true;
  health.waits = false; // nor does it need a thread, when all are busy
  routes.push_back(std::move(health));
  route metrics{"GET", "/v1/idgenerator/metrics", "metrics:read", [ids](const request&) { return ids->metrics(); }};
  metrics.under_load = true;
  routes.push_back(std::move(metrics));
  return routes;
}

} // namespace matricula::api::compat
