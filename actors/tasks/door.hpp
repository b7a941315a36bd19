/// The one door through which the rest of the program talks to the task queue. No CAF shows here. Reads look at durable
/// rows; changes go to the queue and wait for its answer.
#pragma once
#include "actors/caller.hpp"
#include "actors/registrants/new_registrant.hpp"
#include "actors/tasks/new_task.hpp"
#include "actors/tasks/queue_context.hpp"
#include "domain/tasks/task.hpp"
#include "runtime/reply.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace matricula::actors {

class task_door {
public:
  /// The context's commit log and clocks must live longer.
  task_door(std::shared_ptr<const queue_context> queue, std::shared_ptr<runtime::reply_gate> gate);

  [[nodiscard]] const std::vector<worker_type>& types() const noexcept;
  [[nodiscard]] const storage::task_partition& part() const noexcept;
  /// Durable rows, for queries.
  [[nodiscard]] result<std::shared_ptr<const storage::view>> rows() const;
  [[nodiscard]] std::map<std::string, queue_report> reports() const;

  /// These block the calling thread until the answer or the deadline. After the deadline the outcome is unknown.
  [[nodiscard]] result<tasks::task> cancel(std::uint64_t id, const caller& who);
  [[nodiscard]] result<tasks::task> retry(std::uint64_t id, const caller& who);
  struct failed_ones {
    std::string worker_type;  ///< empty: any
    std::string error_prefix; ///< empty: any
    std::uint32_t limit = 0;
    failed_place from; ///< `retried_tasks::next` of the call before
  };
  /// Puts those of the FAILED ones back that match, from the one that failed first.
  [[nodiscard]] result<retried_tasks> retry_failed(const failed_ones& which, const caller& who);
  [[nodiscard]] result<bool> pause(const std::string& worker_type, bool paused, const caller& who);

  /// These do not wait: `told` hears of the answer, perhaps before the call returns.
  /// All of them, at most enqueued_tasks_max, or none. @param whole whether the answer has the tasks, too
  [[nodiscard]] promised<std::vector<queued_task>> begin_enqueue(std::vector<new_task> tasks, bool whole,
                                                                 const caller& who, runtime::reply_notice told);
  struct lease_call {
    std::string worker_type;
    std::string worker;
    std::uint32_t count = 1;
    milliseconds lease{0}; ///< 0: as the worker type has it
    milliseconds wait{0};  ///< for a task, when there is none; not beyond the caller's deadline
  };
  [[nodiscard]] promised<std::vector<leased_task>> begin_lease(const lease_call& what, const caller& who,
                                                               runtime::reply_notice told);
  /// @param lease 0: as the worker type has it
  [[nodiscard]] promised<tasks::lease> begin_renew(std::uint64_t id, std::uint64_t token, milliseconds lease,
                                                   const caller& who, runtime::reply_notice told);
  struct ending {
    std::uint64_t id = 0;
    std::uint64_t token = 0;
    tasks::outcome how;
    std::vector<new_task> then; ///< come into the queue in the same write
    registrant_effect effect;   ///< of a task that concerns a registrant
  };
  [[nodiscard]] promised<tasks::task> begin_end(ending e, const caller& who, runtime::reply_notice told);
  /// Each counts or does not, whatever becomes of the others. @param tries at most finished_tries_max
  [[nodiscard]] promised<finished_tries> begin_finish(std::vector<finished_try> tries, const caller& who,
                                                      runtime::reply_notice told);

private:
  template <class T, class Message>
  [[nodiscard]] result<T> ask(Message message, const caller& who);
  template <class T, class Message>
  [[nodiscard]] promised<T> begin(Message message, const caller& who, runtime::reply_notice told);
  std::shared_ptr<const queue_context> queue_;
  std::shared_ptr<runtime::reply_gate> gate_;
};

} // namespace matricula::actors
