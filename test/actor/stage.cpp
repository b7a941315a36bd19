#include "test/actor/stage.hpp"

#include "domain/identifiers/profiles.hpp"
#include "runtime/scheduler.hpp"
#include "runtime/services.hpp"
#include "runtime/supervised_actor.hpp"
#include "runtime/system.hpp"
#include "storage/holders.hpp"
#include "storage/identifiers_verifier.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <stdexcept>

namespace matricula::actor_test {

using namespace identifiers;

namespace {

constexpr auto type_name = "vid";
constexpr std::string_view type_path = "root/domain/identifiers/vid";
constexpr milliseconds pass_step{20};
constexpr timestamp far_future{milliseconds{std::int64_t{1} << 52}};
constexpr milliseconds replay_timeout{10'000};

std::string padded(const std::string& text, std::size_t size) {
  auto out = text;
  out.resize(size, '.');
  return out;
}
std::string reference_of(const std::string& key) { return padded(key, 16); }
std::string fingerprint_of(const std::string& what) { return padded(what, 32); }

id_type type_of(const stage_options& options) {
  const auto key = permutation_key::from_bytes("0123456789abcdef0123456789abcdef");
  type_options o;
  o.name = type_name;
  o.profile = "mosip-vid";
  o.format = {alphabet::digits, options.length, *find_profile("mosip-vid")};
  o.of = options.of;
  o.reuse = options.reuse;
  o.cool_off = options.cool_off;
  o.limits = options.limits;
  o.issuers = options.issuers;
  seeded_random random{1};
  auto type = make_type(o, *key, random);
  if (!type) require(false, type.error().message);
  return std::move(*type);
}

template <class T>
const T& must(const result<T>& r) {
  if (!r) require(false, r.error().message);
  return *r;
}

} // namespace

class trapped_log final : public storage::commit_log {
public:
  trapped_log(storage::commit_log& real, const std::set<std::string>& traps, const bool& disk_full)
      : real_(real), traps_(traps), disk_full_(disk_full) {}

  void acquire(storage::shard_id shard, std::string_view partition,
               storage::completion<result<storage::tenure>> granted) override {
    real_.acquire(shard, partition, std::move(granted));
  }
  result<storage::permit> reserve(const storage::tenure& held, std::size_t bytes) noexcept override {
    if (disk_full_) return fail(errc::storage_full, "The test's disk is full.");
    return real_.reserve(held, bytes);
  }
  void append(storage::permit room, storage::batch what,
              storage::completion<storage::verdict, storage::position> settled) noexcept override {
    real_.append(std::move(room), std::move(what), std::move(settled));
  }
  result<std::shared_ptr<const storage::view>> read(storage::shard_id shard,
                                                    storage::position at_least) const override {
    auto rows = real_.read(shard, at_least);
    if (!rows) return rows;
    return std::make_shared<const trapped_view>(std::move(*rows), traps_);
  }
  result<storage::position> export_shard(storage::shard_id shard, std::string_view directory) override {
    return real_.export_shard(shard, directory);
  }
  result<storage::position> import_shard(storage::shard_id shard, std::string_view directory) override {
    return real_.import_shard(shard, directory);
  }

protected:
  /// Permits are the real log's: they go back to it.
  void give_back(const storage::tenure&, std::size_t) noexcept override {}

private:
  class trapped_view final : public storage::view {
  public:
    trapped_view(std::shared_ptr<const storage::view> real, const std::set<std::string>& traps)
        : real_(std::move(real)), traps_(traps) {}
    result<std::optional<std::string>> get(storage::column where, std::string_view key) const override {
      if (traps_.contains(std::string(key))) throw std::runtime_error("a trapped row was read");
      return real_->get(where, key);
    }
    result<void> walk(storage::column where, std::string_view lower, std::string_view upper,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const override {
      return real_->walk(where, lower, upper, visit);
    }
    result<void> walk_back(storage::column where, std::string_view lower, std::string_view upper,
                           const std::function<bool(std::string_view, std::string_view)>& visit) const override {
      return real_->walk_back(where, lower, upper, visit);
    }

  private:
    std::shared_ptr<const storage::view> real_;
    const std::set<std::string>& traps_;
  };

