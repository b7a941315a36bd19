#include "api/server.hpp"
#include "test/support/certificate.hpp"
#include "test/support/peer_socket.hpp"
#include "test/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/ssl.h>

#include <fstream>
#include <thread>

namespace matricula::api {
namespace {

using test::peer_socket;
using test::status_of_answer;

class tls_test : public testing::Test {
protected:
  std::uint16_t start() {
    EXPECT_TRUE(app.add({"GET", "/hello", "", [](const request&) { return response{.body = R"("hello")"}; }}));
    route echo{"POST", "/echo", "", [](const request& from) { return response{.body = std::string(from.body)}; }};
    EXPECT_TRUE(app.add(std::move(echo)));
    EXPECT_TRUE(app.add({"GET", "/large", "",
                         [](const request&) { return response{.body = '"' + std::string(5'000'000, 'x') + '"'}; }}));
    options.tls = {files.certificate, files.key};
    node = std::make_unique<server>(options, app, numbers);
    auto bound = node->start();
    EXPECT_TRUE(bound) << (bound ? "" : bound.error().message);
    return bound.value_or(0);
  }
  static constexpr std::string_view hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

  test::scratch_directory folder;
  test::certificate_files files = test::make_certificate(folder.path(), "first");
  metrics numbers;
  system_clock time;
  open_authenticator everyone;
  application app{{.limits = {.access_log = false}, .open_routes = {}}, everyone, numbers, time};
  server_options options;
  std::unique_ptr<server> node;
};

TEST_F(tls_test, serves_a_client_of_another_make_that_checks_the_certificate) {
  httplib::SSLClient client("localhost", start());
  client.set_ca_cert_path(files.certificate.c_str());
  client.enable_server_certificate_verification(true);
  client.set_keep_alive(true);
  for (int i = 0; i < 5; ++i) {
    const auto answer = client.Get("/hello");
    ASSERT_TRUE(answer) << to_string(answer.error());
    EXPECT_EQ(answer->body, "\"hello\"");
    const auto text = '"' + std::string(static_cast<std::size_t>(i) * 50'000, 'a') + '"';
    const auto echo = client.Post("/echo", text, "application/json");
    ASSERT_TRUE(echo);
    EXPECT_EQ(echo->body, text);
  }
  EXPECT_EQ(client.Get("/large")->body.size(), 5'000'002u);
}

TEST_F(tls_test, speaks_one_three_and_nothing_before_one_two) {
  const auto port = start();
  peer_socket best(port, peer_socket::speaks::tls);
  ASSERT_TRUE(best.connected());
  EXPECT_EQ(best.version(), "TLSv1.3");
  const std::shared_ptr<SSL_CTX> old(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_security_level(old.get(), 0);
  for (const auto& [version, served] : {std::pair{TLS1_2_VERSION, true}, std::pair{TLS1_1_VERSION, false}}) {
    SSL_CTX_set_min_proto_version(old.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(old.get(), version);
    const peer_socket raw(port, peer_socket::speaks::tls, false);
    const std::shared_ptr<SSL> session(SSL_new(old.get()), SSL_free);
    SSL_set_fd(session.get(), raw.descriptor());
    EXPECT_EQ(SSL_connect(session.get()) == 1, served) << version;
  }
}

TEST_F(tls_test, answers_pipelined_requests_in_order_and_ends_properly) {
  peer_socket client(start(), peer_socket::speaks::tls);
  client.write(std::string(hello) + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                                    "Content-Length: 1\r\nConnection: close\r\n\r\n1");
  EXPECT_TRUE(client.answer().value_or("").ends_with("\"hello\""));
  EXPECT_TRUE(client.answer().value_or("").ends_with("\r\n\r\n1"));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(tls_test, tells_a_client_that_speaks_plain_http) {
  const auto port = start();
  peer_socket plain(port, peer_socket::speaks::plain);
  plain.write(hello);
  const auto answer = plain.answer().value_or("");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_TRUE(answer.contains("https://")) << answer;
  EXPECT_TRUE(plain.is_closed());
  peer_socket next(port, peer_socket::speaks::tls);
  next.write(hello);
  EXPECT_EQ(status_of_answer(next.answer()), 200);
}

TEST_F(tls_test, gives_up_a_handshake_that_does_not_end) {
  options.connection.head_timeout = std::chrono::milliseconds(50);
  const auto port = start();
  peer_socket silent(port, peer_socket::speaks::tls, false);
  EXPECT_TRUE(silent.is_closed());
  peer_socket begun(port, peer_socket::speaks::tls, false);
  begun.write("\x16\x03\x01\x02");
  EXPECT_TRUE(begun.is_closed());
}

TEST_F(tls_test, garbage_in_place_of_a_handshake_harms_nobody) {
  const auto port = start();
  for (const auto* bytes : {"\x16\x03\x01\xff\xff garbage garbage garbage", "\x16", "\x16\x16\x16\x16\x16\x16\x16"}) {
    peer_socket bad(port, peer_socket::speaks::tls, false);
    bad.write(bytes);
  }
  peer_socket next(port, peer_socket::speaks::tls);
  next.write(hello);
  EXPECT_EQ(status_of_answer(next.answer()), 200);
}

TEST_F(tls_test, a_renewed_certificate_is_shown_from_then_on) {
  const auto port = start();
  peer_socket before(port, peer_socket::speaks::tls);
  EXPECT_EQ(before.certificate_name(), "first");
  const auto renewed = test::make_certificate(folder.path(), "second");
  auto loaded = node->load_certificate({renewed.certificate, renewed.key});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(peer_socket(port, peer_socket::speaks::tls).certificate_name(), "first") << "it is only read";
  node->use_certificate(std::move(*loaded));
  EXPECT_EQ(peer_socket(port, peer_socket::speaks::tls).certificate_name(), "second");
  before.write(hello);
  EXPECT_EQ(status_of_answer(before.answer()), 200) << "who was connected stays so";
  const auto refused = node->load_certificate({renewed.certificate, files.key});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::invalid_argument);
  EXPECT_EQ(peer_socket(port, peer_socket::speaks::tls).certificate_name(), "second") << "as it was";
  EXPECT_FALSE(node->load_certificate({}));
}

TEST_F(tls_test, does_not_start_with_files_that_do_not_fit_and_says_what_to_do) {
  const auto other = test::make_certificate(folder.path(), "other");
  const auto over = test::make_certificate(folder.path(), "over", std::chrono::hours(-1));
  const auto garbage = folder.path() / "garbage";
  std::ofstream(garbage) << "garbage";
  struct wrong {
    tls_files files;
    const char* says;
  };
  const wrong all[] = {
      {{files.certificate, ""}, "set the other one"},
      {{(folder.path() / "none").string(), files.key}, "cannot be read as a PEM certificate"},
      {{garbage, files.key}, "cannot be read as a PEM certificate"},
      {{files.certificate, garbage}, "cannot be read as a PEM private key"},
      {{files.certificate, test::with_password(files.key)}, "takes a password off"},
      {{files.certificate, other.key}, "is not the key of the certificate"},
      {{over.certificate, over.key}, "Renew it"},
  };
  for (const auto& one : all) {
    options.tls = one.files;
    server refused(options, app, numbers);
    const auto bound = refused.start();
    ASSERT_FALSE(bound) << one.says;
    EXPECT_EQ(bound.error().code, errc::invalid_argument);
    EXPECT_TRUE(bound.error().message.contains(one.says)) << bound.error().message;
  }
}

} // namespace
} // namespace matricula::api
