/// The workers inside of the node: which types have one, and what it does.
#pragma once
#include "actors/identifiers/door.hpp"
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/worker_pool.hpp"
#include "commands/remote_generators.hpp"
#include "config/settings.hpp"
#include "runtime/slot.hpp"

#include <caf/fwd.hpp>

#include <memory>
#include <vector>

namespace matricula::commands {

/// What handlers are made of.
struct handler_parts {
  const config::settings& settings;
  std::shared_ptr<const actors::queue_context> queue;
  std::shared_ptr<actors::id_door> pools;
  const remote_generators& generators; ///< lives longer than the handlers
  const clock& time;                   ///< likewise
};

/// The pools of all types that are to have workers here.
/// Errors: invalid_argument: such a type has no handler; and as make_webhook.
[[nodiscard]] result<std::vector<std::shared_ptr<const actors::worker_pool>>>
make_worker_pools(const handler_parts& from, caf::actor_system& system, const runtime::slot_limits& slots);

} // namespace matricula::commands
