/// Messages per second over the last 1, 10 and 60 seconds, from a counter that only grows. No thread of its own:
/// whoever asks samples it.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>

namespace matricula::runtime {

struct message_rates {
  double over_1s = 0;
  double over_10s = 0;
  double over_60s = 0;
};

/// Not thread safe.
class rate_meter {
public:
  /// Notes that the counter stands at `total`. At most one sample in half a second is kept.
  /// @param now monotonic; an earlier time than the last one is ignored.
  void sample(std::chrono::nanoseconds now, std::uint64_t total);
  /// Over each window, or over what was sampled when that is shorter; 0 before the second sample.
  [[nodiscard]] message_rates rates(std::chrono::nanoseconds now, std::uint64_t total) const;

private:
  struct point {
    std::chrono::nanoseconds at;
    std::uint64_t total;
  };
  [[nodiscard]] double over(std::chrono::nanoseconds window, std::chrono::nanoseconds now, std::uint64_t total) const;
  std::deque<point> points_;
};

} // namespace matricula::runtime
