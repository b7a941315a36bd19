// Every operation of openapi.yaml with every kind of credentials - tokens, JSON Web Tokens, MOSIP's cookie with either
// - of every quality: none, wrong, expired, of all other scopes, of its scope, of its feature.
#include "foundation/digest.hpp"
#include "test/e2e/jwt_world.hpp"

#include <gmock/gmock.h>

#include <map>

namespace matricula::test {

namespace {

enum class quality { wrong, expired, of_other_scopes, of_its_scope, of_its_feature };
constexpr std::pair<quality, const char*> qualities[] = {{quality::wrong, "wrong"},
                                                         {quality::expired, "expired"},
                                                         {quality::of_other_scopes, "of all other scopes"},
                                                         {quality::of_its_scope, "of its scope"},
                                                         {quality::of_its_feature, "of its feature"}};

class access_matrix : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    key_ = std::make_unique<jwt_signer>(jwt_signer::kind::ed25519, "first");
    node_ = make_jwt_node("tokens_and_jwt");
    publish(*node_, {key_->jwk()});
    const auto all = every_scope();
    int number = 0;
    for (const auto& scope : all) {
      std::string others;
      for (const auto& other : all)
        if (other != scope) others += (others.empty() ? "" : ",") + other;
      const auto n = std::to_string(number++);
      tokens_[{quality::of_its_scope, scope}] = node_->make_token("only-" + n, scope);
      tokens_[{quality::of_other_scopes, scope}] = node_->make_token("without-" + n, others);
      tokens_[{quality::of_its_feature, scope}] =
          node_->make_token("feature-" + n, scope.substr(0, scope.find(':')) + ":*");
    }
    std::ofstream(node_->tokens_file(), std::ios::app)
        << "late default * " << to_hex(sha256(expired_token)) << " 2020-01-01T00:00:00.000Z 2020-01-02T00:00:00.000Z\n";
    node_->start();
  }
  static void TearDownTestSuite() {
    const auto log = node_->log();
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("eyJ"))) << "the beginning of a JSON object in base64url";
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("mtr_")));
    node_.reset();
    key_.reset();
  }
  void TearDown() override {
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_->log_tail().c_str());
  }

  static std::string token(quality of, const std::string& scope) {
    if (of == quality::wrong) return "mtr_1111111111111111111111111111111111111111111111111111111111111111";
    if (of == quality::expired) return expired_token;
    return tokens_.at({of, scope});
  }
  static std::string jwt(quality of, const std::string& scope) {
    static const jwt_signer stranger(jwt_signer::kind::ed25519, "first");
    switch (of) {
    case quality::wrong:
      return stranger.token(claims_text({.roles = {"all"}}));
    case quality::expired:
      return key_->token(claims_text({.roles = {"all"}, .valid_for = -61}));
    case quality::of_other_scopes:
      return key_->token(claims_text({.roles = {"without-" + scope}}));
    case quality::of_its_scope:
      return key_->token(claims_text({.roles = {"only-" + scope}}));
    case quality::of_its_feature:
      return key_->token(claims_text({.roles = {"feature-" + scope.substr(0, scope.find(':'))}}));
    }
    return {};
  }

  static void expect(quality of, const api_answer& answer) {
    switch (of) {
    case quality::wrong:
    case quality::expired:
      EXPECT_EQ(answer.status, 401) << answer.shown();
      EXPECT_THAT(answer.code(), testing::AnyOf("unauthenticated", "KER-ATH-401"));
      EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer realm=\"matricula\", error=\"invalid_token\"");
      return;
    case quality::of_other_scopes:
      EXPECT_EQ(answer.status, 403) << answer.shown();
      EXPECT_THAT(answer.code(), testing::AnyOf("forbidden", "KER-ATH-403"));
      return;
    case quality::of_its_scope:
    case quality::of_its_feature:
      EXPECT_NE(answer.status, 401) << answer.shown();
      EXPECT_NE(answer.status, 403) << answer.shown();
      EXPECT_LT(answer.status, 500) << answer.shown();
      EXPECT_THAT(answer.body, testing::Not(testing::HasSubstr("No such route"))) << "nothing was asked";
    }
  }
  static void expect_nobody(const api_answer& answer) {
    EXPECT_EQ(answer.status, 401) << answer.shown();
    EXPECT_THAT(answer.code(), testing::AnyOf("unauthenticated", "KER-ATH-401"));
    EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer realm=\"matricula\"");
  }
  static bool takes_cookies(const openapi_contract::operation& op) {
    for (const auto& one : op.document.value("security", nlohmann::json::array()))
      if (one.contains("mosipCookie")) return true;
    return false;
  }

  static constexpr const char* expired_token = "mtr_00000000000000000000000000000000000000000000000000000000000000ff";
  static inline std::unique_ptr<jwt_signer> key_;
  static inline std::unique_ptr<node_process> node_;
  static inline std::map<std::pair<quality, std::string>, std::string> tokens_;
};

} // namespace

TEST_F(access_matrix, nobody_gets_in_without_credentials) {
  ask_everything(*node_, [](const auto&) { return http_headers{}; }, expect_nobody);
}

TEST_F(access_matrix, tokens_open_what_their_scope_says) {
  for (const auto& one : qualities) {
    const auto of = one.first;
    SCOPED_TRACE(one.second);
    ask_everything(
        *node_, [&](const std::string& scope) { return bearer(token(of, scope))(scope); },
        [&](const api_answer& answer) { expect(of, answer); });
  }
}

TEST_F(access_matrix, jwts_open_what_their_roles_say) {
  for (const auto& one : qualities) {
    const auto of = one.first;
    SCOPED_TRACE(one.second);
    ask_everything(
        *node_, [&](const std::string& scope) { return bearer(jwt(of, scope))(scope); },
        [&](const api_answer& answer) { expect(of, answer); });
  }
}

TEST_F(access_matrix, cookies_open_mosips_routes_alone) {
  for (const bool with_jwt : {true, false})
    for (const auto& [of, name] : qualities) {
      SCOPED_TRACE(std::string(name) + (with_jwt ? " JWT" : " token"));
      std::size_t with_cookies = 0;
      ask_everything(
          *node_,
          [&](const std::string& scope) {
            return http_headers{{"Cookie", "Authorization=" + (with_jwt ? jwt(of, scope) : token(of, scope))}};
          },
          [&](const openapi_contract::operation& op, const api_answer& answer) {
            if (!takes_cookies(op)) return expect_nobody(answer);
            ++with_cookies;
            expect(of, answer);
          });
      EXPECT_GE(with_cookies, 5U);
    }
}

} // namespace matricula::test
