#include "storage/local_log.hpp"

#include "foundation/log.hpp"
#include "storage/keys.hpp"
#include "storage/shard_transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace matricula::storage {

namespace {

constexpr unsigned place_bits = 20; // a group holds fewer batches than this counts
constexpr milliseconds full_retry_after{5'000};

position place(std::uint64_t group, std::uint64_t index) noexcept { return {group << place_bits | index}; }

struct item {
  batch what;
  tenure held;
  std::size_t room; ///< reserved bytes
  bool fenced;
  completion<verdict, position> settled;
};

struct grant {
  tenure of;
  completion<result<tenure>> granted;
};

struct partition_state {
  std::uint64_t token = 0;   ///< the only one that may write
  std::size_t in_flight = 0; ///< appends that are not settled
  std::vector<grant> waiting;
};

std::string failed_message() {
  return "the store failed and is about to be recovered by a restart; try again after it";
}

} // namespace

struct local_log::impl {
  store& target;
  local_log_options options;
  log_stats stats;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool driver_waits = false;
  bool driving = false;
  bool stopping = false;
  bool failed = false;
  bool told_fatal = false;
  std::uint64_t next_token;
  std::size_t reserved_bytes = 0;
  std::size_t reserved_batches = 0;
  std::uint32_t groups_since_disk_check = 0;
  std::deque<item> queue;
  std::vector<grant> ready;
  std::map<std::pair<shard_id, std::uint64_t>, partition_state> partitions;

  impl(store& to, local_log_options o) : target(to), options(std::move(o)), next_token(to.incarnation() << 32) {}

