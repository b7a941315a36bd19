#include "storage/store.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "foundation/log.hpp"
#include "storage/net_operations.hpp"
#include "storage/opening.hpp"
#include "storage/rocks_error.hpp"
#include "storage/rocks_view.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <system_error>

namespace matricula::storage {

namespace {

void add_put(byte_writer& to, std::string_view key, std::string_view value) {
  to.u8(1).u8(static_cast<std::uint8_t>(column::meta)).text(key).text(value);
}

std::string varint(std::uint64_t v) { return byte_writer{}.varint(v).str(); }

std::string make_node_id(const store_options& o) {
  byte_writer id;
  id.big64(o.random()).big64(o.random());
  return to_hex(id.str());
}

} // namespace

struct store::impl {
  store_options options;
  std::shared_ptr<handle> open_handle;
  std::unique_ptr<mark_file> marks; ///< none when read only
  std::optional<mark> mark_found;
  std::uint32_t format = 0;
  std::string node_id;
  std::uint64_t incarnation = 0;
  std::uint64_t groups_chained = 0;

  std::mutex writing; ///< one group at a time
  rocksdb::WriteBatch scratch;
  net_operations net;
  mutable std::mutex guarding_last;
  group_record last;

  result<group_record> write(std::span<const std::string_view> operations, timestamp at);
  result<void> sync_write();
  result<void> migrate();
  result<void> begin(const self_description& found);
  result<group_record> write_node_rows(const byte_writer& rows) {
    const std::string_view operations[] = {rows.str()};
    return write(operations, time_of_opening());
  }
  /// Opening is no reason to believe the clock: what the store writes then carries the time of the last group, so that
  /// this stays the last time that somebody vouched for.
  [[nodiscard]] timestamp time_of_opening() const { return last.number > 0 ? last.at : options.now(); }
};

result<void> store::impl::sync_write() {
  rocksdb::WriteOptions how;
  how.sync = true;
  how.no_slowdown = options.no_threads;
  auto s = open_handle->db().Write(how, &scratch);
  // Without threads nobody would end the stall that the write waits for.
  while (s.IsIncomplete() && options.while_stalled && options.while_stalled())
    s = open_handle->db().Write(how, &scratch);
  if (s.ok()) return {};
  open_handle->kill();
  return std::unexpected(
      to_error(s, "a group could not be written and synced; the store must be recovered by a restart"));
}

result<group_record> store::impl::write(std::span<const std::string_view> operations, timestamp at) {
  const std::lock_guard one{writing};
  if (options.read_only) return fail(errc::conflict, "the store was opened read only");
  if (open_handle->dead()) return fail(errc::unavailable, "the store has failed and must be recovered by a restart");
  group_record next;
  next.number = last.number + 1;
  next.at = std::max(at, last.at);
  chain_hash chain{last.chain, next.number, next.at};
  scratch.Clear();
  auto& h = *open_handle;
  require(net.assign(operations), "a batch holds well-formed operations");
  for (const auto& o : net.all()) {
    if (o.superseded) continue;
    chain.add(o.encoded);
    const auto staged = o.put ? scratch.Put(h[o.where], o.key, o.value) : scratch.Delete(h[o.where], o.key);
    require(staged.ok(), "an operation fits");
  }
  next.chain = chain.finish();
  require(scratch.Put(h[column::meta], group_key, encode(next)).ok(), "the group's own row fits");
  if (auto written = sync_write(); !written) return std::unexpected(written.error());
  if (auto marked = marks->write({next.number, next.chain}); !marked) {
    h.kill();
    return std::unexpected(marked.error());
  }
  const std::lock_guard guard{guarding_last};
  last = next;
  return next;
}

result<void> store::impl::migrate() {
  for (const auto& step : options.migrations) {
    if (step.to <= format || step.to > options.format) continue;
    require(step.to == format + 1, "migrations are in order and without a gap");
    log::info("store.migrating", step.name, {{"to_format", step.to}});
    const auto before = make_snapshot(open_handle);
    const auto migrated = step.run(*before, [this](const batch& b) -> result<void> {
      const std::string_view operations[] = {b.encoded()};
      if (auto written = write(operations, time_of_opening()); !written) return std::unexpected(written.error());
      return {};
    });
    if (!migrated)
      return fail(migrated.error().code,
                  fmt::format("the step to store format {} ({}) failed: {}. Start again to repeat "
                              "it, or restore the backup made before",
                              step.to, step.name, migrated.error().message));
    byte_writer rows;
    add_put(rows, format_key, varint(step.to));
    if (auto written = write_node_rows(rows); !written) return std::unexpected(written.error());
    format = step.to;
  }
  if (format < options.format)
    return fail(errc::unsupported, fmt::format("no step leads from store format {} to {}", format, options.format));
  return {};
}

/// The first group of this opening: it counts it, so that tenures are never granted twice.
result<void> store::impl::begin(const self_description& found) {
  const bool fresh = !found.format;
  incarnation = found.incarnation + 1;
  node_id = fresh ? make_node_id(options) : found.node_id;
  format = fresh ? options.format : *found.format;
  byte_writer rows;
  if (fresh) {
    add_put(rows, format_key, varint(format));
    add_put(rows, node_id_key, node_id);
  }
  add_put(rows, incarnation_key, varint(incarnation));
  if (auto written = write_node_rows(rows); !written) return std::unexpected(written.error());
  return migrate();
}

store::store(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

store::~store() {
  if (!impl_->marks || dead()) return;
  if (const auto synced = impl_->marks->sync(); !synced) log::warning("store.mark_not_synced", synced.error().message);
}

result<std::unique_ptr<store>> store::open(store_options o) {
  if (!o.now) o.now = [] { return system_clock{}.wall(); };
  if (!o.random) o.random = [source = std::make_shared<secure_random>()] { return source->next(); };
  auto& env = o.env ? *o.env : *rocksdb::Env::Default();

  auto lock = lock_directory(env, o);
  if (!lock) return std::unexpected(lock.error());
  auto i = std::make_unique<impl>();
  i->open_handle = std::make_shared<handle>(env, *lock); // gives the lock back on every way out

  auto witnessed = mark_file::read(env, o.directory);
  if (!witnessed) return std::unexpected(witnessed.error());
  i->mark_found = *witnessed;
  auto fresh = is_new(env, o.directory);
  if (!fresh) return std::unexpected(fresh.error());
  self_description found;
  if (!*fresh) {
    auto looked = look(o);
    if (!looked) return std::unexpected(looked.error());
    found = std::move(*looked);
  }
  if (auto accepted = accept(found, i->mark_found, o); !accepted) return std::unexpected(accepted.error());
  if (*fresh && o.read_only) return fail(errc::not_found, fmt::format("there is no store in {}", o.directory));

  if (!o.read_only && !o.env) {
    std::error_code ignored;
    std::filesystem::remove_all(std::filesystem::path(o.directory) / checkpoint_name, ignored);
  }
  if (auto opened = open_database(o, *i->open_handle); !opened) return std::unexpected(opened.error());
  auto described = describe(i->open_handle->db(), (*i->open_handle)[column::meta]);
  if (!described) return std::unexpected(described.error());
  if (described->last != found.last)
    return fail(errc::corrupt, fmt::format("the store in {} recovered group {} where a look at it had found group {}",
                                           o.directory, described->last.number, found.last.number));
  i->last = found.last;
  i->format = found.format.value_or(o.format);
  i->node_id = found.node_id;
  i->groups_chained = found.groups_chained;
  const bool read_only = o.read_only;
  i->options = std::move(o);
  if (!read_only) {
    // After an accepted loss numbering goes on above the mark: no number ever means two groups.
    if (i->mark_found) i->last.number = std::max(i->last.number, i->mark_found->number);
    auto marks = mark_file::open(env, i->options.directory);
    if (!marks) return std::unexpected(marks.error());
    i->marks = std::move(*marks);
    if (auto begun = i->begin(found); !begun) return std::unexpected(begun.error());
    // From here on a power cut leaves a mark at least this high.
    if (auto synced = i->marks->sync(); !synced) return std::unexpected(synced.error());
  }
  return std::unique_ptr<store>(new store(std::move(i)));
}

result<group_record> store::commit(std::span<const batch* const> batches, timestamp at) {
  std::vector<std::string_view> operations;
  operations.reserve(batches.size());
  for (const auto* b : batches) operations.push_back(b->encoded());
  return impl_->write(operations, at);
}

std::shared_ptr<const view> store::snapshot() const { return make_snapshot(impl_->open_handle); }
std::shared_ptr<const view> store::latest() const { return make_latest(impl_->open_handle); }
bool store::dead() const noexcept { return impl_->open_handle->dead(); }
group_record store::last_group() const {
  const std::lock_guard guard{impl_->guarding_last};
  return impl_->last;
}
const std::string& store::node_id() const noexcept { return impl_->node_id; }
std::uint64_t store::incarnation() const noexcept { return impl_->incarnation; }
std::uint32_t store::format() const noexcept { return impl_->format; }
const std::string& store::directory() const noexcept { return impl_->options.directory; }
const std::optional<mark>& store::mark_at_open() const noexcept { return impl_->mark_found; }

result<void> store::checkpoint(const std::string& target) const {
  if (dead()) return fail(errc::unavailable, "the store has failed and must be recovered by a restart");
  rocksdb::Checkpoint* raw = nullptr;
  auto s = rocksdb::Checkpoint::Create(&impl_->open_handle->db(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> maker{raw};
  if (s.ok()) s = maker->CreateCheckpoint(target);
  if (!s.ok()) return std::unexpected(to_error(s, fmt::format("cannot make a checkpoint in {}", target)));
  return {};
}

result<void> store::flush() {
  if (dead()) return fail(errc::unavailable, "the store has failed and must be recovered by a restart");
  auto& h = *impl_->open_handle;
  std::vector<rocksdb::ColumnFamilyHandle*> all;
  for (std::size_t c = 0; c < column_count; ++c) all.push_back(h[static_cast<column>(c)]);
  rocksdb::FlushOptions how;
  how.wait = !impl_->options.no_threads;
  how.allow_write_stall = true;
  if (const auto s = h.db().Flush(how, all); !s.ok()) return std::unexpected(to_error(s, "cannot flush the store"));
  return {};
}

result<void> store::verify_checksums() const {
  if (const auto s = impl_->open_handle->db().VerifyChecksum(); !s.ok())
    return std::unexpected(to_error(s, "a table file is damaged"));
  return {};
}

std::uint64_t store::groups_chained() const noexcept { return impl_->groups_chained; }

} // namespace matricula::storage
