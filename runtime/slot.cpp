#include "runtime/slot.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/message_types.hpp"
#include "runtime/supervised_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/make_actor.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <iterator>

namespace matricula::runtime {

slot_ref slot_ref::make(caf::actor_system& system, slot_limits limits) {
  caf::actor_config cfg;
  slot_ref ref;
  ref.owner_ =
      caf::make_actor<actor_slot, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system, cfg, limits);
  ref.slot_ = static_cast<actor_slot*>(ref.owner_->get());
  return ref;
}

std::chrono::steady_clock::time_point actor_slot::now() const { return home_system().clock().now(); }

namespace {
/// Waking a worker is a system call, and the worker may take the processor: both wait until the slot's lock is free.
class put_off final : public caf::execution_unit {
public:
  explicit put_off(caf::actor_system& of) : caf::execution_unit(&of) {}
  /// Called at most once, by a mailbox that nobody was reading. The job's reference is already counted.
  void exec_later(caf::resumable* job) override { job_ = job; }
  void run(caf::execution_unit* unit) {
    if (job_ == nullptr) return;
    if (unit != nullptr)
      unit->exec_later(job_);
    else
      system().scheduler().enqueue(job_);
  }

private:
  caf::resumable* job_ = nullptr;
};
} // namespace

void actor_slot::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) {
  // Exit and down messages concern one incarnation; the address outlives it.
  if (classify(*what) == message_class::system) return;
  put_off later{home_system()};
  const auto why = take(what, &later);
  later.run(unit);
  if (why != refusal::none) bounce(std::move(what), why, unit);
}

actor_slot::refusal actor_slot::take(caf::mailbox_element_ptr& what, caf::execution_unit* unit) {
  const std::lock_guard guard{mutex_};
  const bool user = classify(*what) == message_class::user;
  if (user && any_refused_ && is_refused(*what)) {
    if (stats_) stats_->poisonous.fetch_add(1, std::memory_order_relaxed);
    return refusal::poisonous;
  }
  // The child gets the element under the lock: after `buffer` or a handover has begun nobody is still on the way into a
  // dying mailbox.
  if (mode_ == mode::bound) return child_->admit(what, unit) ? refusal::none : refusal::overloaded;
  if (!user) return refusal::down;
  if (mode_ == mode::buffering && buffer_.size() < limits_.buffer_max) {
    buffer_.push_back(std::move(what));
    if (stats_) stats_->entered();
    return refusal::none;
  }
  if (stats_) stats_->rejected.fetch_add(1, std::memory_order_relaxed);
  return mode_ == mode::buffering ? refusal::full : refusal::down;
}

void actor_slot::bounce(caf::mailbox_element_ptr what, refusal why, caf::execution_unit* unit) {
  // Without a request the message is just dropped: a reply_to in it tells its waiter.
  if (!what || !what->mid.is_request() || !what->sender) return;
  caf::error answer;
  switch (why) {
  case refusal::poisonous:
    answer = to_caf(errc::unavailable, "Messages of this type keep crashing the actor and are refused for a while.");
    break;
  case refusal::full:
    answer = to_caf(errc::overloaded, "The actor restarts and enough waits for it. Try again.");
    break;
  case refusal::overloaded:
    answer = to_caf(errc::overloaded, "The actor's mailbox is full. Try again.");
    break;
  case refusal::down:
  case refusal::none:
    answer = to_caf(errc::unavailable, "The actor is stopped.");
    break;
  }
  const auto id = what->mid.response_id();
  what->sender->enqueue(ctrl(), id, caf::make_message(std::move(answer)), unit);
}

void actor_slot::open(std::uint64_t generation, std::shared_ptr<actor_stats> stats) {
  const std::lock_guard guard{mutex_};
  generation_ = generation;
  stats_ = std::move(stats);
  mode_ = mode::buffering;
}

