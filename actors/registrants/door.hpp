/// The one door through which the rest of the program talks about registrants. No CAF shows here. Reads look at durable
/// rows; changes go to the queue of tasks, their writer, and wait for its answer.
#pragma once
#include "actors/caller.hpp"
#include "actors/registrants/new_registrant.hpp"
#include "actors/tasks/queue_context.hpp"
#include "runtime/reply.hpp"
#include "storage/registrants.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace matricula::actors {

class registrant_door {
public:
  /// The context's commit log and clocks must live longer.
  registrant_door(std::shared_ptr<const queue_context> queue, std::shared_ptr<runtime::reply_gate> gate)
      : queue_(std::move(queue)), gate_(std::move(gate)) {}

  [[nodiscard]] storage::registrant_partition part() const noexcept { return storage::registrants_of(queue_->part); }
  /// Durable rows, for queries.
  [[nodiscard]] result<std::shared_ptr<const storage::view>> rows() const {
    return queue_->log->read(queue_->part.shard);
  }

  /// An idempotency key of a single registrant.
  struct key {
    std::string ref;         ///< 16 bytes, or empty
    std::string fingerprint; ///< 32 bytes with a reference
  };
  /// These block the calling thread until the answer or the deadline. After the deadline the outcome is unknown.
  /// @param wanted 1 to created_registrants_max
  [[nodiscard]] result<std::vector<created_registrant>> create(std::vector<new_registrant> wanted, const key& once,
                                                               const caller& who);
  [[nodiscard]] result<registrants::registrant> request_id(std::uint64_t id, const caller& who);
  /// @param unique_id what the call got; empty: nothing
  [[nodiscard]] result<registrants::generator_call> resolve(std::uint64_t call, const std::string& unique_id,
                                                            const std::string& note, const caller& who);

private:
  template <class T, class Message>
  [[nodiscard]] result<T> ask(Message message, const caller& who);
  std::shared_ptr<const queue_context> queue_;
  std::shared_ptr<runtime::reply_gate> gate_;
};

} // namespace matricula::actors
