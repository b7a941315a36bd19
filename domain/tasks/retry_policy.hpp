/// When a task is tried again: capped exponential back-off with full jitter.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/random.hpp"

#include <cstdint>

namespace matricula::tasks {

struct retry_policy {
  std::uint32_t tries_max = 5;       ///< 1 to 1,000: FAILED after so many real tries
  milliseconds backoff_first{1'000}; ///< the mean delay after the first failure is half of it; doubles with each
  milliseconds backoff_max{300'000}; ///< the cap
  milliseconds not_yet{1'000};       ///< the first delay when what it needs is not there; doubles with each in a row
};

/// Uniform in [0, min(cap, first * 2^(failures - 1))]: "full jitter", M. Brooker, "Exponential Backoff And Jitter",
/// AWS Architecture Blog, 2015. @param failures in a row, from 1
[[nodiscard]] milliseconds backoff(const retry_policy& policy, std::uint32_t failures, random_source& random);
/// How much longer than the first delay of what is not there a later one becomes. So tasks that wait for hours ask
/// seldom, and none waits much longer than what it needs.
inline constexpr int not_yet_growth_max = 16;
/// min(backoff_max, not_yet * 2^(in_a_row - 1)), at most not_yet_growth_max times not_yet and never below it; spread
/// over half of that and one and a half times it, so that tasks that all wait for the same do not all ask at once.
/// @param in_a_row tries that found nothing to work with, from 1
[[nodiscard]] milliseconds pause_for_not_yet(const retry_policy& policy, random_source& random,
                                             std::uint32_t in_a_row = 1);

} // namespace matricula::tasks
