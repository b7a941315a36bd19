#include "api/resources/identifiers.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "foundation/digest.hpp"
#include "storage/idempotency.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <memory>

namespace matricula::api {

using namespace identifiers;

namespace {

constexpr std::size_t holder_bytes_max = 64;
constexpr std::int64_t expires_in_days_max = 36'525; // a hundred years

class identifier_resource {
public:
  explicit identifier_resource(identifier_sources sources) : from_(std::move(sources)) {}

  outcome<begun> issue(const request& r, const runtime::reply_notice& told) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto count = body.whole("count", {.least = 1, .most = from_.batch_count_max(), .fallback = 1});
    const auto expires_at = body.optional_time("expires_at");
    const auto in_days = body.optional_whole("expires_in_days", {.least = 1, .most = expires_in_days_max});
    const auto holder = body.optional_text("holder", {.bytes_max = holder_bytes_max});
    if (expires_at && in_days) body.refuse_field("expires_in_days", "cannot be given together with 'expires_at'.");
    const bool expires = expires_at || in_days;
    if (expires && (*type)->rules.of != lifecycle::vid)
      body.refuse_field(expires_at ? "expires_at" : "expires_in_days",
                        fmt::format("is for types of lifecycle vid; '{}' is of lifecycle {} and does not expire.",
                                    (*type)->name, to_string((*type)->rules.of)));
    // With a key it may be a repetition of a request whose time has come since; the pool looks for its answer first.
    // The epoch itself means "none" to it, and never was in the future.
    const auto earliest = r.idempotency_key.empty() ? from_.time->now() : timestamp{};
    if (expires_at && *expires_at <= earliest) body.refuse_field("expires_at", "lies in the past.");
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    if (expires && from_.time->suspect())
      return std::unexpected(refusal(error{
          errc::unavailable,
          "The node's clock jumped and nobody has confirmed it: what expires cannot be issued. See GET /v1/clock.",
          std::chrono::seconds(60)}));
    if (auto held = r.will_issue(static_cast<std::uint32_t>(count)); !held)
      return std::unexpected(std::move(held.error()));

    actors::issue_call call;
    call.count = static_cast<std::uint32_t>(count);
    call.expires_at = expires_at;
    if (in_days) call.expires_at = from_.time->now() + std::chrono::days(*in_days);
    call.holder = holder.value_or("");
    if (!r.idempotency_key.empty()) {
      const auto operation = "ids.issue/" + (*type)->name;
      call.idempotency_ref = storage::idempotency::hash_of({r.who->tenant, r.who->name, operation, r.idempotency_key});
      // What was asked, not when: "in 3 days" asked again a minute later is the same request.
      call.fingerprint = sha256(fmt::format("{}\n{}\n{}\n{}\n{}", (*type)->name, count,
                                            expires_at ? expires_at->time_since_epoch().count() : 0,
                                            in_days.value_or(0), call.holder));
    }
    return answer_later([of = *type, count = call.count,
                         answer = from_.door->begin_issue(**type, call, caller_of(r), told)]() -> outcome<response> {
      const auto issued = answer();
      if (!issued) return std::unexpected(refusal(issued.error()));
      response out{.status = 201, .body = issue_body(*of, issued->issued)};
      if (issued->replayed)
        out.headers.push_back({"Idempotent-Replayed", "true"});
      else
        out.issued = count;
      return out;
    });
  }

  outcome<response> list(const request&) const {
    json::writer w(2048);
    w.begin_object().key("items").begin_array();
    for (const auto* type : from_.door->types())
      if (auto ok = describe(w, *type); !ok) return std::unexpected(refusal(ok.error()));
    w.end_array().end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> show_type(const request& r) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    json::writer w(512);
    if (auto ok = describe(w, **type); !ok) return std::unexpected(refusal(ok.error()));
    return response{.body = std::move(w).str()};
  }

  outcome<response> show(const request& r) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    const auto place = place_of(**type, r.param("id"));
    if (!place) return std::unexpected(place.error());
    if (place->record) return response{.body = record_body(**type, *place->record, is_import_slot(place->counter))};
    // Never issued: it has no record, and its state follows from that.
    id_record fresh;
    fresh.id = std::string(r.param("id"));
    response out{.body = record_body(**type, fresh)};
    out.missed = true;
    return out;
  }

