/// How RocksDB is tuned: small memory, one writer that syncs, nothing lost silently.
#pragma once
#include "storage/store_options.hpp"

namespace rocksdb {
struct ColumnFamilyOptions;
struct DBOptions;
struct WriteOptions;
} // namespace rocksdb

namespace matricula::storage {

[[nodiscard]] rocksdb::DBOptions database_options(const store_options& o);
[[nodiscard]] rocksdb::ColumnFamilyOptions column_options(const store_options& o);

} // namespace matricula::storage
