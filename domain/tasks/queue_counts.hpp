/// How many tasks of a worker type are in which state: changed in the batch of the tasks that they count.
#pragma once
#include "domain/tasks/task.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::tasks {

/// Of one worker type.
struct queue_counts {
  std::array<std::uint64_t, 6> in_state{}; ///< by task_state; those that were purged are not among them
  std::uint64_t queued_total = 0;          ///< ever
  std::uint64_t tries_total = 0;           ///< ended tries, ever
  std::uint64_t purged_total = 0;
  bool paused = false; ///< nothing is leased

  [[nodiscard]] std::uint64_t& of(task_state s) noexcept { return in_state[static_cast<std::size_t>(s)]; }
  [[nodiscard]] std::uint64_t of(task_state s) const noexcept { return in_state[static_cast<std::size_t>(s)]; }
  bool operator==(const queue_counts&) const = default;
};

[[nodiscard]] std::string encode(const queue_counts& c);
/// Errors: corrupt.
[[nodiscard]] result<queue_counts> decode_queue_counts(std::string_view bytes);

} // namespace matricula::tasks
