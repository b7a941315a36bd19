/// How often a caller may ask.
#pragma once
#include "foundation/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

/// 0 = no limit.
struct quota_limits {
  std::uint32_t requests_per_s = 0;
  std::uint32_t requests_burst = 0; ///< requests at once after a pause; 0 = those of a second
  std::uint32_t issued_per_min = 0; ///< identifiers
  std::uint32_t misses_per_min = 0; ///< look-ups of what does not exist: guessing shows as these
  bool operator==(const quota_limits&) const = default;
};

/// What one caller may do differently from everybody.
struct own_quota {
  std::optional<std::uint32_t> requests_per_s, requests_burst, issued_per_min, misses_per_min;
  bool operator==(const own_quota&) const = default;
};
[[nodiscard]] quota_limits limits_for(const own_quota& own, const quota_limits& of_all) noexcept;

/// "issued_per_min=100,misses_per_min=6000" with the names of quota_limits, each once. Errors: invalid_argument, with
/// what is allowed.
[[nodiscard]] result<own_quota> parse_own_quota(std::string_view text);
/// The text that parses to it; empty when it says nothing.
[[nodiscard]] std::string to_string(const own_quota& own);

} // namespace matricula::api
