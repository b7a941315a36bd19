// The chain: each request passes these steps in the order of `steps`, and the first that refuses ends it. Whatever the
// outcome, `finish` adds what every answer carries, counts it and logs it. A route of constant content takes the same
// way.
#include "api/application.hpp"
#include "api/cookie_credentials.hpp"
#include "api/endpoint.hpp"
#include "api/problem.hpp"
#include "api/target.hpp"
#include "foundation/log.hpp"
#include "foundation/random.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>

namespace matricula::api {

using std::chrono::nanoseconds;

struct application::exchange {
  application& app;
  incoming& what;
  nanoseconds began;
  timestamp wall;
  endpoint* to; ///< `unmatched_` until the router has found one
  request seen = {};
};

namespace {
random_source& random_of_this_thread() {
  thread_local secure_random random;
  return random;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trim(std::string_view text) noexcept {
  const auto first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// Whether `header` is one of the media types, with no other parameter than charset=utf-8.
bool is_served(std::string_view header, const std::vector<std::string>& media_types) {
  const auto semicolon = header.find(';');
  const auto type = trim(header.substr(0, semicolon));
  if (std::ranges::none_of(media_types, [type](const auto& served) { return equal_ignoring_case(type, served); }))
    return false;
  if (semicolon == std::string_view::npos) return true;
  const auto parameter = trim(header.substr(semicolon + 1));
  return equal_ignoring_case(parameter, "charset=utf-8") || equal_ignoring_case(parameter, "charset=\"utf-8\"");
}
} // namespace

struct application::chain {
  using step = outcome<void> (*)(exchange&);

  /// Takes over the client's request id and trace, or makes new ones.
  static void give_names(exchange& x) {
    auto& random = random_of_this_thread();
    const auto id = x.what.header("X-Request-Id");
    x.seen.trace.request_id =
        is_request_id(id) ? std::string(id) : make_ulid(x.wall.time_since_epoch().count(), random);
    x.seen.trace.traceparent = child_traceparent(x.what.header("traceparent"), random);
  }

  static outcome<void> find_route(exchange& x) {
    x.seen.method = x.what.method();
    const auto target = x.what.target();
    auto match = x.app.router_.find(x.seen.method, target.substr(0, target.find('?')));
    if (!match) return std::unexpected(std::move(match.error()));
    x.to = &x.app.endpoints_[match->index];
    x.seen.route = x.to->declared.path;
    x.seen.params = std::move(match->params);
    return {};
  }

  /// Bounds the requests in flight; those that tell how the node is pass always.
  static outcome<void> admit(exchange& x) {
    if (x.to->declared.under_load || x.app.in_flight() <= x.app.in_flight_max_.load(std::memory_order_relaxed))
      return {};
    return std::unexpected(refusal(
        error{errc::overloaded, "Too many requests at once. Try again after Retry-After.", std::chrono::seconds(1)}));
  }

  static outcome<void> authenticate(exchange& x) {
    static const auto anonymous = std::make_shared<const principal>(principal{"anonymous", "default", {}});
    if (x.to->open) {
      x.seen.who = anonymous;
      x.seen.open = true;
      return {};
    }
    const with_cookie_credentials from(x.what, x.to->declared.cookie_credentials);
    auto who = x.app.who_.who_asks(from, x.wall);
    if (who) {
      x.seen.who = std::move(*who);
      return {};
    }
    const bool sent = !from.header("Authorization").empty();
    refusal why(std::move(who.error()));
    if (why.cause.code == errc::unauthenticated) // not when the issuer's keys cannot be had
      why.headers.push_back({"WWW-Authenticate", sent ? R"(Bearer realm="matricula", error="invalid_token")"
                                                      : R"(Bearer realm="matricula")"});
    return std::unexpected(std::move(why));
  }

  static outcome<void> authorise(exchange& x) {
    const auto& scope = x.to->declared.scope;
    if (x.to->open || x.seen.who->may(scope)) return {};
    refusal why(error{errc::forbidden, "The token needs the scope " + scope + ".", std::nullopt});
    why.headers.push_back(
        {"WWW-Authenticate", R"(Bearer realm="matricula", error="insufficient_scope", scope=")" + scope + '"'});
    return std::unexpected(std::move(why));
  }

  /// Whose quotas apply: the principal's, or the address's where nobody was asked.
  static quotas::caller quota_caller(const exchange& x) {
    return {*x.seen.who, x.seen.open ? x.what.peer() : std::string_view{}};
  }

  static outcome<void> keep_quota(exchange& x) {
    const auto& declared = x.to->declared;
    if (!x.app.quotas_ || declared.under_load) return {};
    if (auto ok = x.app.quotas_->admit(quota_caller(x), declared.issues, declared.guessable, x.began); !ok)
      return std::unexpected(refusal(std::move(ok.error())));
    return {};
  }

  /// @param status of the answer before a route puts it in words of its own
  static void charge_quota(const exchange& x, int status, const response* answer) {
    const auto& declared = x.to->declared;
    if (!x.app.quotas_ || !(declared.issues || declared.guessable)) return;
    const bool missed = declared.guessable && (status == 404 || (answer && answer->missed));
    x.app.quotas_->charge(quota_caller(x), answer ? answer->issued : 0, missed, x.began);
  }

  /// The server's deadline, or an earlier one that the client asks for.
  static outcome<void> set_deadline(exchange& x) {
    auto ms = x.app.deadline_ms_.load(std::memory_order_relaxed);
    if (const auto asked = x.what.header("X-Request-Timeout-Ms"); !asked.empty()) {
      std::int64_t wanted = 0;
      const auto [end, bad] = std::from_chars(asked.data(), asked.data() + asked.size(), wanted);
      if (bad != std::errc{} || end != asked.data() + asked.size() || wanted < 1)
        return refuse(400, errc::invalid_argument,
                      "X-Request-Timeout-Ms must be a whole number of milliseconds, 1 or more.");
      ms = std::min(ms, wanted);
    }
    x.seen.deadline = x.began + std::chrono::milliseconds(ms);
    return {};
  }

  static outcome<void> read_query(exchange& x) {
    const auto target = x.what.target();
    const auto mark = target.find('?');
    if (mark == std::string_view::npos) return {};
    auto query = parse_query(target.substr(mark + 1));
    if (!query) return std::unexpected(std::move(query.error()));
    const auto& known = x.to->declared.query;
    for (const auto& [name, value] : *query) {
      if (std::ranges::find(known, name) != known.end()) continue;
      std::string names;
      for (const auto& one : known) names.append(names.empty() ? "" : ", ").append(one);
      return refuse(400, errc::invalid_argument,
                    "The query parameter '" + name + "' is not known here. Known: " + (names.empty() ? "none" : names) +
                        ".");
    }
    x.seen.query = std::move(*query);
    return {};
  }

  static outcome<void> check_idempotency_key(exchange& x) {
    const auto key = x.what.header("Idempotency-Key");
    const auto use = x.to->declared.idempotency;
    if (key.data() == nullptr) {
      if (use != idempotency::required) return {};
      return refuse(400, errc::invalid_argument, "This route needs the header Idempotency-Key.");
    }
    const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7f; };
    // Who sends an empty key believes that repeating is safe, and would get other identifiers each time.
    if (key.empty() || key.size() > 255 || !std::ranges::all_of(key, is_printable))
      return refuse(400, errc::invalid_argument, "Idempotency-Key must be 1 to 255 printable ASCII characters.");
    // Without credentials all clients are one: the same key would give two of them the same identifier.
    if (use != idempotency::ignored && x.seen.open)
      return refuse(400, errc::invalid_argument, "Idempotency-Key needs credentials, and this route asks for none.");
    if (use != idempotency::ignored) x.seen.idempotency_key = key;
    return {};
  }

  /// Bodies of other methods have no meaning; the server skips them.
  static outcome<void> read_body(exchange& x) {
    const auto method = x.seen.method;
    if (method != "POST" && method != "PUT" && method != "PATCH") return {};
    const auto& declared = x.to->declared;
    const auto limit =
        declared.body_bytes_max > 0 ? declared.body_bytes_max : x.app.body_bytes_max_.load(std::memory_order_relaxed);
    const auto body = x.what.body(limit);
    if (!body) return std::unexpected(body.error());
    x.seen.body = *body;
    if (body->empty()) return {};
    if (const auto coding = x.what.header("Content-Encoding");
        !coding.empty() && !equal_ignoring_case(coding, "identity"))
      return refuse(415, errc::unsupported, "Compressed bodies are not served; send it without Content-Encoding.");
    if (!is_served(x.what.header("Content-Type"), declared.content_types)) {
      std::string types;
      for (const auto& one : declared.content_types) types.append(types.empty() ? "" : ", ").append(one);
      return refuse(415, errc::unsupported, "The Content-Type must be " + types + " (UTF-8).");
    }
    if (x.app.time_.monotonic() >= x.seen.deadline)
      return std::unexpected(
          refusal(error{errc::deadline_exceeded, "The body came too late for the deadline; nothing was done.", {}}));
    return {};
  }

  static constexpr std::array<step, 9> steps = {find_route,   admit,      authenticate,          authorise, keep_quota,
                                                set_deadline, read_query, check_idempotency_key, read_body};
};

response application::tell(const exchange& x, const refusal& why) {
  const auto& in_other_words = x.to->declared.refusal_body;
  if (!in_other_words) return problem(why, x.seen.trace.request_id);
  auto answer = head_of(why);
  in_other_words(why, answer);
  return answer;
}

response application::respond(exchange& x) {
  chain::give_names(x);
  for (const auto step : chain::steps)
    if (const auto ok = step(x); !ok) return tell(x, ok.error());
  auto answer = x.to->declared.handle(x.seen);
  if (answer) {
    chain::charge_quota(x, answer->status, &*answer);
    return std::move(*answer);
  }
  const auto& why = answer.error();
  chain::charge_quota(x, status_of(why), nullptr);
  if (status_of(why) == 500)
    log::error("http.failed", why.cause.message, {{"route", x.seen.route}, {"code", to_string(why.cause.code)}},
               &x.seen.trace);
  return tell(x, why);
}

response application::answer(incoming& what) {
  exchange x{*this, what, time_.monotonic(), time_.wall(), unmatched_.get()};
  x.seen.raw = &what;
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  in_flight_gauge_.Increment();
  response out;
  try {
    out = respond(x);
  } catch (const std::exception& thrown) {
    log::error("http.handler_threw", thrown.what(), {{"route", x.seen.route}}, &x.seen.trace);
    out = tell(x, refusal(error{errc::internal, "", std::nullopt}));
  }
  finish(x, out);
  in_flight_gauge_.Decrement();
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  return out;
}

void application::finish(exchange& x, response& answer) {
  answer.headers.push_back({"X-Request-Id", x.seen.trace.request_id});
  answer.headers.push_back({"traceparent", x.seen.trace.traceparent});
  // Answers hold identifiers of people: no cache may keep them.
  answer.headers.push_back({"Cache-Control", "no-store"});
  answer.headers.push_back({"X-Content-Type-Options", "nosniff"});

  const auto taken = std::chrono::duration<double>(time_.monotonic() - x.began).count();
  const auto hundreds = static_cast<std::size_t>(answer.status / 100);
  x.to->answers[hundreds < x.to->answers.size() ? hundreds : 0]->Increment();
  x.to->seconds->Observe(taken);
  if (!access_log_.load(std::memory_order_relaxed)) return;
  // The template, not the path: paths hold identifiers.
  log::info("http.request", "answered",
            {{"method", x.seen.method},
             {"route", std::string_view(x.to->declared.path)},
             {"status", answer.status},
             {"ms", taken * 1000},
             {"bytes", answer.body.size()},
             {"principal", x.seen.who ? std::string_view(x.seen.who->name) : std::string_view("-")}},
            &x.seen.trace);
}

namespace {
/// Stands in for a request whose head could not be read.
class nothing_read final : public incoming {
public:
  [[nodiscard]] std::string_view method() const override { return "-"; }
  [[nodiscard]] std::string_view target() const override { return ""; }
  [[nodiscard]] std::string_view header(std::string_view) const override { return {}; }
  [[nodiscard]] outcome<std::string_view> body(std::size_t) override { return std::string_view{}; }
};
} // namespace

response application::refuse_unread(const refusal& why) {
  nothing_read nothing;
  exchange x{*this, nothing, time_.monotonic(), time_.wall(), unmatched_.get()};
  x.seen.method = nothing.method();
  chain::give_names(x);
  auto out = problem(why, x.seen.trace.request_id);
  finish(x, out);
  return out;
}

} // namespace matricula::api
