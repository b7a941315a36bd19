/// The header Retry-After (RFC 9110, 10.2.3).
#pragma once
#include "foundation/clock.hpp"

#include <optional>
#include <string_view>

namespace matricula::connectors {

/// How long to wait, as a number of seconds or a date says it: at most `longest`. Nothing for a value that is neither,
/// and for one under a second: it asks for no wait (a date may have passed by a clock that is a little behind), and who
/// asks has a pause of his own.
[[nodiscard]] std::optional<milliseconds> parse_retry_after(std::string_view value, timestamp now,
                                                            milliseconds longest);

} // namespace matricula::connectors
