/// One shard's rows as a file, so that it can move to another node or engine.
#pragma once
#include "storage/batch.hpp"
#include "storage/store.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <string>

namespace matricula::storage {

/// Writes every row of the shard in `rows` into the empty (or missing) directory: one file of checksummed blocks, in
/// place under its name only when it is complete and synced. Memory is bounded by one block (256 KiB and a row).
/// @param up_to the last group that `rows` shows; kept in the file. Errors: conflict (not empty), io.
[[nodiscard]] result<void> export_shard(const view& rows, shard_id shard, std::uint64_t up_to,
                                        const std::string& directory);

/// Loads what `export_shard` wrote into a shard without rows, block by block, after checking every block. An import
/// that was cut off leaves a marker row; the next one begins by removing what the first one wrote.
/// Errors: corrupt (nothing was written), conflict (the shard has rows), io.
[[nodiscard]] result<void> import_shard(store& into, shard_id shard, const std::string& directory, timestamp at);

/// The marker of an unfinished import, in column `meta`.
[[nodiscard]] std::string import_marker_key(shard_id shard);

} // namespace matricula::storage
