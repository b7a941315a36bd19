#include "storage/handle.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <mutex>
#include <vector>

namespace matricula::storage {

namespace {

/// What a dead database consists of. It stays reachable, so that a leak checker knows that nobody forgot it.
struct remains {
  rocksdb::DB* db;
  std::array<rocksdb::ColumnFamilyHandle*, column_count> columns;
  rocksdb::FileLock* lock;
};

void keep_for_ever(const remains& r) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<remains>;
  const std::lock_guard guard{mutex};
  kept->push_back(r);
}

} // namespace

handle::~handle() {
  if (dead()) {
    keep_for_ever({db_, columns_, lock_});
    return;
  }
  if (db_) {
    for (auto* const c : columns_)
      if (c) (void)db_->DestroyColumnFamilyHandle(c);
    (void)db_->Close();
    delete db_;
  }
  if (lock_) (void)env_.UnlockFile(lock_);
}

} // namespace matricula::storage
