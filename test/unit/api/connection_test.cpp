// One connection under a clock that the test moves: which of its deadlines counts when.
#include "api/connection.hpp"
#include "test/support/certificate.hpp"
#include "test/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <array>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::api {
namespace {

using std::chrono::milliseconds;
using then = connection::then;

constexpr std::uint32_t readable = EPOLLIN | EPOLLOUT;

/// The loop of a connection, without a thread.
class host_of_a_test final : public connection_host {
public:
  host_of_a_test(application& served, const connection_limits& within)
      : connection_host(served, within, received_, unwritten_, wheel_) {
    scratch = scratch_;
    now = start_;
  }
  [[nodiscard]] bool offer(std::function<void()>) override { return false; }
  [[nodiscard]] runtime::reply_notice notice_for(connection& to) override {
    to.expect_token(1);
    return {};
  }
  /// Moves the clock. @return whether the connection's deadline has passed by then; it has none then.
  bool pass(milliseconds by) {
    now += by;
    return wheel_.take_due(now) != nullptr;
  }

private:
  byte_budget received_{1 << 20}, unwritten_{std::size_t{32} << 20};
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  deadline_wheel wheel_{start_};
  std::array<char, 16384> scratch_{};
};

class connection_test : public testing::Test {
protected:
  connection_test() {
    limits.head_timeout = milliseconds(1'000);
    limits.write_timeout = milliseconds(2'000);
    limits.keep_alive = milliseconds(60'000);
    route large{"GET", "/large", "",
                [](const request&) { return response{.body = '"' + std::string(5'000'000, 'x') + '"'}; }};
    large.waits = false;
    EXPECT_TRUE(app.add(std::move(large)));
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    client = ends[0];
    served = ends[1];
  }
  ~connection_test() override { ::close(client); }
  connection_test(const connection_test&) = delete;
  connection_test& operator=(const connection_test&) = delete;

  void send(std::string_view text) const {
    ASSERT_EQ(::send(client, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  /// All that is there now.
  [[nodiscard]] std::size_t take() const {
    std::array<char, 65536> bytes;
    std::size_t all = 0;
    for (ssize_t n = 0; (n = ::recv(client, bytes.data(), bytes.size(), 0)) > 0;) all += static_cast<std::size_t>(n);
    return all;
  }

  metrics numbers;
  system_clock time;
  open_authenticator everyone;
  application app{{.limits = {.access_log = false}, .open_routes = {}}, everyone, numbers, time};
  connection_limits limits;
  host_of_a_test host{app, limits};
  int client = -1;
  int served = -1;
};

TEST_F(connection_test, has_no_deadline_left_of_an_answer_that_was_taken) {
  EXPECT_TRUE(app.add({"POST", "/upload", "", [](const request&) { return response{}; }}));
  // The body that follows is there, in more pieces than a turn allows: nobody waits for it.
  host.scratch = host.scratch.first(64);
  connection c(host, served, nullptr, 1);
  send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nPOST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n" +
       std::string(9'000, '1'));
  ASSERT_EQ(c.drive(), then::park) << "the large answer is written when the client takes it";
  host.now += milliseconds(1'000);
  auto next = then::park;
  while (next == then::park && take() > 0) {
    c.on_event(readable);
    next = c.drive();
  }
  ASSERT_EQ(next, then::again);
  EXPECT_FALSE(host.pass(limits.write_timeout)) << "nobody is slow";
}

TEST_F(connection_test, gives_its_first_head_the_whole_time_after_the_handshake) {
  const test::scratch_directory folder;
  const auto files = test::make_certificate(folder.path(), "node");
  const auto identity = tls_identity::load({files.certificate, files.key});
  ASSERT_TRUE(identity);
  connection c(host, served, *identity, 1);
  ASSERT_EQ(c.drive(), then::park);
  EXPECT_FALSE(host.pass(milliseconds(800)));

  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::shared_ptr<SSL> session(SSL_new(context.get()), SSL_free);
  SSL_set_fd(session.get(), client);
  bool done = false;
  for (int i = 0; !done && i < 10; ++i) {
    done = SSL_connect(session.get()) == 1;
    c.on_event(readable);
    if (!done) {
      ASSERT_EQ(c.drive(), then::park);
    }
  }
  ASSERT_TRUE(done);
  // The end of the handshake and the beginning of a head come together.
  ASSERT_EQ(SSL_write(session.get(), "GET /hel", 8), 8);
  c.on_event(readable);
  ASSERT_EQ(c.drive(), then::park);
  EXPECT_FALSE(host.pass(milliseconds(800))) << "800 ms of it went before the head began";
  EXPECT_TRUE(host.pass(milliseconds(300)));
}

} // namespace
} // namespace matricula::api
