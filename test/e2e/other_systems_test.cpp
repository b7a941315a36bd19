// A real node with a generator of another system, webhooks, and alerts that are delivered.
#include "test/e2e/task_world.hpp"
#include "test/support/byte_server.hpp"
#include "test/support/fault_generator.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>

namespace matricula::test {

using nlohmann::json;
using ::testing::HasSubstr;

namespace {

/// A receiver of deliveries: bodies by their ids.
class receiver {
public:
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()) + "/hook"; }
  /// From now on it answers so, and takes only what it answers with 2xx.
  void answer_with(int status) { status_ = status; }
  [[nodiscard]] int refused() const { return refused_; }
  [[nodiscard]] std::map<std::string, json> seen() const {
    const std::lock_guard hold(guard_);
    return seen_;
  }
  [[nodiscard]] std::string signature_of(const std::string& id) const {
    const std::lock_guard hold(guard_);
    return signatures_.at(id);
  }

private:
  static std::string header(const std::string& request, const std::string& name) {
    const auto at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto from = at + name.size() + 4;
    return request.substr(from, request.find("\r\n", from) - from);
  }
  void serve(int socket) {
    while (const auto request = read_request(socket)) {
      const int status = status_;
      if (status >= 300) {
        ++refused_;
        if (!send_text(socket, answer_of(status, ""))) return;
        continue;
      }
      {
        const std::lock_guard hold(guard_);
        const auto id = header(*request, "Matricula-Delivery");
        seen_[id] = json::parse(request->substr(request->find("\r\n\r\n") + 4));
        signatures_[id] = header(*request, "Matricula-Signature");
      }
      if (!send_text(socket, answer_of(status, ""))) return;
    }
  }
  std::atomic<int> status_{204}, refused_{0};
  mutable std::mutex guard_;
  std::map<std::string, json> seen_;
  std::map<std::string, std::string> signatures_;
  byte_server server_{[this](int socket) { serve(socket); }};
};

class other_systems : public ::testing::Test {
protected:
  void TearDown() override {
    EXPECT_FALSE(node_.logged("unreadable_row"));
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }
  [[nodiscard]] node_options options() const {
    auto o = task_world({"id_generation_request_worker", "id_generation_update_worker", "webhook", "stuck"},
                        "[generators.mosip]\nkind = \"mosip\"\nurl = \"" + other_.mosip_url() + "\"\ntoken_url = \"" +
                            other_.token_url() +
                            "\"\nclient_id = \"matricula\"\nclient_secret_env = \"MOSIP_SECRET\"\ntimeout_ms = 2000\n"
                            "[registrants.kinds.resident]\ngenerator = \"mosip\"\n"
                            "[webhooks.registry]\nurl = \"" +
                            to_.url() + "\"\nsecret_env = \"HOOK_SECRET\"\n");
    o.environment = {"MOSIP_SECRET=a secret & more", "HOOK_SECRET=whsec"};
    return o;
  }
  /// Creates so many residents. Returns their numbers.
  std::vector<std::uint64_t> create(unsigned count) {
    api_client client(node_);
    std::string lines;
    for (unsigned i = 0; i < count; ++i) lines += "{\"kind\":\"resident\"}\n";
    const auto answer = client.send(http_request{
        .method = "POST", .target = "/v1/registrants/bulk", .body = lines, .content_type = "application/x-ndjson"});
    EXPECT_EQ(answer.status, 200) << answer.shown();
    std::vector<std::uint64_t> out;
    for (const auto& one : answer().at("items")) out.push_back(one.at("registrant_id").get<std::uint64_t>());
    return out;
  }
  /// Unique IDs of those that have come so far.
  std::map<std::uint64_t, std::string> ids(const std::string& state = "") {
    std::map<std::uint64_t, std::string> out;
    const auto page = api_client(node_).get("/v1/registrants?limit=1000")();
    for (const auto& one : page.at("items"))
      if (one.contains("unique_id") && (state.empty() || one.at("id_state") == state))
        out.emplace(one.at("registrant_id").get<std::uint64_t>(), one.at("unique_id").get<std::string>());
    return out;
  }
  std::size_t in_doubt() {
    return api_client(node_).get("/v1/generator-calls?state=in_doubt&limit=1000")().at("items").size();
  }
  void expect_each_has_one_of_its_own(const std::vector<std::uint64_t>& who) {
    const auto found = ids();
    std::set<std::string> distinct;
    for (const auto& [registrant, id] : found) distinct.insert(id);
    EXPECT_EQ(found.size(), who.size());
    EXPECT_EQ(distinct.size(), who.size());
    // Nothing is consumed that is neither a registrant's nor listed.
    EXPECT_EQ(other_.consumed() - other_.undelivered(), who.size());
    EXPECT_LE(other_.undelivered(), in_doubt());
  }

  fault_generator other_{{.needs_token = true}};
  receiver to_;
  node_process node_{options()};
};

} // namespace

