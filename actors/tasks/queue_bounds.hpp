/// How much the queue writes at once, how much room that takes at most, and when it tries again what found none.
#pragma once
#include "actors/tasks/new_task.hpp"
#include "domain/tasks/task.hpp"

#include <chrono>
#include <cstddef>
#include <vector>

namespace matricula::actors {

inline constexpr std::size_t lease_bytes = 256; ///< of the rows that one lease changes
inline constexpr std::size_t moves_a_write = 200;
/// Bytes of index rows, keys and counters that a task's change may take.
inline constexpr std::size_t rows_of_a_task = 512;
inline constexpr std::size_t rows_of_a_registrant = 1'024;
inline constexpr std::chrono::milliseconds again_soon{20}; ///< what found no room, or cannot be seen yet

/// At most, of what a change writes that adds nothing but a try without an error to the history.
[[nodiscard]] std::size_t bytes_of_row(const tasks::task& t);
/// What the end of a try adds to that: a result, or an error in the history and as the last one.
[[nodiscard]] std::size_t bytes_of_outcome(const tasks::outcome& how);
/// What tasks that somebody queues may change of the registrants that they are for.
[[nodiscard]] std::size_t bytes_of_registrants(const std::vector<new_task>& wanted);

} // namespace matricula::actors
