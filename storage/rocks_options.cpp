#include "storage/rocks_options.hpp"

#include "foundation/log.hpp"
#include "storage/rocks_logger.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

namespace matricula::storage {

namespace {

class failure_reporter final : public rocksdb::EventListener {
public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    if (status->IsShutdownInProgress()) return; // a compaction that was stopped by closing
    log::error("store.background_error", "RocksDB failed in the background; the next write ends the process",
               {{"reason", static_cast<int>(reason)}, {"status", status->ToString()}});
  }
};

} // namespace

rocksdb::DBOptions database_options(const store_options& o) {
  rocksdb::DBOptions db;
  if (o.env) db.env = o.env;
  db.info_log = make_rocks_logger();
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.listeners.push_back(std::make_shared<failure_reporter>());

  db.paranoid_checks = true;
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // All columns are flushed together: the tables alone are then always one moment of the store, and no column is ahead
  // of the log.
  db.atomic_flush = true;
  // What was recovered is written again, into tables: a log whose sync failed or never ran reads well from the page
  // cache and is still not on the disk, and syncing it again would not help.
  db.avoid_flush_during_recovery = false;

  db.db_write_buffer_size = o.write_buffer_bytes;
  db.max_total_wal_size = o.wal_bytes_max;
  db.max_open_files = o.open_files_max;
  db.max_background_jobs = 2;
  db.bytes_per_sync = 1 << 20;
  db.allow_concurrent_memtable_write = false; // there is one writer
  db.enable_write_thread_adaptive_yield = false;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.skip_stats_update_on_db_open = true;
  db.max_file_opening_threads = o.no_threads ? 1 : 4;
  if (o.no_threads) db.avoid_flush_during_shutdown = true;
  return db;
}

rocksdb::ColumnFamilyOptions column_options(const store_options& o) {
  rocksdb::ColumnFamilyOptions c;
  rocksdb::BlockBasedTableOptions table;
  // One cache for everything that grows with the store; each call makes one, so it is called once per opening.
  table.block_cache = rocksdb::NewLRUCache(o.block_cache_bytes, 2, false, 0.3);
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // A large table's index and filter in small parts: in one piece each they are a megabyte, which a look-up of one row
  // would read, check and push everything else out of the cache for.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4 << 10;
  table.pin_top_level_index_and_filter = true;
  table.optimize_filters_for_memory = true;
  table.whole_key_filtering = true;
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  c.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  c.write_buffer_size = std::max<std::size_t>(o.write_buffer_bytes / 2, 64 << 10);
  c.max_write_buffer_number = 3;
  c.arena_block_size = std::min<std::size_t>(256 << 10, c.write_buffer_size / 8);
  c.compression = rocksdb::kLZ4Compression;
  // A table of the newest level is soon read again and written into the next one: compressing it twice is work for
  // nothing.
  c.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  c.level_compaction_dynamic_level_bytes = true;
  // Each merge of the newest tables rewrites the level below them: half as many merges of twice as much.
  c.level0_file_num_compaction_trigger = 8;
  c.target_file_size_base = 32 << 20;
  c.max_bytes_for_level_base = 128 << 20;
  return c;
}

} // namespace matricula::storage
