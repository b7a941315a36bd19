#include "actors/tasks/queue_actor.hpp"

#include "actors/answers.hpp"
#include "foundation/log.hpp"

#include <caf/behavior.hpp>
#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace matricula::actors {

using namespace tasks;

namespace {

constexpr std::size_t leases_a_write = 100;
constexpr std::size_t lease_bytes = 256; ///< of the rows that one lease changes
constexpr std::size_t leased_payloads_bytes = std::size_t{1} << 20;
constexpr std::size_t moves_a_write = 200;
constexpr std::size_t workers_waiting_max = 1'000;
constexpr std::size_t purges_a_write = 500;
constexpr std::size_t rows_of_a_task = 512; ///< bytes of index rows, keys and counters that a task's change may take
constexpr std::size_t rows_of_a_new_task = 256;
constexpr std::size_t row_of_a_try = 192;   ///< in the history, without its error
constexpr std::size_t counters_bytes = 192; ///< of one worker type
constexpr std::size_t rows_of_a_registrant = 1'024;
constexpr int due_writes_a_message = 4; ///< the timer goes on with the rest: others are served between
constexpr std::chrono::seconds purge_every{10};
constexpr std::chrono::hours reread_every{1};
constexpr std::chrono::milliseconds again_soon{20};
constexpr std::chrono::milliseconds time_for_an_answer{200}; ///< to be durable and on its way before the deadline

/// At most, of what a change writes that adds nothing but a try without an error to the history.
std::size_t bytes_of_row(const task& t) {
  auto bytes = rows_of_a_task + t.payload.size() + t.result.size() + (t.worker_type.size() + t.lane.size()) * 4 +
               t.unique_key.size() + t.queued_by.size() + t.last_error.size() + row_of_a_try;
  for (const auto& a : t.history) bytes += row_of_a_try + a.error.size();
  return bytes;
}

/// What the end of a try adds to that: a result, or an error in the history and as the last one.
std::size_t bytes_of_outcome(const outcome& how) {
  return how.kind == outcome_kind::done ? how.text.size() : 2 * std::min(how.text.size(), task::error_bytes_max);
}

/// What tasks that somebody queues may change of the registrants that they are for.
std::size_t bytes_of_registrants(const std::vector<new_task>& wanted) {
  const auto of =
      std::ranges::count_if(wanted, [](const new_task& t) { return registrants::concerns_registrants(t.worker_type); });
  return static_cast<std::size_t>(of) * rows_of_a_registrant;
}

error unknown_type(std::string_view type, const std::vector<worker_type>& known) {
  if (is_lane(type))
    return {errc::invalid_argument,
            fmt::format("The settings have no queue '{}' any more: [generators.{}] is gone, or its worker type. Its "
                        "tasks wait for it; they can be cancelled.",
                        type, type.substr(type.find('.') + 1)),
            std::nullopt};
  std::string names;
  for (const auto& t : known)
    if (!is_lane(t.name)) names += (names.empty() ? "" : ", ") + t.name;
  return {errc::invalid_argument,
          fmt::format("No worker type is called '{}'. There are: {}. Another one needs a section tasks.types.{} in the "
                      "settings.",
                      type, names.empty() ? "none" : names, type),
          std::nullopt};
}

error lease_gone(std::uint64_t id) {
  return {errc::lease_lost,
          fmt::format("The lease of task {} is not, or no longer, yours: it ran out, or the task was cancelled. What "
                      "you did is not counted; ask for other work.",
                      id),
          std::nullopt};
}

std::chrono::nanoseconds lease_time(const worker_type& type, std::int64_t asked_ms) {
  return asked_ms > 0 ? milliseconds{asked_ms} : type.lease;
}

} // namespace

queue_actor::queue_actor(caf::actor_config& cfg, runtime::child_context context,
                         std::shared_ptr<const queue_context> shared)
    : tenured_actor(cfg, std::move(context)), cx_(std::move(shared)) {}

caf::behavior queue_actor::make_behavior() {
  random_ = cx_->make_random();
  acquire(*cx_->log, cx_->part.shard, "tasks");
  return loading();
}

void queue_actor::on_exit() {
  line_of_running_.clear();
  lines_.clear();
}

caf::behavior queue_actor::loading() {
  const auto later = [] { return caf::result<void>(caf::skip()); };
  return {
      [this](const tenure_granted& granted) { begin_tenure(granted); },
      [later](const enqueue_tasks&) { return later(); },
      [later](const lease_tasks&) { return later(); },
      [later](const renew_lease&) { return later(); },
      [later](const end_task&) { return later(); },
      [later](const finish_tasks&) { return later(); },
      [later](const change_task&) { return later(); },
      [later](const retry_failed&) { return later(); },
      [later](const pause_queue&) { return later(); },
      [later](const create_registrants&) { return later(); },
      [later](const request_registrant_id&) { return later(); },
      [later](const begin_generator_call&) { return later(); },
      [later](const note_generator_answer&) { return later(); },
      [later](const resolve_generator_call&) { return later(); },
      [](const run_beat&) {}, // everything is being looked at
      [](const tick&) {},
  };
}

void queue_actor::load() {
  const auto durable = part_->durable();
  if (!durable) return give_up("the tasks: " + durable.error().message);
  const auto numbers = storage::find_numbers(**durable, cx_->part);
  if (!numbers) return give_up("the tasks' numbers: " + numbers.error().message);
  numbers_ = *numbers;
  auto ledger =
      registrant_ledger::resume(**durable, storage::registrants_of(cx_->part),
                                [this](storage::column c, std::string_view key) { return part_->get(c, key); });
  if (!ledger) return give_up("the registrants: " + ledger.error().message);
  registrants_.emplace(std::move(*ledger));
  auto types = cx_->types;
  const auto known = storage::find_queues(**durable, cx_->part);
  if (!known) return give_up("the tasks' queues: " + known.error().message);
  for (const auto& name : *known)
    if (cx_->find(name) == nullptr) types.push_back({.name = name, .retry = {}});
  for (const auto& type : types)
    if (const auto loaded = load_line(**durable, type); !loaded)
      return give_up(fmt::format("the tasks of {}: {}", type.name, loaded.error().message));
  become(serving());
  purge_at_ = cx_->monotonic->monotonic();
  reread_at_ = purge_at_ + reread_every;
  after_message();
}

