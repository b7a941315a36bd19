#include "runtime/registry.hpp"

#include "runtime/control.hpp"
#include "runtime/slot.hpp"

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <algorithm>

namespace matricula::runtime {

struct registry::node {
  std::string path;
  std::string kind;
  std::shared_ptr<actor_stats> stats;
  slot_ref slot;
  caf::actor_addr actor; ///< when there is no slot
  caf::actor_addr supervisor;
  mutable std::mutex rates_mutex;
  mutable rate_meter rates;
};

registry::registry(const clock& time) : time_(time) {}
registry::~registry() = default;

std::shared_ptr<actor_stats> registry::enroll(const std::string& path, const std::string& kind, const slot_ref& slot,
                                              const caf::actor_addr& supervisor) {
  auto fresh = std::make_shared<node>();
  fresh->path = path;
  fresh->kind = kind;
  fresh->slot = slot;
  fresh->supervisor = supervisor;
  const std::lock_guard guard{mutex_};
  auto& place = nodes_[path];
  fresh->stats = place ? place->stats : std::make_shared<actor_stats>();
  place = std::move(fresh);
  return place->stats;
}

void registry::set_address(const std::string& path, const caf::actor_addr& actor) {
  const std::lock_guard guard{mutex_};
  const auto found = nodes_.find(path);
  if (found != nodes_.end()) found->second->actor = actor;
}

slot_ref registry::slot_of(std::string_view path) const {
  const auto n = at(path);
  return n ? n->slot : slot_ref{};
}

void registry::withdraw(const std::string& path) {
  const std::lock_guard guard{mutex_};
  nodes_.erase(path);
}

void registry::clear() {
  decltype(nodes_) freed_after_the_lock;
  const std::lock_guard guard{mutex_};
  freed_after_the_lock.swap(nodes_);
}

std::shared_ptr<registry::node> registry::at(std::string_view path) const {
  const std::lock_guard guard{mutex_};
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : found->second;
}

actor_snapshot registry::snapshot(const node& n) const {
  const auto now = time_.monotonic();
  const auto& s = *n.stats;
  actor_snapshot out;
  out.path = n.path;
  out.kind = n.kind;
  out.state = s.state.load();
  out.generation = s.generation.load();
  out.depth = std::max<std::int64_t>(s.depth.load(), 0);
  out.high_water = s.high_water.load();
  out.handled = s.handled.load();
  out.rejected = s.rejected.load();
  out.poisonous = s.poisonous.load();
  out.unexpected = s.unexpected.load();
  out.dropped = s.dropped.load();
  out.crashes = s.crashes.load();
  out.restarts = s.restarts.load();
  out.last_reason = s.last_reason();
  {
    const std::lock_guard guard{n.rates_mutex};
    n.rates.sample(now, out.handled);
    out.rates = n.rates.rates(now, out.handled);
  }
  out.p50 = s.times.quantile(0.50);
  out.p99 = s.times.quantile(0.99);
  out.busy_total = s.times.total();
  if (const auto since = s.busy_since_ns.load(std::memory_order_acquire); since != 0) {
    out.busy_for = std::max(now - nanoseconds{since}, nanoseconds{1});
    if (const auto* with = s.busy_with.load(); with != nullptr) out.busy_with = *with;
    out.stuck = s.stuck.load();
  }
  if (const auto since = s.started_ns.load(); since != 0 && out.state != actor_state::stopped)
    out.alive_for = now - nanoseconds{since};
  if (const auto retry = s.next_retry_ns.load(); retry != 0)
    out.next_retry_in = std::max(nanoseconds{retry} - now, nanoseconds{0});
  if (n.slot) out.refused_types = n.slot->refused_types();
  return out;
}

std::vector<actor_snapshot> registry::list() const {
  std::vector<std::shared_ptr<node>> nodes;
  {
    const std::lock_guard guard{mutex_};
    nodes.reserve(nodes_.size());
    for (const auto& [path, n] : nodes_) nodes.push_back(n);
  }
  std::vector<actor_snapshot> out;
  out.reserve(nodes.size());
  for (const auto& n : nodes) out.push_back(snapshot(*n));
  return out;
}

std::optional<actor_snapshot> registry::find(std::string_view path) const {
  const auto n = at(path);
  if (!n) return std::nullopt;
  return snapshot(*n);
}

std::vector<recent_message> registry::recent(std::string_view path) const {
  const auto n = at(path);
  return n ? n->stats->recent() : std::vector<recent_message>{};
}

std::shared_ptr<actor_stats> registry::stats(std::string_view path) const {
  const auto n = at(path);
  return n ? n->stats : nullptr;
}

result<caf::actor> registry::address(std::string_view path) const {
  const auto n = at(path);
  if (!n) return fail(errc::not_found, "There is no such actor.");
  if (n->slot) return n->slot.address();
  auto self = caf::actor_cast<caf::actor>(n->actor);
  if (!self) return fail(errc::unavailable, "The actor is gone.");
  return self;
}

void registry::command(std::string_view path, actor_command what, reply_to<std::uint64_t> reply) const {
  const auto n = at(path);
  if (!n) return reply.deliver(fail(errc::not_found, "There is no such actor."));
  if (!n->supervisor)
    return reply.deliver(fail(errc::conflict, "The root has no supervisor; stop or restart the process instead."));
  const auto supervisor = caf::actor_cast<caf::actor>(n->supervisor);
  if (!supervisor) return reply.deliver(fail(errc::unavailable, "Its supervisor is gone."));
  auto child = n->path.substr(n->path.rfind('/') + 1);
  caf::anon_send<caf::message_priority::high>(supervisor,
                                              control{command_order{std::move(child), what, std::move(reply)}});
}

void registry::inspect(std::string_view path, reply_to<std::string> reply) const {
  const auto address_of = address(path);
  if (!address_of) return reply.deliver(std::unexpected(address_of.error()));
  caf::anon_send<caf::message_priority::high>(*address_of, control{inspect_order{std::move(reply)}});
}

namespace {
template <class T, class Ask>
result<T> wait_for_reply(milliseconds timeout, errc late, const char* what_then, Ask ask) {
  auto cell = std::make_shared<reply_cell<T>>(std::make_shared<reply_gate>());
  ask(reply_to<T>{cell});
  if (const auto* answer = cell->wait_for(timeout); answer != nullptr) return *answer;
  return fail(late, what_then, std::chrono::seconds(1));
}
} // namespace

result<std::string> registry::inspect_and_wait(std::string_view path, milliseconds timeout) const {
  return wait_for_reply<std::string>(std::min(timeout, inspect_timeout_max), errc::deadline_exceeded,
                                     "The actor is busy and did not answer.",
                                     [&](reply_to<std::string> reply) { inspect(path, std::move(reply)); });
}

result<std::uint64_t> registry::command_and_wait(std::string_view path, actor_command what,
                                                 milliseconds timeout) const {
  return wait_for_reply<std::uint64_t>(timeout, errc::outcome_unknown,
                                       "The command was given and is not done yet; look at the actor.",
                                       [&](reply_to<std::uint64_t> reply) { command(path, what, std::move(reply)); });
}

} // namespace matricula::runtime
