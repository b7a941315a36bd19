/// The two workers of registrants where unique IDs come from the generator of another system. One that knows requests
/// again is simply asked again. With any other, a call is written down before it is made, and its answer before it is
/// used; a call of which nobody knows how it ended is listed as in doubt, and the task goes on without it.
#pragma once
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/task_handler.hpp"
#include "domain/registrants/id_generator.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace matricula::actors {

/// Registrants for whom a call is under way in this process. A lease that is over, or a task that was cancelled, does
/// not end the call itself: another one beside it would consume a second identifier. Thread safe.
class calls_under_way {
public:
  /// False: there is one.
  [[nodiscard]] bool begin(std::uint64_t registrant) {
    const std::lock_guard guard(mutex_);
    return who_.insert(registrant).second;
  }
  void end(std::uint64_t registrant) {
    const std::lock_guard guard(mutex_);
    who_.erase(registrant);
  }

private:
  std::mutex mutex_;
  std::set<std::uint64_t> who_;
};

struct remote_generator {
  std::string name; ///< as the settings have it
  std::shared_ptr<registrants::id_generator> generator;
  /// Of all handlers that ask it: there is one value of this for each generator, and they have copies.
  std::shared_ptr<calls_under_way> under_way = std::make_shared<calls_under_way>();
};

class remote_request_handler final : public task_handler {
public:
  remote_request_handler(std::shared_ptr<const queue_context> queue, remote_generator from, blocking_work work)
      : queue_(std::move(queue)), from_(std::move(from)), work_(std::move(work)) {}
  void run(const leased_task& what, done_callback done) override;
  void stop() override { from_.generator->stop(); }

private:
  std::shared_ptr<const queue_context> queue_;
  remote_generator from_;
  blocking_work work_;
};

class remote_update_handler final : public task_handler {
public:
  remote_update_handler(std::shared_ptr<const queue_context> queue, remote_generator from, blocking_work work)
      : queue_(std::move(queue)), from_(std::move(from)), work_(std::move(work)) {}
  void run(const leased_task& what, done_callback done) override;
  void stop() override { from_.generator->stop(); }

private:
  std::shared_ptr<const queue_context> queue_;
  remote_generator from_;
  blocking_work work_;
};

} // namespace matricula::actors
