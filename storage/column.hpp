/// The column families, one per aggregate. Every key starts with its shard byte.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace matricula::storage {

enum class column : std::uint8_t {
  meta,         ///< format version, running number, key fingerprints (RocksDB's "default")
  pools,        ///< one row per identifier type: its counters
  uins,         ///< identifiers of lifecycle uin, keyed by counter
  vids,         ///< identifiers of lifecycle vid, keyed by counter
  pool_ids,     ///< identifiers of lifecycle pool, keyed by counter
  released,     ///< identifiers back in the pool, a dense list per type
  due,          ///< what must happen at a time: expiry, release, purge
  idempotency,  ///< what a key was answered with
  dead_letters, ///< messages that crashed their actor
  schedules,    ///< when each schedule last ran
  audit,        ///< who did what to the running node, as it was kept before there were journals
  journals,     ///< chained rows: who did what, to the node and to each identifier
  unconfirmed,  ///< identifiers that were issued and not confirmed yet, by the time of their issue
  holders,      ///< the VIDs that policies have made, one row a holder
  tasks,        ///< what is to be done, by number
  task_index,   ///< which tasks are ready, wait, run or have ended; their unique keys; the queues' counters
  registrants,  ///< persons and households, who has which unique ID, and calls of generators
  alerts,       ///< what was found wrong, and what was said about it
};
inline constexpr std::size_t column_count = 18;

/// The names on disk; never change one.
inline constexpr std::array<std::string_view, column_count> column_names{
    "default",     "pools",       "uins",         "vids",       "pool_ids",    "released",
    "due",         "idempotency", "dead_letters", "schedules",  "audit",       "journals",
    "unconfirmed", "holders",     "tasks",        "task_index", "registrants", "alerts"};

} // namespace matricula::storage
