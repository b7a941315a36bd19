/// The envelope that every answer of MOSIP's id generator comes in, and the errors that it knows.
#pragma once
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace matricula::api::compat::mosip {

/// One entry of `errors`.
struct fault {
  std::string_view code;
  std::string_view message;
};

inline constexpr fault uin_not_found{"KER-UIG-001", "UIN could not be found"};
inline constexpr fault uin_status_unknown{"KER-UIG-003", "Given UIN status not found"};
inline constexpr fault uin_not_issued{"KER-UIG-004", "Given UIN is not in ISSUED status"};
inline constexpr fault uin_failed{"KER-UIG-005", "Internal Server Error"};
// MOSIP sends these two with the code before the message, and clients see it; -002 to -004 it sends plain.
inline constexpr fault vid_not_available{"KER-VID-001", "KER-VID-001 --> VID not available for allocation"};
inline constexpr fault vid_expiry_empty{"KER-VID-002", "Vid expiry date is empty"};
inline constexpr fault vid_expiry_past{"KER-VID-003", "Vid expiry date is before current utc time"};
inline constexpr fault vid_expiry_malformed{
    "KER-VID-004", "Vid expiry date pattern is invalid, should be in yyyy-MM-dd'T'HH:mm:ss.SSS'Z' pattern"};
inline constexpr fault vid_failed{"KER-VID-005", "KER-VID-005 --> Internal Server Error"};
inline constexpr fault vid_not_found{"KER-VID-007", "VID could not be found"};
inline constexpr fault vid_not_assigned{"KER-VID-008", "Given VID is not in ASSIGNED status"};
inline constexpr fault prid_not_available{"KER-PRID-001", "PRID not available for allocation"};
inline constexpr fault prid_failed{"KER-PRID-005", "Internal Server Error"};
inline constexpr fault not_authenticated{"KER-ATH-401", "Authentication Failed"};
inline constexpr fault not_allowed{"KER-ATH-403", "Forbidden"};

/// What an answer repeats of its request; null where the request had none.
struct echo {
  std::optional<std::string> id;
  std::optional<std::string> version;
};

/// `{id, version, responsetime, metadata, response, errors}` in this order, nulls included.
/// @param inner JSON text of `response`.
[[nodiscard]] std::string success(timestamp now, const echo& of, std::string_view inner);
/// The same with `response` null and one error. @param message in place of the fault's own, unless empty.
[[nodiscard]] std::string failure(timestamp now, const echo& of, const fault& why, std::string_view message = "");

/// Words a refusal in the envelope. `all_else` is the code of whatever has none of its own; its message is the
/// refusal's sentence, or the fault's own when the fault is ours. What HTTP itself refuses keeps its status (401, 403,
/// 405, 408, 413, 415, and 503 for too many requests or credentials that cannot be checked at present); everything else
/// is 200, as MOSIP has it.
void refuse(const refusal& why, const fault& all_else, timestamp now, response& answer);

} // namespace matricula::api::compat::mosip
