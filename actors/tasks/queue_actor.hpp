/// The only writer of the tasks: queues them, leases them to workers, takes in how each try ended, and brings back what
/// is due, what a worker lost, and what is over. It is the beat of the queue: what waits for its time is in an index
/// that it walks when the time has come, and whoever waits for work is served as soon as there is some.
#pragma once
#include "actors/registrants/registrant_ledger.hpp"
#include "actors/tasks/queue_context.hpp"
#include "actors/tenured_actor.hpp"
#include "domain/tasks/index_window.hpp"
#include "domain/tasks/pauses.hpp"

#include <caf/result.hpp>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace matricula::actors {

class queue_actor final : public tenured_actor {
public:
  queue_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const queue_context> shared);

  caf::behavior make_behavior() override;
  void on_exit() override;
  [[nodiscard]] std::string describe() const override;

private:
  using nanoseconds = std::chrono::nanoseconds;

  struct running_task {
    std::optional<tasks::task> task; ///< nothing where it is to be read again
    std::size_t row_bytes = 0;       ///< at most, of what a change of it writes
    tasks::lease held;
    nanoseconds lapses{}; ///< on the monotonic clock, which never jumps
  };
  struct waiting_worker {
    lease_tasks request;
  };
  /// The queue of a worker type, or of a lane of it. One that is no longer configured gets no work, and its tasks may
  /// be cancelled.
  struct line {
    worker_type type;
    tasks::queue_counts counts;
    tasks::index_window ready, waiting;
    tasks::pauses pauses; ///< of those in `waiting` whose try has ended
    std::unordered_map<std::uint64_t, running_task> running;
    std::set<std::pair<nanoseconds, std::uint64_t>> lapses; ///< of all that run
    std::deque<waiting_worker> workers;
    double tokens = 0; ///< tries that may begin now, where their rate is limited
    nanoseconds tokens_at{};
    bool changed = false; ///< the counters are to be written
    bool told = false;    ///< the gauge has the counters
    std::pair<std::uint64_t, std::uint64_t>
        told_next{}; ///< the next ones that are ready and wait, as the gauge has them
  };

  caf::behavior loading();
  caf::behavior serving();
  void load() override;
  result<void> load_line(const storage::view& durable, const worker_type& type);

  caf::result<void> on_enqueue(const enqueue_tasks& request);
  caf::result<void> on_lease(const lease_tasks& request);
  caf::result<void> on_renew(const renew_lease& request);
  caf::result<void> on_end(const end_task& request);
  caf::result<void> on_finish(const finish_tasks& request);
  caf::result<void> on_change(const change_task& request);
  caf::result<void> on_retry_failed(const retry_failed& request);
  caf::result<void> on_pause(const pause_queue& request);
  void on_tick();
  void on_beat();

  // What concerns registrants (queue_registrants.cpp).
  caf::result<void> on_create(const create_registrants& request);
  caf::result<void> on_request_id(const request_registrant_id& request);
  caf::result<void> on_begin_call(const begin_generator_call& request);
  caf::result<void> on_answer(const note_generator_answer& request);
  caf::result<void> on_resolve(const resolve_generator_call& request);
  /// The registrants' own task: one that is to be done already, or a new one to which its unique key leads from now on.
  queued_task queue_for_registrant(const new_task& wanted, const std::string& principal, timestamp now,
                                   storage::batch& into);
  /// The task that the key of its registrant names, the latest of them; without such a key itself. Errors: corrupt, io.
  [[nodiscard]] result<std::uint64_t> task_of_its_key(const tasks::task& t);
  /// Errors: conflict: another task for the same registrant is to be done, and only one may be; corrupt, io.
  [[nodiscard]] result<void> may_try_again(const tasks::task& t);
  /// One step of `retry_failed`, which goes on where the step before ended. True when there may be more to look at.
  result<bool> retry_some(retry_failed& rest, timestamp now);

  result<std::vector<queued_task>> queue_up(const std::vector<new_task>& wanted, const std::string& principal,
                                            timestamp now, storage::batch& into);
  /// A new task in the queue that is its; its unique key is the caller's to write. @pre its worker type is known
  std::uint64_t queue_new(const new_task& wanted, const std::string& principal, timestamp now, storage::batch& into);
  /// FAILED or CANCELLED becomes PENDING again. @pre it is one of them
  void try_again(line& at, tasks::task& t, timestamp now, storage::batch& into);
  /// Of a registrant's task that has ended: the later one that its key leads to, while it is to be done. Both at once
  /// would ask for two IDs.
  [[nodiscard]] std::optional<std::uint64_t> under_way_instead(const tasks::task& t);
  /// Adds the tasks themselves to the answer.
  result<void> show(std::vector<queued_task>& queued);
  [[nodiscard]] std::size_t bytes_of(const std::vector<new_task>& wanted, const std::string& principal) const;
  /// How a try ends, and what comes with it.
  struct ending {
    tasks::outcome how;
    std::vector<new_task> then;
    registrant_effect effect;
    std::string principal;
  };
  [[nodiscard]] std::size_t bytes_to_end(const line& at, std::uint64_t id, const ending& e) const;
  result<void> end(line& at, std::uint64_t id, const ending& e, runtime::reply_to<tasks::task> reply);
  /// Into a batch that has room for it: see `bytes_to_end`. Errors: invalid_argument (it cannot end like this),
  /// corrupt, io; then nothing has changed.
  result<tasks::task> end_into(storage::batch& into, line& at, std::uint64_t id, const ending& e, timestamp now);
  /// The task, when its worker says again how the try under `token` ended. Errors: lease_lost, corrupt, io.
  result<tasks::task> said_before(std::uint64_t id, std::uint64_t token, tasks::outcome_kind how);
  /// Takes a PENDING task out of the index, wherever it stands there.
  void take_out(line& at, const tasks::task& t, storage::batch& into);
  /// Puts a task, as it now is, into rows and index; one that is PENDING gets its rank.
  void put(line& at, tasks::task& t, storage::batch& into, timestamp now);
  void start_running(line& at, tasks::task t, tasks::lease held, nanoseconds lapses);
  running_task stop_running(line& at, std::uint64_t id);
  /// A task that runs, as it is now. Errors: corrupt, io.
  result<tasks::task> running_now(std::uint64_t id, const running_task& running);
  /// Where the task runs under that token; null when it does not.
  [[nodiscard]] line* held(std::uint64_t id, std::uint64_t token);
  void count(line& at, tasks::task_state from, tasks::task_state to);
  void count_new(line& at);
  /// The counters and numbers that the batch changes, then writes it. What `settled` does it does on the log's thread.
  void write(storage::permit room, storage::batch batch, storage::completion<storage::verdict> settled);
  /// The end of a handler: writes and answers when that is durable. With an empty batch: when what was written before
  /// is, for the answer rests on it.
  caf::result<void> conclude(storage::permit room, storage::batch batch, storage::completion<storage::verdict> answer);

  /// Gives the waiting workers of a type what there is.
  void serve(line& at);
  [[nodiscard]] std::uint32_t may_begin(line& at, nanoseconds now);
  result<std::size_t> lease_some(line& at, const lease_tasks& to, std::size_t most);
  /// Moves what has become due from waiting to ready. True when there is more that can be moved now.
  bool bring_due(line& at, timestamp now);
  void drop_lapsed(line& at, nanoseconds now);
  bool purge(timestamp now);
  bool feed(line& at, tasks::index_window& window, bool of_ready);
  void answer_workers_that_waited(line& at, nanoseconds now);
  /// When something must be looked at again, and no message may come before.
  void set_timer();
  void after_message();
  void tell_gauge();

  /// Tells operators of a row that cannot be used.
  void pass_over(std::uint64_t id, const std::string& why);
  [[nodiscard]] bool deadline_passed(const request_context& context) const;
  [[nodiscard]] line* find(std::string_view type) noexcept;
  /// By the name of the queue. Errors: invalid_argument: it is not configured.
  [[nodiscard]] result<line*> line_of(std::string_view queue);
  /// Errors: invalid_argument: one is of a worker type that is not configured.
  [[nodiscard]] result<void> check(const std::vector<new_task>& wanted);
  /// Where it is to stand: in its lane where that is configured. @pre its worker type is
  [[nodiscard]] line& line_for(const new_task& wanted);
  [[nodiscard]] result<std::optional<tasks::task>> row_of(std::uint64_t id);

  std::shared_ptr<const queue_context> cx_;
  std::unique_ptr<random_source> random_;
  std::optional<registrant_ledger> registrants_;
  std::map<std::string, line, std::less<>> lines_;
  storage::task_numbers numbers_;
  bool numbers_changed_ = false;
  std::unordered_map<std::uint64_t, line*> line_of_running_; ///< lines stay where they are
  std::size_t running_bytes_ = 0;                            ///< of tasks that run and are kept in memory
  std::uint64_t timer_ = 0;
  std::optional<nanoseconds> timer_at_;
  nanoseconds purge_at_{};
  nanoseconds reread_at_{};                            ///< from then on a beat reads the indexes from their beginning
  std::array<storage::place_in_index, 3> purged_to_{}; ///< by state, from COMPLETED on: nothing is left before it
  std::uint64_t settled_to_ = 0;                       ///< the last write whose rows any new view shows
  std::optional<timestamp> beat_at_;                   ///< the last one
};

} // namespace matricula::actors
