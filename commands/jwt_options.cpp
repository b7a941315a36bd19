#include "commands/jwt_options.hpp"

#include "config/url.hpp"

#include <algorithm>

namespace matricula::commands {

api::jwks_source_options jwks_options_of(const config::settings& s) {
  api::jwks_source_options out;
  out.every = std::chrono::seconds(s.jwt.refresh_s);
  // The other threads go on serving those whose keys are known.
  out.waiters_max = std::max(1U, s.server.threads * 3 / 4);
  out.early_waiters_max = std::max(1U, s.server.threads / 4);
  out.from.file = s.jwt.jwks_file;
  out.from.ca_file = s.jwt.ca_file;
  if (const auto url = config::split_url(s.jwt.jwks_url)) {
    out.from.tls = url->tls;
    out.from.host = url->host;
    out.from.port = url->port;
    out.from.target = url->target;
  }
  return out;
}

api::jwt_gate_rules jwt_rules_of(const config::jwt_settings& s) {
  api::jwt_gate_rules out;
  out.token = {.issuer = s.issuer, .audiences = s.audience, .leeway = std::chrono::seconds(s.leeway_s)};
  out.mapping = {.name_claim = s.name_claim,
                 .tenant_claim = s.tenant_claim,
                 .tenant = s.tenant,
                 .roles_claim = s.roles_claim,
                 .scopes_of_role = {}};
  for (const auto& entry : s.role_map)
    if (auto role = config::parse_role(entry)) out.mapping.scopes_of_role[role->role] = std::move(role->scopes);
  return out;
}

} // namespace matricula::commands
