/// The request target (RFC 3986 path and query), taken apart strictly: what is not clearly one thing is refused.
#pragma once
#include "api/route.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

/// Replaces %XX. Refuses a cut or non-hexadecimal escape, control characters and what is not UTF-8 afterwards.
/// @param plus_is_space as in query strings.
[[nodiscard]] outcome<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

/// The path's segments, still encoded; views into `path`. Refuses a path without leading '/', empty segments (so also a
/// trailing slash), "." and "..", and more than 32 segments. "/" has none.
[[nodiscard]] outcome<std::vector<std::string_view>> path_segments(std::string_view path);

/// `a=1&b=2`. Refuses what percent_decode refuses, an empty name, a name given twice and more than 32 parameters.
[[nodiscard]] outcome<name_values> parse_query(std::string_view query);

} // namespace matricula::api
