/// The witness beside the write-ahead log: the number of the last group whose writers may have been answered.
/// RocksDB opens a log with a flipped bit by dropping every row after it, silently; a recovered number below the mark
/// tells. Written after the sync of its group and not synced itself: an old mark misses a loss, but never invents one.
#pragma once
#include "storage/group_record.hpp"

#include <memory>
#include <optional>
#include <string>

namespace rocksdb {
class Env;
}

namespace matricula::storage {

struct mark {
  std::uint64_t number = 0;
  std::string chain; ///< of that group
  bool operator==(const mark&) const = default;
};

class mark_file {
public:
  static constexpr std::string_view name = "MARK";

  /// The greatest mark whose checksum holds; nothing when there is no file or nothing in it (a power cut may empty it).
  [[nodiscard]] static result<std::optional<mark>> read(rocksdb::Env& env, const std::string& directory);
  /// Opens it for writing, creating it when missing.
  [[nodiscard]] static result<std::unique_ptr<mark_file>> open(rocksdb::Env& env, const std::string& directory);
  ~mark_file();
  mark_file(const mark_file&) = delete;
  mark_file& operator=(const mark_file&) = delete;

  /// One write of 64 bytes; two slots take turns, so that a torn one leaves the mark before it.
  [[nodiscard]] result<void> write(const mark& m);
  [[nodiscard]] result<void> sync();

private:
  struct file;
  explicit mark_file(std::unique_ptr<file> f);
  std::unique_ptr<file> file_;
};

} // namespace matricula::storage
