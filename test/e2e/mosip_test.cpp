// MOSIP's routes against a real node, asked as MOSIP's clients ask.
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

namespace matricula::test {

using nlohmann::json;

namespace {
const std::string uin_route = "/v1/idgenerator/uin";
const std::string vid_route = "/v1/idgenerator/vid";
const std::string prid_route = "/v1/pridgenerator/prid";

/// The only error of an answer, as "code message".
std::string error_of(const api_answer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.shown();
  if (!answer().is_object() || !answer().contains("errors") || answer().at("errors").size() != 1) return answer.shown();
  EXPECT_TRUE(answer().at("response").is_null());
  const auto& one = answer().at("errors").at(0);
  return one.at("errorCode").get<std::string>() + " " + one.at("message").get<std::string>();
}

std::string taken(api_client& client, const std::string& route, const char* name, const std::string& query = "") {
  const auto answer = client.get(route + query);
  EXPECT_EQ(answer.status, 200) << answer.shown();
  EXPECT_TRUE(answer().at("errors").is_null()) << answer.shown();
  return answer().at("response").at(name).get<std::string>();
}

api_answer put(api_client& client, const std::string& route, const json& request) {
  return client.send({.method = "PUT",
                      .target = route,
                      .body = json{{"id", "mosip.kernel"},
                                   {"version", "1.0"},
                                   {"requesttime", "2026-01-01T00:00:00.000Z"},
                                   {"metadata", nullptr},
                                   {"request", request}}
                                  .dump()});
}

std::string state_of(api_client& client, const std::string& type, const std::string& id) {
  return client.get("/v1/ids/" + type + "/" + id)().at("state");
}

using mosip = node_test;
} // namespace

TEST_F(mosip, issues_uins_that_are_confirmed_once) {
  const auto answer = client_.get(uin_route);
  EXPECT_THAT(answer.body, testing::MatchesRegex(
                               "\\{\"id\":null,\"version\":null,\"responsetime\":\"[0-9T:.-]+Z\",\"metadata\":null,"
                               "\"response\":\\{\"uin\":\"[0-9]{10}\"\\},\"errors\":null\\}"));
  const auto uin = answer().at("response").at("uin").get<std::string>();
  EXPECT_EQ(state_of(client_, "uin", uin), "ISSUED");
  const auto confirmed = put(client_, uin_route, {{"uin", uin}, {"status", "ASSIGNED"}});
  EXPECT_EQ(confirmed().at("response"), (json{{"uin", uin}, {"status", "ASSIGNED"}})) << confirmed.shown();
  EXPECT_EQ(confirmed().at("id"), "mosip.kernel");
  EXPECT_EQ(confirmed().at("version"), "1.0");
  EXPECT_EQ(state_of(client_, "uin", uin), "ASSIGNED");
  for (const auto* status : {"ASSIGNED", "UNASSIGNED", "OTHER"})
    EXPECT_EQ(error_of(put(client_, uin_route, {{"uin", uin}, {"status", status}})),
              "KER-UIG-004 Given UIN is not in ISSUED status");
  EXPECT_EQ(state_of(client_, "uin", uin), "ASSIGNED");
}

TEST_F(mosip, gives_uins_back) {
  const auto uin = taken(client_, uin_route, "uin");
  EXPECT_EQ(error_of(put(client_, uin_route, {{"uin", uin}, {"status", "OTHER"}})),
            "KER-UIG-003 Given UIN status not found");
  const auto back = put(client_, uin_route, {{"uin", uin}, {"status", "UNASSIGNED"}});
  EXPECT_EQ(back().at("response"), (json{{"uin", uin}, {"status", "UNUSED"}})) << back.shown();
  EXPECT_EQ(state_of(client_, "uin", uin), "AVAILABLE");
  EXPECT_EQ(error_of(put(client_, uin_route, {{"uin", uin}, {"status", "UNASSIGNED"}})),
            "KER-UIG-004 Given UIN is not in ISSUED status");
}

TEST_F(mosip, knows_no_number_that_was_never_issued) {
  for (const auto* uin : {"", "1", "0000000000", "2537032965x", "99999999999999999999"})
    EXPECT_EQ(error_of(put(client_, uin_route, {{"uin", uin}, {"status", "ASSIGNED"}})),
              "KER-UIG-001 UIN could not be found");
  for (const auto* vid : {"", "1", "5164721753769035", "5164721753769036"})
    EXPECT_EQ(error_of(put(client_, vid_route, {{"vid", vid}, {"status", "REVOKED"}})),
              "KER-VID-007 VID could not be found");
}

TEST_F(mosip, issues_vids_perpetual_or_until_their_time) {
  const auto perpetual = taken(client_, vid_route, "vid");
  EXPECT_EQ(perpetual.size(), 16U);
  EXPECT_FALSE(client_.get("/v1/ids/vid/" + perpetual)().contains("expires_at"));
  const auto limited = taken(client_, vid_route, "vid", "?videxpiry=2099-12-31T23:59:59.999Z");
  EXPECT_EQ(client_.get("/v1/ids/vid/" + limited)().at("expires_at"), "2099-12-31T23:59:59.999Z");
  const std::pair<const char*, const char*> refused[] = {
      {"", "KER-VID-002 Vid expiry date is empty"},
      {"2020-01-01T00:00:00.000Z", "KER-VID-003 Vid expiry date is before current utc time"},
      {"2099-02-30T00:00:00.000Z",
       "KER-VID-004 Vid expiry date pattern is invalid, should be in yyyy-MM-dd'T'HH:mm:ss.SSS'Z' pattern"}};
  for (const auto& [text, error] : refused) EXPECT_EQ(error_of(client_.get(vid_route + "?videxpiry=" + text)), error);
}

TEST_F(mosip, revokes_vids_and_answers_the_same_when_asked_again) {
  const auto vid = taken(client_, vid_route, "vid");
  for (int i = 0; i < 2; ++i) {
    const auto revoked = put(client_, vid_route, {{"vid", vid}, {"status", "REVOKED"}});
    EXPECT_EQ(revoked().at("response"), (json{{"vid", vid}, {"status", "EXPIRED"}})) << revoked.shown();
    EXPECT_EQ(state_of(client_, "vid", vid), "EXPIRED");
  }
  // The cool-off of this node is a second; once it is over, the VID is nobody's.
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(client_.post("/v1/ids/vid/expire-due"));
    return state_of(client_, "vid", vid) == "AVAILABLE";
  }));
  EXPECT_EQ(error_of(put(client_, vid_route, {{"vid", vid}, {"status", "REVOKED"}})),
            "KER-VID-008 Given VID is not in ASSIGNED status");
}

