/// The time of a simulated node: it moves when the simulation says so.
#pragma once
#include "foundation/clock.hpp"

namespace matricula::sim {

class sim_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override { return start + passed_ + jumped_; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return passed_; }

  void advance(milliseconds by) noexcept { passed_ += by; }
  /// The wall clock is set forward while the monotonic one knows nothing of it.
  void jump(milliseconds by) noexcept { jumped_ += by; }

private:
  static constexpr timestamp start{milliseconds{1'800'000'000'000}};
  milliseconds passed_{1'000};
  milliseconds jumped_{0};
};

/// A wall clock that is ahead of another one.
class skewed_clock final : public clock {
public:
  skewed_clock(const clock& source, milliseconds ahead) : source_(source), ahead_(ahead) {}
  [[nodiscard]] timestamp wall() const override { return source_.wall() + ahead_; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return source_.monotonic(); }

private:
  const clock& source_;
  milliseconds ahead_;
};

} // namespace matricula::sim
