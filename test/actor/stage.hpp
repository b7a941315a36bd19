/// A node below its HTTP front with one identifier type, under virtual time: the real actors on CAF's testing
/// scheduler, the real store on a simulated disk, the commit log without a thread. Nothing happens unless the test says
/// so.
#pragma once
#include "actors/cast.hpp"
#include "actors/dead_letter_office.hpp"
#include "actors/messages.hpp"
#include "actors/schedule_book.hpp"
#include "actors/tasks/queue_context.hpp"
#include "foundation/random.hpp"
#include "runtime/registry.hpp"
#include "storage/grants.hpp"
#include "storage/idempotency.hpp"
#include "storage/local_log.hpp"
#include "test/sim/sim_clock.hpp"
#include "test/support/sim_disk.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::actor_test {

using namespace std::chrono_literals;

struct stage_options {
  identifiers::lifecycle of = identifiers::lifecycle::vid;
  identifiers::reuse_policy reuse = identifiers::reuse_policy::random;
  milliseconds cool_off{0};
  std::size_t length = 10;
  std::uint32_t issuers = 1; ///< of several, actors are called "0/pool" and so on
  identifiers::pool_limits limits{20, 60};
  actors::id_cast_options cast;
  milliseconds unconfirmed_lease{0};
  std::vector<identifiers::vid_policy> policies;
  std::string expirer_schedule;             ///< a cron expression; without one nobody runs the expirer
  std::vector<runtime::child_spec> helpers; ///< further children of "domain"
  /// With worker types there is a task queue, "root/domain/tasks/queue". What the stage knows better is added.
  std::optional<actors::queue_context> tasks;
  /// Workers inside of the node, made anew in each of its lives.
  std::function<std::vector<std::shared_ptr<const actors::worker_pool>>(
      const std::shared_ptr<const actors::queue_context>&,
      const std::vector<std::shared_ptr<const actors::type_context>>&, caf::actor_system&)>
      workers;
  /// With this there are alerts, "root/domain/alerts". What the stage knows better is added.
  std::optional<actors::alerts_context> alerts;
};

/// What a client asks for. Times are of the stage's clock.
struct asked {
  std::uint32_t count = 1;
  std::optional<timestamp> expires_at;
  std::string key;              ///< idempotency key; empty: none
  std::string what = "request"; ///< what the fingerprint is taken of
  std::chrono::nanoseconds deadline{0};
  std::uint32_t issuer = 0; ///< that is asked when there is no key
};

/// The commit log as the actors see it: the real one, but whoever reads a trapped row crashes, as on a bug in the
/// program that only this row brings out.
class trapped_log;

class stage {
public:
  explicit stage(stage_options options = {});
  ~stage();
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;

  /// The power fails: actors, log and store are gone with all that was not synced, and the node starts on what is left.
  void power_cut();
  /// The same with other settings of the task queue.
  void retune(actors::queue_context tasks) {
    options_.tasks = std::move(tasks);
    power_cut();
  }

  // -- what happens next ----------------------------------------------------------------------------------------------
  /// Actors and commit log, until nobody has anything to do. No time passes.
  void run();
  /// Actors only: what they write stays in the log's queue.
  void run_actors();
  void run_actors_but(std::initializer_list<std::string_view> held);
  /// One message is handled, or else one batch is written. False when nobody has anything to do.
  bool little_step();
  /// The actor handles its next message. False when it has none.
  bool step(std::string_view who);
  [[nodiscard]] bool has_work(std::string_view who) const;
  /// Writes what comes until `over`, as for a thread that waits for its write.
  void write_until(const std::function<bool()>& over);
  bool write_group(std::size_t batches_max = SIZE_MAX) { return log_->write_group(batches_max); }
  /// Moves the clocks and lets timers ring, but nobody act on it.
  void advance(milliseconds by);
  /// Everything runs while time passes.
  void pass(milliseconds how_long);
  /// The wall clock alone is set forward.
  void jump(milliseconds by) { time_.jump(by); }

