// The table itself: every setting with its default, range, unit and meaning.
#include "config/binding.hpp"
#include "config/schema.hpp"

#include <algorithm>
#include <array>

namespace matricula::config {
namespace {

constexpr std::int64_t path_bytes_max = 4096;
constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t day_s = 86'400;

constexpr std::array<std::string_view, 2> alphabets{"digits", "letters_and_digits"};
constexpr std::array<std::string_view, 6> profiles{"strict",    "mosip-uin",  "mosip-uin-validator",
                                                   "mosip-vid", "mosip-prid", "openg2p"};
constexpr std::array<std::string_view, 3> lifecycles{"uin", "vid", "pool"};
constexpr std::array<std::string_view, 2> reuses{"random", "never"};
constexpr std::array<std::string_view, 2> generator_kinds{"openg2p", "mosip"};
constexpr std::array<std::string_view, 2> bridge_queues{"background_task", "id_generation"};
constexpr std::array<std::string_view, 2> unknown_types{"leave", "fail"};
constexpr std::array<std::string_view, 3> restore_actions{"REVOKED", "USED", "REGENERATE"};

enum class when : std::uint8_t { restart, reload };

setting row(std::string_view key, kind what, binding b, when applies, std::string_view help) {
  setting s;
  s.key = key;
  s.what = what;
  s.reloadable = applies == when::reload;
  s.help = help;
  s.read = b.read;
  s.write = b.write;
  return s;
}

setting integer(std::string_view key, binding b, std::int64_t initial, std::int64_t min, std::int64_t max,
                std::string_view unit, when applies, std::string_view help) {
  auto s = row(key, kind::integer, b, applies, help);
  s.initial = initial;
  s.min = min;
  s.max = max;
  s.unit = unit;
  return s;
}

setting text(std::string_view key, binding b, std::string initial, std::int64_t bytes_min, when applies,
             std::string_view help) {
  auto s = row(key, kind::text, b, applies, help);
  s.initial = std::move(initial);
  s.min = bytes_min;
  s.max = path_bytes_max;
  return s;
}

setting word(std::string_view key, binding b, std::string initial, std::span<const std::string_view> words,
             when applies, std::string_view help) {
  auto s = row(key, kind::word, b, applies, help);
  s.initial = std::move(initial);
  s.words = words;
  return s;
}

setting shaped(std::string_view key, kind what, binding b, std::string initial, when applies, std::string_view help) {
  auto s = row(key, what, b, applies, help);
  s.initial = std::move(initial);
  return s;
}

setting list(std::string_view key, kind what, binding b, std::int64_t items_max, when applies, std::string_view help) {
  auto s = row(key, what, b, applies, help);
  s.initial = std::vector<std::string>{};
  s.max = items_max;
  return s;
}

setting flag(std::string_view key, binding b, bool initial, when applies, std::string_view help) {
  auto s = row(key, kind::boolean, b, applies, help);
  s.initial = initial;
  return s;
}

/// Without a default: what is not said stays as the rule profile has it.
setting optional(setting s) {
  s.initial = value{};
  return s;
}

/// Without a default: a new member of the family must say it.
setting required(setting s, value example) {
  s.initial = value{};
  s.example = std::move(example);
  s.required = true;
  return s;
}

std::vector<setting> server_rows() {
  using S = server_settings;
  constexpr auto in = &settings::server;
  return {
      shaped("server.listen", kind::address, bound<in, &S::listen>(), "127.0.0.1:8080", when::restart,
             "Address and port of the HTTP server. Port 0 takes any free port and logs it. The default is reachable "
             "from this machine only."),
      integer("server.event_loops", bound<in, &S::event_loops>(), 0, 0, 64, "threads", when::restart,
              "Threads that read requests and write answers, each for its share of the connections. Idle and slow "
              "clients cost no thread. 0: two for two processors, and another for every "
              "four more; one where there is a single processor."),
      integer("server.threads", bound<in, &S::threads>(), 32, 1, 1024, "threads", when::restart,
              "Threads for requests that read stored rows or wait for something. Issuing an identifier needs none; "
              "confirming, returning and revoking one need one to find it where there are several issuers or imports."),
      integer("server.requests_waiting_max", bound<in, &S::requests_waiting_max>(), 256, 1, 100'000, "requests",
              when::restart, "Requests that wait for one of server.threads. A further one is answered 503 at once."),
      integer("server.requests_in_flight_max", bound<in, &S::requests_in_flight_max>(), 512, 1, 100'000, "requests",
              when::reload, "Requests accepted and not yet answered. Beyond it the answer is 503 with Retry-After."),
      integer("server.connections_max", bound<in, &S::connections_max>(), 8192, 1, 100'000, "connections",
              when::restart,
              "Open connections. For a further one those that were silent longest are closed; when all are busy, it is "
              "answered 503 with Retry-After and closed (with TLS just closed). The process needs as many open files "
              "and some hundred more."),
      integer("server.buffered_bytes_max", bound<in, &S::buffered_bytes_max>(), 33'554'432, 1'048'576, 4'294'967'295,
              "bytes", when::restart,
              "Memory for requests that are being received or answered, all together, and as much again for answers "
              "that clients are slow to take. Small requests (8 KiB) always have theirs. Beyond it the answer is 503 "
              "with Retry-After, and who does not take an answer is cut off."),
      integer("server.body_bytes_max", bound<in, &S::body_bytes_max>(), 1'048'576, 1024, 67'108'864, "bytes",
              when::reload,
              "Size of a request's body. A larger one is answered 413. Routes that issue, confirm, return or revoke "
              "identifiers take 16 KiB at most."),
      integer("server.header_bytes_max", bound<in, &S::header_bytes_max>(), 16'384, 1024, 262'144, "bytes",
              when::restart, "Size of a request's line and headers together. Larger ones are answered 431."),
      integer("server.read_timeout_ms", bound<in, &S::read_timeout_ms>(), 5000, 100, 10 * minute_ms, "milliseconds",
              when::restart,
              "How long the head of a request may take to come in, and then its body. A slower one is answered "
              "408 and its connection closed."),
      integer("server.write_timeout_ms", bound<in, &S::write_timeout_ms>(), 5000, 100, 10 * minute_ms, "milliseconds",
              when::restart,
              "How long a client that does not keep up may take for an answer. Then its connection is closed."),
      integer("server.keep_alive_timeout_ms", bound<in, &S::keep_alive_timeout_ms>(), 60'000, 100, hour_ms,
              "milliseconds", when::restart, "How long an idle connection is kept."),
      integer("server.keep_alive_requests_max", bound<in, &S::keep_alive_requests_max>(), 100'000, 1, 2'147'483'647,
              "requests", when::restart, "Requests on one connection before it is closed."),
      integer("server.request_deadline_ms", bound<in, &S::request_deadline_ms>(), 5000, 10, 10 * minute_ms,
              "milliseconds", when::reload,
              "Time from the arrival of a request to its effect. A request that waited longer has no effect and is "
              "answered 504; one whose write was under way is answered 503 with code outcome_unknown."),
      integer("server.drain_timeout_ms", bound<in, &S::drain_timeout_ms>(), 20'000, 100, 10 * minute_ms, "milliseconds",
              when::reload,
              "After SIGTERM, how long to wait for requests in flight. Keep it below the service manager's limit."),
  };
}

std::vector<setting> tls_rows() {
  using S = tls_settings;
  constexpr auto in = &settings::tls;
  return {
      text("server.tls.certificate", bound<in, &S::certificate>(), "", 0, when::reload,
           "File (PEM) with the node's certificate first, then those that lead to its root. With it the port speaks "
           "TLS 1.2 and 1.3 and nothing else; empty: plain HTTP. It is read again on reload."),
      text("server.tls.key", bound<in, &S::key>(), "", 0, when::reload,
           "File (PEM) with the certificate's private key, without a password, that only the node's user may read."),
  };
}

std::vector<setting> auth_rows() {
  using S = auth_settings;
  constexpr auto in = &settings::auth;
  return {
      word(
          "auth.mode", bound<in, &S::mode>(), "tokens", words_of<auth_mode>, when::restart,
          "\"tokens\": every request carries a bearer token, except on open routes. \"jwt\": a JWT of the issuer in "
          "auth.jwt instead. \"tokens_and_jwt\": either. \"none\": nobody is asked; allowed only when server.listen is "
          "on loopback."),
      text("auth.tokens_file", bound<in, &S::tokens_file>(), "", 0, when::restart,
           "File of the hashed tokens, written by `matricula token create` and read again on reload. Empty: the file "
           "\"tokens\" in storage.data_dir."),
      list("auth.open_routes", kind::route_list, bound<in, &S::open_routes>(), 256, when::restart,
           "Routes that need no token, each \"METHOD /path\" with path parameters as in /openapi.yaml, such as "
           "\"POST /v1/ids/{type}\"."),
  };
}

std::vector<setting> jwt_rows() {
  using S = jwt_settings;
  constexpr auto in = &settings::jwt;
  return {
      text("auth.jwt.jwks_file", bound<in, &S::jwks_file>(), "", 0, when::restart,
           "File with the issuer's public keys as a JSON Web Key Set. It is read again every refresh_s, on reload, and "
           "when a token names a key that is not in it; replace it as a whole (rename)."),
      text("auth.jwt.jwks_url", bound<in, &S::jwks_url>(), "", 0, when::restart,
           "Address of the issuer's key set instead of a file: https://HOST[:PORT]/PATH, or http:// on loopback. "
           "Redirects are not followed."),
      text("auth.jwt.ca_file", bound<in, &S::ca_file>(), "", 0, when::restart,
           "Certificates (PEM) to trust for jwks_url. Empty: those of the system."),
      integer("auth.jwt.refresh_s", bound<in, &S::refresh_s>(), 300, 1, day_s, "seconds", when::restart,
              "How often the key set is read again, up to a tenth sooner. A key that the issuer has withdrawn is "
              "accepted for this long at most while the issuer answers."),
      text("auth.jwt.issuer", bound<in, &S::issuer>(), "", 0, when::reload, "The claim iss of every token, exactly."),
      list("auth.jwt.audience", kind::text_list, bound<in, &S::audience>(), 16, when::reload,
           "Names of this service; the claim aud of a token must be or have one of them."),
      integer("auth.jwt.leeway_s", bound<in, &S::leeway_s>(), 60, 0, 600, "seconds", when::reload,
              "How far the issuer's clock may differ, for the claims exp, nbf and iat."),
      text("auth.jwt.name_claim", bound<in, &S::name_claim>(), "sub", 1, when::reload,
           "Claim that names the caller in the audit log, where \"jwt:\" is put before it. Dots lead into objects."),
      text("auth.jwt.tenant_claim", bound<in, &S::tenant_claim>(), "", 0, when::reload,
           "Claim that names the caller's tenant. Empty: every token has the tenant of auth.jwt.tenant."),
      text("auth.jwt.tenant", bound<in, &S::tenant>(), "default", 1, when::reload,
           "Tenant of every token when tenant_claim is empty: 1 to 64 letters, digits, '.', '_' or '-'."),
      text("auth.jwt.roles_claim", bound<in, &S::roles_claim>(), "scope", 1, when::reload,
           "Claim with the caller's roles, a list or one text with blanks between, such as \"realm_access.roles\", "
           "\"scope\" or \"scp\". Dots lead into objects."),
      list("auth.jwt.role_map", kind::role_list, bound<in, &S::role_map>(), 256, when::reload,
           "What each role may do, as \"ROLE=scope scope\", such as \"ID_REPOSITORY=ids:*\". Other roles mean "
           "nothing."),
  };
}

std::vector<setting> storage_rows() {
  using S = storage_settings;
  constexpr auto in = &settings::storage;
  constexpr std::int64_t gib_in_mib = 1024;
  return {
      text("storage.data_dir", bound<in, &S::data_dir>(), "/var/lib/matricula", 1, when::restart,
           "Folder of everything that is kept. One process at a time may use it."),
      integer("storage.block_cache_mib", bound<in, &S::block_cache_mib>(), 32, 1, 64 * gib_in_mib, "MiB", when::restart,
              "Memory for blocks read from disk."),
      integer("storage.write_buffer_mib", bound<in, &S::write_buffer_mib>(), 16, 1, gib_in_mib, "MiB", when::restart,
              "Memory for rows that are in the log and not yet in a table file."),
      integer("storage.wal_mib_max", bound<in, &S::wal_mib_max>(), 64, 4, 4 * gib_in_mib, "MiB", when::restart,
              "Size of the log at which tables are written out. Larger means a longer recovery after a crash."),
      integer("storage.queue_operations_max", bound<in, &S::queue_operations_max>(), 20'000, 2000, 1'000'000,
              "operations", when::restart,
              "Operations waiting for the log. Beyond it writes are refused with 503 and Retry-After."),
      integer("storage.queue_bytes_max", bound<in, &S::queue_bytes_max>(), 16'777'216, 262'144, 1'073'741'824, "bytes",
              when::restart, "Bytes waiting for the log. Beyond it writes are refused with 503 and Retry-After."),
      integer("storage.disk_free_mib_min", bound<in, &S::disk_free_mib_min>(), 256, 1, gib_in_mib * gib_in_mib, "MiB",
              when::restart, "With less free space than this, writes are refused with 503; reads go on."),
      integer("storage.ballast_mib", bound<in, &S::ballast_mib>(), 64, 0, 64 * gib_in_mib, "MiB", when::restart,
              "Size of a file that is given up when the node starts on a full disk, so that recovery can write. 0: "
              "none."),
      integer("storage.accept_loss_up_to", bound<in, &S::accept_loss_up_to>(), 0, 0, 9'223'372'036'854'775'807,
              "group number", when::restart,
              "After a start was refused because acknowledged writes are missing: the group number from that message, "
              "to start without them. 0: accept no loss. Set it for one start only."),
  };
}

std::vector<setting> runtime_rows() {
  using S = runtime_settings;
  constexpr auto in = &settings::runtime;
  return {
      integer("runtime.scheduler_threads", bound<in, &S::scheduler_threads>(), 0, 0, 1024, "threads", when::restart,
              "Threads that run actors. 0: one a processor."),
      integer("runtime.mailbox_messages_max", bound<in, &S::mailbox_messages_max>(), 4096, 16, 1'000'000, "messages",
              when::restart, "Messages waiting at one actor. Beyond it requests are refused with 503."),
      integer("runtime.slot_buffer_messages_max", bound<in, &S::slot_buffer_messages_max>(), 1024, 1, 1'000'000,
              "messages", when::restart, "Messages kept for an actor while it restarts."),
      integer("runtime.restart_intensity", bound<in, &S::restart_intensity>(), 3, 0, 1000, "restarts", when::restart,
              "Failures of a supervisor's children within restart_period_ms that it bears; one more goes to the "
              "supervisor above. Stops and kills by an operator do not count."),
      integer("runtime.restart_period_ms", bound<in, &S::restart_period_ms>(), 5000, 100, hour_ms, "milliseconds",
              when::restart, "The window of restart_intensity."),
      integer("runtime.backoff_min_ms", bound<in, &S::backoff_min_ms>(), 100, 1, minute_ms, "milliseconds",
              when::restart, "Wait before the first restart; it doubles with each further failure."),
      integer("runtime.backoff_max_ms", bound<in, &S::backoff_max_ms>(), 2000, 1, hour_ms, "milliseconds",
              when::restart, "The longest wait before a restart. Not below backoff_min_ms."),
      integer("runtime.backoff_reset_after_ms", bound<in, &S::backoff_reset_after_ms>(), 10'000, 1, 24 * hour_ms,
              "milliseconds", when::restart, "An actor that ran this long starts again at backoff_min_ms."),
      integer("runtime.stuck_after_ms", bound<in, &S::stuck_after_ms>(), 30'000, 100, hour_ms, "milliseconds",
              when::restart,
              "A handler that runs longer is reported as stuck, in the log and in /v1/actors. Nothing can end it: "
              "after 60 seconds, or this time when it is longer, the process ends and recovers at its next start."),
      integer("runtime.stop_grace_ms", bound<in, &S::stop_grace_ms>(), 5000, 10, 10 * minute_ms, "milliseconds",
              when::restart, "How long a child may take to stop before it is killed."),
  };
}

std::vector<setting> small_rows() {
  return {
      word("log.level", bound<&settings::log, &log_settings::level>(), "info", words_of<log::level>, when::reload,
           "The least important messages that are written."),
      word("log.format", bound<&settings::log, &log_settings::format>(), "text", words_of<log::format>, when::restart,
           "Text for people or one JSON object a line, on standard error."),
      integer("idempotency.retention_days", bound<&settings::idempotency, &idempotency_settings::retention_days>(), 30,
              1, 3650, "days", when::restart,
              "How long the answer to an Idempotency-Key is kept, at least. The answer to an issue is kept for as long "
              "as its identifier."),
      integer("dead_letters.per_actor_and_reason_max",
              bound<&settings::dead_letters, &dead_letter_settings::per_actor_and_reason_max>(), 1000, 1, 100'000,
              "messages", when::reload, "Dead letters kept of one actor and reason; further ones are only counted."),
      integer("audit.retention_days", bound<&settings::audit, &audit_settings::retention_days>(), 0, 0, 36'500, "days",
              when::restart,
              "How long the audit log and the audit trails of identifiers are kept; 0 is for ever. Older rows are "
              "dropped with the runs of identifiers.expirer_schedule; what remains can still be checked."),
  };
}

std::vector<setting> identifier_rows() {
  using S = identifier_settings;
  constexpr auto in = &settings::identifiers;
  auto key = shaped("identifiers.key", kind::key_hex, bound<in, &S::key>(), "", when::restart,
                    "The master key of the permutations as 64 hexadecimal digits. Only from the environment, as "
                    "MATRICULA_IDENTIFIERS__KEY; never shown.");
  key.secret = true;
  return {
      shaped("identifiers.time_zone", kind::time_zone, bound<in, &S::time_zone>(), "UTC", when::restart,
             "Time zone of expirer_schedule, a name such as \"Africa/Addis_Ababa\"."),
      shaped("identifiers.expirer_schedule", kind::cron, bound<in, &S::expirer_schedule>(), "0 23 * * *", when::restart,
             "When expired VIDs are marked and cooled-off ones released: minute, hour, day of month, month, day of "
             "week."),
      word("identifiers.expirer_on_missed", bound<in, &S::expirer_on_missed>(), "catch_up", words_of<missed_run>,
           when::restart,
           "What to do at start when a run was due while the node was down: run once, or wait for the "
           "next."),
      integer("identifiers.batch_count_max", bound<in, &S::batch_count_max>(), 1000, 1, 1000, "identifiers",
              when::reload, "The largest `count` of one issue request."),
      integer("identifiers.capacity_warning_percent", bound<in, &S::capacity_warning_percent>(), 80, 1, 100, "per cent",
              when::reload, "How much of a type's valid identifiers may be used before an operator is warned."),
      integer("identifiers.capacity_critical_percent", bound<in, &S::capacity_critical_percent>(), 95, 1, 100,
              "per cent", when::reload, "The same a second time, when it becomes urgent to have a longer type."),
      text("identifiers.key_file", bound<in, &S::key_file>(), "", 0, when::restart,
           "File with the master key as 64 hexadecimal digits. It must not be in storage.data_dir: a backup of the "
           "data is no backup of the key."),
      text("identifiers.key_command", bound<in, &S::key_command>(), "", 0, when::restart,
           "Command that prints the master key as 64 hexadecimal digits; run by /bin/sh at start."),
      std::move(key),
      list("identifiers.previous_keys", kind::key_list, bound<in, &S::previous_keys>(), 32, when::restart,
           "Keys that were replaced (`matricula keys rotate`), each \"file:PATH\", \"command:COMMAND LINE\" or "
           "\"env:NAME\" (a variable). What was issued with them is found with them; in any order."),
  };
}

std::vector<setting> quota_rows() {
  using S = quota_settings;
  constexpr auto in = &settings::quotas;
  constexpr std::int64_t most = 1'000'000'000;
  return {
      integer("quotas.requests_per_s", bound<in, &S::requests_per_s>(), 0, 0, most, "requests per second", when::reload,
              "Requests of one caller, in the long run. 0: no limit. A caller is a principal, or on open routes a "
              "network address."),
      integer("quotas.requests_burst", bound<in, &S::requests_burst>(), 0, 0, most, "requests", when::reload,
              "Requests that a caller may send at once after a pause. 0: as many as in a second."),
      integer("quotas.issued_per_min", bound<in, &S::issued_per_min>(), 0, 0, most, "identifiers per minute",
              when::reload,
              "Identifiers issued to one caller. One request may go over it; the next ones wait until that is made up "
              "for. 0: no limit."),
      integer("quotas.misses_per_min", bound<in, &S::misses_per_min>(), 600, 0, most, "misses per minute", when::reload,
              "Look-ups of one caller that find nothing: identifiers that are unknown, malformed or were never issued. "
              "Guessing shows as these. 0: no limit."),
      integer("quotas.callers_max", bound<in, &S::callers_max>(), 10'000, 16, 1'000'000, "callers", when::restart,
              "Callers that are remembered, about 300 bytes each. When all of them have used something up, newcomers "
              "share one quota until one has recovered."),
  };
}

std::vector<setting> config_server_rows() {
  using S = config_server_settings;
  constexpr auto in = &settings::config_server;
  auto password = text("config_server.password", bound<in, &S::password>(), "", 0, when::restart,
                       "Password of config_server.user. Only from the environment, as "
                       "MATRICULA_CONFIG_SERVER__PASSWORD; never shown.");
  password.secret = true;
  return {
      text("config_server.url", bound<in, &S::url>(), "", 0, when::restart,
           "Address of a Spring Cloud Config server, https://HOST[:PORT]/PATH or http:// on loopback: MOSIP's pool "
           "limits are taken from it for the types uin, vid and prid. Empty: none."),
      text("config_server.application", bound<in, &S::application>(), "kernel", 1, when::restart,
           "Application to ask for: letters, digits, '.', '_', '-' and ','."),
      text("config_server.profile", bound<in, &S::profile>(), "default", 1, when::restart,
           "Profile to ask for, written like the application."),
      text("config_server.label", bound<in, &S::label>(), "master", 1, when::restart,
           "Label, such as a branch, to ask for, written like the application."),
      text("config_server.user", bound<in, &S::user>(), "", 0, when::restart,
           "User for HTTP Basic authentication. Empty: none."),
      std::move(password),
      text("config_server.ca_file", bound<in, &S::ca_file>(), "", 0, when::restart,
           "Certificates (PEM) to trust for the server. Empty: those of the system."),
      integer("config_server.refresh_s", bound<in, &S::refresh_s>(), 300, 1, day_s, "seconds", when::restart,
              "How often it is asked again."),
      integer("config_server.timeout_ms", bound<in, &S::timeout_ms>(), 5000, 100, minute_ms, "milliseconds",
              when::restart, "How long one question may take, and so how long a start waits for the server at most."),
  };
}

std::vector<setting> type_rows() {
  using S = type_settings;
  return {
      flag("identifiers.types.<type>.enabled", bound_in_type<&S::enabled>(), true, when::restart,
           "Whether the type is served. A disabled type keeps its records."),
      required(integer("identifiers.types.<type>.length", bound_in_type<&S::length>(), 0, 2, 32, "characters",
                       when::restart, "Length of an identifier, check digit included. At most 24 with letters."),
               std::int64_t{12}),
      word("identifiers.types.<type>.alphabet", bound_in_type<&S::alphabet>(), "digits", alphabets, when::restart,
           "Digits, or digits and capital letters without look-alikes."),
      word("identifiers.types.<type>.profile", bound_in_type<&S::profile>(), "strict", profiles, when::restart,
           "The set of rules that every identifier keeps. \"strict\" is the union of the others."),
      required(word("identifiers.types.<type>.lifecycle", bound_in_type<&S::lifecycle>(), "", lifecycles, when::restart,
                    "\"uin\": issued, then confirmed or returned. \"vid\": issued until it expires or is revoked. "
                    "\"pool\": taken, for good."),
               std::string("pool")),
      word("identifiers.types.<type>.reuse", bound_in_type<&S::reuse>(), "random", reuses, when::restart,
           "What becomes of an expired VID after its cool-off: available again in a random place, or retired."),
      integer("identifiers.types.<type>.cool_off_seconds", bound_in_type<&S::cool_off_seconds>(), 5 * day_s, 0,
              3650 * day_s, "seconds", when::restart,
              "From the end of a VID to its reuse or retirement; 432000 are 5 "
              "days."),
      integer(
          "identifiers.types.<type>.unconfirmed_lease_hours", bound_in_type<&S::unconfirmed_lease_hours>(), 0, 0,
          87'600, "hours", when::restart,
          "For lifecycle uin: an identifier that was issued and not confirmed for so long is taken back by the next "
          "run of identifiers.expirer_schedule and may be issued to somebody else; 0 is never."),
      integer("identifiers.types.<type>.pool_min", bound_in_type<&S::pool_min>(), 5000, 1, 10'000'000, "identifiers",
              when::reload, "With fewer available identifiers than this, a refill is ordered."),
      integer("identifiers.types.<type>.pool_target", bound_in_type<&S::pool_target>(), 20'000, 1, 10'000'000,
              "identifiers", when::reload, "What a refill fills up to. Not below pool_min."),
      integer("identifiers.types.<type>.populator_workers", bound_in_type<&S::populator_workers>(), 2, 1, 64, "workers",
              when::restart, "Workers that share a refill."),
      integer("identifiers.types.<type>.issuing_shards", bound_in_type<&S::issuing_shards>(), 1, 1, 64, "shards",
              when::restart,
              "Issuers that share the type's identifiers and work side by side. More than 1 only for spaces of 10 "
              "million raw numbers or more, and fixed once the type has started."),
  };
}

std::vector<setting> rule_rows() {
  using S = rule_settings;
  constexpr auto limit = [](std::string_view key, binding b, std::string_view help) {
    return optional(integer(key, b, 0, 0, 32, "characters; 0 = rule off", when::restart, help));
  };
  return {
      limit("identifiers.types.<type>.rules.sequence_limit", bound_in_rules<&S::sequence_limit>(),
            "Refuses a run of this many neighbours, up or down, such as 345."),
      limit("identifiers.types.<type>.rules.repeating_limit", bound_in_rules<&S::repeating_limit>(),
            "Refuses a character that comes again too near: within this distance, or as the profile counts it."),
      limit("identifiers.types.<type>.rules.repeating_block_limit", bound_in_rules<&S::repeating_block_limit>(),
            "Refuses a block of this length that comes again, such as 48 in 4812 48."),
      limit("identifiers.types.<type>.rules.even_digits_limit", bound_in_rules<&S::even_digits_limit>(),
            "Refuses this many even digits in a row."),
      limit("identifiers.types.<type>.rules.digits_limit", bound_in_rules<&S::digits_limit>(),
            "Refuses an identifier whose first and last groups of this length are the same."),
      limit("identifiers.types.<type>.rules.reverse_digits_limit", bound_in_rules<&S::reverse_digits_limit>(),
            "Refuses an identifier whose last group of this length is its first one reversed."),
      optional(list("identifiers.types.<type>.rules.not_start_with", kind::symbol_list,
                    bound_in_rules<&S::not_start_with>(), 64, when::restart,
                    "Beginnings that are refused. An empty list refuses none.")),
      optional(list("identifiers.types.<type>.rules.restricted_numbers", kind::symbol_list,
                    bound_in_rules<&S::restricted_numbers>(), 1000, when::restart,
                    "Sequences refused anywhere. An empty list refuses none.")),
      optional(flag("identifiers.types.<type>.rules.cyclic_numbers", bound_in_rules<&S::cyclic_numbers>(), false,
                    when::restart, "Whether the cyclic numbers are refused, such as 142857.")),
  };
}

std::vector<setting> vid_policy_rows() {
  using S = vid_policy_settings;
  using P = policy_settings;
  constexpr auto in = &settings::vid_policies;
  constexpr std::int64_t hundred_years_min = 52'596'000;
  return {
      text("vid_policies.type", bound<in, &S::type>(), "vid", 1, when::restart,
           "The identifier type, of lifecycle vid, that policies draw from."),
      text("vid_policies.file", bound<in, &S::file>(), "", 0, when::restart,
           "MOSIP's policy file (mosip-vid-policy.json) to take the policies from, instead of the tables below. Its "
           "OneTimeUse is then called one_time_use. Empty: none."),
      flag("vid_policies.<policy>.enabled", bound_in_policy<&P::enabled>(), true, when::restart,
           "Whether VIDs of the policy can be made. Those that were stay as they are."),
      integer("vid_policies.<policy>.valid_for_minutes", bound_in_policy<&P::valid_for_minutes>(), 0, 0,
              hundred_years_min, "minutes; 0 = perpetual", when::restart, "How long a VID is valid."),
      integer("vid_policies.<policy>.transactions_allowed", bound_in_policy<&P::transactions_allowed>(), 0, 0,
              1'000'000, "transactions; 0 = unlimited", when::restart,
              "How often a VID can be used. The last time makes it USED."),
      required(integer("vid_policies.<policy>.instances_allowed", bound_in_policy<&P::instances_allowed>(), 0, 1, 32,
                       "VIDs", when::restart, "How many a holder may have active at once."),
               std::int64_t{12}),
      flag("vid_policies.<policy>.auto_restore_allowed", bound_in_policy<&P::auto_restore_allowed>(), false,
           when::restart,
           "Whether a fresh VID comes by itself for one that ended as restore_on_action says, and whether at the "
           "limit the oldest one makes room. Such VIDs cannot be regenerated."),
      word("vid_policies.<policy>.restore_on_action", bound_in_policy<&P::restore_on_action>(), "REGENERATE",
           restore_actions, when::restart,
           "With auto restore, the end for which a fresh VID comes, and what the oldest one becomes that makes room: "
           "\"REVOKED\", or \"USED\" where transactions are limited. Without, \"REGENERATE\" or \"REVOKED\"."),
  };
}

std::vector<setting> task_rows() {
  using S = task_settings;
  constexpr auto in = &settings::tasks;
  return {
      shaped("tasks.beat", kind::cron, bound<in, &S::beat>(), "* * * * *", when::restart,
             "When the queue looks at everything again, besides being woken by what is queued and by what becomes due: "
             "minute, hour, day of month, month, day of week, in identifiers.time_zone. Nothing waits for it."),
      integer("tasks.ageing_seconds", bound<in, &S::ageing_seconds>(), 10, 0, day_s, "seconds", when::restart,
              "How much later a task of the next better priority may become due and still go first. So nothing waits "
              "for ever behind what is more urgent. 0: priorities mean nothing. Tasks that are queued already keep "
              "their place."),
      integer("tasks.completed_retention_hours", bound<in, &S::completed_retention_hours>(), 24, 0, 87'600, "hours",
              when::restart,
              "How long a task that was COMPLETED is kept, at least. Its unique_key is remembered for ever."),
      integer("tasks.cancelled_retention_hours", bound<in, &S::cancelled_retention_hours>(), 24, 0, 87'600, "hours",
              when::restart, "The same for one that was CANCELLED."),
      integer("tasks.failed_retention_days", bound<in, &S::failed_retention_days>(), 30, 0, 3650, "days", when::restart,
              "The same for one that FAILED. So long it can be tried again."),
  };
}

std::vector<setting> worker_type_rows() {
  using S = worker_type_settings;
  return {
      flag("tasks.types.<worker_type>.enabled", bound_in_worker_type<&S::enabled>(), true, when::restart,
           "Whether tasks of the type are taken and given to workers. Those of a disabled type stay where they are."),
      integer("tasks.types.<worker_type>.max_attempts", bound_in_worker_type<&S::max_attempts>(), 5, 1, 1000,
              "attempts", when::restart,
              "A task that was tried so often without success is FAILED. Attempts that ended as not_yet do not count."),
      integer("tasks.types.<worker_type>.backoff_first_ms", bound_in_worker_type<&S::backoff_first_ms>(), 1000, 0,
              day_s * 1000, "milliseconds", when::restart,
              "After the first failure a task waits for a random time up to this; up to twice as long after each "
              "further one."),
      integer("tasks.types.<worker_type>.backoff_max_ms", bound_in_worker_type<&S::backoff_max_ms>(), 300'000, 0,
              day_s * 1000, "milliseconds", when::restart, "The longest such wait. Not below backoff_first_ms."),
      integer("tasks.types.<worker_type>.not_yet_ms", bound_in_worker_type<&S::not_yet_ms>(), 1000, 1, day_s * 1000,
              "milliseconds", when::restart,
              "About how long a task waits when what it needs was not there (not_yet). Twice as long with each further "
              "time in a row, up to 16 times, but not beyond backoff_max_ms."),
      integer("tasks.types.<worker_type>.lease_seconds", bound_in_worker_type<&S::lease_seconds>(), 30, 1, day_s / 2,
              "seconds", when::restart,
              "How long a worker may be silent before its task is given to another one. A worker may ask for another "
              "time."),
      integer("tasks.types.<worker_type>.running_max", bound_in_worker_type<&S::running_max>(), 0, 0, 100'000, "tasks",
              when::restart,
              "Tasks that run at once, at all workers together. 0: 100000, the most there can be; each takes some 300 "
              "bytes of memory, and all together up to 32 MiB more. Each queue of a generator (TYPE.GENERATOR) may "
              "have as many of its own."),
      integer("tasks.types.<worker_type>.starts_per_s", bound_in_worker_type<&S::starts_per_s>(), 0, 0, 1'000'000,
              "attempts per second", when::restart,
              "Attempts that begin in a second. 0: no limit. Each queue of a generator (TYPE.GENERATOR) may begin as "
              "many of its own."),
      integer("tasks.types.<worker_type>.workers", bound_in_worker_type<&S::workers>(), 0, 0, 64, "workers",
              when::restart,
              "Workers of the type inside of the node, where it has one: id_generation_request_worker, "
              "id_generation_update_worker and webhook. 0: only workers that ask over HTTP."),
  };
}

std::vector<setting> registrant_kind_rows() {
  using S = registrant_kind_settings;
  return {
      text("registrants.kinds.<kind>.id_type", bound_in_kind<&S::id_type>(), "uin", 1, when::restart,
           "The identifier type of the unique IDs of such registrants. What is there already keeps its own. No two "
           "registrants have the same unique ID: where kinds have types with IDs of one length, one that another has "
           "already is passed over."),
      text(
          "registrants.kinds.<kind>.generator", bound_in_kind<&S::generator>(), "local", 1, when::restart,
          "Where such registrants get their unique IDs: \"local\" is this node's own pool, any other word names one of "
          "[generators.NAME]. What is there already keeps its own."),
  };
}

std::vector<setting> generator_rows() {
  using S = generator_settings;
  constexpr auto in = &settings::generators;
  return {
      required(word("generators.<generator>.kind", bound_in_member<in, &S::kind>(), "", generator_kinds, when::restart,
                    "Whose it is: MOSIP's kernel-idgenerator-service or OpenG2P's id-generator."),
               std::string("mosip")),
      required(text("generators.<generator>.url", bound_in_member<in, &S::url>(), "", 1, when::restart,
                    "Address, http:// or https://. MOSIP: of its UINs, such as https://HOST/v1/idgenerator/uin. "
                    "OpenG2P: what stands before /v1/idgenerator."),
               std::string("https://registry.example/path")),
      text("generators.<generator>.id_type", bound_in_member<in, &S::id_type>(), "", 0, when::restart,
           "OpenG2P: the type of the identifiers, a small letter and then 1 to 63 small letters, digits or "
           "underscores. Empty for MOSIP."),
      integer("generators.<generator>.timeout_ms", bound_in_member<in, &S::timeout_ms>(), 10'000, 100, 10 * minute_ms,
              "milliseconds", when::restart,
              "How long one call may take, a new token included. A bridge that uses it needs a lease_seconds that is "
              "longer; workers inside of the node renew their leases meanwhile."),
      integer("generators.<generator>.calls_max", bound_in_member<in, &S::calls_max>(), 4, 1, 64, "calls",
              when::restart,
              "Calls at once for registrants; each has a thread. Bridges call with their own workers, besides."),
      text("generators.<generator>.token_url", bound_in_member<in, &S::token_url>(), "", 0, when::restart,
           "Address of the token endpoint, asked by client_credentials. Empty: calls carry no token."),
      text("generators.<generator>.client_id", bound_in_member<in, &S::client_id>(), "", 0, when::restart,
           "Client that tokens are asked for."),
      text("generators.<generator>.client_secret_file", bound_in_member<in, &S::client_secret_file>(), "", 0,
           when::restart,
           "File with the client's secret, which only the node's user may read, outside storage.data_dir. A line's "
           "end after it does not count."),
      text("generators.<generator>.client_secret_env", bound_in_member<in, &S::client_secret_env>(), "", 0,
           when::restart, "Name of an environment variable that holds the client's secret, instead of a file."),
      text("generators.<generator>.ca_file", bound_in_member<in, &S::ca_file>(), "", 0, when::restart,
           "Certificates (PEM) to trust for url and token_url. Empty: those of the system."),
  };
}

std::vector<setting> webhook_rows() {
  using S = webhook_settings;
  constexpr auto in = &settings::webhooks;
  return {
      required(text("webhooks.<webhook>.url", bound_in_member<in, &S::url>(), "", 1, when::restart,
                    "Address, http:// or https://, that deliveries go to."),
               std::string("https://registry.example/path")),
      list("webhooks.<webhook>.allowed_hosts", kind::text_list, bound_in_member<in, &S::allowed_hosts>(), 64,
           when::restart,
           "Further hosts that a task may name in an address of its own, each \"HOST\" (ports 80 and 443) or "
           "\"HOST:PORT\". All others are refused, so that nobody reaches what only this node can reach. Empty: only "
           "that of url."),
      text("webhooks.<webhook>.secret_file", bound_in_member<in, &S::secret_file>(), "", 0, when::restart,
           "File with the secret that deliveries are signed with, which only the node's user may read, outside "
           "storage.data_dir. Without a secret they are not signed."),
      text("webhooks.<webhook>.secret_env", bound_in_member<in, &S::secret_env>(), "", 0, when::restart,
           "Name of an environment variable that holds the secret, instead of a file."),
      integer("webhooks.<webhook>.timeout_ms", bound_in_member<in, &S::timeout_ms>(), 10'000, 100, 10 * minute_ms,
              "milliseconds", when::restart,
              "How long one delivery may take. Workers inside of the node renew their leases meanwhile."),
      text("webhooks.<webhook>.ca_file", bound_in_member<in, &S::ca_file>(), "", 0, when::restart,
           "Certificates (PEM) to trust. Empty: those of the system."),
  };
}

std::vector<setting> bridge_rows() {
  using S = bridge_settings;
  constexpr auto in = &settings::bridges;
  auto password = text("bridges.<bridge>.password", bound_in_member<in, &S::password>(), "", 0, when::restart,
                       "Password of the database user. Only from the environment, as "
                       "MATRICULA_BRIDGES__OPENG2P__PASSWORD; never shown.");
  password.secret = true;
  return {
      flag("bridges.<bridge>.enabled", bound_in_member<in, &S::enabled>(), true, when::restart,
           "Whether the bridge works. Disabled, it leaves the tables as they are."),
      required(text("bridges.<bridge>.connection", bound_in_member<in, &S::connection>(), "", 1, when::restart,
                    "The database, as libpq reads it: \"host=db.example port=5432 dbname=openg2p user=matricula "
                    "sslmode=verify-full\" or a postgresql:// URL. No password here."),
               std::string("host=db.example dbname=openg2p user=matricula")),
      text("bridges.<bridge>.password_file", bound_in_member<in, &S::password_file>(), "", 0, when::restart,
           "File whose first line is the password of the database user, which only the node's user may read, outside "
           "storage.data_dir. Empty: none, or as password or libpq's own password file say."),
      std::move(password),
      word("bridges.<bridge>.queue", bound_in_member<in, &S::queue>(), "background_task", bridge_queues, when::restart,
           "Which generation of OpenG2P's queue it is: \"background_task\" has a row for each step, the older "
           "\"id_generation\" one for each registrant."),
      text("bridges.<bridge>.task_table", bound_in_member<in, &S::task_table>(), "", 0, when::restart,
           "Table of the queue, NAME or SCHEMA.NAME. Empty: g2p_que_background_task or g2p_que_id_generation."),
      text("bridges.<bridge>.registrant_table", bound_in_member<in, &S::registrant_table>(), "res_partner", 1,
           when::restart, "Table of the registrants, NAME or SCHEMA.NAME."),
      text("bridges.<bridge>.id_column", bound_in_member<in, &S::id_column>(), "unique_id", 1, when::restart,
           "Column of the registrants for their identifier; \"ref_id\" in older versions."),
      text("bridges.<bridge>.request_worker_type", bound_in_member<in, &S::request_worker_type>(),
           "id_generation_request_worker", 1, when::restart,
           "The worker_type of tasks that ask for an identifier. Only of background_task, as the next two."),
      text("bridges.<bridge>.update_worker_type", bound_in_member<in, &S::update_worker_type>(),
           "id_generation_update_worker", 1, when::restart,
           "The worker_type of tasks that tell the generator that an identifier is in use."),
      word("bridges.<bridge>.unknown_worker_types", bound_in_member<in, &S::unknown_worker_types>(), "leave",
           unknown_types, when::restart,
           "What becomes of tasks of other worker types: \"leave\" leaves them to workers of their own, \"fail\" makes "
           "them FAILED with a reason."),
      text("bridges.<bridge>.generator", bound_in_member<in, &S::generator>(), "local", 1, when::restart,
           "Where identifiers come from: \"local\" is this node's own pool, any other word names one of "
           "[generators.NAME]."),
      text("bridges.<bridge>.id_type", bound_in_member<in, &S::id_type>(), "uin", 1, when::restart,
           "The identifier type that registrants get from the local pool."),
      integer("bridges.<bridge>.workers", bound_in_member<in, &S::workers>(), 4, 1, 64, "threads", when::restart,
              "Calls to the generator at once. Each worker has a connection to the database."),
      integer("bridges.<bridge>.batch_size", bound_in_member<in, &S::batch_size>(), 16, 1, 1000, "tasks", when::restart,
              "New tasks, and as many that are tried again, of each step that a worker claims at once, half of it "
              "each."),
      integer("bridges.<bridge>.poll_interval_ms", bound_in_member<in, &S::poll_interval_ms>(), 1000, 10, hour_ms,
              "milliseconds", when::restart,
              "How often it looks for tasks when no notification says that there are some."),
      integer("bridges.<bridge>.lease_seconds", bound_in_member<in, &S::lease_seconds>(), 60, 1, day_s / 2, "seconds",
              when::restart,
              "How long a worker that is silent keeps its tasks. With a generator of [generators.NAME] longer than its "
              "timeout_ms and statement_timeout_ms together."),
      integer("bridges.<bridge>.max_attempts", bound_in_member<in, &S::max_attempts>(), 5, 1, 1000, "attempts",
              when::restart, "A task that was tried so often without success is FAILED."),
      integer("bridges.<bridge>.backoff_first_ms", bound_in_member<in, &S::backoff_first_ms>(), 1000, 0, day_s * 1000,
              "milliseconds", when::restart,
              "After the first failure a task waits for a random time up to this; up to twice as long after each "
              "further one."),
      integer("bridges.<bridge>.backoff_max_ms", bound_in_member<in, &S::backoff_max_ms>(), 300'000, 0, day_s * 1000,
              "milliseconds", when::restart, "The longest such wait. Not below backoff_first_ms."),
      integer("bridges.<bridge>.not_yet_ms", bound_in_member<in, &S::not_yet_ms>(), 1000, 1, day_s * 1000,
              "milliseconds", when::restart,
              "About how long a task waits when the generator has no identifier. It costs no attempt."),
      integer("bridges.<bridge>.statement_timeout_ms", bound_in_member<in, &S::statement_timeout_ms>(), 10'000, 100,
              hour_ms, "milliseconds", when::restart,
              "After this a statement without an answer ends the connection; the database itself ends it at half of "
              "it."),
      flag("bridges.<bridge>.install", bound_in_member<in, &S::install>(), true, when::restart,
           "Whether it makes its schema matricula and the trigger that wakes it when they are missing. See "
           "docs/bridge.md for doing it by hand."),
  };
}

std::vector<setting> alert_rows() {
  using S = alert_settings;
  constexpr auto in = &settings::alerts;
  constexpr std::int64_t year_min = 366 * 24 * 60;
  constexpr std::int64_t gib_in_mib = 1024;
  return {
      text("alerts.node_name", bound<in, &S::node_name>(), "", 0, when::restart,
           "What this node is called in notices. Empty: it is not said."),
      integer("alerts.beat_seconds", bound<in, &S::beat_seconds>(), 10, 1, 3600, "seconds", when::restart,
              "How often the rules are applied."),
      integer("alerts.repeat_first_minutes", bound<in, &S::repeat_first_minutes>(), 10, 1, year_min, "minutes",
              when::restart,
              "From the first notice of an alert to the second, while it lasts and nobody acknowledges it. The time "
              "doubles with each further notice."),
      integer("alerts.repeat_max_minutes", bound<in, &S::repeat_max_minutes>(), 1440, 1, year_min, "minutes",
              when::restart, "The longest time between two notices. Not below repeat_first_minutes."),
      integer("alerts.recovery_seconds", bound<in, &S::recovery_seconds>(), 60, 0, day_s, "seconds", when::restart,
              "An alert is over, and that is told, when what was wrong has been right for so long. What comes back "
              "sooner is the same alert."),
      integer("alerts.retention_days", bound<in, &S::retention_days>(), 30, 1, 3650, "days", when::restart,
              "How long an alert that is over is kept; 500 of them at most."),
      integer("alerts.queue_age_seconds_max", bound<in, &S::queue_age_seconds_max>(), 300, 0, 30 * day_s, "seconds",
              when::restart,
              "Alert queue_age: the next task of a worker type could have been begun for longer than this. Also "
              "tasks_put_off (what tasks need is not there for so long) and bridge_behind (the oldest PENDING task of "
              "a bridge). 0: off."),
      integer("alerts.failed_tasks_max", bound<in, &S::failed_tasks_max>(), 100, 0, 1'000'000'000, "tasks",
              when::restart, "Alert tasks_failed: a worker type has more FAILED tasks than this. 0: off."),
      integer("alerts.pool_percent_min", bound<in, &S::pool_percent_min>(), 10, 0, 100, "per cent", when::restart,
              "Alert pool_low: fewer identifiers are available than this part of the type's pool_min, for a minute. "
              "0: off."),
      integer("alerts.disk_free_mib_min", bound<in, &S::disk_free_mib_min>(), 1024, 0, gib_in_mib * gib_in_mib, "MiB",
              when::restart,
              "Alert disk_low: less free space than this. 0: off. Below storage.disk_free_mib_min, where writes are "
              "refused, it is disk_full."),
  };
}

std::vector<setting> alert_sink_rows() {
  using S = alert_sink_settings;
  auto password = text("alerts.sinks.<sink>.password", bound_in_alert_sink<&S::password>(), "", 0, when::restart,
                       "Password of user. Only from the environment, as MATRICULA_ALERTS__SINKS__NAME__PASSWORD; never "
                       "shown.");
  password.secret = true;
  return {
      flag("alerts.sinks.<sink>.enabled", bound_in_alert_sink<&S::enabled>(), true, when::restart,
           "Whether anything is told there."),
      word("alerts.sinks.<sink>.kind", bound_in_alert_sink<&S::kind>(), "log", words_of<sink_kind>, when::restart,
           "\"log\": a line in the log. \"smtp\": a mail. \"webhook\": a delivery to one of [webhooks.NAME]. The "
           "settings "
           "below are for mails, but for webhook."),
      text("alerts.sinks.<sink>.webhook", bound_in_alert_sink<&S::webhook>(), "", 0, when::restart,
           "Which of [webhooks.NAME] notices are delivered to."),
      text("alerts.sinks.<sink>.server", bound_in_alert_sink<&S::server>(), "", 0, when::restart,
           "The mail server as \"HOST:PORT\", such as \"mail.example.org:587\"."),
      word("alerts.sinks.<sink>.security", bound_in_alert_sink<&S::security>(), "starttls", words_of<mail_security>,
           when::restart,
           "\"starttls\": TLS is begun first, or nothing is sent. \"tls\": from the first byte, mostly port 465. "
           "\"none\": only for a server on this machine."),
      text("alerts.sinks.<sink>.from", bound_in_alert_sink<&S::from>(), "", 0, when::restart, "The sender's address."),
      list("alerts.sinks.<sink>.to", kind::text_list, bound_in_alert_sink<&S::to>(), 32, when::restart,
           "The recipients' addresses. All of them see each other."),
      text("alerts.sinks.<sink>.user", bound_in_alert_sink<&S::user>(), "", 0, when::restart,
           "User at the mail server. Empty: none is asked for."),
      std::move(password),
      text("alerts.sinks.<sink>.password_file", bound_in_alert_sink<&S::password_file>(), "", 0, when::restart,
           "File whose first line is the password, which only the node's user may read, outside storage.data_dir."),
      text("alerts.sinks.<sink>.ca_file", bound_in_alert_sink<&S::ca_file>(), "", 0, when::restart,
           "Certificates (PEM) to trust for the mail server. Empty: those of the system."),
      integer("alerts.sinks.<sink>.timeout_ms", bound_in_alert_sink<&S::timeout_ms>(), 30'000, 100, 10 * minute_ms,
              "milliseconds", when::restart, "How long one mail may take to be handed over."),
  };
}

std::vector<setting> all_rows() {
  std::vector<setting> all;
  for (auto part : {server_rows,        tls_rows,        auth_rows,        jwt_rows,
                    storage_rows,       runtime_rows,    small_rows,       quota_rows,
                    config_server_rows, identifier_rows, type_rows,        rule_rows,
                    vid_policy_rows,    task_rows,       worker_type_rows, registrant_kind_rows,
                    generator_rows,     webhook_rows,    bridge_rows,      alert_rows,
                    alert_sink_rows})
    std::ranges::move(part(), std::back_inserter(all));
  return all;
}

} // namespace

std::span<const setting> schema() {
  static const std::vector<setting> rows = all_rows();
  return rows;
}

std::span<const section> sections() {
  static constexpr auto all = std::to_array<section>({
      {"server", "The HTTP server and its limits."},
      {"server.tls", "TLS for the HTTP server. Both files, or none."},
      {"auth", "Who may call."},
      {"auth.jwt", "JSON Web Tokens of an issuer, where auth.mode is \"jwt\" or \"tokens_and_jwt\"."},
      {"storage", "Where and how state is kept."},
      {"runtime", "The actors and their supervisors."},
      {"log", "What is written about what happens."},
      {"idempotency", "Records that make a repeated request safe."},
      {"dead_letters", "Messages that crashed their actor and were set aside."},
      {"audit", "The record of who did what."},
      {"quotas", "How often one caller may ask; beyond it the answer is 429 with Retry-After."},
      {"config_server", "MOSIP's configuration server as a source of pool limits."},
      {"identifiers", "What holds for all identifier types."},
      {"identifiers.types.<type>",
       "One identifier type. A file may change a shipped type, disable it with `enabled = false`, or add types: a new "
       "type says at least its length and lifecycle. Names are a small letter and then 1 to 63 small letters, digits "
       "or underscores."},
      {"identifiers.types.<type>.rules",
       "What the type does differently from its profile. A rule that is not named here is as the profile has it."},
      {"vid_policies", "Kinds of VIDs that are made for holders: POST /v1/holders/{holder}/vids."},
      {"vid_policies.<policy>",
       "One VID policy. A file may change a shipped policy, disable it with `enabled = false`, or add policies: a new "
       "one says at least its instances. Names are a small letter and then 1 to 31 small letters, digits or "
       "underscores."},
      {"tasks", "The queue of tasks: POST /v1/tasks."},
      {"tasks.types.<worker_type>",
       "One kind of work, as the worker_type of a task names it. A file may change a shipped type, disable it with "
       "`enabled = false`, or add types. Names are a small letter and then 1 to 63 small letters, digits or "
       "underscores."},
      {"registrants.kinds.<kind>", "One kind of registrants: POST /v1/registrants. A file may change a shipped kind or "
                                   "add kinds. Names are a small "
                                   "letter and then 1 to 63 small letters, digits or underscores."},
      {"generators.<generator>",
       "A generator of another system, which workers take identifiers from. Names are a small letter and then 1 to 63 "
       "small letters, digits or underscores. See connectors.md."},
      {"webhooks.<webhook>", "An address that workers of webhooks deliver to. Names are a small letter and then 1 to "
                             "63 small letters, digits "
                             "or underscores. See connectors.md."},
      {"bridges.<bridge>",
       "A bridge that works the queue in OpenG2P's own database: docs/bridge.md. Names are as those of worker types; "
       "none is shipped."},
      {"alerts", "What is found wrong and told to operators: GET /v1/alerts."},
      {"alerts.sinks.<sink>",
       "One place where alerts are told. A file may change the shipped one, disable it with `enabled = false`, or add "
       "others. Names are a small letter and then 1 to 63 small letters, digits or underscores."},
  });
  return all;
}

} // namespace matricula::config