  storage::commit_log& real_;
  const std::set<std::string>& traps_;
  const bool& disk_full_;
};

stage::stage(stage_options options) : options_(std::move(options)) {
  open();
  start_actors();
}

stage::~stage() { close(); }

void stage::open() {
  env_ = std::make_unique<test::sim_env>(disk_);
  storage::store_options o;
  o.directory = "/node";
  o.env = env_.get();
  o.no_threads = true;
  o.while_stalled = [this] { return env_->run_one(random_); };
  o.now = [this] { return time_.wall(); };
  o.random = [this] { return random_.next(); };
  o.block_cache_bytes = std::size_t{1} << 20;
  auto opened = storage::store::open(std::move(o));
  if (!opened) require(false, opened.error().message);
  store_ = std::move(*opened);
  decisions_ = std::make_shared<decision_clock>(time_, store_->last_durable_time());
  storage::local_log_options log;
  log.now = [this] { return decisions_->now(); };
  log_ = std::make_unique<storage::local_log>(*store_, std::move(log));
  seen_log_ = std::make_unique<trapped_log>(*log_, traps_, disk_full_);
}

void stage::start_actors() {
  actors_ = std::make_shared<runtime::registry>(time_);
  office_ = std::make_unique<actors::dead_letter_office>(*log_, 100);
  schedules_ = std::make_shared<actors::schedule_book>(*log_);
  services_ = std::make_shared<runtime::services>();
  services_->time = &time_;
  services_->actors = actors_;
  services_->dead_letters = office_.get();
  services_->make_random = [this] { return std::make_unique<seeded_random>(random_.next()); };
  services_->on_alarm = [this](const runtime::operator_alarm& a) {
    alarms_.push_back(std::string(a.kind) + " " + a.path);
  };
  services_->on_fatal = [](std::string_view why) { ADD_FAILURE() << "the process would end: " << why; };
  config_ =
      runtime::make_system_config({.how = runtime::system_options::scheduling::testing}, actors::declare_messages);
  system_ = std::make_unique<caf::actor_system>(*config_);
  scheduler_ = &dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());

  actors::cast_options cast;
  actors::type_context cx;
  cx.type = type_of(options_);
  cx.type.number = 1;
  cx.policies = identifiers::vid_policies(options_.policies);
  cx.log = seen_log_.get();
  cx.time = decisions_.get();
  cx.monotonic = &time_;
  cx.make_random = [this] { return std::make_unique<seeded_random>(random_.next()); };
  cx.options = options_.cast;
  cx.unconfirmed_lease = options_.unconfirmed_lease;
  contexts_ = actors::make_issuers(cx, *system_, cast.slots);
  context_ = contexts_.front();

