/// Times as MOSIP's clients write them.
#pragma once
#include "foundation/clock.hpp"

#include <optional>
#include <string_view>

namespace matricula::api::compat {

/// Reads `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`, UTC, to the letter. 24:00:00.000 is the next midnight. Nothing for all else,
/// days that do not exist (February 30) included. Years 1 to 9999.
[[nodiscard]] std::optional<timestamp> parse_mosip_time(std::string_view text) noexcept;

} // namespace matricula::api::compat
