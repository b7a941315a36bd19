#include "domain/tasks/retry_policy.hpp"

#include <algorithm>

namespace matricula::tasks {

milliseconds backoff(const retry_policy& policy, std::uint32_t failures, random_source& random) {
  auto most = std::min(policy.backoff_first, policy.backoff_max);
  for (std::uint32_t i = 1; i < failures && most < policy.backoff_max; ++i)
    most = std::min(most * 2, policy.backoff_max);
  return milliseconds{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}

milliseconds pause_for_not_yet(const retry_policy& policy, random_source& random) {
  const auto spread = static_cast<std::uint64_t>(policy.not_yet.count()) + 1;
  return policy.not_yet / 2 + milliseconds{static_cast<std::int64_t>(random.below(spread))};
}

} // namespace matricula::tasks
