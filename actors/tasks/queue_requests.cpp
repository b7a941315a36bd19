// What others than workers ask of the task queue: to queue tasks, cancel them, try them again, and to pause.
#include "actors/answers.hpp"
#include "actors/tasks/queue_actor.hpp"
#include "actors/tasks/queue_bounds.hpp"
#include "foundation/bytes.hpp"

#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace matricula::actors {

using namespace tasks;

namespace {

constexpr std::size_t rows_of_a_new_task = 256;
constexpr std::size_t counters_bytes = 192;                  ///< of one worker type
constexpr std::chrono::milliseconds time_for_an_answer{200}; ///< to be durable and on its way before the deadline

} // namespace

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
  const auto shown = show(*queued);
  if (shown) part_->after_settled(when_durable(request.reply, std::move(*queued), advice_on_tasks));
  after_message(); // they are queued, also when they cannot be shown
  return shown ? caf::result<void>{caf::unit} : refuse(request.reply, shown.error());
}

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

caf::result<void> queue_actor::on_change(const change_task& request) {
  if (stand_down()) return caf::skip();
  auto row = row_of(request.id);
  if (!row) return refuse(request.reply, row.error());
  if (!*row)
    return refuse(request.reply, {errc::not_found, fmt::format("There is no task {}, or no longer.", request.id), {}});
  const auto queue = queue_of(**row);
  auto* at = find(queue);
  const bool cancels = static_cast<task_action>(request.action) == task_action::cancel;
  const auto configured = line_of(queue);
  // Whoever tries it again wants it done, and nobody would.
  if (at == nullptr || (!cancels && !configured)) return refuse(request.reply, configured.error());
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

} // namespace matricula::actors
