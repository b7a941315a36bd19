/// The generators of other systems that the settings name: made once, each with threads for the calls of workers inside
/// of the node. Bridges call them from threads of their own.
#pragma once
#include "actors/registrants/remote_id_handlers.hpp"
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/task_handler.hpp"
#include "config/settings.hpp"
#include "domain/registrants/id_generator.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"
#include "runtime/blocking_threads.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace matricula::actors {
class call_line;
} // namespace matricula::actors

namespace matricula::commands {

class remote_generators {
public:
  /// Calls nobody. @param time must live longer. @param closing once it is set, no call begins that waits for its turn
  /// Errors: as make_generator.
  [[nodiscard]] static result<std::unique_ptr<remote_generators>>
  make(const config::settings& s, const clock& time, const std::shared_ptr<const std::atomic<bool>>& closing);

  /// Null: there is none of that name.
  [[nodiscard]] registrants::id_generator* find(std::string_view name) const;
  /// Ends their calls soon, the present and all later ones.
  void stop() const noexcept;
  using by_name = std::map<std::string, std::shared_ptr<actors::task_handler>, std::less<>>;
  /// The two workers of registrants for each of these, by its name. They must be gone when this ends.
  [[nodiscard]] by_name request_handlers(const std::shared_ptr<const actors::queue_context>& queue) const;
  [[nodiscard]] by_name update_handlers(const std::shared_ptr<const actors::queue_context>& queue) const;
  /// The same for tasks that stand in no lane: by what the registrant's kind said, `local` or one of these.
  [[nodiscard]] std::shared_ptr<actors::task_handler>
  request_handler(const std::shared_ptr<const actors::queue_context>& queue,
                  std::shared_ptr<actors::task_handler> local) const;
  [[nodiscard]] std::shared_ptr<actors::task_handler>
  update_handler(const std::shared_ptr<const actors::queue_context>& queue,
                 std::shared_ptr<actors::task_handler> local) const;

private:
  struct one {
    actors::remote_generator from;
    std::shared_ptr<actors::call_line> line; ///< as many places as there are threads: who has his turn calls at once
    std::shared_ptr<runtime::blocking_threads> threads;
  };
  template <class Handler>
  [[nodiscard]] by_name in_line(const std::shared_ptr<const actors::queue_context>& queue) const;

  std::map<std::string, one, std::less<>> all_;
};

} // namespace matricula::commands