  auto helpers = options_.helpers;
  helpers.insert(helpers.begin(), actors::identifiers_subtree(contexts_, cast));
  if (!options_.expirer_schedule.empty()) {
    const auto when = runtime::cron_expression::parse(options_.expirer_schedule);
    runtime::scheduler_options schedule{.memory = schedules_, .clock = decisions_};
    schedule.jobs.push_back(
        {.name = "expirer",
         .when = must(when),
         .to = context_->expirer.address(),
         .make = [](const runtime::scheduled_run&) { return caf::make_message(actors::run_expirer{}); }});
    helpers.push_back(runtime::child_of<runtime::scheduler>("scheduler", "scheduler", std::move(schedule)));
  }
  if (options_.tasks) {
    auto tasks = std::make_shared<actors::queue_context>(*options_.tasks);
    tasks->part = storage::tasks_of_node();
    tasks->log = seen_log_.get();
    tasks->time = decisions_.get();
    tasks->monotonic = &time_;
    tasks->make_random = [this] { return std::make_unique<seeded_random>(random_.next()); };
    tasks->gauge = std::make_shared<actors::queue_gauge>();
    tasks->queue = runtime::slot_ref::make(*system_, cast.slots);
    tasks->life = std::to_string(++lives_) + ".";
    tasks->closing = std::make_shared<std::atomic<bool>>(false);
    queue_ = tasks;
    if (options_.workers) workers_ = options_.workers(queue_, contexts_, *system_);
    helpers.push_back(actors::tasks_subtree(queue_, cast, workers_));
  }
  if (options_.alerts) {
    auto alerts = std::make_shared<actors::alerts_context>(*options_.alerts);
    alerts->part = storage::alerts_of_node();
    alerts->log = seen_log_.get();
    alerts->time = decisions_.get();
    alerts->monotonic = &time_;
    alerts->board = std::make_shared<actors::alert_board>();
    alerts->alerts_slot = runtime::slot_ref::make(*system_, cast.slots);
    alerts_ = alerts;
    helpers.push_back(actors::alerts_child(alerts_, cast));
  }
  std::vector<runtime::child_spec> tree;
  tree.push_back(runtime::subtree("domain", cast.supervision, std::move(helpers)));
  office_->connect(system_.get(), actors_.get());
  root_ = runtime::start_root(*system_, services_, cast.supervision, std::move(tree));
}

void stage::close() {
  office_->connect(nullptr, nullptr);
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  root_ = nullptr;
  constexpr int rounds_max = 200;
  for (int i = 0; i < rounds_max; ++i) {
    scheduler_->run();
    if (!scheduler_->has_pending_timeout()) break;
    scheduler_->trigger_timeouts();
  }
  // Completions and waiting tenures hold replies, actors and the office: the log goes before all of them.
  log_.reset();
  schedules_.reset();
  actors_->clear();
  options_.helpers.clear();
  context_.reset();
  contexts_.clear();
  workers_.clear();
  queue_.reset();
  alerts_.reset();
  services_.reset();
  system_.reset();
  office_.reset();
  store_.reset();
}

void stage::power_cut() {
  // Before anything is closed: an orderly end must not save what was not durable.
  auto platter = disk_->power_cut(random_);
  const auto helpers = options_.helpers;
  close();
  options_.helpers = helpers;
  disk_ = std::move(platter);
  open();
  start_actors();
}

// -- what happens next ------------------------------------------------------------------------------------------------

std::string stage::path(std::string_view who) const {
  if (who.starts_with("root")) return std::string(who);
  return who.empty() ? std::string(type_path) : fmt::format("{}/{}", type_path, who);
}

caf::resumable* stage::job_of(const std::string& path) const {
  for (auto* job : scheduler_->jobs)
    if (const auto* actor = dynamic_cast<runtime::supervised_actor*>(job); actor != nullptr && actor->path() == path)
      return job;
  return nullptr;
}

bool stage::step_path(const std::string& path) {
  auto* job = job_of(path);
  if (job == nullptr) return false;
  auto& jobs = scheduler_->jobs;
  const auto at = std::ranges::find(jobs, job);
  std::rotate(jobs.begin(), at, at + 1);
  scheduler_->run_once();
  return true;
}

bool stage::little_step() {
  if (!scheduler_->jobs.empty()) {
    scheduler_->run_once();
    return true;
  }
  env_->run_all(random_);
  return log_->write_group(1);
}

bool stage::step(std::string_view who) { return step_path(path(who)); }
bool stage::has_work(std::string_view who) const { return job_of(path(who)) != nullptr; }

void stage::run_actors() { scheduler_->run(); }

void stage::run_actors_but(std::initializer_list<std::string_view> held) {
  std::vector<std::string> paths;
  for (const auto who : held) paths.push_back(path(who));
  scheduler_->run_jobs_filtered([&](caf::resumable* job) {
    const auto* actor = dynamic_cast<runtime::supervised_actor*>(job);
    return actor == nullptr || std::ranges::find(paths, actor->path()) == paths.end();
  });
}

void stage::run() {
  do {
    run_actors();
    env_->run_all(random_);
  } while (log_->write_group());
}

void stage::advance(milliseconds by) {
  time_.advance(by);
  env_->advance(static_cast<std::uint64_t>(std::chrono::microseconds(by).count()));
  scheduler_->advance_time(by);
}

void stage::pass(milliseconds how_long) {
  run();
  while (how_long > 0ms) {
    const auto by = std::min(how_long, pass_step);
    how_long -= by;
    advance(by);
    run();
  }
}

// -- faults -----------------------------------------------------------------------------------------------------------

void stage::command(std::string_view who, runtime::actor_command what) { actors_->command(path(who), what, {}); }

void stage::kill(std::string_view who) {
  const auto victim = path(who);
  const auto supervisor = victim.substr(0, victim.rfind('/'));
  const auto generation = look(who).generation;
  command(who, runtime::actor_command::kill);
  while (step_path(supervisor)) {
  }
  // A supervisor ends after its children.
  if (who.empty())
    run_actors();
  else
    EXPECT_TRUE(step(who)) << victim << " heard nothing of its end";
  while (step_path(supervisor)) {
  }
  EXPECT_EQ(look(who).generation, generation + 1) << victim << " was not replaced";
}

std::shared_ptr<std::optional<result<storage::tenure>>> stage::acquire_tenure_of_pool() {
  auto granted = std::make_shared<std::optional<result<storage::tenure>>>();
  log_->acquire(context_->part.shard, "ids/" + context_->name(),
                [granted](result<storage::tenure> t) noexcept { *granted = std::move(t); });
  return granted;
}

void stage::trap(const std::string& id) { traps_.insert(record_key(id)); }
void stage::mend() { traps_.clear(); }

void stage::overwrite(storage::column where, const std::string& key, const std::string& value) {
  run();
  const storage::shard_id shard{static_cast<std::uint8_t>(key.front())};
  std::optional<storage::tenure> held;
  log_->acquire(shard, fmt::format("overwrite {}", ++overwrites_), [&held](result<storage::tenure> t) noexcept {
    if (t) held = *t;
  });
  run();
  require(held.has_value(), "an idle log grants a tenure at once");
  storage::batch batch(shard);
  batch.put(where, key, value);
  auto room = log_->reserve(*held, batch.bytes());
  require(room.has_value(), "an idle log has room");
  auto verdict = storage::verdict::unknown;
  log_->append(std::move(*room), std::move(batch),
               [&verdict](storage::verdict v, storage::position) noexcept { verdict = v; });
  run();
  require(verdict == storage::verdict::durable, "an idle log writes");
}

// -- requests ---------------------------------------------------------------------------------------------------------

stage::issue_cell stage::send_issue(const asked& what) {
  auto cell = std::make_shared<runtime::reply_cell<actors::issue_answer>>(nullptr);
  actors::issue_ids message;
  message.context = {"client", what.deadline.count()};
  message.count = what.count;
  message.expires_at_ms = what.expires_at ? what.expires_at->time_since_epoch().count() : 0;
  if (!what.key.empty()) {
    message.idempotency_ref = reference_of(what.key);
    message.fingerprint = fingerprint_of(what.what);
  }
  message.reply = runtime::reply_to<actors::issue_answer>(cell);
  const auto issuer =
      what.key.empty() ? what.issuer : storage::issuer_of_key(message.idempotency_ref, options_.issuers);
  caf::anon_send(contexts_.at(issuer)->pool.address(), std::move(message));
  return cell;
}

stage::change_cell stage::send_change(const std::string& id, id_event event, std::uint32_t assignment,
                                      std::chrono::nanoseconds deadline) {
  auto cell = std::make_shared<runtime::reply_cell<id_record>>(nullptr);
  const auto counter = context_->type.space->counter_of(id);
  require(counter.has_value(), "identifiers of the type are changed");
  actors::change_id message;
  message.context = {"client", deadline.count()};
  message.counter = static_cast<std::uint64_t>(*counter);
  message.event = static_cast<std::uint8_t>(event);
  message.assignment = assignment;
  message.reply = runtime::reply_to<id_record>(cell);
  caf::anon_send(contexts_.at(owner_of(id).issuer)->pool.address(), std::move(message));
  return cell;
}

stage::reclaim_cell stage::send_reclaim(const std::vector<std::string>& ids, timestamp issued_before) {
  const auto cell = std::make_shared<runtime::reply_cell<actors::reclaim_answer>>(nullptr);
  actors::reclaim_ids message;
  message.trace.request_id = "reclaiming";
  message.context = {"operator", 0, "office"};
  message.issued_before_ms = issued_before.time_since_epoch().count();
  for (const auto& id : ids) {
    const auto counter = context_->type.space->counter_of(id);
    require(counter.has_value(), "an identifier of the type");
    message.counters.push_back(static_cast<std::uint64_t>(*counter));
    message.assignments.push_back(record(id)->assignment);
  }
  message.reply = runtime::reply_to<actors::reclaim_answer>(cell);
  caf::anon_send(context_->pool.address(), std::move(message));
  return cell;
}

stage::expiry_cell stage::send_expire() {
  auto cell = std::make_shared<runtime::reply_cell<actors::expiry_answer>>(nullptr);
  caf::anon_send(context_->expirer.address(), actors::run_expirer{{}, runtime::reply_to<actors::expiry_answer>(cell)});
  return cell;
}

stage::vid_cell stage::send_vids(actors::vid_action action, const std::string& policy, const std::string& id,
                                 const std::string& key) {
  auto cell = std::make_shared<runtime::reply_cell<actors::vid_answer>>(nullptr);
  actors::change_vids message;
  message.context = {"client", 0};
  message.action = static_cast<std::uint8_t>(action);
  if (id.empty()) message.holder = "the holder";
  message.policy = policy;
  if (!id.empty()) message.counter = static_cast<std::uint64_t>(*context_->type.space->counter_of(id));
  if (!key.empty()) {
    message.idempotency_ref = reference_of(key);
    message.fingerprint = fingerprint_of(policy + id);
  }
  message.reply = runtime::reply_to<actors::vid_answer>(cell);
  caf::anon_send(context_->pool.address(), std::move(message));
  return cell;
}

stage::import_cell stage::send_import(const std::vector<std::string>& ids) {
  auto cell = std::make_shared<runtime::reply_cell<actors::import_answer>>(nullptr);
  actors::import_ids message;
  message.context = {"client", 0};
  for (const auto& id : ids) {
    import_row row;
    row.id = id;
    const auto of = context_->type.rules.of;
    row.state = of == lifecycle::pool ? id_state::taken : id_state::assigned;
    if (const auto counter = context_->type.space->counter_of(id)) row.counter = static_cast<std::uint64_t>(*counter);
    row.foreign = !row.counter;
    message.rows.push_back(std::move(row));
  }
  message.reply = runtime::reply_to<actors::import_answer>(cell);
  caf::anon_send(context_->pool.address(), std::move(message));
  return cell;
}

namespace {
template <class T>
result<T> answer_of(const std::shared_ptr<runtime::reply_cell<T>>& cell) {
  if (!cell->ready()) return fail(errc::internal, "there is no answer yet");
  return cell->value();
}
} // namespace

result<actors::issue_answer> stage::issue(const asked& what) {
  const auto cell = send_issue(what);
  run();
  return answer_of(cell);
}

std::string stage::issue_one(const asked& what) {
  const auto answer = issue(what);
  EXPECT_TRUE(answer) << answer.error().message;
  return answer ? answer->issued.ids.front() : std::string{};
}

result<id_record> stage::change(const std::string& id, id_event event, std::uint32_t assignment) {
  const auto cell = send_change(id, event, assignment);
  run();
  return answer_of(cell);
}

result<actors::expiry_answer> stage::expire() {
  const auto cell = send_expire();
  run();
  return answer_of(cell);
}

result<actors::vid_answer> stage::vids(actors::vid_action action, const std::string& policy, const std::string& id,
                                       const std::string& key) {
  const auto cell = send_vids(action, policy, id, key);
  run();
  return answer_of(cell);
}

result<std::vector<import_verdict>> stage::import(const std::vector<std::string>& ids) {
  const auto cell = send_import(ids);
  run();
  auto answer = answer_of(cell);
  if (!answer) return std::unexpected(answer.error());
  return std::move(answer->verdicts);
}

result<void> stage::replay(const std::string& letter) {
  run();
  // It blocks until its note is durable. The actors are touched by this thread alone: by the note's completion.
  auto done = std::async(std::launch::async, [&] { return office_->replay(letter, replay_timeout); });
  write_until([&] { return done.wait_for(0s) == std::future_status::ready; });
  return done.get();
}

void stage::write_until(const std::function<bool()>& over) {
  while (!over())
    if (log_->wait_for_work(1ms) == storage::local_log::work::ready) (void)log_->write_group();
}

// -- looking ----------------------------------------------------------------------------------------------------------

runtime::actor_snapshot stage::look(std::string_view who) const {
  return actors_->find(path(who)).value_or(runtime::actor_snapshot{});
}

std::vector<std::string> stage::recent_types(std::string_view who) const {
  std::vector<std::string> out;
  for (const auto& m : actors_->recent(path(who))) out.emplace_back(m.type);
  return out;
}

std::vector<actors::kept_letter> stage::letters() const {
  auto page = office_->list({}, 100);
  if (!page) require(false, page.error().message);
  return std::move(page->letters);
}

pool_counters stage::counters(std::uint32_t issuer) const {
  return must(storage::find_pool(*store_->snapshot(), contexts_.at(issuer)->part));
}

storage::owned_id stage::owner_of(const std::string& id) const {
  const auto counter = context_->type.space->counter_of(id);
  require(counter.has_value(), "identifiers of the type are looked up");
  return must(storage::find_owner(*store_->snapshot(), storage::id_partitions(context_->type),
                                  static_cast<std::uint64_t>(*counter)));
}

std::string stage::verify() const {
  const auto& type = context_->type;
  const storage::type_setup setup{type.name,   type.number, type.rules.of, describe_space(type), type.key_fingerprint,
                                  type.issuers};
  storage::verify_report report;
  storage::identifiers_verifier({type}).check_type(*store_->snapshot(), report, setup);
  std::string said;
  for (const auto& problem : report.problems()) said += problem.message + "\n";
  return said;
}

std::string stage::record_key(const std::string& id) const {
  const auto counter = context_->type.space->counter_of(id);
  require(counter.has_value(), "identifiers of the type are looked up");
  return context_->part.record_key(static_cast<std::uint64_t>(*counter));
}

std::optional<storage::id_place> stage::place(const std::string& id) const {
  return must(storage::find_place(*store_->snapshot(), std::span(&context_->part, 1), context_->type, id, true));
}

std::optional<id_record> stage::record(const std::string& id) const {
  const auto bytes = row(context_->part.records(), record_key(id));
  if (!bytes) return std::nullopt;
  return must(decode_id_record(*bytes));
}

holder stage::the_holder() const {
  return must(storage::find_holder(*store_->snapshot(), context_->part, "the holder"));
}

std::vector<std::string> stage::verified() const {
  storage::verify_report report;
  storage::holders_verifier().check(*store_->snapshot(), report);
  std::vector<std::string> out;
  for (const auto& problem : report.problems()) out.push_back(problem.message);
  return out;
}

std::optional<std::string> stage::row(storage::column where, const std::string& key) const {
  return must(store_->snapshot()->get(where, key));
}

std::vector<due_row> stage::due_rows() const {
  return must(storage::find_due(*store_->snapshot(), context_->part, timestamp{}, far_future, 1'000));
}

bool stage::remembers(const std::string& key) const {
  return must(storage::idempotency::find(*store_->snapshot(), context_->part.shard, reference_of(key))).has_value();
}

} // namespace matricula::actor_test
