#include "storage/opening.hpp"

#include "foundation/bytes.hpp"
#include "foundation/log.hpp"
#include "storage/chain_check.hpp"
#include "storage/rocks_error.hpp"
#include "storage/rocks_options.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <algorithm>

namespace matricula::storage {

namespace {

constexpr std::string_view keep_and_restore =
    "Nothing was changed. Keep a copy of the directory and restore a backup with `matricula restore`";

error damaged(const rocksdb::Status& s, const std::string& directory) {
  auto e = to_error(s, fmt::format("the store in {} cannot be opened", directory));
  if (e.code == errc::corrupt) e.message += fmt::format(". Its files are damaged. {}.", keep_and_restore);
  return e;
}

result<std::optional<std::string>> row(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta, std::string_view key) {
  std::string value;
  const auto s = db.Get(rocksdb::ReadOptions{}, meta, key, &value);
  if (s.ok()) return value;
  if (s.IsNotFound()) return std::nullopt;
  return std::unexpected(to_error(s, "cannot read the node's own rows"));
}

/// Opens read only with the columns named; the caller owns what comes back.
result<std::unique_ptr<rocksdb::DB>> open_read_only(const store_options& o, std::size_t columns,
                                                    std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                                                    chain_check* watching = nullptr) {
  auto options = database_options(o);
  if (watching) options.wal_filter = &watching->filter();
  const auto column = column_options(o);
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (std::size_t i = 0; i < columns; ++i) wanted.emplace_back(std::string(column_names[i]), column);
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::OpenForReadOnly(options, o.directory, wanted, &handles, &db);
  if (!s.ok()) return std::unexpected(damaged(s, o.directory));
  return std::unique_ptr<rocksdb::DB>(db);
}

} // namespace

result<rocksdb::FileLock*> lock_directory(rocksdb::Env& env, const store_options& o) {
  if (o.directory.empty()) return fail(errc::invalid_argument, "the store needs a directory");
  if (const auto s = env.CreateDirIfMissing(o.directory); !s.ok())
    return std::unexpected(to_error(s, fmt::format("cannot make the store's directory {}", o.directory)));
  rocksdb::FileLock* lock = nullptr;
  if (const auto s = env.LockFile(o.directory + "/LOCK.node", &lock); !s.ok())
    return fail(errc::conflict, fmt::format("the store in {} is in use by another process: stop it first ({})",
                                            o.directory, s.ToString()));
  return lock;
}

result<bool> is_new(rocksdb::Env& env, const std::string& directory) {
  if (env.FileExists(directory + "/" + std::string(restoring_name)).ok())
    return fail(errc::corrupt, fmt::format("the store in {} was restored only in part: empty the directory and run "
                                           "`matricula restore` again",
                                           directory));
  if (env.FileExists(directory + "/CURRENT").ok()) return false;
  std::vector<std::string> names;
  if (const auto s = env.GetChildren(directory, &names); !s.ok())
    return std::unexpected(to_error(s, fmt::format("cannot list {}", directory)));
  const auto of_a_store = [](const std::string& n) { return n.ends_with(".sst") || n.ends_with(".log"); };
  if (const auto found = std::ranges::find_if(names, of_a_store); found != names.end())
    return fail(errc::corrupt, fmt::format("{} holds pieces of a store ({}) but its file CURRENT is missing. {}.",
                                           directory, *found, keep_and_restore));
  return true;
}

result<self_description> describe(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
  self_description d;
  auto format = row(db, meta, format_key);
  auto group = row(db, meta, group_key);
  auto node_id = row(db, meta, node_id_key);
  auto incarnation = row(db, meta, incarnation_key);
  for (const auto* r : {&format, &group, &node_id, &incarnation})
    if (!*r) return std::unexpected(r->error());
  if (*group) {
    auto last = decode_group_record(**group);
    if (!last) return std::unexpected(last.error());
    d.last = *last;
  }
  if (*node_id) d.node_id = **node_id;
  if (*incarnation) {
    byte_reader in{**incarnation};
    d.incarnation = in.varint();
    if (!in.done()) return fail(errc::corrupt, "the row that counts the store's openings does not decode");
  }
  if (*format) {
    byte_reader in{**format};
    d.format = static_cast<std::uint32_t>(in.varint());
    if (!in.done()) return fail(errc::corrupt, "the row with the store's format does not decode");
  }
  return d;
}

namespace {

/// One look at the node's rows, which are all in the first column: the others are not even replayed.
result<self_description> look_with(const store_options& o, chain_check& watching) {
  auto small = o;
  small.block_cache_bytes = std::size_t{1} << 20;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  auto db = open_read_only(small, 1, handles, &watching);
  if (!db) return std::unexpected(db.error());
  auto d = describe(**db, handles.front());
  (void)(*db)->DestroyColumnFamilyHandle(handles.front());
  return d;
}

} // namespace

result<self_description> look(const store_options& o) {
  chain_check none;
  auto flushed = look_with(o, none);
  if (!flushed) return flushed;
  chain_check chain{flushed->last};
  auto found = look_with(o, chain);
  if (found) {
    found->groups_chained = chain.compared();
    found->broken_chain = chain.problem();
  }
  return found;
}

namespace {
result<void> whole(const self_description& found, const store_options& o) {
  if (found.last.number == 0 || found.format) return {};
  return fail(errc::corrupt,
              fmt::format("the row with the format of the store in {} is missing. {}.", o.directory, keep_and_restore));
}
} // namespace

result<void> accept(const self_description& found, const std::optional<mark>& m, const store_options& o) {
  if (found.format && *found.format > o.format)
    return fail(errc::unsupported, fmt::format("the store in {} has format {} and this build reads formats up to {}: "
                                               "start a newer build, or restore a backup that an older one made",
                                               o.directory, *found.format, o.format));
  if (o.read_only && found.format && *found.format < o.format)
    return fail(
        errc::unsupported,
        fmt::format("the store in {} has format {}, which a node brings to {} when it starts: start it once, or "
                    "use the tools of the older build",
                    o.directory, *found.format, o.format));
  if (!m) {
    if (found.last.number > 0)
      log::warning("store.no_mark", "the mark file is missing or empty: a lost write would not be noticed this time",
                   {{"group", found.last.number}});
    if (!found.broken_chain.empty())
      return fail(errc::corrupt, fmt::format("the write-ahead log of the store in {} has a gap: {}. {}.", o.directory,
                                             found.broken_chain, keep_and_restore));
    return whole(found, o);
  }
  const auto have = found.last.number;
  if (have == m->number && found.last.chain != m->chain)
    return fail(errc::corrupt, fmt::format("the chain hash of group {} in {} is not what was written. {}.", have,
                                           o.directory, keep_and_restore));
  if (have >= m->number && found.broken_chain.empty()) return whole(found, o);
  if (o.accept_loss_up_to == m->number) {
    log::error("store.loss_accepted", "acknowledged writes are missing and an operator accepted their loss",
               {{"recovered_group", have}, {"answered_group", m->number}, {"broken_chain", found.broken_chain}});
    return {};
  }
  const auto ways = fmt::format("{}, or start once with accept_loss_up_to={} to go on without what is missing.",
                                keep_and_restore, m->number);
  if (have >= m->number)
    return fail(errc::corrupt,
                fmt::format("acknowledged writes are missing from the store in {}: {}. A write-ahead log "
                            "is missing or was cut off. {}",
                            o.directory, found.broken_chain, ways));
  return fail(
      errc::corrupt,
      fmt::format("acknowledged writes are missing from the store in {}: it ends with group {}, but group {} was "
                  "answered ({} groups, {} to {}). Its write-ahead log is damaged or incomplete. {}",
                  o.directory, have, m->number, m->number - have, have + 1, m->number, ways));
}

result<void> open_database(const store_options& o, handle& into) {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  if (o.read_only) {
    auto opened = open_read_only(o, column_count, handles);
    if (!opened) return std::unexpected(opened.error());
    db = opened->release();
  } else {
    const auto column = column_options(o);
    std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
    for (const auto name : column_names) wanted.emplace_back(std::string(name), column);
    const auto s = rocksdb::DB::Open(database_options(o), o.directory, wanted, &handles, &db);
    if (!s.ok()) return std::unexpected(damaged(s, o.directory));
  }
  std::array<rocksdb::ColumnFamilyHandle*, column_count> columns{};
  std::ranges::copy(handles, columns.begin());
  into.opened(db, columns);
  for (std::size_t c = 0; c < column_count; ++c)
    if (columns[c]->GetID() != c)
      return fail(errc::corrupt, fmt::format("column {} of the store in {} has number {} instead of {}. {}.",
                                             column_names[c], o.directory, columns[c]->GetID(), c, keep_and_restore));
  return {};
}

} // namespace matricula::storage
