#include "api/compat/openg2p.hpp"

#include "api/compat/openg2p_openapi.hpp"
#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "api/problem.hpp"
#include "domain/identifiers/profiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace matricula::api::compat {

using namespace identifiers;

namespace {

constexpr std::string_view profile_name = "openg2p";
constexpr std::string_view none_available = "IDG-001";
constexpr std::string_view space_exhausted = "IDG-002";
constexpr std::string_view unknown_type = "IDG-003";
constexpr std::string_view not_started = "IDG-005";
constexpr std::string_view storage_failed = "IDG-006";

// As OpenG2P writes them; here \d means ASCII digits.
constexpr std::string_view type_pattern = "^[a-z][a-z0-9_]{1,63}$";
constexpr std::string_view id_pattern = "^\\d{1,32}$";

json::writer begin_envelope(timestamp now) {
  json::writer w;
  w.begin_object().member("id", "openg2p.idgenerator").member("version", "1.0");
  w.member("responsetime", to_rfc3339(now)).key("response");
  return w;
}

/// @param inner JSON text of `response`.
std::string success(timestamp now, std::string_view inner) {
  auto w = begin_envelope(now);
  w.raw(inner).key("errors").begin_array().end_array().end_object();
  return std::move(w).str();
}

std::string failure(timestamp now, std::string_view code, std::string_view message) {
  auto w = begin_envelope(now);
  w.null().key("errors").begin_array().begin_object();
  w.member("errorCode", code).member("message", message).end_object().end_array().end_object();
  return std::move(w).str();
}

/// 422 in the words of the framework that OpenG2P is built on: no envelope, one entry of `detail` a fault.
struct fault {
  std::string_view kind;
  std::vector<std::string_view> where;
  std::string message;
  std::optional<std::string_view> input = std::nullopt;
  std::optional<std::string_view> pattern = std::nullopt; ///< that the input breaks
};

response unprocessable(const std::vector<fault>& faults) {
  json::writer w;
  w.begin_object().key("detail").begin_array();
  for (const auto& one : faults) {
    w.begin_object().member("type", one.kind).key("loc").begin_array();
    for (const auto step : one.where) w.value(step);
    w.end_array().member("msg", one.message).member_if("input", one.input);
    if (one.pattern) w.key("ctx").begin_object().member("pattern", *one.pattern).end_object();
    w.end_object();
  }
  w.end_array().end_object();
  return {.status = 422, .body = std::move(w).str()};
}

/// @param name of a path parameter, as OpenG2P calls it.
fault breaks_pattern(std::string_view name, std::string_view pattern, std::string_view input) {
  return {"string_pattern_mismatch",
          {"path", name},
          fmt::format("String should match pattern '{}'", pattern),
          input,
          pattern};
}

/// ASCII digits only: the reference's pattern lets the digits of every script pass.
bool is_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Codes of OpenG2P where it has one; else the name of the refusal.
std::string_view code_of(errc code) noexcept {
  switch (code) {
  case errc::storage_full:
  case errc::outcome_unknown:
  case errc::fenced:
  case errc::corrupt:
  case errc::io:
    return storage_failed;
  default:
    return to_string(code);
  }
}

void refuse_as_openg2p(const refusal& why, timestamp now, response& answer) {
  // 410 says that the space is used up; what an Idempotency-Key created being gone is something else.
  if (why.cause.code == errc::assignment_ended) answer.status = 409;
  answer.content_type = "application/json";
  answer.body = failure(now, code_of(why.cause.code), detail_of(why));
}

class openg2p_resource {
public:
  explicit openg2p_resource(openg2p_sources sources) : from_(std::move(sources)) {}

  outcome<begun> issue(const request& r, const runtime::reply_notice& told) const {
    const auto name = r.param("id_type");
    if (!is_type_name(name)) return unprocessable({breaks_pattern("id_type", type_pattern, name)});
    if (!r.body.empty()) {
      json::fields nothing(r.body);
      if (const auto wrong = nothing.wrong())
        return unprocessable({fault{"extra_forbidden", {"body"}, "The body should be empty. " + wrong->cause.message}});
    }
    const auto* type = find(name);
    if (!type) return unknown(name);
    auto answer = from_.ids->begin_issue(*type, one_identifier(r, *type), caller_of(r), told);
    return answer_later([this, type, answer]() -> outcome<response> {
      const auto issued = answer();
      if (!issued) {
        const auto& why = issued.error();
        if (why.code == errc::refilling)
          return said(why, none_available,
                      fmt::format("No IDs available for ID type '{}'. Replenishment in progress.", type->name));
        if (why.code == errc::exhausted)
          return said(why, space_exhausted, fmt::format("ID space exhausted for ID type '{}'", type->name));
        return std::unexpected(refusal(why));
      }
      json::writer inner;
      inner.begin_object().member("id", issued->issued.ids.front()).end_object();
      response out{.body = success(from_.now(), inner.str())};
      if (issued->replayed)
        out.headers.push_back({"Idempotent-Replayed", "true"});
      else
        out.issued = 1;
      return out;
    });
  }

