#include "runtime/supervised_actor.hpp"

#include "foundation/log.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/control.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/message_codec.hpp"
#include "runtime/message_types.hpp"

#include <caf/actor_system.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>
#include <typeinfo>

namespace matricula::runtime {

message_class classify(const caf::mailbox_element& x) {
  if (x.mid.is_response()) return message_class::system;
  if (x.mid.category() == caf::message_id::upstream_message_category ||
      x.mid.category() == caf::message_id::downstream_message_category)
    return message_class::system;
  const auto& content = x.content();
  const auto token = content.type_token();
  if (token == caf::make_type_token<caf::exit_msg>() || token == caf::make_type_token<caf::down_msg>() ||
      token == caf::make_type_token<caf::timeout_msg>())
    return message_class::system;
  if (content.size() == 1) {
    const auto [nr, type] = content.type(0);
    if (nr == 0 && *type == typeid(control)) return message_class::control;
  }
  return message_class::user;
}

namespace {
std::string type_name_of_exception() {
  const auto* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name{abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
                                                         &std::free};
  return status == 0 && name ? name.get() : type->name();
}
} // namespace

/// Accounts for one message however its handler ends: the actor's numbers stay right when it throws.
class supervised_actor::handling {
public:
  handling(supervised_actor& self, const caf::mailbox_element& x) : self_(self), began_(self.now_ns()) {
    const auto& facts = facts_of(x.content());
    name_ = &facts.name;
    size_ = approximate_size_of(x.content(), facts);
    self_.stats().busy_with.store(name_, std::memory_order_relaxed);
    self_.stats().busy_since_ns.store(std::max<std::int64_t>(began_, 1), std::memory_order_release);
  }
  ~handling() {
    auto& stats = self_.stats();
    stats.busy_since_ns.store(0, std::memory_order_release);
    if (skipped_) return;
    const nanoseconds taken{self_.now_ns() - began_};
    self_.depth_.fetch_sub(1, std::memory_order_relaxed);
    stats.left();
    stats.handled.fetch_add(1, std::memory_order_relaxed);
    stats.times.record(taken);
    stats.remember({*name_, size_, nanoseconds{began_}, taken});
  }
  handling(const handling&) = delete;
  handling& operator=(const handling&) = delete;
  void skipped() noexcept { skipped_ = true; }

private:
  supervised_actor& self_;
  std::int64_t began_;
  const std::string* name_ = nullptr;
  std::size_t size_ = 0;
  bool skipped_ = false;
};

supervised_actor::supervised_actor(caf::actor_config& cfg, child_context context)
    : super(cfg), context_(std::move(context)) {
  set_exception_handler([this](std::exception_ptr& thrown) { return on_exception(thrown); });
  set_default_handler([this](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    stats().unexpected.fetch_add(1, std::memory_order_relaxed);
    return caf::sec::unexpected_message;
  });
}

std::int64_t supervised_actor::now_ns() const { return context_.shared->time->monotonic().count(); }

bool supervised_actor::is_from_self(const caf::mailbox_element& x) const noexcept {
  return x.sender && x.sender.get() == ctrl();
}

caf::actor supervised_actor::address_for_others() {
  return context_.slot ? context_.slot.address() : caf::actor_cast<caf::actor>(this);
}

const trace_context* supervised_actor::current_trace() {
  auto* element = current_mailbox_element();
  if (element == nullptr) return nullptr;
  const auto& content = element->content();
  return trace_of(content, facts_of(content));
}

void supervised_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) {
  if (admit(what, unit)) return;
  if (what->mid.is_request() && what->sender)
    what->sender->enqueue(ctrl(), what->mid.response_id(),
                          caf::make_message(to_caf(errc::overloaded, "The actor's mailbox is full. Try again.")), unit);
}

