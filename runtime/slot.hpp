/// The stable address of a supervised actor. Messages go to the present incarnation; while it restarts they wait here,
/// in order and bounded; a message type that keeps crashing the actor is refused.
#pragma once
#include "runtime/actor_stats.hpp"

#include <caf/actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/monitorable_actor.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace matricula::runtime {

class supervised_actor;

struct slot_limits {
  std::size_t buffer_max = 4096;                  ///< messages that wait while no incarnation can take them
  std::uint32_t crashes_max = 3;                  ///< of one message type within `crash_window`, then it is refused
  std::chrono::milliseconds crash_window{60'000}; ///< also how long the type stays refused
};

/// An actor without a mailbox: `enqueue` runs on the sender's thread and passes the message on unchanged, so that an
/// answer goes straight to whoever asked. Everything but `enqueue` is for the supervisor and its child.
class actor_slot final : public caf::monitorable_actor {
public:
  actor_slot(caf::actor_config& cfg, slot_limits limits) : caf::monitorable_actor(cfg), limits_(limits) {}

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) override;
  const char* name() const override { return "matricula.slot"; }

  /// From now on messages wait, and incarnation `generation` may bind (0: none yet).
  void open(std::uint64_t generation, std::shared_ptr<actor_stats> stats);
  /// The incarnation itself, once its start succeeded: it gets what waits, in order, before anything newer.
  /// Ignored when another generation is expected or the slot refuses.
  void bind(std::uint64_t generation, supervised_actor& child, caf::execution_unit* unit);
  /// Messages wait for the next incarnation.
  void buffer();
  /// Everything that waits or comes is refused, until `open`.
  void refuse(caf::execution_unit* unit);

  /// A message of type `type` crashed the child. True when that made the type refused.
  [[nodiscard]] bool note_crash(const std::string& type);
  /// An operator says that the fault is mended: no type is refused any longer.
  void forgive();
  [[nodiscard]] std::vector<std::string> refused_types() const;
  /// Messages that wait here, not in a mailbox.
  [[nodiscard]] std::size_t buffered() const;

  /// While it lives the slot is locked: nobody can overtake what the dying incarnation hands over.
  class handover {
  public:
    handover(actor_slot& slot, const supervised_actor& from);
    ~handover();
    handover(const handover&) = delete;
    handover& operator=(const handover&) = delete;
    void keep(caf::mailbox_element_ptr element) { kept_.push_back(std::move(element)); }
    /// Freed after the lock is: a message's destructor may do anything.
    void drop(caf::mailbox_element_ptr element) { dropped_.push_back(std::move(element)); }

  private:
    actor_slot& slot_;
    std::unique_lock<std::mutex> lock_;
    std::vector<caf::mailbox_element_ptr> kept_;
    std::vector<caf::mailbox_element_ptr> dropped_;
  };

private:
  enum class mode : std::uint8_t { refusing, buffering, bound };
  enum class refusal : std::uint8_t { none, poisonous, full, overloaded, down };

  [[nodiscard]] refusal take(caf::mailbox_element_ptr& what, caf::execution_unit* unit);
  /// @pre the lock is held
  [[nodiscard]] bool is_refused(const caf::mailbox_element& what);
  void bounce(caf::mailbox_element_ptr what, refusal why, caf::execution_unit* unit);
  [[nodiscard]] std::chrono::steady_clock::time_point now() const;

  struct crash_record {
    std::deque<std::chrono::steady_clock::time_point> times;
    bool refused = false;
    std::chrono::steady_clock::time_point refused_until;
  };

  const slot_limits limits_;
  mutable std::mutex mutex_;
  mode mode_ = mode::buffering; ///< whoever has the address may use it before the first start
  std::uint64_t generation_ = 0;
  supervised_actor* child_ = nullptr;
  caf::strong_actor_ptr child_owner_;
  std::shared_ptr<actor_stats> stats_;
  std::deque<caf::mailbox_element_ptr> buffer_;
  std::map<std::string, crash_record> crashes_;
  bool any_refused_ = false;
};

/// Keeps a slot alive. Copies are the same slot. Make it before the actor that others need to know, so that everyone
/// can be given everyone's address first.
class slot_ref {
public:
  slot_ref() = default;
  [[nodiscard]] static slot_ref make(caf::actor_system& system, slot_limits limits = {});
  /// The address to send to.
  [[nodiscard]] caf::actor address() const { return caf::actor_cast<caf::actor>(owner_); }
  [[nodiscard]] explicit operator bool() const noexcept { return slot_ != nullptr; }
  actor_slot* operator->() const noexcept { return slot_; }
  actor_slot& operator*() const noexcept { return *slot_; }

private:
  caf::strong_actor_ptr owner_;
  actor_slot* slot_ = nullptr;
};

} // namespace matricula::runtime
