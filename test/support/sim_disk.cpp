#include "test/support/sim_disk.hpp"

#include "foundation/error.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace matricula::test {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

/// Without doubled or trailing slashes.
std::string normal(const std::string& path) {
  std::string out;
  for (const char c : path)
    if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

std::string parent(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

IOStatus copy_out(const sim_disk::inode& file, std::uint64_t offset, std::size_t n, Slice* out, char* scratch) {
  n = offset < file.data.size() ? std::min<std::size_t>(n, file.data.size() - offset) : 0;
  std::memcpy(scratch, file.data.data() + std::min<std::size_t>(offset, file.data.size()), n);
  *out = Slice(scratch, n);
  return IOStatus::OK();
}

class sequential_file final : public rocksdb::FSSequentialFile {
public:
  explicit sequential_file(sim_disk::inode_ptr file) : file_(std::move(file)) {}
  IOStatus Read(std::size_t n, const IOOptions&, Slice* out, char* scratch, IODebugContext*) override {
    auto s = copy_out(*file_, at_, n, out, scratch);
    at_ += out->size();
    return s;
  }
  IOStatus Skip(std::uint64_t n) override {
    at_ = std::min<std::size_t>(at_ + n, file_->data.size());
    return IOStatus::OK();
  }

private:
  sim_disk::inode_ptr file_;
  std::size_t at_ = 0;
};

class random_file final : public rocksdb::FSRandomAccessFile {
public:
  explicit random_file(sim_disk::inode_ptr file) : file_(std::move(file)) {}
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions&, Slice* out, char* scratch,
                IODebugContext*) const override {
    return copy_out(*file_, offset, n, out, scratch);
  }

private:
  sim_disk::inode_ptr file_;
};

class writable_file final : public rocksdb::FSWritableFile {
public:
  writable_file(sim_disk& disk, sim_disk::inode_ptr file) : disk_(disk), file_(std::move(file)) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& bytes, const IOOptions&, IODebugContext*) override {
    return disk_.write(*file_, file_->data.size(), bytes);
  }
  IOStatus Truncate(std::uint64_t n, const IOOptions&, IODebugContext*) override {
    file_->data.resize(n);
    file_->synced = std::min<std::size_t>(file_->synced, n);
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_.sync(*file_); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_.sync(*file_); }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return file_->data.size(); }

private:
  sim_disk& disk_;
  sim_disk::inode_ptr file_;
};

class rewritable_file final : public rocksdb::FSRandomRWFile {
public:
  rewritable_file(sim_disk& disk, sim_disk::inode_ptr file) : disk_(disk), file_(std::move(file)) {}
  IOStatus Write(std::uint64_t offset, const Slice& bytes, const IOOptions&, IODebugContext*) override {
    return disk_.write(*file_, offset, bytes);
  }
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions&, Slice* out, char* scratch,
                IODebugContext*) const override {
    return copy_out(*file_, offset, n, out, scratch);
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_.sync(*file_); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

private:
  sim_disk& disk_;
  sim_disk::inode_ptr file_;
};

class directory final : public rocksdb::FSDirectory {
public:
  directory(sim_disk& disk, std::string name) : disk_(disk), name_(std::move(name)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_.sync_names(name_); }

private:
  sim_disk& disk_;
  std::string name_;
};

class held_lock final : public rocksdb::FileLock {
public:
  explicit held_lock(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }

private:
  std::string name_;
};

