// Who got, confirmed, returned which identifier when; what nobody confirmed; and what the logs must not say.
#include "test/e2e/harmless_request.hpp"
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <set>

namespace matricula::test {

using nlohmann::json;

namespace {
using audit_trail = node_test;
using unconfirmed = node_test;

std::string trail_of(const std::string& id) { return "/v1/audit/identifiers?type=uin&id=" + id; }
} // namespace

TEST_F(audit_trail, tells_the_life_of_an_identifier_the_newest_step_first) {
  const auto issued = client_.post("/v1/ids/uin", {{"holder", "person 7"}}, {{"X-Request-Id", "of-the-issue"}});
  const auto id = issued().at("ids").at(0).get<std::string>();
  ASSERT_EQ(client_.post("/v1/ids/uin/" + id + "/confirm").status, 200);
  const auto trail = client_.get(trail_of(id));
  ASSERT_EQ(trail.status, 200) << trail.shown();
  const auto& items = trail().at("items");
  ASSERT_EQ(items.size(), 2U) << trail.shown();
  EXPECT_EQ(items[0].at("to"), "ASSIGNED");
  EXPECT_EQ(items[1].at("from"), "AVAILABLE");
  EXPECT_EQ(items[1].at("to"), "ISSUED");
  EXPECT_EQ(items[1].at("holder"), "person 7");
  EXPECT_EQ(items[1].at("request_id"), "of-the-issue");
  EXPECT_EQ(items[1].at("tenant"), "default");
  EXPECT_EQ(items[1].at("at"), issued().at("issued_at"));
}

TEST_F(audit_trail, has_the_tenant_of_an_import_and_of_a_vid_by_policy) {
  const auto tenants = [&](const std::string& type, const std::string& id) {
    std::set<std::string> all;
    const auto trail = client_.get("/v1/audit/identifiers?type=" + type + "&id=" + id);
    EXPECT_EQ(trail.status, 200) << trail.shown();
    for (const auto& item : trail().at("items")) all.insert(item.value("tenant", "none"));
    return all;
  };
  const auto loaded = client_.send({.method = "POST",
                                    .target = "/v1/ids/household/import?accept_foreign=true",
                                    .body = "OLD-OF-A-TENANT\n",
                                    .content_type = "text/plain"});
  ASSERT_EQ(loaded().at("accepted"), 1) << loaded.shown();
  EXPECT_EQ(tenants("household", "OLD-OF-A-TENANT"), std::set<std::string>{"default"});
  const auto made = client_.post("/v1/holders/holder-of-a-tenant/vids", {{"policy", "temporary"}});
  ASSERT_EQ(made.status, 201) << made.shown();
  const auto vid = made().at("vid").get<std::string>();
  ASSERT_EQ(client_.post("/v1/vids/" + vid + "/revoke").status, 200);
  EXPECT_EQ(tenants("vid", vid), std::set<std::string>{"default"});
}

TEST_F(audit_trail, is_paged_and_filtered_by_principal_and_time) {
  const auto before = client_.post("/v1/ids/social_id")().at("issued_at").get<std::string>();
  static_cast<void>(client_.issue("social_id", 7));
  std::set<std::string> seen;
  std::string next = "/v1/audit/identifiers?type=social_id&limit=3";
  for (int pages = 0; pages < 5; ++pages) {
    const auto page = client_.get(next);
    ASSERT_EQ(page.status, 200) << page.shown();
    for (const auto& item : page().at("items")) EXPECT_TRUE(seen.insert(item.at("id")).second);
    if (!page().contains("next_cursor")) break;
    next = "/v1/audit/identifiers?type=social_id&limit=3&cursor=" + page().at("next_cursor").get<std::string>();
  }
  EXPECT_EQ(seen.size(), 8U);
  const std::string all = "/v1/audit/identifiers?type=social_id";
  EXPECT_EQ(client_.get(all + "&principal=nobody")().at("items").size(), 0U);
  EXPECT_EQ(client_.get(all + "&to=" + before)().at("items").size(), 0U);
  EXPECT_EQ(client_.get(all + "&from=" + before)().at("items").size(), 8U);
}

TEST_F(audit_trail, refuses_a_question_that_it_cannot_understand) {
  for (const std::string wrong : {"", "?type=nothing", "?type=uin&id=12", "?type=uin&cursor=x",
                                  "?type=uin&from=yesterday", "?type=uin&limit=0"}) {
    const auto answer = client_.get("/v1/audit/identifiers" + wrong);
    EXPECT_EQ(answer.status, 400) << wrong << ": " << answer.shown();
  }
}

TEST_F(audit_trail, has_an_end_that_can_be_kept_elsewhere) {
  const auto end_of = [&](const std::string& name) {
    const auto heads = client_.get("/v1/audit/heads");
    EXPECT_EQ(heads.status, 200) << heads.shown();
    for (const auto& head : heads().at("items"))
      if (head.at("chain") == name) return head;
    return json{};
  };
  const auto before = end_of("ids/uin");
  static_cast<void>(client_.issue("uin"));
  const auto after = end_of("ids/uin");
  EXPECT_EQ(after.at("seq").get<int>(), before.at("seq").get<int>() + 1);
  EXPECT_NE(after.at("hash"), before.at("hash"));
  const auto acts = end_of("audit");
  ASSERT_EQ(client_.post("/v1/ids/vid/expire-due").status, 200);
  EXPECT_EQ(end_of("audit").at("seq").get<int>(), acts.at("seq").get<int>() + 1);
}

TEST_F(unconfirmed, are_listed_until_they_are_confirmed_and_can_be_taken_back) {
  const auto issued = client_.post("/v1/ids/family_id", {{"count", 3}}, {{"Idempotency-Key", "of-the-family"}});
  ASSERT_EQ(issued.status, 201) << issued.shown();
  std::vector<std::string> ids = issued().at("ids");
  ASSERT_EQ(client_.post("/v1/ids/family_id/" + ids[0] + "/confirm").status, 200);
  const auto list = client_.get("/v1/ids/family_id/unconfirmed");
  ASSERT_EQ(list.status, 200) << list.shown();
  ASSERT_EQ(list().at("items").size(), 2U) << list.shown();
  EXPECT_EQ(list().at("items")[0].at("issued_at"), issued().at("issued_at"));
  EXPECT_EQ(client_.get("/v1/ids/family_id/unconfirmed?older_than_minutes=5")().at("items").size(), 0U);
  const auto first = client_.get("/v1/ids/family_id/unconfirmed?limit=1");
  ASSERT_TRUE(first().contains("next_cursor"));
  const auto second =
      client_.get("/v1/ids/family_id/unconfirmed?limit=1&cursor=" + first().at("next_cursor").get<std::string>());
  EXPECT_FALSE(second().contains("next_cursor")) << second.shown();
  EXPECT_NE(second().at("items")[0].at("id"), first().at("items")[0].at("id"));

  const auto too_young = client_.post("/v1/ids/family_id/reclaim", {{"older_than_minutes", 5}});
  ASSERT_EQ(too_young.status, 200) << too_young.shown();
  EXPECT_EQ(too_young().at("reclaimed").size(), 0U);
  const auto back = client_.post("/v1/ids/family_id/reclaim", {{"ids", ids}});
  ASSERT_EQ(back.status, 200) << back.shown();
  EXPECT_EQ(back().at("reclaimed").size(), 2U) << "the confirmed one stays";
  EXPECT_EQ(client_.get("/v1/ids/family_id/unconfirmed")().at("items").size(), 0U);
  EXPECT_EQ(client_.get("/v1/ids/family_id/" + ids[1])().at("state"), "AVAILABLE");
  EXPECT_EQ(client_.post("/v1/ids/family_id/" + ids[1] + "/confirm", {{"assignment", 1}}).status, 409);
  const auto replayed = client_.post("/v1/ids/family_id", {{"count", 3}}, {{"Idempotency-Key", "of-the-family"}});
  EXPECT_EQ(replayed.status, 410) << replayed.shown();
  EXPECT_EQ(replayed.code(), "assignment_ended");
}

TEST_F(unconfirmed, exist_only_where_there_is_a_confirmation) {
  EXPECT_EQ(client_.get("/v1/ids/vid/unconfirmed").status, 409);
  EXPECT_EQ(client_.post("/v1/ids/farmer/reclaim", {{"older_than_minutes", 5}}).status, 409);
  EXPECT_EQ(client_.get("/v1/ids/nothing/unconfirmed").status, 404);
}

TEST_F(unconfirmed, are_not_taken_back_without_saying_which) {
  for (const json& wrong :
       {json::object(), json{{"older_than_minutes", 0}}, json{{"ids", json::array()}}, json{{"ids", "1234"}},
        json{{"ids", {1}}}, json{{"limit", 3}}, json{{"ids", {"1"}}, {"limit", 3}}}) {
    const auto answer = client_.post("/v1/ids/uin/reclaim", wrong);
    EXPECT_EQ(answer.status, 422) << wrong.dump() << ": " << answer.shown();
  }
  EXPECT_EQ(client_.post("/v1/ids/uin/reclaim", {{"ids", {"12"}}}).status, 404);
}

namespace {
/// A request for `op` that names a real identifier and really does something, as far as that leaves a node.
http_request with_real(const openapi_contract::operation& op, const std::string& id) {
  auto what = harmless(op);
  if (const auto at = what.target.find("0000000000"); at != std::string::npos) what.target.replace(at, 10, id);
  if (op.path == "/v1/ids/{type}/reclaim") what.body = R"({"ids":[")" + id + R"("]})";
  if (op.path == "/v1/audit/identifiers") what.target += "?type=uin&id=" + id;
  return what;
}
} // namespace

TEST(the_log, names_no_identifier_holder_token_or_key_at_its_default_level) {
  node_process node(small_world());
  const auto reader = node.make_token("reader", "ids:read");
  node.start();
  api_client client(node);
  std::set<std::string> secrets{node.token(), reader, "holder-of-the-log-test", "key-of-the-log-test"};
  std::string key;
  std::ifstream(node.key_file()) >> key;
  ASSERT_EQ(key.size(), 64U);
  secrets.insert(key);
  for (const auto* type : {"uin", "vid", "farmer"}) {
    const auto issued =
        client.post("/v1/ids/" + std::string(type), {{"count", 50}, {"holder", "holder-of-the-log-test"}},
                    {{"Idempotency-Key", "key-of-the-log-test"}});
    ASSERT_EQ(issued.status, 201) << issued.shown();
    for (const auto& id : issued().at("ids")) secrets.insert(id);
  }
  std::size_t asked = 0;
  for (const auto& op : contract()->operations())
    for (const auto& token : {node.token(), reader, std::string("mtr_wrong-token-of-the-log-test")}) {
      const auto id = client.issue("uin").front();
      secrets.insert(id);
      http_client raw(node.port(), token);
      static_cast<void>(raw.send(with_real(op, id)));
      ++asked;
    }
  EXPECT_GT(asked, 60U);
  secrets.insert("mtr_wrong-token-of-the-log-test");
  for (const auto* actor : {"pool", "checker", "expirer"})
    EXPECT_EQ(
        client.post("/v1/actors/root/domain/identifiers/uin/" + std::string(actor) + "/kill", {{"reason", "x"}}).status,
        200);
  EXPECT_TRUE(eventually([&] { return client.post("/v1/ids/uin").status == 201; }));
  EXPECT_EQ(node.stop(), 0);
  const auto log = node.log();
  EXPECT_THAT(log, testing::HasSubstr("node.stopped"));
  for (const auto& secret : secrets) EXPECT_EQ(log.find(secret), std::string::npos) << "the log says " << secret;

  const auto verified = run_command({matricula_binary(), "verify", "--data", node.data().string(), "--set",
                                     "identifiers.key_file=" + node.key_file().string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  EXPECT_THAT(verified.output, testing::HasSubstr("audit trail rows of type uin"));
  const auto shown = run_command({matricula_binary(), "inspect-store", "journals", "--data", node.data().string()});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, testing::HasSubstr(R"("to":"ISSUED")"));
}

} // namespace matricula::test
