/// The settings of a node as plain structs. Names end in their unit; ranges, defaults and meanings stand in schema.cpp
/// (and, for people, in matricula.toml): a value that came through `load` is inside its range.
#pragma once
#include "foundation/log.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::config {

struct server_settings {
  std::string listen;            ///< "HOST:PORT" or "[IPv6]:PORT"; port 0 = any free one
  std::uint32_t event_loops = 0; ///< 0 = as many as the processors need
  std::uint32_t threads = 0;
  std::uint32_t requests_waiting_max = 0;
  std::uint32_t requests_in_flight_max = 0;
  std::uint32_t connections_max = 0;
  std::uint32_t buffered_bytes_max = 0;
  std::uint32_t body_bytes_max = 0;
  std::uint32_t header_bytes_max = 0;
  std::uint32_t read_timeout_ms = 0;
  std::uint32_t write_timeout_ms = 0;
  std::uint32_t keep_alive_timeout_ms = 0;
  std::uint32_t keep_alive_requests_max = 0;
  std::uint32_t request_deadline_ms = 0;
  std::uint32_t drain_timeout_ms = 0;
  bool operator==(const server_settings&) const = default;
};

/// Both or none.
struct tls_settings {
  std::string certificate;
  std::string key;
  bool operator==(const tls_settings&) const = default;
};

enum class auth_mode : std::uint8_t { tokens, jwt, tokens_and_jwt, none };

struct auth_settings {
  auth_mode mode = auth_mode::tokens;
  std::string tokens_file;              ///< empty = see `tokens_path`
  std::vector<std::string> open_routes; ///< "METHOD /path", path parameters as in openapi.yaml
  bool operator==(const auth_settings&) const = default;
};

struct jwt_settings {
  std::string jwks_file; ///< exactly one of these two is not empty where JWTs are accepted
  std::string jwks_url;
  std::string ca_file; ///< empty = the system's certificates
  std::uint32_t refresh_s = 0;
  std::string issuer;
  std::vector<std::string> audience;
  std::uint32_t leeway_s = 0;
  std::string name_claim;
  std::string tenant_claim; ///< empty = `tenant` for all
  std::string tenant;
  std::string roles_claim;
  std::vector<std::string> role_map; ///< "ROLE=scope scope"; see `parse_role`
  bool operator==(const jwt_settings&) const = default;
};

struct storage_settings {
  std::string data_dir;
  std::uint32_t block_cache_mib = 0;
  std::uint32_t write_buffer_mib = 0;
  std::uint32_t wal_mib_max = 0;
  std::uint32_t queue_operations_max = 0;
  std::uint64_t queue_bytes_max = 0;
  std::uint64_t disk_free_mib_min = 0;
  std::uint32_t ballast_mib = 0;
  std::uint64_t accept_loss_up_to = 0; ///< 0 = accept no loss
  bool operator==(const storage_settings&) const = default;
};

struct runtime_settings {
  std::uint32_t scheduler_threads = 0; ///< 0 = one a processor
  std::uint32_t mailbox_messages_max = 0;
  std::uint32_t slot_buffer_messages_max = 0;
  std::uint32_t restart_intensity = 0;
  std::uint32_t restart_period_ms = 0;
  std::uint32_t backoff_min_ms = 0;
  std::uint32_t backoff_max_ms = 0;
  std::uint32_t backoff_reset_after_ms = 0;
  std::uint32_t stuck_after_ms = 0;
  std::uint32_t stop_grace_ms = 0;
  bool operator==(const runtime_settings&) const = default;
};

struct log_settings {
  log::level level = log::level::info;
  log::format format = log::format::text;
  bool operator==(const log_settings&) const = default;
};

struct idempotency_settings {
  std::uint32_t retention_days = 0;
  bool operator==(const idempotency_settings&) const = default;
};

struct audit_settings {
  std::uint32_t retention_days = 0; ///< 0 = for ever
  bool operator==(const audit_settings&) const = default;
};

