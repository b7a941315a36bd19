/// What the only writer of an identifier type writes with: the rows of its changes, and with them, in the same batch,
/// their row of the audit trail and the index of what nobody has confirmed.
#pragma once
#include "domain/identifiers/pool.hpp"
#include "storage/id_trail.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage {

/// Who asked for a change, as far as the history does not say it.
struct asker {
  std::string_view tenant;
  std::string_view request_id;
};

class id_ledger {
public:
  /// Room that a write needs beside its records, at most, when it names `entries` identifiers of 32 bytes for one
  /// holder at one time: a row of the trail with texts of 64 bytes, and rows of the index.
  [[nodiscard]] static constexpr std::size_t bytes_max(std::size_t entries) noexcept { return 1'024 + entries * 72; }

  /// Room that loading this row takes in a write, at most, but for the history that a released identifier brings along.
  /// Every row has a time and a holder of its own, and each of its steps stands in the trail with both.
  [[nodiscard]] static std::size_t import_bytes(const identifiers::import_row& row) noexcept;
  /// Room that an import takes beside its rows, at most: the counters, the floor, what its row of the trail begins
  /// with.
  static constexpr std::size_t import_bytes_beside = 1'024;
  /// What the rows of one import may take, so that they fit into one batch.
  static constexpr std::size_t import_bytes_max =
      batch::bytes_max - import_bytes_beside - identifiers::import_released_bytes_max;

  /// @param rows durable ones, when everything that was written before has settled
  [[nodiscard]] static result<id_ledger> resume(const view& rows, const id_partition& part);

  /// A row as the writer's own unsettled writes will leave it.
  using reader = std::function<result<std::optional<std::string>>(column where, std::string_view key)>;

  /// Adds everything in `changes`, and the counters as they are after it. Every step that a record took since it was
  /// read (id_record::advance) goes into the audit trail; records get their place in it.
  /// Errors: io; the batch must not be written then.
  [[nodiscard]] result<void> put(batch& into, identifiers::pool_changes& changes,
                                 const identifiers::pool_counters& counters, const asker& who, const reader& rows);

  /// Nothing stood in the index earlier than `floor` when the trail ended with its row `trail_seen`. Nothing happens
  /// when identifiers with an earlier time may have come into the index since, such as by an import, or when the floor
  /// is there already.
  void raise_floor(batch& into, timestamp floor, std::uint64_t trail_seen);

private:
  id_ledger(const id_partition& part, journal::writer trail, timestamp floor)
      : part_(part), trail_(std::move(trail)), floor_(floor), backdated_(trail_.next() - 1) {}
  /// Rows of the index that one write changes; nothing = not read yet.
  using index_rows = std::map<std::string, std::vector<identifiers::due_entry>>;
  result<void> take_out(std::uint64_t counter, const identifiers::id_record& as_it_was, const reader& rows,
                        index_rows& changed) const;
  void put_index(batch& into, const index_rows& changed) const;

  id_partition part_;
  journal::writer trail_;
  timestamp floor_;
  /// The last row of the trail whose write put something into the index that was issued before; those of a predecessor
  /// count as such.
  std::uint64_t backdated_;
};

} // namespace matricula::storage
