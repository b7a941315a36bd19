// From settings to generators and webhooks: where secrets come from, and what is wrong said with the setting's name.
#include "commands/outside_systems.hpp"
#include "commands/remote_generators.hpp"
#include "test/support/fault_generator.hpp"
#include "test/support/scratch_directory.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace matricula::commands {
namespace {

using registrants::call_outcome;
using testing::HasSubstr;
using testing::Not;

struct outside_systems : testing::Test {
  /// A file with a secret and the rights of it.
  std::string secret_file(std::string_view text, std::filesystem::perms rights = owner_only) {
    const auto file = folder / "secret";
    std::ofstream(file, std::ios::binary) << text;
    std::filesystem::permissions(file, rights);
    return file.string();
  }
  /// What is wrong, or nothing.
  [[nodiscard]] std::string problem() const {
    const auto made = make_generator(s, "mosip", time);
    return made ? "" : made.error().message;
  }
  [[nodiscard]] std::string webhook_problem() const {
    const auto made = make_webhook(s, "registry", time);
    return made ? "" : made.error().message;
  }

  static constexpr auto owner_only = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
  test::scratch_directory folder;
  test::fault_generator other{{.needs_token = true}};
  system_clock time;
  config::settings s = [this] {
    auto all = config::defaults();
    all.generators["mosip"] = {.kind = "mosip", .url = other.mosip_url(), .timeout_ms = 5'000};
    all.generators["g2p"] = {.kind = "openg2p", .url = other.openg2p_url(), .id_type = "farmer", .timeout_ms = 5'000};
    all.webhooks["registry"] = {.url = other.openg2p_url() + "/hook", .timeout_ms = 5'000};
    return all;
  }();
};

TEST_F(outside_systems, take_a_clients_secret_from_a_file_that_is_only_ours) {
  auto& mosip = s.generators.at("mosip");
  mosip.token_url = other.token_url();
  mosip.client_id = "matricula";
  mosip.client_secret_file = secret_file("a secret & more\n");
  const auto made = make_generator(s, "mosip", time);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->issue("somebody").outcome, call_outcome::done);

  EXPECT_EQ(problem(), "");
  secret_file("a secret & more\n", owner_only | std::filesystem::perms::group_read);
  EXPECT_THAT(problem(), HasSubstr("generators.mosip.client_secret_file " + mosip.client_secret_file +
                                   " may be read by others. Run `chmod 600"));
  std::filesystem::remove(folder / "secret");
  EXPECT_THAT(problem(), HasSubstr("No such file"));
  mosip.client_secret_file = folder.path();
  EXPECT_THAT(problem(), HasSubstr("is not a file"));
}

TEST_F(outside_systems, refuse_a_secret_that_is_empty_or_too_long) {
  auto& mosip = s.generators.at("mosip");
  mosip.token_url = other.token_url();
  mosip.client_id = "matricula";
  mosip.client_secret_file = secret_file("\n");
  EXPECT_THAT(problem(), HasSubstr("generators.mosip.client_secret_file: the secret is empty"));
  secret_file(std::string(5'000, 'x'));
  EXPECT_THAT(problem(), HasSubstr("over 4096 bytes"));
  EXPECT_THAT(problem(), Not(HasSubstr("xxx")));
}

TEST_F(outside_systems, take_a_secret_from_a_variable) {
  auto& mosip = s.generators.at("mosip");
  mosip.token_url = other.token_url();
  mosip.client_id = "matricula";
  mosip.client_secret_env = "OUTSIDE_SYSTEMS_TEST_SECRET";
  ::unsetenv("OUTSIDE_SYSTEMS_TEST_SECRET");
  EXPECT_EQ(problem(), "generators.mosip.client_secret_env: the variable OUTSIDE_SYSTEMS_TEST_SECRET is not set.");
  ::setenv("OUTSIDE_SYSTEMS_TEST_SECRET", "a secret & more", 1);
  const auto made = make_generator(s, "mosip", time);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ((*made)->issue("somebody").outcome, call_outcome::done);
}

TEST_F(outside_systems, without_a_token_endpoint_call_without_a_token) {
  const auto mosip = make_generator(s, "mosip", time), g2p = make_generator(s, "g2p", time);
  ASSERT_TRUE(mosip && g2p);
  EXPECT_EQ((*mosip)->issue("somebody").outcome, call_outcome::failed) << "it wants one";
  EXPECT_EQ((*g2p)->issue("somebody").outcome, call_outcome::done);
}

TEST_F(outside_systems, that_nobody_configured_are_named) {
  EXPECT_EQ(make_generator(s, "elsewhere", time).error().message,
            "There is no generator elsewhere: the settings need [generators.elsewhere].");
  EXPECT_EQ(make_webhook(s, "elsewhere", time).error().code, errc::not_found);
}

TEST_F(outside_systems, over_tls_need_certificates_that_can_be_read) {
  auto& mosip = s.generators.at("mosip");
  mosip.url = "https://mosip.example/v1/idgenerator/uin";
  mosip.ca_file = "/nowhere/ca.pem";
  EXPECT_THAT(problem(), HasSubstr("generators.mosip.ca_file: The certificates to trust, /nowhere/ca.pem"));
  s.webhooks.at("registry") = {.url = "https://registry.example", .timeout_ms = 100, .ca_file = "/nowhere/ca.pem"};
  EXPECT_THAT(webhook_problem(), HasSubstr("webhooks.registry.ca_file: "));
}

TEST_F(outside_systems, are_called_by_nobody_when_their_threads_have_gone) {
  s.generators.at("mosip").calls_max = 1;
  const auto closing = std::make_shared<const std::atomic<bool>>(false);
  auto made = remote_generators::make(s, time, closing);
  ASSERT_TRUE(made) << made.error().message;
  auto handlers = (*made)->request_handlers(nullptr);
  made->reset();
  bool ended = false;
  handlers.at("mosip")->run({}, [&](const actors::task_end&) { ended = true; });
  EXPECT_FALSE(ended);
  EXPECT_EQ(other.consumed(), 0U);
}

TEST_F(outside_systems, with_a_webhook_call_its_address) {
  s.webhooks.at("registry").secret_file = secret_file("whsec\n");
  const auto made = make_webhook(s, "registry", time);
  ASSERT_TRUE(made) << made.error().message;
  const auto answer = (*made)->deliver({.id = "1", .body = "{}"});
  EXPECT_EQ(answer.status, 404) << "there is no such path: but it was asked";
  EXPECT_EQ(answer.outcome, connectors::delivery_outcome::refused);
  std::filesystem::remove(folder / "secret");
  EXPECT_THAT(webhook_problem(), HasSubstr("webhooks.registry.secret_file "));
}

TEST(location, is_read_from_an_address) {
  const auto at = location_of("https://[::1]:8443/a?b").value();
  EXPECT_TRUE(at.tls);
  EXPECT_EQ(at.host, "::1");
  EXPECT_EQ(at.port, 8443);
  EXPECT_EQ(at.target, "/a?b");
  for (const auto* bad :
       {"", "file:///etc/passwd", "gopher://a.example", "https://", "https://u@a.example", "//a.example"})
    EXPECT_FALSE(location_of(bad)) << bad;
}

} // namespace
} // namespace matricula::commands
