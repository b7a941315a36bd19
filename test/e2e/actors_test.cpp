// Looking into the node and acting on its actors, at rest and under load.
#include "test/e2e/node_fixture.hpp"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace matricula::test {

using nlohmann::json;

namespace {
constexpr std::array children = {"pool", "checker", "populator", "walker1", "walker2", "expirer"};

std::string actor(const std::string& type, const std::string& name) {
  return "/v1/actors/root/domain/identifiers/" + type + "/" + name;
}
const json reason = {{"reason", "a test"}};

void collect(const json& node, std::map<std::string, json>& into) {
  into[node.at("path").get<std::string>()] = node;
  for (const auto& child : node.at("children")) {
    // A child's path continues its parent's.
    EXPECT_TRUE(child.at("path").get<std::string>().starts_with(node.at("path").get<std::string>() + "/")) << child;
    collect(child, into);
  }
}

std::map<std::string, json> all_actors(api_client& client) {
  std::map<std::string, json> all;
  const auto tree = client.get("/v1/actors");
  for (const auto& top : tree().at("items")) collect(top, all);
  return all;
}

bool is_running(api_client& client, const std::string& route) { return client.get(route)().at("state") == "running"; }

using actors = node_test;
} // namespace

TEST_F(actors, stand_in_a_tree_and_run) {
  const auto all = all_actors(client_);
  EXPECT_TRUE(all.contains("root"));
  for (const auto* name : children) {
    const auto path = std::string("root/domain/identifiers/uin/") + name;
    ASSERT_TRUE(all.contains(path)) << path;
    EXPECT_EQ(all.at(path).at("state"), "running");
    EXPECT_EQ(all.at(path).at("crashes"), 0);
  }
  EXPECT_FALSE(all.contains("root/domain/identifiers/passport/pool"));
}

TEST_F(actors, tell_about_themselves) {
  (void)client_.issue("uin", 3);
  for (const auto* name : children) {
    const auto one = client_.get(actor("uin", name));
    ASSERT_EQ(one.status, 200) << one.shown();
    EXPECT_EQ(one().at("path"), std::string("root/domain/identifiers/uin/") + name);
    EXPECT_TRUE(one().contains("self")) << one.shown();
  }
  const auto pool = client_.get(actor("uin", "pool"));
  EXPECT_GT(pool().at("handled").get<int>(), 0);
  EXPECT_FALSE(pool().at("recent").empty());
  EXPECT_EQ(client_.get("/v1/actors/root/domain").status, 200);
  EXPECT_EQ(client_.get("/v1/actors/root/nobody").status, 404);
}

TEST_F(actors, do_not_show_whom_an_identifier_is_for) {
  ASSERT_EQ(client_.post("/v1/ids/uin", {{"holder", "Abebech Gobena"}}).status, 201);
  for (const auto* name : children)
    EXPECT_EQ(client_.get(actor("uin", name)).body.find("Abebech"), std::string::npos) << name;
  EXPECT_EQ(node().log().find("Abebech"), std::string::npos);
}

TEST_F(actors, come_back_after_a_restart_or_a_kill_by_an_operator) {
  for (const auto* name : children) {
    for (const auto* what : {"restart", "kill"}) {
      SCOPED_TRACE(std::string(name) + " " + what);
      const auto route = actor("farmer", name);
      const auto before = client_.get(route);
      const auto done = client_.post(route + "/" + what, reason);
      ASSERT_EQ(done.status, 200) << done.shown();
      EXPECT_EQ(done().at("action"), what);
      ASSERT_TRUE(eventually([&] { return is_running(client_, route); })) << client_.get(route).shown();
      const auto after = client_.get(route);
      EXPECT_GT(after().at("generation").get<int>(), before().at("generation").get<int>());
      EXPECT_EQ(after().at("crashes"), 0) << "what an operator does is no crash";
      EXPECT_EQ(client_.post("/v1/ids/farmer").status, 201);
    }
  }
}

TEST_F(actors, stay_stopped_until_they_are_started) {
  const auto pool = actor("household", "pool");
  ASSERT_EQ(client_.post(pool + "/stop", reason).status, 200);
  ASSERT_TRUE(eventually([&] { return client_.get(pool)().at("state") == "stopped"; }));
  const auto refused = client_.post("/v1/ids/household", nullptr, {{"X-Request-Timeout-Ms", "1000"}});
  EXPECT_EQ(refused.status, 503) << refused.shown();
  EXPECT_EQ(client_.post("/v1/ids/farmer").status, 201) << "the others go on";
  const auto started = client_.post(pool + "/start", reason);
  ASSERT_EQ(started.status, 200) << started.shown();
  ASSERT_TRUE(eventually([&] { return client_.post("/v1/ids/household").status == 201; }));
  EXPECT_EQ(client_.post(pool + "/start", reason).status, 409) << "it runs already";
}