struct dead_letter_settings {
  std::uint32_t per_actor_and_reason_max = 0;
  bool operator==(const dead_letter_settings&) const = default;
};

/// What a type does differently from its rule profile. Nothing = as the profile has it; a limit of 0 = rule off.
struct rule_settings {
  std::optional<std::uint32_t> sequence_limit;
  std::optional<std::uint32_t> repeating_limit;
  std::optional<std::uint32_t> repeating_block_limit;
  std::optional<std::uint32_t> even_digits_limit;
  std::optional<std::uint32_t> digits_limit;
  std::optional<std::uint32_t> reverse_digits_limit;
  std::optional<std::vector<std::string>> not_start_with;
  std::optional<std::vector<std::string>> restricted_numbers;
  std::optional<bool> cyclic_numbers; ///< whether the nine cyclic numbers are refused
  bool operator==(const rule_settings&) const = default;
};

/// One type of identifier. The words (`alphabet`, `profile`, `lifecycle`, `reuse`) are names of the identifier domain.
struct type_settings {
  bool enabled = true;
  std::uint32_t length = 0; ///< characters, check digit included
  std::string alphabet;     ///< "digits" or "letters_and_digits"
  std::string profile;      ///< "mosip-uin", ..., "strict"
  std::string lifecycle;    ///< "uin", "vid" or "pool"
  std::string reuse;        ///< "random" or "never"
  std::uint32_t cool_off_seconds = 0;
  std::uint32_t unconfirmed_lease_hours = 0; ///< 0 = never
  std::uint32_t pool_min = 0;
  std::uint32_t pool_target = 0;
  std::uint32_t populator_workers = 0;
  std::uint32_t issuing_shards = 1; ///< fixed once the type has started
  rule_settings rules;
  bool operator==(const type_settings&) const = default;
};

enum class missed_run : std::uint8_t { catch_up, skip };

struct identifier_settings {
  std::string time_zone;
  std::string expirer_schedule;
  missed_run expirer_on_missed = missed_run::catch_up;
  std::uint32_t batch_count_max = 0;
  std::uint32_t capacity_warning_percent = 0;
  std::uint32_t capacity_critical_percent = 0;
  std::string key_file; ///< at most one of these three is not empty
  std::string key_command;
  std::string key;                        ///< secret: 64 hexadecimal digits, from the environment only; never print it
  std::vector<std::string> previous_keys; ///< see `parse_key_source`
  std::map<std::string, type_settings, std::less<>> types;
  bool operator==(const identifier_settings&) const = default;
};

struct quota_settings {
  std::uint32_t requests_per_s = 0; ///< 0 = no limit, as the others
  std::uint32_t requests_burst = 0;
  std::uint32_t issued_per_min = 0;
  std::uint32_t misses_per_min = 0;
  std::uint32_t callers_max = 0;
  bool operator==(const quota_settings&) const = default;
};

/// A Spring Cloud Config server, as MOSIP runs one.
struct config_server_settings {
  std::string url; ///< empty = none
  std::string application;
  std::string profile;
  std::string label;
  std::string user;     ///< empty = no credentials
  std::string password; ///< secret
  std::string ca_file;
  std::uint32_t refresh_s = 0;
  std::uint32_t timeout_ms = 0;
  bool operator==(const config_server_settings&) const = default;
};

/// One VID policy. 0 = no limit of that kind.
struct policy_settings {
  bool enabled = true;
  std::uint32_t valid_for_minutes = 0;
  std::uint32_t transactions_allowed = 0;
  std::uint32_t instances_allowed = 0;
  bool auto_restore_allowed = false;
  std::string restore_on_action; ///< "REVOKED", "USED" or "REGENERATE"
  bool operator==(const policy_settings&) const = default;
};

struct vid_policy_settings {
  std::string type; ///< of identifiers that policies draw from
  std::string file; ///< policies of MOSIP instead of the ones below; empty: none
  std::map<std::string, policy_settings, std::less<>> policies;
  bool operator==(const vid_policy_settings&) const = default;
};

