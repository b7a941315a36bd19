// JSON Web Tokens: wrong ones on every operation, and keys that rotate under load. Who may ask what is in
// access_matrix_test.cpp.
#include "test/e2e/harmless_request.hpp"
#include "test/e2e/jwt_world.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>

namespace matricula::test {

namespace {
class jwt : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    key_ = std::make_unique<jwt_signer>(jwt_signer::kind::rsa, "first");
    node_ = make_jwt_node("tokens_and_jwt");
    publish(*node_, {key_->jwk(R"(,"use":"sig","alg":"RS256")")});
    node_->start();
  }
  static void TearDownTestSuite() {
    // Whatever the tests sent, well or badly: nothing of it is in the log.
    const auto log = node_->log();
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("eyJ"))) << "the beginning of a JSON object in base64url";
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("mtr_")));
    EXPECT_THAT(log, testing::HasSubstr("http.request")) << "but the requests are";
    node_.reset();
    key_.reset();
  }
  void TearDown() override {
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_->log_tail().c_str());
  }

  static void refused(const api_answer& answer) {
    EXPECT_EQ(answer.status, 401) << answer.shown();
    EXPECT_THAT(answer.code(), testing::AnyOf("unauthenticated", "KER-ATH-401"));
    EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer realm=\"matricula\", error=\"invalid_token\"");
  }
  static std::string token(claim_set c) { return key_->token(claims_text(c)); }

  static inline std::unique_ptr<jwt_signer> key_;
  static inline std::unique_ptr<node_process> node_;
};
} // namespace

TEST_F(jwt, opens_nothing_when_it_is_wrong) {
  const jwt_signer stranger(jwt_signer::kind::rsa, "first");
  const auto all = claims_text({.roles = {"all"}});
  const auto unsigned_header = to_base64url(R"({"alg":"none","kid":"first"})");
  const auto hmac_message = to_base64url(R"({"alg":"HS256","kid":"first"})") + "." + to_base64url(all);
  const std::vector<std::pair<const char*, std::string>> wrong{
      {"of another key", stranger.token(all)},
      {"without a signature", unsigned_header + "." + to_base64url(all) + "."},
      {"signed with the public key as a secret",
       hmac_message + "." + to_base64url(hmac_sha256(key_->public_pem(), hmac_message))},
      {"of another issuer", token({.iss = "https://evil.example", .roles = {"all"}})},
      {"for somebody else", token({.aud = "other", .roles = {"all"}})},
      {"without a name", token({.sub = "", .roles = {"all"}})},
      {"garbage", "a.b.c"},
  };
  for (const auto& one : wrong) {
    SCOPED_TRACE(one.first);
    ask_everything(*node_, bearer(one.second), refused);
  }
}

TEST_F(jwt, opens_nothing_with_roles_that_mean_nothing) {
  const auto check = [](const api_answer& answer) {
    EXPECT_EQ(answer.status, 403) << answer.shown();
    EXPECT_THAT(answer.code(), testing::AnyOf("forbidden", "KER-ATH-403"));
  };
  ask_everything(*node_, bearer(token({.roles = {}})), check);
  ask_everything(*node_, bearer(token({.roles = {"*", "ids:*", "all=*", "ALL"}})), check);
}

TEST_F(jwt, stands_beside_tokens_of_the_file) {
  EXPECT_EQ(api_client(*node_).get("/v1/ids").status, 200);
  EXPECT_EQ(api_client(node_->port(), token({.roles = {"all"}})).get("/v1/ids").status, 200);
  const auto numbers = api_client(*node_).get("/metrics").body;
  EXPECT_THAT(numbers, testing::HasSubstr("\nmatricula_auth_jwks_age_seconds "));
  EXPECT_THAT(numbers, testing::HasSubstr("\nmatricula_auth_jwks_keys "));
}

TEST_F(jwt, names_its_bearer_in_the_audit_log) {
  api_client anna(node_->port(), token({.sub = "anna-of-the-audit", .roles = {"all"}}));
  ASSERT_EQ(anna.post("/v1/actors/root/nobody/restart", {{"reason", "a test"}}).status, 404);
  ASSERT_EQ(anna.post("/v1/config/reload").status, 200);
  EXPECT_THAT(anna.get("/v1/audit").body, testing::HasSubstr("default/jwt:anna-of-the-audit"));
}