TEST_F(actors, are_acted_on_with_a_reason_only_which_is_written_down) {
  const auto route = actor("prid", "checker") + "/restart";
  EXPECT_EQ(client_.post(route).status, 400);
  for (const auto& body : {json::object(), json{{"reason", ""}}, json{{"reason", 7}},
                           json{{"reason", std::string(501, 'r')}}, json{{"reason", "a"}, {"more", 1}}})
    EXPECT_EQ(client_.post(route, body).status, 422) << body;
  const auto before = client_.get(actor("prid", "checker"));
  ASSERT_EQ(client_.post(route, {{"reason", "stuck on a Sunday"}}).status, 200);
  EXPECT_GT(client_.get(actor("prid", "checker"))().at("generation"), before().at("generation"));
  const auto audit = client_.get("/v1/audit?limit=1");
  ASSERT_EQ(audit.status, 200) << audit.shown();
  const auto& last = audit().at("items").at(0);
  EXPECT_EQ(last.at("who"), "default/tester");
  EXPECT_EQ(last.at("action"), "actor.restart");
  EXPECT_EQ(last.at("target"), "root/domain/identifiers/prid/checker");
  EXPECT_EQ(last.at("reason"), "stuck on a Sunday");
}

TEST_F(actors, that_do_not_exist_cannot_be_acted_on) {
  for (const auto* what : {"restart", "stop", "kill", "start"})
    EXPECT_EQ(client_.post(std::string("/v1/actors/root/nobody/") + what, reason).status, 404);
}

namespace {
/// What many clients that issue one identifier after the other were told.
struct tally {
  std::mutex guard;
  std::set<std::string> ids;
  std::vector<std::string> doubled;
  int succeeded = 0;
  int refused = 0; ///< told that nothing was done
  int unknown = 0; ///< no answer, or told that the outcome is unknown
  std::map<std::string, int> failures;

  void add(const std::optional<http_answer>& answer) {
    const std::scoped_lock hold(guard);
    if (answer && answer->status == 201) {
      ++succeeded;
      const auto id = json::parse(answer->body).at("ids").at(0).get<std::string>();
      if (!ids.insert(id).second) doubled.push_back(id);
      return;
    }
    ++(answer && answer->body.find("outcome_unknown") == std::string::npos ? refused : unknown);
    ++failures[answer ? answer->body.substr(0, 160) : "no answer"];
  }
};
} // namespace

TEST(actors_under_load, may_be_killed_and_hardly_a_request_notices) {
  node_process node(small_world());
  node.start();
  constexpr int threads = 12, requests_each = 500, rounds = 3;
  tally told;
  std::atomic<bool> killing{true};

  std::vector<std::thread> clients;
  for (int t = 0; t < threads; ++t)
    clients.emplace_back([&] {
      http_client http(node.port(), node.token());
      for (int i = 0; killing || i < requests_each; ++i)
        told.add(http.send({.method = "POST", .target = "/v1/ids/uin"}));
    });
  // The pool, through which every request passes, before each of the others.
  std::map<std::string, int> kills;
  bool all_came_back = true;
  http_client http(node.port(), node.token());
  const auto kill = [&](const char* name) {
    const auto route = actor("uin", name);
    const auto killed = http.send({.method = "POST", .target = route + "/kill", .body = reason.dump()});
    kills[name] += killed && killed->status == 200 ? 1 : 0;
    all_came_back = all_came_back && eventually([&] {
                      const auto now = http.send({.target = route});
                      return now && now->body.find(R"("state":"running")") != std::string::npos;
                    });
  };
  for (int round = 0; round < rounds; ++round)
    for (const auto* other : children) {
      if (std::string_view(other) == "pool") continue;
      kill("pool");
      kill(other);
    }
  killing = false;
  for (auto& client : clients) client.join();

  EXPECT_TRUE(all_came_back);
  EXPECT_GE(kills["pool"], 10) << json(kills).dump();
  for (const auto* name : children) EXPECT_GE(kills[name], 1) << name;
  const int failed = told.refused + told.unknown;
  EXPECT_GE(told.succeeded + failed, threads * requests_each);
  EXPECT_LE(failed * 1000, told.succeeded + failed) << json(told.failures).dump(1);
  EXPECT_TRUE(told.doubled.empty()) << json(told.doubled).dump();
  EXPECT_EQ(told.ids.size(), static_cast<std::size_t>(told.succeeded));
  api_client client(node);
  for (const auto& [path, one] : all_actors(client)) {
    EXPECT_EQ(one.at("state"), "running") << path;
    EXPECT_EQ(one.at("crashes"), 0) << one;
  }
  // Every acknowledged issue was made, and nothing beside them but what nobody was told the outcome of.
  const auto issues = client.get("/v1/ids/uin")().at("issues_total").get<int>();
  EXPECT_GE(issues, told.succeeded);
  EXPECT_LE(issues, told.succeeded + told.unknown) << json(told.failures).dump(1);
}

} // namespace matricula::test
