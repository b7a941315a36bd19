/// The one way to write. An engine makes batches durable in order, per shard, for whoever holds the tenure.
#pragma once
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace matricula::storage {

/// A place in a shard's history. A later append has a greater one.
struct position {
  std::uint64_t seq = 0;
  auto operator<=>(const position&) const = default;
};

/// The right to write one partition of one shard, until somebody else acquires it: the fencing token.
struct tenure {
  shard_id shard;
  std::uint64_t partition = 0; ///< hash of the partition's name
  std::uint64_t token = 0;
};

enum class verdict : std::uint8_t {
  durable, ///< on stable storage and applied: a later read sees it
  fenced,  ///< a later tenure exists; nothing was written
  unknown, ///< the engine failed midway; it may or may not survive. Never execute again; the process is about to end
};

template <class... T>
using completion = std::move_only_function<void(T...) noexcept>;

class commit_log;

/// Room for one append, taken before deciding so that a refusal has nothing to undo. Gives the room back when dropped.
class permit {
public:
  permit(permit&& other) noexcept;
  permit& operator=(permit&& other) noexcept;
  permit(const permit&) = delete;
  permit& operator=(const permit&) = delete;
  ~permit();
  [[nodiscard]] const tenure& held() const noexcept { return tenure_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
  friend class commit_log;
  permit(commit_log& log, const tenure& t, std::size_t bytes) noexcept : log_(&log), tenure_(t), bytes_(bytes) {}
  commit_log* log_;
  tenure tenure_;
  std::size_t bytes_;
};

class commit_log {
public:
  virtual ~commit_log() = default;

  /// Waits until every append of the predecessor has settled, then grants a new tenure; the predecessor's later appends
  /// are fenced. Partitions are independent of each other. Errors: unavailable (engine ended).
  virtual void acquire(shard_id shard, std::string_view partition, completion<result<tenure>> granted) = 0;

  /// Room for a batch of at most `bytes`. Errors: overloaded (retry_after set), storage_full, unavailable.
  [[nodiscard]] virtual result<permit> reserve(const tenure& held, std::size_t bytes) noexcept = 0;

  /// Queues the batch. `settled` is called exactly once, on the engine's thread, in append order within a shard.
  /// @pre `what.fits()`, `what.bytes() <= room.bytes()` and the batch is of the tenure's shard; checked in all builds.
  virtual void append(permit room, batch what, completion<verdict, position> settled) noexcept = 0;

  /// A view that shows at least everything up to `at_least`.
  [[nodiscard]] virtual result<std::shared_ptr<const view>> read(shard_id shard, position at_least = {}) const = 0;

  /// Writes every row of the shard into the empty directory / loads it into a shard without rows.
  [[nodiscard]] virtual result<position> export_shard(shard_id shard, std::string_view directory) = 0;
  [[nodiscard]] virtual result<position> import_shard(shard_id shard, std::string_view directory) = 0;

protected:
  [[nodiscard]] permit make_permit(const tenure& t, std::size_t bytes) noexcept { return {*this, t, bytes}; }
  /// Called when a permit is dropped unused, and by engines when its append settles.
  virtual void give_back(const tenure& t, std::size_t bytes) noexcept = 0;
  /// Takes the room over: the permit no longer gives it back.
  static void consume(permit& p) noexcept { p.log_ = nullptr; }

private:
  friend class permit;
};

} // namespace matricula::storage