TEST_F(other_systems, give_registrants_of_a_kind_their_ids_and_are_told_that_they_are_in_use) {
  node_.start();
  const auto who = create(50);
  ASSERT_EQ(who.size(), 50U);
  ASSERT_TRUE(eventually([&] { return ids("confirmed").size() == who.size(); }));
  expect_each_has_one_of_its_own(who);
  EXPECT_EQ(other_.consumed(), who.size());
  EXPECT_EQ(other_.assigned(), who.size());
  EXPECT_EQ(in_doubt(), 0U);
  EXPECT_LE(other_.most_at_once(), 4U) << "generators.mosip.calls_max";
  EXPECT_EQ(other_.calls(fault_generator::call::token), 1U) << "one token for all";
  const auto shown = api_client(node_).get("/v1/registrants/" + std::to_string(who.front()))();
  EXPECT_EQ(shown.at("generator"), "mosip");
  // Beside them the own pool gives its own.
  const auto ours = task_client::expect(api_client(node_).post("/v1/registrants", {{"kind", "individual"}}), 201);
  ASSERT_TRUE(eventually([&] {
    return api_client(node_)
               .get("/v1/registrants/" + std::to_string(ours.at("registrant_id").get<std::uint64_t>()))()
               .at("id_state") == "confirmed";
  }));
  EXPECT_EQ(other_.consumed(), who.size());
  EXPECT_FALSE(node_.logged("a secret"));
}

TEST_F(other_systems, that_fail_leave_nobody_without_an_id_and_no_call_unreported) {
  using enum fault;
  other_.script(fault_generator::call::issue, {lost, pool_empty, reset_before, garbage, token_expired, reset_after,
                                               server_error_after, none, truncated, errors_in_200});
  other_.script(fault_generator::call::confirm, {lost, server_error_before, none, reset_after});
  node_.start();
  const auto who = create(60);
  ASSERT_TRUE(eventually([&] { return ids("confirmed").size() == who.size(); }));
  expect_each_has_one_of_its_own(who);
  EXPECT_EQ(other_.undelivered(), 6U);
  EXPECT_EQ(other_.assigned(), who.size());
  // Somebody is told of the calls in doubt.
  ASSERT_TRUE(eventually([&] {
    const auto open = api_client(node_).get("/v1/alerts?state=open&rule=tasks_in_doubt")().at("items");
    return open.size() == 1 && open.at(0).at("subject") == "registrants";
  }));
}

TEST_F(other_systems, see_no_call_twice_from_a_node_that_is_killed) {
  node_.start();
  const auto who = create(100);
  for (std::uint64_t killed = 0; killed < 3; ++killed) {
    other_.wait_for_calls(fault_generator::call::issue, other_.calls(fault_generator::call::issue) + 5);
    const auto before = ids();
    node_.kill();
    node_.start();
    const auto after = ids();
    for (const auto& [registrant, id] : before) EXPECT_EQ(after.at(registrant), id) << "the ID of " << registrant;
  }
  ASSERT_TRUE(eventually([&] { return ids("confirmed").size() == who.size(); }));
  std::set<std::string> distinct;
  for (const auto& [registrant, id] : ids()) distinct.insert(id);
  EXPECT_EQ(distinct.size(), who.size());
  // What was given for a call that the node never heard the end of is listed.
  EXPECT_LE(other_.consumed(), who.size() + in_doubt());
  EXPECT_EQ(other_.assigned(), who.size());
}

TEST_F(other_systems, get_what_tasks_have_for_them_signed_and_once) {
  node_.start();
  task_client client(node_);
  const auto task = client.enqueue("webhook", {{"body", {{"event", "birth"}, {"number", 7}}}});
  ASSERT_TRUE(eventually([&] { return client.look(task).at("task_status") == "COMPLETED"; }));
  const auto id = "task-" + std::to_string(task_client::id_of(task));
  const auto seen = to_.seen();
  ASSERT_TRUE(seen.contains(id));
  EXPECT_EQ(seen.at(id), (json{{"event", "birth"}, {"number", 7}}));
  EXPECT_THAT(to_.signature_of(id), testing::StartsWith("t="));
  const auto forbidden = client.enqueue("webhook", {{"url", "http://127.0.0.1:1/"}, {"body", 1}});
  ASSERT_TRUE(eventually([&] { return client.look(forbidden).at("task_status") == "FAILED"; }));
  EXPECT_THAT(client.look(forbidden).at("last_attempt_error_code").get<std::string>(), HasSubstr("not among those"));
  EXPECT_EQ(client.look(forbidden).at("number_of_attempts"), 1);
  EXPECT_THAT(node_.log(), testing::Not(HasSubstr("whsec")));
}

TEST_F(other_systems, are_told_of_alerts) {
  *node_.options().config += "[alerts]\nnode_name = \"node 1\"\nbeat_seconds = 1\nrecovery_seconds = 1\n"
                             "queue_age_seconds_max = 1\ndisk_free_mib_min = 0\n"
                             "[alerts.sinks.ops]\nkind = \"webhook\"\nwebhook = \"registry\"\n";
  node_.write_config(*node_.options().config);
  to_.answer_with(401);
  node_.start();
  task_client client(node_);
  client.enqueue("stuck");
  // A token that has ended is no reason to give up what is to be told.
  ASSERT_TRUE(eventually([&] { return to_.refused() >= 2; }));
  EXPECT_THAT(client.http().get("/metrics").body, HasSubstr(R"(matricula_alerts_sink_up{sink="ops"} 0)"));
  to_.answer_with(204);
  const auto told = [&](const std::string& notice) {
    for (const auto& [id, body] : to_.seen())
      if (body.value("rule", "") == "queue_age" && body.at("notice") == notice && body.at("key") == id) return true;
    return false;
  };
  ASSERT_TRUE(eventually([&] { return told("first"); }));
  ASSERT_EQ(client.complete(client.lease_one("stuck")).status, 200);
  EXPECT_TRUE(eventually([&] { return told("recovery"); }));
}

} // namespace matricula::test
