/// One life of a node below its HTTP front, in one thread: the supervision tree on CAF's testing scheduler, RocksDB on
/// a simulated disk, the commit log without a thread. Nothing happens unless it is told to.
#pragma once
#include "actors/cast.hpp"
#include "actors/dead_letter_office.hpp"
#include "actors/messages.hpp"
#include "actors/tasks/queue_context.hpp"
#include "domain/registrants/id_generator.hpp"
#include "foundation/random.hpp"
#include "runtime/registry.hpp"
#include "runtime/services.hpp"
#include "storage/grants.hpp"
#include "storage/local_log.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/letters.hpp"
#include "test/sim/model.hpp"
#include "test/sim/planted_log.hpp"
#include "test/sim/runs.hpp"
#include "test/sim/sim_clock.hpp"
#include "test/support/sim_disk.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace matricula::sim {

/// What is around a node: who looks on, and what it is told.
struct surroundings {
  sim_clock& time;
  random_source& random;
  letters& known_letters;
  runs& known_runs;
  std::function<bool()> clock_held; ///< whether the clock has jumped and nobody has looked at it
  planted_bug bug;
  std::function<void(const runtime::operator_alarm&)> on_alarm = nullptr;
  std::shared_ptr<registrants::id_generator> generator = nullptr; ///< from which registrants get their IDs
  std::function<void(std::function<void()>)> blocking_work = nullptr;
};

class node {
public:
  /// Opens the store and starts the tree. A refused start is in `refusal`, and then nothing else may be called.
  /// @param accept_loss_up_to an operator's word that the groups up to this one may be lost
  node(std::shared_ptr<test::sim_disk> disk, const surroundings& around,
       std::optional<std::uint64_t> accept_loss_up_to = {});
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
  /// Why the process would have ended: a failed disk, or a root that gave up.
  [[nodiscard]] const std::string& fatal() const noexcept { return fatal_; }

  // -- steps: each returns whether there was anything to do -----------------------------------------------------------
  /// Lets one random runnable actor handle one message.
  bool run_actor();
  bool write_group(std::size_t batches_max = SIZE_MAX);
  /// None once the disk fails: Debian's RocksDB then aborts in an assertion, which is an end of the process as good as
  /// any, but would end the simulation with it.
  bool run_background_job() { return !disk_fails_ && env_->run_one(random_); }
  void flush() {
    if (!disk_fails_) (void)store_->flush();
  }
  /// Both clocks.
  void advance(milliseconds by);

  // -- requests -------------------------------------------------------------------------------------------------------
  using issue_cell = std::shared_ptr<runtime::reply_cell<actors::issue_answer>>;
  using change_cell = std::shared_ptr<runtime::reply_cell<identifiers::id_record>>;
  using vid_cell = std::shared_ptr<runtime::reply_cell<actors::vid_answer>>;
  using expiry_cell = std::shared_ptr<runtime::reply_cell<actors::expiry_answer>>;
  [[nodiscard]] issue_cell send(const issue_call& call);
  [[nodiscard]] change_cell send(const change_call& call);
  [[nodiscard]] expiry_cell send(const expiry_call& call);
  /// To the pool of the holders' type; the reply is added.
  [[nodiscard]] vid_cell send(actors::change_vids message);
  using import_cell = std::shared_ptr<runtime::reply_cell<actors::import_answer>>;
  [[nodiscard]] import_cell send_import(std::size_t type, std::vector<identifiers::import_row> rows);

  /// To the task queue; the reply is added.
  template <class T, class Message>
  [[nodiscard]] std::shared_ptr<runtime::reply_cell<T>> send_to_queue(Message message) {
    auto cell = std::make_shared<runtime::reply_cell<T>>(nullptr);
    message.context.principal = "client";
    message.reply = runtime::reply_to<T>(cell);
    caf::anon_send(queue_->queue.address(), std::move(message));
    return cell;
  }
  /// What a bug makes of the words of a worker.
  void plant(actors::end_task& message) const;