result<void> queue_actor::load_line(const storage::view& durable, const worker_type& type) {
  auto counts = storage::find_queue(durable, cx_->part, type.name);
  if (!counts) return std::unexpected(counts.error());
  auto held = storage::find_running(durable, cx_->part, type.name);
  if (!held) return std::unexpected(held.error());
  auto& at = lines_
                 .insert_or_assign(type.name, line{.type = type,
                                                   .counts = *counts,
                                                   .ready = index_window(cx_->window_rows),
                                                   .waiting = index_window(cx_->window_rows),
                                                   .pauses = tasks::pauses(cx_->window_rows)})
                 .first->second;
  at.tokens = type.starts_per_s;
  at.tokens_at = cx_->monotonic->monotonic();
  const auto now = cx_->time->now();
  for (auto& [id, lease] : *held) {
    auto t = storage::find_task_row(storage::reader_of(durable), cx_->part, id);
    if (!t || !*t || (*t)->state != task_state::pending) {
      // One damaged row must not keep all others from being done.
      pass_over(id, t ? "it has a lease, and no row that waits for its end" : t.error().message);
      continue;
    }
    begin_try(**t, lease.granted_at);
    // What the wall clock says is left of it, but never more than all: it may have been set meanwhile.
    auto left = std::clamp<nanoseconds>(lease.until - now, nanoseconds{0}, lease.until - lease.granted_at);
    // Who worked in an earlier life of this process is no more.
    if (cx_->gone(lease.worker)) left = nanoseconds{0};
    start_running(at, std::move(**t), std::move(lease), cx_->monotonic->monotonic() + left);
  }
  return {};
}

caf::behavior queue_actor::serving() {
  return {
      [this](const enqueue_tasks& m) { return on_enqueue(m); },
      [this](const lease_tasks& m) { return on_lease(m); },
      [this](const renew_lease& m) { return on_renew(m); },
      [this](const end_task& m) { return on_end(m); },
      [this](const finish_tasks& m) { return on_finish(m); },
      [this](const change_task& m) { return on_change(m); },
      [this](const retry_failed& m) { return on_retry_failed(m); },
      [this](const pause_queue& m) { return on_pause(m); },
      [this](const create_registrants& m) { return on_create(m); },
      [this](const request_registrant_id& m) { return on_request_id(m); },
      [this](const begin_generator_call& m) { return on_begin_call(m); },
      [this](const note_generator_answer& m) { return on_answer(m); },
      [this](const resolve_generator_call& m) { return on_resolve(m); },
      [this](const run_beat&) { on_beat(); },
      [this](const tick& t) {
        if (t.generation != timer_) return;
        timer_at_.reset();
        on_tick();
      },
      [](const tenure_granted&) {},
  };
}

queue_actor::line* queue_actor::find(std::string_view type) noexcept {
  const auto found = lines_.find(type);
  return found == lines_.end() ? nullptr : &found->second;
}

result<queue_actor::line*> queue_actor::line_of(std::string_view queue) {
  if (auto* at = find(queue); at != nullptr && cx_->find(queue) != nullptr) return at;
  return std::unexpected(unknown_type(queue, cx_->types));
}

result<void> queue_actor::check(const std::vector<new_task>& wanted) {
  for (const auto& w : wanted) {
    if (is_lane(w.worker_type))
      return fail(errc::invalid_argument, "A new task names a worker type; its lane follows from its registrant.");
    if (const auto at = line_of(w.worker_type); !at) return std::unexpected(at.error());
  }
  return {};
}

queue_actor::line& queue_actor::line_for(const new_task& wanted) {
  // What a lane that is not configured needs is not there: the type's own workers say so.
  if (!wanted.lane.empty())
    if (auto in_lane = line_of(queue_name(wanted.worker_type, wanted.lane))) return **in_lane;
  return *find(wanted.worker_type);
}

bool queue_actor::deadline_passed(const request_context& context) const {
  return context.deadline_ns != 0 && cx_->monotonic->monotonic().count() >= context.deadline_ns;
}

result<std::optional<task>> queue_actor::row_of(std::uint64_t id) {
  return storage::find_task_row([this](storage::column c, std::string_view key) { return part_->get(c, key); },
                                cx_->part, id);
}

void queue_actor::pass_over(std::uint64_t id, const std::string& why) {
  shared().raise({"unreadable_row", path(), fmt::format("Task {} is passed over: {}. Run matricula verify.", id, why)});
}

// -- rows
// --------------------------------------------------------------------------------------------------------------

void queue_actor::start_running(line& at, task t, lease held, nanoseconds lapses) {
  const auto id = t.id;
  running_task running{std::nullopt, bytes_of_row(t), std::move(held), lapses};
  if (running_bytes_ + running.row_bytes <= cx_->running_bytes_max) {
    running_bytes_ += running.row_bytes;
    running.task = std::move(t);
  }
  at.lapses.emplace(lapses, id);
  line_of_running_.emplace(id, &at);
  at.running.emplace(id, std::move(running));
}

queue_actor::running_task queue_actor::stop_running(line& at, std::uint64_t id) {
  auto node = at.running.extract(id);
  auto& running = node.mapped();
  if (running.task) running_bytes_ -= running.row_bytes;
  at.lapses.erase({running.lapses, id});
  line_of_running_.erase(id);
  return std::move(running);
}

result<task> queue_actor::running_now(std::uint64_t id, const running_task& running) {
  if (running.task) return *running.task;
  auto row = row_of(id);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->state != task_state::pending)
    return fail(errc::corrupt, fmt::format("task {} has a lease, and no row that waits for its end", id));
  begin_try(**row, running.held.granted_at);
  return std::move(**row);
}

queue_actor::line* queue_actor::held(std::uint64_t id, std::uint64_t token) {
  const auto at = line_of_running_.find(id);
  if (at == line_of_running_.end() || at->second->running.at(id).held.token != token) return nullptr;
  return at->second;
}

