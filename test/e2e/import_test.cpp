// Identifiers issued elsewhere are loaded over HTTP: never issued again, found, and part of every number.
#include "test/e2e/node_fixture.hpp"

#include <algorithm>
#include <set>
#include <sstream>

namespace matricula::test {

using nlohmann::json;

namespace {

/// Valid identifiers of a shipped type, made under another key.
std::vector<std::string> made_elsewhere(const std::string& type, unsigned count) {
  const auto made = run_command({matricula_binary(), "ids", "generate", type, "--count", std::to_string(count)});
  EXPECT_EQ(made.status, 0) << made.errors;
  std::vector<std::string> all;
  std::istringstream lines(made.output);
  for (std::string line; std::getline(lines, line);) all.push_back(line);
  EXPECT_EQ(all.size(), count);
  return all;
}

class importing : public node_test {
protected:
  api_answer load(const std::string& type, std::string body, const char* format = "application/x-ndjson",
                  const char* query = "") {
    return client_.send({.method = "POST",
                         .target = "/v1/ids/" + type + "/import" + query,
                         .body = std::move(body),
                         .content_type = format});
  }
  json look(const std::string& type, const std::string& id) { return client_.get("/v1/ids/" + type + "/" + id)(); }
};

} // namespace

TEST_F(importing, loads_identifiers_with_their_state_and_finds_them) {
  const auto ids = made_elsewhere("vid", 3);
  const auto answer = load("vid", json{{"id", ids[0]},
                                       {"state", "ASSIGNED"},
                                       {"issued_at", "2020-02-01T10:00:00Z"},
                                       {"expires_at", "2199-01-01T00:00:00Z"},
                                       {"holder", "person-1"}}
                                          .dump() +
                                      "\n" + json{{"id", ids[1]}, {"state", "EXPIRED"}}.dump() + "\r\n\n" +
                                      json{{"id", ids[2]}}.dump());
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("accepted"), 3) << answer.shown();
  const auto found = look("vid", ids[0]);
  EXPECT_EQ(found.at("state"), "ASSIGNED");
  EXPECT_EQ(found.at("issued_at"), "2020-02-01T10:00:00.000Z");
  EXPECT_EQ(found.at("expires_at"), "2199-01-01T00:00:00.000Z");
  EXPECT_EQ(found.at("holder"), "person-1");
  EXPECT_EQ(found.at("assignment"), 1);
  EXPECT_EQ(found.at("imported"), true);
  EXPECT_EQ(found.at("history").at(0).at("by"), "import");
  EXPECT_EQ(look("vid", ids[1]).at("state"), "EXPIRED");
  EXPECT_FALSE(look("vid", ids[2]).contains("expires_at"));
  // Whatever may happen to an identifier may happen to it.
  const auto revoked = client_.post("/v1/ids/vid/" + ids[2] + "/revoke", {{"assignment", 1}});
  ASSERT_EQ(revoked.status, 200) << revoked.shown();
  EXPECT_EQ(revoked().at("state"), "EXPIRED");
  EXPECT_EQ(client_.post("/v1/ids/vid/" + ids[0] + "/revoke", {{"assignment", 2}}).code(), "stale_assignment");
}

TEST_F(importing, twice_is_harmless_and_says_what_differs) {
  const auto ids = made_elsewhere("social_id", 2);
  const auto text = ids[0] + "\n" + ids[1] + "\n" + ids[0] + "\n";
  const auto first = load("social_id", text, "text/plain");
  ASSERT_EQ(first.status, 200) << first.shown();
  EXPECT_EQ(first().at("accepted"), 2);
  EXPECT_EQ(first().at("duplicates"), 1);
  const auto again = load("social_id", text, "text/plain; charset=utf-8");
  EXPECT_EQ(again().at("accepted"), 0);
  EXPECT_EQ(again().at("duplicates"), 3);
  EXPECT_EQ(again().at("changed"), 0);
  const auto other = load("social_id", "id,state\n" + ids[0] + ",ISSUED\n", "text/csv");
  EXPECT_EQ(other().at("duplicates"), 1) << other.shown();
  EXPECT_EQ(other().at("changed"), 1);
  EXPECT_EQ(other().at("errors").at(0).at("code"), "changed");
  EXPECT_EQ(other().at("errors").at(0).at("line"), 2);
  EXPECT_EQ(look("social_id", ids[0]).at("state"), "ASSIGNED");
}

TEST_F(importing, never_overwrites_what_was_issued_here) {
  const auto id = client_.issue("uin").front();
  const auto answer = load("uin", json{{"id", id}, {"holder", "somebody else"}}.dump() + "\n");
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("conflicts"), 1);
  EXPECT_EQ(answer().at("errors").at(0).at("code"), "conflict");
  const auto found = look("uin", id);
  EXPECT_EQ(found.at("state"), "ISSUED");
  EXPECT_FALSE(found.contains("holder"));
  EXPECT_FALSE(found.contains("imported"));
}

