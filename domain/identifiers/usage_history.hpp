/// How fast a type is used up: samples of a growing number, close together for the last hour and further apart for the
/// last day, and what follows from them. Pure: times and numbers come from outside.
#pragma once
#include "domain/identifiers/capacity.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

class usage_history {
public:
  static constexpr std::chrono::minutes fine_step{1};
  static constexpr std::chrono::minutes coarse_step{30};
  static constexpr std::size_t fine_max = 61;   ///< an hour and one
  static constexpr std::size_t coarse_max = 49; ///< a day and one

  struct sample {
    timestamp at;
    std::int64_t consumed = 0;
    bool operator==(const sample&) const = default;
  };

  /// Notes that so many were used up by `now`. More often than fine_step, or back in time, it changes nothing.
  void note(timestamp now, std::int64_t consumed);

  /// Used up per second over the last `window`, or over as much of it as is known; negative when more came back.
  /// Nothing when less than fine_step is known. @pre window is an hour to a day
  [[nodiscard]] std::optional<double> per_second(milliseconds window, timestamp now, std::int64_t consumed) const;

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static result<usage_history> decode(std::string_view bytes);
  bool operator==(const usage_history&) const = default;

private:
  std::vector<sample> fine_;   ///< oldest first
  std::vector<sample> coarse_; ///< oldest first
};

/// What is left of a type, and until when.
struct capacity_forecast {
  double remaining = 0;                     ///< valid identifiers that nobody has or had
  double used_share = 0;                    ///< of the capacity, 0 to 1
  std::optional<double> days_to_exhaustion; ///< at the rate given; nothing when nothing is being used up
  std::optional<timestamp> exhausted_at;    ///< nothing beyond the year 9999 too
  std::optional<std::uint32_t> warning;     ///< the highest threshold that is reached, per cent
};

/// @param thresholds per cent of the capacity
[[nodiscard]] capacity_forecast forecast(const capacity_estimate& capacity, std::uint64_t used,
                                         std::optional<double> per_second, timestamp now,
                                         std::span<const std::uint32_t> thresholds);

} // namespace matricula::identifiers
