#include "commands/task_handlers.hpp"

#include "actors/registrants/local_id_handlers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace matricula::commands {

using actors::task_handler;

namespace {

/// What handlers are made of.
struct parts {
  std::shared_ptr<const actors::queue_context> queue;
  std::shared_ptr<actors::id_door> pools;
};

struct row {
  std::string_view worker_type;
  std::shared_ptr<task_handler> (*make)(const parts&);
};

template <class Handler>
std::shared_ptr<task_handler> of_registrants(const parts& from) {
  return std::make_shared<Handler>(from.queue, from.pools);
}

/// A worker type inside of the node is one line here.
constexpr std::array handlers{
    row{registrants::request_worker, of_registrants<actors::local_request_handler>},
    row{registrants::update_worker, of_registrants<actors::local_update_handler>},
};

} // namespace

result<std::vector<std::shared_ptr<const actors::worker_pool>>>
make_worker_pools(const config::task_settings& s, const std::shared_ptr<const actors::queue_context>& queue,
                  const std::shared_ptr<actors::id_door>& pools, caf::actor_system& system,
                  const runtime::slot_limits& slots) {
  std::vector<std::shared_ptr<const actors::worker_pool>> made;
  for (const auto& [name, type] : s.types) {
    if (!type.enabled || type.workers == 0) continue;
    const auto* const found = std::ranges::find(handlers, std::string_view(name), &row::worker_type);
    if (found == handlers.end())
      return fail(errc::invalid_argument,
                  fmt::format("tasks.types.{}.workers is {}, and the node has no worker of this type inside. Set it to "
                              "0 and let workers ask over HTTP: POST /v1/queues/{}/lease.",
                              name, type.workers, name));
    made.push_back(
        actors::make_worker_pool(queue, *queue->find(name), found->make({queue, pools}), type.workers, system, slots));
  }
  return made;
}

} // namespace matricula::commands
