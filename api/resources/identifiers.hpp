/// Identifiers: POST /v1/ids/{type} and everything below /v1/ids.
#pragma once
#include "actors/identifiers/capacity_keeper.hpp"
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
  decision_clock* time = nullptr;                 ///< likewise; not the wall clock, which may have jumped
  std::function<std::uint32_t()> batch_count_max; ///< identifiers of one request, at most; may change while running
  audit_hook audit;
  const actors::capacity_keeper* capacities = nullptr; ///< required; lives longer than the routes
};

/// A capacity as the API shows it: the nearest whole number from 0 up to the largest signed one of 64 bits, which
/// stands for everything above too. Types of 32 symbols have far more identifiers than fit.
[[nodiscard]] std::int64_t whole_capacity(double capacity) noexcept;

[[nodiscard]] std::vector<route> identifier_routes(identifier_sources sources);

} // namespace matricula::api
