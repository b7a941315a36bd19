// Issuing identifiers, looking them up and judging them, over HTTP against a real node.
#include "test/e2e/node_fixture.hpp"

#include <set>

namespace matricula::test {

using nlohmann::json;

namespace {
struct shipped_type {
  const char* name;
  std::size_t length;
  const char* state_when_issued;
};
constexpr shipped_type shipped[] = {
    {"uin", 10, "ISSUED"},       {"vid", 16, "ASSIGNED"},     {"prid", 14, "TAKEN"},
    {"social_id", 12, "ISSUED"}, {"family_id", 12, "ISSUED"}, {"farmer", 12, "TAKEN"},
    {"household", 10, "TAKEN"},  {"tracking_id", 7, "TAKEN"}, {"registration_number", 12, "TAKEN"},
};

/// A valid identifier that the node has not issued: made under a key of its own.
std::string somebody_elses(const std::string& type) {
  const auto made = run_command({matricula_binary(), "ids", "generate", type});
  EXPECT_EQ(made.status, 0) << made.errors;
  return made.output.substr(0, made.output.find('\n'));
}

using identifiers = node_test;
} // namespace

TEST_F(identifiers, of_every_shipped_type_are_issued_looked_up_and_valid) {
  for (const auto& type : shipped) {
    SCOPED_TRACE(type.name);
    const auto route = std::string("/v1/ids/") + type.name;
    const auto issued = client_.post(route);
    ASSERT_EQ(issued.status, 201) << issued.shown();
    ASSERT_EQ(issued().at("ids").size(), 1U);
    EXPECT_EQ(issued().at("assignments"), json::array({1}));
    const auto id = issued().at("ids").at(0).get<std::string>();
    EXPECT_EQ(id.size(), type.length);

    const auto found = client_.get(route + "/" + id);
    ASSERT_EQ(found.status, 200) << found.shown();
    EXPECT_EQ(found().at("state"), type.state_when_issued);
    EXPECT_EQ(found().at("issued_at"), issued().at("issued_at"));
    ASSERT_EQ(found().at("history").size(), 1U);
    EXPECT_EQ(found().at("history").at(0).at("from"), "AVAILABLE");
    EXPECT_EQ(found().at("history").at(0).at("by"), "tester");

    const auto verdict = client_.get(route + "/" + id + "/validate");
    EXPECT_EQ(verdict().at("valid"), true) << verdict.shown();
  }
  const auto types = client_.get("/v1/ids");
  EXPECT_EQ(types().at("items").size(), std::size(shipped) + 2);
}

TEST_F(identifiers, that_were_never_issued_are_available) {
  for (const auto& type : shipped) {
    const auto id = somebody_elses(type.name);
    const auto found = client_.get(std::string("/v1/ids/") + type.name + "/" + id);
    ASSERT_EQ(found.status, 200) << found.shown();
    EXPECT_EQ(found().at("state"), "AVAILABLE");
    EXPECT_EQ(found().at("assignment"), 0);
    EXPECT_TRUE(found().at("history").empty());
  }
}

TEST_F(identifiers, that_break_rules_are_told_which) {
  struct broken {
    const char* type;
    const char* id;
    const char* rule;
  };
  constexpr broken table[] = {
      {"uin", "123", "length"},          {"uin", "51647217a3", "alphabet"},  {"uin", "0164721753", "first_digit"},
      {"uin", "5123721753", "sequence"}, {"uin", "5166721753", "repeating"}, {"tracking_id", "23456O7", "alphabet"},
  };
  for (const auto& [type, id, rule] : table) {
    const auto verdict = client_.get(std::string("/v1/ids/") + type + "/" + id + "/validate");
    ASSERT_EQ(verdict.status, 200) << verdict.shown();
    EXPECT_EQ(verdict().at("valid"), false) << id;
    const auto failed = verdict().at("failed_rules").get<std::set<std::string>>();
    EXPECT_TRUE(failed.contains(rule)) << verdict.shown();
    EXPECT_EQ(client_.get(std::string("/v1/ids/") + type + "/" + id).status, 404) << id;
  }
}

TEST_F(identifiers, with_one_digit_changed_fail_the_check_digit) {
  const auto id = client_.issue("farmer").front();
  for (std::size_t at = 1; at < id.size(); ++at) {
    auto changed = id;
    changed[at] = changed[at] == '9' ? '8' : static_cast<char>(changed[at] + 1);
    const auto verdict = client_.get("/v1/ids/farmer/" + changed + "/validate");
    EXPECT_EQ(verdict().at("valid"), false) << id << " " << changed;
    EXPECT_EQ(client_.get("/v1/ids/farmer/" + changed).status, 404) << changed;
  }
}

TEST_F(identifiers, come_in_batches_of_distinct_ones) {
  std::set<std::string> all;
  for (int i = 0; i < 5; ++i)
    for (const auto& id : client_.issue("uin", 1000)) EXPECT_TRUE(all.insert(id).second) << id << " twice";
  EXPECT_EQ(all.size(), 5000U);
}

TEST_F(identifiers, with_a_holder_and_an_end_show_them) {
  const auto issued =
      client_.post("/v1/ids/vid", {{"holder", "person \xC3\xA9 7"}, {"expires_at", "2099-12-31T23:59:59+03:00"}});
  ASSERT_EQ(issued.status, 201) << issued.shown();
  EXPECT_EQ(issued().at("expires_at"), "2099-12-31T20:59:59.000Z");
  const auto found = client_.get("/v1/ids/vid/" + issued().at("ids").at(0).get<std::string>());
  EXPECT_EQ(found().at("holder"), "person \xC3\xA9 7");
  EXPECT_EQ(found().at("expires_at"), "2099-12-31T20:59:59.000Z");
  EXPECT_EQ(client_.post("/v1/ids/vid", {{"expires_in_days", 36525}}).status, 201);
}

TEST_F(identifiers, of_an_unknown_type_are_refused_and_the_known_types_named) {
  for (const auto& answer : {client_.post("/v1/ids/passport"), client_.get("/v1/ids/passport"),
                             client_.get("/v1/ids/passport/5164721753"), client_.get("/v1/ids/UIN")}) {
    EXPECT_EQ(answer.status, 404) << answer.shown();
    EXPECT_NE(answer.body.find("tracking_id"), std::string::npos) << answer.shown();
  }
}

TEST_F(identifiers, are_the_same_for_the_same_idempotency_key) {
  const http_headers key = {{"Idempotency-Key", "order 17"}};
  const json body = {{"count", 3}, {"holder", "h-1"}};
  const auto first = client_.post("/v1/ids/uin", body, key);
  ASSERT_EQ(first.status, 201) << first.shown();
  EXPECT_EQ(first.header("Idempotent-Replayed"), "");
  for (int i = 0; i < 3; ++i) {
    const auto again = client_.post("/v1/ids/uin", body, key);
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
  }
  // The order of members and a default that is said make no other request.
  const auto reordered = client_.send({.method = "POST",
                                       .target = "/v1/ids/uin",
                                       .body = R"({"holder":"h-1","expires_at":null,"count":3})",
                                       .headers = key});
  EXPECT_EQ(reordered.body, first.body);
  EXPECT_NE(client_.post("/v1/ids/uin", body, {{"Idempotency-Key", "order 18"}}).body, first.body);
}

TEST_F(identifiers, are_refused_for_a_key_that_was_used_for_something_else) {
  const http_headers key = {{"Idempotency-Key", "k-other"}};
  ASSERT_EQ(client_.post("/v1/ids/uin", {{"count", 2}}, key).status, 201);
  for (const auto& other : {json{{"count", 3}}, json{{"count", 2}, {"holder", "x"}}, json(nullptr)}) {
    const auto answer = client_.post("/v1/ids/uin", other, key);
    EXPECT_EQ(answer.status, 422) << answer.shown();
    EXPECT_EQ(answer.code(), "idempotency_mismatch");
  }
  // Of another type it is another operation, and a key of its own.
  EXPECT_EQ(client_.post("/v1/ids/farmer", {{"count", 2}}, key).status, 201);
}

TEST_F(identifiers, of_one_callers_key_are_not_told_to_another) {
  api_client other(node().port(), node().make_token("second", "ids:*"));
  ASSERT_EQ(client_.post("/v1/config/reload").status, 200);
  const http_headers key = {{"Idempotency-Key", "shared"}};
  const auto mine = client_.post("/v1/ids/uin", nullptr, key);
  const auto theirs = other.post("/v1/ids/uin", nullptr, key);
  ASSERT_EQ(theirs.status, 201) << theirs.shown();
  EXPECT_NE(mine().at("ids"), theirs().at("ids"));
}

TEST_F(identifiers, are_counted_by_their_type) {
  const auto before = client_.get("/v1/ids/household");
  (void)client_.issue("household", 7);
  const auto after = client_.get("/v1/ids/household");
  EXPECT_EQ(after().at("issued").get<int>() - before().at("issued").get<int>(), 7);
  EXPECT_EQ(after().at("issues_total").get<int>() - before().at("issues_total").get<int>(), 7);
  EXPECT_GT(after().at("available").get<int>(), 0);
}

TEST_F(identifiers, never_run_out_while_the_pool_is_refilled_behind_them) {
  std::set<std::string> all;
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> ids;
    ASSERT_TRUE(eventually([&] {
      const auto answer = client_.post("/v1/ids/prid", {{"count", 1000}});
      if (answer.status == 503) {
        EXPECT_EQ(answer.code(), "refilling");
        return false;
      }
      EXPECT_EQ(answer.status, 201) << answer.shown();
      ids = answer().at("ids").get<std::vector<std::string>>();
      return true;
    }));
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(all.size(), 20'000U);
}

TEST(type_too_large_to_count, is_served_like_any_other) {
  auto options = small_world();
  options.config = "[identifiers.types.long]\nlength = 24\nprofile = \"openg2p\"\nlifecycle = \"pool\"\n";
  node_process node(options);
  node.start();
  api_client client(node);
  const auto type = client.get("/v1/ids/long");
  EXPECT_EQ(type().at("capacity"), 9'223'372'036'854'775'807) << type.shown();
  EXPECT_LT(type().at("used").get<double>(), 1e-9);
  EXPECT_EQ(client.issue("long").front().size(), 24U);
}

} // namespace matricula::test
