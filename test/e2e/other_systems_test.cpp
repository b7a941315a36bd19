// A real node with a generator of another system, webhooks, and alerts that are delivered.
#include "test/e2e/task_world.hpp"
#include "test/support/byte_server.hpp"
#include "test/support/fault_generator.hpp"

#include <gmock/gmock.h>

#include <algorithm>
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
    // What is consumed is a registrant's or listed; and nothing is listed but that, and calls that did nothing and did
    // not say so.
    EXPECT_EQ(other_.consumed() - other_.undelivered(), who.size());
    EXPECT_EQ(in_doubt(), other_.undelivered() + other_.idle_and_unsaid());
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
  EXPECT_EQ(in_doubt(), 7U);
  EXPECT_EQ(other_.assigned(), who.size());
  // Somebody is told of the calls in doubt.
  ASSERT_TRUE(eventually([&] {
    const auto open = api_client(node_).get("/v1/alerts?state=open&rule=tasks_in_doubt")().at("items");
    return open.size() == 1 && open.at(0).at("subject") == "registrants";
  }));
}

TEST_F(other_systems, see_no_call_twice_from_a_node_that_is_killed) {
  constexpr unsigned kills = 3;
  node_.start();
  std::vector<std::uint64_t> who;
  for (unsigned killed = 0; killed < kills; ++killed) {
    other_.script(fault_generator::call::issue, {fault::none, fault::none, fault::held_after});
    for (const auto one : create(30)) who.push_back(one);
    ASSERT_TRUE(other_.wait_until_one_is_held());
    const auto before = ids();
    node_.kill();
    other_.release();
    node_.start();
    const auto after = ids();
    for (const auto& [registrant, id] : before) EXPECT_EQ(after.at(registrant), id) << "the ID of " << registrant;
  }
  ASSERT_TRUE(eventually([&] { return ids("confirmed").size() == who.size(); }));
  std::set<std::string> distinct;
  for (const auto& [registrant, id] : ids()) distinct.insert(id);
  EXPECT_EQ(distinct.size(), who.size());
  // What was given for a call that the node never heard the end of is listed, and no more than was on its way.
  const auto unused = other_.consumed() - who.size();
  EXPECT_GE(unused, kills) << "those that were held";
  EXPECT_GE(in_doubt(), unused);
  EXPECT_LE(in_doubt(), std::size_t{kills} * 4) << "generators.mosip.calls_max at each kill";
  EXPECT_EQ(other_.assigned(), who.size());
}

/// A moment of one registrant's way at which the node is killed.
struct moment {
  const char* name;
  fault_generator::call during;
  fault what;
  bool has_id;            ///< before the node is killed
  std::uint64_t consumed; ///< in the end
  std::size_t in_doubt;
};

class other_systems_of_a_node_that_is_killed : public other_systems, public ::testing::WithParamInterface<moment> {};

TEST_P(other_systems_of_a_node_that_is_killed, give_one_id_and_all_is_accounted_for) {
  const auto& at = GetParam();
  other_.script(at.during, {at.what});
  node_.start();
  (void)create(1);
  ASSERT_TRUE(other_.wait_until_one_is_held());
  const auto before = ids();
  EXPECT_EQ(before.size(), at.has_id ? 1U : 0U);
  node_.kill();
  other_.release();
  node_.start();
  ASSERT_TRUE(eventually([&] { return ids("confirmed").size() == 1; }));
  if (at.has_id) {
    EXPECT_EQ(ids(), before);
  }
  EXPECT_EQ(other_.consumed(), at.consumed);
  EXPECT_EQ(in_doubt(), at.in_doubt);
  EXPECT_EQ(other_.assigned(), 1U);
}

// Before the call: the token for it is being fetched. Before the update call: that has arrived, and nothing was done.
INSTANTIATE_TEST_SUITE_P(
    at, other_systems_of_a_node_that_is_killed,
    ::testing::Values(moment{"before_the_call", fault_generator::call::token, fault::held_before, false, 1, 1},
                      moment{"after_the_call_before_its_answer_is_saved", fault_generator::call::issue,
                             fault::held_after, false, 2, 1},
                      moment{"after_saving_before_the_update_call", fault_generator::call::confirm, fault::held_before,
                             true, 1, 0},
                      moment{"after_the_update_call", fault_generator::call::confirm, fault::held_after, true, 1, 0}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(other_systems, that_are_away_for_a_while_cost_no_attempt) {
  *node_.options().config += "[alerts]\nbeat_seconds = 1\nqueue_age_seconds_max = 1\ndisk_free_mib_min = 0\n";
  node_.write_config(*node_.options().config);
  other_.stop();
  node_.start();
  (void)create(3);
  task_client client(node_);
  const auto in_all = [&](const std::string& what) {
    std::uint64_t n = 0;
    const auto queues = client.http().get("/v1/queues")();
    for (const auto& one : queues.at("items"))
      if (one.at("worker_type").get<std::string>().starts_with("id_generation_request_worker"))
        n += one.at(what).get<std::uint64_t>();
    return n;
  };
  ASSERT_TRUE(eventually([&] { return in_all("attempts_total") >= 3 * 6; })) << "more often than the type has attempts";
  EXPECT_EQ(in_all("failed"), 0U);
  const auto page = client.http().get("/v1/tasks?worker_type=id_generation_request_worker")();
  ASSERT_EQ(page.at("items").size(), 3U);
  for (const auto& task : page.at("items")) {
    EXPECT_EQ(task.at("history").back().at("outcome"), "not_yet");
    EXPECT_LE(task.at("number_of_attempts"), 1) << "but for one that runs just now";
  }
  EXPECT_EQ(in_doubt(), 0U) << "nobody was called";
  EXPECT_TRUE(eventually([&] {
    const auto open = client.http().get("/v1/alerts?state=open&rule=tasks_put_off")();
    return std::ranges::any_of(open.at("items"), [](const json& a) {
      return a.at("subject").get<std::string>().starts_with("id_generation_request_worker.");
    });
  })) << "somebody is told that nothing comes of it";
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
