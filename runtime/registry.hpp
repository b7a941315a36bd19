/// Every actor of the node by its path, what it reports, and the door through which an operator acts on it.
/// Reading it asks no actor anything; only `inspect` does, one actor, within a bound.
#pragma once
#include "foundation/clock.hpp"
#include "runtime/actor_command.hpp"
#include "runtime/actor_stats.hpp"
#include "runtime/rates.hpp"
#include "runtime/reply.hpp"

#include <caf/fwd.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::runtime {

class slot_ref;

/// One actor as it is now.
struct actor_snapshot {
  std::string path;
  std::string kind;
  actor_state state{};
  std::uint64_t generation{};
  std::int64_t depth{};
  std::int64_t high_water{};
  std::uint64_t handled{};
  std::uint64_t rejected{};
  std::uint64_t poisonous{};
  std::uint64_t unexpected{};
  std::uint64_t dropped{};
  std::uint64_t crashes{};
  std::uint64_t restarts{};
  std::string last_reason;
  message_rates rates;
  nanoseconds p50{}; ///< of handler times, since the node started
  nanoseconds p99{};
  nanoseconds busy_total{}; ///< time spent in handlers
  nanoseconds busy_for{};   ///< zero when idle
  std::string_view busy_with;
  bool stuck = false;
  nanoseconds alive_for{}; ///< of this incarnation; zero when none lives
  nanoseconds next_retry_in{};
  std::vector<std::string> refused_types;
};

class registry {
public:
  static constexpr milliseconds inspect_timeout_max{1'000};

  explicit registry(const clock& time);
  ~registry();
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;

  // -- for supervisors ----------------------------------------------------------------------------
  /// The stats of `path`, made at the first call. @param supervisor who carries out commands; empty for the root.
  std::shared_ptr<actor_stats> enroll(const std::string& path, const std::string& kind, const slot_ref& slot,
                                      const caf::actor_addr& supervisor);
  /// The root answers `inspect` itself, having no slot.
  void set_address(const std::string& path, const caf::actor_addr& actor);
  /// The slot that `path` was enrolled with, so that an address outlives even its supervisor; empty when there is none.
  [[nodiscard]] slot_ref slot_of(std::string_view path) const;
  void withdraw(const std::string& path);
  /// Lets go of every address. Call it before the actor system is destroyed.
  void clear();

  // -- for operators ------------------------------------------------------------------------------
  /// Every actor, sorted by path: a parent stands before its children.
  [[nodiscard]] std::vector<actor_snapshot> list() const;
  [[nodiscard]] std::optional<actor_snapshot> find(std::string_view path) const;
  /// Its last messages, oldest first; empty for an unknown path.
  [[nodiscard]] std::vector<recent_message> recent(std::string_view path) const;
  [[nodiscard]] std::shared_ptr<actor_stats> stats(std::string_view path) const;
  /// The address of `path`, or not_found. Something sent there outlives restarts.
  [[nodiscard]] result<caf::actor> address(std::string_view path) const;

  /// Carried out by the actor's supervisor; `reply` gets the generation that then lives (or lived last).
  /// Errors: not_found, conflict (it is the root, or not in a state for it), unavailable.
  void command(std::string_view path, actor_command what, reply_to<std::uint64_t> reply) const;
  /// `reply` gets the actor's own state as JSON, or unavailable when nobody lives there.
  void inspect(std::string_view path, reply_to<std::string> reply) const;
  /// The same for a plain thread. deadline_exceeded after `timeout` (at most one second).
  [[nodiscard]] result<std::string> inspect_and_wait(std::string_view path, milliseconds timeout) const;
  [[nodiscard]] result<std::uint64_t> command_and_wait(std::string_view path, actor_command what,
                                                       milliseconds timeout) const;

private:
  struct node;
  [[nodiscard]] std::shared_ptr<node> at(std::string_view path) const;
  [[nodiscard]] actor_snapshot snapshot(const node& n) const;

  const clock& time_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<node>, std::less<>> nodes_;
};

} // namespace matricula::runtime
