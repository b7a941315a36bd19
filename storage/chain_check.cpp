#include "storage/chain_check.hpp"

#include "foundation/bytes.hpp"
#include "storage/group_record.hpp"
#include "storage/rocks_error.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/transaction_log.h>

#include <map>
#include <optional>

namespace matricula::storage {

namespace {

/// Takes one group apart again: its operations as bytes, and its own row.
class group_reader final : public rocksdb::WriteBatch::Handler {
public:
  explicit group_reader(const std::map<std::uint32_t, column>& columns) : columns_(columns) {}

  rocksdb::Status PutCF(std::uint32_t id, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    const auto c = columns_.find(id);
    if (c == columns_.end()) return rocksdb::Status::Corruption("a row of an unknown column");
    if (c->second == column::meta && key.ToStringView() == group_key)
      own_row = value.ToString();
    else
      operations.u8(1).u8(static_cast<std::uint8_t>(c->second)).text(key.ToStringView()).text(value.ToStringView());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t id, const rocksdb::Slice& key) override {
    const auto c = columns_.find(id);
    if (c == columns_.end()) return rocksdb::Status::Corruption("a row of an unknown column");
    operations.u8(2).u8(static_cast<std::uint8_t>(c->second)).text(key.ToStringView());
    return rocksdb::Status::OK();
  }

  byte_writer operations;
  std::optional<std::string> own_row;

private:
  const std::map<std::uint32_t, column>& columns_;
};

}  // namespace

result<std::uint64_t> check_chain(handle& h) {
  std::map<std::uint32_t, column> columns;
  for (std::size_t c = 0; c < column_count; ++c) {
    const auto where = static_cast<column>(c);
    columns.emplace(h[where]->GetID(), where);
  }
  std::unique_ptr<rocksdb::TransactionLogIterator> at;
  if (const auto s = h.db().GetUpdatesSince(0, &at); !s.ok()) {
    if (s.IsNotFound()) return 0;  // nothing since the last flush
    return std::unexpected(to_error(s, "cannot read the write-ahead log"));
  }
  std::uint64_t compared = 0;
  std::optional<group_record> before;
  for (; at->Valid(); at->Next()) {
    const auto entry = at->GetBatch();
    group_reader group{columns};
    if (const auto s = entry.writeBatchPtr->Iterate(&group); !s.ok())
      return std::unexpected(to_error(s, "a group in the write-ahead log does not decode"));
    if (!group.own_row) return fail(errc::corrupt, "a group in the write-ahead log has no row of its own");
    auto record = decode_group_record(*group.own_row);
    if (!record) return std::unexpected(record.error());
    if (before) {
      chain_hash chain{before->chain, record->number, record->at};
      chain.add(group.operations.str());
      if (record->number <= before->number || chain.finish() != record->chain)
        return fail(errc::corrupt,
                    fmt::format("group {} in the write-ahead log is not what its chain hash stands for", record->number));
      ++compared;
    }
    before = std::move(*record);
  }
  if (!at->status().ok()) return std::unexpected(to_error(at->status(), "cannot read the write-ahead log to its end"));
  return compared;
}

}  // namespace matricula::storage
