/// Runs jobs when their cron expression says so: it sends each one's message. What was missed while the node was down
/// is caught up once or skipped; a clock that steps back or forth runs nothing twice.
#pragma once
#include "runtime/cron.hpp"
#include "runtime/reply.hpp"
#include "runtime/supervised_actor.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/message.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace matricula::runtime {

using std::chrono::milliseconds;

enum class missed_run : std::uint8_t {
  catch_up, ///< run once for all that was missed. At least once: sent first, then remembered
  skip,     ///< wait for the next one. At most once: remembered first, then sent
};

/// One run, for the message that starts it.
struct scheduled_run {
  std::string job;
  timestamp scheduled_for; ///< the same for a repeated run: a good idempotency key
  bool caught_up = false;
  bool by_hand = false;
};

struct scheduled_job {
  std::string name;
  cron_expression when;
  missed_run on_missed = missed_run::catch_up;
  caf::actor to; ///< a slot's address, which outlives restarts
  std::function<caf::message(const scheduled_run&)> make;
  bool hold_while_clock_is_suspect = true; ///< wait until an operator trusts the clock again
};

/// Where last runs are kept; storage implements it. Completions may be called on any thread, at once or later.
class schedule_memory {
public:
  virtual ~schedule_memory() = default;
  using last_runs = std::map<std::string, timestamp>;
  virtual void load(std::function<void(result<last_runs>)> done) = 0;
  /// `done` once it is durable.
  virtual void remember(const std::string& job, timestamp last_run, std::function<void(result<void>)> done) = 0;
};

struct scheduler_options {
  std::shared_ptr<schedule_memory> memory;
  std::shared_ptr<decision_clock> clock;
  std::vector<scheduled_job> jobs;
  milliseconds look_max{10'000}; ///< looks at the wall clock at least so often, as it may step
  milliseconds late_max{60'000}; ///< a run later than this was missed
};

/// For the scheduler: run a job now, whatever its schedule, which it does not change. Answered with the time of the
/// run, or not_found.
struct run_job_now {
  std::string name;
  reply_to<timestamp> reply;
};

/// The scheduler's messages to itself.
struct scheduler_tick {
  std::uint64_t number = 0;
};
struct scheduler_loaded {
  std::uint64_t generation = 0;
  std::shared_ptr<const result<schedule_memory::last_runs>> runs;
};
struct scheduler_remembered {
  std::uint64_t generation = 0;
  std::string job;
  std::string error;                             ///< empty when durable
  std::shared_ptr<const scheduled_run> then_run; ///< null when it was sent before
};

class scheduler final : public supervised_actor {
public:
  scheduler(caf::actor_config& cfg, child_context context, scheduler_options options);
  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;

private:
  struct job {
    scheduled_job spec;
    timestamp last;
    std::optional<timestamp> next;
    std::string last_error;
  };

  void on_loaded(const scheduler_loaded& answer);
  void look();
  void look_at(job& j, timestamp now);
  void run(job& j, scheduled_run what);
  void remember(const job& j, std::shared_ptr<const scheduled_run> then_run);
  void send_off(const job& j, const scheduled_run& what) const;
  [[nodiscard]] job* find(const std::string& name);

  scheduler_options options_;
  std::vector<job> jobs_;
  std::uint64_t tick_ = 0;
  bool was_suspect_ = false;
};

} // namespace matricula::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(matricula::runtime::run_job_now)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(matricula::runtime::scheduler_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(matricula::runtime::scheduler_loaded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(matricula::runtime::scheduler_remembered)
