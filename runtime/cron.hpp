/// When something shall run: cron expressions in a time zone.
///
/// Five fields (minute, hour, day of month, month, day of week) or six (second first); lists, ranges, steps, English
/// three-letter names of months and weekdays, Sunday as 0 or 7, and @yearly, @monthly, @weekly, @daily, @hourly.
/// When both day fields are restricted (do not begin with `*`) a day matches if either does, else if both do.
/// Source: P. Vixie, crontab(5).
///
/// Where the clocks change (after cronie's rules): an expression whose minute or hour field begins with `*` follows the
/// clock as it is: it runs in both passes of a repeated hour and not in a skipped one. Any other names times of day:
/// one that is skipped runs once, at the first instant after the gap; one that is repeated runs in the first pass only.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace date {
class time_zone;
}

namespace matricula::runtime {

class cron_expression {
public:
  /// @param time_zone an IANA name such as "Africa/Casablanca"; the system's database is read (package tzdata).
  /// Errors: invalid_argument, naming the field and what it may be.
  [[nodiscard]] static result<cron_expression> parse(std::string_view text, std::string_view time_zone = "UTC");

  /// The first run strictly after `t`, on a whole second; nothing when there is none within ten years.
  [[nodiscard]] std::optional<timestamp> next_after(timestamp t) const;
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::string& time_zone() const noexcept { return zone_name_; }

private:
  using local_time = std::chrono::local_seconds;
  /// The first matching local time in [from, until).
  [[nodiscard]] std::optional<local_time> next_local(local_time from, local_time until) const;
  [[nodiscard]] std::optional<std::chrono::seconds> next_in_day(std::chrono::seconds from) const;
  [[nodiscard]] bool matches_day(std::chrono::local_days day) const;

  std::string text_;
  std::string zone_name_;
  const date::time_zone* zone_ = nullptr;
  std::uint64_t seconds_ = 0; ///< bit n: second n
  std::uint64_t minutes_ = 0;
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0; ///< of the month, bits 1 to 31
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0; ///< bit 0: Sunday
  bool any_day_ = false;       ///< the field begins with '*'
  bool any_weekday_ = false;
  bool follows_clock_ = false;
};

} // namespace matricula::runtime