  // -- faults ---------------------------------------------------------------------------------------------------------
  /// Ends the actor before it handles anything that waits; its successor is there, but has not begun.
  void kill(std::string_view who);
  void command(std::string_view who, runtime::actor_command what);
  /// While it is on, nothing more is taken for the store, as on a full disk.
  void fill_disk(bool on) { disk_full_ = on; }
  /// Another holder of the pool's tenure, as a second incarnation would be; nothing is granted yet.
  [[nodiscard]] std::shared_ptr<std::optional<result<storage::tenure>>> acquire_tenure_of_pool();
  /// From now on whoever reads the record of this identifier crashes, in every life of the node, until it is mended.
  void trap(const std::string& id);
  void mend();
  /// Writes behind the actors' backs, durably.
  void overwrite(storage::column where, const std::string& key, const std::string& value);

  // -- requests -------------------------------------------------------------------------------------------------------
  using issue_cell = std::shared_ptr<runtime::reply_cell<actors::issue_answer>>;
  using change_cell = std::shared_ptr<runtime::reply_cell<identifiers::id_record>>;
  using expiry_cell = std::shared_ptr<runtime::reply_cell<actors::expiry_answer>>;
  [[nodiscard]] issue_cell send_issue(const asked& what);
  [[nodiscard]] change_cell send_change(const std::string& id, identifiers::id_event event, std::uint32_t assignment,
                                        std::chrono::nanoseconds deadline = {});
  [[nodiscard]] expiry_cell send_expire();
  using reclaim_cell = std::shared_ptr<runtime::reply_cell<actors::reclaim_answer>>;
  [[nodiscard]] reclaim_cell send_reclaim(const std::vector<std::string>& ids, timestamp issued_before);
  using vid_cell = std::shared_ptr<runtime::reply_cell<actors::vid_answer>>;
  /// For "the holder", or of the VID `id` when it is not empty.
  [[nodiscard]] vid_cell send_vids(actors::vid_action action, const std::string& policy, const std::string& id = {},
                                   const std::string& key = {});
  using import_cell = std::shared_ptr<runtime::reply_cell<actors::import_answer>>;
  /// Identifiers of the type, or others: these are foreign. In the state of identifiers in use.
  [[nodiscard]] import_cell send_import(const std::vector<std::string>& ids);
  /// The same, with all that they bring about.
  [[nodiscard]] result<actors::issue_answer> issue(const asked& what);
  /// The identifier of an issue that succeeds.
  [[nodiscard]] std::string issue_one(const asked& what);
  [[nodiscard]] result<identifiers::id_record> change(const std::string& id, identifiers::id_event event,
                                                      std::uint32_t assignment = 0);
  [[nodiscard]] result<actors::expiry_answer> expire();
  [[nodiscard]] result<actors::vid_answer> vids(actors::vid_action action, const std::string& policy,
                                                const std::string& id = {}, const std::string& key = {});
  [[nodiscard]] result<std::vector<identifiers::import_verdict>> import(const std::vector<std::string>& ids);
  [[nodiscard]] result<void> replay(const std::string& letter);

