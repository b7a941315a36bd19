/// Starts actors, and starts them again when they fail: by a strategy, with back-off, within a limit, and otherwise
/// gives the failure to its own supervisor. It never ends before each of its children has.
#pragma once
#include "runtime/control.hpp"
#include "runtime/supervised_actor.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace matricula::runtime {

using std::chrono::milliseconds;

enum class strategy : std::uint8_t {
  one_for_one,  ///< only the failed child
  rest_for_one, ///< it and every child after it
  one_for_all,  ///< all children
};
enum class restart_policy : std::uint8_t {
  permanent, ///< always
  transient, ///< when it failed
  temporary, ///< never
};

struct child_spec {
  std::string id;   ///< 1 to 64 of [a-z0-9_.-], unique among its siblings; a part of the path
  std::string kind; ///< what sort of actor, for metrics: few distinct values
  restart_policy policy = restart_policy::permanent;
  std::function<caf::actor(caf::local_actor& parent, child_context context)> start;
  slot_ref slot; ///< made by the supervisor when empty; give one when others need the address before the start
  slot_limits slot_bounds{}; ///< for a slot that the supervisor makes
  std::int64_t mailbox_messages_max = mailbox_messages_max_default;
  std::optional<milliseconds> stop_grace; ///< the supervisor's own when empty
  std::optional<milliseconds> kill_grace;
};

/// A child of class `Actor`, whose constructor takes (actor_config&, child_context, args...). The arguments are copied
/// for each incarnation.
template <class Actor, caf::spawn_options Options = caf::no_spawn_options, class... Args>
[[nodiscard]] child_spec child_of(std::string id, std::string kind, Args... args) {
  child_spec spec;
  spec.id = std::move(id);
  spec.kind = std::move(kind);
  spec.start = [kept = std::make_tuple(std::move(args)...)](caf::local_actor& parent, child_context context) {
    return std::apply(
        [&](const Args&... each) -> caf::actor { return parent.spawn<Actor, Options>(std::move(context), each...); },
        kept);
  };
  return spec;
}

struct supervisor_options {
  strategy how = strategy::one_for_one;
  std::uint32_t restarts_max = 10; ///< failures within `restart_window`; one more escalates
  milliseconds restart_window{60'000};
  milliseconds backoff_min{100};      ///< doubles with each failure in a row
  milliseconds backoff_max{10'000};   ///< the cap, jitter included
  milliseconds healthy_after{30'000}; ///< a child that lived so long starts at backoff_min again
  milliseconds stop_grace{5'000};     ///< then a child that was asked to stop is killed
  milliseconds kill_grace{5'000};     ///< then it is reported as fatal: two of a kind must never live at once
};

class supervisor final : public supervised_actor {
public:
  supervisor(caf::actor_config& cfg, child_context context, supervisor_options options, std::vector<child_spec> specs);

  caf::behavior make_behavior() override;
  using supervised_actor::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;
  [[nodiscard]] std::string describe() const override;
  void on_exit() override;

protected:
  void supervisor_lost() override;

private:
  using time_point = std::chrono::steady_clock::time_point;
  enum class manner : std::uint8_t { drain, now, kill };
  enum class stage : std::uint8_t { none, asked, killed, abandoned };

  struct child {
    child_spec spec;
    std::string path;
    std::shared_ptr<actor_stats> stats;
    caf::actor handle; ///< null when no incarnation lives
    std::uint64_t generation = 0;
    std::uint32_t failures = 0; ///< in a row
    time_point started;
    bool wanted = true; ///< false after an operator's stop, or when its policy leaves it ended
    stage stopping = stage::none;
    std::vector<reply_to<std::uint64_t>> when_started;
    std::vector<reply_to<std::uint64_t>> when_stopped;
  };
  /// Children that are to be stopped, last first, and started again together, first first.
  struct restart_plan {
    std::vector<std::size_t> members; ///< ascending
    std::uint64_t generation = 0;
    bool ripe = false; ///< the back-off is over
  };
  struct failure {
    time_point at;
    std::size_t child;
    std::string poison; ///< message type; empty when no message is to blame
  };
  struct ending {
    caf::error reason;
    manner how;
    bool escalated;
  };

  void adopt();
  [[nodiscard]] bool start(std::size_t index);
  void on_control(const control& order);
  void on_down(const caf::down_msg& down);
  void on_failure(std::size_t index, const caf::error& reason);
  [[nodiscard]] bool too_many(std::size_t index, const caf::error& reason);
  [[nodiscard]] milliseconds backoff(std::uint32_t failures);
  void plan_restart(std::size_t index, milliseconds delay);
  void advance(std::size_t plan);
  void advance_all();
  void drop_from_plans(std::size_t index);
  void stop(std::size_t index, manner how);
  void on_overdue(const stop_overdue& timer);
  void on_command(const command_order& order);
  void begin_end(caf::error reason, manner how, bool escalated);
  void continue_end();
  void mark_stopped(child& c);

  supervisor_options options_;
  std::vector<child_spec> specs_;
  std::vector<child> children_;
  std::unique_ptr<random_source> random_;
  std::deque<failure> failures_;
  std::map<std::size_t, restart_plan> plans_; ///< by child for one_for_one, otherwise one at 0
  std::uint64_t plan_generation_ = 0;
  std::optional<ending> ending_;
};

/// A supervisor as a child of another. It is given as long to stop as its children together.
[[nodiscard]] child_spec subtree(std::string id, supervisor_options options, std::vector<child_spec> children);

/// Starts the root, path "root". When it gives up, `shared->on_fatal` is called after every child has ended. Stop it
/// with `stop_gracefully`, or with an exit message of reason user_shutdown.
[[nodiscard]] caf::actor start_root(caf::actor_system& system, std::shared_ptr<const services> shared,
                                    supervisor_options options, std::vector<child_spec> children);

} // namespace matricula::runtime
