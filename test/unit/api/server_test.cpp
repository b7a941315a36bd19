#include "api/resources/constant.hpp"
#include "api/resources/operations.hpp"
#include "api/server.hpp"
#include "api/tokens.hpp"
#include "test/unit/api/socket_client.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <sys/syscall.h>
#include <thread>

namespace {
/// What the next calls of accept4 in this program fail with, and how many of them.
std::atomic<int> accept_fails_with{0};
std::atomic<int> accept_failures{0};
} // namespace

extern "C" int accept4(int socket, sockaddr* from, socklen_t* length, int flags) {
  if (accept_failures.load() > 0) {
    --accept_failures;
    errno = accept_fails_with.load();
    return -1;
  }
  return static_cast<int>(::syscall(SYS_accept4, socket, from, length, flags));
}

namespace matricula::api {
namespace {

using std::chrono::milliseconds;

/// Handlers wait here until the test lets them go.
class gate {
public:
  void wait() {
    std::unique_lock hold(guard_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(hold, [this] { return open_; });
  }
  void open() {
    const std::scoped_lock hold(guard_);
    open_ = true;
    changed_.notify_all();
  }
  void until_inside(int wanted) {
    std::unique_lock hold(guard_);
    changed_.wait(hold, [&] { return inside_ >= wanted; });
  }

private:
  std::mutex guard_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool open_ = false;
};

class server_test : public testing::Test {
protected:
  server_test() { options.threads = 4; }
  ~server_test() override { held.open(); }
  server_test(const server_test&) = delete;
  server_test& operator=(const server_test&) = delete;

  std::uint16_t start() {
    route echo{"POST", "/echo", "", [](const request& from) { return response{.body = std::string(from.body)}; }};
    echo.body_bytes_max = 100'000;
    EXPECT_TRUE(app.add(std::move(echo)));
    EXPECT_TRUE(app.add({"GET", "/hello", "", [](const request&) { return response{.body = R"("hello")"}; }}));
    EXPECT_TRUE(app.add({"GET", "/hold", "", [this](const request&) {
                           held.wait();
                           return response{.body = R"("held")"};
                         }}));
    EXPECT_TRUE(app.add({"GET", "/large", "",
                         [](const request&) { return response{.body = '"' + std::string(5'000'000, 'x') + '"'}; }}));
    EXPECT_TRUE(app.add(constant_route()));
    node = std::make_unique<server>(options, app, numbers);
    auto bound = node->start();
    EXPECT_TRUE(bound) << (bound ? "" : bound.error().message);
    port = bound.value_or(0);
    return port;
  }
  static void expect_problem(const std::string& answer, int status) {
    EXPECT_EQ(status_of(answer), status) << answer;
    EXPECT_TRUE(answer.contains("Content-Type: application/problem+json\r\n")) << answer;
    EXPECT_TRUE(answer.contains("X-Request-Id: ")) << answer;
    EXPECT_TRUE(answer.contains("\"code\":")) << answer;
  }

  /// Polls; false when it does not come about.
  static bool until(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition())
      if (std::chrono::steady_clock::now() > give_up) return false;
    return true;
  }
  bool until_metric(const std::string& line) {
    return until([&] { return numbers.render().contains(line); });
  }
  /// Whether requests that are being received hold at least so many bytes.
  bool numbers_hold_received(double least) {
    const auto text = numbers.render();
    const std::string name = "\nmatricula_http_received_bytes ";
    const auto at = text.find(name);
    return at != std::string::npos && std::stod(text.substr(at + name.size())) >= least;
  }