void queue_actor::count(line& at, task_state from, task_state to) {
  --at.counts.of(from);
  ++at.counts.of(to);
  at.changed = true;
  at.told = false;
}

void queue_actor::count_new(line& at) {
  ++at.counts.of(task_state::pending);
  ++at.counts.queued_total;
  at.changed = true;
  at.told = false;
}

void queue_actor::take_out(line& at, const task& t, storage::batch& into) {
  const auto ticket = part_->last_ticket() + 1;
  into.erase(storage::column::task_index, cx_->part.ready_key(at.type.name, t.rank, t.id));
  into.erase(storage::column::task_index, cx_->part.waiting_key(at.type.name, t.due_at, t.id));
  at.ready.erase({t.rank, t.id}, ticket);
  at.waiting.erase({to_unix_ms(t.due_at), t.id}, ticket);
  at.pauses.erase({to_unix_ms(t.due_at), t.id});
}

void queue_actor::put(line& at, task& t, storage::batch& into, timestamp now) {
  using storage::column;
  const auto ticket = part_->last_ticket() + 1;
  if (t.state == task_state::pending) t.rank = storage::rank_of(t, cx_->ageing);
  into.put(column::tasks, cx_->part.task_key(t.id), encode(t));
  if (is_final(t.state)) {
    into.put(column::task_index, cx_->part.ended_key(t.state, *t.finished_at, t.id), {});
  } else if (t.due_at <= now) {
    into.put(column::task_index, cx_->part.ready_key(at.type.name, t.rank, t.id), {});
    at.ready.add({t.rank, t.id}, ticket);
  } else {
    into.put(column::task_index, cx_->part.waiting_key(at.type.name, t.due_at, t.id), {});
    at.waiting.add({to_unix_ms(t.due_at), t.id}, ticket);
  }
}

void queue_actor::write(storage::permit room, storage::batch batch, storage::completion<storage::verdict> settled) {
  for (auto& [name, at] : lines_) {
    if (!at.changed) continue;
    batch.put(storage::column::task_index, cx_->part.queue_key(name), encode(at.counts));
    at.changed = false;
  }
  if (numbers_changed_) storage::put_numbers(batch, cx_->part, numbers_);
  numbers_changed_ = false;
  part_->write(std::move(room), std::move(batch), std::move(settled));
}

caf::result<void> queue_actor::conclude(storage::permit room, storage::batch batch,
                                        storage::completion<storage::verdict> answer) {
  if (batch.empty())
    part_->after_settled(std::move(answer));
  else
    write(std::move(room), std::move(batch), std::move(answer));
  after_message();
  return caf::unit;
}

// -- what is asked
// -----------------------------------------------------------------------------------------------------

std::size_t queue_actor::bytes_of(const std::vector<new_task>& wanted, const std::string& principal) const {
  std::size_t bytes = 512 + lines_.size() * counters_bytes;
  for (const auto& t : wanted)
    bytes += rows_of_a_new_task + t.payload.size() + t.unique_key.size() + principal.size() +
             (t.worker_type.size() + t.lane.size()) * 4;
  return bytes;
}

result<std::vector<queued_task>> queue_actor::queue_up(const std::vector<new_task>& wanted,
                                                       const std::string& principal, timestamp now,
                                                       storage::batch& into) {
  std::vector<queued_task> answer;
  std::map<std::pair<std::string, std::string>, std::uint64_t> of_this_batch;
  for (const auto& w : wanted) {
    if (!w.unique_key.empty()) {
      const auto key = cx_->part.unique_key(w.worker_type, w.unique_key);
      const auto here = of_this_batch.find({w.worker_type, w.unique_key});
      if (here != of_this_batch.end()) {
        answer.push_back({here->second, true});
        continue;
      }
      const auto known = part_->get(storage::column::task_index, key);
      if (!known) return std::unexpected(known.error());
      if (*known) {
        byte_reader in{**known};
        answer.push_back({in.varint(), true});
        if (!in.done()) return fail(errc::corrupt, "tasks: a row of a unique key is malformed");
        continue;
      }
      into.put(storage::column::task_index, key, byte_writer{}.varint(numbers_.next_id).str());
      of_this_batch.emplace(std::pair(w.worker_type, w.unique_key), numbers_.next_id);
    }
    // Whose generator its registrant has, its queue it stands in.
    auto in_lane = w;
    if (const auto of = registrants::registrant_of_key(w.unique_key);
        of && registrants::concerns_registrants(w.worker_type))
      if (const auto r = registrants_->find(*of); r && *r) in_lane.lane = (*r)->generator;
    answer.push_back({queue_new(in_lane, principal, now, into), false});
  }
  return answer;
}

std::uint64_t queue_actor::queue_new(const new_task& w, const std::string& principal, timestamp now,
                                     storage::batch& into) {
  auto& at = line_for(w);
  task t;
  t.id = numbers_.next_id++;
  numbers_changed_ = true;
  t.worker_type = w.worker_type;
  if (is_lane(at.type.name)) t.lane = w.lane;
  t.payload = w.payload;
  t.unique_key = w.unique_key;
  t.priority = w.priority;
  t.queued_at = now;
  t.due_at = w.due_at_ms > 0 ? std::max(now, from_unix_ms(static_cast<std::uint64_t>(w.due_at_ms))) : now;
  t.tries_max = w.tries_max != 0 ? w.tries_max : at.type.retry.tries_max;
  t.queued_by = principal;
  put(at, t, into, now);
  count_new(at);
  registrants_->changed(t, false, now, into);
  return t.id;
}

void queue_actor::try_again(line& at, task& t, timestamp now, storage::batch& into) {
  const auto before = t.state;
  into.erase(storage::column::task_index, cx_->part.ended_key(before, *t.finished_at, t.id));
  require(retry(t, at.type.retry.tries_max, now), "only what FAILED or was CANCELLED is tried again");
  put(at, t, into, now);
  count(at, before, task_state::pending);
  // It is the registrant's task from now on: see may_try_again.
  if (registrants::concerns_registrants(t.worker_type) && !t.unique_key.empty())
    into.put(storage::column::task_index, cx_->part.unique_key(t.worker_type, t.unique_key),
             byte_writer{}.varint(t.id).str());
  registrants_->changed(t, false, now, into);
}

