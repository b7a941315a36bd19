#include "commands/remote_generators.hpp"

#include "actors/registrants/chosen_id_handler.hpp"
#include "actors/tasks/call_line.hpp"
#include "commands/outside_systems.hpp"

#include <utility>

namespace matricula::commands {

namespace {
/// What the workers of both lanes of a generator have in hand, and a little for others.
constexpr std::size_t waiting_per_place = 4;
} // namespace

result<std::unique_ptr<remote_generators>>
remote_generators::make(const config::settings& s, const clock& time,
                        const std::shared_ptr<const std::atomic<bool>>& closing) {
  auto out = std::make_unique<remote_generators>();
  for (const auto& [name, of] : s.generators) {
    auto made = make_generator(s, name, time);
    if (!made) return std::unexpected(made.error());
    out->all_.emplace(
        name, one{.from = {.name = name, .generator = std::move(*made)},
                  .line = std::make_shared<actors::call_line>(of.calls_max, waiting_per_place * of.calls_max, closing),
                  .threads = std::make_shared<runtime::blocking_threads>(of.calls_max)});
  }
  return out;
}

registrants::id_generator* remote_generators::find(std::string_view name) const {
  const auto found = all_.find(name);
  return found == all_.end() ? nullptr : found->second.from.generator.get();
}

void remote_generators::stop() const noexcept {
  for (const auto& [name, of] : all_) of.from.generator->stop();
}

template <class Handler>
remote_generators::by_name remote_generators::in_line(const std::shared_ptr<const actors::queue_context>& queue) const {
  by_name made;
  for (const auto& [name, of] : all_) {
    // A permit may become durable when these are gone: the log ends last. Then nobody is called.
    const actors::blocking_work work = [threads = std::weak_ptr(of.threads)](std::function<void()> f) {
      if (const auto there = threads.lock()) there->post(std::move(f));
    };
    made.emplace(name, std::make_shared<actors::handler_in_line>(std::make_shared<Handler>(queue, of.from, work),
                                                                 of.line, work));
  }
  return made;
}

remote_generators::by_name
remote_generators::request_handlers(const std::shared_ptr<const actors::queue_context>& queue) const {
  return in_line<actors::remote_request_handler>(queue);
}

remote_generators::by_name
remote_generators::update_handlers(const std::shared_ptr<const actors::queue_context>& queue) const {
  return in_line<actors::remote_update_handler>(queue);
}

std::shared_ptr<actors::task_handler>
remote_generators::request_handler(const std::shared_ptr<const actors::queue_context>& queue,
                                   std::shared_ptr<actors::task_handler> local) const {
  if (all_.empty()) return local; // it knows what it must not do, and looks at each registrant once
  return std::make_shared<actors::chosen_id_handler>(queue, std::move(local), request_handlers(queue));
}

std::shared_ptr<actors::task_handler>
remote_generators::update_handler(const std::shared_ptr<const actors::queue_context>& queue,
                                  std::shared_ptr<actors::task_handler> local) const {
  if (all_.empty()) return local;
  return std::make_shared<actors::chosen_id_handler>(queue, std::move(local), update_handlers(queue));
}

} // namespace matricula::commands
