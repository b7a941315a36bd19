/// A backup of the running node: POST /v1/backups {directory}.
#pragma once
#include "api/audit.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"
#include "storage/store.hpp"

#include <vector>

namespace matricula::api {

struct backup_sources {
  const storage::store* store = nullptr; ///< required; lives longer than the routes
  decision_clock* time = nullptr;        ///< likewise
  audit_hook audit;
};

[[nodiscard]] std::vector<route> backup_routes(backup_sources sources);

} // namespace matricula::api
