/// What is asked of the task queue and what it gives, without its messages.
#pragma once
#include "domain/tasks/task.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace matricula::actors {

/// A task that somebody wants done.
struct new_task {
  std::string worker_type;
  std::string payload;    ///< a JSON object
  std::string unique_key; ///< at most 128 bytes; empty: none
  std::uint8_t priority = tasks::task::priority_usual;
  std::int64_t due_at_ms = 0;  ///< milliseconds since 1970; 0: at once
  std::uint32_t tries_max = 0; ///< 0: as the worker type has it
};

struct queued_task {
  std::uint64_t id = 0;
  bool existed = false; ///< a task with its unique key was there before
};

struct leased_task {
  tasks::task task; ///< RUNNING
  tasks::lease lease;
};

/// At once, in one write.
inline constexpr std::size_t enqueued_tasks_max = 500;

} // namespace matricula::actors
