/// When tasks that wait for a while may go on, on the monotonic clock: a back-off is over when its time has passed,
/// also while the wall clock is set back and the time of decisions stands still. In memory alone: whoever is not in
/// here goes on when its row says so.
#pragma once
#include "domain/tasks/index_window.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace matricula::tasks {

class pauses {
public:
  using nanoseconds = std::chrono::nanoseconds;

  /// @param most are held; the others are left to their rows
  explicit pauses(std::size_t most) : most_(most) {}

  /// `row` of the index of those that wait may go on at `at`.
  void add(index_place row, nanoseconds at) {
    if (by_row_.size() >= most_ || !by_row_.emplace(row, at).second) return;
    by_time_.emplace(at, row);
  }
  /// It waits no longer, whyever.
  void erase(index_place row) {
    const auto found = by_row_.find(row);
    if (found == by_row_.end()) return;
    by_time_.erase({found->second, row});
    by_row_.erase(found);
  }
  /// The next one that may go on, and when.
  [[nodiscard]] std::optional<std::pair<nanoseconds, index_place>> first() const {
    if (by_time_.empty()) return std::nullopt;
    return *by_time_.begin();
  }
  [[nodiscard]] std::size_t size() const noexcept { return by_row_.size(); }

private:
  std::size_t most_;
  std::map<index_place, nanoseconds> by_row_;
  std::set<std::pair<nanoseconds, index_place>> by_time_;
};

} // namespace matricula::tasks
