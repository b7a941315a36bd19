/// A call of a generator that is not ours and does not know a request again: written down before it is made, so that
/// one of which nobody knows how it ended is found and reported, never silently lost with the identifier it may have
/// consumed.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::registrants {

enum class call_state : std::uint8_t {
  open = 1, ///< it may be on its way at this moment
  answered, ///< its identifier is known, and not yet its registrant's
  in_doubt, ///< nobody knows whether it consumed an identifier
  resolved, ///< somebody found out, or its answer came late
};
/// open, answered, in_doubt, resolved; anything else is unknown.
[[nodiscard]] std::string_view to_string(call_state s) noexcept;
[[nodiscard]] std::optional<call_state> parse_call_state(std::string_view word) noexcept;

struct generator_call {
  static constexpr std::size_t text_bytes_max = 500;

  std::uint64_t number = 0; ///< from 1
  std::uint64_t registrant = 0;
  std::uint64_t task = 0;
  std::string generator; ///< its name in the settings
  call_state state = call_state::open;
  timestamp began_at{};
  std::optional<timestamp> doubted_at;
  std::string reason;    ///< in doubt: why
  std::string unique_id; ///< answered: what it got. Resolved: what it had got; empty: nothing
  std::optional<timestamp> resolved_at;
  std::string resolved_by;
  std::string note; ///< of whoever resolved it

  bool operator==(const generator_call&) const = default;
};

[[nodiscard]] std::string encode(const generator_call& c);
/// Errors: corrupt.
[[nodiscard]] result<generator_call> decode_generator_call(std::string_view bytes);

} // namespace matricula::registrants
