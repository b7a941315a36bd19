#include "commands/node.hpp"

#include "actors/cast.hpp"
#include "actors/dead_letter_office.hpp"
#include "actors/identifiers/capacity_keeper.hpp"
#include "actors/identifiers/door.hpp"
#include "actors/identifiers/vid_door.hpp"
#include "actors/journal_keeper.hpp"
#include "actors/messages.hpp"
#include "actors/registrants/local_generator.hpp"
#include "actors/schedule_book.hpp"
#include "api/compat/mosip.hpp"
#include "api/compat/openg2p.hpp"
#include "api/jwt_gate.hpp"
#include "api/resources/actors.hpp"
#include "api/resources/alerts.hpp"
#include "api/resources/audit_log.hpp"
#include "api/resources/backup.hpp"
#include "api/resources/clock.hpp"
#include "api/resources/configuration.hpp"
#include "api/resources/constant.hpp"
#include "api/resources/dead_letters.hpp"
#include "api/resources/holders.hpp"
#include "api/resources/id_trail.hpp"
#include "api/resources/identifiers.hpp"
#include "api/resources/import.hpp"
#include "api/resources/operations.hpp"
#include "api/resources/registrants.hpp"
#include "api/resources/tasks.hpp"
#include "api/resources/unconfirmed.hpp"
#include "api/server.hpp"
#include "commands/alerts.hpp"
#include "commands/bridges.hpp"
#include "commands/capacities.hpp"
#include "commands/end_process.hpp"
#include "commands/id_types.hpp"
#include "commands/jwt_options.hpp"
#include "commands/limits_from_server.hpp"
#include "commands/quota_options.hpp"
#include "commands/remote_generators.hpp"
#include "commands/server_options.hpp"
#include "commands/settings_json.hpp"
#include "commands/task_handlers.hpp"
#include "commands/tasks.hpp"
#include "commands/vid_policies.hpp"
#include "config/reload.hpp"
#include "foundation/log.hpp"
#include "runtime/registry.hpp"
#include "runtime/scheduler.hpp"
#include "runtime/system.hpp"
#include "runtime/telemetry.hpp"
#include "runtime/watchdog.hpp"
#include "storage/audit.hpp"
#include "storage/id_trail.hpp"
#include "storage/log_writer.hpp"
#include "storage/notebook.hpp"
#include "storage/restored_store.hpp"
#include "storage/timeline.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>

namespace matricula::commands {

namespace {

constexpr std::chrono::seconds start_write_timeout{30};
constexpr std::chrono::seconds audit_write_timeout{5};
constexpr std::chrono::seconds bridge_call_timeout{10}; ///< of the own pools, which know a request again
constexpr milliseconds cut_off_at_most{1'000};          ///< for what was cut off to say so
constexpr milliseconds clock_behind_told = std::chrono::minutes(1);

std::uint64_t mib(std::uint64_t n) { return n << 20; }

} // namespace

/// In the order of making; destroyed the other way round.
struct node::parts {
  explicit parts(node_options o) : options(std::move(o)), running(options.settings) {}

  node_options options;
  config::loaded running;
  std::mutex reload_mutex; ///< held from reading settings and tokens until both apply
  std::atomic<std::uint32_t> batch_count_max{1};
  std::atomic<bool> draining{false};

  system_clock time;
  metrics numbers;
  std::unique_ptr<storage::disk_guard> guard;
  std::unique_ptr<storage::store> store;
  std::shared_ptr<decision_clock> decisions;
  std::shared_ptr<runtime::reply_gate> gate = std::make_shared<runtime::reply_gate>();
  // They outlive the log and its writer: what they still have in flight completes on the writer's thread.
  std::unique_ptr<actors::dead_letter_office> letters;
  std::shared_ptr<actors::schedule_book> schedules;
  std::unique_ptr<storage::notebook> audit_log;
  std::unique_ptr<storage::notebook> capacity_notes;
  std::unique_ptr<storage::local_log> log;
  std::unique_ptr<storage::log_writer> writer;

  std::shared_ptr<runtime::registry> actors;
  std::shared_ptr<runtime::services> services;
  std::unique_ptr<caf::actor_system_config> system_config;
  std::unique_ptr<caf::actor_system> system;
  std::vector<std::shared_ptr<const actors::type_context>> contexts;
  std::shared_ptr<const actors::queue_context> queue;
  std::unique_ptr<remote_generators> generators;
  std::vector<std::shared_ptr<const actors::worker_pool>> workers;
  std::vector<std::shared_ptr<actors::threaded_sink>> alert_sinks;
  std::shared_ptr<const actors::alerts_context> alerts;
  caf::actor root;
  std::unique_ptr<runtime::watchdog_thread> watchdog;
  std::unique_ptr<runtime::telemetry> telemetry;
  std::shared_ptr<actors::id_door> door;
  std::unique_ptr<actors::vid_door> vid_door; ///< unless the type that policies draw from is disabled
  std::unique_ptr<actors::task_door> task_door;
  std::unique_ptr<actors::registrant_door> registrant_door;
  std::unique_ptr<actors::alert_door> alert_door;
  std::vector<std::unique_ptr<actors::local_generator>> bridge_generators; ///< of bridges over the own pools
  std::optional<bridges> running_bridges;
  std::atomic<const bridges*> bridges_to_watch{nullptr}; ///< while they run