std::optional<std::uint64_t> queue_actor::under_way_instead(const task& t) {
  if (!registrants::concerns_registrants(t.worker_type) || t.unique_key.empty()) return std::nullopt;
  const auto known = part_->get(storage::column::task_index, cx_->part.unique_key(t.worker_type, t.unique_key));
  if (!known || !*known) return std::nullopt;
  const auto id = byte_reader{**known}.varint();
  if (id == t.id) return std::nullopt;
  const auto other = row_of(id);
  return other && *other && !is_final((*other)->state) ? std::optional(id) : std::nullopt;
}

result<void> queue_actor::show(std::vector<queued_task>& queued) {
  for (auto& q : queued) {
    auto row = row_of(q.id);
    if (!row) return std::unexpected(row.error());
    if (!*row) continue;
    q.task = std::move(**row);
    const auto at = line_of_running_.find(q.id);
    if (at == line_of_running_.end()) continue;
    q.held = at->second->running.at(q.id).held;
    begin_try(*q.task, q.held->granted_at);
  }
  return {};
}

caf::result<void> queue_actor::on_enqueue(const enqueue_tasks& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  if (const auto known = check(request.tasks); !known) return refuse(request.reply, known.error());
  const auto bytes = bytes_of(request.tasks, request.context.principal) + bytes_of_registrants(request.tasks);
  if (bytes > storage::batch::bytes_max)
    return refuse(request.reply,
                  {errc::payload_too_large, "These tasks are too large together. Send fewer at once.", {}});
  auto room = part_->reserve(bytes);
  if (!room) return refuse(request.reply, room.error());
  storage::batch batch(cx_->part.shard);
  auto queued = queue_up(request.tasks, request.context.principal, cx_->time->now(), batch);
  if (!queued) throw std::runtime_error("tasks: " + queued.error().message); // memory may be ahead of the batch
  if (!request.whole)
    return conclude(std::move(*room), std::move(batch),
                    when_durable(request.reply, std::move(*queued), advice_on_tasks));
  // What was queued now is in no row before it is written.
  if (!batch.empty()) write(std::move(*room), std::move(batch), [](storage::verdict) noexcept {});
  if (const auto shown = show(*queued); !shown) return refuse(request.reply, shown.error());
  part_->after_settled(when_durable(request.reply, std::move(*queued), advice_on_tasks));
  after_message();
  return caf::unit;
}

caf::result<void> queue_actor::on_lease(const lease_tasks& request) {
  if (stand_down()) return caf::skip();
  auto at = line_of(request.worker_type);
  if (!at) return refuse(request.reply, at.error());
  if ((*at)->workers.size() >= workers_waiting_max)
    return refuse(request.reply, {errc::overloaded, "Too many workers wait for tasks of this type.", again_soon});
  (*at)->workers.push_back({request});
  after_message();
  return caf::unit;
}

caf::result<void> queue_actor::on_renew(const renew_lease& request) {
  if (stand_down()) return caf::skip();
  auto* at = held(request.id, request.token);
  if (at == nullptr) return refuse(request.reply, lease_gone(request.id));
  auto room = part_->reserve(rows_of_a_task);
  if (!room) return refuse(request.reply, room.error());
  auto& r = at->running.at(request.id);
  const auto time = lease_time(at->type, request.lease_ms);
  r.held.until = cx_->time->now() + std::chrono::duration_cast<milliseconds>(time);
  at->lapses.erase({r.lapses, request.id});
  r.lapses = cx_->monotonic->monotonic() + time;
  at->lapses.emplace(r.lapses, request.id);
  storage::batch batch(cx_->part.shard);
  batch.put(storage::column::task_index, cx_->part.running_key(at->type.name, request.id), encode(r.held));
  return conclude(std::move(*room), std::move(batch), when_durable(request.reply, r.held, advice_on_tasks));
}

result<task> queue_actor::said_before(std::uint64_t id, std::uint64_t token, outcome_kind how) {
  auto row = row_of(id);
  if (!row) return std::unexpected(row.error());
  const auto same = [&](const attempt& a) { return a.token == token && a.ended == how; };
  if (!*row || !std::ranges::any_of((*row)->history, same)) return std::unexpected(lease_gone(id));
  return std::move(**row);
}

caf::result<void> queue_actor::on_end(const end_task& request) {
  if (stand_down()) return caf::skip();
  const auto kind = static_cast<outcome_kind>(request.kind);
  if (kind < outcome_kind::done || kind > outcome_kind::not_yet)
    return refuse(request.reply, {errc::invalid_argument, "A try ends as done, transient, permanent or not_yet.", {}});
  if (const auto known = check(request.then); !known) return refuse(request.reply, known.error());
  auto* at = held(request.id, request.token);
  if (at == nullptr) {
    auto before = said_before(request.id, request.token, kind);
    if (!before) return refuse(request.reply, before.error());
    part_->after_settled(when_durable(request.reply, std::move(*before), advice_on_tasks));
    return caf::unit;
  }
  ending e{{kind, request.text, std::nullopt}, request.then, request.effect, request.context.principal};
  if (request.try_again_ms >= 0) e.how.try_again = milliseconds{request.try_again_ms};
  if (const auto ended = end(*at, request.id, e, request.reply); !ended) return refuse(request.reply, ended.error());
  after_message();
  return caf::unit;
}

std::size_t queue_actor::bytes_to_end(const line& at, std::uint64_t id, const ending& e) const {
  return at.running.at(id).row_bytes + bytes_of_outcome(e.how) + bytes_of(e.then, e.principal) +
         bytes_of_registrants(e.then) +
         (registrants::concerns_registrants(worker_type_of(at.type.name)) ? registrant_ledger::bytes_of_a_change : 0);
}

