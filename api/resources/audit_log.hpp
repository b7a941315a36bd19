/// What operators did: GET /v1/audit, the newest first.
#pragma once
#include "api/route.hpp"
#include "storage/notebook.hpp"

#include <vector>

namespace matricula::api {

/// The notebook must live longer than the routes.
[[nodiscard]] std::vector<route> audit_routes(const storage::notebook& audit_log);

} // namespace matricula::api
