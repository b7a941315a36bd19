#include "config/consistency.hpp"

#include "config/family.hpp"
#include "config/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <system_error>

namespace matricula::config {
namespace {

/// Longer ones do not fit the 128 bits of the permutation.
constexpr std::uint32_t letters_length_max = 24;

void check_access(const loaded& now, problem_list& problems) {
  const auto& s = now.values;
  if (s.auth.mode != auth_mode::none) return;
  const auto address = split_address(s.server.listen);
  if (address && is_loopback(address->host)) return;
  problems.add(now.origin_of("auth.mode"), "auth.mode",
               fmt::format("found \"none\" with server.listen = {}; allowed: \"none\" only on 127.0.0.1, [::1] or "
                           "localhost, else \"tokens\", \"jwt\" or \"tokens_and_jwt\"",
                           in_quotes(s.server.listen)));
}

void check_jwks_source(const loaded& now, problem_list& problems, const std::string& mode) {
  const auto& jwt = now.values.jwt;
  if (!jwt.jwks_file.empty() && !jwt.jwks_url.empty())
    problems.add(now.origin_of("auth.jwt.jwks_url"), "auth.jwt.jwks_url",
                 fmt::format("found besides auth.jwt.jwks_file ({}); allowed: one of the two",
                             to_string(now.origin_of("auth.jwt.jwks_file"))));
  if (takes_jwt(now.values.auth.mode) && jwt.jwks_file.empty() && jwt.jwks_url.empty())
    problems.add(now.origin_of("auth.mode"), "auth.mode",
                 fmt::format("found {} without auth.jwt.jwks_file and auth.jwt.jwks_url; allowed: with one of the two",
                             in_quotes(mode)));
  if (jwt.jwks_url.empty()) return;
  const auto url = split_url(jwt.jwks_url);
  if (!url || (!url->tls && !is_loopback(url->host)))
    problems.add(
        now.origin_of("auth.jwt.jwks_url"), "auth.jwt.jwks_url",
        fmt::format("found the text {}; allowed: https://HOST[:PORT]/PATH without user and fragment, or http:// "
                    "with 127.0.0.1, [::1] or localhost",
                    shown(jwt.jwks_url)));
}

void check_jwt(const loaded& now, problem_list& problems) {
  const auto& jwt = now.values.jwt;
  const auto mode = std::get<std::string>(find_setting("auth.mode")->row->read(now.values, {}));
  check_jwks_source(now, problems, mode);
  const auto refuse_if = [&](bool wrong, std::string_view key, std::string_view found, std::string_view allowed) {
    if (wrong) problems.add(now.origin_of(key), std::string(key), fmt::format("found {}; allowed: {}", found, allowed));
  };
  std::set<std::string, std::less<>> roles;
  for (const auto& entry : jwt.role_map)
    if (const auto role = parse_role(entry); role && !roles.insert(role->role).second)
      refuse_if(true, "auth.jwt.role_map", fmt::format("the role {} twice", shown(role->role)), "each role once");
  const bool is_tenant = jwt.tenant.size() <= 64 && std::ranges::all_of(jwt.tenant, [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                  c == '.' || c == '_' || c == '-';
                         });
  refuse_if(!is_tenant, "auth.jwt.tenant", "the text " + shown(jwt.tenant), "1 to 64 letters, digits, '.', '_' or '-'");
  if (!takes_jwt(now.values.auth.mode)) return;
  const auto in_mode = fmt::format(" with auth.mode = {}", in_quotes(mode));
  refuse_if(jwt.issuer.empty(), "auth.jwt.issuer", "nothing" + in_mode, "the claim iss of the tokens to accept");
  refuse_if(jwt.audience.empty(), "auth.jwt.audience", "nothing" + in_mode,
            "at least one value of the claim aud of the tokens to accept");
  refuse_if(jwt.role_map.empty(), "auth.jwt.role_map", "nothing" + in_mode,
            "at least one \"ROLE=scope\", or no token may do anything");
}

/// Whether `path` is `folder` or in it, by name alone: links are not followed. Relative names begin where the process
/// runs.
bool is_inside(const std::string& path, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code unknown; // the working directory is gone: then names are compared as they stand
  const auto absolute = [&unknown](const fs::path& name) {
    auto whole = fs::absolute(name, unknown);
    return (unknown ? name : whole).lexically_normal();
  };
  const auto inner = absolute(path), outer = absolute(fs::path(folder) / "");
  if (inner.is_absolute() != outer.is_absolute()) return false;
  const auto relative = inner.lexically_relative(outer);
  return !relative.empty() && *relative.begin() != "..";
}

void check_key(const loaded& now, problem_list& problems) {
  const auto& ids = now.values.identifiers;
  const std::array<std::pair<std::string_view, bool>, 3> ways{{{"identifiers.key_file", !ids.key_file.empty()},
                                                               {"identifiers.key_command", !ids.key_command.empty()},
                                                               {"identifiers.key", !ids.key.empty()}}};
  std::string_view first;
  for (const auto& [key, is_set] : ways) {
    if (!is_set) continue;
    if (!first.empty())
      problems.add(now.origin_of(key), std::string(key),
                   fmt::format("found besides {} ({}); allowed: one of identifiers.key_file, identifiers.key_command "
                               "and identifiers.key",
                               first, to_string(now.origin_of(first))));
    else
      first = key;
  }
  if (!ids.key_file.empty() && is_inside(ids.key_file, now.values.storage.data_dir))
    problems.add(now.origin_of("identifiers.key_file"), "identifiers.key_file",
                 fmt::format("found {} inside storage.data_dir = {}; allowed: a file elsewhere, so that a copy of the "
                             "data is no copy of the key",
                             shown(ids.key_file), shown(now.values.storage.data_dir)));
}

void check_previous_keys(const loaded& now, problem_list& problems) {
  constexpr std::string_view key = "identifiers.previous_keys";
  for (const auto& entry : now.values.identifiers.previous_keys) {
    const auto source = parse_key_source(entry);
    if (!source || source->from != key_source::kind::file) continue;
    if (is_inside(source->what, now.values.storage.data_dir))
      problems.add(
          now.origin_of(key), std::string(key),
          fmt::format("found {} inside storage.data_dir = {}; allowed: a file elsewhere, so that a copy of the "
                      "data is no copy of the key",
                      shown(source->what), shown(now.values.storage.data_dir)));
  }
}

void check_config_server(const loaded& now, problem_list& problems) {
  const auto& server = now.values.config_server;
  if (server.url.empty()) return;
  const auto url = split_url(server.url);
  if (!url || (!url->tls && !is_loopback(url->host)))
    problems.add(now.origin_of("config_server.url"), "config_server.url",
                 fmt::format("found the text {}; allowed: https://HOST[:PORT]/PATH without user and fragment, or "
                             "http:// with 127.0.0.1, [::1] or localhost",
                             shown(server.url)));
  const std::array<std::pair<std::string_view, const std::string*>, 3> words{
      {{"config_server.application", &server.application},
       {"config_server.profile", &server.profile},
       {"config_server.label", &server.label}}};
  for (const auto& [key, word] : words)
    if (!std::ranges::all_of(*word, [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                 c == '-' || c == ',';
        }))
      problems.add(now.origin_of(key), std::string(key),
                   fmt::format("found the text {}; allowed: letters, digits, '.', '_', '-' and ','", shown(*word)));
  if (server.user.empty() != server.password.empty())
    problems.add(now.origin_of("config_server.user"), "config_server.user",
                 fmt::format("found {} a password; allowed: both or neither, the password in the environment variable "
                             "MATRICULA_CONFIG_SERVER__PASSWORD",
                             server.user.empty() ? "nothing with" : "a user without"));
}

void check_url(const loaded& now, problem_list& problems, const std::string& key, const std::string& url) {
  if (split_url(url)) return;
  problems.add(
      now.origin_of(key), key,
      fmt::format("found the text {}; allowed: http:// or https://, HOST[:PORT]/PATH, without user and fragment",
                  shown(url)));
}

/// A secret in a file or a variable: at most one of the two, outside the data folder.
void check_secret(const loaded& now, problem_list& problems, const std::string& file_key, const std::string& file,
                  const std::string& variable_key, const std::string& variable) {
  if (!file.empty() && !variable.empty())
    problems.add(now.origin_of(variable_key), variable_key,
                 fmt::format("found besides {} ({}); allowed: one of the two", name_of(file_key),
                             to_string(now.origin_of(file_key))));
  if (!file.empty() && is_inside(file, now.values.storage.data_dir))
    problems.add(now.origin_of(file_key), file_key,
                 fmt::format("found {} inside storage.data_dir = {}; allowed: a file elsewhere, so that a copy of the "
                             "data is no copy of the secret",
                             shown(file), shown(now.values.storage.data_dir)));
  if (!variable.empty() && !parse_key_source("env:" + variable))
    problems.add(now.origin_of(variable_key), variable_key,
                 fmt::format("found the text {}; allowed: the name of an environment variable: letters, digits and "
                             "underscores",
                             shown(variable)));
}

void check_generator(const loaded& now, problem_list& problems, const std::string& name, const generator_settings& g) {
  const auto key = [&](std::string_view last) { return fmt::format("generators.{}.{}", name, last); };
  check_url(now, problems, key("url"), g.url);
  if (g.kind == "openg2p" && !is_type_name(g.id_type))
    problems.add(now.origin_of(key("id_type")), key("id_type"),
                 fmt::format("found {} with kind = \"openg2p\"; allowed: a small letter, then 1 to 63 small letters, "
                             "digits or underscores",
                             g.id_type.empty() ? "nothing" : "the text " + shown(g.id_type)));
  if (g.kind == "mosip" && !g.id_type.empty())
    problems.add(now.origin_of(key("id_type")), key("id_type"),
                 fmt::format("found the text {} with kind = \"mosip\"; allowed: nothing, MOSIP has UINs only",
                             shown(g.id_type)));
  check_secret(now, problems, key("client_secret_file"), g.client_secret_file, key("client_secret_env"),
               g.client_secret_env);
  const bool has_secret = !g.client_secret_file.empty() || !g.client_secret_env.empty();
  if (!g.token_url.empty()) check_url(now, problems, key("token_url"), g.token_url);
  if (!g.token_url.empty() && (g.client_id.empty() || !has_secret))
    problems.add(now.origin_of(key("token_url")), key("token_url"),
                 fmt::format("found without {}; allowed: with client_id and with client_secret_file or "
                             "client_secret_env",
                             g.client_id.empty() ? "client_id" : "a secret"));
  if (g.token_url.empty() && (!g.client_id.empty() || has_secret)) {
    const auto there = key(!g.client_id.empty()            ? "client_id"
                           : !g.client_secret_file.empty() ? "client_secret_file"
                                                           : "client_secret_env");
    problems.add(now.origin_of(there), there, "found without token_url; allowed: with it");
  }
}

void check_webhook(const loaded& now, problem_list& problems, const std::string& name, const webhook_settings& w) {
  const auto key = [&](std::string_view last) { return fmt::format("webhooks.{}.{}", name, last); };
  check_url(now, problems, key("url"), w.url);
  check_secret(now, problems, key("secret_file"), w.secret_file, key("secret_env"), w.secret_env);
  for (const auto& entry : w.allowed_hosts)
    if (!is_host_entry(entry))
      problems.add(
          now.origin_of(key("allowed_hosts")), key("allowed_hosts"),
          fmt::format("found the text {}; allowed: \"HOST\" or \"HOST:PORT\", IPv6 in brackets", shown(entry)));
}

/// Whether libpq would find a password in it: `password=` among its words, or one in front of the host of a URL.
bool holds_password(std::string_view connection) {
  if (connection.find("password") != std::string_view::npos && !connection.starts_with("postgres")) return true;
  const auto at = connection.find("://");
  if (at == std::string_view::npos) return false;
  const auto rest = connection.substr(at + 3);
  const auto user = rest.substr(0, std::min(rest.find('@'), rest.size()));
  const bool in_user = user.size() < rest.size() && user.find(':') != std::string_view::npos;
  return in_user || rest.find("password=") != std::string_view::npos;
}

/// NAME, or SCHEMA.NAME where `with_schema`.
bool is_sql_name(std::string_view name, bool with_schema) {
  constexpr std::size_t bytes_max = 63;
  const auto dot = name.find('.');
  if (with_schema && dot != std::string_view::npos)
    return is_sql_name(name.substr(0, dot), false) && is_sql_name(name.substr(dot + 1), false);
  return !name.empty() && name.size() <= bytes_max && !(name.front() >= '0' && name.front() <= '9') &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

void check_not_below(const loaded& now, problem_list& problems, std::string_view upper_key, std::uint32_t upper,
                     std::string_view lower_key, std::uint32_t lower) {
  if (upper >= lower) return;
  problems.add(now.origin_of(upper_key), std::string(upper_key),
               fmt::format("found the integer {}; allowed: not below {} = {}", upper, name_of(lower_key), lower));
}

void check_server(const loaded& now, problem_list& problems) {
  const auto& s = now.values;
  check_not_below(now, problems, "server.buffered_bytes_max", s.server.buffered_bytes_max, "server.body_bytes_max",
                  s.server.body_bytes_max);
  if (s.tls.certificate.empty() == s.tls.key.empty()) return;
  const std::string there = s.tls.key.empty() ? "server.tls.certificate" : "server.tls.key";
  const std::string missing = s.tls.key.empty() ? "server.tls.key" : "server.tls.certificate";
  problems.add(now.origin_of(missing), missing,
               fmt::format("found nothing with {} set; allowed: both files, or none", there));
}

void check_type(const loaded& now, problem_list& problems, const std::string& name, const type_settings& type) {
  const auto key = [&](std::string_view last) { return fmt::format("identifiers.types.{}.{}", name, last); };
  check_not_below(now, problems, key("pool_target"), type.pool_target, key("pool_min"), type.pool_min);
  if (type.alphabet == "letters_and_digits" && type.length > letters_length_max)
    problems.add(now.origin_of(key("length")), key("length"),
                 fmt::format("found the integer {} with alphabet = \"letters_and_digits\"; allowed: at most {} "
                             "characters with letters",
                             type.length, letters_length_max));
}

/// What names a generator names one that is there.
void check_generator_is_there(const loaded& now, problem_list& problems, const std::string& key,
                              const std::string& generator) {
  if (generator == local_generator || now.values.generators.contains(generator)) return;
  problems.add(now.origin_of(key), key,
               fmt::format("found the text {}; allowed: \"{}\" or the name of one of [generators.NAME]",
                           shown(generator), local_generator));
}

void check_bridge(const loaded& now, problem_list& problems, const std::string& name, const bridge_settings& bridge) {
  const auto key = [&](std::string_view last) { return fmt::format("bridges.{}.{}", name, last); };
  const auto refuse_if = [&](bool wrong, std::string_view last, const std::string& found, std::string_view allowed) {
    if (wrong) problems.add(now.origin_of(key(last)), key(last), fmt::format("found {}; allowed: {}", found, allowed));
  };
  refuse_if(holds_password(bridge.connection), "connection", "a password (not shown)",
            fmt::format("none here, but in {} or the environment variable {}", key("password_file"),
                        environment_name(key("password"))));
  refuse_if(!bridge.password.empty() && !bridge.password_file.empty(), "password_file",
            fmt::format("a file besides {}", key("password")), "one of the two");
  constexpr std::string_view table = "NAME or SCHEMA.NAME of letters, digits and '_'";
  refuse_if(!bridge.task_table.empty() && !is_sql_name(bridge.task_table, true), "task_table",
            "the text " + shown(bridge.task_table), table);
  refuse_if(!is_sql_name(bridge.registrant_table, true), "registrant_table",
            "the text " + shown(bridge.registrant_table), table);
  refuse_if(!is_sql_name(bridge.id_column, false), "id_column", "the text " + shown(bridge.id_column),
            "a name of letters, digits and '_'");
  refuse_if(bridge.request_worker_type == bridge.update_worker_type, "update_worker_type",
            "the text " + shown(bridge.update_worker_type), "not the same as request_worker_type");
  check_not_below(now, problems, key("backoff_max_ms"), bridge.backoff_max_ms, key("backoff_first_ms"),
                  bridge.backoff_first_ms);
  check_secret(now, problems, key("password_file"), bridge.password_file, {}, {});
  check_generator_is_there(now, problems, key("generator"), bridge.generator);
  const auto generator = now.values.generators.find(bridge.generator);
  if (generator == now.values.generators.end()) return;
  const auto call_ms = std::uint64_t{generator->second.timeout_ms} + bridge.statement_timeout_ms;
  refuse_if(bridge.lease_seconds * std::uint64_t{1000} <= call_ms, "lease_seconds",
            fmt::format("the integer {}", bridge.lease_seconds),
            fmt::format("longer than generators.{}.timeout_ms and statement_timeout_ms together, {} ms, or a call that "
                        "still runs is made again",
                        bridge.generator, call_ms));
}

/// Whose policies would hold would otherwise depend on what a reader looks at first. What only repeats the shipped
/// ones, as `config show` does, is no contradiction.
void check_policy_file(const loaded& now, problem_list& problems) {
  if (now.values.vid_policies.file.empty()) return;
  const auto shipped = defaults();
  for (const auto& [key, at] : now.origins) {
    const auto [of, name] = member_in(key);
    const auto known = find_setting(key);
    if (of == nullptr || of->table != "vid_policies" || !known || known->type.empty()) continue;
    if (of->has(shipped, name) && known->row->read(shipped, name) == known->row->read(now.values, name)) continue;
    problems.add(at, key,
                 fmt::format("found besides vid_policies.file ({}); allowed: policies in one of the two",
                             to_string(now.origin_of("vid_policies.file"))));
  }
}

/// A shipped kind whose type somebody has disabled is a kind less; a type that somebody named must be there.
void check_kind(const loaded& now, problem_list& problems, const std::string& name,
                const registrant_kind_settings& of) {
  const auto key = fmt::format("registrants.kinds.{}.id_type", name);
  const auto type = now.values.identifiers.types.find(of.id_type);
  check_generator_is_there(now, problems, fmt::format("registrants.kinds.{}.generator", name), of.generator);
  if (!now.origins.contains(key) || type != now.values.identifiers.types.end()) return;
  problems.add(now.origin_of(key), key,
               fmt::format("found the text {}; allowed: the name of an identifier type", shown(of.id_type)));
}

void check_webhook_sink(const loaded& now, problem_list& problems, const std::string& name,
                        const alert_sink_settings& sink) {
  if (!sink.enabled || sink.kind != sink_kind::webhook || now.values.webhooks.contains(sink.webhook)) return;
  const auto key = fmt::format("alerts.sinks.{}.webhook", name);
  problems.add(now.origin_of(key), key,
               fmt::format("found {} with kind = \"webhook\"; allowed: the name of one of [webhooks.NAME]",
                           sink.webhook.empty() ? "nothing" : "the text " + shown(sink.webhook)));
}

/// The addresses themselves are looked at where mails are written.
void check_mail_sink(const loaded& now, problem_list& problems, const std::string& name,
                     const alert_sink_settings& sink) {
  const auto refuse_if = [&](bool wrong, std::string_view last, std::string_view found, std::string_view allowed) {
    const auto key = fmt::format("alerts.sinks.{}.{}", name, last);
    if (wrong) problems.add(now.origin_of(key), key, fmt::format("found {}; allowed: {}", found, allowed));
  };
  if (!sink.enabled || sink.kind != sink_kind::smtp) return;
  const auto server = split_address(sink.server);
  refuse_if(!server || server->port == 0, "server", "the text " + shown(sink.server),
            "\"HOST:PORT\", with an IPv6 address in brackets and a port from 1 to 65535");
  refuse_if(server && sink.security == mail_security::none && !is_loopback(server->host), "security",
            "\"none\" with server = " + shown(sink.server),
            "\"none\" only on 127.0.0.1, [::1] or localhost, else \"starttls\" or \"tls\"");
  refuse_if(sink.from.empty(), "from", "nothing with kind = \"smtp\"", "the sender's address");
  refuse_if(sink.to.empty(), "to", "nothing with kind = \"smtp\"", "at least one address");
  refuse_if(!sink.password.empty() && !sink.password_file.empty(), "password_file", "besides a password",
            "one of the two");
  check_secret(now, problems, fmt::format("alerts.sinks.{}.password_file", name), sink.password_file, {}, {});
  refuse_if(sink.user.empty() != (sink.password.empty() && sink.password_file.empty()), "user",
            sink.user.empty() ? "nothing with a password" : "a user without a password",
            "both or neither, the password in password_file or in the environment");
}

} // namespace

void check_consistency(const loaded& now, problem_list& problems) {
  const auto& s = now.values;
  check_access(now, problems);
  check_server(now, problems);
  check_jwt(now, problems);
  check_key(now, problems);
  check_previous_keys(now, problems);
  check_config_server(now, problems);
  check_policy_file(now, problems);
  check_not_below(now, problems, "runtime.backoff_max_ms", s.runtime.backoff_max_ms, "runtime.backoff_min_ms",
                  s.runtime.backoff_min_ms);
  for (const auto& [name, type] : s.identifiers.types) check_type(now, problems, name, type);
  for (const auto& [name, of] : s.registrants.kinds) check_kind(now, problems, name, of);
  for (const auto& [name, generator] : s.generators) check_generator(now, problems, name, generator);
  for (const auto& [name, webhook] : s.webhooks) check_webhook(now, problems, name, webhook);
  for (const auto& [name, type] : s.tasks.types)
    check_not_below(now, problems, fmt::format("tasks.types.{}.backoff_max_ms", name), type.backoff_max_ms,
                    fmt::format("tasks.types.{}.backoff_first_ms", name), type.backoff_first_ms);
  for (const auto& [name, bridge] : s.bridges) check_bridge(now, problems, name, bridge);
  check_not_below(now, problems, "alerts.repeat_max_minutes", s.alerts.repeat_max_minutes,
                  "alerts.repeat_first_minutes", s.alerts.repeat_first_minutes);
  for (const auto& [name, sink] : s.alerts.sinks) {
    check_mail_sink(now, problems, name, sink);
    check_webhook_sink(now, problems, name, sink);
  }
}

} // namespace matricula::config