  outcome<response> validate(const request& r) const {
    const auto name = r.param("id_type");
    const auto id = r.param("id");
    std::vector<fault> faults;
    if (!is_type_name(name)) faults.push_back(breaks_pattern("id_type", type_pattern, name));
    if (!is_id(id)) faults.push_back(breaks_pattern("id_value", id_pattern, id));
    if (!faults.empty()) return unprocessable(faults);
    const auto* type = find(name);
    if (!type) return unknown(name);
    json::writer inner;
    const bool valid = type->space->failed_rules(id).empty();
    inner.begin_object().member("id", id).member("valid", valid).end_object();
    response out{.body = success(from_.now(), inner.str())};
    out.missed = !valid;
    return out;
  }

  outcome<response> health(const request&) const {
    if (const auto storage = from_.health.storage(); !storage)
      return down(storage_failed, "Database health check failed: ", storage.error());
    if (const auto pools = from_.health.pools(); !pools) return down(not_started, "Service not ready: ", pools.error());
    return response{.body = success(from_.now(), R"({"status":"UP"})")};
  }

  outcome<response> version(const request&) const {
    json::writer inner;
    inner.begin_object().member("service_version", from_.version.empty() ? "dev" : from_.version);
    inner.member("build_time", "dev").member("git_commit", "dev").end_object();
    return response{.body = success(from_.now(), inner.str())};
  }

  outcome<response> config(const request&) const {
    json::writer w;
    w.begin_object().key("id_types").begin_object();
    auto rules = find_profile(profile_name);
    bool seen = false;
    for (const auto* type : from_.ids->types()) {
      if (!serves(*type)) continue;
      const auto& format = type->space->format();
      w.key(type->name).begin_object().member("id_length", format.length).end_object();
      // The reference has one set of rules for all types. Here each type has its own: shown are OpenG2P's, as the first
      // type of that profile has them.
      if (!seen && type->profile.starts_with(profile_name)) {
        rules = format.rules;
        seen = true;
      }
    }
    w.end_object().key("filter_rules").begin_object();
    w.member("sequence_limit", rules->sequence_limit).member("repeating_limit", rules->repeating_limit);
    w.member("repeating_block_limit", rules->repeating_block_limit);
    w.member("conjugative_even_digits_limit", rules->conjugative_even_digits_limit);
    w.member("digits_group_limit", rules->digits_limit);
    w.member("reverse_digits_group_limit", rules->reverse_digits_limit);
    const auto list = [&w](std::string_view name, const std::vector<std::string>& texts) {
      w.key(name).begin_array();
      for (const auto& text : texts) w.value(text);
      w.end_array();
    };
    list("not_start_with", rules->not_start_with);
    list("restricted_numbers", rules->restricted_numbers);
    w.end_object().end_object();
    return response{.body = success(from_.now(), w.str())};
  }

  [[nodiscard]] auto refusing() const {
    return [now = from_.now](const refusal& why, response& answer) { refuse_as_openg2p(why, now(), answer); };
  }

private:
  static bool serves(const id_type& type) noexcept {
    return type.rules.of == lifecycle::pool && type.space->format().written_in == alphabet::digits;
  }

  const id_type* find(std::string_view name) const {
    const auto* type = from_.ids->find(name);
    return type && serves(*type) ? type : nullptr;
  }

  response unknown(std::string_view name) const {
    return {.status = 404, .body = failure(from_.now(), unknown_type, fmt::format("Unknown ID type '{}'", name))};
  }

  /// With the status and headers of the error itself.
  response said(const error& why, std::string_view code, std::string_view message) const {
    auto out = head_of(refusal(why));
    out.content_type = "application/json";
    out.body = failure(from_.now(), code, message);
    return out;
  }

  response down(std::string_view code, std::string_view words, const error& why) const {
    return said({errc::unavailable, {}, why.retry_after}, code, std::string(words) + why.message);
  }

  openg2p_sources from_;
};

} // namespace

std::vector<route> openg2p_routes(openg2p_sources sources) {
  require(sources.ids && sources.now && sources.health.storage && sources.health.pools,
          "openg2p_routes needs all its sources");
  const auto ids = std::make_shared<const openg2p_resource>(std::move(sources));
  using handler = outcome<response> (openg2p_resource::*)(const request&) const;
  const auto serve = [ids](std::string method, std::string path, std::string scope, handler handle) {
    route r{std::move(method), std::move(path), std::move(scope),
            [ids, handle](const request& from) { return (*ids.*handle)(from); }};
    r.refusal_body = ids->refusing();
    return r;
  };
  std::vector<route> routes{
      serve("POST", "/v1/idgenerator/{id_type}/id", "ids:issue", nullptr),
      serve("GET", "/v1/idgenerator/{id_type}/id/validate/{id}", "ids:read", &openg2p_resource::validate),
      serve("GET", "/v1/idgenerator/health", "", &openg2p_resource::health),
      serve("GET", "/v1/idgenerator/version", "ids:read", &openg2p_resource::version),
      serve("GET", "/v1/idgenerator/config", "ids:read", &openg2p_resource::config),
  };
  routes[0].begin = [ids](const request& r, const runtime::reply_notice& told) { return ids->issue(r, told); };
  routes[0].idempotency = idempotency::accepted;
  routes[0].issues = true;
  routes[1].guessable = true;
  routes[2].under_load = true;
  routes[2].waits = false; // nor does it need a thread, when all are busy
  routes.push_back(
      {"GET", "/openapi.json", "", [](const request&) { return response{.body = std::string(openg2p_openapi_json)}; }});
  return routes;
}

} // namespace matricula::api::compat
