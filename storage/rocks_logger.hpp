/// RocksDB's own log lines, handed to ours.
#pragma once
#include <memory>

namespace rocksdb {
class Logger;
}

namespace matricula::storage {

/// Warnings and worse go to matricula::log; the rest is dropped. Never fails and never writes a file: RocksDB asserts
/// that its logger works, even on a full disk.
[[nodiscard]] std::shared_ptr<rocksdb::Logger> make_rocks_logger();

} // namespace matricula::storage
