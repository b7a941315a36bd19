/// A RocksDB status becomes an error of ours once, where it enters.
#pragma once
#include "foundation/error.hpp"

#include <string_view>

namespace rocksdb {
class Status;
}

namespace matricula::storage {

/// "`what`: <what RocksDB says>". @pre `status` is not OK
[[nodiscard]] error to_error(const rocksdb::Status& status, std::string_view what);

} // namespace matricula::storage
