/// How a store is opened. The sizes keep the whole process below 200 MiB with five million identifiers.
#pragma once
#include "foundation/clock.hpp"
#include "storage/migration.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rocksdb {
class Env;
}

namespace matricula::storage {

struct store_options {
  std::string directory;                                  ///< made when missing; its parent must exist
  std::size_t block_cache_bytes = std::size_t{32} << 20;  ///< data, index and filter blocks together
  std::size_t write_buffer_bytes = std::size_t{32} << 20; ///< memtables of all columns together
  std::size_t wal_bytes_max = std::size_t{24} << 20;      ///< more write-ahead log than this is flushed to tables
  int open_files_max = 256;                               ///< table files held open
  bool read_only = false;                                 ///< changes nothing, not even after a crash
  /// An operator's word that the groups up to this number may be lost. Counts only when it equals the mark.
  std::optional<std::uint64_t> accept_loss_up_to;

  /// The time of the groups that the store itself writes; the system's clock by default.
  std::function<timestamp()> now;
  /// For the node's id; secure randomness by default.
  std::function<std::uint64_t()> random;

  std::uint32_t format = current_format;                    ///< the newest format understood
  std::vector<migration> migrations = shipped_migrations(); ///< steps up to `format`, in order

  rocksdb::Env* env = nullptr; ///< disk and time of a simulation; must outlive the store
  /// For a simulation: RocksDB starts no thread, and a write that would wait for background work calls `while_stalled`
  /// until that returns false (which is fatal) or the work is done.
  bool no_threads = false;
  std::function<bool()> while_stalled;
};

} // namespace matricula::storage
