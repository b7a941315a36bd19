#include "domain/tasks/index_window.hpp"

#include <algorithm>
#include <iterator>

namespace matricula::tasks {

void index_window::add(index_place row, std::uint64_t ticket) {
  unsettled_.push_back({ticket, row, true});
  floor_ = std::min(floor_, row);
  // Behind the last one that is held there may be others that are not.
  if (!complete_ && (rows_.empty() || *rows_.rbegin() < row)) return;
  rows_.insert(row);
  shrink();
}

void index_window::erase(index_place row, std::uint64_t ticket) {
  unsettled_.push_back({ticket, row, false});
  const bool was_first = !rows_.empty() && *rows_.begin() == row;
  rows_.erase(row);
  if (was_first) floor_ = rows_.empty() ? row : *rows_.begin();
}

void index_window::forget(bool from_the_beginning) {
  rows_.clear();
  unsettled_.clear();
  complete_ = false;
  if (from_the_beginning) floor_ = {};
}

void index_window::settled(std::uint64_t ticket) {
  while (!unsettled_.empty() && unsettled_.front().ticket <= ticket) unsettled_.pop_front();
}

std::optional<index_place> index_window::first() const {
  if (rows_.empty()) return std::nullopt;
  return *rows_.begin();
}

void index_window::feed(std::span<const index_place> durable) {
  rows_.clear();
  rows_.insert(durable.begin(), durable.end());
  complete_ = durable.size() < rows_max_;
  const auto last = rows_.empty() ? std::optional<index_place>{} : std::optional(*rows_.rbegin());
  for (const auto& c : unsettled_) {
    if (!c.added)
      rows_.erase(c.row);
    else if (complete_ || (last && c.row <= *last))
      rows_.insert(c.row);
  }
  if (!rows_.empty()) floor_ = *rows_.begin();
  shrink();
}

void index_window::shrink() {
  while (rows_.size() > rows_max_) {
    rows_.erase(std::prev(rows_.end()));
    complete_ = false;
  }
}

} // namespace matricula::tasks
