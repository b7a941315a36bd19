/// Who a token speaks for: its claims become a name, a tenant and scopes, as the settings say.
#pragma once
#include "api/json.hpp"
#include "api/route.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

struct principal_mapping {
  std::string name_claim = "sub";
  std::string tenant_claim; ///< empty: every token has the tenant `tenant`
  std::string tenant = "default";
  std::string roles_claim = "scope"; ///< a list of texts, or one text with spaces between
  /// What each role may do; other roles mean nothing here.
  std::map<std::string, std::vector<std::string>, std::less<>> scopes_of_role;
};

/// The claim at `path`: the claim of exactly that name ("https://example.org/roles"), else the members that its parts
/// between dots name ("realm_access.roles"). Null when there is none.
[[nodiscard]] const json::value* claim_at(const json::value& claims, std::string_view path);

/// The name gets "jwt:" in front, which no token of the tokens file has: so the two never meet in the audit log or in
/// idempotency keys, whatever names an issuer gives. No role that is known: no scopes.
/// Errors: unauthenticated (no usable name or tenant).
[[nodiscard]] result<principal> principal_of(const json::value& claims, const principal_mapping& mapping);

} // namespace matricula::api