bool supervised_actor::admit(caf::mailbox_element_ptr& what, caf::execution_unit* unit) {
  // Responses, exit and down messages pass always, or the actor would be deadlocked at its bound; so do its own timers.
  if (classify(*what) == message_class::user && !mailbox().closed()) {
    if (depth_.load(std::memory_order_relaxed) >= context_.mailbox_messages_max && !is_from_self(*what)) {
      stats().rejected.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    depth_.fetch_add(1, std::memory_order_relaxed);
    stats().entered();
  }
  super::enqueue(std::move(what), unit);
  return true;
}

void supervised_actor::take_waiting(caf::mailbox_element_ptr what, caf::execution_unit* unit) {
  depth_.fetch_add(1, std::memory_order_relaxed);
  super::enqueue(std::move(what), unit);
}

caf::invoke_message_result supervised_actor::consume(caf::mailbox_element& x) {
  switch (classify(x)) {
  case message_class::user: {
    handling account{*this, x};
    const auto how = super::consume(x);
    if (how == caf::invoke_message_result::skipped) account.skipped();
    return how;
  }
  case message_class::control:
    if (const auto* order = std::get_if<inspect_order>(&x.content().get_as<control>(0).what)) {
      order->reply.deliver(describe());
      return caf::invoke_message_result::consumed;
    }
    return super::consume(x);
  case message_class::system:
    break;
  }
  if (x.content().type_token() == caf::make_type_token<caf::down_msg>() && context_.supervisor &&
      x.content().get_as<caf::down_msg>(0).source == context_.supervisor) {
    supervisor_lost();
    return caf::invoke_message_result::consumed;
  }
  return super::consume(x);
}

void supervised_actor::supervisor_lost() {
  log::warning("actor.orphaned", "The supervisor is gone; this actor stops.", {{"actor", path()}});
  quit(caf::exit_reason::user_shutdown);
}

void supervised_actor::initialize() {
  if (context_.supervisor) {
    const auto supervisor = caf::actor_cast<caf::strong_actor_ptr>(context_.supervisor);
    if (!supervisor) {
      supervisor_lost();
      return;
    }
    monitor<caf::message_priority::high>(supervisor);
  }
  super::initialize();
  if (!has_behavior()) return; // it has nothing to do, or quit while starting
  stats().state.store(actor_state::running, std::memory_order_relaxed);
  // Only now: had the start failed, what waits would still be in the slot, untouched.
  if (context_.slot) context_.slot->bind(generation(), *this, context());
}

caf::error supervised_actor::on_exception(std::exception_ptr& thrown) {
  std::string what = "unknown exception";
  std::string type_of_exception;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    what = e.what();
    type_of_exception = type_name_of_exception();
  } catch (...) {
    type_of_exception = type_name_of_exception();
  }
  stats().crashes.fetch_add(1, std::memory_order_relaxed);
  const auto* element = current_mailbox_element();
  if (element == nullptr || classify(*element) != message_class::user) {
    log::error("actor.start_failed", what, {{"actor", path()}, {"generation", generation()}});
    return crash_error(std::move(what), {}, false);
  }
  const auto& facts = facts_of(element->content());
  keep_dead_letter(*element, what);
  // The message's content may be in what(): it goes to the dead letter, not to the log, nor to the reason that the
  // actor tree and a supervisor's end show.
  log::error(
      "actor.crashed", "A handler failed; the supervisor decides what follows.",
      {{"actor", path()}, {"generation", generation()}, {"message_type", facts.name}, {"exception", type_of_exception}},
      trace_of(element->content(), facts));
  bool refused = false;
  // What the actor sends to itself does not pass the slot; refusing its type there would help nobody.
  if (context_.slot && !is_from_self(*element)) refused = context_.slot->note_crash(facts.name);
  if (refused)
    shared().raise({"poisonous_type", path(),
                    "Messages of type " + facts.name +
                        " keep crashing the actor and are refused for a while. Look at " +
                        "its dead letters; restart the actor to accept them again."});
  return crash_error(type_of_exception + " while handling " + facts.name, facts.name, refused);
}

void supervised_actor::keep_dead_letter(const caf::mailbox_element& poison, const std::string& what) noexcept {
  if (shared().dead_letters == nullptr) return;
  try {
    const auto& facts = facts_of(poison.content());
    dead_letter letter;
    letter.actor_path = path();
    letter.generation = generation();
    letter.at = shared().time->wall();
    letter.reason = what;
    letter.message_type = facts.name;
    letter.size_bytes = approximate_size_of(poison.content(), facts);
    if (auto bytes = encode_message(system(), poison.content()); bytes) {
      letter.size_bytes = bytes->size();
      if (bytes->size() <= dead_letter_payload_bytes_max) letter.payload = std::move(*bytes);
    }
    letter.replayable = facts.replayable && !letter.payload.empty();
    if (const auto* trace = trace_of(poison.content(), facts); trace != nullptr) letter.trace = *trace;
    shared().dead_letters->keep(std::move(letter));
  } catch (...) {
    log::error("dead_letter.lost", "A dead letter could not be made.", {{"actor", path()}});
  }
}

namespace {
/// Sorts what is left in the mailbox of a dying actor.
struct drain {
  actor_slot::handover& to;
  const caf::actor_control_block* self;
  std::int64_t& kept;
  std::int64_t& dropped;

  caf::intrusive::task_result take(caf::mailbox_element& x) {
    const auto what = classify(x);
    // Elements cannot be moved out of the queue; they are made anew, sender and request id unchanged.
    if (what == message_class::system) return caf::intrusive::task_result::resume;
    auto moved =
        caf::make_mailbox_element(std::move(x.sender), x.mid, std::move(x.stages), x.move_content_to_message());
    if (what == message_class::control) {
      to.drop(std::move(moved));
    } else if (moved->sender && moved->sender.get() == self) {
      ++dropped;
      to.drop(std::move(moved));
    } else {
      ++kept;
      to.keep(std::move(moved));
    }
    return caf::intrusive::task_result::resume;
  }
  template <class Queue>
  caf::intrusive::task_result operator()(std::size_t, Queue&, caf::mailbox_element& x) {
    return take(x);
  }
  template <class Queue, class Slot, class Nested>
  caf::intrusive::task_result operator()(std::size_t, Queue&, Slot, Nested&, caf::mailbox_element&) {
    return caf::intrusive::task_result::resume;
  }
};
} // namespace

bool supervised_actor::cleanup(caf::error&& reason, caf::execution_unit* host) {
  if (context_.slot && !mailbox_.closed()) {
    std::int64_t kept = 0;
    std::int64_t dropped = 0;
    {
      actor_slot::handover over{*context_.slot, *this};
      mailbox_.close();
      get_normal_queue().flush_cache();
      get_urgent_queue().flush_cache();
      drain visitor{over, ctrl(), kept, dropped};
      while (mailbox_.queue().new_round(1000, visitor).consumed_items) {
      }
    }
    depth_.fetch_sub(kept, std::memory_order_relaxed);
    stats().dropped.fetch_add(static_cast<std::uint64_t>(dropped), std::memory_order_relaxed);
  }
  // Kept messages stay counted by the slot; all others that waited here are gone.
  stats().left(depth_.exchange(0, std::memory_order_relaxed));
  return super::cleanup(std::move(reason), host);
}

} // namespace matricula::runtime
