// What a token's scope opens besides what access_matrix_test.cpp tries on every operation.
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <set>

namespace matricula::test {

namespace {
class scopes : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>(small_world());
    node_->start();
  }
  static void TearDownTestSuite() { node_.reset(); }
  static inline std::unique_ptr<node_process> node_;
};
} // namespace

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
