#include "actors/cast.hpp"

#include "actors/alerts/alerts_actor.hpp"
#include "actors/identifiers/checker_actor.hpp"
#include "actors/identifiers/expirer_actor.hpp"
#include "actors/identifiers/pool_actor.hpp"
#include "actors/identifiers/populator_actor.hpp"
#include "actors/tasks/queue_actor.hpp"
#include "runtime/message_types.hpp"

#include <fmt/format.h>

#include <utility>

namespace matricula::actors {

void declare_messages(caf::actor_system_config& config) { runtime::declare_messages<caf::id_block::matricula>(config); }

void make_addresses(type_context& cx, caf::actor_system& system, const runtime::slot_limits& slots) {
  cx.level->set_limits(cx.limits(cx.type.limits));
  for (auto* slot : {&cx.pool, &cx.checker, &cx.populator, &cx.expirer}) *slot = runtime::slot_ref::make(system, slots);
  const auto workers = cx.rules().walks.share(cx.type.populator_workers);
  for (std::uint64_t i = 0; i < workers; ++i) cx.walkers.push_back(runtime::slot_ref::make(system, slots));
}

std::vector<std::shared_ptr<const type_context>> make_issuers(const type_context& one, caf::actor_system& system,
                                                              const runtime::slot_limits& slots) {
  std::vector<std::shared_ptr<type_context>> made;
  const auto addresses = std::make_shared<std::vector<issuer_address>>();
  for (const auto& part : storage::id_partitions(one.type)) {
    auto cx = std::make_shared<type_context>(one);
    cx->part = part;
    cx->level = std::make_shared<level_gauge>();
    make_addresses(*cx, system, slots);
    addresses->push_back({part, cx->pool});
    made.push_back(std::move(cx));
  }
  if (made.size() > 1)
    for (auto& cx : made) cx->issuers = addresses;
  return {made.begin(), made.end()};
}

runtime::child_spec identifiers_subtree(const std::vector<std::shared_ptr<const type_context>>& types,
                                        const cast_options& options) {
  std::vector<runtime::child_spec> subtrees;
  std::vector<runtime::child_spec> issuers; // of the type at hand
  for (const auto& cx : types) {
    std::vector<runtime::child_spec> children;
    const auto add = [&](runtime::child_spec child, const runtime::slot_ref& slot) {
      child.slot = slot;
      child.mailbox_messages_max = options.mailbox_messages_max;
      children.push_back(std::move(child));
    };
    add(runtime::child_of<pool_actor>("pool", "pool", cx), cx->pool);
    for (std::size_t i = 0; i < cx->walkers.size(); ++i)
      add(runtime::child_of<walker_actor>(fmt::format("walker{}", i + 1), "walker", cx), cx->walkers[i]);
    add(runtime::child_of<populator_actor>("populator", "populator", cx), cx->populator);
    add(runtime::child_of<checker_actor>("checker", "checker", cx), cx->checker);
    add(runtime::child_of<expirer_actor>("expirer", "expirer", cx), cx->expirer);
    if (cx->type.issuers == 1) {
      subtrees.push_back(runtime::subtree(cx->type.name, options.supervision, std::move(children)));
      continue;
    }
    issuers.push_back(runtime::subtree(fmt::format("{}", cx->part.issuer), options.supervision, std::move(children)));
    if (issuers.size() == cx->type.issuers)
      subtrees.push_back(runtime::subtree(cx->type.name, options.supervision, std::exchange(issuers, {})));
  }
  return runtime::subtree("identifiers", options.supervision, std::move(subtrees));
}

runtime::child_spec tasks_subtree(std::shared_ptr<const queue_context> queue, const cast_options& options,
                                  const std::vector<std::shared_ptr<const worker_pool>>& pools) {
  const auto slot = queue->queue;
  auto child = runtime::child_of<queue_actor>("queue", "queue", std::move(queue));
  child.slot = slot;
  child.mailbox_messages_max = options.mailbox_messages_max;
  std::vector<runtime::child_spec> children{std::move(child)};
  for (const auto& pool : pools)
    children.push_back(worker_subtree(pool, options.supervision, options.mailbox_messages_max));
  return runtime::subtree("tasks", options.supervision, std::move(children));
}

runtime::child_spec alerts_child(std::shared_ptr<const alerts_context> alerts, const cast_options& options) {
  const auto slot = alerts->alerts_slot;
  auto child = runtime::child_of<alerts_actor>("alerts", "alerts", std::move(alerts));
  child.slot = slot;
  child.mailbox_messages_max = options.mailbox_messages_max;
  return child;
}

} // namespace matricula::actors
