#include "api/jwt_principal.hpp"

#include <algorithm>

namespace matricula::api {

namespace {
constexpr std::size_t name_bytes_max = 255; ///< OpenID Connect Core 1.0, section 2: `sub`
constexpr std::size_t tenant_bytes_max = 64;

const json::value* member(const json::value& of, std::string_view name) {
  const auto* members = of.as<json::value::object>();
  if (!members) return nullptr;
  const auto found = std::ranges::find(*members, name, &json::member::name);
  return found == members->end() ? nullptr : &found->held;
}

/// Printable ASCII without blanks: it goes into logs and the audit trail, where nothing may look like something else.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= name_bytes_max &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

/// As the tokens file has it.
bool is_tenant(std::string_view text) {
  return !text.empty() && text.size() <= tenant_bytes_max && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::vector<std::string_view> roles_in(const json::value* claim) {
  if (!claim) return {};
  if (const auto* text = claim->as<std::string>()) return words_of(*text);
  std::vector<std::string_view> roles;
  if (const auto* list = claim->as<json::value::array>())
    for (const auto& item : *list)
      if (const auto* role = item.as<std::string>()) roles.push_back(*role);
  return roles;
}
} // namespace

const json::value* claim_at(const json::value& claims, std::string_view path) {
  if (const auto* whole = member(claims, path)) return whole;
  const auto* at = &claims;
  while (at) {
    const auto dot = path.find('.');
    at = member(*at, path.substr(0, dot));
    if (dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

result<principal> principal_of(const json::value& claims, const principal_mapping& mapping) {
  const auto text_at = [&claims](std::string_view path) -> std::string_view {
    const auto* claim = claim_at(claims, path);
    const auto* text = claim ? claim->as<std::string>() : nullptr;
    return text ? std::string_view(*text) : std::string_view{};
  };
  const auto name = text_at(mapping.name_claim);
  if (!is_name(name))
    return fail(errc::unauthenticated, "The token's claim " + mapping.name_claim +
                                           ", which names its bearer, is not 1 to 255 printable ASCII characters.");
  const auto tenant = mapping.tenant_claim.empty() ? std::string_view(mapping.tenant) : text_at(mapping.tenant_claim);
  if (!is_tenant(tenant))
    return fail(errc::unauthenticated,
                "The token's claim " + mapping.tenant_claim +
                    ", which names the tenant, is not 1 to 64 letters, digits, '.', '_' or '-'.");
  principal out{"jwt:" + std::string(name), std::string(tenant), {}};
  for (const auto role : roles_in(claim_at(claims, mapping.roles_claim)))
    if (const auto known = mapping.scopes_of_role.find(role); known != mapping.scopes_of_role.end())
      out.scopes.insert(out.scopes.end(), known->second.begin(), known->second.end());
  std::ranges::sort(out.scopes);
  const auto twice = std::ranges::unique(out.scopes);
  out.scopes.erase(twice.begin(), twice.end());
  return out;
}

} // namespace matricula::api
