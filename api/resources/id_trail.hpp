/// Who got, confirmed, returned, revoked which identifier when: GET /v1/audit/identifiers. And the ends of all chains,
/// for whoever keeps them elsewhere: GET /v1/audit/heads.
#pragma once
#include "actors/identifiers/door.hpp"
#include "api/route.hpp"
#include "storage/notebook.hpp"

#include <vector>

namespace matricula::api {

/// Both must live longer than the routes.
[[nodiscard]] std::vector<route> id_trail_routes(const actors::id_door& door, const storage::notebook& audit_log);

} // namespace matricula::api
