/// A route that answers the same bytes to everyone, behind the same middleware as all: what benchmarks compare with.
#pragma once
#include "api/route.hpp"

namespace matricula::api {

/// POST /bench/constant, with the scope of issuing identifiers. Only benchmarks add it.
[[nodiscard]] route constant_route();

} // namespace matricula::api