/// What the platter holds of one file: all that was synced, and of the rest what chance left.
sim_disk::inode_ptr survivor(const sim_disk::inode& file, bool only_synced, random_source& random) {
  auto out = std::make_shared<sim_disk::inode>(file);
  // The platter holds the overwritten places as they were at some moment since the sync.
  const auto undone =
      only_synced || random.below(3) == 0 ? out->unsynced.size() : random.below(out->unsynced.size() + 1);
  for (std::size_t i = 0; i < undone; ++i) {
    const auto& last = out->unsynced[out->unsynced.size() - 1 - i];
    out->data.replace(last.offset, last.before.size(), last.before);
  }
  out->unsynced.clear();
  if (out->data.size() > out->synced) {
    const auto tail = out->data.size() - out->synced;
    const auto kept = only_synced || random.below(3) == 0 ? 0 : random.below(tail + 1);
    out->data.resize(out->synced + kept);
    if (kept > 8 && random.below(4) == 0) {
      auto& torn = out->data[out->synced + random.below(kept)];
      torn = static_cast<char>(torn ^ 0x40);
    }
  }
  out->synced = out->data.size();
  return out;
}

} // namespace

std::shared_ptr<sim_disk> sim_disk::power_cut(random_source& random) const {
  auto out = std::make_shared<sim_disk>();
  std::map<const inode*, inode_ptr> copies; // hard links stay links
  const auto copy = [&](const inode_ptr& file, bool only_synced) {
    auto& made = copies[file.get()];
    if (!made) made = survivor(*file, only_synced, random);
    return made;
  };
  for (const auto& [name, file] : durable_) out->durable_[name] = copy(file, false);
  // Names that were made or changed since survive by chance, with no more than their synced bytes.
  for (const auto& [name, file] : live_)
    if (!durable_.contains(name) && random.below(2) == 0) out->durable_[name] = copy(file, true);
  out->live_ = out->durable_;
  out->directories_ = directories_;
  return out;
}

std::shared_ptr<sim_disk> sim_disk::killed() const {
  auto out = std::make_shared<sim_disk>();
  std::map<const inode*, inode_ptr> copies;
  const auto copy = [&](const inode_ptr& file) {
    auto& made = copies[file.get()];
    if (!made) made = std::make_shared<inode>(*file);
    return made;
  };
  for (const auto& [name, file] : live_) out->live_[name] = copy(file);
  for (const auto& [name, file] : durable_) out->durable_[name] = copy(file);
  out->directories_ = directories_;
  return out;
}

std::string sim_disk::contents(const std::string& name) const {
  const auto file = find(name);
  return file ? file->data : std::string{};
}

void sim_disk::damage(const std::string& name, std::string bytes) {
  const auto file = find(name);
  require(file != nullptr, "only a file that is there can be damaged");
  file->data = std::move(bytes);
  file->synced = file->data.size();
  file->unsynced.clear();
}

std::vector<std::string> sim_disk::names() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : live_) out.push_back(name);
  return out;
}

IOStatus sim_disk::gate() {
  if (fail_after_ == 0) return IOStatus::IOError("simulated: the disk is gone");
  if (fail_after_ > 0) --fail_after_;
  return IOStatus::OK();
}

IOStatus sim_disk::write(inode& file, std::size_t offset, const Slice& bytes) {
  ++writes_;
  if (auto s = gate(); !s.ok()) return s;
  if (offset < file.synced) {
    const auto overwritten = std::min(file.synced - offset, bytes.size());
    file.unsynced.push_back({offset, file.data.substr(offset, overwritten)});
  }
  if (file.data.size() < offset + bytes.size()) file.data.resize(offset + bytes.size());
  file.data.replace(offset, bytes.size(), bytes.data(), bytes.size());
  return IOStatus::OK();
}

IOStatus sim_disk::sync(inode& file) {
  ++syncs_;
  if (auto s = gate(); !s.ok()) return s;
  if (lying_) return IOStatus::OK();
  file.synced = file.data.size();
  file.unsynced.clear();
  return IOStatus::OK();
}

IOStatus sim_disk::sync_names(const std::string& directory) {
  if (auto s = gate(); !s.ok()) return s;
  std::erase_if(durable_,
                [&](const auto& entry) { return parent(entry.first) == directory && !live_.contains(entry.first); });
  for (const auto& [name, file] : live_)
    if (parent(name) == directory) durable_[name] = file;
  return IOStatus::OK();
}

