/// Who plays: the supervision tree of a node, below the HTTP server and above the store.
#pragma once
#include "actors/alerts/alerts_context.hpp"
#include "actors/identifiers/type_context.hpp"
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/worker_pool.hpp"
#include "runtime/supervisor.hpp"

#include <caf/fwd.hpp>

#include <memory>
#include <vector>

namespace matricula::actors {

struct cast_options {
  runtime::supervisor_options supervision; ///< for every supervisor but the root
  runtime::slot_limits slots;
  std::int64_t mailbox_messages_max = runtime::mailbox_messages_max_default;
};

/// Gives every actor of the type its address. Call it once per context, before the tree is built.
void make_addresses(type_context& cx, caf::actor_system& system, const runtime::slot_limits& slots);

/// The contexts of all issuers of a type, with their addresses; they know each other.
/// @param one of any issuer, without addresses
[[nodiscard]] std::vector<std::shared_ptr<const type_context>>
make_issuers(const type_context& one, caf::actor_system& system, const runtime::slot_limits& slots);

/// "identifiers" with one subtree per type: pool, checker, populator, walkers, expirer. A type with several issuers has
/// one such subtree for each, by its number. The issuers of a type stand side by side.
[[nodiscard]] runtime::child_spec identifiers_subtree(const std::vector<std::shared_ptr<const type_context>>& types,
                                                      const cast_options& options);

/// "tasks" with the queue and, for each pool, its workers: "tasks/<worker type>/1". @param queue has its address
[[nodiscard]] runtime::child_spec tasks_subtree(std::shared_ptr<const queue_context> queue, const cast_options& options,
                                                const std::vector<std::shared_ptr<const worker_pool>>& pools = {});

/// "alerts". @param alerts has its address
[[nodiscard]] runtime::child_spec alerts_child(std::shared_ptr<const alerts_context> alerts,
                                               const cast_options& options);

/// Makes every message type known to `config` and to the runtime.
void declare_messages(caf::actor_system_config& config);

} // namespace matricula::actors
