/// The states that an identifier passes through, and what may happen to it in each.
#pragma once
#include "foundation/error.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace matricula::identifiers {

/// uin: AVAILABLE, ISSUED, ASSIGNED, and back. vid: AVAILABLE, ASSIGNED, EXPIRED, and after its cool-off AVAILABLE or
/// RETIRED. pool: AVAILABLE, TAKEN.
enum class lifecycle : std::uint8_t { uin, vid, pool };

/// The values are stored; never change one.
enum class id_state : std::uint8_t {
  available = 0,
  issued = 1,
  assigned = 2,
  expired = 3,
  retired = 4,
  taken = 5,
  granted = 6, ///< given to another issuer of the type, which has its record now
};

enum class id_event : std::uint8_t {
  issue,     ///< handed to somebody
  confirm,   ///< uin: the receiver says that it is in use
  give_back, ///< uin: the receiver does not want it
  revoke,    ///< vid: ended by request
  expire,    ///< vid: ended by its time
  release,   ///< vid: the cool-off is over and the number may be used again
  retire,    ///< vid: the cool-off is over and the number is never used again
  reclaim,   ///< uin: taken back because the receiver never confirmed it
};

enum class reuse_policy : std::uint8_t { random, never };

[[nodiscard]] std::string_view to_string(lifecycle l) noexcept; ///< "uin", "vid", "pool"
[[nodiscard]] std::string_view to_string(id_state s) noexcept;  ///< "AVAILABLE", ...
[[nodiscard]] std::string_view to_string(id_event e) noexcept;  ///< "issue", ...
[[nodiscard]] std::optional<lifecycle> parse_lifecycle(std::string_view text) noexcept;

/// Where `event` leads from `from`, or nothing when the lifecycle has no such step.
[[nodiscard]] std::optional<id_state> next_state(lifecycle l, id_state from, id_event event) noexcept;

/// Whether `state` is what `event` leads to: asking again for what is already so is no error.
[[nodiscard]] bool already_done(lifecycle l, id_state state, id_event event) noexcept;

} // namespace matricula::identifiers
