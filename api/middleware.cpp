// The chain: each request passes these steps in the order of `before_body`, then, when its body is there, `read_body`.
// The first that refuses ends it. Whatever the outcome, `finish` adds what every answer carries, counts it and logs it.
// A route of constant content takes the same way.
#include "api/cookie_credentials.hpp"
#include "api/endpoint.hpp"
#include "api/exchange.hpp"
#include "api/problem.hpp"
#include "api/target.hpp"
#include "foundation/log.hpp"
#include "foundation/random.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <semaphore>

namespace matricula::api {

using std::chrono::nanoseconds;

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

  static std::unexpected<refusal> too_many() {
    return std::unexpected(refusal(
        error{errc::overloaded, "Too many requests at once. Try again after Retry-After.", std::chrono::seconds(1)}));
  }

  /// Bounds the requests in flight; those that tell how the node is pass always. A request counts from when its body is
  /// there (`enter`): a slow one takes nobody's place. Here it is refused before its body is read.
  static outcome<void> admit(exchange& x) {
    if (x.to->declared.under_load || x.app.in_flight() < x.app.in_flight_max_.load(std::memory_order_relaxed))
      return {};
    return too_many();
  }

  static outcome<void> authenticate(exchange& x) {
    static const auto anonymous = std::make_shared<const principal>(principal{"anonymous", "default", {}});
    if (x.to->open) {
      x.seen.who = anonymous;
      x.seen.open = true;
      return {};
    }
    const with_cookie_credentials from(x.what, x.to->declared.cookie_credentials);
    std::optional<result<std::shared_ptr<const principal>>> who;
    if (x.may_block_)
      who = x.app.who_.who_asks(from, x.wall);
    else
      who = x.app.who_.who_asks_at_once(from, x.wall);
    x.needs_thread_ = !who;
    if (!who) return {};
    if (*who) {
      x.seen.who = std::move(**who);
      return {};
    }
    const bool sent = !from.header("Authorization").empty();
    refusal why(std::move(who->error()));
    if (why.cause.code == errc::unauthenticated)
      why.headers.push_back({"WWW-Authenticate", sent ? R"(Bearer realm="matricula", error="invalid_token")"
                                                      : R"(Bearer realm="matricula")"});
    else // the issuer's keys cannot be had: nothing that a route could word as an outcome of its own
      why.status = status_of(why);
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

  /// Before the scope is looked at: who asks for what they may not is counted, too.
  static outcome<void> keep_quota(exchange& x) {
    const auto& declared = x.to->declared;
    if (!x.app.quotas_ || declared.under_load) return {};
    if (auto ok = x.app.quotas_->admit(quota_caller(x), declared.issues, declared.guessable, x.began); !ok)
      return std::unexpected(refusal(std::move(ok.error())));
    if (!declared.issues) return {};
    x.held_ = 1;
    x.seen.hold_quota = [&x](std::uint32_t count) { return x.hold_quota(count); };
    return {};
  }

  /// What came of it, before a route puts it in words of its own.
  static void settle_quota(exchange& x, const outcome<response>& answer) {
    const auto& declared = x.to->declared;
    if (!x.app.quotas_ || declared.under_load) return;
    const int status = answer ? answer->status : status_of(answer.error());
    const bool missed = status == 404 || (answer ? answer->missed : answer.error().missed);
    if (declared.guessable && missed) x.app.quotas_->charge_miss(quota_caller(x), x.began);
    if (!declared.issues) return;
    // Of an unknown outcome the identifiers may come to light, by a repetition that costs nothing: they stay charged.
    const bool unknown = !answer && answer.error().cause.code == errc::outcome_unknown;
    if (!unknown) x.app.quotas_->settle(quota_caller(x), x.held_, answer ? answer->issued : 0, x.began);
    x.held_ = 0;
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
  static bool has_body(std::string_view method) noexcept {
    return method == "POST" || method == "PUT" || method == "PATCH";
  }

  static outcome<void> read_body(exchange& x) {
    if (!has_body(x.seen.method)) return {};
    const auto& declared = x.to->declared;
    const auto body = x.what.body(x.body_bytes_max().value_or(0));
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

  static constexpr std::array<step, 8> before_body = {find_route, admit,        authenticate, keep_quota,
                                                      authorise,  set_deadline, read_query,   check_idempotency_key};
};

response application::tell(const exchange& x, const refusal& why) {
  const auto& in_other_words = x.to->declared.refusal_body;
  if (!in_other_words) return problem(why, x.seen.trace.request_id);
  auto answer = head_of(why);
  in_other_words(why, answer);
  return answer;
}

application::exchange::exchange(application& to_app, incoming& from)
    : app(to_app), what(from), began(app.time_.monotonic()), wall(app.time_.wall()), to(app.unmatched_.get()) {
  seen.raw = &what;
}

application::exchange::~exchange() {
  if (held_ > 0 && !handed_on_) app.quotas_->settle(chain::quota_caller(*this), held_, 0, began);
  if (!in_flight_) return;
  app.in_flight_gauge_.Decrement();
  app.in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

void application::exchange::guard(const std::function<response()>& step) {
  response out;
  try {
    out = step();
  } catch (const std::exception& thrown) {
    log::error("http.handler_threw", thrown.what(), {{"route", seen.route}}, &seen.trace);
    out = tell(*this, refusal(error{errc::internal, "", std::nullopt}));
  }
  app.finish(*this, out);
  answer_ = std::move(out);
}

outcome<void> application::exchange::hold_quota(std::uint32_t count) {
  if (auto ok = app.quotas_->hold(chain::quota_caller(*this), held_, count, began); !ok) {
    held_ = 0;
    return std::unexpected(refusal(std::move(ok.error())));
  }
  held_ = count;
  return {};
}

response application::exchange::tell_outcome(outcome<response> answer) {
  chain::settle_quota(*this, answer);
  if (answer) return std::move(*answer);
  const auto& why = answer.error();
  if (status_of(why) == 500)
    log::error("http.failed", why.cause.message, {{"route", seen.route}, {"code", to_string(why.cause.code)}},
               &seen.trace);
  return tell(*this, why);
}

void application::exchange::judge_head() {
  try {
    if (next_step_ == 0) chain::give_names(*this);
    for (; next_step_ < chain::before_body.size(); ++next_step_) {
      const auto ok = chain::before_body[next_step_](*this);
      if (needs_thread_) return;
      if (!ok) return guard([&] { return tell(*this, ok.error()); });
    }
  } catch (...) {
    guard([]() -> response { throw; });
  }
}

void application::exchange::admit() {
  may_block_ = true;
  needs_thread_ = false;
  judge_head();
}

bool application::exchange::admit_at_once() {
  judge_head();
  return !needs_thread_;
}

std::optional<std::size_t> application::exchange::body_bytes_max() const {
  if (!chain::has_body(seen.method)) return std::nullopt;
  const auto& declared = to->declared;
  auto most = declared.body_bytes_max;
  // Where rows are read first, whether a thread is used may change until the body is there.
  if (most == 0) most = declared.begin ? small_body_bytes_max : app.body_bytes_max_.load(std::memory_order_relaxed);
  return waits() ? most : std::min(most, small_body_bytes_max);
}

bool application::exchange::waits() const {
  const auto& declared = to->declared;
  return declared.begin ? declared.begin_reads && declared.begin_reads(seen) : declared.waits;
}

outcome<void> application::exchange::enter() {
  const auto before = app.in_flight_.fetch_add(1, std::memory_order_relaxed);
  app.in_flight_gauge_.Increment();
  in_flight_ = true;
  if (!to->declared.under_load && before >= app.in_flight_max_.load(std::memory_order_relaxed))
    return chain::too_many();
  if (auto ok = chain::read_body(*this); !ok) return ok;
  if (app.time_.monotonic() >= seen.deadline)
    return std::unexpected(refusal(
        error{errc::deadline_exceeded, "No thread was free before the deadline; nothing was done.", std::nullopt}));
  return {};
}

void application::exchange::handle() {
  guard([&] {
    if (const auto ok = enter(); !ok) return tell(*this, ok.error());
    handed_on_ = true;
    return tell_outcome(to->declared.handle(seen));
  });
}

void application::exchange::begin(const runtime::reply_notice& told) {
  if (!to->declared.begin) return handle();
  if (const auto ok = enter(); !ok) return guard([&] { return tell(*this, ok.error()); });
  try {
    handed_on_ = true;
    auto given = to->declared.begin(seen, told);
    if (!given) return guard([&] { return tell_outcome(std::unexpected(std::move(given.error()))); });
    if (auto* later = std::get_if<answer_later>(&*given)) {
      later_ = std::move(*later);
      return;
    }
    guard([&] { return tell_outcome(std::move(std::get<response>(*given))); });
  } catch (...) {
    guard([]() -> response { throw; });
  }
}

void application::exchange::complete() {
  guard([&] { return tell_outcome(later_()); });
  later_ = nullptr;
}

void application::exchange::refuse_for_load(std::string message) {
  guard([&] { return tell(*this, refusal(error{errc::overloaded, std::move(message), std::chrono::seconds(1)})); });
}

response application::exchange::take_answer() {
  response out = std::move(*answer_);
  answer_.reset();
  return out;
}

namespace {
/// The thread that calls application::answer, until the reply is there.
class waiting_thread final : public runtime::reply_listener {
public:
  void note(std::uint64_t) noexcept override {}
  void wake() noexcept override { woken_.release(); }
  void wait(nanoseconds at_most) { (void)woken_.try_acquire_for(at_most); }

private:
  std::counting_semaphore<> woken_{0};
};
} // namespace

response application::answer(incoming& what) {
  exchange x(*this, what);
  x.admit();
  if (!x.answered()) {
    const auto waiting = std::make_shared<waiting_thread>();
    x.begin({waiting, 0});
    if (!x.answered()) {
      waiting->wait(x.time_left());
      x.complete();
    }
  }
  return x.take_answer();
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
  exchange x(*this, nothing);
  x.seen.method = nothing.method();
  chain::give_names(x);
  auto out = problem(why, x.seen.trace.request_id);
  finish(x, out);
  return out;
}

} // namespace matricula::api
