#include "actors/tasks/worker_pool.hpp"

#include "actors/tasks/worker_actor.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

#include <utility>

namespace matricula::actors {

namespace {
constexpr std::chrono::seconds cut_off_at_most{1};
} // namespace

std::shared_ptr<const worker_pool> make_worker_pool(std::shared_ptr<const queue_context> queue, const worker_type& type,
                                                    std::shared_ptr<task_handler> handler, std::uint32_t workers,
                                                    caf::actor_system& system, const runtime::slot_limits& slots) {
  auto pool = std::make_shared<worker_pool>();
  for (std::uint32_t i = 1; i <= workers; ++i) {
    worker_place place;
    // The name of the type may be as long as a worker's may be altogether.
    place.name = fmt::format("{}{}-{}-{}", queue_context::inside, queue->life, i, type.name);
    constexpr std::size_t name_bytes_max = 64;
    place.name.resize(std::min(place.name.size(), name_bytes_max));
    place.slot = runtime::slot_ref::make(system, slots);
    place.desk = std::make_shared<worker_desk>([slot = place.slot] { caf::anon_send(slot.address(), look_at_desk{}); });
    pool->places.push_back(std::move(place));
  }
  pool->queue = std::move(queue);
  pool->type = type;
  pool->handler = std::move(handler);
  return pool;
}

runtime::child_spec worker_subtree(const std::shared_ptr<const worker_pool>& pool,
                                   const runtime::supervisor_options& supervision, std::int64_t mailbox_messages_max) {
  std::vector<runtime::child_spec> workers;
  for (std::size_t i = 0; i < pool->places.size(); ++i) {
    auto child = runtime::child_of<worker_actor>(fmt::format("{}", i + 1), "worker", pool, i);
    child.slot = pool->places[i].slot;
    child.mailbox_messages_max = mailbox_messages_max;
    workers.push_back(std::move(child));
  }
  return runtime::subtree(pool->type.name, supervision, std::move(workers));
}

void begin_to_close(const queue_context& queue, const std::vector<std::shared_ptr<const worker_pool>>& pools) {
  queue.closing->store(true);
  for (const auto& pool : pools)
    for (const auto& place : pool->places) place.desk->put([](worker_desk::papers& p) { p.closing = true; });
}

bool close_workers(const queue_context& queue, const std::vector<std::shared_ptr<const worker_pool>>& pools,
                   std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  begin_to_close(queue, pools);
  // What was leased before is on the desks when the queue has answered this.
  const auto cell =
      std::make_shared<runtime::reply_cell<std::vector<queued_task>>>(std::make_shared<runtime::reply_gate>());
  enqueue_tasks nothing;
  nothing.reply = runtime::reply_to<std::vector<queued_task>>(cell);
  caf::anon_send(queue.queue.address(), std::move(nothing));
  const auto left = [&] { return until - std::chrono::steady_clock::now(); };
  const bool answered = cell->wait_for(left()) != nullptr;
  const auto all_empty = [&](std::chrono::steady_clock::time_point by) {
    bool empty = true;
    for (const auto& pool : pools)
      for (const auto& place : pool->places) empty = place.desk->wait_until_empty(by) && empty;
    return empty;
  };
  if (all_empty(until)) return answered;
  // What is cut off says how far it came, and the queue is told.
  for (const auto& pool : pools) pool->handler->stop();
  return all_empty(std::chrono::steady_clock::now() + cut_off_at_most) && answered;
}

} // namespace matricula::actors
