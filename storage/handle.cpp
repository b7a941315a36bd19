#include "storage/handle.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <mutex>
#include <vector>

namespace matricula::storage {

namespace {
/// Dead databases stay reachable, so that a leak checker knows that nobody forgot them.
void keep_for_ever(rocksdb::DB* db) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<rocksdb::DB*>;
  const std::lock_guard guard{mutex};
  kept->push_back(db);
}
}  // namespace

handle::~handle() {
  if (dead()) {
    keep_for_ever(db_);
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

}  // namespace matricula::storage
