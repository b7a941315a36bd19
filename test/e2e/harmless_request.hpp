/// Every operation of openapi.yaml, asked in a way that does no harm: for tests of who may ask.
#pragma once
#include "test/e2e/api_client.hpp"
#include "test/support/node_process.hpp"

#include <functional>
#include <set>
#include <string>
#include <type_traits>

namespace matricula::test {

/// A request for `op` that, with the right scope, reaches the handler and does no harm.
[[nodiscard]] inline http_request harmless(const openapi_contract::operation& op) {
  std::string target;
  for (std::size_t at = 0; at < op.path.size();) {
    if (op.path[at] != '{') {
      target += op.path[at++];
      continue;
    }
    const auto end = op.path.find('}', at);
    const auto name = op.path.substr(at + 1, end - at - 1);
    target += name == "path" ? "root/nobody" : name == "type" ? "uin" : name == "id_type" ? "farmer" : "0000000000";
    at = end + 1;
  }
  http_request what{.method = op.method, .target = target};
  if (op.document.contains("requestBody") && op.document.at("requestBody").value("required", false))
    what.body = R"({"reason":"a test of scopes"})";
  return what;
}

/// The scopes that some operation needs.
[[nodiscard]] inline std::set<std::string> every_scope() {
  std::set<std::string> all;
  for (const auto& op : contract()->operations())
    if (op.scope != "none") all.insert(op.scope);
  return all;
}

/// Credentials for a scope, as headers.
using credentials_for = std::function<http_headers(const std::string& scope)>;
[[nodiscard]] inline credentials_for bearer(const std::string& token) {
  return [token](const std::string&) { return http_headers{{"Authorization", "Bearer " + token}}; };
}

/// Asks every operation that needs a scope, on one connection, and has each answer checked.
/// @param check takes the answer, or the operation and the answer
template <class Check>
void ask_everything(const node_process& node, const credentials_for& credentials, Check&& check) {
  std::size_t asked = 0;
  api_client client(node.port(), "");
  for (const auto& op : contract()->operations()) {
    if (op.scope == "none") continue;
    SCOPED_TRACE(op.method + " " + op.path);
    auto what = harmless(op);
    for (auto& one : credentials(op.scope)) what.headers.push_back(std::move(one));
    if constexpr (std::is_invocable_v<Check, const openapi_contract::operation&, const api_answer&>)
      check(op, client.send(what));
    else
      check(client.send(what));
    ++asked;
  }
  EXPECT_GT(asked, 15U);
}

} // namespace matricula::test
