/// Those who queue tasks and those who work them off, and what the outside knows of both: what was acknowledged, who
/// has which lease, and what must therefore be true of the rows.
#pragma once
#include "foundation/random.hpp"
#include "storage/tasks.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/node.hpp"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace matricula::sim {

/// Ended tasks of the simulation are kept so long.
inline constexpr std::chrono::minutes task_retention{30};

class queue_clients {
public:
  queue_clients(random_source& random, findings& found) : random_(random), found_(found) {}

  struct moment {
    timestamp decided; ///< the time of decisions
    timestamp wall;    ///< as the clock has it
    std::chrono::nanoseconds monotonic;
    /// By how much the clock has been set.
    [[nodiscard]] std::chrono::nanoseconds offset() const { return wall.time_since_epoch() - monotonic; }
  };

  /// Something that a client, a worker or an operator does.
  void ask(node& to, const moment& now);
  /// What ends all tasks once faults are over: work on everything, and let nothing pause.
  void work_off(node& to, const moment& now);
  /// Learns from the answers that have arrived, and returns a number that stands for them.
  std::uint64_t collect(const moment& now, bool storage_failed);
  /// The node is gone; nobody will answer. What was said stays known, and workers keep what they hold.
  void forget();
  /// This is what was known when the backup was made that the node is restored from; `lost` is what was known since.
  void restored_after(const queue_clients& lost);
  /// Compares the durable rows with what was acknowledged.
  void check(const storage::view& durable, timestamp now);
  /// Tasks that have not ended, in durable rows.
  [[nodiscard]] static std::uint64_t open_tasks(const storage::view& durable);

  [[nodiscard]] std::size_t waiting() const noexcept {
    return queued_.size() + leased_.size() + renewed_.size() + ended_.size() + finished_.size() + changed_.size() +
           others_.size();
  }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] std::uint64_t queued() const noexcept { return number_queued_; }
  [[nodiscard]] std::uint64_t keys_repeated() const noexcept { return keys_repeated_; }
  [[nodiscard]] std::uint64_t begun() const noexcept { return begun_; }
  [[nodiscard]] std::uint64_t completed() const noexcept { return completed_; }
  [[nodiscard]] std::uint64_t late_workers() const noexcept { return late_workers_; }

private:
  template <class T>
  using cell = std::shared_ptr<runtime::reply_cell<T>>;
  using name_of_key = std::pair<std::string, std::string>; ///< type, key

  /// What is known of a task that some answer named.
  struct known_task {
    timestamp at;                                ///< it was acknowledged then at the latest
    std::uint32_t cancels = 0, retries = 0;      ///< that were sent
    std::optional<tasks::task_state> ended_as{}; ///< the latest end that was seen
    timestamp ended_at{};
    std::uint32_t retries_then = 0;
  };
  /// A lease that was answered, as its worker has it.
  struct held_lease {
    std::uint64_t id = 0, token = 0;
    std::chrono::nanoseconds asked_at{}; ///< or asked to renew; its time began then or later
    milliseconds time{};
    timestamp until{};
    std::chrono::nanoseconds offset{};       ///< of the clock when it was asked for
    std::optional<tasks::outcome_kind> told; ///< how the worker says that it ended
    std::uint32_t renewals_open = 0;         ///< until they are answered nobody knows when it ends
    bool two_words = false;                  ///< it has told more than one end
  };
  struct asked_tasks {
    std::vector<actors::new_task> wanted;
    cell<std::vector<actors::queued_task>> answer;
  };
  struct asked_lease {
    moment at;
    milliseconds time;
    cell<std::vector<actors::leased_task>> answer;
  };
  struct asked_renewal {
    moment at;
    milliseconds time;
    std::uint64_t id, token;
    cell<tasks::lease> answer;
  };
  struct asked_end {
    std::uint64_t id, token;
    tasks::outcome_kind how;
    bool followed; ///< a task was to follow in the same write, and no other end of this try was told before
    cell<tasks::task> answer;
  };
  struct asked_finish {
    std::vector<actors::finished_try> tries;
    cell<actors::finished_tries> answer;
  };
  struct asked_change {
    std::uint64_t id;
    cell<tasks::task> answer;
  };
  struct asked_otherwise {
    cell<actors::retried_tasks> answer;
  };

  void enqueue(node& to, const moment& now);
  void lease(node& to, const moment& now, std::uint32_t count, milliseconds wait);
  void renew(node& to, const moment& now);
  /// @param follows a task is to be queued with it, which names the lease
  void end(node& to, held_lease& held, tasks::outcome_kind how, bool follows);
  void finish_some(node& to);
  void change(node& to);
  void retry_failed(node& to);
  void pause(node& to, const std::string& type, bool paused);

  void learn(const asked_tasks& what, moment now);
  void learn(const asked_lease& what, moment now);
  /// @param may_be_changing it may be on its way to another try already
  void learn_end(std::uint64_t id, const tasks::task& t, bool may_be_changing);
  void learn_done(std::uint64_t id, std::uint64_t token);
  /// A worker was told that its lease does not hold.
  void learn_refusal(std::uint64_t id, std::uint64_t token, const moment& now);
  void refused(std::string_view what, const error& why, bool storage_failed, std::initializer_list<errc> also = {});
  /// Whether the lease cannot have run out, whatever clock one asks.
  using rows_by_id = std::map<std::uint64_t, storage::found_task>;
  /// Each lease that was answered was a real try, and the task's row tells of it.
  void check_tries(const rows_by_id& rows);
  /// What was to follow from the end of a task is there, and once.
  void check_what_followed(const rows_by_id& rows, timestamp now);
  [[nodiscard]] bool surely_valid(const held_lease& held, const moment& now) const;
  [[nodiscard]] held_lease* find(std::uint64_t token);
  [[nodiscard]] std::uint64_t some_task();

  random_source& random_;
  findings& found_;
  std::vector<asked_tasks> queued_;
  std::vector<asked_lease> leased_;
  std::vector<asked_renewal> renewed_;
  std::vector<asked_end> ended_;
  std::vector<asked_finish> finished_;
  std::vector<asked_change> changed_;
  std::vector<asked_otherwise> others_;
  std::map<std::uint64_t, known_task> tasks_;
  std::map<name_of_key, std::uint64_t> keys_;
  std::vector<held_lease> held_;
  std::map<std::uint64_t, std::pair<std::uint64_t, tasks::outcome_kind>> endings_; ///< acknowledged, by token
  std::map<std::uint64_t, std::uint64_t> leases_; ///< the task of each lease that was answered, by token
  std::map<std::uint64_t, timestamp> followed_;   ///< the tokens whose end was acknowledged with what follows, and when
  std::map<std::uint64_t, std::uint64_t> done_by_;   ///< the token under which a task was acknowledged as done
  std::set<std::uint64_t> lost_tasks_, lost_tokens_; ///< those that were given out after the backup
  std::uint64_t sent_ = 0, acknowledged_ = 0, number_queued_ = 0, keys_repeated_ = 0, begun_ = 0, completed_ = 0,
                late_workers_ = 0;
};

} // namespace matricula::sim