TEST_F(importing, refuses_lines_one_by_one_and_takes_the_others) {
  const auto good = made_elsewhere("uin", 1).front();
  const std::string body = "{\"id\":\"" + good + "\"}\n" +
                           R"({"id":"5123721753"}
{"id":"2013023805","state":"UNUSED"}
{"id":"2013023805","state":"ASSINGED"}
{"id":"2013023805","expires_at":"2199-01-01T00:00:00Z"}
{"id":"2013023805","issued_at":"2199-01-01T00:00:00Z"}
{"id":"2013023805","issued_at":"yesterday"}
{"id":"20130 23805"}
{"id":2013023805}
{"identifier":"2013023805"}
not json
{"id":"2013023805"
)";
  const auto answer = load("uin", body);
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("accepted"), 1);
  EXPECT_EQ(answer().at("refused"), 11);
  std::vector<std::string> codes;
  for (const auto& e : answer().at("errors")) codes.push_back(e.at("code"));
  EXPECT_EQ(codes, (std::vector<std::string>{"breaks_rules", "not_in_use", "unknown_state", "does_not_expire",
                                             "wrong_time", "malformed_line", "malformed_id", "malformed_line",
                                             "malformed_line", "malformed_line", "malformed_line"}))
      << answer.shown();
  EXPECT_EQ(look("uin", "2013023805").at("state"), "AVAILABLE");
}

TEST_F(importing, takes_identifiers_of_older_rules_when_it_is_told_to_and_never_hands_them_out) {
  const auto refused = load("four_digit_uin", "OLD-77.A\n", "text/plain");
  EXPECT_EQ(refused().at("refused"), 1) << refused.shown();
  const auto before = client_.get("/v1/ids/four_digit_uin")().at("used").get<double>();
  const auto answer = load("four_digit_uin", "id,state\nOLD-77.A,ISSUED\n", "text/csv", "?accept_foreign=true");
  ASSERT_EQ(answer().at("accepted"), 1) << answer.shown();
  EXPECT_EQ(look("four_digit_uin", "OLD-77.A").at("breaks_rules"), true);
  EXPECT_EQ(client_.get("/v1/ids/four_digit_uin")().at("used").get<double>(), before) << "it is none of the capacity";
  const auto returned = client_.post("/v1/ids/four_digit_uin/OLD-77.A/return");
  ASSERT_EQ(returned.status, 200) << returned.shown();
  EXPECT_EQ(returned().at("state"), "RETIRED");
}

TEST_F(importing, refuses_bodies_that_it_cannot_read) {
  EXPECT_EQ(load("uin", "{}", "application/json").status, 415);
  EXPECT_EQ(load("uin", "").status, 400);
  EXPECT_EQ(load("uin", "name\nx\n", "text/csv").status, 400);
  EXPECT_EQ(load("uin", std::string("\xff\xfe\x32\x00", 4), "text/plain").status, 400);
  EXPECT_EQ(load("uin", "x\n", "text/plain", "?accept_foreign=maybe").status, 400);
  EXPECT_EQ(load("nobody", "x\n", "text/plain").status, 404);
  std::string long_body;
  for (int i = 0; i <= 10'000; ++i) long_body += "x\n";
  EXPECT_EQ(load("uin", long_body, "text/plain").status, 413);
  const auto at_the_bound = load("uin", long_body.substr(2), "text/plain");
  EXPECT_EQ(at_the_bound().at("refused"), 10'000) << at_the_bound.shown();
  EXPECT_EQ(at_the_bound().at("errors").size(), 1'000U);
  EXPECT_EQ(at_the_bound().at("errors_omitted"), 9'000);
  EXPECT_EQ(load("uin", std::string((1 << 20) + 1, 'x'), "text/plain").status, 413);
}

TEST_F(importing, nearly_everything_leaves_the_rest_to_be_issued_and_not_one_twice) {
  // Every valid identifier of four digits; half of them are imported, some before and some after the pool was filled.
  std::vector<std::string> all;
  for (int n = 1'000; n < 10'000; ++n) {
    const auto id = std::to_string(n);
    if (client_.get("/v1/ids/four_digits/" + id + "/validate")().at("valid") == true) all.push_back(id);
  }
  ASSERT_EQ(all.size(), 465U);
  std::set<std::string> imported;
  std::string body;
  for (std::size_t i = 0; i < all.size(); i += 2) {
    imported.insert(all[i]);
    body += all[i] + "\n";
  }
  const auto answer = load("four_digits", body, "text/plain");
  ASSERT_EQ(answer().at("accepted"), imported.size()) << answer.shown();
  std::set<std::string> issued;
  for (;;) {
    const auto one = client_.post("/v1/ids/four_digits");
    if (one.status == 503) continue;
    if (one.status == 410) break;
    ASSERT_EQ(one.status, 201) << one.shown();
    for (const auto& id : one().at("ids")) EXPECT_TRUE(issued.insert(id.get<std::string>()).second) << id;
  }
  for (const auto& id : imported) EXPECT_FALSE(issued.contains(id)) << id << " was imported and issued";
  EXPECT_EQ(issued.size() + imported.size(), all.size());
  const auto type = client_.get("/v1/ids/four_digits")();
  EXPECT_EQ(type.at("used"), 1.0) << type;
  EXPECT_EQ(type.at("exhausted"), true);
}

} // namespace matricula::test
