/// The header Retry-After (RFC 9110, 10.2.3).
#pragma once
#include "foundation/clock.hpp"

#include <optional>
#include <string_view>

namespace matricula::connectors {

/// How long to wait, as a number of seconds or a date says it: at least nothing, at most `longest`. Nothing for a value
/// that is neither.
[[nodiscard]] std::optional<milliseconds> parse_retry_after(std::string_view value, timestamp now,
                                                            milliseconds longest);

} // namespace matricula::connectors
