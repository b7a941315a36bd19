#include "domain/tasks/retry_policy.hpp"

#include <algorithm>

namespace matricula::tasks {

milliseconds backoff(const retry_policy& policy, std::uint32_t failures, random_source& random) {
  auto most = std::min(policy.backoff_first, policy.backoff_max);
  for (std::uint32_t i = 1; i < failures && most < policy.backoff_max; ++i)
    most = std::min(most * 2, policy.backoff_max);
  return milliseconds{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}

milliseconds pause_for_not_yet(const retry_policy& policy, random_source& random, std::uint32_t in_a_row) {
  const auto most = std::max(policy.not_yet, std::min(policy.backoff_max, policy.not_yet * not_yet_growth_max));
  auto mean = policy.not_yet;
  for (std::uint32_t i = 1; i < in_a_row && mean < most; ++i) mean = std::min(mean * 2, most);
  const auto spread = static_cast<std::uint64_t>(mean.count()) + 1;
  return mean / 2 + milliseconds{static_cast<std::int64_t>(random.below(spread))};
}

} // namespace matricula::tasks
