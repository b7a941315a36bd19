// The node behind TLS: its certificate comes from the settings, and can be renewed while it runs.
#include "test/e2e/node_fixture.hpp"
#include "test/support/certificate.hpp"
#include "test/support/peer_socket.hpp"

#include <csignal>
#include <filesystem>

namespace matricula::test {

namespace {
node_options with_tls(const certificate_files& files) {
  auto options = small_world();
  options.sets.push_back("server.tls.certificate=" + files.certificate.string());
  options.sets.push_back("server.tls.key=" + files.key.string());
  return options;
}

std::string request(const std::string& line, const std::string& token) {
  return line + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 0\r\n\r\n";
}

int ask(const node_process& node, const std::string& line, const std::string& token) {
  peer_socket client(node.port(), peer_socket::speaks::tls);
  client.write(request(line, token));
  return status_of_answer(client.answer());
}

int ask(const node_process& node, const std::string& line) { return ask(node, line, node.token()); }

std::string shown_name(const node_process& node) {
  return peer_socket(node.port(), peer_socket::speaks::tls).certificate_name();
}
} // namespace

TEST(tls_node, issues_over_tls_and_shows_a_renewed_certificate_after_a_reload) {
  const scratch_directory folder;
  const auto files = make_certificate(folder.path(), "first");
  node_process node(with_tls(files));
  ASSERT_TRUE(node.launch()) << node.log_tail();
  ASSERT_TRUE(eventually([&] { return ask(node, "GET /readyz") == 200; })) << node.log_tail();
  EXPECT_EQ(ask(node, "POST /v1/ids/uin"), 201);
  EXPECT_EQ(shown_name(node), "first");

  // As a renewal does it: the same names, other files.
  const auto next = make_certificate(folder.path(), "second");
  std::filesystem::rename(next.certificate, files.certificate);
  std::filesystem::rename(next.key, files.key);
  node.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return shown_name(node) == "second"; })) << node.log_tail();

  const auto newcomer = node.make_token("newcomer", "*");
  std::filesystem::remove(files.key);
  EXPECT_EQ(ask(node, "POST /v1/config/reload"), 422) << "and the certificate of before stays";
  EXPECT_EQ(shown_name(node), "second");
  EXPECT_EQ(ask(node, "POST /v1/ids/uin", newcomer), 401) << "and the tokens of before: all or nothing";
  EXPECT_EQ(ask(node, "POST /v1/ids/uin"), 201);

  // The other way round: a good certificate and tokens that cannot be read.
  const auto third = make_certificate(folder.path(), "third");
  std::filesystem::rename(third.certificate, files.certificate);
  std::filesystem::rename(third.key, files.key);
  const auto aside = node.scratch() / "tokens-aside";
  std::filesystem::rename(node.tokens_file(), aside);
  EXPECT_EQ(ask(node, "POST /v1/config/reload"), 422);
  EXPECT_EQ(shown_name(node), "second");
  std::filesystem::rename(aside, node.tokens_file());
  EXPECT_EQ(ask(node, "POST /v1/config/reload"), 200);
  EXPECT_EQ(shown_name(node), "third");
  EXPECT_EQ(ask(node, "POST /v1/ids/uin", newcomer), 201);
  EXPECT_EQ(node.stop(), 0) << node.log_tail();
}

TEST(tls_node, does_not_start_with_the_wrong_key_and_says_so) {
  const scratch_directory folder;
  auto files = make_certificate(folder.path(), "node");
  files.key = make_certificate(folder.path(), "other").key;
  node_process node(with_tls(files));
  EXPECT_FALSE(node.launch());
  EXPECT_NE(node.log().find("is not the key of the certificate"), std::string::npos) << node.log_tail();
}

} // namespace matricula::test
