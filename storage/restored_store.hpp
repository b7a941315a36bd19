/// A store that was made from a backup: what was issued after the backup is not in it, and must not be issued again.
/// Until somebody has said how much that may be, the store is marked and a node does not start from it.
#pragma once
#include "domain/identifiers/type.hpp"
#include "storage/group_record.hpp"
#include "storage/identifiers.hpp"
#include "storage/store.hpp"
#include "storage/tasks.hpp"

#include <cstdint>
#include <optional>
#include <span>
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
/// may belong to somebody else meanwhile. The same holds for every imported identifier, those that are imported later
/// included: who imports again what the backup lacks cannot know what became of it. Doing it again changes nothing
/// more.
/// @param start_at a counter above all that were issued after the backup; of several issuers: its index
/// @pre nobody else uses the store. Errors: corrupt, io, not_found (the store has no such type).
[[nodiscard]] result<settled_type> settle_restored(store& in, const identifiers::id_type& type, std::uint64_t start_at,
                                                   std::uint32_t issuer = 0);

/// Where an issuer of the type stands after it has issued so many more identifiers: one index behind the last of them.
/// Found by walking, as a node finds them; what was imported is passed over, since it is never issued.
/// Errors: corrupt, io, not_found (the store has no such type).
[[nodiscard]] result<std::uint64_t> index_after(const store& in, const identifiers::id_type& type,
                                                std::uint64_t identifiers, std::uint32_t issuer = 0);

/// Loads what an issuer of the lost node imported after the backup was made, with its state, assignment and history at
/// the end. What was waiting for reuse there is retired. Returns how many; doing it again loads nothing more.
/// @param type with its keys of the end
/// @param lost the rows of the lost node
/// @param lost_issuers where they are, of each issuer
/// @pre nobody else uses the store. Errors: corrupt, io, not_found (the store has no such type).
[[nodiscard]] result<std::uint64_t> copy_imports(store& in, const identifiers::id_type& type, const view& lost,
                                                 std::span<const id_partition> lost_issuers, std::uint32_t issuer = 0);

/// Makes sure that no task and no lease gets a number that another one got after the backup: they go on at `at_least`,
/// where they have not come further. Returns where they go on. Doing it again changes nothing more.
/// @pre nobody else uses the store. Errors: corrupt, io.
[[nodiscard]] result<task_numbers> settle_tasks(store& in, const task_numbers& at_least);

} // namespace matricula::storage