  server_limits from_server{running, time};
  std::unique_ptr<api::quotas> quotas;
  std::unique_ptr<actors::capacity_keeper> capacities;
  std::atomic<const actors::capacity_keeper*> capacities_to_watch{nullptr}; ///< while it is there

  std::unique_ptr<api::token_store> tokens;   ///< where tokens are accepted
  std::unique_ptr<api::jwks_source> jwt_keys; ///< where JWTs are
  std::unique_ptr<api::jwt_gate> jwts;
  std::unique_ptr<api::authenticator> who;
  std::unique_ptr<api::actor_desk> actor_desk;
  std::unique_ptr<api::dead_letter_desk> letter_desk;
  std::unique_ptr<api::compat::id_desk> id_desk;
  std::unique_ptr<api::application> app;
  std::unique_ptr<api::server> server;
  std::uint16_t port = 0;

  const config::settings& settings() const { return running.values; }

  result<void> open_store();
  result<void> start_actors();
  result<void> start_capacities();
  /// When the pools can be asked. Errors: as bridges::start.
  result<void> start_bridges();
  result<void> start_authenticator();
  result<void> start_server();
  /// Whether the store takes writes.
  result<void> storage_ready() const;
  /// What speaks like the systems that Matricula replaces.
  result<void> add_compatible_routes();
  void stop();
  void stop_bridges(std::chrono::steady_clock::time_point until);
  /// Everything or nothing; a refusal is logged.
  result<std::vector<std::string>> reload();
  result<std::vector<std::string>> load_and_apply();
  /// The actor that drops old rows of the journals, with its address.
  runtime::child_spec journal_keeper_of(const config::settings& s, const runtime::slot_limits& slots);
  void publish_storage();
  /// What the queue of tasks needs of this node.
  std::shared_ptr<const actors::queue_context> make_queue(const runtime::slot_limits& slots);
  /// What the routes of registrants need.
  api::registrant_sources registrants_of(const config::settings& s, const api::audit_hook& audit);
  /// What is watched, and who is told; the sinks are started. Errors: as make_alert_sinks.
  result<void> make_alerts(const runtime::slot_limits& slots);
  /// Writes an operator's act down before it is carried out.
  result<void> note(const api::audit_entry& e);
  api::request_limits limits() const;
  /// The pools' limits, as the settings have them now.
  void give_pool_limits();
  /// New limits of the configuration server.
  void take_limits(const connectors::limits_of_types& limits);
};

result<void> node::parts::open_store() {
  const auto& s = settings().storage;
  // So that its free space can be asked for from the beginning; the store tells what is wrong with it.
  std::error_code told_by_the_store;
  std::filesystem::create_directory(s.data_dir, told_by_the_store);
  guard = std::make_unique<storage::disk_guard>(storage::disk_guard_options{
      .directory = s.data_dir, .min_free_bytes = mib(s.disk_free_mib_min), .ballast_bytes = mib(s.ballast_mib)});
  const auto restored = storage::restored_as_of(s.data_dir);
  if (!restored) return std::unexpected(restored.error());
  if (*restored)
    return fail(
        errc::conflict,
        fmt::format("The data folder {} was restored from a backup as of {}. What was issued after that is not in "
                    "it and would be issued again. Say how much that may be: matricula settle-restore --data {} "
                    "--skip N (or --old-data FOLDER).",
                    s.data_dir, to_rfc3339(**restored), s.data_dir));
  storage::store_options open;
  open.directory = s.data_dir;
  open.block_cache_bytes = mib(s.block_cache_mib);
  open.write_buffer_bytes = mib(s.write_buffer_mib);
  open.wal_bytes_max = mib(s.wal_mib_max);
  if (s.accept_loss_up_to != 0) open.accept_loss_up_to = s.accept_loss_up_to;
  auto opened = storage::store::open(std::move(open));
  if (!opened) return std::unexpected(opened.error());
  store = std::move(*opened);
  decisions = std::make_shared<decision_clock>(time, store->last_durable_time());
  if (decisions->suspect())
    log::error("clock.suspect",
               "The clock is more than 7 days past the last write. Until POST /v1/clock/trust confirms it, nothing "
               "expires and what is issued carries the time of the last write.",
               {{"last_write", to_rfc3339(store->last_durable_time())}, {"wall", to_rfc3339(time.wall())}});
  if (const auto behind = store->last_durable_time() - time.wall(); behind > clock_behind_told)
    log::error(
        "clock.behind",
        "The wall clock is behind the last write. Time stands still for this node until it has caught up: nothing "
        "expires and no schedule runs. If the last write is wrong, restore a backup made before it.",
        {{"last_write", to_rfc3339(store->last_durable_time())}, {"wall", to_rfc3339(time.wall())}});

  auto& sync_seconds =
      numbers.histogram("matricula_storage_sync_seconds", "Write and sync of one group.", metrics::seconds_bounds());
  auto& group_batches = numbers.histogram("matricula_storage_group_batches", "Batches that shared one sync.",
                                          {1, 2, 4, 8, 16, 32, 64, 128, 256, 512});
  storage::local_log_options options_of_log;
  options_of_log.queue_batches_max = s.queue_operations_max;
  options_of_log.queue_bytes_max = s.queue_bytes_max;
  options_of_log.now = [this] { return decisions->now(); };
  options_of_log.monotonic = [this] { return time.monotonic(); };
  options_of_log.before_completions = [] { runtime::reply_gate::begin_group(); };
  options_of_log.after_completions = [] { runtime::reply_gate::end_group(); };
  options_of_log.wrote = [&sync_seconds, &group_batches](const storage::group_info& group) {
    sync_seconds.Observe(std::chrono::duration<double>(group.sync_time).count());
    group_batches.Observe(static_cast<double>(group.batches));
  };
  options_of_log.fatal = [](std::string why) { end_process(why); };
  options_of_log.guard = guard.get();
  log = std::make_unique<storage::local_log>(*store, std::move(options_of_log));
  writer = std::make_unique<storage::log_writer>(*log);
  return {};
}

void node::parts::take_limits(const connectors::limits_of_types& limits) {
  const std::lock_guard lock(reload_mutex);
  running = from_server.with(running, limits);
  give_pool_limits();
  log::info("config_server.limits_changed", "The configuration server's limits were taken over.");
}

void node::parts::give_pool_limits() {
  for (const auto* type : door->types())
    if (const auto found = settings().identifiers.types.find(type->name); found != settings().identifiers.types.end())
      door->set_limits(*type, {found->second.pool_min, found->second.pool_target});
}

result<void> node::parts::start_actors() {
  from_server.ask_first(running);
  const auto& s = settings();
  auto settled = settle(s.identifiers, *store->latest());
  if (!settled) return std::unexpected(settled.error());
  const auto policies = make_policies(running);
  if (!policies) return std::unexpected(policies.error());
  for (const auto& type : settled->types)
    if (type.key_fingerprint != settled->keys.front().derive(type.name).fingerprint())
      log::warning(
          "keys.previous_in_use",
          "A type is issued with one of identifiers.previous_keys. If that is not meant: matricula keys rotate.",
          {{"type", type.name}, {"key", type.key_fingerprint}});
  if (!settled->added.empty()) {
    storage::notebook notes(*log, storage::shard_id{0}, "types");
    auto written = notes.write_and_wait(
        [setups = settled->added](const storage::view&, storage::batch& to) -> result<void> {
          for (const auto& setup : setups) storage::put(to, setup);
          return {};
        },
        start_write_timeout);
    if (!written) return written;
  }

  actors = std::make_shared<runtime::registry>(time);
  services = std::make_shared<runtime::services>();
  services->time = &time;
  services->actors = actors;
  letters = std::make_unique<actors::dead_letter_office>(*log, s.dead_letters.per_actor_and_reason_max);
  schedules = std::make_shared<actors::schedule_book>(*log);
  audit_log = std::make_unique<storage::notebook>(*log, storage::audit::acts.shard, "audit");
  services->dead_letters = letters.get();
  services->make_random = [] { return std::make_unique<secure_random>(); };
  services->on_fatal = [](std::string_view why) { end_process(why); };

  const auto& r = s.runtime;
  runtime::system_options system_options;
  system_options.threads = r.scheduler_threads;
  system_config = runtime::make_system_config(system_options, actors::declare_messages);
  system = std::make_unique<caf::actor_system>(*system_config);

  actors::cast_options cast;
  cast.supervision.restarts_max = r.restart_intensity;
  cast.supervision.restart_window = milliseconds{r.restart_period_ms};
  cast.supervision.backoff_min = milliseconds{r.backoff_min_ms};
  cast.supervision.backoff_max = milliseconds{r.backoff_max_ms};
  cast.supervision.healthy_after = milliseconds{r.backoff_reset_after_ms};
  cast.supervision.stop_grace = milliseconds{r.stop_grace_ms};
  cast.slots.buffer_max = r.slot_buffer_messages_max;
  cast.mailbox_messages_max = r.mailbox_messages_max;
  for (auto& type : settled->types) {
    actors::type_context cx;
    cx.type = std::move(type);
    cx.log = log.get();
    cx.time = decisions.get();
    cx.monotonic = &time;
    cx.make_random = [] { return std::make_unique<secure_random>(); };
    cx.options.purge_after = std::chrono::days(s.idempotency.retention_days);
    cx.unconfirmed_lease = std::chrono::hours(s.identifiers.types.at(cx.type.name).unconfirmed_lease_hours);
    const bool draws_policies = cx.type.name == s.vid_policies.type;
    if (draws_policies) cx.policies = *policies;
    auto issuers = actors::make_issuers(cx, *system, cast.slots);
    if (draws_policies) vid_door = std::make_unique<actors::vid_door>(issuers, gate);
    std::ranges::move(issuers, std::back_inserter(contexts));
  }
  queue = make_queue(cast.slots);
  door = std::make_shared<actors::id_door>(contexts, gate);
  auto remote = remote_generators::make(s, time, queue->closing);
  if (!remote) return std::unexpected(remote.error());
  generators = std::move(*remote);
  auto pools = make_worker_pools({s, queue, door, *generators, time}, *system, cast.slots);
  if (!pools) return std::unexpected(pools.error());
  workers = std::move(*pools);
  if (auto made = make_alerts(cast.slots); !made) return made;
  runtime::supervisor_options at_root = cast.supervision;
  at_root.how = runtime::strategy::one_for_all;
  at_root.restarts_max = 1;
  runtime::scheduler_options schedule{.memory = schedules, .clock = decisions};
  for (const auto& cx : contexts) {
    auto when = runtime::cron_expression::parse(s.identifiers.expirer_schedule, s.identifiers.time_zone);
    if (!when) return std::unexpected(when.error());
    schedule.jobs.push_back(
        {.name = "expirer/" + cx->name(),
         .when = std::move(*when),
         .on_missed = s.identifiers.expirer_on_missed == config::missed_run::skip ? runtime::missed_run::skip
                                                                                  : runtime::missed_run::catch_up,
         .to = cx->expirer.address(),
         .make = [](const runtime::scheduled_run&) { return caf::make_message(actors::run_expirer{}); }});
  }
  auto beat = runtime::cron_expression::parse(s.tasks.beat, s.identifiers.time_zone);
  if (!beat) return std::unexpected(beat.error());
  schedule.jobs.push_back({.name = "tasks/beat",
                           .when = std::move(*beat),
                           .on_missed = runtime::missed_run::skip,
                           .to = queue->queue.address(),
                           .make = [](const runtime::scheduled_run&) { return caf::make_message(actors::run_beat{}); },
                           .hold_while_clock_is_suspect = false});
  auto keeper = journal_keeper_of(s, cast.slots);
  if (s.audit.retention_days > 0) {
    auto when = runtime::cron_expression::parse(s.identifiers.expirer_schedule, s.identifiers.time_zone);
    if (!when) return std::unexpected(when.error());
    schedule.jobs.push_back(
        {.name = "journals/trim",
         .when = std::move(*when),
         .on_missed = runtime::missed_run::catch_up,
         .to = keeper.slot.address(),
         .make = [](const runtime::scheduled_run&) { return caf::make_message(actors::trim_journals{}); }});
  }
  std::vector<runtime::child_spec> tree;
  tree.push_back(
      runtime::subtree("domain", cast.supervision,
                       {actors::identifiers_subtree(contexts, cast), actors::tasks_subtree(queue, cast, workers),
                        actors::alerts_child(alerts, cast), std::move(keeper),
                        runtime::child_of<runtime::scheduler>("scheduler", "scheduler", std::move(schedule))}));
  letters->connect(system.get(), actors.get());
  root = runtime::start_root(*system, services, at_root, std::move(tree));
  watchdog = std::make_unique<runtime::watchdog_thread>(
      services, runtime::watchdog_options{.stuck_after = milliseconds{r.stuck_after_ms}});
  telemetry = std::make_unique<runtime::telemetry>(*actors, numbers);
  task_door = std::make_unique<actors::task_door>(queue, gate);
  registrant_door = std::make_unique<actors::registrant_door>(queue, gate);
  alert_door = std::make_unique<actors::alert_door>(alerts, gate);
  return {};
}

result<void> node::parts::make_alerts(const runtime::slot_limits& slots) {
  const auto& s = settings();
  auto sinks = make_alert_sinks(s, time);
  if (!sinks) return std::unexpected(sinks.error());
  alert_sinks = std::move(*sinks);
  auto cx = std::make_shared<actors::alerts_context>();
  cx->part = storage::alerts_of_node();
  cx->log = log.get();
  cx->time = decisions.get();
  cx->monotonic = &time;
  cx->rhythm = rhythm_of(s.alerts);
  cx->beat = std::chrono::seconds(s.alerts.beat_seconds);
  cx->rules = alert_rules(s);
  cx->sinks.assign(alert_sinks.begin(), alert_sinks.end());
  cx->sources = {readings_of_tasks(queue),
                 readings_of_registrants(queue),
                 readings_of_bridges([this] { return bridges_to_watch.load(); }),
                 readings_of_pools(contexts),
                 readings_of_capacity([this] { return capacities_to_watch.load(); }, contexts),
                 readings_of_storage(*guard, *log),
                 readings_of_sinks(cx->sinks, time)};
  cx->alerts_slot = runtime::slot_ref::make(*system, slots);
  alerts = cx;
  services->on_alarm = [cx](const runtime::operator_alarm& alarm) { raise_alarm(*cx, alarm); };
  for (const auto& sink : alert_sinks)
    sink->start([slot = cx->alerts_slot](std::uint64_t id, const std::string& name, alerts::notice_kind kind) {
      caf::anon_send(slot.address(), actors::notice_settled{id, static_cast<std::uint8_t>(kind), name});
    });
  return {};
}

std::shared_ptr<const actors::queue_context> node::parts::make_queue(const runtime::slot_limits& slots) {
  auto cx = std::make_shared<actors::queue_context>(queue_context_of(settings()));
  cx->log = log.get();
  cx->time = decisions.get();
  cx->monotonic = &time;
  cx->make_random = [] { return std::make_unique<secure_random>(); };
  cx->queue = runtime::slot_ref::make(*system, slots);
  secure_random random;
  cx->life = fmt::format("{:08x}", static_cast<std::uint32_t>(random.next()));
  return cx;
}

api::registrant_sources node::parts::registrants_of(const config::settings& s, const api::audit_hook& audit) {
  api::registrant_sources from{.door = registrant_door.get(), .kinds = {}, .audit = audit};
  for (const auto& [name, kind] : s.registrants.kinds) {
    const bool local = kind.generator == config::local_generator;
    if (!local || door->find(kind.id_type) != nullptr)
      from.kinds.emplace(
          name, api::registrant_sources::kind{.id_type = kind.id_type, .generator = local ? "" : kind.generator});
    else
      log::warning("registrants.kind_without_type", "The identifier type of a kind of registrants is disabled.",
                   {{"kind", name}, {"id_type", kind.id_type}});
  }
  return from;
}

runtime::child_spec node::parts::journal_keeper_of(const config::settings& s, const runtime::slot_limits& slots) {
  actors::journal_keeper_options keep;
  keep.log = log.get();
  keep.time = decisions.get();
  keep.retention = std::chrono::days(s.audit.retention_days);
  keep.chains.push_back(storage::audit::acts);
  for (const auto& cx : contexts) keep.chains.push_back(storage::id_trail::chain_of(cx->part));
  auto child = runtime::child_of<actors::journal_keeper>("journal-keeper", "journal_keeper", std::move(keep));
  child.slot = runtime::slot_ref::make(*system, slots);
  return child;
}

result<void> node::parts::start_bridges() {
  const auto timeline = storage::find_timeline(*store);
  if (!timeline) return std::unexpected(timeline.error());
  auto started = bridges::start(settings(), *timeline, time,
                                [this](std::string_view bridge, std::string_view generator,
                                       std::string_view id_type) -> registrants::id_generator* {
                                  if (generator != config::local_generator) return generators->find(generator);
                                  const auto* const type = door->find(id_type);
                                  if (type == nullptr) return nullptr;
                                  return bridge_generators
                                      .emplace_back(std::make_unique<actors::local_generator>(
                                          door, *type, fmt::format("bridge/{}", bridge), bridge_call_timeout, time))
                                      .get();
                                });
  if (!started) return std::unexpected(started.error());
  running_bridges.emplace(std::move(*started));
  bridges_to_watch = &*running_bridges;
  return {};
}

result<void> node::parts::start_capacities() {
  capacity_notes = std::make_unique<storage::notebook>(*log, storage::shard_id{0}, "capacities");
  capacities = make_capacity_keeper(contexts, *capacity_notes, settings().identifiers, services);
  if (auto loaded = capacities->load(); !loaded) return loaded;
  capacities->start();
  capacities_to_watch = capacities.get();
  return {};
}

api::request_limits node::parts::limits() const {
  const auto& s = settings().server;
  return {.deadline = milliseconds{s.request_deadline_ms},
          .body_bytes_max = s.body_bytes_max,
          .in_flight_max = s.requests_in_flight_max};
}

result<void> node::parts::storage_ready() const {
  if (store->dead()) return fail(errc::unavailable, "A write failed; the node is about to end and recover.");
  if (guard->full()) return fail(errc::storage_full, "Too little disk space: writes are refused until there is more.");
  return {};
}

result<void> node::parts::add_compatible_routes() {
  id_desk = api::compat::make_id_desk(*door);
  const auto now = [this] { return decisions->now(); };
  std::error_code unknown;
  const auto space = std::filesystem::space(settings().storage.data_dir, unknown); // a disk that hangs must not hang us
  const api::compat::node_health health{.storage = [this] { return storage_ready(); },
                                        .pools = [this] { return door->ready(); },
                                        .disk =
                                            [this, total = unknown ? 0 : space.capacity] {
                                              return api::compat::disk_space{total, guard->free_bytes(),
                                                                             guard->min_free_bytes()};
                                            }};
  const auto clock_suspect = [this] { return decisions->suspect(); };
  const auto rendered = [this] {
    telemetry->publish();
    publish_storage();
    return numbers.render();
  };
  if (auto ok = app->add(api::compat::mosip_routes({id_desk.get(), now, health, clock_suspect, rendered})); !ok)
    return ok;
  return app->add(api::compat::openg2p_routes({id_desk.get(), now, health, options.version}));
}

result<void> node::parts::start_authenticator() {
  const auto& s = settings();
  if (s.auth.mode == config::auth_mode::none) {
    who = std::make_unique<api::open_authenticator>();
    return {};
  }
  if (s.auth.mode != config::auth_mode::jwt) {
    tokens = std::make_unique<api::token_store>(config::tokens_path(s));
    if (const auto loaded = tokens->reload(); !loaded) {
      auto why = loaded.error();
      why.message += " Make the first token with `matricula token create`.";
      return std::unexpected(std::move(why));
    }
  }
  if (config::takes_jwt(s.auth.mode)) {
    jwt_keys = std::make_unique<api::jwks_source>(jwks_options_of(s));
    // An issuer that is down must not keep the node down: its tokens get 503 until it answers. A bad file is a mistake.
    if (auto read = jwt_keys->start(); !read && !s.jwt.jwks_file.empty()) return read;
    jwts = std::make_unique<api::jwt_gate>(*jwt_keys, jwt_rules_of(s.jwt));
  }
  who = std::make_unique<api::bearer_authenticator>(tokens.get(), jwts.get());
  return {};
}

result<void> node::parts::start_server() {
  const auto& s = settings();
  batch_count_max = s.identifiers.batch_count_max;
  if (auto ok = start_authenticator(); !ok) return ok;
  quotas = std::make_unique<api::quotas>(quota_limits_of(settings().quotas), s.quotas.callers_max, numbers);
  app = std::make_unique<api::application>(api::application_options{.limits = limits(),
                                                                    .open_routes = s.auth.open_routes,
                                                                    .limits_of_callers = quotas.get()},
                                           *who, numbers, time);
  actor_desk = api::make_actor_desk(*actors);
  letter_desk = api::make_dead_letter_desk(*letters, time);
  const api::audit_hook audit = [this](const api::audit_entry& e) { return note(e); };

  api::operations_sources operations;
  operations.numbers = &numbers;
  operations.before_metrics = {[this] { telemetry->publish(); }, [this] { publish_storage(); }};
  operations.ready = {
      {"draining",
       [this]() -> result<void> {
         if (draining) return fail(errc::unavailable, "The node is stopping.");
         return {};
       }},
      {"storage", [this] { return storage_ready(); }},
      {"identifiers", [this] { return door->ready(); }},
  };
  if (s.auth.mode == config::auth_mode::jwt)
    operations.ready.push_back({"auth_keys", [this]() -> result<void> {
                                  if (jwt_keys->number() != 0) return {};
                                  return fail(errc::unavailable, "The issuer's keys could not be had yet.");
                                }});
  api::configuration_sources configuration;
  configuration.settings = [this] {
    const std::lock_guard lock(reload_mutex);
    return settings_json(running);
  };
  configuration.audit = audit;
  configuration.reload = [this] { return reload(); };
  api::identifier_sources identifiers{door.get(), decisions.get(), [this] { return batch_count_max.load(); }, audit,
                                      capacities.get()};

  auto timeline = storage::find_timeline(*store);
  if (!timeline) return std::unexpected(timeline.error());
  for (auto& routes :
       {api::operations_routes(std::move(operations)), api::identifier_routes(std::move(identifiers)),
        api::import_routes({door.get(), decisions.get(), audit, std::move(*timeline)}),
        api::holder_routes({vid_door.get(), decisions.get()}), api::actor_routes(*actor_desk, audit, time),
        api::configuration_routes(std::move(configuration)), api::dead_letter_routes(*letter_desk, audit),
        api::audit_routes(*audit_log), api::id_trail_routes(*door, *audit_log),
        api::unconfirmed_routes({door.get(), decisions.get()}), api::clock_routes({decisions.get(), audit}),
        api::backup_routes({store.get(), decisions.get(), audit}), api::task_routes(*task_door, audit),
        api::registrant_routes(registrants_of(settings(), audit)), api::alert_routes(*alert_door, audit)})
    if (auto ok = app->add(routes); !ok) return ok;
  if (auto ok = add_compatible_routes(); !ok) return ok;
  if (options.bench_route)
    if (auto ok = app->add(api::constant_route()); !ok) return ok;
  if (auto ok = app->check_open_routes(); !ok) return ok;

  server = std::make_unique<api::server>(server_options_of(s), *app, numbers);
  const auto listening = server->start();
  if (!listening) return std::unexpected(listening.error());
  port = *listening;
  from_server.go_on([this](const connectors::limits_of_types& now) { take_limits(now); });
  return {};
}

void node::parts::publish_storage() {
  const auto& stats = log->stats();
  const auto set = [&](const char* name, const char* help, std::uint64_t value) {
    numbers.gauge(name, help).Set(static_cast<double>(value));
  };
  set("matricula_clock_suspect", "1 while the wall clock is not believed: see GET /v1/clock.",
      decisions->suspect() ? 1 : 0);
  numbers.gauge("matricula_clock_ahead_seconds", "How far the wall clock is ahead of the time that decisions use.")
      .Set(std::chrono::duration<double>(time.wall() - decisions->now()).count());
  set("matricula_storage_groups", "Groups written: each is one sync of the write-ahead log.", stats.groups);
  set("matricula_storage_batches", "Batches made durable.", stats.batches);
  set("matricula_storage_bytes", "Bytes of those batches.", stats.bytes);
  set("matricula_storage_queue_batches", "Batches that wait for a sync.", stats.queue_batches);
  set("matricula_storage_refused_overloaded", "Writes refused because too much was waiting.", stats.refused_overloaded);
  set("matricula_storage_refused_full", "Writes refused because the disk is nearly full.", stats.refused_full);
  set("matricula_storage_disk_free_bytes", "Free bytes on the data folder's disk.", guard->free_bytes());
  if (jwt_keys) {
    const auto keys = jwt_keys->now();
    set("matricula_auth_jwks_keys", "Keys of the issuer that can be used; 0 while there are none.", keys.keys);
    set("matricula_auth_jwks_age_seconds", "Since the issuer's key set was last read well.",
        static_cast<std::uint64_t>(keys.age / std::chrono::seconds(1)));
    set("matricula_auth_jwks_failures", "Readings of the issuer's key set that failed.", keys.failures);
  }
  from_server.publish(numbers);
  set("matricula_dead_letters_lost", "Dead letters that could not be written.", letters->lost());
  publish_types(numbers, *door, *capacities);
  publish_tasks(numbers, *task_door, decisions->now());
  publish_registrants(numbers, *registrant_door);
  publish_alerts(numbers, *alert_door);
  if (const auto* const all = bridges_to_watch.load()) publish_bridges(numbers, *all);
}

result<void> node::parts::note(const api::audit_entry& e) {
  storage::audit::entry kept;
  kept.at = decisions->now();
  {
    static thread_local secure_random random;
    kept.id = make_ulid(kept.at.time_since_epoch().count(), random);
  }
  kept.who = e.tenant + "/" + e.principal;
  kept.action = e.action;
  kept.target = e.subject;
  kept.reason = e.reason;
  kept.request_id = e.request_id;
  // It may be written after this call has given up waiting.
  return audit_log->write_and_wait(
      [kept = std::move(kept)](const storage::view& rows, storage::batch& to) {
        return storage::audit::append(rows, to, kept);
      },
      audit_write_timeout);
}

void node::parts::stop() {
  using std::chrono::steady_clock;
  draining = true;
  // One time for all that is given one, so that the service manager's limit holds.
  const auto until = [this] {
    const std::lock_guard lock(reload_mutex);
    return steady_clock::now() + milliseconds{settings().server.drain_timeout_ms};
  }();
  const auto left = [until] {
    return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(until - steady_clock::now()));
  };
  // Nothing new is begun while requests in flight are finished.
  if (running_bridges) running_bridges->ask_to_stop();
  if (queue && root) actors::begin_to_close(*queue, workers);
  if (server && !server->drain(left()))
    log::warning("node.drain_cut", "Some requests were cut off at the end of the drain.");
  server.reset();
  from_server.stop();
  if (jwt_keys) jwt_keys->stop(); // after the last request that may wait for a key
  watchdog.reset();
  if (capacities) capacities->stop();
  if (queue && root && !actors::close_workers(*queue, workers, std::max(left(), cut_off_at_most)))
    log::warning("node.tasks_cut", "Some tasks were still running at the end of the drain; they are tried again.");
  stop_bridges(until);
  if (system && root) {
    const auto at_most = std::max(left(), milliseconds{settings().runtime.stop_grace_ms});
    if (const auto stopped = runtime::stop_gracefully(*system, std::exchange(root, nullptr), at_most); !stopped) {
      // Everything acknowledged is durable; an actor that does not end must not keep the process.
      log::error("node.stop_overdue", stopped.error().message);
      log::flush();
      std::_Exit(exit_fatal);
    }
  }
  // What a sink has not taken is owed in the store: it gets it at the next start.
  for (const auto& sink : alert_sinks) sink->ask_to_stop();
  for (const auto& sink : alert_sinks) sink->stop();
  if (letters) letters->connect(nullptr, nullptr);
  if (actors) actors->clear();
  writer.reset();
}

/// While the pools still answer. First the calls are cut off, then what waits for a database.
void node::parts::stop_bridges(std::chrono::steady_clock::time_point until) {
  const bool ended = !running_bridges || running_bridges->wait_until_ended(until);
  if (generators) generators->stop();
  if (ended) return;
  log::warning("node.bridges_cut", "Some calls of bridges were still running at the end of the drain.");
  for (const auto& pool : bridge_generators) pool->stop();
  if (!running_bridges->wait_until_ended(std::chrono::steady_clock::now() + cut_off_at_most)) running_bridges->cut();
  running_bridges->stop();
}

node::node(std::unique_ptr<parts> p) : parts_(std::move(p)) {}

node::~node() { stop(); }

void node::stop() {
  if (!parts_) return;
  parts_->stop();
  // The actor system must go before what its actors point at; contexts hold addresses and so go before the system.
  parts_->app.reset();
  parts_->running_bridges.reset();
  parts_->bridge_generators.clear();
  parts_->door.reset();
  parts_->vid_door.reset();
  parts_->task_door.reset();
  parts_->registrant_door.reset();
  parts_->workers.clear();
  parts_->generators.reset();
  parts_->alert_door.reset();
  parts_->capacities.reset();
  parts_->contexts.clear();
  parts_->queue.reset();
  parts_->alerts.reset();
  parts_->services.reset();
  parts_->telemetry.reset();
  parts_->system.reset();
  parts_->log.reset();
  parts_->store.reset();
  parts_.reset();
  log::info("node.stopped", "Everything is written; the node has stopped.");
}

std::uint16_t node::port() const noexcept { return parts_->port; }

result<std::unique_ptr<node>> node::start(node_options options) {
  auto p = std::make_unique<parts>(std::move(options));
  for (const auto step : {&parts::open_store, &parts::start_actors, &parts::start_capacities, &parts::start_bridges,
                          &parts::start_server}) {
    if (auto ok = ((*p).*step)(); !ok) {
      auto why = ok.error();
      node half(std::move(p));
      half.stop();
      return std::unexpected(std::move(why));
    }
  }
  log::info("node.started", "The node accepts requests.",
            {{"port", p->port},
             {"store", p->store->directory()},
             {"types", p->door->types().size()},
             {"last_group", p->store->last_group().number}});
  return std::unique_ptr<node>(new node(std::move(p)));
}

result<std::vector<std::string>> node::reload() { return parts_->reload(); }

namespace {
constexpr std::string_view unchanged = "Nothing was changed; the settings, tokens and certificate of before apply. ";

/// Why the tokens or the key set could not be read, for whoever asked for the reload: not as if a resource were missing
/// or the node had failed. The message names the file.
error refused_file(error why) {
  why.message = std::string(unchanged) + why.message;
  why.code = why.code == errc::io ? errc::unavailable : errc::invalid_argument;
  return why;
}
} // namespace

result<std::vector<std::string>> node::parts::reload() {
  const std::lock_guard lock(reload_mutex);
  auto changed = load_and_apply();
  if (changed)
    log::info("config.reloaded", "The settings were read again.", {{"changed", changed->size()}});
  else
    log::error("config.reload_refused", changed.error().message);
  return changed;
}

result<std::vector<std::string>> node::parts::load_and_apply() {
  if (!options.load_again)
    return fail(errc::unsupported, "This node was started without a way to load its settings again.");
  auto loaded = options.load_again();
  if (!loaded) {
    std::vector<std::string> problems;
    for (const auto& problem : loaded.error()) problems.push_back(to_string(problem));
    return fail(errc::invalid_argument, fmt::format("{}{}.", unchanged, fmt::join(problems, "; ")));
  }
  // Everything is read before anything applies; the tokens are read and apply in one, so they come last.
  const auto& files = loaded->values.tls;
  auto certificate = server->load_certificate({files.certificate, files.key});
  if (!certificate) return std::unexpected(refused_file(certificate.error()));
  if (jwt_keys) {
    // Keys are read again all the time, so that doing it here is no change that a later refusal would have to undo.
    if (settings().jwt.jwks_file.empty())
      jwt_keys->ask();
    else if (const auto read = jwt_keys->read_now(); !read)
      return std::unexpected(refused_file(read.error()));
  }
  if (tokens)
    if (const auto read = tokens->reload(); !read) return std::unexpected(refused_file(read.error()));
  server->use_certificate(std::move(*certificate));
  from_server.take_settings(*loaded);
  std::vector<std::string> changed;
  const auto plan = config::diff_reload(running.values, loaded->values);
  for (const auto& c : plan.now) changed.push_back(c.key);
  for (const auto& c : plan.restart)
    log::warning("config.needs_restart", "This setting changes at the next start.", {{"key", c.key}});
  running = config::after_reload(running, *loaded);
  app->set_limits(limits());
  if (jwts) jwts->set_rules(jwt_rules_of(settings().jwt));
  batch_count_max = settings().identifiers.batch_count_max;
  capacities->set_thresholds(capacity_thresholds(settings().identifiers));
  log::set_level(settings().log.level);
  letters->set_cap(settings().dead_letters.per_actor_and_reason_max);
  give_pool_limits();
  quotas->set_limits(quota_limits_of(settings().quotas));
  return changed;
}

} // namespace matricula::commands
