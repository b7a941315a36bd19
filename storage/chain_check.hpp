/// Does every group in the write-ahead log follow from the one before it? Finds what RocksDB's own checksums cannot: a
/// log file that is missing between two others, a log cut off between two records, a group that was exchanged.
#pragma once
#include "storage/group_record.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace rocksdb {
class WalFilter;
}

namespace matricula::storage {

/// Watches a replay of the log.
class chain_check {
public:
  /// Stops the replay before its first record: what is then open shows only the tables.
  chain_check();
  /// Lets the replay pass and compares. @param flushed the last group in the tables
  explicit chain_check(group_record flushed);
  ~chain_check();
  chain_check(const chain_check&) = delete;
  chain_check& operator=(const chain_check&) = delete;

  /// To be set as `DBOptions::wal_filter`; lives as long as this.
  [[nodiscard]] rocksdb::WalFilter& filter() noexcept;
  /// How many groups followed from the one before.
  [[nodiscard]] std::uint64_t compared() const noexcept;
  /// What is wrong, as a sentence; empty when nothing is.
  [[nodiscard]] const std::string& problem() const noexcept;

private:
  class watcher;
  std::unique_ptr<watcher> watcher_;
};

} // namespace matricula::storage
