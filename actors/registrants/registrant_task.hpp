/// The registrant that a leased task is about, or why there is none.
#pragma once
#include "actors/tasks/queue_context.hpp"
#include "actors/tasks/task_handler.hpp"
#include "domain/registrants/registrant.hpp"

#include <expected>

namespace matricula::actors {

/// As it is durable. Otherwise how the try ends: permanent without payload or registrant, transient when the row cannot
/// be read.
[[nodiscard]] std::expected<registrants::registrant, task_end> registrant_of_task(const queue_context& queue,
                                                                                  const tasks::task& t);

/// How a try ends whose registrant gets its ID from a generator that this node does not have.
[[nodiscard]] task_end no_generator(const registrants::registrant& r);

} // namespace matricula::actors
