/// The identifier types of the simulated node: so small that they run dry, cool off and are reused within one run.
#pragma once
#include "domain/identifiers/type.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace matricula::sim {

/// A type and everything there is to know about its space.
struct sim_type {
  identifiers::id_type type;
  std::vector<std::uint64_t> valid; ///< counters of all identifiers, ascending
  bool of_holders = false;          ///< only policies issue of it: holders.hpp

  /// Identifiers of an issuer with an index below `end`.
  [[nodiscard]] std::uint64_t valid_below(std::uint64_t end, std::uint32_t issuer) const;
  [[nodiscard]] std::uint32_t issuers() const noexcept { return type.issuers; }
  [[nodiscard]] bool expires() const noexcept { return type.rules.of == identifiers::lifecycle::vid; }
};

/// How long idempotency records outlive their assignment in the simulation.
inline constexpr milliseconds sim_purge_after{4'000};

/// Made once a process: `uin` (5 digits), `vid` (3 digits, reused), `pass` (4 digits, a VID that is never reused),
/// `farmer` (4 digits, of the pool kind), `badge` (3 digits, UINs of three issuers that borrow from each other) and,
/// after all others, `alias` (4 digits, the VIDs of holders).
[[nodiscard]] const std::vector<sim_type>& sim_types();
/// Those before `alias`: of which clients ask for identifiers.
[[nodiscard]] std::size_t plain_types();

} // namespace matricula::sim
