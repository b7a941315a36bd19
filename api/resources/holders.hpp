/// VIDs by policy: everything below /v1/holders and /v1/vids.
#pragma once
#include "actors/identifiers/vid_door.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <vector>

namespace matricula::api {

struct holder_sources {
  actors::vid_door* door =
      nullptr;                    ///< null: the type that policies draw from is disabled; lives longer than the routes
  decision_clock* time = nullptr; ///< required; lives longer
};

[[nodiscard]] std::vector<route> holder_routes(const holder_sources& sources);

} // namespace matricula::api
