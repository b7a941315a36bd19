// OpenG2P's routes against a real node, asked as OpenG2P's clients ask.
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <set>
#include <vector>

namespace matricula::test {

using nlohmann::json;

namespace {
const std::string base = "/v1/idgenerator/";

api_answer issue(api_client& client, const std::string& type) {
  return client.send({.method = "POST", .target = base + type + "/id"});
}
api_answer validate(api_client& client, const std::string& type, const std::string& id) {
  return client.get(base + type + "/id/validate/" + id);
}
std::string message_of(const api_answer& answer) { return answer().at("errors").at(0).at("message"); }

using openg2p = node_test;
} // namespace

TEST_F(openg2p, issues_identifiers_that_are_valid) {
  const std::pair<const char*, std::size_t> types[] = {{"farmer", 12}, {"household", 10}};
  for (const auto& [type, length] : types) {
    std::set<std::string> all;
    for (int i = 0; i < 50; ++i) {
      const auto answer = issue(client_, type);
      ASSERT_EQ(answer.status, 200) << answer.shown();
      EXPECT_THAT(answer.body,
                  testing::MatchesRegex("\\{\"id\":\"openg2p.idgenerator\",\"version\":\"1.0\",\"responsetime\":"
                                        "\"[0-9T:.-]+Z\",\"response\":\\{\"id\":\"[0-9]+\"\\},\"errors\":\\[\\]\\}"));
      const auto id = answer().at("response").at("id").get<std::string>();
      EXPECT_EQ(id.size(), length);
      EXPECT_TRUE(all.insert(id).second) << id << " twice";
      const auto verdict = validate(client_, type, id);
      EXPECT_EQ(verdict().at("response"), (json{{"id", id}, {"valid", true}})) << verdict.shown();
      EXPECT_EQ(client_.get("/v1/ids/" + std::string(type) + "/" + id)().at("state"), "TAKEN");
    }
  }
}

TEST_F(openg2p, judges_numbers_by_its_own_profile) {
  const std::pair<const char*, bool> households[] = {
      {"2537032965", true},  {"2705307546", true},  {"2397524109", true},  {"4932563651", true},
      {"4584786713", true},  {"9048176915", false}, {"5347295206", false}, {"6672575683", false},
      {"5976819216", false}, {"5738201964", false}, {"253703296", false},  {"0", false}};
  for (const auto& [id, valid] : households)
    EXPECT_EQ(validate(client_, "household", id)().at("response"), (json{{"id", id}, {"valid", valid}}));
  for (const auto* id : {"349503928379", "508548364970", "865696873158"})
    EXPECT_EQ(validate(client_, "farmer", id)().at("response").at("valid"), true) << id;
}

TEST_F(openg2p, refuses_what_is_no_ascii_number_and_no_type_name) {
  for (const auto* id : {"2A13023805", "%D9%A7%D9%A1%D9%A2%D9%A1%D9%A7%D9%A3%D9%A8%D9%A4%D9%A3%D9%A4", "%20", "-1",
                         "123456789012345678901234567890123"}) {
    const auto answer = validate(client_, "household", id);
    EXPECT_EQ(answer.status, 422) << answer.shown();
    EXPECT_EQ(answer().at("detail").at(0).at("loc"), (json{"path", "id_value"}));
  }
  for (const auto* type : {"Farmer", "f", "9farmer", "fa-rmer"}) {
    EXPECT_EQ(issue(client_, type).status, 422) << type;
    EXPECT_EQ(validate(client_, type, "1").status, 422) << type;
  }
  const auto both = validate(client_, "Farmer", "12.34");
  EXPECT_EQ(both.status, 422) << both.shown();
  EXPECT_EQ(both().at("detail").size(), 2U) << both.shown();
  for (const auto* type : {"passport", "uin", "vid", "tracking_id", "health", "version"}) {
    for (const auto& answer : {issue(client_, type), validate(client_, type, "1")}) {
      EXPECT_EQ(answer.status, 404) << answer.shown();
      EXPECT_EQ(answer.code(), "IDG-003");
      EXPECT_EQ(message_of(answer), "Unknown ID type '" + std::string(type) + "'");
    }
  }
  const auto body = client_.post(base + "farmer/id", {{"count", 3}});
  EXPECT_EQ(body.status, 422) << body.shown();
  EXPECT_EQ(client_.post(base + "farmer/id", json::object()).status, 200);
  const auto get = client_.get(base + "farmer/id");
  EXPECT_EQ(get.status, 405) << get.shown();
}

TEST_F(openg2p, hands_out_every_identifier_before_it_says_410_for_good) {
  std::vector<std::string> in_order;
  for (int i = 0; i < 465; ++i) {
    const auto answer = issue(client_, "four_digits");
    ASSERT_EQ(answer.status, 200) << i << answer.shown();
    in_order.push_back(answer().at("response").at("id"));
  }
  EXPECT_EQ(std::set<std::string>(in_order.begin(), in_order.end()).size(), 465U);
  std::set<int> steps;
  for (std::size_t i = 1; i < in_order.size(); ++i) steps.insert(std::stoi(in_order[i]) - std::stoi(in_order[i - 1]));
  EXPECT_GT(steps.size(), 100U) << "the next one can be told from the last";
  for (int i = 0; i < 3; ++i) {
    const auto answer = issue(client_, "four_digits");
    EXPECT_EQ(answer.status, 410) << answer.shown();
    EXPECT_EQ(answer.code(), "IDG-002");
    EXPECT_EQ(message_of(answer), "ID space exhausted for ID type 'four_digits'");
  }
  EXPECT_EQ(issue(client_, "farmer").status, 200) << "other types go on";
}

TEST_F(openg2p, tells_health_version_and_configuration) {
  EXPECT_EQ(api_client(node().port(), "").get(base + "health")().at("response"), (json{{"status", "UP"}}));
  const auto version = client_.get(base + "version");
  EXPECT_EQ(version().at("response").at("build_time"), "dev") << version.shown();
  EXPECT_THAT(version().at("response").at("service_version").get<std::string>(), testing::StartsWith("0."));
  const auto config = client_.get(base + "config");
  EXPECT_EQ(config().at("response").at("id_types").at("farmer"), (json{{"id_length", 12}})) << config.shown();
  EXPECT_FALSE(config().at("response").at("id_types").contains("uin"));
  EXPECT_EQ(config().at("response").at("filter_rules"), (json{{"sequence_limit", 3},
                                                              {"repeating_limit", 2},
                                                              {"repeating_block_limit", 2},
                                                              {"conjugative_even_digits_limit", 3},
                                                              {"digits_group_limit", 5},
                                                              {"reverse_digits_group_limit", 5},
                                                              {"not_start_with", {"0", "1"}},
                                                              {"restricted_numbers", json::array()}}));
  const auto description = api_client(node().port(), "").get("/openapi.json");
  EXPECT_TRUE(description().at("paths").contains(base + "{id_type}/id")) << description.shown();
}

TEST_F(openg2p, asks_for_credentials) {
  api_client nobody(node().port(), "");
  for (const auto& answer : {issue(nobody, "farmer"), validate(nobody, "farmer", "1"), nobody.get(base + "version"),
                             nobody.get(base + "config")}) {
    EXPECT_EQ(answer.status, 401) << answer.shown();
    EXPECT_EQ(answer.code(), "unauthenticated");
    EXPECT_FALSE(answer.header("WWW-Authenticate").empty());
  }
}

TEST(openg2p_open_routes, need_no_credentials_and_open_nothing_else) {
  node_options options = small_world();
  options.config = *options.config + R"(
[auth]
open_routes = ["POST /v1/idgenerator/{id_type}/id", "GET /v1/idgenerator/{id_type}/id/validate/{id}"]
)";
  node_process node(options);
  node.start();
  api_client nobody(node.port(), "");
  const auto issued = issue(nobody, "farmer");
  ASSERT_EQ(issued.status, 200) << issued.shown();
  const auto id = issued().at("response").at("id").get<std::string>();
  EXPECT_EQ(validate(nobody, "farmer", id)().at("response").at("valid"), true);
  EXPECT_EQ(issue(nobody, "uin").status, 404) << "UINs and VIDs are not behind this route";
  EXPECT_EQ(nobody.get(base + "config").status, 401);
  EXPECT_EQ(nobody.get(base + "uin").status, 401);
  EXPECT_EQ(nobody.post("/v1/ids/farmer").status, 401);
  const auto keyed =
      nobody.send({.method = "POST", .target = base + "farmer/id", .headers = {{"Idempotency-Key", "everybody's"}}});
  EXPECT_EQ(keyed.status, 400) << keyed.shown();
  const auto history = api_client(node).get("/v1/ids/farmer/" + id)().at("history");
  EXPECT_EQ(history.at(0).at("by"), "anonymous");
}

