#include "runtime/supervisor.hpp"

#include "foundation/log.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/json_text.hpp"
#include "runtime/registry.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/system_messages.hpp>

#include <algorithm>
#include <stdexcept>

namespace matricula::runtime {

namespace {
bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

bool is_abnormal(const caf::error& reason) {
  return reason && reason != caf::exit_reason::normal && reason != caf::exit_reason::user_shutdown;
}

std::string_view name_of(strategy how) {
  switch (how) {
  case strategy::one_for_one:
    return "one_for_one";
  case strategy::rest_for_one:
    return "rest_for_one";
  case strategy::one_for_all:
    return "one_for_all";
  }
  return "one_for_one";
}

/// Before everything that waits, unlike send_exit.
void end_now(const caf::actor& who, caf::exit_reason reason) {
  caf::anon_send<caf::message_priority::high>(who, caf::exit_msg{who.address(), reason});
}

std::int64_t in_ns(milliseconds d) { return std::chrono::nanoseconds{d}.count(); }
} // namespace

supervisor::supervisor(caf::actor_config& cfg, child_context context, supervisor_options options,
                       std::vector<child_spec> specs)
    : supervised_actor(cfg, std::move(context)), options_(options), specs_(std::move(specs)) {
  set_down_handler([this](caf::down_msg& down) { on_down(down); });
}

caf::behavior supervisor::make_behavior() {
  try {
    adopt();
  } catch (const std::exception& e) { // nothing has started yet; the root has nobody above who would hear it
    log::error("actor.start_failed", e.what(), {{"actor", path()}, {"generation", generation()}});
    children_.clear();
    begin_end(crash_error(e.what(), {}, false), manner::now, true);
    return {};
  }
  for (std::size_t i = 0; i < children_.size() && !ending_; ++i)
    if (!start(i) && options_.how != strategy::one_for_one) break;
  return {[this](const control& order) { on_control(order); }};
}

void supervisor::adopt() {
  random_ = shared().make_random();
  for (auto& spec : specs_) {
    if (!is_id(spec.id)) throw std::invalid_argument("'" + spec.id + "' cannot be the id of a child of " + path());
    if (std::ranges::any_of(children_, [&](const child& c) { return c.spec.id == spec.id; }))
      throw std::invalid_argument(path() + " has two children with the id " + spec.id);
    child c;
    c.path = path() + "/" + spec.id;
    c.spec = std::move(spec);
    if (!c.spec.slot) c.spec.slot = shared().actors->slot_of(c.path);
    if (!c.spec.slot) c.spec.slot = slot_ref::make(system(), c.spec.slot_bounds);
    children_.push_back(std::move(c));
  }
  specs_.clear();
  for (auto& c : children_) c.stats = shared().actors->enroll(c.path, c.spec.kind, c.spec.slot, address());
}

bool supervisor::start(std::size_t index) {
  auto& c = children_[index];
  c.generation = c.stats->generation.fetch_add(1) + 1;
  c.started = clock().now();
  c.stopping = stage::none;
  c.stats->state = actor_state::starting;
  c.stats->next_retry_ns = 0;
  c.stats->started_ns = std::max<std::int64_t>(1, shared().time->monotonic().count());
  c.spec.slot->open(c.generation, c.stats);
  caf::error failed;
  try {
    c.handle = c.spec.start(*this, child_context{c.path, c.generation, c.spec.slot, address(), c.stats,
                                                 context_of_child().shared, c.spec.mailbox_messages_max});
    if (!c.handle) failed = crash_error("The start gave no actor.", {}, false);
  } catch (const std::exception& e) { // a constructor runs here, on the supervisor's thread: its failure is the child's
    failed = crash_error(e.what(), {}, false);
  } catch (...) {
    failed = crash_error("The constructor threw something that is no std::exception.", {}, false);
  }
  if (failed) {
    log::error("actor.start_failed", text_of(failed), {{"actor", c.path}, {"generation", c.generation}});
    on_failure(index, failed);
    return false;
  }
  monitor<caf::message_priority::high>(c.handle);
  for (auto& reply : std::exchange(c.when_started, {})) reply.deliver(c.generation);
  return true;
}

// -- what happens to children ---------------------------------------------------------------------

caf::invoke_message_result supervisor::consume(caf::mailbox_element& x) {
  // Even a kill must wait for the children: an orphan would live beside its successor.
  if (x.content().type_token() == caf::make_type_token<caf::exit_msg>()) {
    const auto& reason = x.content().get_as<caf::exit_msg>(0).reason;
    begin_end(reason,
              reason == caf::exit_reason::kill ? manner::kill
              : x.is_high_priority()           ? manner::now
                                               : manner::drain,
              false);
    return caf::invoke_message_result::consumed;
  }
  try {
    return supervised_actor::consume(x);
  } catch (const std::exception& e) { // not to carry on: to end in order, children first
    begin_end(crash_error(std::string{"The supervisor failed: "} + e.what(), {}, false), manner::now, true);
  } catch (...) {
    begin_end(crash_error("The supervisor failed.", {}, false), manner::now, true);
  }
  return caf::invoke_message_result::consumed;
}

void supervisor::supervisor_lost() { begin_end(caf::exit_reason::user_shutdown, manner::now, false); }

void supervisor::on_control(const control& order) {
  if (const auto* due = std::get_if<restart_due>(&order.what)) {
    const auto plan = plans_.find(due->plan);
    if (plan == plans_.end() || plan->second.generation != due->plan_generation) return; // timers cannot be cancelled
    plan->second.ripe = true;
    advance(due->plan);
  } else if (const auto* overdue = std::get_if<stop_overdue>(&order.what)) {
    on_overdue(*overdue);
  } else if (const auto* command = std::get_if<command_order>(&order.what)) {
    on_command(*command);
  }
}

void supervisor::mark_stopped(child& c) {
  c.stats->state = actor_state::stopped;
  c.stats->next_retry_ns = 0;
  c.stats->started_ns = 0;
  for (auto& reply : std::exchange(c.when_stopped, {})) reply.deliver(c.generation);
  for (auto& reply : std::exchange(c.when_started, {}))
    reply.deliver(fail(errc::conflict, "The actor was stopped instead."));
}

void supervisor::on_down(const caf::down_msg& down) {
  const auto found =
      std::ranges::find_if(children_, [&](const child& c) { return c.handle && c.handle.address() == down.source; });
  if (found == children_.end()) return; // an earlier incarnation's, or not ours
  const auto index = static_cast<std::size_t>(found - children_.begin());
  auto& c = *found;
  c.handle = nullptr;
  c.spec.slot->buffer();
  c.stats->note_reason(text_of(down.reason));
  c.stats->busy_since_ns = 0;
  const bool planned = c.stopping != stage::none;
  c.stopping = stage::none;
  for (auto& reply : std::exchange(c.when_stopped, {})) reply.deliver(c.generation);
  if (ending_) {
    mark_stopped(c);
    continue_end();
  } else if (!planned) {
    on_failure(index, down.reason);
  } else {
    // A child that is not to come back, or that its policy leaves ended after an operator's kill.
    if (!c.wanted) {
      c.spec.slot->refuse(context());
      mark_stopped(c);
    } else {
      c.stats->state = actor_state::backing_off;
    }
    advance_all();
  }
}

void supervisor::on_failure(std::size_t index, const caf::error& reason) {
  auto& c = children_[index];
  c.stats->note_reason(text_of(reason));
  if (c.spec.policy == restart_policy::temporary ||
      (c.spec.policy == restart_policy::transient && !is_abnormal(reason))) {
    c.wanted = false;
    c.spec.slot->refuse(context());
    mark_stopped(c);
    drop_from_plans(index);
    advance_all();
    return;
  }
  if (too_many(index, reason)) {
    begin_end(
        crash_error("Too many restarts under " + path() + "; the last one of " + c.spec.id + ": " + text_of(reason), {},
                    false),
        manner::now, true);
    return;
  }
  c.stats->restarts.fetch_add(1);
  c.failures = clock().now() - c.started >= options_.healthy_after ? 1 : c.failures + 1;
  const auto wait = backoff(c.failures);
  log::warning("actor.restarts", "An actor ended and is started again.",
               {{"actor", path() + "/" + c.spec.id},
                {"reason", text_of(reason)},
                {"failures", c.failures},
                {"after_ms", std::chrono::duration_cast<milliseconds>(wait).count()}});
  plan_restart(index, wait);
}

bool supervisor::too_many(std::size_t index, const caf::error& reason) {
  const auto now = clock().now();
  while (!failures_.empty() && failures_.front().at + options_.restart_window <= now) failures_.pop_front();
  auto report = crash_of(reason);
  if (report.type_refused) {
    // The slot refuses the type from now on: the cause is dealt with, and must not bring down the tree.
    std::erase_if(failures_, [&](const failure& f) { return f.child == index && f.poison == report.message_type; });
    return false;
  }
  failures_.push_back({now, index, std::move(report.message_type)});
  return failures_.size() > options_.restarts_max;
}

milliseconds supervisor::backoff(std::uint32_t failures) {
  const auto doublings = std::min<std::uint32_t>(failures - 1, 20);
  const auto plain = std::min(options_.backoff_max, options_.backoff_min * (std::int64_t{1} << doublings));
  // 20 % either way, so that actors that fell together do not rise together.
  const auto jittered = plain * (800 + static_cast<std::int64_t>(random_->below(401))) / 1000;
  return std::min(options_.backoff_max, jittered);
}

// -- restart plans --------------------------------------------------------------------------------

void supervisor::plan_restart(std::size_t index, milliseconds delay) {
  const auto key = options_.how == strategy::one_for_one ? index : 0;
  auto& plan = plans_[key];
  const auto first = options_.how == strategy::one_for_all ? 0 : index;
  const auto last = options_.how == strategy::one_for_one ? index : children_.size() - 1;
  for (auto i = first; i <= last; ++i)
    if (children_[i].wanted && std::ranges::find(plan.members, i) == plan.members.end()) plan.members.push_back(i);
  std::ranges::sort(plan.members);
  plan.generation = ++plan_generation_;
  plan.ripe = delay == milliseconds{0};
  if (!plan.ripe) {
    delayed_send(this, delay, control{restart_due{key, plan.generation}});
    const auto retry = std::max<std::int64_t>(1, shared().time->monotonic().count()) + in_ns(delay);
    for (const auto i : plan.members) children_[i].stats->next_retry_ns = retry;
  }
  for (const auto i : plan.members) {
    if (children_[i].handle) continue;
    children_[i].stats->state = actor_state::backing_off;
    children_[i].spec.slot->open(0, children_[i].stats);
  }
  advance(key);
}

void supervisor::advance(std::size_t key) {
  const auto found = plans_.find(key);
  if (found == plans_.end() || ending_) return;
  auto& plan = found->second;
  for (auto i = plan.members.rbegin(); i != plan.members.rend(); ++i) {
    if (!children_[*i].handle) continue;
    if (children_[*i].stopping == stage::none) stop(*i, manner::now);
    return; // one after another, the last started first
  }
  if (!plan.ripe) return;
  const auto members = std::move(plan.members);
  plans_.erase(found);
  for (const auto i : members) {
    if (ending_) return;
    if (!children_[i].wanted || children_[i].handle) continue;
    // A failed start has made a plan of its own, with all who depend on it.
    if (!start(i) && options_.how != strategy::one_for_one) return;
  }
}

void supervisor::advance_all() {
  std::vector<std::size_t> keys;
  for (const auto& [key, plan] : plans_) keys.push_back(key);
  for (const auto key : keys) advance(key);
}

void supervisor::drop_from_plans(std::size_t index) {
  for (auto i = plans_.begin(); i != plans_.end();) {
    std::erase(i->second.members, index);
    i = i->second.members.empty() ? plans_.erase(i) : std::next(i);
  }
}

// -- stopping -------------------------------------------------------------------------------------

void supervisor::stop(std::size_t index, manner how) {
  auto& c = children_[index];
  c.stopping = how == manner::kill ? stage::killed : stage::asked;
  switch (how) {
  case manner::drain:
    send_exit(c.handle, caf::exit_reason::user_shutdown);
    break;
  case manner::now:
    end_now(c.handle, caf::exit_reason::user_shutdown);
    break;
  case manner::kill:
    end_now(c.handle, caf::exit_reason::kill);
    break;
  }
  const auto grace = how == manner::kill ? c.spec.kill_grace.value_or(options_.kill_grace)
                                         : c.spec.stop_grace.value_or(options_.stop_grace);
  delayed_send(this, grace, control{stop_overdue{index, c.generation, how == manner::kill}});
}

void supervisor::on_overdue(const stop_overdue& timer) {
  auto& c = children_[timer.child];
  if (!c.handle || c.generation != timer.generation) return;
  if (!timer.killed && c.stopping == stage::asked) {
    log::warning("actor.killed", "It did not stop when asked.", {{"actor", c.path}});
    stop(timer.child, manner::kill);
  } else if (timer.killed && c.stopping == stage::killed) {
    c.stopping = stage::abandoned;
    const auto why = c.path + " does not stop: its handler does not return.";
    shared().raise({"child_does_not_stop", c.path, why});
    shared().fatal(why);
  }
}

void supervisor::begin_end(caf::error reason, manner how, bool escalated) {
  if (ending_) {
    ending_->how = std::max(ending_->how, how);
    ending_->escalated |= escalated;
    if (escalated) ending_->reason = std::move(reason);
  } else {
    ending_ = ending{std::move(reason), how, escalated};
    plans_.clear();
    if (escalated) shared().raise({"escalated", path(), text_of(ending_->reason)});
  }
  // Who was asked nicely before is now asked in the more urgent way.
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (children_[i].handle && children_[i].stopping == stage::asked && how != manner::drain) stop(i, how);
  continue_end();
}

void supervisor::continue_end() {
  for (auto i = children_.size(); i-- > 0;) {
    if (!children_[i].handle) continue;
    if (children_[i].stopping == stage::none) {
      // Not before its turn: those who stop earlier may still need its address.
      children_[i].spec.slot->refuse(context());
      stop(i, ending_->how);
    }
    return;
  }
  for (auto& c : children_) {
    c.spec.slot->refuse(context());
    mark_stopped(c);
  }
  const bool root = !context_of_child().supervisor;
  const auto why = text_of(ending_->reason);
  const bool escalated = ending_->escalated;
  quit(ending_->reason);
  if (root && escalated) shared().fatal(why);
}

void supervisor::on_exit() {
  for (auto& c : children_)
    if (c.spec.slot) c.spec.slot->refuse(context());
  if (!context_of_child().slot) stats().state = actor_state::stopped;
}

// -- operators ------------------------------------------------------------------------------------

void supervisor::on_command(const command_order& order) {
  const auto found = std::ranges::find_if(children_, [&](const child& c) { return c.spec.id == order.child; });
  if (found == children_.end()) return order.reply.deliver(fail(errc::not_found, "There is no such actor."));
  if (ending_) return order.reply.deliver(fail(errc::unavailable, "Its supervisor is stopping."));
  auto& c = *found;
  const auto index = static_cast<std::size_t>(found - children_.begin());
  switch (order.what) {
  case actor_command::restart:
    c.spec.slot->forgive();
    c.failures = 0;
    c.wanted = true;
    c.when_started.push_back(order.reply);
    return plan_restart(index, milliseconds{0});
  case actor_command::start:
    if (c.wanted) return order.reply.deliver(fail(errc::conflict, "It is running, or starts again by itself."));
    if (c.handle) return order.reply.deliver(fail(errc::conflict, "It is still stopping. Try again."));
    c.failures = 0;
    c.wanted = true;
    c.when_started.push_back(order.reply);
    (void)start(index);
    return;
  case actor_command::kill:
    if (!c.handle) return order.reply.deliver(fail(errc::conflict, "It is not running."));
    stop(index, manner::kill);
    if (c.spec.policy == restart_policy::temporary) {
      c.wanted = false;
      c.when_stopped.push_back(order.reply);
      return;
    }
    c.when_started.push_back(order.reply);
    return plan_restart(index, milliseconds{0});
  case actor_command::stop:
    c.wanted = false;
    drop_from_plans(index);
    c.spec.slot->refuse(context());
    c.when_stopped.push_back(order.reply);
    if (!c.handle)
      mark_stopped(c);
    else if (c.stopping == stage::none)
      stop(index, manner::drain);
    return advance_all();
  }
}

std::string supervisor::describe() const {
  json_array children;
  for (const auto& c : children_) {
    json_object one;
    one.add("id", c.spec.id).add("generation", c.generation).add("state", to_string(c.stats->state.load()));
    one.add("failures_in_a_row", c.failures).add("wanted", c.wanted);
    children.add_raw(one.str());
  }
  json_object out;
  out.add("strategy", name_of(options_.how)).add("restarts_in_window", failures_.size());
  out.add("restarts_max", options_.restarts_max).add("restart_window_ms", options_.restart_window.count());
  out.add("ending", ending_.has_value()).add_raw("children", children.str());
  return out.str();
}

// -- making them ----------------------------------------------------------------------------------

child_spec subtree(std::string id, supervisor_options options, std::vector<child_spec> children) {
  milliseconds stop_grace{1'000};
  milliseconds kill_grace{1'000};
  for (const auto& c : children) {
    stop_grace += c.stop_grace.value_or(options.stop_grace) + c.kill_grace.value_or(options.kill_grace);
    kill_grace += c.kill_grace.value_or(options.kill_grace);
  }
  auto spec = child_of<supervisor>(std::move(id), "supervisor", options, std::move(children));
  spec.stop_grace = stop_grace;
  spec.kill_grace = kill_grace;
  return spec;
}

caf::actor start_root(caf::actor_system& system, std::shared_ptr<const services> shared, supervisor_options options,
                      std::vector<child_spec> children) {
  const std::string path = "root";
  child_context context;
  context.path = path;
  context.stats = shared->actors->enroll(path, "supervisor", {}, {});
  context.generation = context.stats->generation.fetch_add(1) + 1;
  context.stats->started_ns = std::max<std::int64_t>(1, shared->time->monotonic().count());
  context.shared = shared;
  auto root = system.spawn<supervisor>(std::move(context), options, std::move(children));
  shared->actors->set_address(path, root.address());
  return root;
}

} // namespace matricula::runtime