sim_disk::inode_ptr sim_disk::find(const std::string& name) const {
  const auto i = live_.find(normal(name));
  return i == live_.end() ? nullptr : i->second;
}

IOStatus sim_disk::NewSequentialFile(const std::string& name, const FileOptions&,
                                     std::unique_ptr<rocksdb::FSSequentialFile>* out, IODebugContext*) {
  const auto file = find(name);
  if (!file) return IOStatus::PathNotFound(name);
  *out = std::make_unique<sequential_file>(file);
  return IOStatus::OK();
}

IOStatus sim_disk::NewRandomAccessFile(const std::string& name, const FileOptions&,
                                       std::unique_ptr<rocksdb::FSRandomAccessFile>* out, IODebugContext*) {
  const auto file = find(name);
  if (!file) return IOStatus::PathNotFound(name);
  *out = std::make_unique<random_file>(file);
  return IOStatus::OK();
}

IOStatus sim_disk::NewWritableFile(const std::string& name, const FileOptions&,
                                   std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext*) {
  if (auto s = gate(); !s.ok()) return s;
  const auto file = live_[normal(name)] = std::make_shared<inode>();
  *out = std::make_unique<writable_file>(*this, file);
  return IOStatus::OK();
}

IOStatus sim_disk::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* debug) {
  const auto file = find(name);
  if (!file) return NewWritableFile(name, options, out, debug);
  *out = std::make_unique<writable_file>(*this, file);
  return IOStatus::OK();
}

IOStatus sim_disk::NewRandomRWFile(const std::string& name, const FileOptions&,
                                   std::unique_ptr<rocksdb::FSRandomRWFile>* out, IODebugContext*) {
  const auto file = find(name);
  if (!file) return IOStatus::PathNotFound(name);
  *out = std::make_unique<rewritable_file>(*this, file);
  return IOStatus::OK();
}

IOStatus sim_disk::NewDirectory(const std::string& name, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* out,
                                IODebugContext*) {
  *out = std::make_unique<directory>(*this, normal(name));
  return IOStatus::OK();
}

IOStatus sim_disk::FileExists(const std::string& name, const IOOptions&, IODebugContext*) {
  return find(name) || directories_.contains(normal(name)) ? IOStatus::OK() : IOStatus::NotFound();
}

IOStatus sim_disk::GetChildren(const std::string& directory, const IOOptions&, std::vector<std::string>* out,
                               IODebugContext*) {
  out->clear();
  const auto of = normal(directory);
  for (const auto& [name, file] : live_)
    if (parent(name) == of) out->push_back(name.substr(of == "/" ? 1 : of.size() + 1));
  return IOStatus::OK();
}

IOStatus sim_disk::DeleteFile(const std::string& name, const IOOptions&, IODebugContext*) {
  if (auto s = gate(); !s.ok()) return s;
  if (live_.erase(normal(name)) == 0) return IOStatus::PathNotFound(name);
  return IOStatus::OK();
}

IOStatus sim_disk::CreateDir(const std::string& name, const IOOptions&, IODebugContext*) {
  directories_.insert(normal(name));
  return IOStatus::OK();
}

IOStatus sim_disk::CreateDirIfMissing(const std::string& name, const IOOptions& options, IODebugContext* debug) {
  return CreateDir(name, options, debug);
}

IOStatus sim_disk::DeleteDir(const std::string& name, const IOOptions&, IODebugContext*) {
  directories_.erase(normal(name));
  return IOStatus::OK();
}

IOStatus sim_disk::GetFileSize(const std::string& name, const IOOptions&, std::uint64_t* out, IODebugContext*) {
  const auto file = find(name);
  if (!file) return IOStatus::PathNotFound(name);
  *out = file->data.size();
  return IOStatus::OK();
}

IOStatus sim_disk::GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* out, IODebugContext*) {
  *out = 1;
  return IOStatus::OK();
}

