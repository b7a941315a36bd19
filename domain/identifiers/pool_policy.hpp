/// When a pool is refilled and with how much. Pure: the same levels give the same answer.
#pragma once
#include <cstdint>
#include <optional>

namespace matricula::identifiers {

struct pool_limits {
  std::uint64_t refill_below = 0; ///< available identifiers under which a refill is ordered
  std::uint64_t fill_to = 0;      ///< available identifiers that a refill aims for
};

struct pool_level {
  std::uint64_t fresh = 0;    ///< in memory, ready to hand out
  std::uint64_t released = 0; ///< issued before, available again
  std::uint64_t held_to = 0;  ///< counters below this are in memory or used
  std::uint64_t end = 0;      ///< counters there are
  std::uint64_t wanted = 0;   ///< identifiers that the last refused request lacked
};

struct refill_order {
  std::uint64_t from = 0;  ///< first counter to walk: the pool takes a proposal only from where it stands
  std::uint64_t count = 0; ///< valid identifiers to find
};

/// What to order now, if anything. Nothing when everything was walked.
[[nodiscard]] constexpr std::optional<refill_order> next_refill(const pool_level& now,
                                                                const pool_limits& limits) noexcept {
  if (now.held_to >= now.end) return std::nullopt;
  const auto floor = limits.refill_below > now.wanted ? limits.refill_below : now.wanted;
  if (now.fresh >= floor) return std::nullopt;
  const auto target = limits.fill_to > floor ? limits.fill_to : floor;
  return refill_order{now.held_to, target - now.fresh};
}

} // namespace matricula::identifiers
