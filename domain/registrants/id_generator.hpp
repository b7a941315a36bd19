/// Where unique IDs come from when it is not our own pool: the generator of another system. What a call did is said
/// exactly: who asks again after `unknown` may consume a second identifier.
#pragma once
#include "foundation/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::registrants {

enum class call_outcome : std::uint8_t {
  done = 1,
  none_available, ///< its pool is empty for now, or it cannot be reached: ask again later, this was no failed try
  refused,        ///< asking again cannot help
  failed,         ///< it surely had no effect; asking again may help
  unknown,        ///< it may have had its effect: no answer, or one that cannot be read
};
[[nodiscard]] std::string_view to_string(call_outcome o) noexcept;

struct generator_answer {
  call_outcome outcome = call_outcome::unknown;
  std::string id;                        ///< issue, done: the identifier
  std::string error;                     ///< otherwise: what went wrong, for a person; at most 500 bytes, no secrets
  std::optional<milliseconds> try_again; ///< what the other system asked for
};

/// Thread safe. Calls block, at most for the time that the settings give them.
class id_generator {
public:
  virtual ~id_generator() = default;

  /// One new identifier. @param request names who it is for, 1 to 64 bytes: a generator that knows requests again (our
  /// own does; MOSIP's and OpenG2P's do not) gives the same identifier to the same request.
  [[nodiscard]] virtual generator_answer issue(std::string_view request) = 0;
  /// Says that the identifier is in use now. `done` also when it was before.
  [[nodiscard]] virtual generator_answer confirm(std::string_view id) = 0;
  /// Whether `issue` with the same request can be repeated without consuming another identifier.
  [[nodiscard]] virtual bool knows_requests() const noexcept = 0;
  /// Ends calls soon, the present and all later ones, from any thread.
  virtual void stop() noexcept {}
};

} // namespace matricula::registrants