/// A kind of work. 0 = no limit of that kind.
struct worker_type_settings {
  bool enabled = true;
  std::uint32_t max_attempts = 0;
  std::uint32_t backoff_first_ms = 0;
  std::uint32_t backoff_max_ms = 0;
  std::uint32_t not_yet_ms = 0;
  std::uint32_t lease_seconds = 0;
  std::uint32_t running_max = 0;
  std::uint32_t starts_per_s = 0;
  std::uint32_t workers = 0;
  bool operator==(const worker_type_settings&) const = default;
};

struct task_settings {
  std::string beat;
  std::uint32_t ageing_seconds = 0;
  std::uint32_t completed_retention_hours = 0;
  std::uint32_t cancelled_retention_hours = 0;
  std::uint32_t failed_retention_days = 0;
  std::map<std::string, worker_type_settings, std::less<>> types;
  bool operator==(const task_settings&) const = default;
};

struct registrant_kind_settings {
  std::string id_type;
  std::string generator; ///< "local" or a name in `generators`
  bool operator==(const registrant_kind_settings&) const = default;
};

struct registrant_settings {
  std::map<std::string, registrant_kind_settings, std::less<>> kinds;
  bool operator==(const registrant_settings&) const = default;
};

/// What names this node's own pools where a generator is named.
inline constexpr std::string_view local_generator = "local";

/// Another system's generator of identifiers.
struct generator_settings {
  std::string kind; ///< "mosip" or "openg2p"
  std::string url;
  std::string id_type; ///< OpenG2P only
  std::uint32_t timeout_ms = 0;
  std::uint32_t calls_max = 0;
  std::string token_url; ///< empty = calls carry no token; with it client_id and one of the secrets
  std::string client_id;
  std::string client_secret_file; ///< at most one of these two is not empty
  std::string client_secret_env;  ///< the name of a variable
  std::string ca_file;
  bool operator==(const generator_settings&) const = default;
};

struct webhook_settings {
  std::string url;
  std::vector<std::string> allowed_hosts; ///< besides that of `url`; see `is_host_entry`
  std::string secret_file;                ///< at most one of these two is not empty
  std::string secret_env;                 ///< the name of a variable
  std::uint32_t timeout_ms = 0;
  std::string ca_file;
  bool operator==(const webhook_settings&) const = default;
};

/// A bridge to OpenG2P's own tables in PostgreSQL.
struct bridge_settings {
  bool enabled = true;
  std::string connection;
  std::string password_file; ///< at most one of these two is not empty
  std::string password;      ///< secret
  std::string queue;         ///< "background_task" or "id_generation"
  std::string task_table;    ///< empty = the name that OpenG2P gives it
  std::string registrant_table;
  std::string id_column;
  std::string request_worker_type;
  std::string update_worker_type;
  std::string unknown_worker_types; ///< "leave" or "fail"
  std::string generator;
  std::string id_type;
  std::uint32_t workers = 0;
  std::uint32_t batch_size = 0;
  std::uint32_t poll_interval_ms = 0;
  std::uint32_t lease_seconds = 0;
  std::uint32_t max_attempts = 0;
  std::uint32_t backoff_first_ms = 0;
  std::uint32_t backoff_max_ms = 0;
  std::uint32_t not_yet_ms = 0;
  std::uint32_t statement_timeout_ms = 0;
  bool install = true;
  bool operator==(const bridge_settings&) const = default;
};

enum class sink_kind : std::uint8_t { log, smtp, webhook };
enum class mail_security : std::uint8_t { starttls, tls, none };

/// Where alerts are told.
struct alert_sink_settings {
  bool enabled = true;
  sink_kind kind = sink_kind::log;
  std::string webhook; ///< of webhook: a name in `webhooks`
  std::string server;  ///< of smtp: "HOST:PORT"
  mail_security security = mail_security::starttls;
  std::string from;
  std::vector<std::string> to;
  std::string user;          ///< empty = no authentication
  std::string password;      ///< secret; at most one of these two is not empty
  std::string password_file; ///< its first line
  std::string ca_file;       ///< empty = the system's certificates
  std::uint32_t timeout_ms = 0;
  bool operator==(const alert_sink_settings&) const = default;
};

