/// What is asked of the task queue and what it gives, without its messages.
#pragma once
#include "domain/tasks/task.hpp"
#include "foundation/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace matricula::actors {

/// A task that somebody wants done.
struct new_task {
  std::string worker_type;
  std::string lane;       ///< of the worker type, where it is configured; empty: none
  std::string payload;    ///< a JSON object
  std::string unique_key; ///< at most 128 bytes; empty: none
  std::uint8_t priority = tasks::task::priority_usual;
  std::int64_t due_at_ms = 0;  ///< milliseconds since 1970; 0: at once
  std::uint32_t tries_max = 0; ///< 0: as the worker type has it
};

struct queued_task {
  std::uint64_t id = 0;
  bool existed = false; ///< a task with its unique key was there before
  /// Where whole tasks were asked for: as it is. Nothing when it was purged since.
  std::optional<tasks::task> task = std::nullopt;
  std::optional<tasks::lease> held = std::nullopt; ///< of its running try
};

struct leased_task {
  tasks::task task; ///< RUNNING
  tasks::lease lease;
};

/// A try that was successful, as its worker says.
struct finished_try {
  std::uint64_t id = 0;
  std::uint64_t token = 0;
  std::string result; ///< JSON, or empty
};
/// What became of each, in the order of the request: the task's state, or why it does not count.
using finished_tries = std::vector<result<tasks::task_state>>;

/// Where a walk over what FAILED goes on.
struct failed_place {
  std::uint64_t until_ms = 0; ///< what failed later is left alone
  std::uint64_t at = 0, id = 0;
};
struct retried_tasks {
  std::uint64_t count = 0;
  std::optional<failed_place> next; ///< nothing: all were looked at
};

/// At once, in one write.
inline constexpr std::size_t enqueued_tasks_max = 500;
/// At once, in as few writes as they fit into.
inline constexpr std::size_t finished_tries_max = 100;

} // namespace matricula::actors
