// How far a request came, said exactly; connections that are used again, and those that must not be.
#include "connectors/http_client.hpp"
#include "test/support/byte_server.hpp"
#include "test/support/certificate.hpp"
#include "test/support/scratch_directory.hpp"

#include <gmock/gmock.h>
#include <httplib.h>

#include <condition_variable>
#include <future>

namespace matricula::connectors {
namespace {

using namespace std::chrono_literals;
using test::answer_of;
using test::byte_server;
using test::make_certificate;
using test::read_request;
using test::send_text;
using testing::HasSubstr;
using testing::StartsWith;

deadline in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

http_client_options to(std::uint16_t port) {
  http_client_options out;
  out.at.tls = false;
  out.at.host = "127.0.0.1";
  out.at.port = port;
  return out;
}

std::unique_ptr<http_client> client_of(http_client_options options) {
  auto made = http_client::make(std::move(options));
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

/// Answers every request of a connection alike.
auto always(std::string answer) {
  return [answer = std::move(answer)](int socket) {
    while (read_request(socket))
      if (!send_text(socket, answer)) return;
  };
}

/// Reads a request, sends these bytes and closes.
auto once(std::string bytes) {
  return [bytes = std::move(bytes)](int socket) {
    if (read_request(socket)) send_text(socket, bytes);
  };
}

} // namespace

TEST(http_client, brings_status_body_and_retry_after) {
  byte_server server(always(answer_of(429, R"({"a":1})", "Retry-After: 7\r\n")));
  const auto reply = client_of(to(server.port()))->call({}, in(10s));
  EXPECT_EQ(reply.how, transfer::answered);
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.body, R"({"a":1})");
  EXPECT_EQ(reply.retry_after, "7");
}

TEST(http_client, sends_method_target_headers_and_body_as_they_are) {
  std::promise<std::string> sent;
  byte_server server([&sent](int socket) {
    sent.set_value(read_request(socket).value_or(""));
    send_text(socket, answer_of(204, ""));
  });
  const auto reply = client_of(to(server.port()))
                         ->call({.method = "PUT",
                                 .target = "/a%20b?c=d+e",
                                 .headers = {{"Cookie", "Authorization=x"}, {"Content-Type", "application/json"}},
                                 .body = "{}"},
                                in(10s));
  EXPECT_EQ(reply.status, 204);
  const auto text = sent.get_future().get();
  EXPECT_THAT(text, StartsWith("PUT /a%20b?c=d+e HTTP/1.1\r\n"));
  for (const auto* line : {"\r\nCookie: Authorization=x\r\n", "\r\nContent-Type: application/json\r\n",
                           "\r\nContent-Length: 2\r\n", "\r\nUser-Agent: Matricula\r\n"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, HasSubstr("\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n{}"));
}

TEST(http_client, does_not_follow_a_redirect) {
  byte_server server(always(answer_of(302, "", "Location: /elsewhere\r\n")));
  EXPECT_EQ(client_of(to(server.port()))->call({}, in(10s)).status, 302);
  EXPECT_EQ(server.connections(), 1);
}

TEST(http_client, where_nobody_listens_has_not_sent) {
  std::uint16_t port = 0;
  {
    byte_server gone([](int) {});
    port = gone.port();
  }
  const auto reply = client_of(to(port))->call({}, in(10s));
  EXPECT_EQ(reply.how, transfer::not_sent);
  EXPECT_EQ(reply.error, "No connection to 127.0.0.1:" + std::to_string(port) + ": Connection refused.");
}

TEST(http_client, of_a_host_without_address_has_not_sent) {
  auto options = to(80);
  options.at.host = "no-such-host.invalid";
  const auto reply = client_of(options)->call({}, in(3s));
  EXPECT_EQ(reply.how, transfer::not_sent);
  EXPECT_THAT(reply.error, HasSubstr("no-such-host.invalid"));
}

TEST(http_client, without_time_has_not_sent) {
  byte_server server(always(answer_of(200, "")));
  EXPECT_EQ(client_of(to(server.port()))->call({}, in(-1s)).how, transfer::not_sent);
}

TEST(http_client, sends_nothing_that_would_break_a_request) {
  byte_server server(always(answer_of(200, "")));
  const auto client = client_of(to(server.port()));
  for (const auto& what : std::vector<http_request>{{.headers = {{"A", "b\r\nC: d"}}},
                                                    {.headers = {{"A\n", "b"}}},
                                                    {.headers = {{"", "b"}}},
                                                    {.target = "/a b"},
                                                    {.target = "/\r\n"},
                                                    {.target = "a"},
                                                    {.target = ""},
                                                    {.method = "GET /"}})
    EXPECT_EQ(client->call(what, in(10s)).how, transfer::not_sent);
  EXPECT_EQ(server.connections(), 0);
}

struct spoiled {
  const char* what;
  std::string bytes;
};

TEST(http_client, whose_answer_does_not_come_whole_says_that_the_request_may_have_arrived) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<spoiled> all{
      {"nothing", ""},
      {"no status", "hello\r\n\r\n"},
      {"half a status line", "HTTP/1.1 20"},
      {"half a head", ok + "Content-Le"},
      {"half a body", ok + "Content-Length: 10\r\n\r\nhalf"},
      {"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nab"},
      {"a chunk without a size", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"},
      {"a status line without end", "HTTP/1.1 200 " + std::string(2'000'000, 'x')},
      {"a long status line after a 100",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 " + std::string(100'000, 'x') + "\r\n\r\n"},
      {"a head without end", ok +
                                 [] {
                                   std::string lines;
                                   while (lines.size() < 1'000'000)
                                     lines += "X-More: " + std::string(100, 'x') + "\r\n";
                                   return lines;
                                 }()},
      {"a header without end", ok + "X-More: " + std::string(1'000'000, 'x')},
      {"a chunk's size without end", ok + "Transfer-Encoding: chunked\r\n\r\n" + std::string(4'000'000, '0')},
  };
  for (const auto& one : all) {
    byte_server server(once(one.bytes));
    const auto reply = client_of(to(server.port()))->call({}, in(20s));
    EXPECT_EQ(reply.how, transfer::lost) << one.what;
    EXPECT_TRUE(reply.body.empty()) << one.what;
    EXPECT_FALSE(reply.error.empty()) << one.what;
    EXPECT_EQ(server.connections(), 1) << one.what;
  }
}

TEST(http_client, that_is_reset_after_the_request_says_that_it_may_have_arrived) {
  byte_server server([](int socket) {
    read_request(socket);
    test::reset_at_close(socket);
  });
  EXPECT_EQ(client_of(to(server.port()))->call({}, in(20s)).how, transfer::lost);
}

TEST(http_client, takes_no_more_of_a_body_than_its_limit) {
  auto options = to(0);
  options.body_bytes_max = 1000;
  for (const auto& [size, fits] : {std::pair{1000, true}, {1001, false}}) {
    for (const bool announced : {true, false}) {
      const std::string body(static_cast<std::size_t>(size), 'x');
      byte_server server(once(announced ? answer_of(200, body) : "HTTP/1.1 200 OK\r\n\r\n" + body));
      options.at.port = server.port();
      const auto reply = client_of(options)->call({}, in(20s));
      EXPECT_EQ(reply.how, fits ? transfer::answered : transfer::lost);
      EXPECT_EQ(reply.too_large, !fits);
      EXPECT_EQ(reply.status, 200);
      EXPECT_EQ(reply.body, fits ? body : "");
    }
  }
}

TEST(http_client, gives_up_a_silent_server_and_one_that_drips_when_the_time_is_over) {
  std::atomic<bool> over{false};
  for (const std::string begins : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"}) {
    byte_server server([&over, begins](int socket) {
      if (!read_request(socket) || !send_text(socket, begins)) return;
      while (!begins.empty() && !over && send_text(socket, "x")) std::this_thread::yield();
      char byte = 0;
      while (::recv(socket, &byte, 1, 0) == 1) {
      }
    });
    auto options = to(server.port());
    options.body_bytes_max = 1 << 30;
    const auto began = std::chrono::steady_clock::now();
    const auto reply = client_of(options)->call({}, in(300ms));
    EXPECT_EQ(reply.how, transfer::lost);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  }
  over = true;
}

TEST(http_client, uses_a_connection_again) {
  byte_server server(always(answer_of(200, "fine")));
  const auto client = client_of(to(server.port()));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client->call({}, in(10s)).body, "fine");
  EXPECT_EQ(server.connections(), 1);
}

TEST(http_client, goes_over_another_connection_when_the_one_of_before_is_closed) {
  byte_server server(once(answer_of(200, "fine")));
  const auto client = client_of(to(server.port()));
  for (int i = 0; i < 5; ++i) {
    const auto reply = client->call({}, in(10s));
    // The end of the connection may come later than the next request: then that one is lost, and said to be.
    EXPECT_NE(reply.how, transfer::not_sent) << reply.error;
  }
}

TEST(http_client, does_not_take_what_came_unasked_for_the_next_answer) {
  byte_server server([](int socket) {
    if (read_request(socket)) send_text(socket, answer_of(200, "first") + answer_of(200, "first"));
    while (read_request(socket)) send_text(socket, answer_of(200, "second"));
  });
  const auto client = client_of(to(server.port()));
  EXPECT_EQ(client->call({}, in(10s)).body, "first");
  EXPECT_EQ(client->call({}, in(10s)).body, "first") << "of a connection of its own";
  EXPECT_EQ(server.connections(), 2);
}

TEST(http_client, does_not_use_a_connection_that_was_idle_for_too_long) {
  byte_server server(always(answer_of(200, "fine")));
  auto options = to(server.port());
  options.idle_at_most = 0ms;
  const auto client = client_of(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client->call({}, in(10s)).how, transfer::answered);
  EXPECT_EQ(server.connections(), 3);
}

TEST(http_client, serves_many_threads_with_a_connection_each) {
  std::atomic<int> requests{0};
  byte_server server([&requests](int socket) {
    while (const auto text = read_request(socket)) {
      ++requests;
      send_text(socket, answer_of(200, text->substr(5, text->find(' ', 5) - 5)));
    }
  });
  const auto client = client_of(to(server.port()));
  std::vector<std::future<int>> all;
  for (int t = 0; t < 8; ++t)
    all.push_back(std::async(std::launch::async, [&client, t] {
      int right = 0;
      for (int i = 0; i < 50; ++i) {
        const auto name = std::to_string(t * 1000 + i);
        right += client->call({.target = "/" + name}, in(20s)).body == name ? 1 : 0;
      }
      return right;
    }));
  for (auto& one : all) EXPECT_EQ(one.get(), 50);
  EXPECT_EQ(requests, 400);
  EXPECT_LE(server.connections(), 8);
}

TEST(http_client, ends_its_calls_when_it_is_stopped) {
  std::promise<void> asked;
  byte_server server([&asked](int socket) {
    read_request(socket);
    asked.set_value();
    read_request(socket);
  });
  const auto client = client_of(to(server.port()));
  auto waits = std::async(std::launch::async, [&] { return client->call({}, in(60s)); });
  asked.get_future().get();
  const auto began = std::chrono::steady_clock::now();
  client->stop();
  EXPECT_EQ(waits.get().how, transfer::lost);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_EQ(client->call({}, in(10s)).how, transfer::not_sent);
}

namespace {
/// A server with a certificate.
class secure_server {
public:
  explicit secure_server(const matricula::test::certificate_files& files)
      : server_(files.certificate.c_str(), files.key.c_str()) {
    server_.Get("/", [](const httplib::Request&, httplib::Response& to) { to.set_content("secret", "text/plain"); });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~secure_server() {
    server_.stop();
    thread_.join();
  }
  secure_server(const secure_server&) = delete;
  secure_server& operator=(const secure_server&) = delete;
  [[nodiscard]] std::uint16_t port() const { return static_cast<std::uint16_t>(port_); }

private:
  httplib::SSLServer server_;
  int port_ = 0;
  std::thread thread_;
};
} // namespace

TEST(http_client, over_tls_talks_only_to_whom_it_trusts) {
  const matricula::test::scratch_directory folder;
  const auto shown = make_certificate(folder.path(), "shown"), stranger = make_certificate(folder.path(), "stranger"),
             over = make_certificate(folder.path(), "over", std::chrono::hours(-1));
  secure_server server(shown), late(over);
  const auto ask = [](std::uint16_t port, const std::string& host, const std::filesystem::path& ca) {
    auto options = to(port);
    options.at.tls = true;
    options.at.host = host;
    options.at.ca_file = ca;
    const auto client = client_of(options);
    auto reply = client->call({}, in(10s));
    if (reply.how == transfer::answered) reply = client->call({}, in(10s)); // on the same connection
    return reply;
  };
  EXPECT_EQ(ask(server.port(), "127.0.0.1", shown.certificate).body, "secret");
  EXPECT_EQ(ask(server.port(), "localhost", shown.certificate).body, "secret");
  for (const auto& [port, host, ca] : {std::tuple{server.port(), "127.0.0.1", stranger.certificate},
                                       {server.port(), "127.0.0.1", std::filesystem::path()},
                                       {server.port(), "127.0.0.2", shown.certificate},
                                       {late.port(), "127.0.0.1", over.certificate}}) {
    const auto reply = ask(port, host, ca);
    EXPECT_EQ(reply.how, transfer::not_sent) << host << ' ' << ca;
  }
  EXPECT_THAT(ask(server.port(), "127.0.0.1", stranger.certificate).error,
              HasSubstr("its certificate is not accepted"));
}

TEST(http_client, over_tls_has_not_sent_to_a_server_that_knows_no_tls_or_is_silent) {
  for (const std::string answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
    byte_server server([&answer](int socket) {
      char byte = 0;
      if (::recv(socket, &byte, 1, 0) != 1) return;
      send_text(socket, answer);
      while (::recv(socket, &byte, 1, 0) == 1) {
      }
    });
    auto options = to(server.port());
    options.at.tls = true;
    EXPECT_EQ(client_of(options)->call({}, in(300ms)).how, transfer::not_sent);
  }
}

TEST(http_client, is_not_made_with_certificates_that_cannot_be_read) {
  auto options = to(1);
  options.at.tls = true;
  options.at.ca_file = "/nowhere/ca.pem";
  const auto made = http_client::make(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, errc::invalid_argument);
  EXPECT_THAT(made.error().message, HasSubstr("/nowhere/ca.pem"));
}

} // namespace matricula::connectors
