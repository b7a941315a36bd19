/// The key set in force: read at start, read again at an interval, and at once when a token names a key that is not in
/// it. The last good set stays when a reading fails.
#pragma once
#include "api/jwks.hpp"
#include "api/jwks_fetch.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace matricula::api {

struct jwks_source_options {
  jwks_location from;
  std::chrono::milliseconds every{300'000};
  std::chrono::milliseconds fetch_at_most{5000};    ///< one attempt
  std::chrono::milliseconds at_least_between{1000}; ///< attempts that unknown keys cause
  std::chrono::milliseconds wait_at_most{3000};     ///< of a request for a key that is unknown yet
  unsigned waiters_max = 48;                        ///< requests that wait at once
  unsigned early_waiters_max = 8;                   ///< of them, while no attempt may begin yet
};

class jwks_source {
public:
  /// Reads nothing yet.
  explicit jwks_source(jwks_source_options options);
  /// Stops.
  ~jwks_source();
  jwks_source(const jwks_source&) = delete;
  jwks_source& operator=(const jwks_source&) = delete;

  /// Reads the set once, then goes on in a thread of its own. Returns how that first attempt went; it goes on either
  /// way.
  result<void> start();
  /// Ends the thread; whoever waits is let go. The last set stays.
  void stop();

  /// A set and its number: another set has another number, in the whole process.
  struct numbered_set {
    std::shared_ptr<const key_set> keys; ///< null: none could be had yet
    std::uint64_t number = 0;
  };
  [[nodiscard]] numbered_set current() const;
  /// The number alone, without a lock.
  [[nodiscard]] std::uint64_t number() const noexcept;

  /// Reads the set again because a key was not in the set `known`. Waits for it, but no longer than `wait_at_most`, and
  /// shares one attempt with everybody who waits.
  /// Success: the present set was read after the call began, or is another one than `known`. Errors: unavailable (it
  /// could not be had), overloaded (too many wait; try again).
  [[nodiscard]] result<void> read_again(std::uint64_t known);
  /// Has the set read soon, without waiting.
  void ask();
  /// Reads the set now, in the calling thread. Errors: as of the file or of the issuer; the set of before stays.
  result<void> read_now();

  struct state {
    std::chrono::milliseconds age{0}; ///< since the set was last read well, changed or not
    bool has_set = false;
    std::size_t keys = 0;
    std::uint64_t failures = 0; ///< attempts that failed, ever
  };
  [[nodiscard]] state now() const;

private:
  struct inside;
  std::unique_ptr<inside> in_;
};

} // namespace matricula::api
