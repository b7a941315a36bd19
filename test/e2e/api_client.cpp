#include "test/e2e/api_client.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace matricula::test {

using nlohmann::json;

std::string api_answer::code() const {
  if (!parsed.is_object()) return "";
  if (parsed.contains("code")) return parsed.at("code").get<std::string>();
  // The envelope of the compatible routes.
  const bool has_error = parsed.contains("errors") && parsed.at("errors").is_array() && !parsed.at("errors").empty();
  return has_error ? parsed.at("errors").at(0).at("errorCode").get<std::string>() : "";
}

std::shared_ptr<const openapi_contract> contract() {
  static const auto shared = [] {
    std::ifstream in(MATRICULA_SOURCE_DIR "/api/openapi.yaml", std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return std::make_shared<const openapi_contract>(text.str());
  }();
  return shared;
}

api_answer api_client::send(const http_request& what) {
  auto plain = http_.send(what);
  if (!plain) throw std::runtime_error("no answer to " + what.method + " " + what.target);
  api_answer answer{std::move(*plain), {}};
  const auto why = contract()->breach(what.method, what.target, answer);
  EXPECT_EQ(why, "") << what.method << " " << what.target << " " << what.body.substr(0, 300) << "\n" << answer.shown();
  answer.parsed = json::parse(answer.body, nullptr, false);
  if (answer.parsed.is_discarded()) answer.parsed = nullptr;
  return answer;
}

api_answer api_client::post(std::string target, const json& body, http_headers headers) {
  return send({.method = "POST",
               .target = std::move(target),
               .body = body.is_null() ? "" : body.dump(),
               .headers = std::move(headers)});
}

std::vector<std::string> api_client::issue(const std::string& type, unsigned count) {
  const auto answer = post("/v1/ids/" + type, {{"count", count}});
  if (answer.status != 201) throw std::runtime_error("issue of " + type + ": " + answer.shown());
  return answer().at("ids").get<std::vector<std::string>>();
}

void expect_problem(const std::optional<http_answer>& answer, int status, std::string_view sent) {
  const auto shown = sent.substr(0, 200);
  ASSERT_TRUE(answer) << "no answer to " << shown;
  EXPECT_EQ(answer->status, status) << shown << "\n" << answer->body;
  EXPECT_EQ(contract()->breach_of_problem(*answer), "") << shown << "\n" << answer->status << " " << answer->body;
}

} // namespace matricula::test
