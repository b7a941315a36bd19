/// Works the tasks in OpenG2P's own tables in place: each registrant gets its identifier once, through crashes,
/// restarts of the database and other bridges or workers beside it. How it stands with the tables: docs/bridge.md.
#pragma once
#include "connectors/postgres/call_book.hpp"
#include "connectors/postgres/connection.hpp"
#include "connectors/postgres/task_table.hpp"
#include "connectors/stop_signal.hpp"
#include "domain/registrants/id_generator.hpp"
#include "domain/tasks/retry_policy.hpp"
#include "foundation/clock.hpp"
#include "foundation/random.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::connectors::postgres {

/// Moments at which a test may end the process.
enum class bridge_moment : std::uint8_t {
  before_call,      ///< the call is noted, the generator was not asked
  after_call,       ///< it was asked, its answer is not stored
  after_saving,     ///< the identifier is stored, the registrant does not have it
  after_completing, ///< the registrant has it and the task is COMPLETED
  before_update,    ///< the generator was not told yet that it is in use
  after_update,     ///< it was told, the task is not COMPLETED
};

struct bridge_options {
  std::string name;  ///< of the bridge in logs
  std::string owner; ///< of its claims; different for every bridge that ever ran
  connection_options database;
  table_options tables;
  /// Its name in the list of doubts. Of one that knows requests again: different for every pool that a request may
  /// reach, and for every bridge whose requests it keeps apart.
  std::string generator;
  tasks::retry_policy retry;
  milliseconds lease{60'000};            ///< must be longer than a call to the generator can take
  std::uint32_t batch = 16;              ///< tasks that are claimed at once, of each step
  milliseconds poll{1'000};              ///< how often it looks when nothing wakes it
  milliseconds round_max{500};           ///< after this it gives back what it has not begun, and looks again
  bool counts = true;                    ///< whether it counts the tasks of the tables for its report
  milliseconds report_every{10'000};     ///< how often tasks are counted
  bool refuse_unknown_types = false;     ///< tasks of other worker types become FAILED; otherwise they are left alone
  bool may_install = true;               ///< whether it tries to make its schema and trigger
  const clock* time = nullptr;           ///< must live longer
  std::function<void(bridge_moment)> at; ///< tests only
};

struct bridge_counters {
  std::uint64_t identifiers_given = 0;
  std::uint64_t tasks_completed = 0;
  std::uint64_t tasks_failed = 0;
  std::uint64_t tries_failed = 0;
  std::uint64_t none_available = 0;
  std::uint64_t doubts_listed = 0;
  std::uint64_t seen_others = 0; ///< tasks that another worker changed while this bridge had them
  std::uint64_t overwritten = 0; ///< identifiers that another worker replaced
  std::uint64_t connections_lost = 0;
  std::uint64_t statements_refused = 0;
};

/// What the bridge saw when it last counted, and what it did since it was made.
struct bridge_report {
  std::string name;
  bool connected = false;
  std::string problem;  ///< why it is not connected, or cannot work; empty when it can
  bool counted = false; ///< whether the numbers up to `unused` are known; before that they are 0
  std::uint64_t pending_requests = 0, pending_updates = 0;
  std::uint64_t failed_requests = 0, failed_updates = 0;
  std::uint64_t oldest_pending_s = 0; ///< since it was queued; OpenG2P's own beat renews that time
  std::uint64_t in_doubt = 0;         ///< calls whose effect is not known
  std::uint64_t unused = 0;           ///< identifiers that are known and that no registrant has
  double completed_per_s = 0;         ///< tasks of this bridge between the last two counts
  bridge_counters did;
};

class bridge {
public:
  /// @param random, generator must live longer
  bridge(bridge_options options, registrants::id_generator& generator, random_source& random);
  bridge(const bridge&) = delete;
  bridge& operator=(const bridge&) = delete;

  /// One round: connects when it must, takes some tasks and works them. Returns how long nothing needs to be done
  /// unless something wakes it. One thread at a time, the same for `wait` and `release`.
  [[nodiscard]] milliseconds step();
  /// Until the time is over, a task is queued, or `stop`.
  void wait(milliseconds at_most);
  /// Gives back what it has claimed, so that others need not wait for its leases. For the end.
  void release();

  /// From any thread: a round ends after the task that it is at, and nothing waits any more.
  void stop() noexcept { stop_.raise(); }
  /// From any thread, after `stop`: the database is not waited for any more. An answer of the generator that is not
  /// stored by then is lost; its call is listed when its lease is over.
  void cut() noexcept { cut_.raise(); }
  [[nodiscard]] bool stopping() const noexcept { return stop_.raised(); }
  [[nodiscard]] bridge_report report() const;

private:
  static constexpr milliseconds busy_pause{500}; ///< another has the registrant or the row
  static constexpr milliseconds refused_pause{5'000};
  static constexpr milliseconds probe_pause{200}; ///< between new tasks while the generator has none
  static constexpr std::string_view ended_during_call = "The bridge ended during the call.";

  struct claim {
    task_step what;
    std::int64_t task;
  };
  /// A call that is about to be made, or was made and its outcome is not stored.
  struct ticket {
    claim of;
    std::int64_t registrant = 0;
    std::int64_t call = 0;       ///< of the request step
    std::int64_t collisions = 0; ///< of the request step: identifiers that came for it and were others'
    std::string identifier;      ///< of the update step
    std::optional<registrants::generator_answer> answer;
    bool stored = false; ///< the identifier that came
  };
  struct locked_task {
    bool pending = false;
    std::int64_t attempts = 0;
    std::optional<std::string> subject;
  };
  struct own_row {
    std::int64_t tries = 0;
    bool trying = false;
    std::int64_t attempts_seen = 0;
  };
  /// What was read of a task that can be begun, in the transaction that begins it.
  struct beginning {
    claim of;
    own_row own;
    std::int64_t attempts;
    std::int64_t registrant;
    call_row last;
    std::optional<std::string> identifier; ///< empty: it has none; nothing: there is no such registrant
  };

  [[nodiscard]] bool connect(const stop_signal& until);
  [[nodiscard]] sql_result<void> prepare();
  [[nodiscard]] sql_result<void> undo_what_was_not_begun();
  [[nodiscard]] sql_result<std::vector<claim>> take_claims();
  [[nodiscard]] sql_result<std::vector<claim>> take(task_step what, bool again, std::uint32_t at_most);
  void work(const std::vector<claim>& claims);
  void work_one(const claim& c);
  void settle();
  [[nodiscard]] sql_result<void> give_up(const ticket& t);
  [[nodiscard]] milliseconds cannot_work(const sql_error& e);
  [[nodiscard]] sql_result<void> give_back();
  [[nodiscard]] sql_result<void> keep_house();
  [[nodiscard]] sql_result<void> count();

  [[nodiscard]] sql_result<std::optional<ticket>> begin(const claim& c);
  [[nodiscard]] sql_result<std::optional<ticket>> begin_request(transaction& tx, const beginning& b);
  [[nodiscard]] sql_result<std::optional<ticket>> begin_update(transaction& tx, const beginning& b);
  [[nodiscard]] static sql_result<std::optional<ticket>> no_call(transaction& tx, sql_result<void> done);
  [[nodiscard]] sql_result<std::optional<ticket>> note_call(transaction& tx, const beginning& b, ticket t);
  [[nodiscard]] registrants::generator_answer call(const ticket& t);
  [[nodiscard]] sql_result<void> finish(ticket& t);
  [[nodiscard]] sql_result<void> finish_request(ticket& t);
  [[nodiscard]] sql_result<void> finish_update(const ticket& t);
  [[nodiscard]] sql_result<void> apply(const claim& c, std::int64_t registrant);
  [[nodiscard]] sql_result<bool> try_to_apply(const claim& c, std::int64_t registrant);
  [[nodiscard]] sql_result<void> taken_by_another(const claim& c, std::int64_t registrant);

  // Parts of a transaction.
  [[nodiscard]] sql_result<std::optional<locked_task>> lock_task(const claim& c);
  [[nodiscard]] sql_result<std::optional<own_row>> lock_own(const claim& c);
  [[nodiscard]] sql_result<bool> end_call(const ticket& t);
  [[nodiscard]] sql_result<void> start_try(const claim& c, const own_row& own, std::int64_t attempts);
  [[nodiscard]] sql_result<bool> complete(const claim& c);
  [[nodiscard]] sql_result<void> queue_update(std::int64_t registrant, bool unless_there);
  [[nodiscard]] sql_result<void> forget(const claim& c);
  [[nodiscard]] sql_result<void> postpone(const claim& c, milliseconds by, bool try_is_over);
  [[nodiscard]] sql_result<void> fail_try(const claim& c, bool for_good, std::string_view error,
                                          std::optional<milliseconds> try_again);
  [[nodiscard]] sql_result<void> complete_without_call(transaction tx, const claim& c, std::int64_t registrant,
                                                       bool update_was_queued);
  void saw_others(const claim& c);
  void list_in_log(const claim& c, std::string_view reason);

  void statement_failed(const claim& c, const sql_error& e);
  void drop_connection(const sql_error& e);
  void pass(bridge_moment m) const {
    if (options_.at) options_.at(m);
  }
  [[nodiscard]] std::chrono::nanoseconds now() const { return options_.time->monotonic(); }
  template <class F>
  void note(F change) {
    const std::scoped_lock hold(guard_);
    change(report_);
  }
  [[nodiscard]] bool is_doubtful(const ticket& t) const;
  [[nodiscard]] call_book book() { return {*connection_, table_->subject(), options_.owner, options_.generator}; }

  const bridge_options options_;
  registrants::id_generator& generator_;
  random_source& random_;
  stop_signal stop_, cut_;
  std::optional<connection> connection_;
  std::optional<task_table> table_;
  std::optional<ticket> unfinished_;      ///< answered, and the outcome is not stored yet
  std::uint32_t refusals_ = 0;            ///< of storing it
  bool refused_ = false;                  ///< the database refuses what every round needs
  std::optional<ticket> maybe_begun_;     ///< noted, perhaps, but never called
  bool none_available_ = false;           ///< the generator had none when it was asked last
  std::chrono::nanoseconds none_until_{}; ///< so long what was refused for that is left alone
  std::chrono::nanoseconds probe_at_{};   ///< not before this a new task asks it
  bool must_undo_ = false;                ///< a connection was lost, and with it what was claimed
  std::uint64_t rounds_ = 0;
  std::uint32_t connect_failures_ = 0;
  std::chrono::nanoseconds cleaned_at_{-1};
  std::chrono::nanoseconds told_others_at_{-1};
  std::uint64_t completed_when_cleaned_ = 0;
  mutable std::mutex guard_;
  bridge_report report_;
};

} // namespace matricula::connectors::postgres