/// A limit of 0 turns its rule off.
struct alert_settings {
  std::string node_name; ///< in notices; empty = not said
  std::uint32_t beat_seconds = 0;
  std::uint32_t repeat_first_minutes = 0;
  std::uint32_t repeat_max_minutes = 0;
  std::uint32_t recovery_seconds = 0;
  std::uint32_t retention_days = 0;
  std::uint32_t queue_age_seconds_max = 0;
  std::uint32_t failed_tasks_max = 0;
  std::uint32_t pool_percent_min = 0;
  std::uint32_t disk_free_mib_min = 0;
  std::map<std::string, alert_sink_settings, std::less<>> sinks;
  bool operator==(const alert_settings&) const = default;
};

struct settings {
  server_settings server;
  tls_settings tls; ///< keys "server.tls."
  auth_settings auth;
  jwt_settings jwt; ///< keys "auth.jwt."
  storage_settings storage;
  runtime_settings runtime;
  log_settings log;
  idempotency_settings idempotency;
  dead_letter_settings dead_letters;
  audit_settings audit;
  identifier_settings identifiers;
  quota_settings quotas;
  config_server_settings config_server;
  vid_policy_settings vid_policies;
  task_settings tasks;
  registrant_settings registrants;
  std::map<std::string, generator_settings, std::less<>> generators;
  std::map<std::string, webhook_settings, std::less<>> webhooks;
  std::map<std::string, bridge_settings, std::less<>> bridges;
  alert_settings alerts;
  bool operator==(const settings&) const = default;
};

/// What the node does when nobody says otherwise: the schema's defaults and the shipped types.
[[nodiscard]] settings defaults();

/// Where the tokens are: `auth.tokens_file`, or the file `tokens` in the data folder when that is empty.
[[nodiscard]] std::string tokens_path(const settings& s);

/// Whether JWTs are accepted.
[[nodiscard]] constexpr bool takes_jwt(auth_mode mode) noexcept {
  return mode == auth_mode::jwt || mode == auth_mode::tokens_and_jwt;
}

/// An entry of auth.jwt.role_map in its parts.
struct role_entry {
  std::string role;
  std::vector<std::string> scopes;
};
/// Nothing unless `entry` is "ROLE=scope scope ...": a role of 1 to 128 printable ASCII characters without blanks at
/// its ends, and at least one scope such as ids:issue, ids:* or *.
[[nodiscard]] std::optional<role_entry> parse_role(std::string_view entry);

/// Where a key can be had that is not the present one any more.
struct key_source {
  enum class kind : std::uint8_t { file, command, environment };
  kind from = kind::file;
  std::string what; ///< path, command line, or name of a variable
};
/// Nothing unless `text` is "file:PATH", "command:COMMAND LINE" or "env:NAME".
[[nodiscard]] std::optional<key_source> parse_key_source(std::string_view text);

/// A "HOST:PORT" in its parts; the brackets of an IPv6 address are removed.
struct host_and_port {
  std::string host;
  std::uint16_t port = 0;
};
/// Nothing for an empty host, a port that is not 0 to 65535, or an IPv6 address without brackets.
[[nodiscard]] std::optional<host_and_port> split_address(std::string_view listen);

/// Whether `text` is "HOST", "HOST:PORT" or "[IPv6]", "[IPv6]:PORT": an entry of webhooks.<webhook>.allowed_hosts.
[[nodiscard]] bool is_host_entry(std::string_view text);

/// Whether only this machine can reach `host`: 127.0.0.0/8, ::1 or localhost.
[[nodiscard]] bool is_loopback(std::string_view host) noexcept;

} // namespace matricula::config
