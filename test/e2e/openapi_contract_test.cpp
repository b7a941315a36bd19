// The checker that every other test relies on: it must find what is wrong. And the description itself: it must be the
// one that is served, and name every route.
#include "test/e2e/node_fixture.hpp"

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace matricula::test {

namespace {
constexpr std::string_view description = R"(
paths:
  /things/{name}:
    get:
      x-scope: things:read
      responses:
        "200":
          description: A thing.
          headers:
            Colour: {required: true, schema: {type: string, enum: [red]}}
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
        "404": {$ref: "#/components/responses/Problem"}
components:
  responses:
    Problem:
      description: No.
      content:
        application/problem+json:
          schema: {$ref: "#/components/schemas/Problem"}
  schemas:
    Problem: {type: object, required: [status, code], properties: {status: {type: integer}}}
    Thing:
      type: object
      additionalProperties: false
      required: [name, parts]
      properties:
        name: {type: string, pattern: "^[a-z]+$"}
        parts: {type: array, items: {$ref: "#/components/schemas/Thing"}}
)";

http_answer thing(std::string body, int status = 200) {
  http_answer answer{status, {{"X-Request-Id", "r"}, {"traceparent", "t"}, {"Colour", "red"}}, std::move(body)};
  answer.headers.emplace_back("Content-Type", status < 400 ? "application/json" : "application/problem+json");
  return answer;
}
} // namespace

TEST(openapi_contract, lets_a_documented_answer_pass) {
  const openapi_contract contract(description);
  EXPECT_EQ(contract.breach("GET", "/things/a?x=1", thing(R"({"name":"a","parts":[{"name":"b","parts":[]}]})")), "");
  EXPECT_EQ(contract.breach("GET", "/things/a", thing(R"({"status":404,"code":"not_found"})", 404)), "");
}

TEST(openapi_contract, finds_every_kind_of_breach) {
  const openapi_contract contract(description);
  const std::string good = R"({"name":"a","parts":[]})";
  const auto without = [&](std::string_view name) {
    auto answer = thing(good);
    std::erase_if(answer.headers, [name](const auto& h) { return h.first == name; });
    return answer;
  };
  const auto with_colour = [&](const char* colour) {
    auto answer = without("Colour");
    answer.headers.emplace_back("Colour", colour);
    return answer;
  };
  const std::vector<std::pair<const char*, http_answer>> bad = {
      {"a member missing", thing(R"({"name":"a"})")},
      {"a member too many", thing(R"({"name":"a","parts":[],"more":1})")},
      {"a wrong type", thing(R"({"name":1,"parts":[]})")},
      {"a wrong pattern", thing(R"({"name":"A","parts":[]})")},
      {"wrong in a nested object", thing(R"({"name":"a","parts":[{"name":"b"}]})")},
      {"no JSON", thing("{")},
      {"no body", thing("")},
      {"an undocumented status", thing(good, 201)},
      {"another status in the problem", thing(R"({"status":403,"code":"x"})", 404)},
      {"no request id", without("X-Request-Id")},
      {"no content type", without("Content-Type")},
      {"no required header", without("Colour")},
      {"a header with a wrong value", with_colour("green")},
  };
  for (const auto& [what, answer] : bad) EXPECT_NE(contract.breach("GET", "/things/a", answer), "") << what;
  EXPECT_NE(contract.breach("POST", "/things/a", thing(good)), "") << "an undocumented method";
  EXPECT_NE(contract.breach("GET", "/other", thing(good)), "") << "an undocumented route";
}

using description_of_the_api = node_test;

TEST_F(description_of_the_api, is_the_one_that_the_node_serves) {
  std::ifstream in(MATRICULA_SOURCE_DIR "/api/openapi.yaml", std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const auto served = client_.get("/openapi.yaml");
  EXPECT_EQ(served.status, 200);
  EXPECT_TRUE(served.body == text.str()) << "the node was built with another api/openapi.yaml; build it again";
}

TEST_F(description_of_the_api, has_every_route_of_the_node_and_no_other) {
  // Every route counts its answers from the start, those that were never asked too.
  const auto numbers = client_.get("/metrics").body;
  const std::regex line("matricula_http_requests_total\\{class=\"2xx\",method=\"([A-Z]+)\",route=\"([^\"]+)\"\\}");
  std::set<std::string> served;
  for (std::sregex_iterator at(numbers.begin(), numbers.end(), line), end; at != end; ++at)
    served.insert((*at)[1].str() + " " + std::regex_replace((*at)[2].str(), std::regex("\\.\\.\\."), ""));
  std::set<std::string> documented;
  for (const auto& op : contract()->operations()) documented.insert(op.method + " " + op.path);
  EXPECT_GT(served.size(), 15U) << numbers.substr(0, 2000);
  EXPECT_EQ(served, documented);
}

TEST_F(description_of_the_api, has_a_schema_for_every_json_answer_and_examples_that_obey_theirs) {
  std::size_t examples = 0;
  for (const auto& op : contract()->operations()) {
    SCOPED_TRACE(op.method + " " + op.path);
    const auto check = [&](const nlohmann::json& content) {
      for (const auto& [type, media] : content.items()) {
        ASSERT_TRUE(media.contains("schema")) << type;
        std::vector<nlohmann::json> given;
        if (media.contains("example")) given.push_back(media.at("example"));
        if (media.contains("examples"))
          for (const auto& [name, one] : media.at("examples").items()) given.push_back(one.at("value"));
        for (const auto& one : given) EXPECT_EQ(contract()->breach_of_schema(media.at("schema"), one), "") << one;
        examples += given.size();
      }
    };
    for (const auto& [status, response] : op.document.at("responses").items()) {
      ASSERT_TRUE(response.contains("content")) << status;
      check(response.at("content"));
    }
    if (op.document.contains("requestBody")) check(op.document.at("requestBody").at("content"));
  }
  EXPECT_GE(examples, 10U);
}

} // namespace matricula::test