  // -- an operator ----------------------------------------------------------------------------------------------------
  [[nodiscard]] actors::dead_letter_office& office() noexcept { return *office_; }
  /// While it is on, whoever waits for a note to be written gets it written; otherwise he gets nothing but its promise.
  void let_notes_be_waited_for(bool on);

  // -- faults ---------------------------------------------------------------------------------------------------------
  /// By its supervisor's order; `who` is a child of the type, or empty for the type's supervisor.
  void kill_by_order(std::size_t type, const std::string& who);
  void kill_queue_by_order();
  /// Of a registrants' pool.
  void kill_worker_by_order();
  /// By an exit message to a random actor that has something to do. False when there is none.
  bool kill_runnable();
  /// After so many more calls the disk fails for good.
  void fail_disk_after(std::int64_t calls) {
    disk_fails_ = true;
    disk_->fail_after(calls);
  }
  /// A message on which the pool crashes. @param number makes it a message like no other
  void send_poison(std::size_t type, std::uint64_t number);
  [[nodiscard]] planted_log& log() noexcept { return *seen_log_; }
  [[nodiscard]] decision_clock& decisions() noexcept { return *decisions_; }

  // -- looking --------------------------------------------------------------------------------------------------------
  [[nodiscard]] std::shared_ptr<const storage::view> durable() const { return store_->snapshot(); }
  /// Of every issuer of the type.
  [[nodiscard]] std::vector<storage::id_partition> parts(std::size_t type) const;
  /// The durable counters of all its issuers together.
  [[nodiscard]] identifiers::pool_counters counters(std::size_t type) const;
  /// The level of an issuer's pool that is due for a refill; nothing when there is none.
  [[nodiscard]] std::optional<identifiers::pool_level> low_level(std::size_t type) const;
  /// Of the first issuer.
  [[nodiscard]] identifiers::pool_level level(std::size_t type) const { return contexts_[type].front()->level->get(); }
  [[nodiscard]] result<storage::owned_id> owner(std::size_t type, std::uint64_t counter) const;
  [[nodiscard]] bool log_idle() const { return log_->idle(); }
  [[nodiscard]] std::size_t runnable() const { return scheduler_->jobs.size(); }
  [[nodiscard]] std::size_t background_jobs() const { return env_->jobs(); }
  [[nodiscard]] timestamp last_durable() const { return store_->last_durable_time(); }
  [[nodiscard]] bool has_actor(const std::string& path) const { return actors_->address(path).has_value(); }

private:
  [[nodiscard]] result<void> open(std::optional<std::uint64_t> accept_loss_up_to);
  [[nodiscard]] result<void> settle_types(std::vector<identifiers::id_type>& types);
  void start_actors(std::vector<identifiers::id_type> types);
  [[nodiscard]] runtime::child_spec make_scheduler();
  [[nodiscard]] runtime::child_spec make_queue(const actors::cast_options& options);
  void stop_actors();

  std::shared_ptr<test::sim_disk> disk_;
  surroundings around_;
  sim_clock& time_;
  random_source& random_;
  planted_bug bug_;
  std::string refusal_;
  std::string fatal_;
  bool disk_fails_ = false;
  bool writing_ = false;

  std::unique_ptr<test::sim_env> env_;
  std::unique_ptr<storage::store> store_;
  std::unique_ptr<clock> wall_of_decisions_;
  std::shared_ptr<decision_clock> decisions_;
  std::unique_ptr<storage::local_log> log_;
  std::unique_ptr<planted_log> seen_log_;
  std::unique_ptr<planted_log> notes_log_; ///< of the dead letters and the schedules
  std::unique_ptr<actors::dead_letter_office> office_;
  std::unique_ptr<watched_letters> letters_;
  std::shared_ptr<watched_memory> memory_;
  std::shared_ptr<runtime::registry> actors_;
  std::shared_ptr<runtime::services> services_;
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  std::vector<std::vector<std::shared_ptr<const actors::type_context>>> contexts_; ///< by type and issuer
  std::shared_ptr<const actors::queue_context> queue_;
  std::vector<std::shared_ptr<const actors::worker_pool>> workers_;
  caf::actor root_;
};

} // namespace matricula::sim
