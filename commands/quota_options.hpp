/// What the settings say about quotas, in the terms of those who keep them.
#pragma once
#include "api/quota_limits.hpp"
#include "config/settings.hpp"

namespace matricula::commands {

[[nodiscard]] inline api::quota_limits quota_limits_of(const config::quota_settings& s) noexcept {
  return {.requests_per_s = s.requests_per_s,
          .requests_burst = s.requests_burst,
          .issued_per_min = s.issued_per_min,
          .misses_per_min = s.misses_per_min};
}

} // namespace matricula::commands
