/// A worker inside of the node: leases tasks of its type from the queue, gives them to the handler, renews their leases
/// while it is at them, and tells the queue how they ended.
#pragma once
#include "actors/messages.hpp"
#include "actors/tasks/worker_pool.hpp"
#include "runtime/supervised_actor.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace matricula::actors {

class worker_actor final : public runtime::supervised_actor {
public:
  /// @param place its own in the pool
  worker_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const worker_pool> pool,
               std::size_t place);

  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;

private:
  using nanoseconds = std::chrono::nanoseconds;

  /// Does everything that can be done now.
  void look();
  void ask(std::uint32_t count);
  void begin(const leased_task& what);
  void renew(const leased_task& what);
  void tell(const leased_task& what, const task_end& end);
  void tell_late(const leased_task& what, const task_end& end);
  void set_timer();
  template <class Message>
  void send_to_queue(Message message) const;
  [[nodiscard]] worker_desk& desk() const { return *place().desk; }
  [[nodiscard]] const worker_place& place() const { return pool_->places[number_]; }

  std::shared_ptr<const worker_pool> pool_;
  std::size_t number_;
  std::uint64_t timer_ = 0;
  std::optional<nanoseconds> timer_at_;
};

} // namespace matricula::actors