void actor_slot::bind(std::uint64_t generation, supervised_actor& child, caf::execution_unit* unit) {
  std::vector<caf::mailbox_element_ptr> poisonous;
  {
    const std::lock_guard guard{mutex_};
    if (mode_ != mode::buffering || generation != generation_) return;
    mode_ = mode::bound;
    child_ = &child;
    child_owner_ = caf::actor_cast<caf::strong_actor_ptr>(&child);
    // What a dead incarnation got late, after it was counted, is forgotten here.
    stats_->depth.store(static_cast<std::int64_t>(buffer_.size()), std::memory_order_relaxed);
    for (auto& element : buffer_) {
      if (any_refused_ && is_refused(*element))
        poisonous.push_back(std::move(element));
      else
        child.take_waiting(std::move(element), unit);
    }
    buffer_.clear();
    stats_->left(static_cast<std::int64_t>(poisonous.size()));
    stats_->poisonous.fetch_add(poisonous.size(), std::memory_order_relaxed);
  }
  for (auto& element : poisonous) bounce(std::move(element), refusal::poisonous, unit);
}

void actor_slot::buffer() {
  caf::strong_actor_ptr freed_after_the_lock;
  const std::lock_guard guard{mutex_};
  if (mode_ != mode::bound) return;
  mode_ = mode::buffering;
  child_ = nullptr;
  freed_after_the_lock.swap(child_owner_);
}

void actor_slot::refuse(caf::execution_unit* unit) {
  std::deque<caf::mailbox_element_ptr> waiting;
  caf::strong_actor_ptr freed_after_the_lock;
  {
    const std::lock_guard guard{mutex_};
    mode_ = mode::refusing;
    child_ = nullptr;
    freed_after_the_lock.swap(child_owner_);
    waiting.swap(buffer_);
    if (stats_) {
      stats_->left(static_cast<std::int64_t>(waiting.size()));
      stats_->dropped.fetch_add(waiting.size(), std::memory_order_relaxed);
    }
  }
  for (auto& element : waiting) bounce(std::move(element), refusal::down, unit);
}

bool actor_slot::is_refused(const caf::mailbox_element& what) {
  const auto found = crashes_.find(facts_of(what.content()).name);
  if (found == crashes_.end() || !found->second.refused) return false;
  if (now() < found->second.refused_until) return true;
  crashes_.erase(found);
  return false;
}

bool actor_slot::note_crash(const std::string& type) {
  const std::lock_guard guard{mutex_};
  auto& record = crashes_[type];
  const auto at = now();
  if (record.refused && at < record.refused_until) return false;
  record.refused = false;
  while (!record.times.empty() && record.times.front() + limits_.crash_window <= at) record.times.pop_front();
  record.times.push_back(at);
  if (limits_.crashes_max == 0 || record.times.size() < limits_.crashes_max) return false;
  record.times.clear();
  record.refused = true;
  record.refused_until = at + limits_.crash_window;
  any_refused_ = true;
  return true;
}

void actor_slot::forgive() {
  const std::lock_guard guard{mutex_};
  crashes_.clear();
  any_refused_ = false;
}

std::vector<std::string> actor_slot::refused_types() const {
  const std::lock_guard guard{mutex_};
  std::vector<std::string> out;
  for (const auto& [type, record] : crashes_)
    if (record.refused && now() < record.refused_until) out.push_back(type);
  return out;
}

std::size_t actor_slot::buffered() const {
  const std::lock_guard guard{mutex_};
  return buffer_.size();
}

actor_slot::handover::handover(actor_slot& slot, const supervised_actor& from) : slot_(slot), lock_(slot.mutex_) {
  if (slot_.child_ != &from) return;
  slot_.mode_ = mode::buffering;
  slot_.child_ = nullptr;
  // The dying actor is being cleaned up by someone who holds a reference of his own.
  slot_.child_owner_ = nullptr;
}

actor_slot::handover::~handover() {
  std::vector<caf::mailbox_element_ptr> refused;
  if (slot_.mode_ == mode::buffering) {
    auto& waiting = slot_.buffer_;
    waiting.insert(waiting.begin(), std::make_move_iterator(kept_.begin()), std::make_move_iterator(kept_.end()));
  } else {
    refused.swap(kept_);
    if (slot_.stats_) {
      slot_.stats_->left(static_cast<std::int64_t>(refused.size()));
      slot_.stats_->dropped.fetch_add(refused.size(), std::memory_order_relaxed);
    }
  }
  lock_.unlock();
  for (auto& element : refused) slot_.bounce(std::move(element), refusal::down, nullptr);
}

} // namespace matricula::runtime