TEST_F(mosip, issues_prids) { EXPECT_EQ(taken(client_, prid_route, "prid").size(), 14U); }

TEST_F(mosip, never_issues_one_number_twice_to_clients_at_once) {
  constexpr int clients = 8, each = 40;
  std::mutex guard;
  std::set<std::string> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < clients; ++t)
    threads.emplace_back([&] {
      api_client own(node());
      for (int i = 0; i < each; ++i) {
        const auto uin = taken(own, uin_route, "uin");
        const std::lock_guard hold(guard);
        EXPECT_TRUE(all.insert(uin).second) << uin;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(all.size(), std::size_t{clients} * each);
}

TEST_F(mosip, lets_only_one_of_confirm_and_return_win) {
  for (int round = 0; round < 20; ++round) {
    const auto uin = taken(client_, uin_route, "uin");
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (const auto* status : {"ASSIGNED", "UNASSIGNED"})
      threads.emplace_back([&, status] {
        api_client own(node());
        const auto answer = put(own, uin_route, {{"uin", uin}, {"status", status}});
        if (answer().at("errors").is_null())
          ++won;
        else
          EXPECT_EQ(answer.code(), "KER-UIG-004") << answer.shown();
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(won, 1) << uin;
  }
}

TEST_F(mosip, makes_repeating_safe_with_a_key) {
  const http_request keyed{.target = uin_route, .headers = {{"Idempotency-Key", "mosip 1"}}};
  const auto first = client_.send(keyed);
  const auto again = client_.send(keyed);
  EXPECT_EQ(first().at("response"), again().at("response"));
  EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
}

TEST_F(mosip, answers_bodies_that_cannot_be_read_in_its_envelope) {
  for (const auto* body : {"", "{", "[]", "null", "{}", R"({"request":null})", R"({"request":{"x":1}})",
                           R"({"request":{},"x":1})", "\xff", R"({"requesttime":"now","request":{}})"}) {
    for (const auto& route : {uin_route, vid_route}) {
      const auto answer = client_.send({.method = "PUT", .target = route, .body = body});
      EXPECT_EQ(answer.status, 200) << body << answer.shown();
      EXPECT_EQ(answer.code(), route == uin_route ? "KER-UIG-005" : "KER-VID-005") << body << answer.shown();
    }
  }
  for (const auto* type : {"", "text/plain", "application/xml"}) {
    const auto answer = client_.send({.method = "PUT", .target = uin_route, .body = "{}", .content_type = type});
    EXPECT_EQ(answer.status, 415) << answer.shown();
    EXPECT_EQ(answer.code(), "KER-UIG-005");
  }
  const auto large = client_.send({.method = "PUT", .target = uin_route, .body = std::string((1 << 20) + 1, ' ')});
  EXPECT_EQ(large.status, 413) << large.shown();
  EXPECT_EQ(large.code(), "KER-UIG-005");
}

TEST_F(mosip, asks_for_a_token_as_cookie_or_bearer) {
  api_client nobody(node().port(), "");
  const auto with_cookie = [&](const std::string& cookie, const std::string& route = uin_route) {
    return nobody.send({.target = route, .headers = {{"Cookie", cookie}}});
  };
  for (const auto& route : {uin_route, vid_route, prid_route}) {
    EXPECT_EQ(with_cookie("Authorization=" + node().token(), route).status, 200) << route;
    const auto refused = nobody.get(route);
    EXPECT_EQ(refused.status, 401) << refused.shown();
    EXPECT_EQ(refused().at("errors"),
              (json::array({{{"errorCode", "KER-ATH-401"}, {"message", "Authentication Failed"}}})));
  }
  EXPECT_EQ(with_cookie("lang=en; Authorization=" + node().token() + "; x=y").status, 200);
  EXPECT_EQ(with_cookie("Authorization=wrong").status, 401);
  EXPECT_EQ(with_cookie("Authorization=").status, 401);
  EXPECT_EQ(with_cookie("Authorization=" + node().token(), "/v1/ids").status, 401) << "not on native routes";
  EXPECT_EQ(with_cookie("Authorization=" + node().token(), "/v1/idgenerator/config").status, 401);

  const auto reader = node().make_token("mosip-reader", "ids:read");
  const auto confirmer = node().make_token("mosip-confirmer", "ids:confirm");
  ASSERT_EQ(client_.post("/v1/config/reload").status, 200);
  const auto forbidden = with_cookie("Authorization=" + reader);
  EXPECT_EQ(forbidden.status, 403) << forbidden.shown();
  EXPECT_EQ(forbidden().at("errors"), (json::array({{{"errorCode", "KER-ATH-403"}, {"message", "Forbidden"}}})));
  api_client only_confirms(node().port(), confirmer);
  const auto uin = taken(client_, uin_route, "uin");
  EXPECT_EQ(put(only_confirms, uin_route, {{"uin", uin}, {"status", "UNASSIGNED"}}).status, 403);
  EXPECT_EQ(put(only_confirms, uin_route, {{"uin", uin}, {"status", "ASSIGNED"}}).status, 200);
}

TEST_F(mosip, serves_no_sub_paths_and_no_head) {
  const auto issued = [&] {
    json counts;
    for (const auto* type : {"uin", "vid", "prid"})
      counts[type] = client_.get(std::string("/v1/ids/") + type)().at("issues_total");
    return counts;
  };
  const auto before = issued();
  api_client nobody(node().port(), "");
  for (const auto* path : {"/foo", "/foo/bar", "/"}) {
    for (const auto& route : {uin_route, vid_route, prid_route}) {
      for (auto* client : {&client_, &nobody}) EXPECT_EQ(client->get(route + path).status, 404) << route << path;
      EXPECT_EQ(client_.send({.method = "PUT", .target = route + path, .body = "{}"}).status, 404);
    }
  }
  for (const auto& route : {uin_route, vid_route, prid_route})
    EXPECT_EQ(client_.send({.method = "HEAD", .target = route}).status, 405);
  EXPECT_EQ(client_.post(uin_route).status, 405);
  EXPECT_EQ(issued(), before) << "something was issued";
}

TEST_F(mosip, is_healthy) {
  const auto answer = api_client(node().port(), "").get("/v1/idgenerator/actuator/health");
  EXPECT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("status"), "UP");
  EXPECT_EQ(answer().at("details").at("idgenerator").at("details").at("response"), "active");
  EXPECT_GT(answer().at("details").at("diskspace").at("details").at("total"), 0);
}

TEST(mosip_pools, that_are_used_up_or_being_refilled_are_told_with_200) {
  node_options options;
  options.config = R"(
[identifiers.types.uin]
length = 4
profile = "openg2p"
[identifiers.types.prid]
length = 4
profile = "openg2p"
)";
  options.sets = small_pools();
  node_process node(options);
  node.start();
  api_client client(node);
  for (int i = 0; i < 465; ++i) ASSERT_EQ(taken(client, prid_route, "prid").size(), 4U) << i;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error_of(client.get(prid_route)), "KER-PRID-001 PRID not available for allocation");
  static_cast<void>(client.issue("uin", 465));
  EXPECT_EQ(error_of(client.get(uin_route)), "KER-UIG-001 UIN could not be found");

  ASSERT_NO_FATAL_FAILURE(run_dry(client, "vid"));
  const auto last = client.get(vid_route);
  EXPECT_EQ(error_of(last), "KER-VID-001 KER-VID-001 --> VID not available for allocation");
  EXPECT_FALSE(last.header("Retry-After").empty());
}

} // namespace matricula::test
