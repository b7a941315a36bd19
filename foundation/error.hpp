/// Errors as values: one code, one sentence that says what to do next.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace matricula {

/// Every way in which Matricula refuses. The name is the stable `code` of a problem+json answer.
enum class errc : std::uint8_t {
  invalid_argument,     ///< the input breaks a documented rule
  not_found,            ///< nothing of that name
  conflict,             ///< the state does not allow it
  stale_assignment,     ///< an older assignment number was named
  assignment_ended,     ///< what the idempotency key created is no longer its caller's
  exhausted,            ///< the identifier space is used up, for good
  refilling,            ///< nothing available yet; a refill is on its way
  overloaded,           ///< a bound was reached; try again
  deadline_exceeded,    ///< the deadline passed before any effect
  storage_full,         ///< too little disk space to write
  outcome_unknown,      ///< the write failed midway; the same idempotency key is safe
  fenced,               ///< a later tenure owns this partition
  corrupt,              ///< stored bytes are not what was written
  io,                   ///< the operating system refused
  unauthenticated,      ///< no or bad credentials
  forbidden,            ///< the credentials lack a scope
  payload_too_large,    ///< a body, header or list over its limit
  unsupported,          ///< method, media type or version not served
  idempotency_mismatch, ///< the key was used for another request
  idempotency_running,  ///< the first request with this key is still running
  unavailable,          ///< the actor is down or refuses a poisonous message type
  internal,             ///< a broken promise of our own code
  quota_exceeded,       ///< the caller has asked more often than it may
  lease_lost,           ///< a worker's lease of a task ran out, or the task was cancelled
};

/// The stable, snake_case name of `code`.
[[nodiscard]] std::string_view to_string(errc code) noexcept;

struct error {
  errc code = errc::internal;
  std::string message;                                  ///< a sentence for a person: what happened, what to do
  std::optional<std::chrono::milliseconds> retry_after; ///< when trying again makes sense
};

template <class T>
using result = std::expected<T, error>;

[[nodiscard]] inline std::unexpected<error> fail(errc code, std::string message) {
  return std::unexpected(error{code, std::move(message), std::nullopt});
}
[[nodiscard]] inline std::unexpected<error> fail(errc code, std::string message,
                                                 std::chrono::milliseconds retry_after) {
  return std::unexpected(error{code, std::move(message), retry_after});
}

/// Ends the process with a message when `condition` is false, in every build: the state can no longer be trusted.
void require(bool condition, std::string_view what) noexcept;

} // namespace matricula