TEST_F(jwt, is_accepted_all_the_time_while_keys_come_and_go_under_load) {
  constexpr int rotations = 4, requests_each = 40;
  struct generation {
    std::shared_ptr<const jwt_signer> signer;
    int number = 0;
  };
  std::mutex guard;
  generation present{std::make_shared<const jwt_signer>(*key_), 0}, withdrawn = present;
  std::atomic<bool> over{false};
  std::atomic<int> good{0}, bad{0}, odd{0}, refused_late{0};
  std::string first_refusal;
  const auto note = [&](std::atomic<int>& what, const auto& answer) {
    ++what;
    const std::scoped_lock hold(guard);
    if (first_refusal.empty())
      first_refusal = answer ? std::to_string(answer->status) + " " + answer->body : "no answer";
  };
  std::vector<std::thread> clients;
  std::array<std::atomic<int>, 6> reached{}; ///< by each client: the generation of its last request
  for (auto& at : reached)
    clients.emplace_back([&] {
      http_client client(node_->port());
      for (int n = 0; !over; ++n) {
        const auto with = [&] {
          const std::scoped_lock hold(guard);
          return present;
        }();
        // Every other token is one that was seen before.
        client.set_token(
            with.signer->token(claims_text({.sub = "c" + std::to_string(n / 2), .roles = {"only-ids:read"}})));
        const auto answer = client.send({.target = "/v1/ids/uin"});
        at = with.number;
        if (answer && answer->status == 200)
          ++good;
        else
          note(bad, answer);
      }
    });
  // Some go on with tokens that were good: they are refused in time, and keep nobody else waiting.
  for (int i = 0; i < 2; ++i)
    clients.emplace_back([&] {
      http_client client(node_->port());
      while (!over) {
        const auto with = [&] {
          const std::scoped_lock hold(guard);
          return withdrawn;
        }();
        client.set_token(with.signer->token(claims_text({.sub = "late", .roles = {"only-ids:read"}})));
        const auto answer = client.send({.target = "/v1/ids/uin"});
        const int status = answer ? answer->status : 0;
        if (status == 401) ++refused_late;
        if (status != 200 && status != 401 && status != 503) note(odd, answer);
      }
    });
  api_client owner(*node_);
  std::vector<std::string> published{key_->jwk()};
  for (int r = 1; r <= rotations; ++r) {
    const auto fresh = std::make_shared<const jwt_signer>(
        r % 2 == 0 ? jwt_signer::kind::p256 : jwt_signer::kind::ed25519, "rotated-" + std::to_string(r));
    published.push_back(fresh->jwk());
    publish(*node_, published);
    {
      const std::scoped_lock hold(guard);
      withdrawn = present;
      present = {fresh, r};
    }
    EXPECT_TRUE(eventually([&] { return std::ranges::all_of(reached, [r](const auto& at) { return at == r; }); }));
    published.erase(published.begin());
    publish(*node_, published);
    EXPECT_EQ(owner.post("/v1/config/reload").status, 200);
    const int asked = good + bad, refused_before = refused_late;
    EXPECT_TRUE(eventually([&] { return good + bad >= asked + requests_each && refused_late > refused_before; }));
  }
  over = true;
  for (auto& one : clients) one.join();
  EXPECT_EQ(bad, 0) << first_refusal;
  EXPECT_EQ(odd, 0) << first_refusal;
  EXPECT_GE(good, rotations * requests_each);
  publish(*node_, {key_->jwk()});
  EXPECT_EQ(owner.post("/v1/config/reload").status, 200);
}

TEST_F(jwt, ends_with_its_key_when_that_is_withdrawn) {
  const jwt_signer other(jwt_signer::kind::ed25519, "other");
  const auto of_first = token({.roles = {"all"}});
  api_client client(node_->port(), of_first);
  ASSERT_EQ(client.get("/v1/ids").status, 200);
  api_client owner(*node_);
  publish(*node_, {other.jwk()});
  ASSERT_EQ(owner.post("/v1/config/reload").status, 200);
  EXPECT_EQ(client.get("/v1/ids").status, 401);
  EXPECT_EQ(api_client(node_->port(), other.token(claims_text({.roles = {"all"}}))).get("/v1/ids").status, 200);
  publish(*node_, {key_->jwk()});
  ASSERT_EQ(owner.post("/v1/config/reload").status, 200);
  EXPECT_EQ(client.get("/v1/ids").status, 200);
}

TEST_F(jwt, goes_on_with_the_keys_of_before_when_the_set_is_broken) {
  api_client client(node_->port(), token({.roles = {"all"}}));
  std::ofstream(node_->scratch() / "keys.json") << "{";
  const auto answer = client.post("/v1/config/reload");
  EXPECT_EQ(answer.status, 422) << answer.shown();
  EXPECT_EQ(client.get("/v1/ids").status, 200);
  EXPECT_TRUE(node_->logged("auth.jwks_failed"));
  publish(*node_, {key_->jwk()});
  EXPECT_EQ(client.post("/v1/config/reload").status, 200);
}

TEST(jwt_alone, needs_no_tokens_file_and_accepts_none_of_its_tokens) {
  const jwt_signer key(jwt_signer::kind::ed25519, "k");
  const auto node = make_jwt_node("jwt");
  const auto ours = node->token();
  std::filesystem::remove(node->tokens_file());
  publish(*node, {key.jwk()});
  node->start();
  EXPECT_EQ(api_client(node->port(), ours).get("/v1/ids").status, 401);
  EXPECT_EQ(api_client(node->port(), "").get("/v1/ids").status, 401);
  EXPECT_EQ(api_client(node->port(), key.token(claims_text({.roles = {"all"}}))).get("/v1/ids").status, 200);
}

TEST(jwt_alone, does_not_start_without_its_key_file) {
  const auto node = make_jwt_node("jwt");
  EXPECT_FALSE(node->launch());
  EXPECT_THAT(node->log(), testing::HasSubstr("keys.json"));
}

TEST(jwt_alone, starts_without_its_issuer_and_is_not_ready) {
  const jwt_signer key(jwt_signer::kind::ed25519, "k");
  auto node = make_jwt_node("jwt");
  auto& sets = node->options().sets;
  std::erase_if(sets, [](const std::string& set) { return set.starts_with("auth.jwt.jwks_file"); });
  sets.emplace_back("auth.jwt.jwks_url=http://127.0.0.1:1/keys"); // nobody listens there
  ASSERT_TRUE(node->launch()) << node->log_tail();
  api_client client(node->port(), key.token(claims_text({.roles = {"all"}})));
  const auto ready = client.get("/readyz");
  EXPECT_EQ(ready.status, 503) << ready.shown();
  EXPECT_THAT(ready.body, testing::HasSubstr("auth_keys"));
  const auto answer = client.get("/v1/ids");
  EXPECT_EQ(answer.status, 503) << answer.shown();
  EXPECT_EQ(answer.code(), "unavailable");
  EXPECT_EQ(client.get("/metrics").status, 503);
  EXPECT_EQ(node->stop(), 0);
}

} // namespace matricula::test
