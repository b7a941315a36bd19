/// The workers inside of the node: which types have one, and what it does.
#pragma once
#include "actors/identifiers/door.hpp"
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/worker_pool.hpp"
#include "config/settings.hpp"
#include "runtime/slot.hpp"

#include <caf/fwd.hpp>

#include <memory>
#include <vector>

namespace matricula::commands {

/// The pools of all types that are to have workers here.
/// Errors: invalid_argument: such a type has no handler.
[[nodiscard]] result<std::vector<std::shared_ptr<const actors::worker_pool>>>
make_worker_pools(const config::task_settings& s, const std::shared_ptr<const actors::queue_context>& queue,
                  const std::shared_ptr<actors::id_door>& pools, caf::actor_system& system,
                  const runtime::slot_limits& slots);

} // namespace matricula::commands
