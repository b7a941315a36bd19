/// The base of every actor of Matricula: bounded and counted mailbox, poison captured, what waits kept when it crashes.
///
/// Rules for those who derive from it:
/// - Do nothing in the constructor that can fail; open, read and parse in `make_behavior`.
/// - Let exceptions go: they reach the supervisor, which starts the actor afresh.
/// - Messages to itself (timers too) die with an incarnation. Messages that others send to `this` incarnation (not to
/// its
///   slot), such as completions, may be handed to the next one: they must carry `generation()` or a tenure.
/// - Use `.then`, never `.await`, and no infinite timeouts.
#pragma once
#include "runtime/actor_stats.hpp"
#include "runtime/services.hpp"
#include "runtime/slot.hpp"

#include <caf/event_based_actor.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace matricula {
struct trace_context;
}

namespace matricula::runtime {

inline constexpr std::int64_t mailbox_messages_max_default = 4096;

/// What a supervisor tells the child that it starts.
struct child_context {
  std::string path; ///< "root/domain/identifiers/uin"
  std::uint64_t generation = 1;
  slot_ref slot;              ///< may be empty: then nothing is handed over
  caf::actor_addr supervisor; ///< when it dies, this actor stops
  std::shared_ptr<actor_stats> stats;
  std::shared_ptr<const services> shared;
  std::int64_t mailbox_messages_max = mailbox_messages_max_default;
};

class supervised_actor : public caf::event_based_actor {
public:
  using super = caf::event_based_actor;

  supervised_actor(caf::actor_config& cfg, child_context context);

  /// The actor's own state as one JSON object, for `inspect`. Runs in the actor; keep it small, without personal data.
  [[nodiscard]] virtual std::string describe() const { return "{}"; }

  [[nodiscard]] const std::string& path() const noexcept { return context_.path; }
  /// 1 for the first incarnation under this path, then counting up.
  [[nodiscard]] std::uint64_t generation() const noexcept { return context_.generation; }
  [[nodiscard]] const services& shared() const noexcept { return *context_.shared; }
  [[nodiscard]] actor_stats& stats() const noexcept { return *context_.stats; }
  /// The stable address of this actor; itself when it has no slot.
  [[nodiscard]] caf::actor address_for_others();
  /// The trace of the message being handled, or null.
  [[nodiscard]] const trace_context* current_trace();

  // -- CAF's side; not for users ------------------------------------------------------------------
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) override;
  /// Like enqueue, but leaves `what` alone and returns false when the mailbox is full.
  [[nodiscard]] bool admit(caf::mailbox_element_ptr& what, caf::execution_unit* unit);
  /// What waited in the slot: counted already, never refused.
  void take_waiting(caf::mailbox_element_ptr what, caf::execution_unit* unit);
  using super::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;
  void initialize() override;
  bool cleanup(caf::error&& reason, caf::execution_unit* host) override;

protected:
  [[nodiscard]] const child_context& context_of_child() const noexcept { return context_; }
  /// The supervisor died without stopping this actor.
  virtual void supervisor_lost();

private:
  class handling;
  [[nodiscard]] caf::error on_exception(std::exception_ptr& thrown);
  void keep_dead_letter(const caf::mailbox_element& poison, const std::string& what) noexcept;
  [[nodiscard]] bool is_from_self(const caf::mailbox_element& x) const noexcept;
  [[nodiscard]] std::int64_t now_ns() const;

  child_context context_;
  std::atomic<std::int64_t> depth_{0};
};

/// How a message is treated: the runtime's and CAF's own pass every bound.
enum class message_class : std::uint8_t { user, control, system };
[[nodiscard]] message_class classify(const caf::mailbox_element& x);

} // namespace matricula::runtime
