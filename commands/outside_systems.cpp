#include "commands/outside_systems.hpp"

#include "commands/private_file.hpp"
#include "config/url.hpp"
#include "connectors/http_generator.hpp"
#include "foundation/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace matricula::commands {

namespace {

constexpr std::size_t secret_bytes_max = 4096;

/// @param table "generators.mosip"
result<connectors::http_location> location_in(std::string_view table, std::string_view key, const std::string& url,
                                              const std::string& ca_file) {
  auto at = location_of(url);
  if (!at) return fail(errc::invalid_argument, fmt::format("{}.{} is no address of http or https.", table, key));
  if (!at->tls && !config::is_loopback(at->host))
    log::warning("connectors.plain_http", "This address is not over TLS: who is on the way can read along.",
                 {{"setting", fmt::format("{}.{}", table, key)}});
  at->ca_file = ca_file;
  return std::move(*at);
}

/// Empty when neither a file nor a variable is named.
result<std::string> secret_of(std::string_view table, std::string_view file_key, const std::string& file,
                              std::string_view variable_key, const std::string& variable) {
  std::string secret, setting;
  if (!variable.empty()) {
    setting = fmt::format("{}.{}", table, variable_key);
    const char* text = std::getenv(variable.c_str());
    if (text == nullptr)
      return fail(errc::invalid_argument, fmt::format("{}: the variable {} is not set.", setting, variable));
    secret = text;
  } else if (!file.empty()) {
    setting = fmt::format("{}.{}", table, file_key);
    auto text = read_private_file(file, setting, secret_bytes_max + 1);
    if (!text) return text;
    secret = std::move(*text);
  } else {
    return secret;
  }
  while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return fail(errc::invalid_argument, fmt::format("{}: the secret is empty.", setting));
  if (secret.size() > secret_bytes_max)
    return fail(errc::invalid_argument, fmt::format("{}: the secret is over {} bytes.", setting, secret_bytes_max));
  return secret;
}

/// Puts the table before a message about a CA file.
std::unexpected<error> in_table(std::string_view table, error why) {
  why.message = fmt::format("{}.ca_file: {}", table, why.message);
  return std::unexpected(std::move(why));
}

} // namespace

std::optional<connectors::http_location> location_of(std::string_view url) {
  const auto parts = config::split_url(url);
  if (!parts) return std::nullopt;
  return connectors::http_location{.tls = parts->tls,
                                   .host = parts->host,
                                   .port = parts->port,
                                   .target = parts->target,
                                   .user = {},
                                   .password = {},
                                   .ca_file = {}};
}

result<std::unique_ptr<registrants::id_generator>> make_generator(const config::settings& s, std::string_view name,
                                                                  const clock& time) {
  const auto found = s.generators.find(name);
  if (found == s.generators.end())
    return fail(errc::not_found,
                fmt::format("There is no generator {}: the settings need [generators.{}].", name, name));
  const auto& own = found->second;
  const auto table = fmt::format("generators.{}", name);
  auto at = location_in(table, "url", own.url, own.ca_file);
  if (!at) return std::unexpected(at.error());
  connectors::http_generator_options options{.at = std::move(*at),
                                             .id_type = own.id_type,
                                             .at_most = milliseconds(own.timeout_ms),
                                             .tokens = {},
                                             .time = &time};
  if (!own.token_url.empty()) {
    auto tokens_at = location_in(table, "token_url", own.token_url, own.ca_file);
    if (!tokens_at) return std::unexpected(tokens_at.error());
    auto secret =
        secret_of(table, "client_secret_file", own.client_secret_file, "client_secret_env", own.client_secret_env);
    if (!secret) return std::unexpected(secret.error());
    if (secret->empty() || own.client_id.empty())
      return fail(errc::invalid_argument,
                  fmt::format("{}.token_url needs client_id, and client_secret_file or client_secret_env.", table));
    options.tokens = connectors::access_token_options{
        .at = std::move(*tokens_at), .client_id = own.client_id, .client_secret = std::move(*secret), .time = &time};
  }
  if (own.kind != "mosip" && own.kind != "openg2p")
    return fail(errc::invalid_argument, fmt::format("{}.kind is neither mosip nor openg2p.", table));
  auto made = own.kind == "mosip" ? connectors::make_mosip_generator(std::move(options))
                                  : connectors::make_openg2p_generator(std::move(options));
  if (!made) return in_table(table, std::move(made.error()));
  return made;
}

result<std::unique_ptr<connectors::webhook>> make_webhook(const config::settings& s, std::string_view name,
                                                          const clock& time) {
  const auto found = s.webhooks.find(name);
  if (found == s.webhooks.end())
    return fail(errc::not_found, fmt::format("There is no webhook {}: the settings need [webhooks.{}].", name, name));
  const auto& own = found->second;
  const auto table = fmt::format("webhooks.{}", name);
  auto at = location_in(table, "url", own.url, own.ca_file);
  if (!at) return std::unexpected(at.error());
  auto secret = secret_of(table, "secret_file", own.secret_file, "secret_env", own.secret_env);
  if (!secret) return std::unexpected(secret.error());
  auto made = connectors::webhook::make({.at = std::move(*at),
                                         .allowed_hosts = own.allowed_hosts,
                                         .secret = std::move(*secret),
                                         .at_most = milliseconds(own.timeout_ms),
                                         .time = &time});
  if (!made) return in_table(table, std::move(made.error()));
  return made;
}

} // namespace matricula::commands
