#include "commands/task_handlers.hpp"

#include "actors/registrants/local_id_handlers.hpp"
#include "commands/webhook_handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace matricula::commands {

using actors::task_handler;

namespace {

using made_handler = result<std::shared_ptr<task_handler>>;

using made_lanes = remote_generators::by_name;

struct row {
  std::string_view worker_type;
  made_handler (*make)(const handler_parts&, const config::worker_type_settings&);
  made_lanes (*make_lanes)(const handler_parts&) = nullptr; ///< of a type with lanes
};

made_handler requests(const handler_parts& from, const config::worker_type_settings&) {
  return from.generators.request_handler(from.queue,
                                         std::make_shared<actors::local_request_handler>(from.queue, from.pools));
}

made_handler updates(const handler_parts& from, const config::worker_type_settings&) {
  return from.generators.update_handler(from.queue,
                                        std::make_shared<actors::local_update_handler>(from.queue, from.pools));
}

made_lanes request_lanes(const handler_parts& from) { return from.generators.request_handlers(from.queue); }
made_lanes update_lanes(const handler_parts& from) { return from.generators.update_handlers(from.queue); }

made_handler webhooks(const handler_parts& from, const config::worker_type_settings& type) {
  return webhook_handler::make(from.settings, type.workers, from.time);
}

/// A worker type inside of the node is one line here.
constexpr std::array handlers{
    row{registrants::request_worker, requests, request_lanes},
    row{registrants::update_worker, updates, update_lanes},
    row{webhook_handler::worker_type, webhooks},
};

} // namespace

result<std::vector<std::shared_ptr<const actors::worker_pool>>>
make_worker_pools(const handler_parts& from, caf::actor_system& system, const runtime::slot_limits& slots) {
  std::vector<std::shared_ptr<const actors::worker_pool>> made;
  for (const auto& [name, type] : from.settings.tasks.types) {
    if (!type.enabled || type.workers == 0) continue;
    const auto* const found = std::ranges::find(handlers, std::string_view(name), &row::worker_type);
    if (found == handlers.end())
      return fail(errc::invalid_argument,
                  fmt::format("tasks.types.{}.workers is {}, and the node has no worker of this type inside. Set it to "
                              "0 and let workers ask over HTTP: POST /v1/queues/{}/lease.",
                              name, type.workers, name));
    auto handler = found->make(from, type);
    if (!handler) return std::unexpected(handler.error());
    made.push_back(actors::make_worker_pool(from.queue, *from.queue->find(name), std::move(*handler), type.workers,
                                            system, slots));
    if (found->make_lanes == nullptr) continue;
    for (auto& [lane, in_lane] : found->make_lanes(from))
      made.push_back(actors::make_worker_pool(from.queue, *from.queue->find(tasks::queue_name(name, lane)),
                                              std::move(in_lane), 1, system, slots));
  }
  return made;
}

} // namespace matricula::commands
