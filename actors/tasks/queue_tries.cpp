// What the task queue does with tries: leases tasks to workers, and takes in how each try ended or that it lapsed.
#include "actors/answers.hpp"
#include "actors/tasks/queue_actor.hpp"
#include "actors/tasks/queue_bounds.hpp"
#include "foundation/log.hpp"

#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace matricula::actors {

using namespace tasks;

namespace {

constexpr std::size_t leases_a_write = 100;
constexpr std::size_t leased_payloads_bytes = std::size_t{1} << 20;
constexpr std::size_t workers_waiting_max = 1'000;

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

void queue_actor::answer_workers_that_waited(line& at, nanoseconds now) {
  std::erase_if(at.workers, [now](const waiting_worker& w) {
    if (w.request.wait_until_ns > now.count()) return false;
    w.request.reply.deliver(std::vector<leased_task>{});
    return true;
  });
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

result<task> queue_actor::said_before(std::uint64_t id, std::uint64_t token, outcome_kind how) {
  auto row = row_of(id);
  if (!row) return std::unexpected(row.error());
  const auto same = [&](const attempt& a) { return a.token == token && a.ended == how; };
  if (!*row || !std::ranges::any_of((*row)->history, same)) return std::unexpected(lease_gone(id));
  return std::move(**row);
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
  std::vector<queued_task> then;
  if (!e.then.empty()) {
    auto queued = queue_up(e.then, e.principal, now, into);
    if (!queued) throw std::runtime_error("tasks: " + queued.error().message); // memory may be ahead of the batch
    then = std::move(*queued);
  }
  if (concerns_registrants)
    registrants_->ended(judged, e.effect, *t, now, into, [&](const new_task& next) {
      // The worker may have queued the same; that is in this batch alone.
      for (std::size_t i = 0; i < then.size(); ++i)
        if (!then[i].existed && e.then[i].worker_type == next.worker_type && e.then[i].unique_key == next.unique_key)
          return then[i];
      return queue_for_registrant(next, e.principal, now, into);
    });
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

} // namespace matricula::actors