result<void> queue_actor::end(line& at, std::uint64_t id, const ending& e, runtime::reply_to<task> reply) {
  const auto bytes = bytes_to_end(at, id, e);
  if (bytes > storage::batch::bytes_max)
    return fail(errc::payload_too_large, "The task and what follows it are too large together.");
  auto room = part_->reserve(bytes);
  if (!room) return std::unexpected(room.error());
  storage::batch batch(cx_->part.shard);
  auto ended = end_into(batch, at, id, e, cx_->time->now());
  if (!ended) return std::unexpected(ended.error());
  write(std::move(*room), std::move(batch), when_durable(std::move(reply), std::move(*ended), advice_on_tasks));
  return {};
}

result<task> queue_actor::end_into(storage::batch& into, line& at, std::uint64_t id, const ending& e, timestamp now) {
  auto t = running_now(id, at.running.at(id));
  if (!t) return t;
  const bool concerns_registrants = registrants::concerns_registrants(t->worker_type);
  registrant_ledger::verdict_of_end judged{e.how, {}, {}, false};
  if (concerns_registrants) {
    auto found = registrants_->judge(*t, e.how, e.effect);
    if (!found) return std::unexpected(found.error());
    judged = std::move(*found);
  }
  const auto stopped = stop_running(at, id);
  end_try(*t, stopped.held, judged.how, now, at.type.retry, *random_);
  into.erase(storage::column::task_index, cx_->part.running_key(at.type.name, id));
  put(at, *t, into, now);
  // A little longer than its row says: where the clocks agree, the row decides.
  if (t->state == task_state::pending && t->due_at > now)
    at.pauses.add({to_unix_ms(t->due_at), id}, cx_->monotonic->monotonic() + (t->due_at - now) + milliseconds{1});
  count(at, task_state::running, t->state);
  ++at.counts.tries_total;
  if (!e.then.empty())
    if (const auto queued = queue_up(e.then, e.principal, now, into); !queued)
      throw std::runtime_error("tasks: " + queued.error().message); // memory may be ahead of the batch
  if (concerns_registrants)
    registrants_->ended(judged, e.effect, *t, now, into,
                        [&](const new_task& next) { return queue_for_registrant(next, e.principal, now, into); });
  if (!judged.alarm.empty()) shared().raise({"registrant_id", path(), judged.alarm});
  return t;
}

caf::result<void> queue_actor::on_finish(const finish_tasks& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  finished_tries answers;
  const auto now = cx_->time->now();
  std::optional<storage::permit> room;
  std::optional<storage::batch> batch;
  const auto flush = [&] {
    if (batch && !batch->empty()) write(std::move(*room), std::move(*batch), [](storage::verdict) noexcept {});
    batch.reset();
    room.reset();
  };
  const auto finish = [&](const finished_try& one) -> result<task> {
    auto* at = held(one.id, one.token);
    if (at == nullptr) {
      flush(); // it may have been said a moment ago, in this request
      return said_before(one.id, one.token, outcome_kind::done);
    }
    const ending e{{outcome_kind::done, one.result, std::nullopt}, {}, {}, request.context.principal};
    const auto bytes = bytes_to_end(*at, one.id, e);
    if (batch && batch->bytes() + rows_of_a_task + bytes > room->bytes()) flush();
    if (!batch) {
      auto taken = part_->reserve(storage::batch::bytes_max);
      if (!taken) return std::unexpected(taken.error());
      room.emplace(std::move(*taken));
      batch.emplace(cx_->part.shard);
    }
    return end_into(*batch, *at, one.id, e, now);
  };
  for (const auto& one : request.tries) {
    const auto ended = finish(one);
    answers.push_back(ended ? result<task_state>(ended->state) : std::unexpected(ended.error()));
  }
  flush();
  part_->after_settled(when_durable(request.reply, std::move(answers), advice_on_tasks));
  after_message();
  return caf::unit;
}

caf::result<void> queue_actor::on_change(const change_task& request) {
  if (stand_down()) return caf::skip();
  auto row = row_of(request.id);
  if (!row) return refuse(request.reply, row.error());
  if (!*row)
    return refuse(request.reply, {errc::not_found, fmt::format("There is no task {}, or no longer.", request.id), {}});
  const auto queue = queue_of(**row);
  auto* at = find(queue);
  const bool cancels = static_cast<task_action>(request.action) == task_action::cancel;
  // Whoever tries it again wants it done, and nobody would.
  if (at == nullptr || (!cancels && cx_->find(queue) == nullptr))
    return refuse(request.reply, unknown_type(queue, cx_->types));
  auto room = part_->reserve(bytes_of_row(**row) + registrant_ledger::bytes_of_a_change);
  if (!room) return refuse(request.reply, room.error());
  const auto now = cx_->time->now();
  storage::batch batch(cx_->part.shard);
  auto& t = **row;
  if (static_cast<task_action>(request.action) == task_action::retry)
    if (const auto may = may_try_again(t); !may) return refuse(request.reply, may.error());
  const auto running = at->running.find(request.id);
  std::optional<lease> taken_away;
  if (running != at->running.end()) {
    taken_away = running->second.held;
    begin_try(t, taken_away->granted_at);
  }
  const auto before = t.state;
  if (cancels) {
    if (!cancel(t, taken_away ? &*taken_away : nullptr, now))
      return refuse(request.reply,
                    {errc::conflict, fmt::format("The task has ended: it is {}.", to_string(t.state)), {}});
    if (before == task_state::running) {
      batch.erase(storage::column::task_index, cx_->part.running_key(at->type.name, t.id));
      (void)stop_running(*at, t.id);
      ++at->counts.tries_total;
    } else {
      take_out(*at, t, batch);
    }
    put(*at, t, batch, now);
    count(*at, before, t.state);
    registrants_->changed(t, before == task_state::running, now, batch);
  } else {
    if (before != task_state::failed && before != task_state::cancelled)
      return refuse(request.reply, {errc::conflict,
                                    fmt::format("Only what FAILED or was CANCELLED is tried again; the task is {}.",
                                                to_string(t.state)),
                                    {}});
    if (const auto later = under_way_instead(t))
      return refuse(request.reply,
                    {errc::conflict, fmt::format("Task {} is under way for the same registrant.", *later), {}});
    try_again(*at, t, now, batch);
  }
  return conclude(std::move(*room), std::move(batch), when_durable(request.reply, std::move(t), advice_on_tasks));
}

