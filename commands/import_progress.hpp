/// How far the import of a file has come: a small durable file beside it, so that it goes on after a crash.
#pragma once
#include "foundation/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace matricula::commands {

/// What is imported and into what: how far it has come means nothing for any other.
struct import_job {
  std::string type;
  std::string timeline; ///< of the store: another one after a restore, and of another node
  std::string format;
  bool accept_foreign = false;
  std::uint64_t file_bytes = 0;
  std::string file_digest; ///< hexadecimal SHA-256 of the whole file
  bool operator==(const import_job&) const = default;
};

struct import_progress {
  import_job of;
  std::uint64_t offset = 0; ///< everything before is durable in the node, or written to the refused lines
  std::uint64_t line = 1;   ///< the one that begins there
  std::uint64_t accepted = 0, duplicates = 0, changed = 0, conflicts = 0, refused = 0;
  std::uint64_t refused_bytes = 0; ///< of the file of refused lines
  std::uint64_t reasons_bytes = 0; ///< of the file of their reasons

  /// Whether nothing of the file is left.
  [[nodiscard]] bool complete() const noexcept { return offset > 0 && offset == of.file_bytes; }
};

/// The size and the digest of the file; it is read to its end. Errors: io.
[[nodiscard]] result<import_job> look_at_file(const std::filesystem::path& file);
/// What the one that was begun before is of, as the end of "It tells of an import "; empty when both are the same.
[[nodiscard]] std::string difference(const import_job& before, const import_job& now);
/// Nothing when there is none yet. Errors: io, corrupt.
[[nodiscard]] result<std::optional<import_progress>> load_progress(const std::filesystem::path& path);
/// Durable when it returns. Errors: io, storage_full.
[[nodiscard]] result<void> save_progress(const std::filesystem::path& path, const import_progress& progress);

} // namespace matricula::commands
