/// Alerts: what is wrong, and was lately.
#pragma once
#include "actors/alerts/door.hpp"
#include "api/audit.hpp"
#include "api/route.hpp"

#include <vector>

namespace matricula::api {

/// The door lives longer.
[[nodiscard]] std::vector<route> alert_routes(actors::alert_door& door, audit_hook audit);

} // namespace matricula::api
