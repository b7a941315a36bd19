/// The first rows of an index that its only writer keeps in memory, so that it need not walk over what it has erased,
/// nor wait for its own writes to show in what it reads. Holds all rows while they are few.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace matricula::tasks {

/// A row: where it sorts, and what it names.
struct index_place {
  std::uint64_t at = 0; ///< rank, or time in milliseconds
  std::uint64_t id = 0;
  auto operator<=>(const index_place&) const = default;
};

class index_window {
public:
  /// @param rows_max are held at most; 1 or more
  explicit index_window(std::size_t rows_max) : rows_max_(rows_max) {}

  /// A row that this writer adds, or erases, in its write `ticket`. Tickets only grow.
  void add(index_place row, std::uint64_t ticket);
  void erase(index_place row, std::uint64_t ticket);
  /// What is in memory is read again when it is wanted: from where the index was known to begin, or from its beginning.
  /// @pre every write has settled
  void forget(bool from_the_beginning);
  /// Every write up to `ticket` shows in what is read from now on.
  void settled(std::uint64_t ticket);

  /// The first row, if it is known: nothing when the index is empty or `hungry`.
  [[nodiscard]] std::optional<index_place> first() const;
  /// Whether rows must be read before anything can be said.
  [[nodiscard]] bool hungry() const noexcept { return rows_.empty() && !complete_; }
  /// From where to read: no row of the index is before it.
  [[nodiscard]] index_place from() const noexcept { return floor_; }
  [[nodiscard]] std::size_t rows_max() const noexcept { return rows_max_; }
  /// The first rows of the index from `from()` on, as they are read: fewer than `rows_max` when there are no more.
  void feed(std::span<const index_place> durable);

  /// Rows in memory; of the index when `complete`.
  [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
  [[nodiscard]] bool complete() const noexcept { return complete_; }

private:
  struct change {
    std::uint64_t ticket;
    index_place row;
    bool added;
  };
  void shrink();

  std::size_t rows_max_;
  std::set<index_place> rows_;
  bool complete_ = false;
  index_place floor_{};
  std::deque<change> unsettled_;
};

} // namespace matricula::tasks
