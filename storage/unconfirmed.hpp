/// The index of identifiers that were issued and not confirmed yet, by the time of their issue. The identifiers of one
/// write share few rows, so that a large issue costs few of them and a confirmation rewrites little.
#pragma once
#include "domain/identifiers/record.hpp"
#include "storage/identifiers.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage::unconfirmed {

/// Where an identifier stands in the index; follows from its record.
struct place {
  timestamp issued_at;
  std::uint64_t journal_seq = 0; ///< of its issue; 0 = before there was an audit trail
  std::uint64_t part = 0;        ///< of that write's identifiers
  auto operator<=>(const place&) const = default;
};
/// Nothing unless the record is ISSUED.
[[nodiscard]] std::optional<place> place_of(std::uint64_t counter, const identifiers::id_record& record);

[[nodiscard]] std::string key_of(const id_partition& part, const place& where);
/// The row that says: nothing stands in the index earlier than this.
[[nodiscard]] std::string floor_key(const id_partition& part);
[[nodiscard]] std::string encode(const std::vector<identifiers::due_entry>& entries);
/// Errors: corrupt.
[[nodiscard]] result<std::vector<identifiers::due_entry>> decode(std::string_view bytes);
[[nodiscard]] std::string encode_floor(timestamp floor);
[[nodiscard]] result<timestamp> find_floor(const view& rows, const id_partition& part);

struct row {
  place where;
  std::vector<identifiers::due_entry> entries; ///< ascending counters
};
/// Rows after `after` (from the floor on without one) of identifiers issued before `issued_before`, at most `limit`,
/// the oldest first. Errors: corrupt, io.
[[nodiscard]] result<std::vector<row>> find(const view& rows, const id_partition& part,
                                            const std::optional<place>& after, timestamp issued_before,
                                            std::size_t limit);

struct item {
  std::uint64_t counter = 0;
  identifiers::id_record record;
};
/// Where a page ended: the row and the counter in it.
struct cursor {
  place where;
  std::uint64_t counter = 0;
  bool operator==(const cursor&) const = default;
};
struct page {
  std::vector<item> items; ///< the oldest first
  std::optional<cursor> next;
};
/// @param limit 1 to 1,000. Reads about as many rows and records.
[[nodiscard]] result<page> list(const view& rows, const id_partition& part, const std::optional<cursor>& after,
                                timestamp issued_before, std::size_t limit);

/// For tools. Errors: corrupt.
[[nodiscard]] result<std::string> describe(std::string_view key, std::string_view value);

} // namespace matricula::storage::unconfirmed
