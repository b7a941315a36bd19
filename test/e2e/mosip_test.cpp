// MOSIP's routes against a real node, asked as MOSIP's clients ask.
#include "test/e2e/node_fixture.hpp"
#include "test/support/jwt_signer.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <fstream>
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
  const auto epoch = client_.send(
      {.target = vid_route + "?videxpiry=1970-01-01T00:00:00.000Z", .headers = {{"Idempotency-Key", "the epoch"}}});
  EXPECT_EQ(error_of(epoch), "KER-VID-003 Vid expiry date is before current utc time");
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

TEST_F(mosip, tells_its_numbers_where_mosip_has_them) {
  const auto numbers = client_.get("/v1/idgenerator/metrics");
  EXPECT_EQ(numbers.status, 200) << numbers.shown();
  EXPECT_THAT(numbers.body, testing::HasSubstr("\nmatricula_http_requests_total{"));
  EXPECT_EQ(api_client(node().port(), "").get("/v1/idgenerator/metrics").status, 401);
}

TEST_F(mosip, is_healthy) {
  const auto answer = api_client(node().port(), "").get("/v1/idgenerator/actuator/health");
  EXPECT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("status"), "UP");
  EXPECT_EQ(answer().at("details").at("idgenerator").at("details").at("response"), "active");
  EXPECT_GT(answer().at("details").at("diskspace").at("details").at("total"), 0);
}

/// A node that knows nobody but the issuer of a test, as a deployment of MOSIP has its Keycloak.
class mosip_roles : public ::testing::Test {
protected:
  static constexpr const char* issuer = "https://iam.example/auth/realms/mosip";
  static constexpr const char* name = "service-account-mosip-idrepo-client";

  static void SetUpTestSuite() {
    key_ = std::make_unique<jwt_signer>(jwt_signer::kind::rsa, "of the test");
    node_ = std::make_unique<node_process>(small_world());
    const auto keys = node_->scratch() / "keys.json";
    std::ofstream(keys, std::ios::binary) << jwks_of({key_->jwk()});
    for (const auto& set :
         {std::string("auth.mode=jwt"), "auth.jwt.jwks_file=" + keys.string(), std::string("auth.jwt.issuer=") + issuer,
          std::string("auth.jwt.audience=account"), std::string("auth.jwt.roles_claim=realm_access.roles"),
          std::string("auth.jwt.name_claim=preferred_username"),
          std::string(R"(auth.jwt.role_map=["ID_REPOSITORY=ids:issue ids:confirm ids:return ids:revoke",)"
                      R"("READER=ids:read"])")})
      node_->options().sets.push_back(set);
    node_->start();
  }
  static void TearDownTestSuite() {
    EXPECT_THAT(node_->log(), testing::Not(testing::HasSubstr("eyJ"))) << "a token is in the log";
    node_.reset();
    key_.reset();
  }

  static std::string token(const std::vector<std::string>& roles, int valid_for_s = 600, const jwt_signer& by = *key_) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    return by.token(json{{"iss", issuer},
                         {"aud", "account"},
                         {"sub", "4f2c8a60-0000-4000-8000-000000000001"},
                         {"preferred_username", name},
                         {"realm_access", {{"roles", roles}}},
                         {"iat", now - 4000},
                         {"exp", now + valid_for_s}}
                        .dump());
  }
  static api_answer ask(const std::string& method, const std::string& route, const std::string& cookie,
                        const std::string& body = "") {
    http_headers headers;
    if (!cookie.empty()) headers.emplace_back("Cookie", cookie);
    return api_client(node_->port(), "").send({.method = method, .target = route, .body = body, .headers = headers});
  }
  static std::string change(const char* type, const std::string& number, const char* status) {
    return json{{"request", {{type, number}, {"status", status}}}}.dump();
  }

  static inline std::unique_ptr<jwt_signer> key_;
  static inline std::unique_ptr<node_process> node_;
};

TEST_F(mosip_roles, of_a_jwt_in_the_cookie_open_every_route) {
  const auto cookie = "Authorization=" + token({"offline_access", "ID_REPOSITORY", "uma_authorization"});
  const auto issued = [&](const std::string& route, const char* type) -> std::string {
    const auto answer = ask("GET", route, cookie);
    EXPECT_EQ(answer.status, 200) << answer.shown();
    EXPECT_EQ(answer.header("Set-Cookie"), "");
    return answer().at("response").at(type);
  };
  const auto changed = [&](const std::string& route, const std::string& body) {
    const auto answer = ask("PUT", route, cookie, body);
    EXPECT_EQ(answer.status, 200) << answer.shown();
    return answer().at("response").at("status").get<std::string>();
  };
  const auto uin = issued(uin_route, "uin");
  EXPECT_EQ(changed(uin_route, change("uin", uin, "ASSIGNED")), "ASSIGNED");
  EXPECT_EQ(changed(uin_route, change("uin", issued(uin_route, "uin"), "UNASSIGNED")), "UNUSED");
  EXPECT_EQ(changed(vid_route, change("vid", issued(vid_route, "vid"), "REVOKED")), "EXPIRED");
  EXPECT_EQ(issued(prid_route, "prid").size(), 14U);
  const auto history = api_client(node_->port(), token({"READER"})).get("/v1/ids/uin/" + uin)().at("history");
  EXPECT_EQ(history.at(0).at("by"), std::string("jwt:") + name);
}

TEST_F(mosip_roles, that_are_others_or_not_proven_open_nothing) {
  const jwt_signer stranger(jwt_signer::kind::rsa, "of the test");
  struct row {
    const char* what;
    std::string cookie;
    int status;
    const char* error;
  };
  const row table[] = {
      {"no cookie", "", 401, "KER-ATH-401 Authentication Failed"},
      {"another cookie", "lang=en", 401, "KER-ATH-401 Authentication Failed"},
      {"another's signature", "Authorization=" + token({"ID_REPOSITORY"}, 600, stranger), 401,
       "KER-ATH-401 Authentication Failed"},
      {"an expired token", "Authorization=" + token({"ID_REPOSITORY"}, -61), 401, "KER-ATH-401 Authentication Failed"},
      {"half a token", "Authorization=" + token({"ID_REPOSITORY"}).substr(0, 100), 401,
       "KER-ATH-401 Authentication Failed"},
      {"no role", "Authorization=" + token({}), 403, "KER-ATH-403 Forbidden"},
      {"another role", "Authorization=" + token({"READER", "id_repository", "ID_REPOSITORY2"}), 403,
       "KER-ATH-403 Forbidden"},
  };
  for (const auto& [what, cookie, status, error] : table) {
    SCOPED_TRACE(what);
    const std::pair<const char*, const std::string*> routes[] = {
        {"GET", &uin_route}, {"PUT", &uin_route}, {"GET", &vid_route}, {"PUT", &vid_route}, {"GET", &prid_route}};
    for (const auto& [method, route] : routes) {
      const auto answer = ask(method, *route, cookie, *method == 'P' ? R"({"request":{}})" : "");
      EXPECT_EQ(answer.status, status) << answer.shown();
      const auto& one = answer().at("errors").at(0);
      EXPECT_EQ(one.at("errorCode").get<std::string>() + " " + one.at("message").get<std::string>(), error);
    }
  }
  const auto good = "Authorization=" + token({"ID_REPOSITORY"});
  EXPECT_EQ(ask("POST", "/v1/ids/uin", good).status, 401) << "cookies count on MOSIP's routes only";
  EXPECT_EQ(ask("POST", "/v1/idgenerator/farmer/id", good).status, 401);
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
