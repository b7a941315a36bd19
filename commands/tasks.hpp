/// The task queue of a node: what the settings say of it, and what /metrics shows.
#pragma once
#include "actors/registrants/door.hpp"
#include "actors/tasks/door.hpp"
#include "actors/tasks/queue_context.hpp"
#include "config/settings.hpp"
#include "foundation/metrics.hpp"

namespace matricula::commands {

/// The enabled worker types with their lanes, retention and ageing; log, clocks and address are still to be set.
[[nodiscard]] actors::queue_context queue_context_of(const config::settings& all);

/// Sets the metrics of every worker type that has, or had, tasks to what they are now.
void publish_tasks(metrics& numbers, const actors::task_door& door, timestamp now);

/// The same of registrants and of calls of generators.
void publish_registrants(metrics& numbers, const actors::registrant_door& door);

} // namespace matricula::commands