  // -- looking --------------------------------------------------------------------------------------------------------
  [[nodiscard]] timestamp now() const { return time_.wall(); }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const { return time_.monotonic(); }
  [[nodiscard]] decision_clock& decisions() const { return *decisions_; }
  [[nodiscard]] const actors::type_context& type() const { return *context_; }
  [[nodiscard]] const actors::type_context& issuer(std::uint32_t number) const { return *contexts_.at(number); }
  [[nodiscard]] std::shared_ptr<const actors::type_context> shared_type() const { return context_; }
  /// As a door takes them.
  [[nodiscard]] const std::vector<std::shared_ptr<const actors::type_context>>& issuers() const { return contexts_; }
  /// @pre there is one
  [[nodiscard]] const std::shared_ptr<const actors::queue_context>& queue() const { return queue_; }
  /// @pre there are some
  [[nodiscard]] const std::shared_ptr<const actors::alerts_context>& alerts() const { return alerts_; }
  [[nodiscard]] identifiers::pool_level level() const { return context_->level->get(); }
  [[nodiscard]] std::string path(std::string_view who) const;
  [[nodiscard]] runtime::actor_snapshot look(std::string_view who) const;
  [[nodiscard]] std::vector<std::string> recent_types(std::string_view who) const;
  [[nodiscard]] const runtime::registry& registry() const { return *actors_; }
  [[nodiscard]] caf::actor_system& system() { return *system_; }
  [[nodiscard]] const storage::log_stats& log_stats() const { return log_->stats(); }
  [[nodiscard]] std::vector<actors::kept_letter> letters() const;
  [[nodiscard]] const std::vector<std::string>& alarms() const { return alarms_; }
  /// Durable rows.
  [[nodiscard]] identifiers::pool_counters counters(std::uint32_t issuer = 0) const;
  /// Who has the identifier, and its record.
  [[nodiscard]] storage::owned_id owner_of(const std::string& id) const;
  /// What `matricula verify` says; empty when everything agrees.
  [[nodiscard]] std::string verify() const;
  [[nodiscard]] std::optional<identifiers::id_record> record(const std::string& id) const;
  [[nodiscard]] identifiers::holder the_holder() const;
  /// What `matricula verify` says of the durable rows.
  [[nodiscard]] std::vector<std::string> verified() const;
  [[nodiscard]] std::string record_key(const std::string& id) const;
  [[nodiscard]] std::shared_ptr<const storage::view> durable() const { return store_->snapshot(); }
  [[nodiscard]] storage::commit_log& log() { return *log_; }
  /// Where the identifier is, by its text, in durable rows.
  [[nodiscard]] std::optional<storage::id_place> place(const std::string& id) const;
  [[nodiscard]] std::optional<std::string> row(storage::column where, const std::string& key) const;
  [[nodiscard]] std::vector<identifiers::due_row> due_rows() const;
  /// Whether the key's answer is kept.
  [[nodiscard]] bool remembers(const std::string& key) const;

private:
  void open();
  void start_actors();
  void close();
  [[nodiscard]] caf::resumable* job_of(const std::string& path) const;
  bool step_path(const std::string& path);

  stage_options options_;
  sim::sim_clock time_;
  seeded_random random_{7};
  std::shared_ptr<test::sim_disk> disk_ = std::make_shared<test::sim_disk>();
  std::unique_ptr<test::sim_env> env_;
  std::unique_ptr<storage::store> store_;
  std::shared_ptr<decision_clock> decisions_;
  std::unique_ptr<storage::local_log> log_;
  std::set<std::string> traps_; ///< keys
  bool disk_full_ = false;
  std::unique_ptr<trapped_log> seen_log_;
  std::unique_ptr<actors::dead_letter_office> office_;
  std::shared_ptr<actors::schedule_book> schedules_;
  std::shared_ptr<runtime::registry> actors_;
  std::shared_ptr<runtime::services> services_;
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  std::vector<std::shared_ptr<const actors::type_context>> contexts_; ///< by issuer
  std::shared_ptr<const actors::type_context> context_;               ///< the first of them
  std::shared_ptr<const actors::queue_context> queue_;
  std::vector<std::shared_ptr<const actors::worker_pool>> workers_;
  std::uint32_t lives_ = 0;
  std::shared_ptr<const actors::alerts_context> alerts_;
  caf::actor root_;
  std::vector<std::string> alarms_;
  std::uint64_t overwrites_ = 0;
};

/// The error of an answer that is there and is one.
template <class T>
[[nodiscard]] std::optional<errc> refusal(const result<T>& answer) {
  return answer ? std::nullopt : std::optional(answer.error().code);
}
template <class T>
[[nodiscard]] std::optional<errc> refusal(const std::shared_ptr<runtime::reply_cell<T>>& cell) {
  if (!cell->ready()) return std::nullopt;
  return refusal(cell->value());
}

} // namespace matricula::actor_test
