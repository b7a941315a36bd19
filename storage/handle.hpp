/// The open database, shared by the store and by every view of it.
#pragma once
#include "storage/column.hpp"

#include <array>
#include <atomic>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class FileLock;
} // namespace rocksdb

namespace matricula::storage {

/// Once dead, after a failed write or sync, nobody touches the database again: RocksDB's state is then undefined and
/// Debian's build asserts. A dead one is not even closed: the process is about to end.
class handle {
public:
  /// Takes over the three. @param lock of the directory, released at the end.
  handle(rocksdb::Env& env, rocksdb::FileLock* lock) noexcept : env_(env), lock_(lock) {}
  ~handle();
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;

  void opened(rocksdb::DB* db, const std::array<rocksdb::ColumnFamilyHandle*, column_count>& columns) noexcept {
    db_ = db;
    columns_ = columns;
  }
  [[nodiscard]] rocksdb::DB& db() const noexcept { return *db_; }
  [[nodiscard]] rocksdb::Env& env() const noexcept { return env_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* operator[](column c) const noexcept {
    return columns_[static_cast<std::size_t>(c)];
  }
  [[nodiscard]] bool dead() const noexcept { return dead_.load(std::memory_order_acquire); }
  void kill() noexcept { dead_.store(true, std::memory_order_release); }

private:
  rocksdb::Env& env_;
  rocksdb::FileLock* lock_;
  rocksdb::DB* db_ = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, column_count> columns_{};
  std::atomic<bool> dead_{false};
};

} // namespace matricula::storage
