/// A node that takes JSON Web Tokens, and what an issuer says in them.
#pragma once
#include "test/e2e/harmless_request.hpp"
#include "test/e2e/node_fixture.hpp"
#include "test/support/jwt_signer.hpp"

#include <chrono>
#include <fstream>

namespace matricula::test {

inline constexpr const char* issuer = "https://issuer.example/realms/test";

inline std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct claim_set {
  std::string sub = "anna";
  std::string iss = issuer;
  std::string aud = "matricula";
  std::vector<std::string> roles = {};
  std::int64_t valid_for = 3600; ///< seconds
};
inline std::string claims_text(const claim_set& c) {
  return nlohmann::json{{"iss", c.iss},          {"aud", {"account", c.aud}},
                        {"sub", c.sub},          {"realm_access", {{"roles", c.roles}}},
                        {"iat", now_s() - 4000}, {"exp", now_s() + c.valid_for}}
      .dump();
}

/// A key set where a node finds it; replaced as a whole.
inline void publish(const node_process& node, const std::vector<std::string>& keys) {
  const auto fresh = node.scratch() / "keys.new";
  std::ofstream(fresh, std::ios::binary) << jwks_of(keys);
  std::filesystem::rename(fresh, node.scratch() / "keys.json");
}

/// A node that takes JWTs; each scope has a role of its own, and one of all others.
inline std::unique_ptr<node_process> make_jwt_node(const std::string& mode) {
  auto node = std::make_unique<node_process>(small_world());
  std::string roles;
  const auto all = every_scope();
  for (const auto& scope : all) {
    std::string others;
    for (const auto& other : all)
      if (other != scope) others += ' ' + other;
    roles += R"("only-)" + scope + "=" + scope + R"(", "without-)" + scope + "=" + others.substr(1) + R"(", )";
    const auto feature = scope.substr(0, scope.find(':'));
    if (roles.find("\"feature-" + feature + '=') == std::string::npos)
      roles += R"("feature-)" + feature + "=" + feature + R"(:*", )";
  }
  for (const auto& set :
       {"auth.mode=" + mode, "auth.jwt.jwks_file=" + (node->scratch() / "keys.json").string(),
        std::string("auth.jwt.issuer=") + issuer, std::string("auth.jwt.audience=matricula"),
        std::string("auth.jwt.roles_claim=realm_access.roles"), "auth.jwt.role_map=[" + roles + R"("all=*"])"})
    node->options().sets.push_back(set);
  return node;
}

} // namespace matricula::test