  outcome<response> validate(const request& r) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    const auto failed = (*type)->space->failed_rules(r.param("id"));
    json::writer w;
    w.begin_object().member("id", r.param("id")).member("type", (*type)->name).member("valid", failed.empty());
    w.key("failed_rules").begin_array();
    for (const auto rule : failed) w.value(to_string(rule));
    w.end_array().end_object();
    response out{.body = std::move(w).str()};
    out.missed = !failed.empty();
    return out;
  }

  outcome<begun> change(const request& r, id_event event, const runtime::reply_notice& told) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto assignment = body.optional_whole("assignment", {.least = 1, .most = UINT32_MAX});
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const auto counter = from_.door->counter_of(**type, r.param("id"));
    if (!counter) return std::unexpected(refusal(counter.error()));
    if (!*counter) return none_like_this(**type);
    return answer_later(
        [this, of = *type, imported = is_import_slot(**counter),
         answer = from_.door->begin_change(**type, **counter, event, static_cast<std::uint32_t>(assignment.value_or(0)),
                                           caller_of(r), told)]() -> outcome<response> {
          const auto record = answer();
          if (!record) return std::unexpected(refusal(record.error()));
          return response{.body = record_body(*of, *record, imported)};
        });
  }

  bool reads_to_change(const request& r) const {
    const auto* type = from_.door->find(r.param("type"));
    return type && from_.door->reads_to_change(*type);
  }

  outcome<response> expire_due(const request& r) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    if (auto ok = audit_without_reason(r, "ids.expire_due", (*type)->name, from_.audit); !ok)
      return std::unexpected(ok.error());
    const auto done = from_.door->expire_due(**type, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    json::writer w;
    w.begin_object().member("type", (*type)->name).member("expired", done->expired).member("released", done->released);
    w.member("retired", done->retired).member("reclaimed", done->reclaimed).end_object();
    return response{.body = std::move(w).str()};
  }

private:
  outcome<const id_type*> type_of(const request& r) const {
    if (const auto* type = from_.door->find(r.param("type"))) return type;
    std::vector<std::string_view> known;
    for (const auto* t : from_.door->types()) known.push_back(t->name);
    return std::unexpected(
        refusal(error{errc::not_found,
                      fmt::format("There is no identifier type of this name. Configured: {}.", fmt::join(known, ", ")),
                      {}}));
  }

  outcome<storage::id_place> place_of(const id_type& type, std::string_view id) const {
    auto place = from_.door->locate(type, id);
    if (!place) return std::unexpected(refusal(place.error()));
    if (!*place) return none_like_this(type);
    return std::move(**place);
  }

  static std::unexpected<refusal> none_like_this(const id_type& type) {
    return std::unexpected(refusal(error{
        errc::not_found,
        fmt::format("No identifier of type '{}' looks like this; /validate names the rules it breaks.", type.name),
        {}}));
  }

  static actors::caller caller_of(const request& r) { return {r.who->name, r.who->tenant, r.trace, r.deadline}; }

  static std::string issue_body(const id_type& type, const issued_ids& issued) {
    json::writer w(128 + issued.ids.size() * (type.space->format().length + 8));
    w.begin_object().member("type", type.name).key("ids").begin_array();
    for (const auto& id : issued.ids) w.value(id);
    w.end_array().key("assignments").begin_array();
    for (const auto assignment : issued.assignments) w.value(assignment);
    w.end_array().member("issued_at", to_rfc3339(issued.issued_at));
    if (issued.expires_at) w.member("expires_at", to_rfc3339(*issued.expires_at));
    w.end_object();
    return std::move(w).str();
  }

  std::string record_body(const id_type& type, const id_record& record, bool imported = false) const {
    // A VID past its time is EXPIRED for everyone who asks, even before the expirer has come round.
    const bool over =
        record.state == id_state::assigned && record.expires_at && *record.expires_at <= from_.time->now();
    json::writer w(512);
    w.begin_object().member("id", record.id).member("type", type.name);
    w.member("state", to_string(over ? id_state::expired : record.state)).member("assignment", record.assignment);
    const bool in_hands = record.state != id_state::available;
    if (const auto at = record.issued_at(); at && in_hands) w.member("issued_at", to_rfc3339(*at));
    if (record.expires_at && in_hands) w.member("expires_at", to_rfc3339(*record.expires_at));
    if (!record.holder.empty() && in_hands) w.member("holder", record.holder);
    w.key("history").begin_array();
    for (const auto& e : record.history) {
      w.begin_object().member("at", to_rfc3339(e.at)).member("from", to_string(e.from)).member("to", to_string(e.to));
      w.member("by", e.by).end_object();
    }
    w.end_array();
    if (record.history_dropped > 0) w.member("history_dropped", record.history_dropped);
    if (imported) w.member("imported", true);
    if (record.foreign) w.member("breaks_rules", true);
    w.end_object();
    return std::move(w).str();
  }

  static void describe_capacity(json::writer& w, const actors::capacity_report& now) {
    constexpr double seconds_an_hour = 3'600, seconds_a_day = 86'400;
    w.member("capacity", whole_capacity(now.capacity.value)).member("capacity_exact", now.capacity.exact);
    w.member("capacity_standard_error", whole_capacity(now.capacity.standard_error));
    w.member("used", now.outlook.used_share).member("used_count", now.used);
    w.member("remaining", whole_capacity(now.outlook.remaining));
    if (now.per_second_of_hour) w.member("used_per_hour", *now.per_second_of_hour * seconds_an_hour);
    if (now.per_second_of_day) w.member("used_per_day", *now.per_second_of_day * seconds_a_day);
    w.member_if("days_to_exhaustion", now.outlook.days_to_exhaustion);
    if (now.outlook.exhausted_at) w.member("exhausted_at", to_rfc3339(*now.outlook.exhausted_at));
    w.member_if("capacity_warning_percent", now.outlook.warning);
  }

  result<void> describe(json::writer& w, const id_type& type) const {
    const auto c = from_.door->counters(type);
    if (!c) return std::unexpected(c.error());
    const auto level = from_.door->level(type);
    const auto capacity = from_.capacities->report(type);
    if (!capacity) return std::unexpected(capacity.error());
    const auto& format = type.space->format();
    w.begin_object()
        .member("type", type.name)
        .member("lifecycle", to_string(type.rules.of))
        .member("profile", type.profile);
    w.member("length", format.length).member("alphabet", to_string(format.written_in));
    w.member("available", level.fresh + c->released)
        .member("issued", c->issued + c->assigned)
        .member("cooling", c->cooling);
    w.member("retired", c->retired).member("released", c->released).member("issues_total", c->issues_total);
    describe_capacity(w, *capacity);
    w.member("imported", c->imported);
    w.member("refill_per_second", from_.door->refill_rate(type));
    const bool exhausted = c->available() + c->in_transit == 0 && c->walked_to >= type.rules.end && c->cooling == 0;
    w.member("exhausted", exhausted).end_object();
    return {};
  }

  identifier_sources from_;
};

} // namespace

