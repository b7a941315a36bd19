/// A copy of the running store that can be proven whole, and the way back.
/// A backup is a directory: `data/` with the store's files as of one moment, and `MANIFEST.matricula`, written last,
/// which names every file with its size and SHA-256 and ends with a checksum of itself. Without it, it is no backup.
#pragma once
#include "storage/group_record.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace matricula::storage {

struct backup_file {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256_hex;
  bool operator==(const backup_file&) const = default;
};

struct backup_manifest {
  static constexpr std::string_view file_name = "MANIFEST.matricula";
  std::uint32_t store_format = 0;
  std::string node_id;
  group_record last; ///< the last group in it
  timestamp made_at;
  std::vector<backup_file> files;
  bool operator==(const backup_manifest&) const = default;
};

[[nodiscard]] std::string encode(const backup_manifest& m);
/// Errors: corrupt (cut off or changed), unsupported (a newer kind of backup).
[[nodiscard]] result<backup_manifest> decode_manifest(std::string_view text);

/// Copies the running store into the empty (or new) directory while it goes on writing. The files are copied, not
/// linked: damage to the store's disk blocks does not reach them. After an error the directory is empty again.
/// Errors: conflict (not empty, or another backup is running), io, storage_full.
[[nodiscard]] result<backup_manifest> make_backup(const store& of, const std::string& directory, timestamp now);

/// Reads every file of a backup and compares it with the manifest. Errors: corrupt (which file and why), unsupported.
[[nodiscard]] result<backup_manifest> check_backup(const std::string& directory);

/// Checks the backup, then makes a store of it in the empty (or new) directory, marked as restored: a node does not
/// start from it before it is settled what may have been issued since (restored_store.hpp). Until it is whole the
/// directory is marked, and a store does not start from it; after an error it is empty again.
[[nodiscard]] result<backup_manifest> restore_backup(const std::string& directory, const std::string& target);

} // namespace matricula::storage
