// Deliveries: what is sent, how it is signed, what an answer means, and where nothing may go.
#include "connectors/webhook.hpp"
#include "foundation/digest.hpp"
#include "test/support/byte_server.hpp"

#include <gmock/gmock.h>

#include <future>
#include <ostream>

namespace matricula::connectors {

static void PrintTo(delivery_outcome o, std::ostream* out) { *out << to_string(o); }

namespace {

using namespace std::chrono_literals;
using test::answer_of;
using test::byte_server;
using test::read_request;
using test::send_text;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using enum delivery_outcome;

class set_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override { return timestamp{1'800'000'000'999ms}; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return 1h; }
};

struct webhook_test : testing::Test {
  webhook_options options(std::uint16_t port) {
    webhook_options out;
    out.at = location("127.0.0.1", port);
    out.secret = "whsec_test";
    out.time = &time;
    return out;
  }
  static http_location location(std::string host, std::uint16_t port) {
    http_location at;
    at.tls = false;
    at.host = std::move(host);
    at.port = port;
    at.target = "/hook";
    return at;
  }
  static std::unique_ptr<webhook> made(webhook_options from) { return std::move(*webhook::make(std::move(from))); }
  set_clock time;
};

} // namespace

TEST_F(webhook_test, posts_the_body_with_its_id_and_signature) {
  std::promise<std::string> sent;
  byte_server server([&sent](int socket) {
    sent.set_value(read_request(socket).value_or(""));
    send_text(socket, answer_of(204, ""));
  });
  const auto answer = made(options(server.port()))->deliver({.id = "01J0-1", .body = R"({"a":1})"});
  EXPECT_EQ(answer.outcome, done) << answer.error;
  EXPECT_EQ(answer.status, 204);
  const auto text = sent.get_future().get();
  EXPECT_THAT(text, StartsWith("POST /hook HTTP/1.1\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nMatricula-Delivery: 01J0-1\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nMatricula-Signature: t=1800000000,v1=" +
                              to_hex(hmac_sha256("whsec_test", R"(1800000000.{"a":1})")) + "\r\n"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST_F(webhook_test, without_a_secret_does_not_sign) {
  std::promise<std::string> sent;
  byte_server server([&sent](int socket) {
    sent.set_value(read_request(socket).value_or(""));
    send_text(socket, answer_of(200, ""));
  });
  auto unsigned_one = options(server.port());
  unsigned_one.secret.clear();
  EXPECT_EQ(made(unsigned_one)->deliver({.id = "1", .body = "{}"}).outcome, done);
  EXPECT_THAT(sent.get_future().get(), Not(HasSubstr("Matricula-Signature")));
}

TEST(webhook_signature, is_the_hmac_of_time_and_body) {
  // echo -n '1492774577.{"id":"x"}' | openssl dgst -sha256 -hmac whsec
  EXPECT_EQ(webhook_signature("whsec", timestamp{1'492'774'577'123ms}, R"({"id":"x"})"),
            "t=1492774577,v1=49b736051083b795f5539885eda590e8749d5110c35360dae11835eac30f5330");
}

TEST(delivery_answer, says_whether_to_try_again) {
  const timestamp now{1'800'000'000'000ms};
  for (const int status : {200, 201, 202, 204, 299})
    EXPECT_EQ(read_delivery_answer(status, "", "", now).outcome, done) << status;
  for (const int status : {408, 425, 429, 500, 502, 503, 504, 599})
    EXPECT_EQ(read_delivery_answer(status, "", "", now).outcome, again) << status;
  for (const int status : {301, 302, 307, 308, 400, 401, 403, 404, 405, 409, 410, 413, 422, 451})
    EXPECT_EQ(read_delivery_answer(status, "", "", now).outcome, refused) << status;
  EXPECT_EQ(read_delivery_answer(503, "", "120", now).try_again, 120s);
  EXPECT_EQ(read_delivery_answer(503, "", "86400", now).try_again, 1h) << "no receiver stops us for a day";
  EXPECT_FALSE(read_delivery_answer(503, "", "later", now).try_again);
  EXPECT_FALSE(read_delivery_answer(410, "", "120", now).try_again);
  const auto said = read_delivery_answer(400, "no\r\nsuch field \x01 1234567890 " + std::string(5'000, 'x'), "", now);
  EXPECT_THAT(said.error, StartsWith("The receiver answered 400: no  such field ? (digits) xxx"));
  EXPECT_LE(said.error.size(), 500U);
}

TEST_F(webhook_test, that_gets_no_answer_is_to_be_tried_again) {
  std::uint16_t nobody = 0;
  {
    byte_server gone([](int) {});
    nobody = gone.port();
  }
  EXPECT_EQ(made(options(nobody))->deliver({.id = "1", .body = "{}"}).outcome, again);
  byte_server silent([](int socket) {
    while (read_request(socket)) {
    }
  });
  auto brief = options(silent.port());
  brief.at_most = 200ms;
  const auto answer = made(brief)->deliver({.id = "1", .body = "{}"});
  EXPECT_EQ(answer.outcome, again);
  EXPECT_THAT(answer.error, HasSubstr("in time"));
}

TEST_F(webhook_test, needs_only_the_status_of_an_answer_that_is_too_large) {
  for (const auto& [status, outcome] : {std::pair{200, done}, {410, refused}, {503, again}}) {
    byte_server server([status = status](int socket) {
      if (read_request(socket)) send_text(socket, answer_of(status, std::string(1'000'000, 'x')));
    });
    EXPECT_EQ(made(options(server.port()))->deliver({.id = "1", .body = "{}"}).outcome, outcome);
  }
}

TEST_F(webhook_test, goes_nowhere_but_where_its_settings_allow) {
  std::atomic<int> asked{0};
  const auto count = [&asked](int socket) {
    while (read_request(socket)) {
      ++asked;
      send_text(socket, answer_of(200, ""));
    }
  };
  byte_server own(count), other(count);
  const auto to = [](http_location at) { return delivery{.id = "1", .body = "{}", .at = std::move(at)}; };
  auto closed = made(options(own.port()));
  EXPECT_EQ(closed->deliver(to(location("127.0.0.1", own.port()))).outcome, done) << "its own, by another path";
  EXPECT_EQ(asked, 1);
  for (const auto& at : {location("127.0.0.1", other.port()), location("localhost", own.port()),
                         location("169.254.169.254", 80), location("::1", own.port())}) {
    const auto answer = closed->deliver(to(at));
    EXPECT_EQ(answer.outcome, refused) << at.host;
    EXPECT_THAT(answer.error, HasSubstr("not among those"));
  }
  auto secure = location("127.0.0.1", own.port());
  secure.tls = true;
  EXPECT_EQ(closed->deliver(to(secure)).outcome, refused);
  EXPECT_EQ(asked, 1);
  auto listed = options(own.port());
  listed.allowed_hosts = {"registry.example", "LOCALHOST:" + std::to_string(other.port())};
  const auto open = made(listed);
  EXPECT_EQ(open->deliver(to(location("localhost", other.port()))).outcome, done);
  EXPECT_EQ(open->deliver(to(location("127.0.0.1", other.port()))).outcome, refused);
  EXPECT_EQ(open->deliver(to(location("registry.example", 8080))).outcome, refused);
  EXPECT_EQ(open->deliver(to(location("registry.example.evil.example", 80))).outcome, refused);
  EXPECT_EQ(asked, 2);
}

TEST_F(webhook_test, needs_an_id_that_can_be_sent) {
  byte_server server([](int) {});
  const auto hook = made(options(server.port()));
  for (const auto& id : {std::string(), std::string("a b"), std::string("a\r\nb"), std::string(129, 'a')})
    EXPECT_EQ(hook->deliver({.id = id, .body = "{}"}).outcome, refused);
  EXPECT_EQ(server.connections(), 0);
}

} // namespace matricula::connectors