TEST(openg2p_pools, that_are_nearly_used_up_give_their_last_after_a_restart_and_stay_used_up_after_the_next) {
  node_process node(small_world());
  node.start();
  std::set<std::string> all;
  const auto take = [&](int count) {
    api_client client(node);
    for (int i = 0; i < count; ++i) {
      const auto answer = issue(client, "four_digits");
      ASSERT_EQ(answer.status, 200) << i << answer.shown();
      all.insert(answer().at("response").at("id"));
    }
  };
  ASSERT_NO_FATAL_FAILURE(take(460));
  ASSERT_EQ(node.stop(), 0);
  node.start(); // and becomes ready, though no refill can fill this pool
  ASSERT_NO_FATAL_FAILURE(take(5));
  EXPECT_EQ(all.size(), 465U);
  for (const bool again : {false, true}) {
    if (again) {
      node.kill();
      node.start();
    }
    api_client client(node);
    const auto answer = issue(client, "four_digits");
    EXPECT_EQ(answer.status, 410) << answer.shown();
    EXPECT_EQ(answer.code(), "IDG-002");
    EXPECT_EQ(issue(client, "farmer").status, 200) << "other types go on";
    EXPECT_EQ(api_client(node.port(), "").get(base + "health").status, 200);
  }
}

TEST(openg2p_pools, of_every_length_hand_out_and_none_is_called_used_up) {
  node_options options = small_world();
  constexpr int lengths[] = {4, 6, 11, 18, 20, 22, 32};
  for (const int length : lengths)
    *options.config += "[identifiers.types.digits_" + std::to_string(length) + "]\nlength = " + std::to_string(length) +
                       "\nprofile = \"openg2p\"\nlifecycle = \"pool\"\npool_min = 10\npool_target = 20\n";
  node_process node(options);
  node.start();
  api_client client(node);
  for (const int length : lengths) {
    const auto type = "digits_" + std::to_string(length);
    std::set<std::string> all;
    for (int i = 0; i < 10; ++i) {
      const auto answer = issue(client, type);
      ASSERT_EQ(answer.status, 200) << type << answer.shown();
      const auto id = answer().at("response").at("id").get<std::string>();
      EXPECT_EQ(id.size(), static_cast<std::size_t>(length));
      EXPECT_EQ(validate(client, type, id)().at("response").at("valid"), true) << id;
      all.insert(id);
    }
    EXPECT_EQ(all.size(), 10U) << type;
  }
}

TEST(openg2p_pools, that_are_being_refilled_are_told_with_503) {
  node_options options = small_world();
  node_process node(options);
  node.start();
  api_client client(node);
  ASSERT_NO_FATAL_FAILURE(run_dry(client, "farmer"));
  const auto last = issue(client, "farmer");
  EXPECT_EQ(last.status, 503) << last.shown();
  EXPECT_EQ(last.code(), "IDG-001");
  EXPECT_EQ(message_of(last), "No IDs available for ID type 'farmer'. Replenishment in progress.");
  EXPECT_FALSE(last.header("Retry-After").empty());
}

} // namespace matricula::test
