#include "api/exchange.hpp"
#include "api/json.hpp"
#include "api/resources/constant.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <stdexcept>

namespace matricula::api {
namespace {

using std::chrono::milliseconds;

/// Stands still unless a test moves it.
class still_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override { return timestamp(milliseconds(1'800'000'000'000)); }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return now; }
  std::chrono::nanoseconds now{std::chrono::hours(1)};
};

/// Knows "Bearer <scope>": whoever names a scope has it.
class scope_in_token final : public authenticator {
public:
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp) const override {
    ++asked;
    const auto header = from.header("Authorization");
    if (!header.starts_with("Bearer ")) return fail(errc::unauthenticated, "Send a token.");
    return std::make_shared<const principal>(principal{"tester", "t1", {std::string(header.substr(7))}});
  }
  [[nodiscard]] std::optional<result<std::shared_ptr<const principal>>> who_asks_at_once(const incoming& from,
                                                                                         timestamp now) const override {
    if (takes_long) return std::nullopt;
    return who_asks(from, now);
  }
  mutable int asked = 0;
  bool takes_long = false;
};

class middleware_test : public testing::Test {
protected:
  middleware_test() {
    route echo{"POST", "/v1/things/{id}", "things:write", [this](const request& from) -> outcome<response> {
                 ++handled;
                 seen_deadline = from.deadline;
                 seen_key = from.idempotency_key;
                 seen_trace = from.trace;
                 return response{.status = 201, .body = std::string(from.body)};
               }};
    echo.body_bytes_max = 20;
    echo.idempotency = idempotency::accepted;
    echo.query = {"cursor"};
    expect(app.add(std::move(echo)));
    route strict{"POST", "/v1/strict", "things:write", [](const request&) { return response{}; }};
    strict.idempotency = idempotency::required;
    expect(app.add(std::move(strict)));
    expect(app.add(
        {"GET", "/throws", "", [](const request&) -> outcome<response> { throw std::runtime_error("secret"); }}));
    expect(
        app.add({"GET", "/fails", "", [](const request&) -> outcome<response> { return fail(errc::io, "secret"); }}));
    expect(app.add({"GET", "/opened", "things:write",
                    [](const request& from) -> outcome<response> { return response{.body = from.who->name}; }}));
    expect(app.check_open_routes());
  }
  static void expect(const result<void>& ok) { EXPECT_TRUE(ok) << (ok ? "" : ok.error().message); }

  response post(std::map<std::string, std::string> more = {}, std::string body = "{}",
                std::string target = "/v1/things/7") {
    std::map<std::string, std::string> headers{{"Authorization", "Bearer things:write"},
                                               {"Content-Type", "application/json"}};
    for (auto& [name, value] : more) headers[name] = value;
    request_from_text what("POST", std::move(target), std::move(headers), std::move(body));
    auto answer = app.answer(what);
    body_reads = what.body_reads;
    return answer;
  }
  response get(const std::string& target) {
    request_from_text what("GET", target);
    return app.answer(what);
  }
  static std::string code_of(const response& answer) {
    json::fields body(answer.body);
    return body.text("code", {});
  }

