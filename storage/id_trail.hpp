/// The audit trail of one identifier type: who got, confirmed, returned, revoked which identifier when. One row for
/// each write that changed identifiers, in the journal of the type's number.
#pragma once
#include "domain/identifiers/record.hpp"
#include "storage/identifiers.hpp"
#include "storage/journal.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage::id_trail {

/// One step of one identifier.
struct entry {
  std::uint64_t counter = 0;
  std::string id;
  std::uint32_t assignment = 0;
  identifiers::id_state from = identifiers::id_state::available;
  identifiers::id_state to = identifiers::id_state::available;
  timestamp at;             ///< as the identifier's history has it; not after the row's time
  std::string by;           ///< the principal, or "expirer"
  std::string holder;       ///< whoever it was issued to
  std::uint64_t before = 0; ///< the row that names this identifier last before this one; 0 = none
  bool operator==(const entry&) const = default;
};

/// What one write did.
struct note {
  std::string tenant;     ///< of the principal; empty when nobody asked
  std::string request_id; ///< likewise
  std::vector<entry> entries;
  bool operator==(const note&) const = default;
};

/// @param at the row's time: entries' times are kept as their distance from it
[[nodiscard]] std::string encode(const note& what, timestamp at);
/// Errors: corrupt.
[[nodiscard]] result<note> decode(std::string_view content, timestamp at);

[[nodiscard]] journal::chain chain_of(const id_partition& part) noexcept;

/// An entry and the row that it stands in.
struct found_entry {
  std::uint64_t seq = 0;
  std::uint32_t place = 0; ///< in its row
  std::string tenant;
  std::string request_id;
  entry what;
};

/// A place in the trail; the newest comes first, so what follows is older. By default the newest end.
struct cursor {
  std::uint64_t seq = UINT64_MAX;
  std::uint32_t place = UINT32_MAX; ///< this entry of the row and those before it
  bool operator==(const cursor&) const = default;
};

struct query {
  std::string principal;                     ///< only what it did; empty = everybody
  timestamp from{};                          ///< written not earlier
  timestamp to = timestamp::max();           ///< written earlier than this
  std::optional<std::uint64_t> counter = {}; ///< only this identifier
};

struct page {
  std::vector<found_entry> entries;
  std::optional<cursor> next; ///< nothing at the end. A page may be empty and not the last: it looked at rows_max rows
};

/// Rows that one page reads, at most.
inline constexpr std::size_t rows_max = 1'000;

/// Entries that match, the newest first, at most `limit`. For one identifier only the rows that name it are read: each
/// names the one before. Errors: corrupt, io.
[[nodiscard]] result<page> find(const view& rows, const id_partition& part, const query& what, const cursor& from,
                                std::size_t limit);

/// For tools. Errors: corrupt.
[[nodiscard]] result<std::string> describe(const journal::row& row);

} // namespace matricula::storage::id_trail
