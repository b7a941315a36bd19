/// Pages of tasks for people, by state and worker type, from the indexes.
#pragma once
#include "storage/tasks.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace matricula::storage {

struct task_query {
  std::optional<tasks::task_state> state;
  std::string worker_type;        ///< or a queue of it; empty: all
  std::vector<std::string> types; ///< the queues of all
};

struct task_page {
  std::vector<found_task> items;
  std::optional<std::string> next; ///< the cursor of the next page; a page may be short and have one
};

/// PENDING: those that are ready, in the order in which they will be begun, then those that wait, by their time, type
/// after type. RUNNING: by type and number. Ended: the latest first. Of all states: by number, the newest first.
/// Looks at a bounded number of rows and gives a bounded number of bytes.
/// @param cursor empty, or `next` of a page of the same query
/// Errors: invalid_argument (cursor), corrupt, io.
[[nodiscard]] result<task_page> list_tasks(const view& v, const task_partition& part, const task_query& what,
                                           std::string_view cursor, std::size_t limit);

} // namespace matricula::storage
