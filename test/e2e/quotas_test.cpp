// Callers that ask too often, on the native routes and on those of MOSIP and OpenG2P.
#include "test/e2e/harmless_request.hpp"
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

namespace matricula::test {

namespace {

class quotas : public testing::Test {
protected:
  static node_options options() {
    auto o = small_world();
    o.sets.emplace_back("quotas.misses_per_min=20");
    o.sets.emplace_back("quotas.issued_per_min=500");
    o.sets.emplace_back("auth.open_routes=GET /v1/ids/{type}/{id}/validate");
    return o;
  }
  void SetUp() override { node_.start(); }
  void TearDown() override {
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }
  /// How many of `n` answers had this status.
  template <class Ask>
  static int count(int n, int status, Ask&& ask) {
    int found = 0;
    for (int i = 0; i < n; ++i) found += ask().status == status ? 1 : 0;
    return found;
  }
  std::string token(const std::string& name, const std::string& quota = "") {
    std::vector<std::string> words{matricula_binary(),
                                   "token",
                                   "create",
                                   "--name",
                                   name,
                                   "--scopes",
                                   "*",
                                   "--set",
                                   "auth.tokens_file=" + node_.tokens_file().string()};
    if (!quota.empty()) words.insert(words.end(), {"--quota", quota});
    const auto made = run_command(words);
    EXPECT_EQ(made.status, 0) << made.errors;
    EXPECT_EQ(api_client(node_).post("/v1/config/reload").status, 200);
    return made.output.substr(0, made.output.find('\n'));
  }
  static constexpr const char* unknown = "/v1/ids/uin/0000000000";

  node_process node_{options()};
};

} // namespace

TEST_F(quotas, end_guessing_on_every_route_that_can_be_guessed_at) {
  api_client client(node_);
  const auto known = client.issue("uin").front();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.get("/v1/ids/uin/" + known).status, 200) << "hits are free";
  EXPECT_EQ(count(5, 404, [&] { return client.get(unknown); }), 5);
  EXPECT_EQ(count(5, 404, [&] { return client.post(std::string(unknown) + "/confirm"); }), 5);
  const auto put = [&] {
    return client.send({.method = "PUT",
                        .target = "/v1/idgenerator/uin",
                        .body = R"({"request":{"uin":"0000000000","status":"ASSIGNED"}})"});
  };
  EXPECT_EQ(count(5, 200, put), 5);
  EXPECT_EQ(count(5, 200, [&] { return client.get("/v1/idgenerator/farmer/id/validate/000000000000"); }), 5);

  const auto refused = client.get("/v1/ids/uin/" + known);
  EXPECT_EQ(refused.status, 429) << refused.shown();
  EXPECT_EQ(refused.code(), "quota_exceeded");
  EXPECT_FALSE(refused.header("Retry-After").empty());
  const auto mosip = put();
  EXPECT_EQ(mosip.status, 429) << mosip.shown();
  EXPECT_EQ(mosip.code(), "KER-UIG-005");
  const auto openg2p = client.get("/v1/idgenerator/farmer/id/validate/000000000000");
  EXPECT_EQ(openg2p.status, 429) << openg2p.shown();
  EXPECT_EQ(openg2p.code(), "quota_exceeded");
  EXPECT_EQ(client.post("/v1/ids/uin").status, 201) << "issuing is another quota";
  api_client other(node_.port(), token("other"));
  EXPECT_EQ(other.get(unknown).status, 404) << "and everybody has their own";

  EXPECT_THAT(client.get("/metrics").body, testing::HasSubstr("matricula_quota_refused_total{quota=\"misses\"} 3"));
  const auto log = node_.log();
  EXPECT_THAT(log, testing::HasSubstr("default/tester"));
  const auto first = log.find("quota.exceeded");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("quota.exceeded", first + 1), std::string::npos) << "one line a minute";
}

namespace {
bool ends_with_issue(const openapi_contract::operation& op) { return op.scope.ends_with(":issue"); }

/// Whether its answer tells whether something exists that could be guessed: an identifier, a VID, a holder. By what it
/// names in its path, in its query or, as MOSIP's routes do, in its body; a creation takes any holder.
bool can_be_guessed_at(const openapi_contract::operation& op) {
  if (op.path == "/v1/audit/identifiers") return true;
  if (op.method == "PUT" && op.path.starts_with("/v1/idgenerator/")) return true;
  // These are numbers in their order: whoever sees one knows the others.
  for (const auto* of : {"/v1/dead-letters/", "/v1/tasks/", "/v1/alerts/"})
    if (op.path.starts_with(of)) return false;
  const bool names_something = op.path.contains("{id}") || op.path.contains("{vid}") || op.path.contains("{holder}");
  return names_something && !(op.path.contains("{holder}") && ends_with_issue(op));
}

http_request guess(const openapi_contract::operation& op) {
  auto what = harmless(op);
  if (op.path == "/v1/audit/identifiers") what.target += "?type=uin&id=0000000000";
  if (op.path == "/v1/idgenerator/uin") what.body = R"({"request":{"uin":"0000000000","status":"ASSIGNED"}})";
  if (op.path == "/v1/idgenerator/vid") what.body = R"({"request":{"vid":"0000000000000000","status":"REVOKED"}})";
  return what;
}
} // namespace

TEST_F(quotas, end_guessing_on_each_route_of_the_description) {
  int asked = 0;
  for (const auto& op : contract()->operations()) {
    if (!can_be_guessed_at(op)) continue;
    SCOPED_TRACE(op.method + " " + op.path);
    api_client guesser(node_.port(), token("guesser-" + std::to_string(++asked)));
    EXPECT_EQ(count(20, 429, [&] { return guesser.send(guess(op)); }), 0);
    EXPECT_EQ(guesser.send(guess(op)).status, 429);
  }
  EXPECT_GE(asked, 15);
}

