/// Loads identifiers that were issued elsewhere: POST /v1/ids/{type}/import. GET tells what they would be loaded into.
#pragma once
#include "actors/identifiers/door.hpp"
#include "api/audit.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace matricula::api {

/// Lines that an answer explains; it only counts further ones.
inline constexpr std::size_t import_errors_max = 1'000;

struct import_sources {
  actors::id_door* door = nullptr; ///< required; lives longer than the routes
  decision_clock* time = nullptr;  ///< likewise
  audit_hook audit;
  std::string timeline; ///< of the store
};

[[nodiscard]] std::vector<route> import_routes(import_sources sources);

} // namespace matricula::api
