#include "api/tokens.hpp"

#include "commands/commands.hpp"
#include "config/report.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace matricula::commands {

int token_create(const token_options& options) {
  const auto loaded = options.settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return 1;
  }
  const auto now = system_clock{}.wall();
  api::token_request wanted{.name = options.name, .tenant = options.tenant, .scopes = options.scopes};
  if (!options.quota.empty()) {
    const auto quota = api::parse_own_quota(options.quota);
    if (!quota) {
      fmt::print(stderr, "{}\n", quota.error().message);
      return 1;
    }
    wanted.quota = *quota;
  }
  if (options.expires_in_days) wanted.expires = now + std::chrono::days(*options.expires_in_days);
  const std::filesystem::path file = config::tokens_path(loaded->values);
  std::error_code ignored;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), ignored);
  const auto token = api::create_token(file, wanted, now);
  if (!token) {
    fmt::print(stderr, "{}\n", token.error().message);
    return 1;
  }
  fmt::print("{}\n", *token);
  fmt::print(stderr, "This is the only time the token is shown. Only its hash is kept, in {}.\n", file.string());
  return 0;
}

int token_revoke(const settings_options& settings, const std::string& name) {
  const auto loaded = settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return 1;
  }
  if (const auto done = api::revoke_token(config::tokens_path(loaded->values), name); !done) {
    fmt::print(stderr, "{}\n", done.error().message);
    return 1;
  }
  fmt::print("Revoked. A running node forgets it on reload (SIGHUP or POST /v1/config/reload).\n");
  return 0;
}

} // namespace matricula::commands
