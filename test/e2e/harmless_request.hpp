/// Every operation of openapi.yaml, asked in a way that does no harm: for tests of who may ask.
#pragma once
#include "test/e2e/api_client.hpp"

#include <set>
#include <string>

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

} // namespace matricula::test
