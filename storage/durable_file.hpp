/// Files that are there completely and synced, or not at all; and reading that checks.
#pragma once
#include "foundation/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace matricula::storage {

/// Writes under a temporary name; `publish` syncs and gives the file its name. Dropped unpublished, it leaves nothing.
class durable_file {
public:
  /// Errors: io, storage_full.
  [[nodiscard]] static result<durable_file> create(const std::filesystem::path& path);
  durable_file(durable_file&& other) noexcept;
  durable_file& operator=(durable_file&&) = delete;
  durable_file(const durable_file&) = delete;
  durable_file& operator=(const durable_file&) = delete;
  ~durable_file();

  [[nodiscard]] result<void> write(std::string_view bytes);
  [[nodiscard]] result<void> publish();

private:
  durable_file(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  [[nodiscard]] std::filesystem::path temporary() const;
  int fd_;
  std::filesystem::path path_;
};

/// Reads the file in pieces of at most 1 MiB. Errors: io, not_found, and whatever `piece` returns.
[[nodiscard]] result<void> read_file(const std::filesystem::path& path,
                                     const std::function<result<void>(std::string_view)>& piece);
/// The whole file, when it is not longer than `bytes_max`. Errors: as above, corrupt when it is longer.
[[nodiscard]] result<std::string> read_small_file(const std::filesystem::path& path, std::size_t bytes_max);
/// Makes the names in a directory durable.
[[nodiscard]] result<void> sync_directory(const std::filesystem::path& directory);
/// Makes `directory` (its parent must exist), or finds it empty. Errors: conflict (not empty), io.
[[nodiscard]] result<void> make_empty_directory(const std::filesystem::path& directory);

} // namespace matricula::storage
