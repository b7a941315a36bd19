// What the task queue does for registrants: it is their writer, too.
#include "actors/answers.hpp"
#include "actors/tasks/queue_actor.hpp"
#include "foundation/bytes.hpp"

#include <caf/skip.hpp>
#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace matricula::actors {

using namespace tasks;

queued_task queue_actor::queue_for_registrant(const new_task& wanted, const std::string& principal, timestamp now,
                                              storage::batch& into) {
  if (!line_of(wanted.worker_type)) return {}; // not configured: nobody would do it
  const auto key = cx_->part.unique_key(wanted.worker_type, wanted.unique_key);
  const auto known = part_->get(storage::column::task_index, key);
  if (!known) throw std::runtime_error("tasks: " + known.error().message);
  if (*known) {
    byte_reader in{**known};
    const auto id = in.varint();
    const auto there = row_of(id);
    if (!there) throw std::runtime_error("tasks: " + there.error().message);
    if (*there && !is_final((*there)->state)) return {id, true};
  }
  const auto id = queue_new(wanted, principal, now, into);
  into.put(storage::column::task_index, key, byte_writer{}.varint(id).str());
  return {id, false};
}

result<std::uint64_t> queue_actor::task_of_its_key(const task& t) {
  if (!registrants::concerns_registrants(t.worker_type) || t.unique_key.empty()) return t.id;
  const auto known = part_->get(storage::column::task_index, cx_->part.unique_key(t.worker_type, t.unique_key));
  if (!known) return std::unexpected(known.error());
  return *known ? byte_reader{**known}.varint() : t.id;
}

result<void> queue_actor::may_try_again(const task& t) {
  const auto other = task_of_its_key(t);
  if (!other) return std::unexpected(other.error());
  if (*other == t.id) return {};
  const auto there = row_of(*other);
  if (!there) return std::unexpected(there.error());
  if (*there && !is_final((*there)->state))
    return fail(errc::conflict, fmt::format("Task {} for the same registrant is to be done already.", *other));
  return {};
}

caf::result<void> queue_actor::on_create(const create_registrants& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  if (const auto at = line_of(registrants::request_worker); !at) return refuse(request.reply, at.error());
  const auto& principal = request.context.principal;
  new_task usual;
  usual.worker_type = registrants::request_worker;
  usual.payload = registrants::task_payload_of(UINT64_MAX);
  usual.unique_key = registrants::task_key_of(UINT64_MAX);
  std::vector<new_task> follow(request.registrants.size(), usual);
  for (std::size_t i = 0; i < follow.size(); ++i) follow[i].lane = request.registrants[i].generator;
  const auto bytes = registrant_ledger::bytes_of(request) + bytes_of(follow, principal);
  if (bytes > storage::batch::bytes_max)
    return refuse(request.reply,
                  {errc::payload_too_large, "These registrants are too large together. Send fewer at once.", {}});
  auto room = part_->reserve(bytes);
  if (!room) return refuse(request.reply, room.error());
  const auto now = cx_->time->now();
  storage::batch batch(cx_->part.shard);
  auto made = registrants_->create(request, now, batch,
                                   [&](const new_task& t) { return queue_for_registrant(t, principal, now, batch); });
  if (!made) return refuse(request.reply, made.error());
  return conclude(std::move(*room), std::move(batch),
                  when_durable(request.reply, std::move(*made), advice_on_registrants));
}

caf::result<void> queue_actor::on_request_id(const request_registrant_id& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  auto found = registrants_->find(request.id);
  if (!found) return refuse(request.reply, found.error());
  if (!*found)
    return refuse(request.reply, {errc::not_found, fmt::format("There is no registrant {}.", request.id), {}});
  // What is still missing: its ID, or that it is confirmed.
  const auto& r = **found;
  const bool has_id = !r.unique_id.empty();
  const auto type = has_id ? registrants::update_worker : registrants::request_worker;
  if (const auto known = line_of(type); !known) return refuse(request.reply, known.error());
  auto row = row_of(has_id ? r.update_task : r.request_task);
  if (!row) return refuse(request.reply, row.error());
  auto room =
      part_->reserve(storage::batch::bytes_max / 8 + (*row ? (*row)->payload.size() : 0) + task::payload_bytes_max);
  if (!room) return refuse(request.reply, room.error());
  const auto now = cx_->time->now();
  storage::batch batch(cx_->part.shard);
  if (r.progress != registrants::id_progress::confirmed) {
    if (*row && ((*row)->state == task_state::failed || (*row)->state == task_state::cancelled)) {
      const auto stands_in = line_of(queue_of(**row));
      if (!stands_in) return refuse(request.reply, stands_in.error());
      try_again(**stands_in, **row, now, batch);
    } else if (!*row || is_final((*row)->state)) {
      new_task t;
      t.worker_type = type;
      t.payload = registrants::task_payload_of(request.id);
      t.unique_key = registrants::task_key_of(request.id);
      t.lane = r.generator;
      (void)queue_for_registrant(t, request.context.principal, now, batch);
    }
  }
  auto as_it_is = std::move(**found);
  if (!batch.empty()) {
    // As `changed` has written it: the last word on it is in the batch.
    write(std::move(*room), std::move(batch), [](storage::verdict) noexcept {});
    if (auto now_there = registrants_->find(request.id); now_there && *now_there) as_it_is = std::move(**now_there);
  }
  part_->after_settled(when_durable(request.reply, std::move(as_it_is), advice_on_registrants));
  after_message();
  return caf::unit;
}

caf::result<void> queue_actor::on_begin_call(const begin_generator_call& request) {
  if (stand_down()) return caf::skip();
  const auto* at = held(request.task, request.token);
  if (at == nullptr)
    return refuse(request.reply,
                  {errc::lease_lost, fmt::format("The lease of task {} is over: call nobody.", request.task), {}});
  const auto t = running_now(request.task, at->running.at(request.task));
  if (!t) return refuse(request.reply, t.error());
  auto room = part_->reserve(registrant_ledger::bytes_of_a_change);
  if (!room) return refuse(request.reply, room.error());
  storage::batch batch(cx_->part.shard);
  auto permit = registrants_->begin_call(*t, request.generator, cx_->time->now(), batch);
  if (!permit) return refuse(request.reply, permit.error());
  return conclude(std::move(*room), std::move(batch),
                  when_durable(request.reply, std::move(*permit), advice_on_registrants));
}

caf::result<void> queue_actor::on_answer(const note_generator_answer& request) {
  if (stand_down()) return caf::skip();
  auto room = part_->reserve(registrant_ledger::bytes_of_a_change);
  if (!room) return refuse(request.reply, room.error());
  storage::batch batch(cx_->part.shard);
  const auto noted = registrants_->answered(request, cx_->time->now(), batch);
  if (!noted) return refuse(request.reply, noted.error());
  return conclude(std::move(*room), std::move(batch), when_durable(request.reply, *noted, advice_on_registrants));
}

caf::result<void> queue_actor::on_resolve(const resolve_generator_call& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  auto room = part_->reserve(registrant_ledger::bytes_of_a_change);
  if (!room) return refuse(request.reply, room.error());
  storage::batch batch(cx_->part.shard);
  auto resolved = registrants_->resolve(request, cx_->time->now(), batch);
  if (!resolved) return refuse(request.reply, resolved.error());
  return conclude(std::move(*room), std::move(batch),
                  when_durable(request.reply, std::move(*resolved), advice_on_registrants));
}

} // namespace matricula::actors
