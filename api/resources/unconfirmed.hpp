/// Identifiers that were issued and never confirmed: the list, and taking them back.
#pragma once
#include "actors/identifiers/door.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <vector>

namespace matricula::api {

struct unconfirmed_sources {
  actors::id_door* door = nullptr; ///< lives longer than the routes
  decision_clock* time = nullptr;  ///< likewise
};

[[nodiscard]] std::vector<route> unconfirmed_routes(unconfirmed_sources sources);

} // namespace matricula::api
