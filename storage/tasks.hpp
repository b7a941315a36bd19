/// The rows of tasks. A task's row changes when it is queued and when a try ends; that a try runs is its lease's row
/// alone, so that beginning one costs two small rows. Index rows say where a task stands:
///   ready    type, rank, number       may be begun; the lowest rank first
///   waiting  type, due, number        its time has not come
///   running  type, number             its lease
///   ended    state, time, number      to list them, and to purge them
///   unique   type, hash of the key    its number, for ever
///   queue    type                     its counters
/// where a type is that of a queue (`tasks::queue_of`); the unique keys of a worker type are those of all its queues
///   next                              the next task's number and the next lease's token
#pragma once
#include "domain/tasks/index_window.hpp"
#include "domain/tasks/queue_counts.hpp"
#include "domain/tasks/task.hpp"
#include "storage/batch.hpp"
#include "storage/inspect.hpp"
#include "storage/verify.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage {

/// One writer's tasks of all types.
struct task_partition {
  shard_id shard;

  [[nodiscard]] std::string task_key(std::uint64_t id) const;
  [[nodiscard]] std::string ready_key(std::string_view type, std::uint64_t rank, std::uint64_t id) const;
  [[nodiscard]] std::string waiting_key(std::string_view type, timestamp due, std::uint64_t id) const;
  [[nodiscard]] std::string running_key(std::string_view type, std::uint64_t id) const;
  [[nodiscard]] std::string ended_key(tasks::task_state state, timestamp at, std::uint64_t id) const;
  [[nodiscard]] std::string unique_key(std::string_view type, std::string_view key) const;
  [[nodiscard]] std::string queue_key(std::string_view type) const;
  [[nodiscard]] std::string next_key() const;
};
/// Where all tasks are.
[[nodiscard]] task_partition tasks_of_node();

/// Tasks that may be begun are, those of a better priority before those that became due up to `ageing` later for each
/// step of priority between them: nobody waits for ever. The order of `ready`.
[[nodiscard]] std::uint64_t rank_of(const tasks::task& t, milliseconds ageing) noexcept;

struct task_numbers {
  std::uint64_t next_id = 1, next_token = 1;
  bool operator==(const task_numbers&) const = default;
};
/// Beyond everything that a node can have given out until `now`, though it was restored before: 2^20 a second since
/// 2025. For 250 years that stays below 2^53, up to which every JSON reader keeps whole numbers exact.
[[nodiscard]] task_numbers numbers_beyond(timestamp now) noexcept;

/// Reads a row: the store's, or the store's as a writer sees it.
using row_reader = std::function<result<std::optional<std::string>>(column where, std::string_view key)>;
[[nodiscard]] row_reader reader_of(const view& v);

/// As stored: a running one is PENDING here, see `find_task`. Errors: corrupt, io.
[[nodiscard]] result<std::optional<tasks::task>> find_task_row(const row_reader& rows, const task_partition& part,
                                                               std::uint64_t id);
/// A task with its running try, if it has one. Errors: corrupt, io.
struct found_task {
  tasks::task task;
  std::optional<tasks::lease> held;
};
[[nodiscard]] result<std::optional<found_task>> find_task(const view& v, const task_partition& part, std::uint64_t id);
[[nodiscard]] result<tasks::queue_counts> find_queue(const view& v, const task_partition& part, std::string_view type);
/// The types that have, or had, tasks. Errors: corrupt, io.
[[nodiscard]] result<std::vector<std::string>> find_queues(const view& v, const task_partition& part);
[[nodiscard]] result<task_numbers> find_numbers(const view& v, const task_partition& part);
void put_numbers(batch& into, const task_partition& part, const task_numbers& n);

using place_in_index = tasks::index_place;
/// At most `limit` rows of `ready` from `from` on, in order. Errors: corrupt, io.
[[nodiscard]] result<std::vector<place_in_index>>
find_ready(const view& v, const task_partition& part, std::string_view type, place_in_index from, std::size_t limit);
[[nodiscard]] result<std::vector<place_in_index>>
find_waiting(const view& v, const task_partition& part, std::string_view type, place_in_index from, std::size_t limit);
/// Ended in `state`, from the latest to the earliest, before `before`.
[[nodiscard]] result<std::vector<place_in_index>> find_ended(const view& v, const task_partition& part,
                                                             tasks::task_state state,
                                                             std::optional<place_in_index> before, std::size_t limit);
/// The same from the earliest on.
[[nodiscard]] result<std::vector<place_in_index>> find_ended_first(const view& v, const task_partition& part,
                                                                   tasks::task_state state, place_in_index from,
                                                                   std::size_t limit);
/// Numbers of running tasks with their leases; all of them: they are bounded.
[[nodiscard]] result<std::vector<std::pair<std::uint64_t, tasks::lease>>>
find_running(const view& v, const task_partition& part, std::string_view type);

/// Index rows against tasks, counters against rows.
class tasks_verifier final : public verifier {
public:
  [[nodiscard]] std::string_view name() const noexcept override { return "tasks"; }
  void check(const view& rows, verify_report& report) const override;
};

/// For tools; payloads are given by their length.
void add_task_decoders(row_decoders& to);

} // namespace matricula::storage
