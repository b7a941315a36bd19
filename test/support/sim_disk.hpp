/// A disk in memory that knows what was synced, and RocksDB's environment on it: no threads, no clock of its own.
/// Names survive a power cut only when their directory was synced, bytes only when their file was; a seeded part of the
/// rest may survive as well, whole, cut off or torn. The same calls with the same random numbers give the same disk.
/// Not thread safe: a simulation has one thread.
#pragma once
#include "foundation/random.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace matricula::test {

class sim_disk final : public rocksdb::FileSystem {
public:
  /// What is on the platter after a power cut now, as a disk of its own. The old disk goes on working: what the dying
  /// node still does on it is never read by anybody.
  [[nodiscard]] std::shared_ptr<sim_disk> power_cut(random_source& random) const;

  /// What the next process finds after a SIGKILL now, as a disk of its own: everything that was written, synced or not.
  [[nodiscard]] std::shared_ptr<sim_disk> killed() const;

  /// The next `calls` reads, writes and syncs work; all later ones fail. Negative: none fails.
  void fail_after(std::int64_t calls) noexcept { fail_after_ = calls; }
  /// A planted fault: syncs say that they worked and do nothing.
  void lie_about_syncs(bool lying) noexcept { lying_ = lying; }
  [[nodiscard]] std::uint64_t writes() const noexcept { return writes_; }
  [[nodiscard]] std::uint64_t syncs() const noexcept { return syncs_; }

  /// The live bytes of a file; empty when there is none.
  [[nodiscard]] std::string contents(const std::string& name) const;
  /// Replaces the live and the durable bytes of a file: a fault of the medium.
  void damage(const std::string& name, std::string bytes);
  [[nodiscard]] std::vector<std::string> names() const;

  struct overwrite {
    std::size_t offset;
    std::string before;
  };
  /// The durable bytes are the first `synced` ones with `unsynced` taken back, last first.
  struct inode {
    std::string data;
    std::size_t synced = 0;
    std::vector<overwrite> unsynced;
  };
  using inode_ptr = std::shared_ptr<inode>;

  const char* Name() const override { return "sim_disk"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* out,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* out,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* out,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* out,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* out, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& directory, const rocksdb::IOOptions& options,
                                std::vector<std::string>* out, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& name, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& name, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& name, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& name, const rocksdb::IOOptions& options, std::uint64_t* out,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& name, const rocksdb::IOOptions& options,
                                            std::uint64_t* out, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::FileLock** out,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetTestDirectory(const rocksdb::IOOptions& options, std::string* out,
                                     rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetAbsolutePath(const std::string& name, const rocksdb::IOOptions& options, std::string* out,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus IsDirectory(const std::string& name, const rocksdb::IOOptions& options, bool* out,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& name, const rocksdb::IOOptions& options, std::uint64_t* out,
                                 rocksdb::IODebugContext* debug) override;

  // For the open files.
  [[nodiscard]] rocksdb::IOStatus gate();
  [[nodiscard]] rocksdb::IOStatus write(inode& file, std::size_t offset, const rocksdb::Slice& bytes);
  [[nodiscard]] rocksdb::IOStatus sync(inode& file);
  [[nodiscard]] rocksdb::IOStatus sync_names(const std::string& directory);

private:
  [[nodiscard]] inode_ptr find(const std::string& name) const;
  std::map<std::string, inode_ptr> live_;    ///< what the node sees
  std::map<std::string, inode_ptr> durable_; ///< names as of the last sync of their directory
  std::set<std::string> directories_;
  std::set<std::string> locks_;
  std::uint64_t writes_ = 0;
  std::uint64_t syncs_ = 0;
  std::int64_t fail_after_ = -1;
  bool lying_ = false;
};

/// RocksDB's background work becomes a list that the simulation runs when the seed says so.
class sim_env final : public rocksdb::EnvWrapper {
public:
  /// Two sources of time: `now_micros` is what RocksDB sees.
  explicit sim_env(std::shared_ptr<sim_disk> disk);
  ~sim_env() override;

  [[nodiscard]] sim_disk& disk() const noexcept { return *disk_; }
  [[nodiscard]] std::size_t jobs() const noexcept { return jobs_.size(); }
  /// Runs one waiting job, chosen at random. False when there is none.
  bool run_one(random_source& random);
  /// Runs all, those too that they bring about.
  void run_all(random_source& random) {
    while (run_one(random)) {
    }
  }
  void advance(std::uint64_t micros) noexcept { now_micros_ += micros; }

  void Schedule(void (*run)(void*), void* argument, Priority priority, void* tag, void (*undo)(void*)) override;
  int UnSchedule(void* tag, Priority priority) override;
  void StartThread(void (*run)(void*), void* argument) override;
  unsigned GetThreadPoolQueueLen(Priority priority) const override;
  void SetBackgroundThreads(int count, Priority priority) override;
  void IncBackgroundThreadsIfNeeded(int count, Priority priority) override;
  std::uint64_t NowMicros() override { return now_micros_; }
  std::uint64_t NowNanos() override { return now_micros_ * 1'000; }
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override;
  void SleepForMicroseconds(int micros) override;

private:
  struct job {
    void (*run)(void*);
    void* argument;
    Priority priority;
    void* tag;
    void (*undo)(void*);
  };
  sim_env(std::shared_ptr<sim_disk> disk, std::unique_ptr<rocksdb::Env> base);
  std::shared_ptr<sim_disk> disk_;
  std::unique_ptr<rocksdb::Env> base_;
  std::deque<job> jobs_;
  std::uint64_t now_micros_ = 1'700'000'000'000'000;
};

} // namespace matricula::test
