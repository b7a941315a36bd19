/// What /metrics shows of tasks and registrants.
#pragma once
#include "actors/registrants/door.hpp"
#include "actors/tasks/door.hpp"
#include "foundation/clock.hpp"
#include "foundation/metrics.hpp"

namespace matricula::commands {

/// Sets the metrics of every worker type that has, or had, tasks to what they are now.
void publish_tasks(metrics& numbers, const actors::task_door& door, timestamp now);

/// The same of registrants and of calls of generators.
void publish_registrants(metrics& numbers, const actors::registrant_door& door);

} // namespace matricula::commands
