#include "storage/rocks_view.hpp"

#include "storage/rocks_error.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>

namespace matricula::storage {

namespace {

std::unexpected<error> dead_store() {
  return fail(errc::unavailable, "the store failed and is about to be recovered by a restart; try again after it");
}

std::string_view name_of(column c) { return column_names[static_cast<std::size_t>(c)]; }

class rocks_view : public view {
public:
  explicit rocks_view(std::shared_ptr<handle> h) : handle_(std::move(h)) {}

  result<std::optional<std::string>> get(column where, std::string_view key) const override {
    if (handle_->dead()) return dead_store();
    std::string value;
    const auto s = handle_->db().Get(options_, (*handle_)[where], key, &value);
    if (s.ok()) return value;
    if (s.IsNotFound()) return std::nullopt;
    return std::unexpected(to_error(s, fmt::format("cannot read a row of column {}", name_of(where))));
  }

  result<void> walk(column where, std::string_view lower, std::string_view upper,
                    const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    if (handle_->dead()) return dead_store();
    auto options = options_;
    const rocksdb::Slice bound{upper};
    if (!upper.empty()) options.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> at{handle_->db().NewIterator(options, (*handle_)[where])};
    for (at->Seek(lower); at->Valid(); at->Next())
      if (!visit(at->key().ToStringView(), at->value().ToStringView())) return {};
    return finished(*at, where);
  }

  result<void> walk_back(column where, std::string_view lower, std::string_view upper,
                         const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    if (handle_->dead()) return dead_store();
    auto options = options_;
    const rocksdb::Slice bound{upper};
    const rocksdb::Slice floor{lower};
    if (!upper.empty()) options.iterate_upper_bound = &bound;
    options.iterate_lower_bound = &floor;
    const std::unique_ptr<rocksdb::Iterator> at{handle_->db().NewIterator(options, (*handle_)[where])};
    for (at->SeekToLast(); at->Valid(); at->Prev())
      if (!visit(at->key().ToStringView(), at->value().ToStringView())) return {};
    return finished(*at, where);
  }

protected:
  std::shared_ptr<handle> handle_;
  rocksdb::ReadOptions options_;

private:
  static result<void> finished(const rocksdb::Iterator& at, column where) {
    if (at.status().ok()) return {};
    return std::unexpected(to_error(at.status(), fmt::format("cannot walk column {}", name_of(where))));
  }
};

class snapshot_view final : public rocks_view {
public:
  explicit snapshot_view(std::shared_ptr<handle> h) : rocks_view(std::move(h)) {
    if (!handle_->dead()) options_.snapshot = handle_->db().GetSnapshot();
  }
  ~snapshot_view() override {
    if (options_.snapshot && !handle_->dead()) handle_->db().ReleaseSnapshot(options_.snapshot);
  }
  snapshot_view(const snapshot_view&) = delete;
  snapshot_view& operator=(const snapshot_view&) = delete;
};

} // namespace

std::shared_ptr<const view> make_snapshot(std::shared_ptr<handle> h) {
  return std::make_shared<snapshot_view>(std::move(h));
}
std::shared_ptr<const view> make_latest(std::shared_ptr<handle> h) {
  return std::make_shared<rocks_view>(std::move(h));
}

} // namespace matricula::storage