std::int64_t whole_capacity(double capacity) noexcept {
  constexpr double above_all = 9'223'372'036'854'775'808.0; // 2^63
  if (!(capacity > 0)) return 0;
  return capacity < above_all ? std::llround(capacity) : std::numeric_limits<std::int64_t>::max();
}

std::vector<route> identifier_routes(identifier_sources sources) {
  const auto ids = std::make_shared<const identifier_resource>(std::move(sources));
  const auto changing = [ids](std::string path, std::string scope, id_event event) {
    route r{"POST", std::move(path), std::move(scope), {}};
    r.begin = [ids, event](const request& from, const runtime::reply_notice& told) {
      return ids->change(from, event, told);
    };
    r.begin_reads = [ids](const request& from) { return ids->reads_to_change(from); };
    return r;
  };
  std::vector<route> routes{
      {"POST", "/v1/ids/{type}", "ids:issue", {}},
      {"GET", "/v1/ids", "ids:read", [ids](const request& r) { return ids->list(r); }},
      {"GET", "/v1/ids/{type}", "ids:read", [ids](const request& r) { return ids->show_type(r); }},
      {"GET", "/v1/ids/{type}/{id}", "ids:read", [ids](const request& r) { return ids->show(r); }},
      {"GET", "/v1/ids/{type}/{id}/validate", "ids:read", [ids](const request& r) { return ids->validate(r); }},
      changing("/v1/ids/{type}/{id}/confirm", "ids:confirm", id_event::confirm),
      changing("/v1/ids/{type}/{id}/return", "ids:return", id_event::give_back),
      changing("/v1/ids/{type}/{id}/revoke", "ids:revoke", id_event::revoke),
      {"POST", "/v1/ids/{type}/expire-due", "ids:act", [ids](const request& r) { return ids->expire_due(r); }},
  };
  routes.front().begin = [ids](const request& r, const runtime::reply_notice& told) { return ids->issue(r, told); };
  routes.front().idempotency = idempotency::accepted;
  routes.front().issues = true;
  for (auto& one : routes) one.guessable = one.path.contains("{id}");
  return routes;
}

} // namespace matricula::api
