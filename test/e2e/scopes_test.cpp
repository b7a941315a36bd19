// Every operation of openapi.yaml, without credentials, with wrong ones, without its scope, and with it.
#include "foundation/digest.hpp"
#include "test/e2e/harmless_request.hpp"
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <set>

namespace matricula::test {

namespace {
class scopes : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>(small_world());
    const auto all = every_scope();
    int number = 0;
    for (const auto& scope : all) {
      std::string others;
      for (const auto& other : all)
        if (other != scope) others += (others.empty() ? "" : ",") + other;
      tokens_[scope] = node_->make_token("only-" + std::to_string(number), scope);
      tokens_without_[scope] = node_->make_token("without-" + std::to_string(number), others);
      features_[scope] =
          node_->make_token("feature-" + std::to_string(number), scope.substr(0, scope.find(':')) + ":*");
      ++number;
    }
    std::ofstream(node_->tokens_file(), std::ios::app)
        << "late default * " << to_hex(sha256(expired)) << " 2020-01-01T00:00:00.000Z 2020-01-02T00:00:00.000Z\n";
    node_->start();
  }
  static void TearDownTestSuite() { node_.reset(); }

  /// The answer, checked, of every operation that needs a scope.
  template <class Token, class Check>
  static void ask_everything(Token&& token, Check&& check) {
    std::size_t asked = 0;
    for (const auto& op : contract()->operations()) {
      if (op.scope == "none") continue;
      SCOPED_TRACE(op.method + " " + op.path);
      api_client client(node_->port(), token(op.scope));
      check(client.send(harmless(op)));
      ++asked;
    }
    EXPECT_GT(asked, 15U);
  }

  static constexpr const char* expired = "mtr_00000000000000000000000000000000000000000000000000000000000000ff";
  static inline std::unique_ptr<node_process> node_;
  static inline std::map<std::string, std::string> tokens_, tokens_without_, features_;
};
} // namespace

TEST_F(scopes, are_refused_without_a_token) {
  ask_everything([](const auto&) { return ""; },
                 [](const api_answer& answer) {
                   EXPECT_EQ(answer.status, 401) << answer.shown();
                   EXPECT_THAT(answer.code(), testing::AnyOf("unauthenticated", "KER-ATH-401"));
                   EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer realm=\"matricula\"");
                 });
}

TEST_F(scopes, are_refused_with_a_wrong_token) {
  for (const std::string wrong : {"x", "mtr_1111111111111111111111111111111111111111111111111111111111111111"})
    ask_everything([&](const auto&) -> const std::string& { return wrong; },
                   [](const api_answer& answer) { EXPECT_EQ(answer.status, 401) << answer.shown(); });
}

TEST_F(scopes, are_refused_with_an_expired_token) {
  ask_everything([](const auto&) { return expired; },
                 [](const api_answer& answer) { EXPECT_EQ(answer.status, 401) << answer.shown(); });
}

TEST_F(scopes, of_every_other_operation_together_do_not_open_one) {
  ask_everything([](const std::string& scope) { return tokens_without_.at(scope); },
                 [](const api_answer& answer) {
                   EXPECT_EQ(answer.status, 403) << answer.shown();
                   EXPECT_THAT(answer.code(), testing::AnyOf("forbidden", "KER-ATH-403"));
                 });
}

TEST_F(scopes, open_their_operation_and_so_does_their_whole_feature) {
  for (const auto* tokens : {&tokens_, &features_})
    ask_everything([&](const std::string& scope) { return tokens->at(scope); },
                   [](const api_answer& answer) {
                     EXPECT_NE(answer.status, 401) << answer.shown();
                     EXPECT_NE(answer.status, 403) << answer.shown();
                   });
}

TEST_F(scopes, are_not_asked_of_open_operations) {
  std::set<std::string> open;
  for (const auto& op : contract()->operations()) {
    if (op.scope != "none") continue;
    open.insert(op.path);
    EXPECT_EQ(api_client(node_->port(), "").get(op.path).status, 200) << op.path;
    EXPECT_EQ(api_client(node_->port(), "wrong").get(op.path).status, 200) << op.path;
  }
  EXPECT_EQ(open, (std::set<std::string>{"/healthz", "/openapi.json", "/openapi.yaml", "/readyz",
                                         "/v1/idgenerator/actuator/health", "/v1/idgenerator/health"}));
}

TEST_F(scopes, end_with_their_token_when_it_is_revoked) {
  api_client owner(*node_);
  const auto token = node_->make_token("soon-gone", "*");
  ASSERT_EQ(owner.post("/v1/config/reload").status, 200);
  api_client client(node_->port(), token);
  ASSERT_EQ(client.get("/v1/ids").status, 200);
  const auto revoked = run_command({matricula_binary(), "token", "revoke", "--name", "soon-gone", "--set",
                                    "auth.tokens_file=" + node_->tokens_file().string()});
  ASSERT_EQ(revoked.status, 0) << revoked.errors;
  ASSERT_EQ(owner.post("/v1/config/reload").status, 200);
  EXPECT_EQ(client.get("/v1/ids").status, 401);
}

TEST_F(scopes, cannot_be_widened_by_odd_credentials) {
  const auto good = node_->token();
  for (const std::string& credentials :
       std::vector<std::string>{"Basic " + good, good, "Bearer", "Bearer  ", "Bearer " + good + "x",
                                "Bearer " + good.substr(1), "Bearer " + good + " " + good, std::string(5000, 'B')}) {
    http_client raw(node_->port());
    const auto answer = raw.send({.target = "/v1/ids", .headers = {{"Authorization", credentials}}});
    expect_problem(answer, 401, credentials);
  }
  http_client twice(node_->port(), good);
  expect_problem(twice.send({.target = "/v1/ids", .headers = {{"Authorization", "Bearer wrong"}}}), 400,
                 "two credentials");
}

} // namespace matricula::test