IOStatus sim_disk::RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) {
  if (auto s = gate(); !s.ok()) return s;
  const auto file = find(from);
  if (!file) return IOStatus::PathNotFound(from);
  live_.erase(normal(from));
  live_[normal(to)] = file;
  return IOStatus::OK();
}

IOStatus sim_disk::LinkFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) {
  const auto file = find(from);
  if (!file) return IOStatus::PathNotFound(from);
  live_[normal(to)] = file;
  return IOStatus::OK();
}

IOStatus sim_disk::LockFile(const std::string& name, const IOOptions&, rocksdb::FileLock** out, IODebugContext*) {
  if (!locks_.insert(normal(name)).second) return IOStatus::IOError("simulated: the lock is held", name);
  *out = std::make_unique<held_lock>(normal(name)).release(); // UnlockFile takes it back
  return IOStatus::OK();
}

IOStatus sim_disk::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) {
  const std::unique_ptr<held_lock> held{static_cast<held_lock*>(lock)};
  locks_.erase(held->name());
  return IOStatus::OK();
}

IOStatus sim_disk::GetTestDirectory(const IOOptions&, std::string* out, IODebugContext*) {
  *out = "/test";
  return IOStatus::OK();
}

IOStatus sim_disk::GetAbsolutePath(const std::string& name, const IOOptions&, std::string* out, IODebugContext*) {
  *out = name;
  return IOStatus::OK();
}

IOStatus sim_disk::IsDirectory(const std::string& name, const IOOptions&, bool* out, IODebugContext*) {
  *out = directories_.contains(normal(name));
  return IOStatus::OK();
}

IOStatus sim_disk::GetFreeSpace(const std::string&, const IOOptions&, std::uint64_t* out, IODebugContext*) {
  *out = std::uint64_t{1} << 40;
  return IOStatus::OK();
}

sim_env::sim_env(std::shared_ptr<sim_disk> disk) : sim_env(disk, rocksdb::NewCompositeEnv(disk)) {}

sim_env::sim_env(std::shared_ptr<sim_disk> disk, std::unique_ptr<rocksdb::Env> base)
    : EnvWrapper(base.get()), disk_(std::move(disk)), base_(std::move(base)) {}

// A database whose disk failed is never closed, and so never takes its jobs back.
sim_env::~sim_env() {
  for (const auto& left : jobs_)
    if (left.undo) left.undo(left.argument);
}

bool sim_env::run_one(random_source& random) {
  if (jobs_.empty()) return false;
  const auto chosen = jobs_.begin() + static_cast<std::ptrdiff_t>(random.below(jobs_.size()));
  const auto now = *chosen;
  jobs_.erase(chosen);
  now.run(now.argument);
  return true;
}

void sim_env::Schedule(void (*run)(void*), void* argument, Priority priority, void* tag, void (*undo)(void*)) {
  jobs_.push_back({run, argument, priority, tag, undo});
}

int sim_env::UnSchedule(void* tag, Priority priority) {
  int removed = 0;
  for (auto i = jobs_.begin(); i != jobs_.end();) {
    if (i->tag != tag || i->priority != priority) {
      ++i;
      continue;
    }
    const auto gone = *i;
    i = jobs_.erase(i);
    if (gone.undo) gone.undo(gone.argument);
    ++removed;
  }
  return removed;
}

void sim_env::StartThread(void (*)(void*), void*) { require(false, "a simulation starts no thread"); }
unsigned sim_env::GetThreadPoolQueueLen(Priority) const { return 0; }
void sim_env::SetBackgroundThreads(int, Priority) {}
void sim_env::IncBackgroundThreadsIfNeeded(int, Priority) {}

rocksdb::Status sim_env::GetCurrentTime(std::int64_t* seconds) {
  *seconds = static_cast<std::int64_t>(now_micros_ / 1'000'000);
  return rocksdb::Status::OK();
}

void sim_env::SleepForMicroseconds(int micros) { now_micros_ += static_cast<std::uint64_t>(std::max(micros, 0)); }

} // namespace matricula::test
