/// A store that was made from a backup: what was issued after the backup is not in it, and must not be issued again.
/// Until somebody has said how much that may be, the store is marked and a node does not start from it.
#pragma once
#include "domain/identifiers/type.hpp"
#include "storage/group_record.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace matricula::storage {

/// Marks the directory of a store. @param as_of the last group of the backup. Errors: io, storage_full.
[[nodiscard]] result<void> mark_restored(const std::string& directory, const group_record& as_of);
/// As of when the store was restored, while nobody has settled that; nothing for every other store.
/// Errors: io, corrupt.
[[nodiscard]] result<std::optional<timestamp>> restored_as_of(const std::string& directory);
/// Takes the mark away: every type is settled. Errors: io.
[[nodiscard]] result<void> unmark_restored(const std::string& directory);

struct settled_type {
  std::uint64_t starts_at = 0; ///< the counter (of several issuers: its index) that is issued next, at the earliest
  std::uint64_t passed = 0;    ///< counters that are passed over, those that the rules refuse included
  std::uint64_t retired = 0;   ///< released identifiers that are not handed out again, those between issuers included
};

/// Makes sure that the type issues nothing again that was issued after the backup: it goes on at `start_at`, when it
/// has not come further; what waits for reuse is retired, and whatever is in use now will be when it ends, since both
/// may belong to somebody else meanwhile. Doing it again changes nothing more.
/// @param start_at a counter above all that were issued after the backup; of several issuers: its index
/// @pre nobody else uses the store. Errors: corrupt, io, not_found (the store has no such type).
[[nodiscard]] result<settled_type> settle_restored(store& in, const identifiers::id_type& type, std::uint64_t start_at,
                                                   std::uint32_t issuer = 0);

} // namespace matricula::storage
