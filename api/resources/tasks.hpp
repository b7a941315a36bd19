/// Tasks and their queues: queueing, looking, retrying, and the leases of workers that run elsewhere.
#pragma once
#include "actors/tasks/door.hpp"
#include "api/audit.hpp"
#include "api/route.hpp"

#include <vector>

namespace matricula::api {

/// Scopes: tasks:write queues, tasks:read looks, tasks:act retries, cancels and pauses, tasks:work leases and reports.
/// @param door lives longer @param audit is told what operators do: retry, cancel, pause, resume
[[nodiscard]] std::vector<route> task_routes(actors::task_door& door, audit_hook audit);

} // namespace matricula::api
