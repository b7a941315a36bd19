/// How far the import of a file has come: a small durable file beside it, so that it goes on after a crash.
#pragma once
#include "foundation/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace matricula::commands {

struct import_progress {
  std::string type;
  std::uint64_t file_bytes = 0; ///< of the file, to notice that it is another one
  std::string file_digest;      ///< hexadecimal SHA-256 of its first 64 KiB
  std::uint64_t offset = 0;     ///< everything before is durable in the node, or written to the refused lines
  std::uint64_t line = 1;       ///< the one that begins there
  std::uint64_t accepted = 0, duplicates = 0, changed = 0, conflicts = 0, refused = 0;
  std::uint64_t refused_bytes = 0; ///< of the file of refused lines
  std::uint64_t reasons_bytes = 0; ///< of the file of their reasons
};

/// What identifies the file, at its beginning. Errors: io.
[[nodiscard]] result<import_progress> begin_import(const std::filesystem::path& file, const std::string& type);
/// Nothing when there is none yet. Errors: io, corrupt.
[[nodiscard]] result<std::optional<import_progress>> load_progress(const std::filesystem::path& path);
/// Durable when it returns. Errors: io, storage_full.
[[nodiscard]] result<void> save_progress(const std::filesystem::path& path, const import_progress& progress);

} // namespace matricula::commands
