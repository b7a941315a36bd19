/// What the actors of one identifier type share: the type, the store, the time, each other's addresses.
#pragma once
#include "domain/identifiers/type.hpp"
#include "domain/identifiers/vid_policy.hpp"
#include "foundation/clock.hpp"
#include "runtime/slot.hpp"
#include "storage/commit_log.hpp"
#include "storage/identifiers.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace matricula::actors {

/// The pool's level as it last was, for the checker and for anybody who looks. Thread safe.
class level_gauge {
public:
  void set(const identifiers::pool_level& level) {
    const std::lock_guard guard(mutex_);
    level_ = level;
  }
  [[nodiscard]] identifiers::pool_level get() const {
    const std::lock_guard guard(mutex_);
    return level_;
  }
  /// The limits may change while the node runs.
  void set_limits(const identifiers::pool_limits& limits) {
    const std::lock_guard guard(mutex_);
    limits_ = limits;
  }
  [[nodiscard]] identifiers::pool_limits limits() const {
    const std::lock_guard guard(mutex_);
    return limits_;
  }
  /// Whether the checker could do anything about `level`, which was just set: order a refill, or close its order.
  [[nodiscard]] bool concerns_checker(const identifiers::pool_level& level) const {
    return order_open_.load(std::memory_order_acquire) || identifiers::next_refill(level, limits()).has_value();
  }
  void set_order_open(bool open) noexcept { order_open_.store(open, std::memory_order_release); }
  /// True once, until the checker has taken note: at most one notice is on its way.
  [[nodiscard]] bool notice() noexcept { return !noticed_.exchange(true, std::memory_order_acq_rel); }
  void taken_note() noexcept { noticed_.store(false, std::memory_order_release); }
  /// Whether the pool has loaded and can hand something out, or never will again; or was so until a moment ago and is
  /// being restarted. @param now on the monotonic clock
  [[nodiscard]] bool ready(std::chrono::nanoseconds now) const noexcept {
    const auto since = down_since_ns_.load(std::memory_order_acquire);
    return since == serving || (since != never_served && now.count() - since < restart_patience.count());
  }
  void stop_serving(std::chrono::nanoseconds now) noexcept {
    auto before = serving;
    down_since_ns_.compare_exchange_strong(before, now.count(), std::memory_order_acq_rel);
  }
  void serve() noexcept { down_since_ns_.store(serving, std::memory_order_release); }
  /// Whatever the pool decided before this time is durable, and what it decides later it decides at this time or after:
  /// who reads this and then takes a view misses no row that is due earlier.
  [[nodiscard]] timestamp decided_durably_to() const noexcept {
    return timestamp{milliseconds{decided_durably_to_ms_.load(std::memory_order_acquire)}};
  }
  void set_decided_durably_to(timestamp t) noexcept {
    decided_durably_to_ms_.store(t.time_since_epoch().count(), std::memory_order_release);
  }

  /// Whether any identifier was, or is being, imported. Until the pool has loaded it may be so.
  [[nodiscard]] bool imports_exist() const noexcept { return imports_exist_.load(std::memory_order_acquire); }
  void set_imports_exist(bool any) noexcept { imports_exist_.store(any, std::memory_order_release); }

private:
  static constexpr std::int64_t serving = 0;
  static constexpr std::int64_t never_served = -1;
  static constexpr std::chrono::nanoseconds restart_patience = std::chrono::seconds(5);

  mutable std::mutex mutex_;
  /// Unknown until the pool has loaded: with no counters there, nothing is ordered from a place that may be wrong.
  identifiers::pool_level level_{};
  identifiers::pool_limits limits_;
  std::atomic<bool> noticed_{false};
  std::atomic<bool> order_open_{false};
  std::atomic<std::int64_t> down_since_ns_{never_served};
  std::atomic<std::int64_t> decided_durably_to_ms_{0};
  std::atomic<bool> imports_exist_{true};
};

/// Settings of the machinery, the same for every type.
struct id_cast_options {
  milliseconds refill_lease{2'000}; ///< an order without progress for so long is given again
  /// A restarted populator says so, and its order is given again at once. Off, only the lease helps: for tests of that.
  bool restarts_are_told = true;
  milliseconds dry_patience{500}; ///< how long a request waits for a refill before it is told to try again
  milliseconds purge_after{std::chrono::days{30}}; ///< an idempotency record outlives its assignment by so much
  std::uint32_t due_rows_in_flight = 32;           ///< rows that the expirer has the pool work on at once
  milliseconds expirer_lease{5'000};               ///< a run without progress for so long starts over
  milliseconds grant_again{200}; ///< asking another issuer, and what it gives, is repeated when unanswered for so long
};

/// Where the other issuers of a type are found: their rows, and who writes them.
struct issuer_address {
  storage::id_partition part;
  runtime::slot_ref pool;
};

/// Of one issuer of a type; a type has one for each.
struct type_context {
  identifiers::id_type type; ///< the whole of it: `rules` are those of this issuer
  storage::id_partition part;
  storage::commit_log* log = nullptr;
  decision_clock* time = nullptr;
  const clock* monotonic = nullptr;
  std::function<std::unique_ptr<random_source>()> make_random;
  id_cast_options options;
  /// What is ISSUED and was not confirmed for so long is taken back by the expirer; 0 = never.
  milliseconds unconfirmed_lease{0};
  identifiers::vid_policies policies; ///< by which VIDs of this type are made for holders; of one type only
  std::shared_ptr<level_gauge> level = std::make_shared<level_gauge>();
  runtime::slot_ref pool, checker, populator, expirer;
  std::vector<runtime::slot_ref> walkers;
  /// Every issuer of the type in the order of their numbers, this one too; none when it is the only one.
  std::shared_ptr<const std::vector<issuer_address>> issuers;

  [[nodiscard]] identifiers::pool_rules rules() const noexcept { return type.rules_of(part.issuer); }
  /// Of the type's limits, what this issuer keeps.
  [[nodiscard]] identifiers::pool_limits limits(const identifiers::pool_limits& of_type) const noexcept {
    const auto walks = rules().walks;
    return {walks.share(of_type.refill_below), walks.share(of_type.fill_to)};
  }
  /// "vid", or "vid/2" of several.
  [[nodiscard]] std::string name() const {
    return type.issuers == 1 ? type.name : type.name + "/" + std::to_string(part.issuer);
  }
};

} // namespace matricula::actors
