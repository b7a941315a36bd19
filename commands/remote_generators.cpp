#include "commands/remote_generators.hpp"

#include "actors/registrants/chosen_id_handler.hpp"
#include "actors/registrants/remote_id_handlers.hpp"
#include "actors/tasks/call_line.hpp"
#include "commands/outside_systems.hpp"

#include <utility>

namespace matricula::commands {

result<std::unique_ptr<remote_generators>>
remote_generators::make(const config::settings& s, const clock& time,
                        const std::shared_ptr<const std::atomic<bool>>& closing) {
  auto out = std::make_unique<remote_generators>();
  for (const auto& [name, of] : s.generators) {
    auto made = make_generator(s, name, time);
    if (!made) return std::unexpected(made.error());
    out->all_.emplace(name, one{.generator = std::move(*made),
                                .line = std::make_shared<actors::call_line>(of.calls_max, closing),
                                .threads = std::make_unique<runtime::blocking_threads>(of.calls_max)});
  }
  return out;
}

registrants::id_generator* remote_generators::find(std::string_view name) const {
  const auto found = all_.find(name);
  return found == all_.end() ? nullptr : found->second.generator.get();
}

void remote_generators::stop() const noexcept {
  for (const auto& [name, of] : all_) of.generator->stop();
}

template <class Handler>
std::shared_ptr<actors::task_handler>
remote_generators::choosing(const std::shared_ptr<const actors::queue_context>& queue,
                            std::shared_ptr<actors::task_handler> local) const {
  if (all_.empty()) return local; // it knows what it must not do, and looks at each registrant once
  actors::chosen_id_handler::by_generator remote;
  for (const auto& [name, of] : all_) {
    const actors::blocking_work work = [threads = of.threads.get()](std::function<void()> f) {
      threads->post(std::move(f));
    };
    remote.emplace(
        name, std::make_shared<actors::handler_in_line>(
                  std::make_shared<Handler>(queue, actors::remote_generator{name, of.generator}, work), of.line, work));
  }
  return std::make_shared<actors::chosen_id_handler>(queue, std::move(local), std::move(remote));
}

std::shared_ptr<actors::task_handler>
remote_generators::request_handler(const std::shared_ptr<const actors::queue_context>& queue,
                                   std::shared_ptr<actors::task_handler> local) const {
  return choosing<actors::remote_request_handler>(queue, std::move(local));
}

std::shared_ptr<actors::task_handler>
remote_generators::update_handler(const std::shared_ptr<const actors::queue_context>& queue,
                                  std::shared_ptr<actors::task_handler> local) const {
  return choosing<actors::remote_update_handler>(queue, std::move(local));
}

} // namespace matricula::commands
