/// The client of every end-to-end test: no answer gets past it without being checked against openapi.yaml.
#pragma once
#include "test/e2e/openapi_contract.hpp"
#include "test/support/http_client.hpp"
#include "test/support/node_process.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::test {

struct api_answer : http_answer {
  /// The body, parsed; null when it is not JSON.
  [[nodiscard]] const nlohmann::json& operator()() const noexcept { return parsed; }
  /// The `code` of a problem, or the first `errorCode` of an envelope; empty when it is neither.
  [[nodiscard]] std::string code() const;
  /// "the status and the body", for messages.
  [[nodiscard]] std::string shown() const { return std::to_string(status) + " " + body.substr(0, 600); }
  nlohmann::json parsed;
};

/// The description that the repository holds, which is the one that the node serves (there is a test for that).
[[nodiscard]] std::shared_ptr<const openapi_contract> contract();

class api_client {
public:
  api_client(std::uint16_t port, std::string token) : http_(port, std::move(token)) {}
  explicit api_client(const node_process& node) : api_client(node.port(), node.token()) {}

  /// Throws std::runtime_error when no answer came; fails the test when the answer is not as documented.
  [[nodiscard]] api_answer send(const http_request& what);
  [[nodiscard]] api_answer get(std::string target) { return send({.target = std::move(target)}); }
  [[nodiscard]] api_answer post(std::string target, const nlohmann::json& body = nullptr, http_headers headers = {});

  /// Issues `count` identifiers; throws when that is refused.
  [[nodiscard]] std::vector<std::string> issue(const std::string& type, unsigned count = 1);
  [[nodiscard]] http_client& raw() noexcept { return http_; }

private:
  http_client http_;
};

/// Checks an answer to raw bytes. Fails the test when it is not a proper problem.
void expect_problem(const std::optional<http_answer>& answer, int status, std::string_view sent);

} // namespace matricula::test
