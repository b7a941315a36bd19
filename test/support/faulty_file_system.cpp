#include "test/support/faulty_file_system.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <memory>
#include <vector>

namespace matricula::test {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class faulty_log_file final : public rocksdb::FSWritableFileOwnerWrapper {
public:
  faulty_log_file(std::unique_ptr<rocksdb::FSWritableFile> real, std::shared_ptr<disk_faults> faults)
      : FSWritableFileOwnerWrapper(std::move(real)), faults_(std::move(faults)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    ++faults_->wal_appends;
    if (faults_->fail_append) return IOStatus::NoSpace("injected: no space left");
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    ++faults_->wal_appends;
    if (faults_->fail_append) return IOStatus::NoSpace("injected: no space left");
    return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    ++faults_->wal_syncs;
    if (faults_->fail_sync) return IOStatus::IOError("injected: sync failed");
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    ++faults_->wal_syncs;
    if (faults_->fail_sync) return IOStatus::IOError("injected: sync failed");
    return FSWritableFileOwnerWrapper::Fsync(options, debug);
  }

private:
  std::shared_ptr<disk_faults> faults_;
};

class faulty_file_system final : public rocksdb::FileSystemWrapper {
public:
  explicit faulty_file_system(std::shared_ptr<disk_faults> faults)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), faults_(std::move(faults)) {}
  const char* Name() const override { return "faulty_file_system"; }
  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* debug) override {
    auto s = FileSystemWrapper::NewWritableFile(name, options, out, debug);
    if (s.ok() && name.ends_with(".log")) *out = std::make_unique<faulty_log_file>(std::move(*out), faults_);
    return s;
  }

private:
  std::shared_ptr<disk_faults> faults_;
};

} // namespace

faulty_env make_faulty_env() {
  static auto* const kept = new std::vector<std::unique_ptr<rocksdb::Env>>;
  auto faults = std::make_shared<disk_faults>();
  kept->push_back(rocksdb::NewCompositeEnv(std::make_shared<faulty_file_system>(faults)));
  return {faults, kept->back().get()};
}

} // namespace matricula::test