  metrics numbers;
  still_clock time;
  scope_in_token who;
  application app{{.limits = {.deadline = milliseconds(5'000), .in_flight_max = 2, .access_log = false},
                   .open_routes = {"GET /opened"}},
                  who,
                  numbers,
                  time};
  int handled = 0;
  int body_reads = 0;
  std::chrono::nanoseconds seen_deadline{};
  std::string seen_key;
  trace_context seen_trace;
};

TEST_F(middleware_test, a_good_request_reaches_its_handler) {
  const auto answer = post({}, R"({"a":1})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, R"({"a":1})");
  EXPECT_EQ(seen_deadline, time.now + milliseconds(5'000));
  EXPECT_EQ(header_of(answer, "Cache-Control"), "no-store");
}

struct refused_request {
  const char* name;
  std::map<std::string, std::string> headers;
  std::string body;
  std::string target;
  int status;
};
class middleware_refusal : public middleware_test, public testing::WithParamInterface<refused_request> {};

TEST_P(middleware_refusal, is_a_problem_and_reaches_no_handler) {
  const auto& [name, headers, body, target, status] = GetParam();
  const auto answer = post(headers, body, target);
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(answer.content_type, "application/problem+json");
  EXPECT_EQ(handled, 0);
  EXPECT_FALSE(header_of(answer, "X-Request-Id").empty());
  EXPECT_FALSE(code_of(answer).empty());
}

INSTANTIATE_TEST_SUITE_P(
    each_step, middleware_refusal,
    testing::Values(
        refused_request{"unknown_path", {}, "{}", "/v1/nothing", 404},
        refused_request{"bad_escape", {}, "{}", "/v1/things/%zz", 400},
        refused_request{"no_credentials", {{"Authorization", ""}}, "{}", "/v1/things/7", 401},
        refused_request{"other_scope", {{"Authorization", "Bearer things:read"}}, "{}", "/v1/things/7", 403},
        refused_request{"timeout_zero", {{"X-Request-Timeout-Ms", "0"}}, "{}", "/v1/things/7", 400},
        refused_request{"timeout_negative", {{"X-Request-Timeout-Ms", "-5"}}, "{}", "/v1/things/7", 400},
        refused_request{"timeout_text", {{"X-Request-Timeout-Ms", "5s"}}, "{}", "/v1/things/7", 400},
        refused_request{"timeout_huge", {{"X-Request-Timeout-Ms", "99999999999999999999"}}, "{}", "/v1/things/7", 400},
        refused_request{"unknown_query", {}, "{}", "/v1/things/7?page=2", 400},
        refused_request{"repeated_query", {}, "{}", "/v1/things/7?cursor=2&cursor=3", 400},
        refused_request{"long_key", {{"Idempotency-Key", std::string(256, 'k')}}, "{}", "/v1/things/7", 400},
        refused_request{"empty_key", {{"Idempotency-Key", ""}}, "{}", "/v1/things/7", 400},
        refused_request{"empty_required_key", {{"Idempotency-Key", ""}}, "{}", "/v1/strict", 400},
        refused_request{"binary_key", {{"Idempotency-Key", "k\xc3\xa4"}}, "{}", "/v1/things/7", 400},
        refused_request{"missing_key", {}, "{}", "/v1/strict", 400},
        refused_request{"large_body", {}, std::string(21, ' '), "/v1/things/7", 413},
        refused_request{"no_type", {{"Content-Type", ""}}, "{}", "/v1/things/7", 415},
        refused_request{"form", {{"Content-Type", "application/x-www-form-urlencoded"}}, "a=1", "/v1/things/7", 415},
        refused_request{"latin1", {{"Content-Type", "application/json; charset=latin1"}}, "{}", "/v1/things/7", 415},
        refused_request{"gzip", {{"Content-Encoding", "gzip"}}, "{}", "/v1/things/7", 415}),
    [](const auto& about) { return about.param.name; });

TEST_F(middleware_test, refuses_in_the_order_of_the_chain) {
  // Everything is wrong; mending the first fault shows the next one.
  std::map<std::string, std::string> headers{{"Authorization", ""},
                                             {"X-Request-Timeout-Ms", "x"},
                                             {"Idempotency-Key", "\x01"},
                                             {"Content-Type", "text/plain"}};
  const std::string large(30, ' ');
  EXPECT_EQ(post(headers, large, "/v1/nothing?x=1").status, 404);
  EXPECT_EQ(who.asked, 0) << "unknown routes cost no look-up of credentials";
  EXPECT_EQ(post(headers, large, "/v1/things/7?x=1").status, 401);
  headers["Authorization"] = "Bearer other";
  EXPECT_EQ(post(headers, large, "/v1/things/7?x=1").status, 403);
  headers["Authorization"] = "Bearer things:*";
  EXPECT_TRUE(post(headers, large, "/v1/things/7?x=1").body.contains("X-Request-Timeout-Ms"));
  headers["X-Request-Timeout-Ms"] = "10";
  EXPECT_TRUE(post(headers, large, "/v1/things/7?x=1").body.contains("query parameter"));
  EXPECT_TRUE(post(headers, large).body.contains("Idempotency-Key"));
  EXPECT_EQ(body_reads, 0) << "no body is read before everything else is right";
  headers["Idempotency-Key"] = "k";
  EXPECT_EQ(post(headers, large).status, 413);
  EXPECT_EQ(post(headers, "{}").status, 415);
  headers["Content-Type"] = "Application/JSON; charset=UTF-8";
  EXPECT_EQ(post(headers, "{}").status, 201);
  EXPECT_EQ(seen_key, "k");
}

TEST_F(middleware_test, tells_how_to_authenticate) {
  EXPECT_EQ(header_of(post({{"Authorization", ""}}), "WWW-Authenticate"), R"(Bearer realm="matricula")");
  EXPECT_TRUE(header_of(post({{"Authorization", "Basic x"}}), "WWW-Authenticate").contains("invalid_token"));
  const auto forbidden = header_of(post({{"Authorization", "Bearer x"}}), "WWW-Authenticate");
  EXPECT_TRUE(forbidden.contains("insufficient_scope") && forbidden.contains("things:write")) << forbidden;
}

TEST_F(middleware_test, takes_over_a_valid_request_id_and_trace_and_echoes_them) {
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto answer = post({{"X-Request-Id", "abc-1.2"}, {"traceparent", parent}});
  EXPECT_EQ(header_of(answer, "X-Request-Id"), "abc-1.2");
  const auto child = header_of(answer, "traceparent");
  EXPECT_EQ(child.substr(0, 36), parent.substr(0, 36));
  EXPECT_NE(child.substr(36, 16), parent.substr(36, 16));
  EXPECT_EQ(seen_trace.request_id, "abc-1.2");
  EXPECT_EQ(seen_trace.traceparent, child);
}

TEST_F(middleware_test, gives_ids_of_its_own_in_place_of_missing_or_invalid_ones) {
  std::set<std::string> ids;
  for (const auto* id : {"", "has space", "<script>"}) {
    const auto answer = post({{"X-Request-Id", id}, {"traceparent", "garbage"}});
    const auto own = header_of(answer, "X-Request-Id");
    EXPECT_EQ(own.size(), 26u) << own;
    EXPECT_TRUE(is_traceparent(header_of(answer, "traceparent")));
    ids.insert(own);
  }
  EXPECT_EQ(ids.size(), 3u);
}

TEST_F(middleware_test, a_client_may_lower_the_deadline_and_not_raise_it) {
  post({{"X-Request-Timeout-Ms", "100"}});
  EXPECT_EQ(seen_deadline, time.now + milliseconds(100));
  post({{"X-Request-Timeout-Ms", "60000"}});
  EXPECT_EQ(seen_deadline, time.now + milliseconds(5'000));
}

TEST_F(middleware_test, an_exception_becomes_an_answer_that_tells_nothing) {
  for (const auto* target : {"/throws", "/fails"}) {
    const auto answer = get(target);
    EXPECT_EQ(answer.status, 500) << target;
    EXPECT_FALSE(answer.body.contains("secret")) << answer.body;
    EXPECT_FALSE(header_of(answer, "X-Request-Id").empty());
  }
  EXPECT_EQ(app.in_flight(), 0u);
}

TEST_F(middleware_test, an_opened_route_needs_no_credentials) {
  const auto answer = get("/opened");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "anonymous");
  EXPECT_EQ(who.asked, 0);
}

TEST_F(middleware_test, an_opened_route_takes_no_idempotency_key_because_all_its_clients_are_one) {
  route issue{"POST", "/issue", "", [](const request&) { return response{}; }};
  issue.idempotency = idempotency::accepted;
  expect(app.add(std::move(issue)));
  EXPECT_EQ(post({}, "{}", "/issue").status, 200);
  const auto answer = post({{"Idempotency-Key", "k"}}, "{}", "/issue");
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(answer.body.contains("needs credentials")) << answer.body;
}

TEST_F(middleware_test, a_route_may_word_every_refusal_in_its_own_way) {
  route other{"POST", "/other", "things:write", [](const request& from) -> outcome<response> {
                if (from.body == "{}") return refuse(409, errc::conflict, "secret");
                throw std::runtime_error("secret");
              }};
  other.body_bytes_max = 20;
  other.refusal_body = [](const refusal& why, response& answer) {
    answer.body = "no: " + std::string(to_string(why.cause.code));
    answer.content_type = "text/plain";
    if (answer.status == 409) answer.status = 200;
  };
  expect(app.add(std::move(other)));
  const auto said = [&](std::map<std::string, std::string> headers, const std::string& body,
                        const std::string& target = "/other") {
    const auto answer = post(std::move(headers), body, target);
    EXPECT_EQ(answer.content_type, "text/plain");
    EXPECT_FALSE(header_of(answer, "X-Request-Id").empty());
    return std::to_string(answer.status) + " " + answer.body;
  };
  EXPECT_EQ(said({}, "{}"), "200 no: conflict");
  EXPECT_EQ(said({}, "{ }"), "500 no: internal");
  EXPECT_EQ(said({{"Authorization", ""}}, "{}"), "401 no: unauthenticated");
  EXPECT_EQ(said({{"Authorization", "Bearer x"}}, "{}"), "403 no: forbidden");
  EXPECT_EQ(said({}, "{}", "/other?x=1"), "400 no: invalid_argument");
  EXPECT_EQ(said({}, std::string(21, ' ')), "413 no: payload_too_large");
  EXPECT_EQ(said({{"Content-Type", "x"}}, "{}"), "415 no: unsupported");
  EXPECT_FALSE(header_of(post({{"Authorization", ""}}, "{}", "/other"), "WWW-Authenticate").empty());
  app.set_limits({.in_flight_max = 0, .access_log = false});
  const auto busy = post({}, "{}", "/other");
  EXPECT_EQ(busy.body, "no: overloaded");
  EXPECT_EQ(header_of(busy, "Retry-After"), "1");
}

TEST_F(middleware_test, a_cookie_counts_only_where_a_route_says_so) {
  route with_cookie{"POST", "/cookie", "things:write", [](const request&) { return response{}; }};
  with_cookie.cookie_credentials = true;
  expect(app.add(std::move(with_cookie)));
  const std::map<std::string, std::string> cookie{{"Authorization", ""}, {"Cookie", "Authorization=things:write"}};
  EXPECT_EQ(post(cookie, "{}", "/cookie").status, 200);
  EXPECT_EQ(post(cookie).status, 401);
  const auto wrong = post({{"Authorization", ""}, {"Cookie", "Authorization=other"}}, "{}", "/cookie");
  EXPECT_EQ(wrong.status, 403);
}

TEST_F(middleware_test, refuses_to_open_a_route_that_does_not_exist) {
  application other({.limits = {}, .open_routes = {"/v1/typo"}}, who, numbers, time);
  const auto checked = other.check_open_routes();
  ASSERT_FALSE(checked);
  EXPECT_TRUE(checked.error().message.contains("/v1/typo"));
}

TEST_F(middleware_test, bounds_the_requests_in_flight_but_not_those_that_tell_how_the_node_is) {
  response inner;
  response health;
  int depth = 0;
  route nested{"GET", "/nested", "", [&](const request&) -> outcome<response> {
                 if (++depth < 3) inner = get("/nested");
                 health = get("/health");
                 return response{};
               }};
  route alive{"GET", "/health", "", [](const request&) { return response{}; }};
  alive.under_load = true;
  expect(app.add(std::move(nested)));
  expect(app.add(std::move(alive)));
  EXPECT_EQ(get("/nested").status, 200);
  EXPECT_EQ(depth, 2) << "the third at once is refused";
  EXPECT_EQ(health.status, 200);
  request_from_text third("GET", "/nested");
  app.set_limits({.in_flight_max = 0});
  const auto refused = app.answer(third);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(header_of(refused, "Retry-After"), "1");
}

TEST_F(middleware_test, limits_change_while_it_runs) {
  app.set_limits({.deadline = milliseconds(50), .body_bytes_max = 3, .access_log = false});
  EXPECT_EQ(post({}, "{    }").status, 201) << "this route has a limit of its own";
  EXPECT_EQ(seen_deadline, time.now + milliseconds(50));
  EXPECT_EQ(post({{"Idempotency-Key", "k"}}, "{  }", "/v1/strict").status, 413);
}

TEST_F(middleware_test, counts_answers_by_route_and_class) {
  post();
  post({{"Authorization", ""}});
  get("/nowhere");
  const auto text = numbers.render();
  EXPECT_TRUE(text.contains(R"(matricula_http_requests_total{class="2xx",method="POST",route="/v1/things/{id}"} 1)"))
      << text;
  EXPECT_TRUE(text.contains(R"(matricula_http_requests_total{class="4xx",method="POST",route="/v1/things/{id}"} 1)"));
  EXPECT_TRUE(text.contains(R"(matricula_http_requests_total{class="4xx",method="any",route="none"} 1)"));
  EXPECT_TRUE(text.contains(R"(matricula_http_request_seconds_count{method="POST",route="/v1/things/{id}"} 2)"));
}

TEST_F(middleware_test, the_constant_route_takes_the_same_way) {
  expect(app.add(constant_route()));
  EXPECT_EQ(post({}, "{}", "/bench/constant").status, 403);
  EXPECT_EQ(post({{"Authorization", "Bearer ids:issue"}}, "{}", "/bench/constant").status, 201);
  EXPECT_EQ(post({{"Authorization", "Bearer ids:issue"}, {"Content-Type", "x"}}, "{}", "/bench/constant").status, 415);
}

TEST_F(middleware_test, answers_what_is_not_even_a_request) {
  const auto answer = app.refuse_unread(refusal(400, errc::invalid_argument, "No."));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.content_type, "application/problem+json");
  EXPECT_EQ(header_of(answer, "X-Request-Id").size(), 26u);
}

/// In the steps of a server.
class exchange_test : public middleware_test {
protected:
  exchange_test() {
    route later{"POST", "/later", "things:write", {}};
    later.begin = [this](const request& from, const runtime::reply_notice& told) -> outcome<begun> {
      notice = told;
      if (from.body == "1") return response{.status = 202};
      if (from.body == "2") return refuse(409, errc::conflict, "No.");
      if (from.body == "3") throw std::runtime_error("secret");
      return answer_later([]() -> outcome<response> { return response{.status = 201, .body = "7"}; });
    };
    expect(app.add(std::move(later)));
  }
  request_from_text to_later(std::string body) {
    return {"POST",
            "/later",
            {{"Authorization", "Bearer things:write"}, {"Content-Type", "application/json"}},
            std::move(body)};
  }
  runtime::reply_notice notice;
};

TEST_F(exchange_test, is_refused_by_its_head_before_its_body_is_asked_for) {
  request_from_text what("POST", "/v1/things/7", {{"Content-Type", "application/json"}}, "{}");
  application::exchange x(app, what);
  x.admit();
  ASSERT_TRUE(x.answered());
  EXPECT_EQ(x.take_answer().status, 401);
  EXPECT_EQ(what.body_reads, 0);
}

TEST_F(exchange_test, says_how_large_its_body_may_be_and_whether_its_handler_waits) {
  request_from_text good("POST", "/v1/things/7", {{"Authorization", "Bearer things:write"}}, "");
  application::exchange x(app, good);
  x.admit();
  EXPECT_FALSE(x.answered());
  EXPECT_EQ(x.body_bytes_max(), 20u);
  EXPECT_TRUE(x.waits());
  request_from_text none("GET", "/opened");
  application::exchange y(app, none);
  y.admit();
  EXPECT_FALSE(y.body_bytes_max()) << "the body of a GET means nothing";
  auto begins = to_later("");
  application::exchange z(app, begins);
  z.admit();
  EXPECT_FALSE(z.waits());
}

TEST_F(exchange_test, that_begins_is_answered_when_its_reply_is_there) {
  auto what = to_later("{}");
  application::exchange x(app, what);
  x.admit();
  x.begin({nullptr, 42});
  EXPECT_FALSE(x.answered());
  EXPECT_EQ(notice.token, 42u);
  EXPECT_EQ(app.in_flight(), 1u);
  x.complete();
  ASSERT_TRUE(x.answered());
  const auto answer = x.take_answer();
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(header_of(answer, "Cache-Control"), "no-store");
}

TEST_F(exchange_test, that_begins_may_be_answered_or_refused_at_once) {
  for (const auto& [body, status] : {std::pair{"1", 202}, {"2", 409}, {"3", 500}}) {
    auto what = to_later(body);
    application::exchange x(app, what);
    x.admit();
    x.begin({});
    ASSERT_TRUE(x.answered()) << body;
    EXPECT_EQ(x.take_answer().status, status) << body;
  }
  EXPECT_EQ(app.in_flight(), 0u);
}

TEST_F(exchange_test, counts_as_in_flight_only_when_its_body_is_there) {
  auto first = to_later(""), second = to_later(""), third = to_later("");
  application::exchange a(app, first), b(app, second), c(app, third);
  for (auto* x : {&a, &b, &c}) {
    x->admit();
    EXPECT_FALSE(x->answered());
  }
  EXPECT_EQ(app.in_flight(), 0u);
  a.begin({});
  b.begin({});
  c.begin({});
  ASSERT_TRUE(c.answered());
  const auto refused = c.take_answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(header_of(refused, "Retry-After"), "1");
}

TEST_F(exchange_test, that_waited_too_long_for_a_thread_does_nothing) {
  request_from_text what("POST", "/v1/things/7",
                         {{"Authorization", "Bearer things:write"}, {"Content-Type", "application/json"}}, "");
  application::exchange x(app, what);
  x.admit();
  time.now += milliseconds(5'000);
  x.begin({});
  EXPECT_EQ(x.take_answer().status, 504);
  EXPECT_EQ(handled, 0);
  auto another = to_later("");
  application::exchange y(app, another);
  y.admit();
  time.now += milliseconds(5'000);
  y.begin({nullptr, 42});
  EXPECT_EQ(y.take_answer().status, 504);
  EXPECT_EQ(notice.token, 0u) << "nobody was asked";
}

TEST_F(exchange_test, of_which_rows_are_read_first_takes_a_thread_and_still_no_more_than_a_small_body) {
  bool reads = true;
  route reading{"POST", "/reading/{id}", "things:write", {}};
  reading.begin = [](const request&, const runtime::reply_notice&) -> outcome<begun> { return response{}; };
  reading.begin_reads = [&reads](const request& from) { return reads && from.param("id") == "7"; };
  expect(app.add(std::move(reading)));
  const auto waits = [&](const std::string& target) {
    request_from_text what("POST", target, {{"Authorization", "Bearer things:write"}});
    application::exchange x(app, what);
    x.admit();
    EXPECT_EQ(x.body_bytes_max(), 16'384U) << "it may be for the event loop yet";
    return x.waits();
  };
  EXPECT_TRUE(waits("/reading/7"));
  EXPECT_FALSE(waits("/reading/8"));
  reads = false;
  EXPECT_FALSE(waits("/reading/7"));
}

TEST_F(exchange_test, that_begins_with_a_large_body_takes_a_thread_for_that) {
  route large{"POST", "/large", "things:write", {}};
  large.begin = [](const request&, const runtime::reply_notice&) -> outcome<begun> { return response{}; };
  large.begin_reads = has_large_body;
  large.body_bytes_max = 100'000;
  expect(app.add(std::move(large)));
  const auto judged = [&](const name_values& more) {
    std::map<std::string, std::string> headers{{"Authorization", "Bearer things:write"}};
    headers.insert(more.begin(), more.end());
    request_from_text what("POST", "/large", headers);
    application::exchange x(app, what);
    x.admit();
    return std::pair(x.waits(), x.body_bytes_max());
  };
  const std::pair<bool, std::optional<std::size_t>> on_a_thread{true, 100'000}, at_once{false, 16'384};
  EXPECT_EQ(judged({{"Content-Length", "16384"}}), at_once);
  EXPECT_EQ(judged({{"Content-Length", "16385"}}), on_a_thread);
  EXPECT_EQ(judged({{"Content-Length", "99999999999999999999"}}), on_a_thread);
  EXPECT_EQ(judged({{"Content-Length", "1x"}}), on_a_thread);
  EXPECT_EQ(judged({}), on_a_thread) << "in chunks it may become any length";
}

TEST_F(exchange_test, that_is_handled_where_all_connections_are_served_has_a_small_body) {
  route computes{"POST", "/computes", "things:write", [](const request&) { return response{}; }};
  computes.waits = false;
  computes.body_bytes_max = 100'000;
  expect(app.add(std::move(computes)));
  expect(app.add({"POST", "/reads", "things:write", [](const request&) { return response{}; }}));
  const auto body_bytes_max = [&](const std::string& target) {
    request_from_text what("POST", target, {{"Authorization", "Bearer things:write"}});
    application::exchange x(app, what);
    x.admit();
    return x.body_bytes_max();
  };
  EXPECT_EQ(body_bytes_max("/computes"), 16'384U);
  EXPECT_EQ(body_bytes_max("/later"), 16'384U);
  EXPECT_EQ(body_bytes_max("/reads"), std::size_t{1} << 20);
  app.set_limits({.body_bytes_max = 2'000, .access_log = false});
  EXPECT_EQ(body_bytes_max("/later"), 2'000U);
}

TEST_F(exchange_test, whose_credentials_take_a_thread_stops_before_them_and_goes_on_there) {
  who.takes_long = true;
  request_from_text what("POST", "/v1/things/7", {{"Authorization", "Bearer things:write"}, {"X-Request-Id", "r1"}});
  application::exchange x(app, what);
  EXPECT_FALSE(x.admit_at_once());
  EXPECT_FALSE(x.answered());
  EXPECT_EQ(who.asked, 0) << "nobody waits";
  x.admit();
  EXPECT_EQ(who.asked, 1);
  EXPECT_FALSE(x.answered());
  x.begin({});
  EXPECT_EQ(x.take_answer().status, 201);
  EXPECT_EQ(seen_trace.request_id, "r1");
}

TEST_F(exchange_test, asks_for_no_thread_for_credentials_that_do_not_count) {
  who.takes_long = true;
  for (const auto* target : {"/opened", "/throws", "/nowhere"}) {
    request_from_text what("GET", target, {{"Authorization", "Bearer a.b.c"}, {"Cookie", "Authorization=a.b.c"}});
    application::exchange x(app, what);
    EXPECT_TRUE(x.admit_at_once()) << target;
  }
  EXPECT_EQ(who.asked, 0);
}

} // namespace
} // namespace matricula::api
