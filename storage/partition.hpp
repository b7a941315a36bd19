/// One writer's part of the store: its tenure, and reads that show its own writes before they have settled.
/// For a single thread (an actor); the commit log's thread touches only the shared block inside.
#pragma once
#include "storage/commit_log.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace matricula::storage {

class partition {
public:
  partition(commit_log& log, const tenure& held);

  [[nodiscard]] shard_id shard() const noexcept { return tenure_.shard; }
  /// Room for one write of at most `bytes`. Errors: overloaded, storage_full, unavailable.
  [[nodiscard]] result<permit> reserve(std::size_t bytes) noexcept { return log_.reserve(tenure_, bytes); }

  /// The value as it will be once everything written here has settled. Errors: corrupt, io.
  [[nodiscard]] result<std::optional<std::string>> get(column where, std::string_view key);
  /// Durable rows only.
  [[nodiscard]] result<std::shared_ptr<const view>> durable() const { return log_.read(tenure_.shard); }

  /// Writes. `settled` runs on the commit log's thread, after this partition has noted the verdict.
  void write(permit room, batch what, completion<verdict> settled);

  /// Calls `then` when everything written so far has settled: at once when it has. Whatever depends on an effect leaves
  /// through here. Runs on the caller's or the commit log's thread.
  void after_settled(completion<verdict> then);

  /// False once a write was fenced or its outcome is unknown: memory may be ahead of the store. Load again.
  [[nodiscard]] bool trustworthy() const noexcept { return !shared_->broken.load(std::memory_order_acquire); }
  /// Stands for the last write; `settled` tells whether it and every earlier one has.
  [[nodiscard]] std::uint64_t last_ticket() const noexcept { return written_; }
  [[nodiscard]] bool settled(std::uint64_t ticket) const noexcept {
    return shared_->settled.load(std::memory_order_acquire) >= ticket;
  }
  [[nodiscard]] std::uint64_t unsettled() const noexcept {
    return written_ - shared_->settled.load(std::memory_order_acquire);
  }

private:
  struct shared_block {
    std::atomic<std::uint64_t> settled{0};
    std::atomic<bool> broken{false};
    std::mutex mutex;
    std::deque<std::pair<std::uint64_t, completion<verdict>>> waiting; ///< by ticket
  };
  /// A batch that has not settled; the views in `overlay_` point into its bytes.
  struct unsettled_batch {
    std::uint64_t ticket;
    std::string bytes;                  ///< stays where it is, as elements of a deque do
    std::vector<std::string_view> keys; ///< that `overlay_` may have of it
  };
  struct pending_value {
    std::uint64_t ticket;
    std::optional<std::string_view> value; ///< nothing = erased
  };
  void forget_settled();
  void bring_overlay_up_to_date();
  void lay_over(unsettled_batch& one);

  commit_log& log_;
  tenure tenure_;
  std::shared_ptr<shared_block> shared_ = std::make_shared<shared_block>();
  std::uint64_t written_ = 0;
  std::deque<unsettled_batch> unsettled_;
  /// By column byte and key, of the batches up to `laid_over_`: the later ones are added when somebody reads, for most
  /// writes are followed by none before they settle.
  std::unordered_map<std::string_view, pending_value> overlay_;
  std::uint64_t laid_over_ = 0;
};

} // namespace matricula::storage
