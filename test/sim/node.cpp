#include "test/sim/node.hpp"

#include "actors/registrants/remote_id_handlers.hpp"
#include "actors/schedule_book.hpp"
#include "runtime/services.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/system.hpp"
#include "test/sim/holders.hpp"
#include "test/sim/queue_clients.hpp"
#include "test/sim/sim_store.hpp"

#include <caf/exit_reason.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace matricula::sim {

node::node(std::shared_ptr<test::sim_disk> disk, const surroundings& around,
           std::optional<std::uint64_t> accept_loss_up_to)
    : disk_(std::move(disk)), around_(around), time_(around.time), random_(around.random), bug_(around.bug) {
  std::vector<identifiers::id_type> types;
  for (const auto& t : sim_types()) types.push_back(t.type);
  auto started = open(accept_loss_up_to);
  if (started) started = settle_types(types);
  if (!started) {
    refusal_ = started.error().message;
    return;
  }
  start_actors(std::move(types));
}

result<void> node::open(std::optional<std::uint64_t> accept_loss_up_to) {
  env_ = std::make_unique<test::sim_env>(disk_);
  auto o = sim_store_options(*env_, time_, random_);
  o.accept_loss_up_to = accept_loss_up_to;
  o.while_stalled = [this] { return run_background_job(); };
  auto opened = storage::store::open(std::move(o));
  if (!opened) return std::unexpected(opened.error());
  store_ = std::move(*opened);
  const auto ahead = milliseconds{bug_ == planted_bug::expiry_off_by_one ? 1 : 0};
  wall_of_decisions_ = std::make_unique<wrong_clock>(time_, ahead, bug_ == planted_bug::trusting_clock);
  decisions_ = std::make_shared<decision_clock>(
      *wall_of_decisions_, bug_ == planted_bug::time_goes_back ? timestamp{} : store_->last_durable_time());
  storage::local_log_options options;
  options.queue_batches_max = 200;
  options.now = [this] { return decisions_->now(); };
  options.fatal = [this](std::string why) { fatal_ = std::move(why); };
  log_ = std::make_unique<storage::local_log>(*store_, std::move(options));
  seen_log_ = std::make_unique<planted_log>(*log_, bug_);
  notes_log_ = std::make_unique<planted_log>(*log_, bug_ == planted_bug::reply_before_write ? planted_bug::none : bug_);
  return {};
}

result<void> node::settle_types(std::vector<identifiers::id_type>& types) {
  const auto stored = storage::find_types(*store_->latest());
  if (!stored) return std::unexpected(stored.error());
  const auto added = storage::settle_types(*stored, types);
  if (!added) return std::unexpected(added.error());
  if (added->empty()) return {};
  storage::batch batch(storage::shard_id{0});
  for (const auto& setup : *added) storage::put(batch, setup);
  std::optional<storage::tenure> held;
  log_->acquire(batch.shard(), "types", [&held](result<storage::tenure> t) noexcept {
    if (t) held = *t;
  });
  (void)log_->write_group();
  if (!held) return fail(errc::unavailable, "no tenure for the types");
  auto room = log_->reserve(*held, batch.bytes());
  if (!room) return std::unexpected(room.error());
  auto verdict = storage::verdict::unknown;
  log_->append(std::move(*room), std::move(batch),
               [&verdict](storage::verdict v, storage::position) noexcept { verdict = v; });
  (void)log_->write_group();
  if (verdict != storage::verdict::durable) return fail(errc::io, "the types were not written");
  return {};
}

