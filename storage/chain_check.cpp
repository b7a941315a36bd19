#include "storage/chain_check.hpp"

#include "foundation/bytes.hpp"
#include "storage/column.hpp"

#include <fmt/format.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <optional>

namespace matricula::storage {

namespace {

/// Takes one group apart again: its operations as bytes, and its own row. A column's number in RocksDB is its place in
/// `column_names`; opening the store makes sure of that.
class group_reader final : public rocksdb::WriteBatch::Handler {
public:
  rocksdb::Status PutCF(std::uint32_t id, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (id >= column_count) return rocksdb::Status::Corruption("a row of an unknown column");
    if (id == static_cast<std::uint32_t>(column::meta) && key.ToStringView() == group_key)
      own_row = value.ToString();
    else
      operations.u8(1).u8(static_cast<std::uint8_t>(id)).text(key.ToStringView()).text(value.ToStringView());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t id, const rocksdb::Slice& key) override {
    if (id >= column_count) return rocksdb::Status::Corruption("a row of an unknown column");
    operations.u8(2).u8(static_cast<std::uint8_t>(id)).text(key.ToStringView());
    return rocksdb::Status::OK();
  }

  byte_writer operations;
  std::optional<std::string> own_row;
};

} // namespace

class chain_check::watcher final : public rocksdb::WalFilter {
public:
  explicit watcher(std::optional<group_record> flushed) : flushed_(std::move(flushed)) {}

  const char* Name() const override { return "chain_check"; }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string& file, const rocksdb::WriteBatch& group,
                                     rocksdb::WriteBatch*, bool*) override {
    if (!flushed_) return WalProcessingOption::kStopReplay;
    if (problem.empty()) problem = compare(file, group);
    return WalProcessingOption::kContinueProcessing;
  }

  std::uint64_t compared = 0;
  std::string problem;

private:
  std::string compare(const std::string& file, const rocksdb::WriteBatch& group) {
    group_reader reader;
    if (group.Count() == 0) return {}; // after a log that was cut off RocksDB begins the next one with an empty entry
    if (!group.Iterate(&reader).ok() || !reader.own_row)
      return fmt::format("{} holds something that is not a group", file);
    auto record = decode_group_record(*reader.own_row);
    if (!record) return fmt::format("{} holds a group whose own row does not decode", file);
    // The log may begin before the flush, and then with any group; else it goes on where the tables end.
    const auto* before = before_ ? &*before_ : record->number > flushed_->number ? &*flushed_ : nullptr;
    if (before) {
      chain_hash chain{before->chain, record->number, record->at};
      chain.add(reader.operations.str());
      if (record->number <= before->number || chain.finish() != record->chain)
        return fmt::format("group {} in {} does not follow from group {}", record->number, file, before->number);
      ++compared;
    }
    if (record->number == flushed_->number && record->chain != flushed_->chain)
      return fmt::format("group {} in {} is not the one that was flushed", record->number, file);
    before_ = std::move(*record);
    return {};
  }

  std::optional<group_record> flushed_;
  std::optional<group_record> before_;
};

chain_check::chain_check() : watcher_(std::make_unique<watcher>(std::nullopt)) {}
chain_check::chain_check(group_record flushed) : watcher_(std::make_unique<watcher>(std::move(flushed))) {}
chain_check::~chain_check() = default;
rocksdb::WalFilter& chain_check::filter() noexcept { return *watcher_; }
std::uint64_t chain_check::compared() const noexcept { return watcher_->compared; }
const std::string& chain_check::problem() const noexcept { return watcher_->problem; }

} // namespace matricula::storage