  metrics numbers;
  system_clock time;
  std::mutex told_guard;
  std::vector<runtime::reply_notice> told_later;
  open_authenticator everyone;
  application app{{.limits = {.access_log = false}, .open_routes = {}}, everyone, numbers, time};
  server_options options;
  gate held;
  std::unique_ptr<server> node;
  std::uint16_t port = 0;
};

TEST_F(server_test, serves_a_client_of_another_make_over_one_connection) {
  start();
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  for (int i = 0; i < 20; ++i) { // more than httplib's own bound of 5
    const auto hello = client.Get("/hello");
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->status, 200);
    EXPECT_EQ(hello->body, "\"hello\"");
    const auto text = '"' + std::string(static_cast<std::size_t>(i) * 4'000, 'a') + '"';
    const auto echo = client.Post("/echo", text, "application/json");
    ASSERT_TRUE(echo);
    EXPECT_EQ(echo->body, text);
    EXPECT_TRUE(echo->get_header_value("Connection").empty());
  }
  EXPECT_TRUE(client.Head("/hello")->body.empty());
  EXPECT_EQ(client.Head("/hello")->get_header_value("Content-Length"), "7");
  EXPECT_EQ(client.Delete("/hello")->status, 405);
  EXPECT_EQ(client.Get("/large")->body.size(), 5'000'002u);
  const auto gzip = client.Get("/hello", {{"Accept-Encoding", "gzip, br"}, {"Range", "bytes=0-1"}});
  EXPECT_EQ(gzip->body, "\"hello\"");
  EXPECT_TRUE(gzip->get_header_value("Content-Encoding").empty());
}

TEST_F(server_test, answers_pipelined_requests_in_order) {
  socket_client client(start());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1"
              "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
              "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
              "1\r\n2\r\n0\r\n\r\n"
              "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.answer().ends_with("\r\n\r\n1"));
  EXPECT_TRUE(client.answer().ends_with("\"hello\""));
  EXPECT_TRUE(client.answer().ends_with("\r\n\r\n2"));
  const auto last = client.answer();
  EXPECT_TRUE(last.ends_with("\"hello\""));
  EXPECT_TRUE(last.contains("Connection: close\r\n"));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(server_test, asks_for_the_body_that_a_client_holds_back) {
  socket_client client(start());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
              "Content-Length: 3\r\n\r\n");
  EXPECT_EQ(client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("\"x\"");
  EXPECT_TRUE(client.answer().ends_with("\"x\""));
}

TEST_F(server_test, refuses_a_held_back_body_without_asking_for_it) {
  socket_client client(start());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
              "Content-Length: 100001\r\n\r\n");
  expect_problem(client.answer(), 413);
  EXPECT_TRUE(client.is_closed());
}

struct broken {
  const char* name;
  std::string bytes;
  int status;
};
class broken_request : public server_test, public testing::WithParamInterface<broken> {};

TEST_P(broken_request, is_answered_with_a_problem_and_the_connection_ends) {
  options.connection.head_timeout = milliseconds(150);
  options.connection.body_timeout = milliseconds(150);
  socket_client client(start());
  client.send(GetParam().bytes);
  const auto answer = client.answer();
  expect_problem(answer, GetParam().status);
  EXPECT_TRUE(answer.contains("Connection: close\r\n"));
  EXPECT_TRUE(client.is_closed());
  socket_client next(port);
  next.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(next.answer()), 200) << "the server goes on";
}

INSTANTIATE_TEST_SUITE_P(
    all, broken_request,
    testing::Values(
        broken{"garbage", "\x01\x02 garbage\r\n\r\n", 400}, broken{"tls_hello", "\x16\x03\x01\x02\r\n\r\n", 400},
        broken{"http_2_preface", "PRI * HTTP/2.0\r\n\r\n", 505},
        broken{"smuggling",
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               400},
        broken{"large_head", "GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x'), 431},
        broken{"long_url", "GET /" + std::string(5'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        broken{"slow_head", "GET /hello HTTP/1.1\r\nHost: a\r\n", 408},
        broken{"slow_body",
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n12", 408},
        broken{"slow_chunk",
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: "
               "chunked\r\n\r\n5\r\n12",
               408},
        broken{"bad_chunk",
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: "
               "chunked\r\n\r\nz\r\n",
               400},
        broken{"large_chunk",
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: "
               "chunked\r\n\r\nffffff\r\n",
               413},
        broken{"large_body",
               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 300000\r\n\r\n" +
                   std::string(300'000, ' '),
               413},
        broken{"body_of_an_unknown_route", "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", 404}),
    [](const auto& about) { return about.param.name; });

TEST_F(server_test, a_cut_off_request_gets_no_thread_stuck) {
  options.threads = 1;
  start();
  for (const auto* start_of_one : {"", "G", "GET /hello HTTP/1.1\r\nHost: a\r\n",
                                   "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12"}) {
    socket_client client(port);
    client.send(start_of_one);
    client.end_sending();
    (void)client.answer();
  }
  socket_client client(port);
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
}

TEST_F(server_test, closes_idle_connections) {
  options.connection.keep_alive = milliseconds(30);
  socket_client client(start());
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(server_test, serves_while_idle_and_slow_clients_hold_every_thread_that_they_can) {
  options.threads = 1;
  options.connection.keep_alive = options.connection.head_timeout = options.connection.body_timeout =
      options.connection.write_timeout = std::chrono::hours(1);
  start();
  std::deque<socket_client> slow;
  for (int i = 0; i < 50; ++i) {
    slow.emplace_back(port); // says nothing
    slow.emplace_back(port).send("GET /hello HTTP/1.1\r\nHo");
    slow.emplace_back(port).send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n12");
    slow.emplace_back(port).send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"); // does not read its answer
  }
  socket_client client(port);
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
}

TEST_F(server_test, a_client_that_does_not_take_its_answer_is_cut_off_in_time) {
  options.connection.write_timeout = milliseconds(50);
  socket_client slow(start());
  slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(until_metric("matricula_http_connections 0"));
}

TEST_F(server_test, answers_503_at_once_when_every_thread_and_every_place_is_taken) {
  options.threads = 1;
  options.waiting_max = 1;
  start();
  socket_client served(port);
  served.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(1);
  socket_client waits(port);
  waits.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(until_metric("matricula_http_requests_waiting 1"));
  socket_client refused(port);
  for (int i = 0; i < 20; ++i) {
    refused.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto answer = refused.answer();
    expect_problem(answer, 503);
    EXPECT_TRUE(answer.contains("Retry-After: 1\r\n"));
  }
  refused.send("POST /bench/constant HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(status_of(refused.answer()), 201) << "what needs no thread is served";
  held.open();
  EXPECT_EQ(status_of(served.answer()), 200);
  EXPECT_EQ(status_of(waits.answer()), 200) << "who waited is served";
}

TEST_F(server_test, turns_connections_away_when_all_places_are_taken_by_busy_ones) {
  options.connections_max = 2;
  start();
  socket_client one(port);
  one.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  socket_client two(port);
  two.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(2);
  for (int i = 0; i < 5; ++i) {
    socket_client refused(port);
    const auto answer = refused.answer();
    expect_problem(answer, 503);
    EXPECT_TRUE(answer.contains("Retry-After: 1\r\n"));
    EXPECT_TRUE(refused.is_closed());
  }
  held.open();
  EXPECT_EQ(status_of(one.answer()), 200);
  EXPECT_EQ(status_of(two.answer()), 200);
  EXPECT_TRUE(numbers.render().contains("matricula_http_connections_refused_total 5"));
}

TEST_F(server_test, a_silent_connection_gives_its_place_to_a_new_one) {
  options.connections_max = 1;
  options.connection.keep_alive = std::chrono::hours(1);
  socket_client idle(start());
  idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(idle.answer()), 200);
  // Refused until the first one has been silent for long enough.
  int status = 503;
  for (int tries = 0; status == 503 && tries < 100'000; ++tries) {
    socket_client next(port);
    next.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    status = status_of(next.answer());
  }
  EXPECT_EQ(status, 200);
  EXPECT_TRUE(idle.is_closed());
}

TEST_F(server_test, bodies_together_may_hold_so_much_memory_and_no_more) {
  options.buffered_bytes_max = 150'000;
  options.connection.body_timeout = std::chrono::hours(1);
  start();
  const auto head =
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
  socket_client first(port);
  first.send(head + std::string(90'000, '1'));
  ASSERT_TRUE(until([&] { return numbers_hold_received(64'000); }));
  socket_client second(port);
  second.send(head + std::string(90'000, '1'));
  const auto answer = second.answer();
  expect_problem(answer, 503);
  EXPECT_TRUE(answer.contains("Retry-After: "));
  EXPECT_TRUE(second.is_closed());
  socket_client small(port);
  small.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1");
  EXPECT_EQ(status_of(small.answer()), 200) << "small ones pass";
  first.send(std::string(10'000, '1'));
  EXPECT_EQ(status_of(first.answer()), 200);
}

TEST_F(server_test, a_refused_request_is_answered_before_its_body_comes) {
  EXPECT_TRUE(app.add({"POST", "/guarded", "things:write", [](const request&) { return response{}; }}));
  start();
  for (const auto* target : {"/nowhere", "/echo?x=1"}) {
    socket_client client(port);
    client.send(std::string("POST ") + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n");
    EXPECT_NE(status_of(client.answer()), 0) << target;
    EXPECT_TRUE(client.is_closed());
  }
}

TEST_F(server_test, a_client_that_never_stops_sending_gets_no_more_turns_than_others) {
  // All of it happens on the loop's thread: whenever the flooding client is answered it has sent another request.
  constexpr int wanted = 1'000;
  const auto request_for = [](char who) { return std::string("GET /") + who + " HTTP/1.1\r\nHost: a\r\n\r\n"; };
  std::atomic<int> patient_served{0}, flooding_served{0}, flooding_when_done{0};
  std::unique_ptr<socket_client> flooding;
  const auto on_loop = [this](std::string path, std::function<outcome<response>(const request&)> handle) {
    route r{"GET", std::move(path), "", std::move(handle)};
    r.waits = false;
    EXPECT_TRUE(app.add(std::move(r)));
  };
  on_loop("/p", [&](const request&) {
    if (++patient_served == wanted) flooding_when_done = flooding_served.load();
    return response{};
  });
  on_loop("/f", [&](const request&) {
    ++flooding_served;
    if (patient_served < wanted) flooding->send(request_for('f'));
    return response{};
  });
  on_loop("/pause", [this](const request&) {
    held.wait();
    return response{};
  });
  flooding = std::make_unique<socket_client>(start());
  socket_client pausing(port), patient(port);
  ASSERT_TRUE(until_metric("matricula_http_connections 3"));
  pausing.send("GET /pause HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(1);
  std::string many, some;
  for (int i = 0; i < wanted; ++i) many += request_for('p');
  for (int i = 0; i < 200; ++i) some += request_for('f');
  patient.send(many);
  flooding->send(some);
  held.open();
  ASSERT_TRUE(until([&] { return patient_served == wanted; }));
  EXPECT_LE(flooding_when_done, 2 * wanted + 200) << "while the other one was served " << wanted << " times";
  EXPECT_TRUE(node->drain(std::chrono::seconds(10)));
}

TEST_F(server_test, an_answer_that_nobody_waits_for_comes_when_it_is_there) {
  route later{"POST", "/later", "", {}};
  later.begin = [this](const request& from, const runtime::reply_notice& told) -> outcome<begun> {
    const std::scoped_lock hold(told_guard);
    told_later.push_back(told);
    return answer_later(
        [id = from.trace.request_id]() -> outcome<response> { return response{.body = '"' + id + '"'}; });
  };
  EXPECT_TRUE(app.add(std::move(later)));
  options.threads = 1;
  start();
  std::deque<socket_client> clients;
  for (int i = 0; i < 20; ++i)
    clients.emplace_back(port).send("POST /later HTTP/1.1\r\nHost: a\r\nX-Request-Id: r" + std::to_string(i) +
                                    "\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(until([&] {
    const std::scoped_lock hold(told_guard);
    return told_later.size() == clients.size();
  }));
  runtime::reply_gate::begin_group();
  for (const auto& one : told_later) one.tell();
  for (const auto& one : told_later) one.tell(); // the second time is nobody's
  runtime::reply_gate::end_group();
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(clients[static_cast<std::size_t>(i)].answer().ends_with("\"r" + std::to_string(i) + "\""));
  clients.front().send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(clients.front().answer().ends_with("\"hello\"")) << "the connection goes on";
}

TEST_F(server_test, an_answer_that_never_comes_is_given_up_at_the_deadline) {
  route never{"POST", "/never", "", {}};
  never.begin = [](const request&, const runtime::reply_notice&) -> outcome<begun> {
    return answer_later([]() -> outcome<response> { return fail(errc::outcome_unknown, "No answer in time."); });
  };
  EXPECT_TRUE(app.add(std::move(never)));
  socket_client client(start());
  client.send("POST /never HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: 20\r\nContent-Length: 0\r\n\r\n"
              "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  expect_problem(client.answer(), 503);
  EXPECT_EQ(status_of(client.answer()), 200) << "what was pipelined behind it";
}

TEST_F(server_test, reads_rows_on_a_thread_before_it_hands_a_request_on) {
  route later{"POST", "/later", "", {}};
  later.begin_reads = [](const request&) { return true; };
  later.begin = [this](const request& from, const runtime::reply_notice& told) -> outcome<begun> {
    if (from.body == "1") return response{.body = "1"};
    if (from.body == "2") return refuse(409, errc::conflict, "No.");
    if (from.body == "3") told.tell(); // before this returns
    held.wait();
    const std::scoped_lock hold(told_guard);
    told_later.push_back(told);
    return answer_later([body = std::string(from.body)]() -> outcome<response> { return response{.body = body}; });
  };
  EXPECT_TRUE(app.add(std::move(later)));
  start();
  const auto ask = [this](socket_client& client, const std::string& body, const std::string& more = "") {
    client.send("POST /later HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + more +
                "Content-Length: 1\r\n\r\n" + body);
  };
  socket_client at_once(port), early(port), late(port), never(port);
  ask(at_once, "1");
  EXPECT_TRUE(at_once.answer().ends_with("\r\n\r\n1"));
  ask(at_once, "2");
  EXPECT_EQ(status_of(at_once.answer()), 409);
  ask(early, "3");
  ask(late, "4");
  held.until_inside(2);
  at_once.send("POST /bench/constant HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(status_of(at_once.answer()), 201) << "nobody else waits for the rows";
  held.open();
  EXPECT_TRUE(early.answer().ends_with("\r\n\r\n3"));
  ASSERT_TRUE(until([this] {
    const std::scoped_lock hold(told_guard);
    return told_later.size() == 2;
  }));
  {
    const std::scoped_lock hold(told_guard);
    for (const auto& one : told_later) one.tell(); // for the early one the second time
  }
  EXPECT_TRUE(late.answer().ends_with("\r\n\r\n4"));
  ask(never, "5", "X-Request-Timeout-Ms: 20\r\n");
  EXPECT_TRUE(never.answer().ends_with("\r\n\r\n5")) << "given up at the deadline";
  early.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(early.answer().ends_with("\"hello\"")) << "the connection goes on";
}

TEST_F(server_test, tells_how_it_is_while_every_thread_is_busy) {
  options.threads = 1;
  options.waiting_max = 0;
  EXPECT_TRUE(app.add(operations_routes({.ready = {{"store", [] { return result<void>(); }}}, .numbers = &numbers})));
  start();
  socket_client served(port);
  served.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(1);
  socket_client client(port);
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 503) << "there is no thread";
  for (const auto* path : {"/healthz", "/readyz", "/openapi.yaml"}) {
    client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(status_of(client.answer()), 200) << path;
  }
}

/// Has to wait for its issuer before it knows anybody.
class waiting_authenticator final : public authenticator {
public:
  explicit waiting_authenticator(gate& issuer) : issuer_(issuer) {}
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming&, timestamp) const override {
    issuer_.wait();
    return std::make_shared<const principal>(principal{"anna", "default", {"*"}});
  }
  [[nodiscard]] std::optional<result<std::shared_ptr<const principal>>> who_asks_at_once(const incoming&,
                                                                                         timestamp) const override {
    return std::nullopt;
  }

private:
  gate& issuer_;
};

TEST_F(server_test, waits_for_credentials_on_a_thread_and_for_none_where_nobody_is_asked) {
  const waiting_authenticator issuer(held);
  application guarded({.limits = {.access_log = false}, .open_routes = {}}, issuer, numbers, time);
  ASSERT_TRUE(guarded.add({"GET", "/closed", "things:read", [](const request&) { return response{}; }}));
  route open{"GET", "/open", "", [](const request&) { return response{}; }};
  open.waits = false;
  ASSERT_TRUE(guarded.add(std::move(open)));
  options.threads = 1;
  server over(options, guarded, numbers);
  const auto at = over.start().value();
  socket_client waits(at), others(at);
  waits.send("GET /closed HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\n\r\n");
  held.until_inside(1);
  others.send("GET /open HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\nCookie: Authorization=a.b.c\r\n\r\n");
  EXPECT_EQ(status_of(others.answer()), 200);
  held.open();
  EXPECT_EQ(status_of(waits.answer()), 200);
}

TEST_F(server_test, shares_the_places_for_connections_among_its_loops) {
  options.loops = 2;
  options.connections_max = 2;
  start();
  // They are dealt in turns: the first and the third come to the same loop.
  socket_client first(port);
  auto second = std::make_unique<socket_client>(port);
  for (auto* one : {&first, second.get()}) {
    one->send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(status_of(one->answer()), 200);
  }
  second.reset();
  ASSERT_TRUE(until_metric("matricula_http_connections 1"));
  first.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(1);
  socket_client third(port);
  third.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(status_of(third.answer()), 200) << "half of the places are no loop's own";
  third.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(2);
  socket_client fourth(port);
  expect_problem(fourth.answer(), 503);
  held.open();
  EXPECT_EQ(status_of(first.answer()), 200);
  EXPECT_EQ(status_of(third.answer()), 200);
}

/// Puts accept4 right again.
class server_without : public server_test {
protected:
  ~server_without() override { accept_failures = 0; }
  static void accept_fails(int times, int with) {
    accept_fails_with = with;
    accept_failures = times;
  }
  static std::size_t count(const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  }
};

TEST_F(server_without, memory_for_connections_takes_a_rest_and_goes_on) {
  start();
  accept_fails(3, ENOBUFS);
  const auto begun = std::chrono::steady_clock::now();
  socket_client client(port);
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(250)) << "it asked again at once";
}

TEST_F(server_without, descriptors_warns_once_of_all_the_connections_that_it_drops) {
  start();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) {
    accept_fails(1, EMFILE);
    socket_client dropped(port);
    EXPECT_TRUE(dropped.is_closed());
  }
  socket_client client(port);
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
  EXPECT_EQ(count(testing::internal::GetCapturedStderr(), "http.no_descriptors"), 1U);
  EXPECT_TRUE(numbers.render().contains("matricula_http_connections_refused_total 5"));
}

TEST_F(server_test, a_client_that_leaves_before_its_answer_harms_nobody) {
  start();
  {
    socket_client gone(port);
    gone.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    held.until_inside(1);
  }
  held.open();
  socket_client client(port);
  client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
}

TEST_F(server_test, a_drain_finishes_what_has_begun_and_takes_nothing_new) {
  start();
  socket_client idle(port);
  idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of(idle.answer()), 200);
  socket_client busy(port);
  busy.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(1);
  auto drained = std::async(std::launch::async, [this] { return node->drain(std::chrono::seconds(10)); });
  EXPECT_TRUE(idle.is_closed());
  held.open();
  const auto answer = busy.answer();
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(answer.contains("Connection: close\r\n"));
  EXPECT_TRUE(drained.get()) << "nothing was cut off";
  EXPECT_FALSE(socket_client(port).connected);
}

TEST_F(server_test, a_drain_cuts_off_what_its_time_does_not_suffice_for) {
  options.connection.body_timeout = std::chrono::hours(1);
  start();
  socket_client busy(port);
  busy.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  held.until_inside(1);
  socket_client stuck(port);
  stuck.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: "
             "100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(status_of(stuck.answer()), 100);
  auto drained = std::async(std::launch::async, [this] { return node->drain(milliseconds(1)); });
  EXPECT_EQ(stuck.answer(), "");
  EXPECT_EQ(busy.answer(), "");
  held.open();
  EXPECT_FALSE(drained.get());
}

TEST_F(server_test, drains_right_after_the_start_and_without_one) {
  start();
  EXPECT_TRUE(node->drain(std::chrono::seconds(10)));
  EXPECT_TRUE(node->drain(std::chrono::seconds(10))) << "a second one finds nothing to do";
  server never_started(options, app, numbers);
  EXPECT_TRUE(never_started.drain(milliseconds(0)));
}

TEST_F(server_test, does_not_share_a_port_with_another_node) {
  options.port = start();
  server second(options, app, numbers);
  const auto bound = second.start();
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, errc::io);
  EXPECT_TRUE(bound.error().message.contains(std::to_string(port)));
}

TEST_F(server_test, keeps_line_breaks_out_of_its_headers) {
  EXPECT_TRUE(app.add({"GET", "/inject", "", [](const request&) {
                         return response{.body = "1", .headers = {{"X-A", "b\r\nSet-Cookie: c"}}};
                       }}));
  socket_client client(start());
  client.send("GET /inject HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = client.answer();
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_FALSE(answer.contains("\nSet-Cookie"));
}

TEST_F(server_test, serves_many_clients_at_once_with_few_threads) {
  options.waiting_max = 64;
  start();
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 16; ++c)
    clients.emplace_back([&] {
      httplib::Client client("127.0.0.1", port);
      client.set_keep_alive(true);
      client.set_tcp_nodelay(true);
      for (int i = 0; i < 100; ++i) {
        const auto text = std::to_string(i);
        auto echo = client.Post("/echo", text, "application/json");
        // A client that this machine holds up loses its turn, as a slow one should; it comes again.
        for (int again = 0; !echo && again < 10; ++again) echo = client.Post("/echo", text, "application/json");
        if (echo && echo->status == 200 && echo->body == text) ++good;
      }
    });
  for (auto& client : clients) client.join();
  EXPECT_EQ(good, 1600);
}

TEST_F(server_test, asks_for_a_token_with_the_right_scope) {
  std::string name = (std::filesystem::temp_directory_path() / "matricula-server-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const auto file = folder / "tokens";
  const auto now = time.wall();
  const auto good = create_token(file, {.name = "good", .scopes = {"ids:issue"}}, now).value();
  const auto other = create_token(file, {.name = "other", .scopes = {"ids:read"}}, now).value();
  const auto expired = create_token(file, {.name = "expired", .scopes = {"*"}, .expires = now - std::chrono::hours(1)},
                                    now - std::chrono::hours(2))
                           .value();
  token_store tokens(file);
  ASSERT_TRUE(tokens.reload());
  const bearer_authenticator bearer(tokens);
  application guarded({.limits = {.access_log = false}, .open_routes = {}}, bearer, numbers, time);
  ASSERT_TRUE(guarded.add(constant_route()));
  server over(options, guarded, numbers);
  httplib::Client client("127.0.0.1", over.start().value());
  const auto status = [&](const httplib::Headers& headers) {
    const auto answer = client.Post("/bench/constant", headers, "{}", "application/json");
    EXPECT_TRUE(answer);
    if (answer->status >= 400) {
      EXPECT_EQ(answer->get_header_value("Content-Type"), "application/problem+json");
      EXPECT_TRUE(answer->has_header("WWW-Authenticate"));
    }
    return answer->status;
  };
  EXPECT_EQ(status({}), 401);
  EXPECT_EQ(status({{"Authorization", good}}), 401);
  EXPECT_EQ(status({{"Authorization", "Bearer "}}), 401);
  EXPECT_EQ(status({{"Authorization", "Bearer mtr_0"}}), 401);
  EXPECT_EQ(status({{"Authorization", "Bearer " + expired}}), 401);
  EXPECT_EQ(status({{"Authorization", "Bearer " + other}}), 403);
  EXPECT_EQ(status({{"Authorization", "Bearer " + good}}), 201);
  EXPECT_EQ(status({{"Authorization", "bearer  " + good}}), 201);
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace matricula::api
