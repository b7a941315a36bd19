/// The two workers of registrants where unique IDs come from this node's own pools: nobody blocks, and a try that is
/// repeated gets the same identifier, because the registrant is the idempotency key.
#pragma once
#include "actors/identifiers/door.hpp"
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/task_handler.hpp"
#include "domain/registrants/registrant.hpp"

#include <memory>

namespace matricula::actors {

/// id_generation_request_worker: issues an identifier of the registrant's type.
class local_request_handler final : public task_handler {
public:
  local_request_handler(std::shared_ptr<const queue_context> queue, std::shared_ptr<id_door> pools)
      : queue_(std::move(queue)), pools_(std::move(pools)) {}
  void run(const leased_task& what, done_callback done) override;
  [[nodiscard]] std::uint32_t in_hand_max() const noexcept override { return 64; }

private:
  /// An identifier for a registrant.
  struct wish {
    std::shared_ptr<const queue_context> queue;
    std::shared_ptr<id_door> pools;
    const identifiers::id_type& type;
    registrants::registrant who;
    bool tried_before; ///< it may have got one that another registrant has
  };
  /// @param round from 1: the identifier of an earlier one was taken back before the registrant had it, or is another
  /// registrant's
  static void issue(const wish& of, std::uint32_t round, done_callback done);

  std::shared_ptr<const queue_context> queue_;
  std::shared_ptr<id_door> pools_;
};

/// id_generation_update_worker: says that the identifier is in use.
class local_update_handler final : public task_handler {
public:
  local_update_handler(std::shared_ptr<const queue_context> queue, std::shared_ptr<id_door> pools)
      : queue_(std::move(queue)), pools_(std::move(pools)) {}
  void run(const leased_task& what, done_callback done) override;
  [[nodiscard]] std::uint32_t in_hand_max() const noexcept override { return 64; }

private:
  std::shared_ptr<const queue_context> queue_;
  std::shared_ptr<id_door> pools_;
};

} // namespace matricula::actors
