/// The workers of one type that are inside of the node: their addresses, desks and names, and what they share.
#pragma once
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/task_handler.hpp"
#include "actors/tasks/worker_desk.hpp"
#include "runtime/slot.hpp"
#include "runtime/supervisor.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace matricula::actors {

struct worker_place {
  std::string name; ///< as the queue knows it: "inside-<life>-<type>-1"
  runtime::slot_ref slot;
  std::shared_ptr<worker_desk> desk;
};

struct worker_pool {
  std::shared_ptr<const queue_context> queue;
  worker_type type;
  std::shared_ptr<task_handler> handler;
  std::vector<worker_place> places;
};

/// @param workers 1 or more
[[nodiscard]] std::shared_ptr<const worker_pool> make_worker_pool(std::shared_ptr<const queue_context> queue,
                                                                  const worker_type& type,
                                                                  std::shared_ptr<task_handler> handler,
                                                                  std::uint32_t workers, caf::actor_system& system,
                                                                  const runtime::slot_limits& slots);

/// "<type>" with its workers "1", "2" and so on.
[[nodiscard]] runtime::child_spec worker_subtree(const std::shared_ptr<const worker_pool>& pool,
                                                 const runtime::supervisor_options& supervision,
                                                 std::int64_t mailbox_messages_max);

/// Nothing is leased or begun any more. Does not wait.
void begin_to_close(const queue_context& queue, const std::vector<std::shared_ptr<const worker_pool>>& pools);

/// The same, then waits: tries that run come to their end, and what was not begun is given back. To be called
/// before the actors are stopped. What still runs at the end of `at_most` is cut off. False: it runs all the same a
/// second later; its lease stays.
[[nodiscard]] bool close_workers(const queue_context& queue,
                                 const std::vector<std::shared_ptr<const worker_pool>>& pools,
                                 std::chrono::milliseconds at_most);

} // namespace matricula::actors
