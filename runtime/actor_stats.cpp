#include "runtime/actor_stats.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace matricula::runtime {

namespace {
constexpr int first_octave = 10; // 2^10 ns, about a microsecond: everything shorter shares bucket 0
}

std::string_view to_string(actor_state state) noexcept {
  switch (state) {
  case actor_state::starting:
    return "starting";
  case actor_state::running:
    return "running";
  case actor_state::backing_off:
    return "backing_off";
  case actor_state::stopped:
    return "stopped";
  }
  return "stopped";
}

std::size_t handler_times::bucket_of(nanoseconds taken) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(taken.count(), 0));
  if (ns < (1ULL << first_octave)) return 0;
  const auto octave = static_cast<int>(std::bit_width(ns)) - 1;
  const auto quarter = (ns >> (octave - 2)) & 3;
  return std::min<std::size_t>(1 + static_cast<std::size_t>(octave - first_octave) * 4 + quarter, buckets - 1);
}

nanoseconds handler_times::upper_bound(std::size_t bucket) noexcept {
  if (bucket == 0) return nanoseconds{1LL << first_octave};
  const auto octave = first_octave + static_cast<int>((bucket - 1) / 4);
  const auto quarter = static_cast<std::int64_t>((bucket - 1) % 4);
  return nanoseconds{(5 + quarter) << (octave - 2)};
}

void handler_times::record(nanoseconds taken) noexcept {
  counts_[bucket_of(taken)].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  total_ns_.fetch_add(taken.count(), std::memory_order_relaxed);
}

nanoseconds handler_times::quantile(double q) const noexcept {
  std::array<std::uint64_t, buckets> seen{};
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < buckets; ++i) all += seen[i] = in_bucket(i);
  if (all == 0) return nanoseconds{0};
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(all))));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    below += seen[i];
    if (below >= wanted) return upper_bound(i);
  }
  return upper_bound(buckets - 1);
}

void actor_stats::entered() noexcept {
  const auto now = depth.fetch_add(1, std::memory_order_relaxed) + 1;
  auto high = high_water.load(std::memory_order_relaxed);
  while (now > high && !high_water.compare_exchange_weak(high, now, std::memory_order_relaxed)) {
  }
}

void actor_stats::remember(const recent_message& message) noexcept {
  const std::lock_guard guard{mutex_};
  ring_[ring_next_++ % recent_max] = message;
}

std::vector<recent_message> actor_stats::recent() const {
  const std::lock_guard guard{mutex_};
  const auto count = std::min<std::uint64_t>(ring_next_, recent_max);
  std::vector<recent_message> out;
  out.reserve(count);
  for (auto i = ring_next_ - count; i < ring_next_; ++i) out.push_back(ring_[i % recent_max]);
  return out;
}

void actor_stats::note_reason(std::string reason) {
  const std::lock_guard guard{mutex_};
  last_reason_ = std::move(reason);
}

std::string actor_stats::last_reason() const {
  const std::lock_guard guard{mutex_};
  return last_reason_;
}

} // namespace matricula::runtime
