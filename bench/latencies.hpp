/// How long requests of one kind took, from many threads.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <mutex>
#include <vector>

namespace matricula::bench {

class latencies {
public:
  void add(double ms) {
    const std::lock_guard guard(mutex_);
    all_.push_back(ms);
  }
  /// The quantile `q` in (0, 1], in milliseconds; 0 when there is none.
  [[nodiscard]] double quantile(double q) {
    const std::lock_guard guard(mutex_);
    if (all_.empty()) return 0;
    std::ranges::sort(all_);
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(all_.size())));
    return all_[std::max<std::size_t>(rank, 1) - 1];
  }

private:
  std::mutex mutex_;
  std::vector<double> all_;
};

} // namespace matricula::bench
