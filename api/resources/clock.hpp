/// The clock that decisions use: GET /v1/clock, POST /v1/clock/trust.
#pragma once
#include "api/audit.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <vector>

namespace matricula::api {

struct clock_sources {
  decision_clock* decisions = nullptr; ///< must outlive the routes
  audit_hook audit;
};

[[nodiscard]] std::vector<route> clock_routes(clock_sources sources);

} // namespace matricula::api
