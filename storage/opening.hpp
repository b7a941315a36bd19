/// The steps of opening a store, each of which may refuse. The first ones only read.
#pragma once
#include "storage/group_record.hpp"
#include "storage/handle.hpp"
#include "storage/mark_file.hpp"
#include "storage/store_options.hpp"

#include <optional>
#include <string_view>

namespace matricula::storage {

/// A file of this name marks a directory that a restore has not finished.
inline constexpr std::string_view restoring_name = "RESTORING";

/// A directory of this name is a backup's checkpoint; after a kill it would keep dead table files on the disk.
inline constexpr std::string_view checkpoint_name = "backup.partial";

/// What the store says about itself.
struct self_description {
  std::optional<std::uint32_t> format; ///< nothing in a new store
  group_record last;
  std::string node_id;
  std::uint64_t incarnation = 0;
  std::uint64_t groups_chained = 0; ///< groups in the write-ahead log that follow from the one before
  std::string broken_chain;         ///< which one does not, as a sentence
};

/// Takes the directory's lock, making the directory when missing. Errors: conflict (in use), io.
[[nodiscard]] result<rocksdb::FileLock*> lock_directory(rocksdb::Env& env, const store_options& o);
/// Whether the directory holds no store yet. Errors: corrupt when it holds pieces of one.
[[nodiscard]] result<bool> is_new(rocksdb::Env& env, const std::string& directory);
/// Replays the write-ahead log in memory, follows its chain and reads the node's rows; writes nothing.
/// Errors: corrupt, io.
[[nodiscard]] result<self_description> look(const store_options& o);
/// Errors: unsupported (newer format), corrupt (acknowledged groups are missing, or the chain is broken).
[[nodiscard]] result<void> accept(const self_description& found, const std::optional<mark>& m, const store_options& o);
/// Opens all columns into `into`. Errors: corrupt, io.
[[nodiscard]] result<void> open_database(const store_options& o, handle& into);
/// The node's rows of an open database. Errors: corrupt, io.
[[nodiscard]] result<self_description> describe(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta);

} // namespace matricula::storage
