/// Time from outside: a wall clock for people, a monotonic one for intervals. Simulated in tests.
#pragma once
#include "foundation/error.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace matricula {

using std::chrono::milliseconds;
/// Wall time, UTC, milliseconds since 1970.
using timestamp = std::chrono::sys_time<milliseconds>;

/// Milliseconds since 1970, as rows and messages carry times.
[[nodiscard]] constexpr std::uint64_t to_unix_ms(timestamp t) noexcept {
  return static_cast<std::uint64_t>(t.time_since_epoch().count());
}
[[nodiscard]] constexpr timestamp from_unix_ms(std::uint64_t ms) noexcept {
  return timestamp{milliseconds{static_cast<std::int64_t>(ms)}};
}

class clock {
public:
  virtual ~clock() = default;
  [[nodiscard]] virtual timestamp wall() const = 0;
  /// Never steps back; its zero means nothing.
  [[nodiscard]] virtual std::chrono::nanoseconds monotonic() const = 0;
};

class system_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override;
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override;
};

/// The time that decisions use: never before the last durable one, and watchful of jumps.
/// Where the wall clock runs ahead by more than `jump_max` of what the monotonic clock says has passed, or is more than
/// `restart_jump_max` past the last durable time when the process starts, it is not believed: decisions go on from the
/// last time that was, by the monotonic clock, and the clock is suspect until the jump is gone or an operator confirms
/// it. So a wrong time never becomes durable, where it would outlive the mistake. Callers hold irreversible due work
/// while the clock is suspect. Thread safe.
class decision_clock {
public:
  static constexpr std::chrono::hours jump_max{1};
  static constexpr std::chrono::days restart_jump_max{7};

  /// @param last_durable the time of the last durable write, or the epoch for a new store.
  decision_clock(const clock& source, timestamp last_durable);

  /// The wall time as far as it is believed, but never earlier than any time returned before.
  [[nodiscard]] timestamp now();
  /// Whether the wall clock is not believed at present.
  [[nodiscard]] bool suspect();
  /// An operator says that the present wall time is right.
  void trust();
  /// What the wall clock says, believed or not.
  [[nodiscard]] timestamp wall() const { return source_.wall(); }

private:
  timestamp believed_now();

  const clock& source_;
  std::mutex mutex_;
  timestamp last_;                       ///< the latest time returned
  timestamp believed_;                   ///< a time that is believed
  std::chrono::nanoseconds believed_at_; ///< on the monotonic clock
  milliseconds allowance_;               ///< by how much the wall clock may be ahead
  bool suspect_ = false;
};

/// RFC 3339 in UTC with milliseconds: 2026-11-22T05:06:07.089Z.
[[nodiscard]] std::string to_rfc3339(timestamp t);
/// Strict: date, 'T', time, optional fraction of 1 to 9 digits (cut to milliseconds), 'Z' or an offset. No leap
/// seconds, no February 30. Years 1970 to 9999.
[[nodiscard]] result<timestamp> parse_rfc3339(std::string_view text);

} // namespace matricula
