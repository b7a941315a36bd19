/// The commit log of a single node: whatever arrived while the last group was synced becomes the next group.
/// A plain class without a thread: a driver calls `write_group`, which is a thread in production (log_writer.hpp) and
/// a step of the scheduler in a simulation.
#pragma once
#include "storage/commit_log.hpp"
#include "storage/disk_guard.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace matricula::storage {

/// One written group, for histograms.
struct group_info {
  std::uint64_t number = 0;
  std::size_t batches = 0;
  std::size_t operations = 0;
  std::size_t bytes = 0;
  std::chrono::nanoseconds sync_time; ///< write and sync; 0 without `local_log_options::monotonic`
};

struct local_log_options {
  std::size_t queue_bytes_max = std::size_t{16} << 20; ///< reserved and queued
  std::size_t queue_batches_max = 20'000;              ///< reserved and queued
  std::size_t group_bytes_max = std::size_t{4} << 20;  ///< a group ends with the batch that reaches it
  std::size_t group_operations_max = 50'000;           ///< likewise
  milliseconds retry_after{100};                       ///< told to whom a bound refuses
  std::uint32_t groups_between_disk_checks = 16;

  std::function<timestamp()> now;                      ///< the wall time of a group; required
  std::function<std::chrono::nanoseconds()> monotonic; ///< measures the sync; optional
  std::function<void()> before_completions;            ///< once per group, on the driver's thread
  std::function<void()> after_completions;             ///< likewise; called also when the group failed
  std::function<void(const group_info&)> wrote;        ///< once per durable group, after its completions
  /// Called once, after the completions, when a write or sync failed. Production ends the process.
  std::function<void(std::string)> fatal;
  disk_guard* guard = nullptr; ///< refuses reservations when the disk is full; must outlive the log
};

/// Counters since the start; read at any time.
struct log_stats {
  std::atomic<std::uint64_t> groups{0}; ///< each is one sync of the write-ahead log
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> operations{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> sync_nanoseconds{0};
  std::atomic<std::uint64_t> fenced{0};
  std::atomic<std::uint64_t> unknown{0};
  std::atomic<std::uint64_t> refused_overloaded{0};
  std::atomic<std::uint64_t> refused_full{0};
  std::atomic<std::uint64_t> queue_batches{0}; ///< now waiting, not counting the group being written
  std::atomic<std::uint64_t> queue_bytes{0};   ///< now reserved, queued or being written
};

/// Thread safe, but only one thread at a time drives it. Must outlive its permits.
/// Completions run on the driver's thread, outside all locks, in the order of the appends.
class local_log final : public commit_log {
public:
  local_log(store& to, local_log_options options);
  /// What is still queued completes `unknown`.
  ~local_log() override;
  local_log(const local_log&) = delete;
  local_log& operator=(const local_log&) = delete;

  void acquire(shard_id shard, std::string_view partition, completion<result<tenure>> granted) override;
  [[nodiscard]] result<permit> reserve(const tenure& held, std::size_t bytes) noexcept override;
  void append(permit room, batch what, completion<verdict, position> settled) noexcept override;
  /// Errors: unavailable when the store failed or `at_least` is in the future.
  [[nodiscard]] result<std::shared_ptr<const view>> read(shard_id shard, position at_least = {}) const override;
  [[nodiscard]] result<position> export_shard(shard_id shard, std::string_view directory) override;
  [[nodiscard]] result<position> import_shard(shard_id shard, std::string_view directory) override;

  enum class work : std::uint8_t { ready, none, stopped };
  /// For the driver: waits until there is something for `write_group`. `stopped` after `stop` once nothing is left.
  [[nodiscard]] work wait_for_work(milliseconds timeout);
  /// Writes one group of what is queued, at most `batches_max` batches, completes it and grants tenures that waited.
  /// Returns whether there was anything to do.
  bool write_group(std::size_t batches_max = SIZE_MAX);
  /// Refuses new reservations; what is appended is still written.
  void stop();
  /// Whether there is nothing for `write_group` to do.
  [[nodiscard]] bool idle() const;

  [[nodiscard]] const log_stats& stats() const noexcept;
  [[nodiscard]] store& target() const noexcept;
  /// Asks for the free space again; the driver calls it now and then while idle.
  void check_disk();

protected:
  void give_back(const tenure& t, std::size_t bytes) noexcept override;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace matricula::storage