  void wake_driver() {
    if (driver_waits) wake.notify_one();
  }
  [[nodiscard]] bool has_work() const { return !queue.empty() || !ready.empty(); }
  std::vector<item> take_group(std::size_t batches_max);
  void release_room(const std::vector<item>& group);
  void settle(std::vector<item>& group, verdict v, std::uint64_t number);
  void finish(const std::vector<item>& group);
  void deliver(std::vector<grant> grants, bool store_failed);
  void fail_everything(const error& why, std::vector<item> group);
  result<group_info> commit(const std::vector<item>& group);
};

local_log::local_log(store& to, local_log_options options) : impl_(std::make_unique<impl>(to, std::move(options))) {
  require(impl_->options.now != nullptr, "a commit log is told the time");
  require(to.incarnation() > 0, "a commit log needs a store that is open for writing");
}

local_log::~local_log() {
  std::vector<item> left{std::make_move_iterator(impl_->queue.begin()), std::make_move_iterator(impl_->queue.end())};
  impl_->queue.clear();
  impl_->settle(left, verdict::unknown, 0);
}

void local_log::acquire(shard_id shard, std::string_view partition, completion<result<tenure>> granted) {
  require(shard.value < shard_count, "a shard is 0 to 63");
  const auto hash = hash64(partition);
  const std::lock_guard guard{impl_->mutex};
  auto& p = impl_->partitions[{shard, hash}];
  p.token = ++impl_->next_token; // from here on the predecessor's appends are fenced
  grant g{{shard, hash, p.token}, std::move(granted)};
  (p.in_flight == 0 ? impl_->ready : p.waiting).push_back(std::move(g));
  impl_->wake_driver();
}

result<permit> local_log::reserve(const tenure& held, std::size_t bytes) noexcept {
  auto& i = *impl_;
  if (bytes > batch::bytes_max)
    return fail(errc::invalid_argument, fmt::format("a batch holds at most {} bytes", batch::bytes_max));
  if (i.options.guard && i.options.guard->full()) {
    ++i.stats.refused_full;
    return fail(errc::storage_full, "the disk is nearly full: reading goes on, writing needs free space",
                full_retry_after);
  }
  const std::lock_guard guard{i.mutex};
  if (i.failed || i.stopping) return fail(errc::unavailable, i.failed ? failed_message() : "the node is stopping");
  if (i.reserved_bytes + bytes > i.options.queue_bytes_max || i.reserved_batches >= i.options.queue_batches_max) {
    ++i.stats.refused_overloaded;
    return fail(errc::overloaded, "the write queue is full; try again", i.options.retry_after);
  }
  i.reserved_bytes += bytes;
  ++i.reserved_batches;
  i.stats.queue_bytes = i.reserved_bytes;
  return make_permit(held, bytes);
}

void local_log::give_back(const tenure&, std::size_t bytes) noexcept {
  const std::lock_guard guard{impl_->mutex};
  impl_->reserved_bytes -= bytes;
  --impl_->reserved_batches;
  impl_->stats.queue_bytes = impl_->reserved_bytes;
}

void local_log::append(permit room, batch what, completion<verdict, position> settled) noexcept {
  const auto held = room.held();
  require(what.fits() && what.bytes() <= room.bytes(), "a batch keeps the limits and fits its permit");
  require(what.shard() == held.shard, "a batch is of its tenure's shard");
  consume(room);
  const std::lock_guard guard{impl_->mutex};
  const auto p = impl_->partitions.find({held.shard, held.partition});
  const bool fenced = p == impl_->partitions.end() || p->second.token != held.token;
  if (!fenced) ++p->second.in_flight;
  impl_->queue.push_back({std::move(what), held, room.bytes(), fenced, std::move(settled)});
  impl_->stats.queue_batches = impl_->queue.size();
  impl_->wake_driver();
}

result<std::shared_ptr<const view>> local_log::read(shard_id, position at_least) const {
  if (impl_->target.dead()) return fail(errc::unavailable, failed_message());
  if (at_least.seq >> place_bits > impl_->target.last_group().number)
    return fail(errc::unavailable, "this node has not yet reached the position asked for; try again",
                impl_->options.retry_after);
  return impl_->target.snapshot();
}

result<position> local_log::export_shard(shard_id shard, std::string_view directory) {
  const auto up_to = impl_->target.last_group().number;
  const auto rows = impl_->target.snapshot();
  if (auto written = storage::export_shard(*rows, shard, up_to, std::string(directory)); !written)
    return std::unexpected(written.error());
  return place(up_to, 0);
}

result<position> local_log::import_shard(shard_id shard, std::string_view directory) {
  {
    const std::lock_guard guard{impl_->mutex};
    for (const auto& [where, p] : impl_->partitions)
      if (where.first == shard && p.in_flight > 0)
        return fail(errc::conflict, "the shard is being written; stop what writes it first");
  }
  if (auto loaded = storage::import_shard(impl_->target, shard, std::string(directory), impl_->options.now()); !loaded)
    return std::unexpected(loaded.error());
  return place(impl_->target.last_group().number, 0);
}

local_log::work local_log::wait_for_work(milliseconds timeout) {
  std::unique_lock lock{impl_->mutex};
  impl_->driver_waits = true;
  impl_->wake.wait_for(lock, timeout, [this] { return impl_->has_work() || impl_->stopping; });
  impl_->driver_waits = false;
  if (impl_->has_work()) return work::ready;
  return impl_->stopping ? work::stopped : work::none;
}

void local_log::stop() {
  const std::lock_guard guard{impl_->mutex};
  impl_->stopping = true;
  impl_->wake.notify_all();
}

bool local_log::idle() const {
  const std::lock_guard guard{impl_->mutex};
  return !impl_->has_work();
}

const log_stats& local_log::stats() const noexcept { return impl_->stats; }
store& local_log::target() const noexcept { return impl_->target; }

void local_log::check_disk() {
  if (impl_->options.guard) impl_->options.guard->check();
}

/// @pre the mutex is held
std::vector<item> local_log::impl::take_group(std::size_t batches_max) {
  std::vector<item> group;
  std::size_t bytes = 0;
  std::size_t operations = 0;
  while (!queue.empty() && group.size() < batches_max && bytes < options.group_bytes_max &&
         operations < options.group_operations_max && group.size() + 1 < (std::size_t{1} << place_bits)) {
    bytes += queue.front().what.bytes();
    operations += queue.front().what.operations();
    group.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  stats.queue_batches = queue.size();
  return group;
}

/// Before the completions: whoever is answered and writes again finds room.
void local_log::impl::release_room(const std::vector<item>& group) {
  const std::lock_guard guard{mutex};
  for (const auto& i : group) reserved_bytes -= i.room;
  reserved_batches -= group.size();
  stats.queue_bytes = reserved_bytes;
}

void local_log::impl::settle(std::vector<item>& group, verdict v, std::uint64_t number) {
  std::uint64_t index = 0;
  for (auto& i : group) {
    ++index;
    if (i.fenced) {
      ++stats.fenced;
      i.settled(verdict::fenced, position{});
    } else {
      if (v == verdict::unknown) ++stats.unknown;
      i.settled(v, v == verdict::durable ? place(number, index) : position{});
    }
  }
}

/// After the completions: tenures that waited for these appends are ready.
void local_log::impl::finish(const std::vector<item>& group) {
  const std::lock_guard guard{mutex};
  for (const auto& i : group) {
    if (i.fenced) continue;
    auto& p = partitions[{i.held.shard, i.held.partition}];
    if (--p.in_flight > 0) continue;
    for (auto& g : p.waiting) ready.push_back(std::move(g));
    p.waiting.clear();
  }
}

void local_log::impl::deliver(std::vector<grant> grants, bool store_failed) {
  for (auto& g : grants) {
    if (store_failed)
      g.granted(fail(errc::unavailable, failed_message()));
    else
      g.granted(g.of);
  }
}

result<group_info> local_log::impl::commit(const std::vector<item>& group) {
  group_info info;
  std::vector<const batch*> batches;
  batches.reserve(group.size());
  for (const auto& i : group) {
    if (i.fenced) continue;
    batches.push_back(&i.what);
    ++info.batches;
    info.operations += i.what.operations();
    info.bytes += i.what.bytes();
  }
  if (batches.empty()) return info;
  const auto began = options.monotonic ? options.monotonic() : std::chrono::nanoseconds{};
  const auto written = target.commit(batches, options.now());
  if (!written) return std::unexpected(written.error());
  if (options.monotonic) info.sync_time = options.monotonic() - began;
  info.number = written->number;
  ++stats.groups;
  stats.batches += info.batches;
  stats.operations += info.operations;
  stats.bytes += info.bytes;
  stats.sync_nanoseconds += static_cast<std::uint64_t>(info.sync_time.count());
  return info;
}

/// The store is lost to this process: everything that was or will be queued has an unknown outcome.
void local_log::impl::fail_everything(const error& why, std::vector<item> group) {
  std::vector<grant> grants;
  bool first = false;
  {
    const std::lock_guard guard{mutex};
    failed = true;
    first = !std::exchange(told_fatal, true);
    std::ranges::move(queue, std::back_inserter(group));
    queue.clear();
    stats.queue_batches = 0;
    grants = std::exchange(ready, {});
    for (auto& [where, p] : partitions) {
      std::ranges::move(p.waiting, std::back_inserter(grants));
      p.waiting.clear();
    }
  }
  if (first) log::error("store.failed", why.message, {{"batches_unknown", group.size()}});
  release_room(group);
  if (options.before_completions) options.before_completions();
  settle(group, verdict::unknown, 0);
  if (options.after_completions) options.after_completions();
  finish(group);
  deliver(std::move(grants), true);
  if (first && options.fatal) options.fatal(why.message);
}

bool local_log::write_group(std::size_t batches_max) {
  auto& i = *impl_;
  std::vector<item> group;
  std::vector<grant> grants;
  bool failed = false;
  {
    const std::lock_guard guard{i.mutex};
    require(!std::exchange(i.driving, true), "one thread at a time drives a commit log");
    failed = i.failed;
    group = i.take_group(std::max<std::size_t>(batches_max, 1));
    grants = std::exchange(i.ready, {});
  }
  const bool busy = !group.empty() || !grants.empty();
  i.deliver(std::move(grants), failed);
  if (!group.empty()) {
    const auto info = failed ? result<group_info>{fail(errc::unavailable, failed_message())} : i.commit(group);
    if (!info) {
      i.fail_everything(info.error(), std::move(group));
    } else {
      i.release_room(group);
      if (i.options.before_completions) i.options.before_completions();
      i.settle(group, verdict::durable, info->number);
      if (i.options.after_completions) i.options.after_completions();
      i.finish(group);
      if (i.options.wrote && info->batches > 0) i.options.wrote(*info);
      if (++i.groups_since_disk_check >= i.options.groups_between_disk_checks) {
        i.groups_since_disk_check = 0;
        check_disk();
      }
      {
        const std::lock_guard guard{i.mutex};
        grants = std::exchange(i.ready, {});
      }
      i.deliver(std::move(grants), false);
    }
  }
  const std::lock_guard guard{i.mutex};
  i.driving = false;
  return busy;
}

} // namespace matricula::storage