caf::result<void> queue_actor::on_retry_failed(const retry_failed& request) {
  if (stand_down()) return caf::skip();
  // Some at a time, so that others are served between; and not what fails again meanwhile.
  auto rest = request;
  const auto now = cx_->time->now();
  if (rest.from.until_ms == 0) rest.from.until_ms = to_unix_ms(now);
  const auto more = retry_some(rest, now);
  const bool wait = !more && more.error().code == errc::overloaded;
  const auto time_left = nanoseconds{rest.context.deadline_ns} - cx_->monotonic->monotonic();
  const bool goes_on = wait || (more && *more);
  if (goes_on && rest.done < rest.limit && (rest.context.deadline_ns == 0 || time_left > time_for_an_answer)) {
    if (wait)
      delayed_send(this, again_soon, std::move(rest));
    else
      send(this, std::move(rest)); // as its own, which a full mailbox takes
  } else if (!more && rest.done == 0) {
    rest.reply.deliver(std::unexpected(more.error()));
  } else {
    retried_tasks answer{rest.done, std::nullopt};
    if (goes_on || !more) answer.next = rest.from;
    part_->after_settled(when_durable(rest.reply, answer, advice_on_tasks));
  }
  after_message();
  return caf::unit;
}

result<bool> queue_actor::retry_some(retry_failed& rest, timestamp now) {
  // Only what is durable is looked at; what is being changed at this moment may be missed, and is asked for again.
  const auto durable = part_->durable();
  if (!durable) return std::unexpected(durable.error());
  const auto found =
      storage::find_ended_first(**durable, cx_->part, task_state::failed, {rest.from.at, rest.from.id}, moves_a_write);
  if (!found) return std::unexpected(found.error());
  std::optional<storage::batch> batch;
  std::optional<storage::permit> room;
  const auto flush = [&] {
    if (batch && !batch->empty()) write(std::move(*room), std::move(*batch), [](storage::verdict) noexcept {});
    batch.reset();
    room.reset();
  };
  for (const auto& p : *found) {
    if (rest.done == rest.limit || p.at > rest.from.until_ms) {
      flush();
      return p.at <= rest.from.until_ms;
    }
    auto t = row_of(p.id);
    if (!t) pass_over(p.id, t.error().message);
    auto* at = t && *t ? find(queue_of(**t)) : nullptr;
    const bool wanted = at != nullptr && cx_->find(at->type.name) != nullptr && (*t)->state == task_state::failed &&
                        (rest.worker_type.empty() || is_of(**t, rest.worker_type)) &&
                        (*t)->last_error.starts_with(rest.error_prefix) && !under_way_instead(**t);
    if (wanted) {
      const auto bytes = bytes_of_row(**t) + rows_of_a_registrant;
      if (batch && room->bytes() < batch->bytes() + bytes) flush();
      if (!batch) {
        auto taken = part_->reserve(storage::batch::bytes_max);
        if (!taken) return std::unexpected(taken.error());
        room.emplace(std::move(*taken));
        batch.emplace(cx_->part.shard);
      }
      // Of the FAILED ones for one registrant the latest is enough.
      if (task_of_its_key(**t).value_or(0) == p.id) {
        try_again(*at, **t, now, *batch);
        ++rest.done;
      }
    }
    rest.from.at = p.at;
    rest.from.id = p.id + 1;
  }
  flush();
  return found->size() == moves_a_write;
}

caf::result<void> queue_actor::on_pause(const pause_queue& request) {
  if (stand_down()) return caf::skip();
  auto at = line_of(request.worker_type);
  if (!at) return refuse(request.reply, at.error());
  auto room = part_->reserve(rows_of_a_task);
  if (!room) return refuse(request.reply, room.error());
  (*at)->counts.paused = request.paused;
  (*at)->changed = true;
  (*at)->told = false;
  storage::batch batch(cx_->part.shard);
  write(std::move(*room), std::move(batch), when_durable(request.reply, request.paused, advice_on_tasks));
  after_message();
  return caf::unit;
}

// -- the beat
// ----------------------------------------------------------------------------------------------------------

bool queue_actor::feed(line& at, index_window& window, bool of_ready) {
  if (!window.hungry()) return true;
  const auto durable = part_->durable();
  if (!durable) return false;
  const auto rows = of_ready
                        ? storage::find_ready(**durable, cx_->part, at.type.name, window.from(), window.rows_max())
                        : storage::find_waiting(**durable, cx_->part, at.type.name, window.from(), window.rows_max());
  if (!rows) {
    shared().raise({"unreadable_row", path(), "The index of the tasks cannot be read: " + rows.error().message});
    return false;
  }
  window.feed(*rows);
  return !window.hungry();
}

std::uint32_t queue_actor::may_begin(line& at, nanoseconds now) {
  if (at.counts.paused || cx_->closing->load(std::memory_order_relaxed)) return 0;
  const std::uint64_t limit = at.type.running_max != 0 ? at.type.running_max : cx_->running_most;
  auto most = limit > at.running.size() ? limit - at.running.size() : 0;
  if (at.type.starts_per_s != 0) {
    const double rate = at.type.starts_per_s;
    at.tokens = std::min(rate, at.tokens + rate * std::chrono::duration<double>(now - at.tokens_at).count());
    at.tokens_at = now;
    most = std::min(most, static_cast<std::uint64_t>(at.tokens));
  }
  return static_cast<std::uint32_t>(most);
}

void queue_actor::answer_workers_that_waited(line& at, nanoseconds now) {
  std::erase_if(at.workers, [now](const waiting_worker& w) {
    if (w.request.wait_until_ns > now.count()) return false;
    w.request.reply.deliver(std::vector<leased_task>{});
    return true;
  });
}