void node::start_actors(std::vector<identifiers::id_type> types) {
  actors_ = std::make_shared<runtime::registry>(time_);
  services_ = std::make_shared<runtime::services>();
  office_ = std::make_unique<actors::dead_letter_office>(*notes_log_, letters::cap,
                                                         std::make_unique<seeded_random>(random_.next()));
  letters_ = std::make_unique<watched_letters>(around_.known_letters, *office_);
  services_->dead_letters = letters_.get();
  services_->time = &time_;
  services_->actors = actors_;
  services_->make_random = [this] { return std::make_unique<seeded_random>(random_.next()); };
  services_->on_fatal = [this](std::string_view why) { fatal_ = why; };
  services_->on_alarm = around_.on_alarm;
  config_ =
      runtime::make_system_config({.how = runtime::system_options::scheduling::testing}, actors::declare_messages);
  system_ = std::make_unique<caf::actor_system>(*config_);
  scheduler_ = &dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());

  actors::cast_options cast;
  for (auto& type : types) {
    actors::type_context cx;
    if (contexts_.size() == holders_type()) cx.policies = sim_policies();
    cx.type = std::move(type);
    cx.log = seen_log_.get();
    cx.time = decisions_.get();
    cx.monotonic = &time_;
    cx.make_random = [this] { return std::make_unique<seeded_random>(random_.next()); };
    cx.options.purge_after = sim_purge_after;
    if (bug_ == planted_bug::lost_refill_order) {
      cx.options.refill_lease = std::chrono::hours{10'000};
      cx.options.restarts_are_told = false;
    }
    contexts_.push_back(actors::make_issuers(cx, *system_, cast.slots));
  }
  std::vector<std::shared_ptr<const actors::type_context>> issuers;
  for (const auto& of_type : contexts_) issuers.insert(issuers.end(), of_type.begin(), of_type.end());
  auto at_root = cast.supervision;
  at_root.how = runtime::strategy::one_for_all;
  at_root.restarts_max = 1;
  std::vector<runtime::child_spec> tree;
  tree.push_back(runtime::subtree("domain", cast.supervision,
                                  {actors::identifiers_subtree(issuers, cast), make_scheduler(), make_queue(cast)}));
  office_->connect(system_.get(), actors_.get());
  root_ = runtime::start_root(*system_, services_, at_root, std::move(tree));
}

runtime::child_spec node::make_scheduler() {
  memory_ = std::make_shared<watched_memory>(
      std::make_shared<actors::schedule_book>(*notes_log_), around_.known_runs,
      [this] { return watched_memory::moment{decisions_->now(), around_.clock_held()}; });
  runtime::scheduler_options options{.memory = memory_, .clock = decisions_};
  options.look_max = runs::look_max;
  options.late_max = runs::late_max;
  for (const auto& job : sim_jobs())
    options.jobs.push_back({.name = job.name,
                            .when = job.when,
                            .on_missed = job.on_missed,
                            .to = contexts_[job.type].front()->expirer.address(),
                            .make =
                                [this](const runtime::scheduled_run& run) {
                                  around_.known_runs.sent(run, decisions_->now(), around_.clock_held());
                                  return caf::make_message(actors::run_expirer{});
                                },
                            .hold_while_clock_is_suspect = job.hold_while_clock_is_suspect});
  return runtime::child_of<runtime::scheduler>("scheduler", "scheduler", std::move(options));
}

