/// Every identifier of a format, in ascending order: the slow, certain way to say what exists.
#pragma once
#include "domain/identifiers/rules.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>

namespace matricula::identifiers {

enum class enumeration_end : std::uint8_t {
  complete,    ///< every valid identifier was visited
  stopped,     ///< the visitor had enough
  over_budget, ///< `parts_max` parts were looked at
};

/// Calls `visit` with each valid identifier until it returns false. Depth first: a part that breaks a rule is not
/// extended, so the cost follows the number of valid parts and not of raw numbers (8 digits of mosip-uin: about 0.4 s).
/// @pre the format's length is 2 to length_max.
enumeration_end enumerate(const id_format& format, const std::function<bool(std::string_view)>& visit,
                          std::uint64_t parts_max = std::numeric_limits<std::uint64_t>::max());

} // namespace matricula::identifiers
