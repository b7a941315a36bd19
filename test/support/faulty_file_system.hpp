/// The real file system with faults on order: failed syncs, failed writes, and a count of calls.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace rocksdb {
class Env;
}

namespace matricula::test {

struct disk_faults {
  std::atomic<bool> fail_sync{false};   ///< every sync of a write-ahead log fails
  std::atomic<bool> fail_append{false}; ///< every append to a write-ahead log fails, as on a full disk
  std::atomic<std::uint64_t> wal_syncs{0};
  std::atomic<std::uint64_t> wal_appends{0};
};

/// Lives for ever: RocksDB's threads may use it after a failed database was abandoned.
struct faulty_env {
  std::shared_ptr<disk_faults> faults;
  rocksdb::Env* env;
};
[[nodiscard]] faulty_env make_faulty_env();

} // namespace matricula::test
