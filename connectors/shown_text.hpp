/// What another system said, made fit for an error message.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace matricula::connectors {

/// One line of printable ASCII, at most `bytes_max` long: anything else becomes '?', each run of six digits or more
/// becomes "(digits)", because it may be somebody's identifier, and what is cut off is "...".
[[nodiscard]] std::string shown_text(std::string_view text, std::size_t bytes_max);

} // namespace matricula::connectors
