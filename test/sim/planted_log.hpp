/// The commit log as the simulated actors see it: the real one, with a bug planted around it and reads that can be made
/// to throw in the middle of a handler. Whoever writes from outside of any actor sees one of its own.
#pragma once
#include "storage/commit_log.hpp"
#include "test/sim/planted_bug.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

namespace matricula::sim {

class planted_log final : public storage::commit_log {
public:
  /// Whoever looks up the idempotency record of this reference crashes: a message that names it is poison, every time.
  static constexpr std::string_view poison_reference = "poison..........";

  planted_log(storage::commit_log& real, planted_bug bug) : real_(real), bug_(bug) {}

  /// With a bug that does at another time what belongs together: does the next such thing. False when there is none.
  bool do_apart();
  /// Called after an append, until it returns: the log's thread works while the caller waits.
  void work_after_append(std::function<void()> work) { work_ = std::move(work); }

  /// The next read throws: whoever handles a message then crashes on it.
  void poison_next_read() noexcept { poisoned_ = true; }
  void cure() noexcept { poisoned_ = false; }
  [[nodiscard]] std::uint64_t reads_poisoned() const noexcept { return reads_poisoned_; }

  void acquire(storage::shard_id shard, std::string_view partition,
               storage::completion<result<storage::tenure>> granted) override;
  [[nodiscard]] result<storage::permit> reserve(const storage::tenure& held, std::size_t bytes) noexcept override {
    return real_.reserve(held, bytes);
  }
  void append(storage::permit room, storage::batch what,
              storage::completion<storage::verdict, storage::position> settled) noexcept override;
  [[nodiscard]] result<std::shared_ptr<const storage::view>> read(storage::shard_id shard,
                                                                  storage::position at_least = {}) const override;
  [[nodiscard]] result<storage::position> export_shard(storage::shard_id shard, std::string_view directory) override {
    return real_.export_shard(shard, directory);
  }
  [[nodiscard]] result<storage::position> import_shard(storage::shard_id shard, std::string_view directory) override {
    return real_.import_shard(shard, directory);
  }

protected:
  /// Permits are the real log's: they go back to it.
  void give_back(const storage::tenure&, std::size_t) noexcept override {}

private:
  void append_apart(const std::function<bool(storage::column, std::string_view key)>& apart_goes, storage::permit room,
                    const storage::batch& what,
                    storage::completion<storage::verdict, storage::position> settled) noexcept;
  [[nodiscard]] storage::batch without_some_due_rows(const storage::batch& what);
  [[nodiscard]] static storage::batch without_taken_grants(const storage::batch& what);
  [[nodiscard]] static storage::batch without_leases(const storage::batch& what);
  [[nodiscard]] static storage::batch without_lost_tries(const storage::batch& what);
  [[nodiscard]] static storage::batch purging_early(const storage::batch& what);
  [[nodiscard]] static bool begins_a_call(const storage::batch& what);
  /// Whether the bug is to answer `durable` and to write nothing of this batch.
  [[nodiscard]] bool swallows(const storage::batch& what) const;

  storage::commit_log& real_;
  planted_bug bug_;
  mutable bool poisoned_ = false;
  mutable std::uint64_t reads_poisoned_ = 0;
  std::uint64_t due_rows_ = 0;
  std::deque<storage::completion<>> apart_;
  std::function<void()> work_;
  std::map<std::pair<storage::shard_id, std::string>, storage::tenure> first_;
};

} // namespace matricula::sim
