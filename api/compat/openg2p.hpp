/// OpenG2P's id-generator: its routes, envelope and codes, for clients that were written for it.
/// docs/compatibility.md says what is the same and what was mended.
#pragma once
#include "api/compat/id_desk.hpp"
#include "api/compat/node_health.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <functional>
#include <string>
#include <vector>

namespace matricula::api::compat {

struct openg2p_sources {
  /// Required; lives longer than the routes. Its types of lifecycle pool that are written in digits are OpenG2P's
  /// types.
  id_desk* ids = nullptr;
  std::function<timestamp()> now; ///< required; thread safe
  node_health health;             ///< required
  std::string version;            ///< of the program
};

/// /v1/idgenerator/{id_type}/id, .../validate/{id}, health, version and config under /v1/idgenerator, and their
/// description at /openapi.json.
[[nodiscard]] std::vector<route> openg2p_routes(openg2p_sources sources);

} // namespace matricula::api::compat
