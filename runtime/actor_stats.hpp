/// What one actor path reports about itself: counters that its threads write and any thread reads.
/// The block belongs to the path and outlives every incarnation; nothing in it is message content.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::runtime {

using std::chrono::nanoseconds;

enum class actor_state : std::uint8_t { starting, running, backing_off, stopped };
[[nodiscard]] std::string_view to_string(actor_state state) noexcept;

/// Handler times in fixed buckets, four to each doubling from 1 us to about 2 minutes: a quantile is read at most 25 %
/// too high. One writer at a time, any number of readers.
class handler_times {
public:
  static constexpr std::size_t buckets = 109;

  void record(nanoseconds taken) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] nanoseconds total() const noexcept { return nanoseconds{total_ns_.load(std::memory_order_relaxed)}; }
  /// The upper bound of the bucket that holds quantile `q` in (0, 1]; zero when nothing was recorded.
  [[nodiscard]] nanoseconds quantile(double q) const noexcept;
  [[nodiscard]] std::uint64_t in_bucket(std::size_t bucket) const noexcept {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  /// The longest time that bucket `bucket` holds; the last one also holds everything longer.
  [[nodiscard]] static nanoseconds upper_bound(std::size_t bucket) noexcept;
  [[nodiscard]] static std::size_t bucket_of(nanoseconds taken) noexcept;

private:
  std::array<std::atomic<std::uint64_t>, buckets> counts_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::int64_t> total_ns_{0};
};

/// One handled message, without what was in it.
struct recent_message {
  std::string_view type;    ///< lives as long as the process
  std::size_t size_bytes{}; ///< an estimate
  nanoseconds began{};      ///< of the runtime's monotonic clock
  nanoseconds taken{};
};

/// Times are those of the runtime's monotonic clock.
class actor_stats {
public:
  static constexpr std::size_t recent_max = 64;

  std::atomic<std::int64_t> depth{0}; ///< user messages that wait, in the mailbox or in the slot
  std::atomic<std::int64_t> high_water{0};
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::uint64_t> rejected{0};   ///< refused at a bound, or while nobody could take them
  std::atomic<std::uint64_t> poisonous{0};  ///< refused because their type keeps crashing the actor
  std::atomic<std::uint64_t> unexpected{0}; ///< no handler for them
  std::atomic<std::uint64_t> dropped{0};    ///< died with an incarnation (its messages to itself) or a final stop
  std::atomic<std::uint64_t> crashes{0};
  std::atomic<std::uint64_t> restarts{0}; ///< after failures; an operator's restarts do not count
  std::atomic<std::uint64_t> generation{0};
  std::atomic<std::int64_t> busy_since_ns{0};         ///< 0 when idle
  std::atomic<const std::string*> busy_with{nullptr}; ///< type of the message being handled
  std::atomic<bool> stuck{false};                     ///< set and cleared by the watchdog
  std::atomic<actor_state> state{actor_state::stopped};
  std::atomic<std::int64_t> started_ns{0};
  std::atomic<std::int64_t> next_retry_ns{0}; ///< 0 unless backing off
  handler_times times;

  void entered() noexcept;
  void left(std::int64_t messages = 1) noexcept { depth.fetch_sub(messages, std::memory_order_relaxed); }
  void remember(const recent_message& message) noexcept;
  /// Oldest first.
  [[nodiscard]] std::vector<recent_message> recent() const;
  void note_reason(std::string reason);
  /// Why the last incarnation ended; empty when none has.
  [[nodiscard]] std::string last_reason() const;

private:
  mutable std::mutex mutex_;
  std::string last_reason_;
  std::array<recent_message, recent_max> ring_{};
  std::uint64_t ring_next_ = 0;
};

} // namespace matricula::runtime
