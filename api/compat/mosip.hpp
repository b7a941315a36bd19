/// MOSIP's id generator and PRID generator: their routes, envelope and codes, for clients that were written for them.
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

struct mosip_sources {
  id_desk* ids = nullptr;         ///< required; lives longer than the routes. Its types `uin`, `vid` and `prid` serve
  std::function<timestamp()> now; ///< required; thread safe; the time that decisions use
  node_health health;             ///< required
  std::function<bool()> clock_suspect;  ///< required; whether nothing that expires can be issued at present
  std::function<std::string()> metrics; ///< required; what GET /metrics answers
};

/// /v1/idgenerator/uin, /v1/idgenerator/vid, /v1/idgenerator/actuator/health, /v1/idgenerator/metrics and
/// /v1/pridgenerator/prid.
[[nodiscard]] std::vector<route> mosip_routes(mosip_sources sources);

} // namespace matricula::api::compat
