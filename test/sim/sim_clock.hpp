/// The time of a simulated node: it moves when the simulation says so.
#pragma once
#include "foundation/clock.hpp"

namespace matricula::sim {

class sim_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override { return start + passed_ + jumped_; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return passed_; }

  /// What the wall clock would say if nobody had ever set it.
  [[nodiscard]] timestamp never_set() const { return start + std::chrono::floor<milliseconds>(passed_); }

  void advance(milliseconds by) noexcept { passed_ += by; }
  /// The wall clock is set, forward or back, while the monotonic one knows nothing of it.
  void jump(milliseconds by) noexcept { jumped_ += by; }

private:
  static constexpr timestamp start{milliseconds{1'800'000'000'000}};
  milliseconds passed_{1'000};
  milliseconds jumped_{0};
};

/// A clock that is wrong: ahead of another one, or with a monotonic time that jumps along with the wall clock.
class wrong_clock final : public clock {
public:
  wrong_clock(const clock& source, milliseconds ahead, bool monotonic_jumps)
      : source_(source), ahead_(ahead), monotonic_jumps_(monotonic_jumps) {}
  [[nodiscard]] timestamp wall() const override { return source_.wall() + ahead_; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override {
    return monotonic_jumps_ ? source_.wall().time_since_epoch() : source_.monotonic();
  }

private:
  const clock& source_;
  milliseconds ahead_;
  bool monotonic_jumps_;
};

} // namespace matricula::sim
