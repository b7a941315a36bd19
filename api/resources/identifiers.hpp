/// Identifiers: POST /v1/ids/{type} and everything below /v1/ids.
#pragma once
#include "actors/identifiers/door.hpp"
#include "api/audit.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace matricula::api {

struct identifier_sources {
  actors::id_door* door = nullptr;                ///< required; lives longer than the routes
  const clock* time = nullptr;                    ///< likewise
  std::function<std::uint32_t()> batch_count_max; ///< identifiers of one request, at most; may change while running
  audit_hook audit;
};

[[nodiscard]] std::vector<route> identifier_routes(identifier_sources sources);

} // namespace matricula::api
