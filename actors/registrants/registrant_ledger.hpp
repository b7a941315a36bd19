/// What the only writer of the tasks writes about registrants: each change comes into the batch of the task that brings
/// it about, so that no registrant waits without a task, no ID is without its registrant, and no call of a generator is
/// forgotten. Used by queue_actor alone.
#pragma once
#include "actors/registrants/messages.hpp"
#include "actors/tasks/new_task.hpp"
#include "storage/registrants.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace matricula::actors {

class registrant_ledger {
public:
  /// @param rows durable ones. @param reader rows as this writer's own writes will leave them. Errors: corrupt, io.
  [[nodiscard]] static result<registrant_ledger> resume(const storage::view& rows, storage::registrant_partition part,
                                                        storage::row_reader reader);

  /// Room that these take in a write, at most, beside their tasks.
  [[nodiscard]] static std::size_t bytes_of(const create_registrants& wanted);
  /// The same of what any other change of a task brings with it.
  static constexpr std::size_t bytes_of_a_change = 4'096;

  /// Queues a task in the same batch.
  using queue_task = std::function<queued_task(const new_task&)>;
  /// Those that are there already are named; the others come with their tasks. Errors: idempotency_mismatch, corrupt,
  /// io; then nothing has changed.
  [[nodiscard]] result<std::vector<created_registrant>> create(const create_registrants& wanted, timestamp now,
                                                               storage::batch& into, const queue_task& queue);

  /// How a try really ends, and what changes with it.
  struct verdict_of_end {
    tasks::outcome how;
    std::string alarm; ///< for operators; empty: none
    std::optional<registrants::registrant> of;
    bool assigns = false;
  };
  /// @pre the task concerns registrants. Errors: invalid_argument: it cannot end like this, and its lease holds.
  [[nodiscard]] result<verdict_of_end> judge(const tasks::task& t, const tasks::outcome& how,
                                             const registrant_effect& effect);
  /// Writes what follows from the end of the try. @param t as it is after it. @param queue for the task that follows
  void ended(verdict_of_end& judged, const registrant_effect& effect, const tasks::task& t, timestamp now,
             storage::batch& into, const queue_task& queue);
  /// Somebody queued, cancelled or retried a task outside of a try's end. @param broken_off it was running
  void changed(const tasks::task& t, bool broken_off, timestamp now, storage::batch& into);

  [[nodiscard]] result<std::optional<registrants::registrant>> find(std::uint64_t id) const;

  /// Errors: not_found, corrupt, io.
  [[nodiscard]] result<call_permit> begin_call(const tasks::task& t, const std::string& generator, timestamp now,
                                               storage::batch& into);
  /// False: nobody asks for it any more. Errors: corrupt, io.
  [[nodiscard]] result<bool> answered(const note_generator_answer& what, timestamp now, storage::batch& into);
  /// Errors: not_found, conflict, corrupt, io.
  [[nodiscard]] result<registrants::generator_call> resolve(const resolve_generator_call& what, timestamp now,
                                                            storage::batch& into);

  [[nodiscard]] const storage::registrant_numbers& numbers() const noexcept { return numbers_; }

private:
  registrant_ledger(storage::registrant_partition part, storage::row_reader reader, storage::registrant_numbers numbers)
      : part_(part), rows_(std::move(reader)), numbers_(numbers) {}
  [[nodiscard]] result<std::optional<registrants::generator_call>> call_of(std::uint64_t registrant) const;
  /// The live call of its registrant is none any more, and on the list.
  void doubt(const registrants::generator_call& c, std::string why, timestamp now, storage::batch& into);
  /// Puts a call on the list of those in doubt.
  void list(registrants::generator_call c, std::string why, timestamp now, storage::batch& into);
  void forget(const registrants::generator_call& c, storage::batch& into) const;
  /// What becomes of the registrant's call when a try has ended.
  void settle_call(const verdict_of_end& judged, const registrant_effect& effect, const tasks::task& t, timestamp now,
                   storage::batch& into);
  /// Takes a call off the list; its own row is the caller's to write.
  void no_doubt(const registrants::generator_call& c, storage::batch& into);
  /// One in doubt is so no longer: it said what it got.
  void came_late(registrants::generator_call& c, timestamp now, storage::batch& into);
  /// A call whose identifier is known is used by the next try, if its registrant still needs one.
  void adopt(registrants::generator_call& c, timestamp now, storage::batch& into);

  storage::registrant_partition part_;
  storage::row_reader rows_;
  storage::registrant_numbers numbers_;
};

} // namespace matricula::actors
