/// Keeps callers within their quotas: a bucket of tokens for each thing that is limited and each caller. Bounded: when
/// too many callers have used theirs up, newcomers share one set of buckets until one of the others has recovered, so
/// that nobody gets full buckets by having others pushed out.
#pragma once
#include "api/quota_limits.hpp"
#include "api/route.hpp"
#include "foundation/metrics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace matricula::api {

/// Thread safe.
class quotas {
public:
  /// @param callers_max at least 16; about 300 bytes each. The metrics must live longer.
  quotas(const quota_limits& limits, std::size_t callers_max, metrics& numbers);
  ~quotas();
  quotas(const quotas&) = delete;
  quotas& operator=(const quotas&) = delete;

  void set_limits(const quota_limits& limits);

  struct caller {
    const principal& who;
    std::string_view address; ///< who it is where nobody was asked for credentials; empty where somebody was
  };
  /// Takes one request from the caller's bucket, holds one identifier when it may issue some, and looks whether a miss
  /// would be one too many.
  /// @param issues whether it may issue identifiers @param guesses whether it may be a miss
  /// Errors: quota_exceeded, with the time until it is worth another try; noted in the log once a minute for a caller.
  /// Then nothing is taken or held.
  [[nodiscard]] result<void> admit(const caller& by, bool issues, bool guesses, std::chrono::nanoseconds now);
  /// Holds `count` identifiers in place of `held`. More than is left is a debt: the next one waits until it is paid.
  /// Errors: quota_exceeded, when nothing is left. Then none is held any more.
  [[nodiscard]] result<void> hold(const caller& by, std::uint32_t held, std::uint32_t count,
                                  std::chrono::nanoseconds now);
  /// Of those `held` so many were issued: gives the others back, or takes what was not held.
  void settle(const caller& by, std::uint32_t held, std::uint32_t issued, std::chrono::nanoseconds now);
  void charge_miss(const caller& by, std::chrono::nanoseconds now);

  /// Callers that are remembered now.
  [[nodiscard]] std::size_t remembered() const;

private:
  struct inside;
  std::unique_ptr<inside> in_;
};

} // namespace matricula::api