void queue_actor::serve(line& at) {
  const auto now = cx_->monotonic->monotonic();
  while (!at.workers.empty()) {
    const auto& request = at.workers.front().request;
    // Nobody waits for the answer any more: what it would get is better given to somebody else.
    if (deadline_passed(request.context)) {
      at.workers.pop_front();
      continue;
    }
    const auto most = std::min({may_begin(at, now), request.count, static_cast<std::uint32_t>(leases_a_write)});
    if (most == 0) break;
    const auto leased = lease_some(at, request, most);
    if (!leased) {
      request.reply.deliver(std::unexpected(leased.error()));
    } else if (*leased == 0) {
      break;
    } else if (at.type.starts_per_s != 0) {
      at.tokens -= static_cast<double>(*leased);
    }
    at.workers.pop_front();
  }
  answer_workers_that_waited(at, now);
}

result<std::size_t> queue_actor::lease_some(line& at, const lease_tasks& to, std::size_t most) {
  if (!feed(at, at.ready, true)) return std::size_t{0};
  if (!at.ready.first()) return std::size_t{0};
  auto room = part_->reserve(1'024 + most * (lease_bytes + at.type.name.size() * 2 + to.worker.size()));
  if (!room) return std::unexpected(room.error());
  const auto now = cx_->time->now();
  const auto time = lease_time(at.type, to.lease_ms);
  const auto ticket = part_->last_ticket() + 1;
  storage::batch batch(cx_->part.shard);
  std::vector<leased_task> given;
  std::size_t payloads = 0;
  while (given.size() < most && payloads < leased_payloads_bytes) {
    if (!feed(at, at.ready, true)) break;
    const auto place = at.ready.first();
    if (!place) break;
    auto t = row_of(place->id);
    if (!t || !*t || (*t)->state != task_state::pending || at.running.contains(place->id)) {
      pass_over(place->id, t ? "the index says that it is ready, and it is not" : t.error().message);
      at.ready.erase(*place, ticket);
      continue;
    }
    at.ready.erase(*place, ticket);
    leased_task one{std::move(**t),
                    {numbers_.next_token++, to.worker, now, now + std::chrono::duration_cast<milliseconds>(time)}};
    numbers_changed_ = true;
    begin_try(one.task, now);
    batch.erase(storage::column::task_index, cx_->part.ready_key(at.type.name, place->at, place->id));
    batch.put(storage::column::task_index, cx_->part.running_key(at.type.name, place->id), encode(one.lease));
    count(at, task_state::pending, task_state::running);
    start_running(at, one.task, one.lease, cx_->monotonic->monotonic() + time);
    payloads += one.task.payload.size();
    given.push_back(std::move(one));
  }
  const auto count = given.size();
  if (count == 0) return count;
  write(std::move(*room), std::move(batch), when_durable(to.reply, std::move(given), advice_on_tasks));
  return count;
}

bool queue_actor::bring_due(line& at, timestamp now) {
  const auto limit = to_unix_ms(now);
  const auto passed = cx_->monotonic->monotonic();
  const auto next_due = [&]() -> std::optional<index_place> {
    if (const auto first = at.waiting.first(); first && first->at <= limit) return first;
    // The wall clock was set back: what waited for a while has waited for it.
    if (const auto first = at.pauses.first(); first && first->first <= passed) return first->second;
    return std::nullopt;
  };
  (void)feed(at, at.waiting, false);
  if (!next_due()) return false;
  auto room = part_->reserve(1'024 + moves_a_write * (lease_bytes + at.type.name.size() * 2));
  if (!room) return false; // the timer comes again
  const auto ticket = part_->last_ticket() + 1;
  storage::batch batch(cx_->part.shard);
  for (std::size_t i = 0; i < moves_a_write; ++i) {
    const auto due = next_due();
    if (!due) break;
    const auto place = *due;
    const auto t = row_of(place.id);
    at.waiting.erase(place, ticket);
    at.pauses.erase(place);
    if (!t || !*t || (*t)->state != task_state::pending || at.running.contains(place.id)) {
      pass_over(place.id, t ? "the index says that it waits, and it does not" : t.error().message);
      continue;
    }
    batch.erase(storage::column::task_index, cx_->part.waiting_key(at.type.name, from_unix_ms(place.at), place.id));
    batch.put(storage::column::task_index, cx_->part.ready_key(at.type.name, (*t)->rank, place.id), {});
    at.ready.add({(*t)->rank, place.id}, ticket);
  }
  if (!batch.empty()) write(std::move(*room), std::move(batch), [](storage::verdict) noexcept {});
  return next_due().has_value();
}

void queue_actor::drop_lapsed(line& at, nanoseconds now) {
  std::uint64_t lapsed = 0, last = 0;
  std::string worker;
  while (!at.lapses.empty() && at.lapses.begin()->first <= now) {
    const auto id = at.lapses.begin()->second;
    const auto& by = at.running.at(id).held.worker;
    const ending lost{
        {outcome_kind::lost, fmt::format("The worker {} said nothing until its lease ran out.", by), std::nullopt},
        {},
        {},
        {}};
    const auto whose = by;
    if (const auto ended = end(at, id, lost, {}); !ended) {
      if (ended.error().code != errc::corrupt) break; // no room to write now; the timer comes again
      pass_over(id, ended.error().message);
      (void)stop_running(at, id);
      continue;
    }
    ++lapsed;
    last = id;
    worker = whose;
  }
  // One line, however many: a worker that dies with a thousand tasks is one event.
  if (lapsed > 0)
    log::warning("tasks.lease_lapsed", "Workers said nothing until their leases ran out.",
                 {{"worker_type", at.type.name}, {"tasks", lapsed}, {"last_task", last}, {"its_worker", worker}});
}

bool queue_actor::purge(timestamp now) {
  if (cx_->time->suspect()) return false; // it cannot be undone
  const auto durable = part_->durable();
  if (!durable) return false;
  bool more = false;
  const auto purge_of = [&](task_state state, milliseconds keep) {
    auto& from = purged_to_[static_cast<std::size_t>(state) - static_cast<std::size_t>(task_state::completed)];
    const auto found = storage::find_ended_first(**durable, cx_->part, state, from, purges_a_write);
    if (!found || found->empty()) return;
    // What ends from now on ends later, or in the same millisecond.
    from = {found->front().at, 0};
    const auto due = static_cast<std::size_t>(
        std::ranges::find_if(*found, [&](const auto& p) { return from_unix_ms(p.at) + keep > now; }) - found->begin());
    if (due == 0) return;
    // What was erased a moment ago may still be seen; behind it there may be more.
    more = more || due == purges_a_write;
    auto room = part_->reserve(4'096 + due * lease_bytes);
    if (!room) {
      more = true;
      return;
    }
    storage::batch batch(cx_->part.shard);
    bool purges = false;
    for (const auto& p : std::span(*found).first(due)) {
      const auto t = row_of(p.id);
      auto* at = t && *t ? find(queue_of(**t)) : nullptr;
      // Erased, or tried again, by a write that the view does not show yet.
      if (at == nullptr || (*t)->state != state || (*t)->finished_at != from_unix_ms(p.at)) continue;
      batch.erase(storage::column::tasks, cx_->part.task_key(p.id));
      batch.erase(storage::column::task_index, cx_->part.ended_key(state, from_unix_ms(p.at), p.id));
      --at->counts.of(state);
      ++at->counts.purged_total;
      at->changed = true;
      at->told = false;
      purges = true;
    }
    if (purges) write(std::move(*room), std::move(batch), [](storage::verdict) noexcept {});
  };
  purge_of(task_state::completed, cx_->retention.completed);
  purge_of(task_state::cancelled, cx_->retention.cancelled);
  purge_of(task_state::failed, cx_->retention.failed);
  return more;
}

void queue_actor::on_tick() {
  if (stand_down()) return;
  const auto now = cx_->monotonic->monotonic();
  if (now >= purge_at_)
    purge_at_ = now + (purge(cx_->time->now()) ? nanoseconds(again_soon) : nanoseconds(purge_every));
  after_message();
}

void queue_actor::on_beat() {
  if (stand_down()) return;
  beat_at_ = cx_->time->now();
  const auto now = cx_->monotonic->monotonic();
  // What is in memory is read afresh, unless some of it is known to this actor alone. Seldom from the beginning: there
  // it would walk over all that was erased and is not compacted yet.
  if (part_->unsettled() == 0) {
    const bool from_the_beginning = now >= reread_at_;
    if (from_the_beginning) reread_at_ = now + reread_every;
    for (auto& [name, at] : lines_) {
      at.ready.forget(from_the_beginning);
      at.waiting.forget(from_the_beginning);
      at.told = false;
    }
  }
  purge_at_ = now;
  timer_at_.reset();
  on_tick();
}

void queue_actor::after_message() {
  const auto now = cx_->monotonic->monotonic();
  const auto wall = cx_->time->now();
  while (settled_to_ < part_->last_ticket() && part_->settled(settled_to_ + 1)) ++settled_to_;
  for (auto& [name, at] : lines_) {
    at.ready.settled(settled_to_);
    at.waiting.settled(settled_to_);
    drop_lapsed(at, now);
    for (int writes = 0; writes < due_writes_a_message && bring_due(at, wall); ++writes) {
    }
    (void)feed(at, at.ready, true);
    serve(at);
  }
  set_timer();
  tell_gauge();
}

void queue_actor::set_timer() {
  const auto now = cx_->monotonic->monotonic();
  const auto wall = cx_->time->now();
  const bool time_stands_still = cx_->time->wall() < wall;
  auto next = purge_at_;
  const auto sooner = [&next](nanoseconds t) { next = std::min(next, t); };
  // What is due and still here found no room in the commit log: not at once again.
  const auto look_at = [&](nanoseconds t) { sooner(t > now ? t : now + again_soon); };
  for (auto& [name, at] : lines_) {
    if (!at.lapses.empty()) look_at(at.lapses.begin()->first);
    for (const auto& w : at.workers)
      if (w.request.wait_until_ns > 0) sooner(nanoseconds{w.request.wait_until_ns});
    // Years ahead are more nanoseconds than there are numbers.
    if (const auto due = at.waiting.first()) {
      auto until = std::min<milliseconds>(from_unix_ms(due->at) - wall, purge_every);
      if (time_stands_still) until = std::max(until, again_soon);
      look_at(now + until);
    }
    if (const auto pause = at.pauses.first()) look_at(pause->first);
    // Its own writes are not to be seen yet, or its rate is spent.
    const bool hungry = at.ready.hungry() || at.waiting.hungry();
    const bool limited = !at.workers.empty() && at.ready.first() && at.type.starts_per_s != 0;
    if (hungry || limited) sooner(now + again_soon);
  }
  next = std::max(next, now + milliseconds{1});
  if (timer_at_ && *timer_at_ <= next) return;
  timer_at_ = next;
  delayed_send(this, next - now, tick{++timer_});
}

void queue_actor::tell_gauge() {
  for (auto& [name, at] : lines_) {
    const auto first = at.ready.first(), waits = at.waiting.first();
    queue_report now{at.counts, first ? first->id : 0, waits ? waits->id : 0};
    const std::pair next{now.next_ready, now.next_waiting};
    if (std::exchange(at.told, true) && at.told_next == next) continue;
    at.told_next = next;
    cx_->gauge->set(name, now);
  }
}

std::string queue_actor::describe() const {
  if (!part_) return R"({"phase":"loading"})";
  std::string types;
  for (const auto& [name, at] : lines_) {
    if (!types.empty()) types += ',';
    types += fmt::format(R"("{}":{{"pending":{},"running":{},"failed":{},"workers_waiting":{},"paused":{},)"
                         R"("ready_in_memory":{},"waiting_in_memory":{}}})",
                         name, at.counts.of(task_state::pending), at.running.size(), at.counts.of(task_state::failed),
                         at.workers.size(), at.counts.paused, at.ready.size(), at.waiting.size());
  }
  const auto beat = beat_at_ ? '"' + to_rfc3339(*beat_at_) + '"' : std::string("null");
  return fmt::format(R"({{"phase":"serving","unsettled_writes":{},"last_beat":{},"calls_in_doubt":{},"types":{{{}}}}})",
                     part_->unsettled(), beat, registrants_->numbers().in_doubt, types);
}

} // namespace matricula::actors