TEST_F(quotas, bound_what_is_issued_by_each_route_of_the_description) {
  api_client client(node_);
  ASSERT_EQ(client.post("/v1/ids/uin", {{"count", 500}}).status, 201);
  int asked = 0;
  for (const auto& op : contract()->operations()) {
    if (!ends_with_issue(op)) continue;
    SCOPED_TRACE(op.method + " " + op.path);
    EXPECT_EQ(client.send(harmless(op)).status, 429);
    ++asked;
  }
  EXPECT_GE(asked, 6);
}

TEST_F(quotas, count_vids_that_are_made_and_those_that_replace_others) {
  api_client client(node_.port(), token("maker", "issued_per_min=3"));
  const auto make = [&](const std::string& holder, const http_headers& key = {}) {
    return client.post("/v1/holders/" + holder + "/vids", {{"policy", "temporary"}}, key);
  };
  const http_headers key{{"Idempotency-Key", "once"}};
  const auto first = make("a", key);
  ASSERT_EQ(first.status, 201) << first.shown();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(make("a", key).status, 201) << "a repetition";
  EXPECT_EQ(make("b").status, 201);
  const auto renew = "/v1/vids/" + first().at("vid").get<std::string>() + "/regenerate";
  ASSERT_EQ(client.post(renew).status, 201);
  EXPECT_EQ(make("c").status, 429);
  EXPECT_EQ(client.post(renew).status, 429);
  EXPECT_EQ(client.get("/v1/holders/a/vids").status, 200) << "nobody is kept from looking, or from ending one";
  EXPECT_EQ(client.post("/v1/vids/" + first().at("vid").get<std::string>() + "/revoke").status, 200);
}

TEST_F(quotas, of_requests_hold_on_each_route_but_those_for_operators) {
  api_client hasty(node_.port(), token("hasty", "requests_per_s=1,requests_burst=1"));
  int asked = 0;
  for (const auto& op : contract()->operations()) {
    const bool open = op.scope == "none" || op.path == "/v1/ids/{type}/{id}/validate"; // by this node's settings
    if (open || op.path.ends_with("/metrics")) continue;
    SCOPED_TRACE(op.method + " " + op.path);
    // The contract is checked with every answer: this one must be promised too.
    int status = 0;
    for (int tries = 0; tries < 10 && status != 429; ++tries) status = hasty.send(harmless(op)).status;
    EXPECT_EQ(status, 429);
    ++asked;
  }
  EXPECT_GE(asked, 40);
}

TEST_F(quotas, bound_what_is_issued_to_one_caller) {
  api_client client(node_);
  const http_headers key{{"Idempotency-Key", "once"}};
  const auto first = client.post("/v1/ids/uin", {{"count", 400}}, key);
  ASSERT_EQ(first.status, 201) << first.shown();
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(client.post("/v1/ids/uin", {{"count", 400}}, key).status, 201) << "a repetition";
  EXPECT_EQ(client.post("/v1/ids/vid", {{"count", 200}}).status, 201) << "the last one may go over";
  EXPECT_EQ(client.post("/v1/ids/uin").status, 429);
  EXPECT_EQ(client.get("/v1/idgenerator/uin").status, 429);
  EXPECT_EQ(client.post("/v1/idgenerator/farmer/id").status, 429);
  EXPECT_EQ(client.get("/v1/ids").status, 200);
}

TEST_F(quotas, of_a_token_go_before_everybodys) {
  api_client generous(node_.port(), token("generous", "misses_per_min=0,issued_per_min=0"));
  EXPECT_EQ(count(60, 404, [&] { return generous.get(unknown); }), 60);
  api_client strict(node_.port(), token("strict", "requests_per_s=1,requests_burst=3"));
  EXPECT_GE(count(20, 429, [&] { return strict.get("/v1/ids"); }), 10);
  const auto bad = run_command({matricula_binary(), "token", "create", "--name", "x", "--scopes", "*", "--quota",
                                "many", "--set", "auth.tokens_file=" + node_.tokens_file().string()});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.errors, testing::HasSubstr("issued_per_min=100"));
}

TEST_F(quotas, go_by_address_where_nobody_is_asked_who_they_are) {
  api_client nobody(node_.port(), "");
  const auto guess = [&] { return nobody.get("/v1/ids/uin/0000000000/validate"); };
  EXPECT_EQ(count(20, 200, guess), 20);
  EXPECT_EQ(guess().status, 429);
  EXPECT_EQ(api_client(node_.port(), "").get("/v1/ids/uin/0000000000/validate").status, 429) << "on any connection";
  EXPECT_THAT(node_.log(), testing::HasSubstr("address 127.0.0.1"));
  EXPECT_EQ(api_client(node_).get(unknown).status, 404) << "principals are not concerned";
}

TEST_F(quotas, change_with_a_reload) {
  api_client client(node_);
  EXPECT_EQ(count(30, 429, [&] { return client.get(unknown); }), 10);
  std::erase_if(node_.options().sets, [](const std::string& set) { return set.starts_with("quotas.misses"); });
  const auto text = *small_world().config + "\n[quotas]\nmisses_per_min = 0\n";
  // The command line wins over the file, so that the node is started again without it.
  ASSERT_EQ(node_.stop(), 0);
  node_.write_config(text);
  node_.start();
  api_client again(node_);
  EXPECT_EQ(count(30, 404, [&] { return again.get(unknown); }), 30);
  node_.write_config(*small_world().config + "\n[quotas]\nmisses_per_min = 5\n");
  ASSERT_EQ(again.post("/v1/config/reload").status, 200);
  EXPECT_EQ(count(10, 404, [&] { return again.get(unknown); }), 5);
}

} // namespace matricula::test
