/// What the alerts and those who look at them share.
#pragma once
#include "actors/alerts/alert_sink.hpp"
#include "domain/alerts/alert_book.hpp"
#include "domain/alerts/rule.hpp"
#include "foundation/clock.hpp"
#include "runtime/slot.hpp"
#include "storage/alerts.hpp"
#include "storage/commit_log.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace matricula::actors {

/// The alerts as they are now: open ones, and those that were lately. Shown also while the store takes no writes, which
/// is when somebody will look. Thread safe.
class alert_board {
public:
  using list = std::shared_ptr<const std::vector<alerts::alert>>;
  void set(list now) {
    const std::lock_guard guard(mutex_);
    now_ = std::move(now);
  }
  /// By number; null until they were loaded.
  [[nodiscard]] list get() const {
    const std::lock_guard guard(mutex_);
    return now_;
  }

private:
  mutable std::mutex mutex_;
  list now_;
};

/// Numbers that others watch for the rules, by name and subject, until they say another. Bounded, thread safe.
class number_board {
public:
  static constexpr std::size_t numbers_max = 1'000;
  /// False when there are too many.
  bool set(const std::string& name, const std::string& subject, double value) {
    const std::lock_guard guard(mutex_);
    if (numbers_.size() >= numbers_max && !numbers_.contains({name, subject})) return false;
    numbers_[{name, subject}] = value;
    return true;
  }
  void add_to(std::vector<alerts::reading>& readings) const {
    const std::lock_guard guard(mutex_);
    for (const auto& [key, value] : numbers_) readings.push_back({key.first, key.second, value});
  }

private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, double> numbers_;
};

/// Adds what it knows now. It runs in the actor: it waits for nobody and passes over what it cannot read.
using reading_source = std::function<void(std::vector<alerts::reading>&)>;

struct alerts_context {
  storage::alert_partition part;
  storage::commit_log* log = nullptr;
  decision_clock* time = nullptr;
  const clock* monotonic = nullptr;
  alerts::rhythm rhythm;
  milliseconds beat{10'000}; ///< how often rules are applied
  std::vector<alerts::rule> rules;
  std::vector<reading_source> sources;
  std::vector<std::shared_ptr<alert_sink>> sinks;
  std::shared_ptr<alert_board> board = std::make_shared<alert_board>();
  std::shared_ptr<number_board> numbers = std::make_shared<number_board>();
  runtime::slot_ref alerts_slot;
};

} // namespace matricula::actors
