/// A real, small-buffered store in a directory of its own, and shorthand for writing to it.
#pragma once
#include "storage/keys.hpp"
#include "storage/local_log.hpp"
#include "storage/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <stdlib.h>
#include <string>
#include <vector>

namespace matricula::storage {

class temporary_directory {
public:
  temporary_directory() {
    // In memory where there is such a place: thousands of syncs on a shared disk are slow and prove nothing here.
    const std::filesystem::path memory = "/dev/shm";
    const auto parent = std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "matricula-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

inline timestamp at_ms(std::int64_t ms) { return timestamp{milliseconds{ms}}; }

inline store_options small_store(const std::string& directory) {
  store_options o;
  o.directory = directory;
  o.block_cache_bytes = 1 << 20;
  o.write_buffer_bytes = 256 << 10;
  o.wal_bytes_max = 1 << 20;
  o.open_files_max = 32;
  o.now = [] { return at_ms(1'000'000); };
  return o;
}

inline std::unique_ptr<store> open_store(store_options o) {
  auto opened = store::open(std::move(o));
  if (!opened) {
    ADD_FAILURE() << "cannot open the store: " << opened.error().message;
    return nullptr;
  }
  return std::move(*opened);
}

/// "row <n>" of a shard, with a value that tells them apart.
inline std::string row_key(shard_id shard, std::uint64_t n) { return key_builder{shard}.u64(n).str(); }
inline std::string row_value(std::uint64_t n) { return "value of row " + std::to_string(n); }

inline batch one_row(shard_id shard, std::uint64_t n, column where = column::uins) {
  batch b{shard};
  b.put(where, row_key(shard, n), row_value(n));
  return b;
}

inline result<group_record> commit(store& to, const batch& b) {
  const batch* const batches[] = {&b};
  return to.commit(batches, at_ms(2'000'000));
}

/// Commits rows `first` to `last` of shard 7, one group each.
inline void commit_rows(store& to, std::uint64_t first, std::uint64_t last, column where = column::uins) {
  for (auto n = first; n <= last; ++n) {
    const auto written = commit(to, one_row({7}, n, where));
    ASSERT_TRUE(written) << written.error().message;
  }
}

/// Which of rows `first` to `last` are not there.
inline std::vector<std::uint64_t> missing_rows(const view& in, std::uint64_t first, std::uint64_t last,
                                               column where = column::uins) {
  std::vector<std::uint64_t> missing;
  for (auto n = first; n <= last; ++n) {
    const auto row = in.get(where, row_key({7}, n));
    if (!row || *row != row_value(n)) missing.push_back(n);
  }
  return missing;
}

/// Every row of a column.
inline std::map<std::string, std::string> rows_of(const view& in, column where) {
  std::map<std::string, std::string> out;
  const auto walked = in.walk(where, "", "", [&](std::string_view k, std::string_view v) {
    out.emplace(k, v);
    return true;
  });
  EXPECT_TRUE(walked) << walked.error().message;
  return out;
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}
inline void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

/// The files of a directory by name, with their bytes.
inline std::map<std::string, std::string> files_in(const std::filesystem::path& directory) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.is_regular_file()) out.emplace(entry.path().filename().string(), read_bytes(entry.path()));
  return out;
}

/// The directory as a power cut or SIGKILL would leave it: copied while the store is open.
inline void copy_directory(const std::string& from, const std::string& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

} // namespace matricula::storage