runtime::child_spec node::make_queue(const actors::cast_options& options) {
  auto cx = std::make_shared<actors::queue_context>();
  cx->part = storage::tasks_of_node();
  cx->log = seen_log_.get();
  cx->time = decisions_.get();
  cx->monotonic = &time_;
  cx->make_random = [this] { return std::make_unique<seeded_random>(random_.next()); };
  const tasks::retry_policy retry{.tries_max = 3,
                                  .backoff_first = milliseconds{200},
                                  .backoff_max = milliseconds{1'000},
                                  .not_yet = milliseconds{300}};
  cx->types = {{.name = "errand", .retry = retry, .lease = milliseconds{2'000}},
               {.name = "chore", .retry = retry, .lease = milliseconds{1'000}, .running_max = 3}};
  cx->retention = {task_retention, task_retention, task_retention};
  cx->ageing = milliseconds{200};
  cx->window_rows = 4;
  for (const auto name : {registrants::request_worker, registrants::update_worker})
    cx->types.push_back({.name = std::string(name), .retry = retry, .lease = milliseconds{1'500}});
  cx->queue = runtime::slot_ref::make(*system_, options.slots);
  cx->life = std::to_string(random_.next());
  queue_ = cx;
  const actors::remote_generator from{"foreign", around_.generator};
  workers_ = {
      actors::make_worker_pool(queue_, cx->types[2],
                               std::make_shared<actors::remote_request_handler>(queue_, from, around_.blocking_work), 2,
                               *system_, options.slots),
      actors::make_worker_pool(queue_, cx->types[3],
                               std::make_shared<actors::remote_update_handler>(queue_, from, around_.blocking_work), 1,
                               *system_, options.slots)};
  return actors::tasks_subtree(queue_, options, workers_);
}

void node::plant(actors::end_task& message) const {
  if (bug_ != planted_bug::unfenced_end) return;
  const auto found = storage::find_task(*durable(), queue_->part, message.id);
  if (found && *found && (*found)->held) message.token = (*found)->held->token;
}

void node::kill_queue_by_order() { actors_->command("root/domain/tasks/queue", runtime::actor_command::kill, {}); }

void node::kill_worker_by_order() {
  const auto& pool = *workers_[random_.below(workers_.size())];
  actors_->command(fmt::format("root/domain/tasks/{}/{}", pool.type.name, 1 + random_.below(pool.places.size())),
                   runtime::actor_command::kill, {});
}

bool node::write_group(std::size_t batches_max) {
  writing_ = true;
  const bool wrote = log_->write_group(batches_max);
  writing_ = false;
  return wrote;
}

void node::let_notes_be_waited_for(bool on) {
  if (!on) return notes_log_->work_after_append(nullptr);
  notes_log_->work_after_append([this] {
    // Not from within a completion: the log's thread is at work there already.
    while (!writing_ && fatal_.empty() && write_group()) {
    }
  });
}

node::~node() {
  if (office_) office_->connect(nullptr, nullptr);
  if (system_) stop_actors();
  // Whoever waits writes again in a completion, which must not be one of a log that goes.
  while (log_ && log_->write_group()) {
  }
  // Completions and waiting tenures hold replies and actors: the log goes before the actor system, which waits for
  // them.
  log_.reset();
  seen_log_.reset();
  office_.reset();
  if (actors_) actors_->clear();
  workers_.clear();
  queue_.reset();
  contexts_.clear();
  services_.reset();
  system_.reset();
  store_.reset();
}

void node::stop_actors() {
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  root_ = nullptr;
  constexpr int rounds_max = 200;
  for (int i = 0; i < rounds_max; ++i) {
    scheduler_->run();
    if (!scheduler_->has_pending_timeout()) break;
    scheduler_->trigger_timeouts();
  }
}

bool node::run_actor() {
  if (seen_log_->do_apart()) return true;
  auto& jobs = scheduler_->jobs;
  if (jobs.empty()) return false;
  std::swap(jobs.front(), jobs[random_.below(jobs.size())]);
  scheduler_->run_once();
  return true;
}

void node::advance(milliseconds by) {
  if (by <= milliseconds{0}) return;
  time_.advance(by);
  env_->advance(static_cast<std::uint64_t>(std::chrono::microseconds(by).count()));
  scheduler_->advance_time(by);
}

node::issue_cell node::send(const issue_call& call) {
  auto cell = std::make_shared<runtime::reply_cell<actors::issue_answer>>(nullptr);
  actors::issue_ids message;
  message.context = {"client", call.deadline_ns};
  message.count = call.count;
  message.expires_at_ms = call.expires_at ? call.expires_at->time_since_epoch().count() : 0;
  message.holder = call.payload;
  if (!call.key.empty()) {
    message.idempotency_ref = key_reference(call.key);
    message.fingerprint = payload_fingerprint(call.payload);
  }
  message.reply = runtime::reply_to<actors::issue_answer>(cell);
  const auto& issuers = contexts_[call.type];
  const auto issuer = call.key.empty()
                          ? call.issuer
                          : storage::issuer_of_key(message.idempotency_ref, static_cast<std::uint32_t>(issuers.size()));
  caf::anon_send(issuers[issuer]->pool.address(), std::move(message));
  return cell;
}

node::change_cell node::send(const change_call& call) {
  auto cell = std::make_shared<runtime::reply_cell<identifiers::id_record>>(nullptr);
  const auto counter = sim_types()[call.type].type.space->counter_of(call.id);
  require(counter.has_value(), "the simulation changes identifiers that were issued");
  const auto owned = owner(call.type, static_cast<std::uint64_t>(*counter));
  const auto& cx = *contexts_[call.type][owned ? owned->issuer : 0];
  actors::change_id message;
  message.context = {"client", call.deadline_ns};
  message.counter = static_cast<std::uint64_t>(*counter);
  message.event = static_cast<std::uint8_t>(call.event);
  message.assignment = call.assignment;
  message.reply = runtime::reply_to<identifiers::id_record>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
  return cell;
}

node::expiry_cell node::send(const expiry_call& call) {
  auto cell = std::make_shared<runtime::reply_cell<actors::expiry_answer>>(nullptr);
  caf::anon_send(contexts_[call.type][call.issuer]->expirer.address(),
                 actors::run_expirer{{}, runtime::reply_to<actors::expiry_answer>(cell)});
  return cell;
}

node::vid_cell node::send(actors::change_vids message) {
  auto cell = std::make_shared<runtime::reply_cell<actors::vid_answer>>(nullptr);
  message.reply = runtime::reply_to<actors::vid_answer>(cell);
  caf::anon_send(contexts_[holders_type()].front()->pool.address(), std::move(message));
  return cell;
}

node::import_cell node::send_import(std::size_t type, std::vector<identifiers::import_row> rows) {
  auto cell = std::make_shared<runtime::reply_cell<actors::import_answer>>(nullptr);
  actors::import_ids message;
  message.context = {"client", 0};
  message.rows = std::move(rows);
  message.reply = runtime::reply_to<actors::import_answer>(cell);
  caf::anon_send(contexts_[type].front()->pool.address(), std::move(message));
  return cell;
}

void node::kill_by_order(std::size_t type, const std::string& who) {
  const auto& issuers = contexts_[type];
  auto path = "root/domain/identifiers/" + issuers.front()->type.name;
  // The whole type, or one issuer of several.
  if (issuers.size() > 1 && !(who.empty() && random_.below(2) == 0))
    path += "/" + std::to_string(random_.below(issuers.size()));
  if (!who.empty()) path += "/" + who;
  actors_->command(path, runtime::actor_command::kill, {});
}

bool node::kill_runnable() {
  auto& jobs = scheduler_->jobs;
  if (jobs.empty()) return false;
  auto* chosen = dynamic_cast<runtime::supervised_actor*>(jobs[random_.below(jobs.size())]);
  if (chosen == nullptr || dynamic_cast<runtime::supervisor*>(chosen) != nullptr) return false;
  const auto victim = caf::actor_cast<caf::actor>(static_cast<caf::abstract_actor*>(chosen));
  const caf::exit_msg kill{victim.address(), caf::exit_reason::kill};
  if (random_.below(2) == 0)
    caf::anon_send<caf::message_priority::high>(victim, kill);
  else
    caf::anon_send(victim, kill);
  return true;
}

void node::send_poison(std::size_t type, std::uint64_t number) {
  const identifiers::due_row row{{}, identifiers::due_kind::purge, {}, std::string(planted_log::poison_reference)};
  actors::apply_due poison;
  poison.run = number;
  poison.kind = static_cast<std::uint8_t>(row.kind);
  poison.value = identifiers::encode_due_value(row);
  caf::anon_send(contexts_[type].front()->pool.address(), std::move(poison));
}

std::vector<storage::id_partition> node::parts(std::size_t type) const {
  std::vector<storage::id_partition> all;
  for (const auto& cx : contexts_[type]) all.push_back(cx->part);
  return all;
}

identifiers::pool_counters node::counters(std::size_t type) const {
  std::vector<identifiers::pool_counters> all;
  for (const auto& part : parts(type)) {
    const auto c = storage::find_pool(*durable(), part);
    require(c.has_value(), "the simulation damages no counters");
    all.push_back(*c);
  }
  return identifiers::sum(all);
}

std::optional<identifiers::pool_level> node::low_level(std::size_t type) const {
  for (const auto& cx : contexts_[type])
    if (const auto level = cx->level->get(); identifiers::next_refill(level, cx->level->limits())) return level;
  return std::nullopt;
}

result<storage::owned_id> node::owner(std::size_t type, std::uint64_t counter) const {
  return storage::find_owner(*log_, parts(type), counter);
}

} // namespace matricula::sim
