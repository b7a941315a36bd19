/// A worker of registrants that looks first whose generator the registrant's kind had when it was created, and leaves
/// the try to the handler for that one. Tasks for the generators of other systems stand in lanes of their own; those
/// that come here all the same were queued before their registrant or its generator was there.
#pragma once
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/task_handler.hpp"

#include <map>
#include <memory>
#include <string>

namespace matricula::actors {

class chosen_id_handler final : public task_handler {
public:
  using by_generator = std::map<std::string, std::shared_ptr<task_handler>, std::less<>>;
  /// @param local for those without a generator's name
  chosen_id_handler(std::shared_ptr<const queue_context> queue, std::shared_ptr<task_handler> local,
                    by_generator remote)
      : queue_(std::move(queue)), local_(std::move(local)), remote_(std::move(remote)) {}
  void run(const leased_task& what, done_callback done) override;
  [[nodiscard]] std::uint32_t in_hand_max() const noexcept override { return local_->in_hand_max(); }
  void stop() override;

private:
  std::shared_ptr<const queue_context> queue_;
  std::shared_ptr<task_handler> local_;
  by_generator remote_;
};

} // namespace matricula::actors
