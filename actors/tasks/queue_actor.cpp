#include "actors/tasks/queue_actor.hpp"

#include "actors/tasks/queue_bounds.hpp"

#include <caf/behavior.hpp>
#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace matricula::actors {

using namespace tasks;

namespace {

constexpr std::size_t purges_a_write = 500;
constexpr int due_writes_a_message = 4; ///< the timer goes on with the rest: others are served between
constexpr std::chrono::seconds purge_every{10};
constexpr std::chrono::hours reread_every{1};

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
