#include "actors/identifiers/door.hpp"

#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "runtime/rates.hpp"
#include "storage/grants.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace matricula::actors {

using namespace identifiers;

struct id_door::desk {
  std::vector<std::shared_ptr<const type_context>> issuers; ///< in the order of their numbers
  std::vector<storage::id_partition> parts;                 ///< of the issuers
  mutable std::mutex mutex;                                 ///< of the rate
  mutable runtime::rate_meter rate;
  mutable std::atomic<std::size_t> next{0}; ///< the issuer that is asked first for identifiers without a key

  [[nodiscard]] const id_type& type() const noexcept { return issuers.front()->type; }
  [[nodiscard]] const type_context& one() const noexcept { return *issuers.front(); }
  /// Whose rows answer for the key.
  [[nodiscard]] const type_context& issuer_of(std::string_view key) const {
    return *issuers[storage::issuer_of_key(key, static_cast<std::uint32_t>(issuers.size()))];
  }
};

namespace {
std::uint64_t in_memory(const type_context& cx) {
  const auto level = cx.level->get();
  return level.fresh + level.released;
}
} // namespace

id_door::id_door(std::vector<std::shared_ptr<const type_context>> types, std::shared_ptr<runtime::reply_gate> gate)
    : gate_(std::move(gate)) {
  std::ranges::sort(types, {}, [](const auto& cx) { return std::pair(cx->type.name, cx->part.issuer); });
  for (auto& cx : types) {
    if (desks_.empty() || desks_.back()->type().name != cx->type.name) desks_.push_back(std::make_unique<desk>());
    desks_.back()->parts.push_back(cx->part);
    desks_.back()->issuers.push_back(std::move(cx));
  }
}
id_door::~id_door() = default;

std::vector<const id_type*> id_door::types() const {
  std::vector<const id_type*> out;
  for (const auto& at : desks_) out.push_back(&at->type());
  return out;
}

const id_type* id_door::find(std::string_view name) const noexcept {
  for (const auto& at : desks_)
    if (at->type().name == name) return &at->type();
  return nullptr;
}

const id_door::desk& id_door::desk_of(const id_type& type) const noexcept {
  for (const auto& at : desks_)
    if (&at->type() == &type) return *at;
  require(false, "an identifier type of this door");
  return *desks_.front();
}

result<void> id_door::ready() const {
  for (const auto& at : desks_)
    for (const auto& cx : at->issuers)
      if (!cx->level->ready(cx->monotonic->monotonic()))
        return fail(errc::unavailable, "The pool of type '" + cx->name() + "' is not filled yet.");
  return {};
}

result<pool_counters> id_door::counters(const id_type& type) const {
  std::vector<pool_counters> all;
  for (const auto& cx : desk_of(type).issuers) {
    const auto view = cx->log->read(cx->part.shard);
    if (!view) return std::unexpected(view.error());
    const auto counters = storage::find_pool(**view, cx->part);
    if (!counters) return std::unexpected(counters.error());
    all.push_back(*counters);
  }
  return all.size() == 1 ? all.front() : sum(all);
}

void id_door::set_limits(const id_type& type, const pool_limits& limits) {
  for (const auto& cx : desk_of(type).issuers) cx->level->set_limits(cx->limits(limits));
}

pool_level id_door::level(const id_type& type) const {
  pool_level all;
  for (const auto& cx : desk_of(type).issuers) {
    const auto level = cx->level->get();
    all.fresh += level.fresh;
    all.released += level.released;
    all.held_to += level.held_to;
    all.end += level.end;
    all.wanted += level.wanted;
  }
  return all;
}

result<std::optional<id_record>> id_door::look_up(const id_type& type, std::uint64_t counter) const {
  const auto& at = desk_of(type);
  auto owned = storage::find_owner(*at.one().log, at.parts, counter);
  if (!owned) return std::unexpected(owned.error());
  return std::move(owned->record);
}

double id_door::refill_rate(const id_type& type) const {
  const auto counters_now = counters(type);
  if (!counters_now) return 0;
  const auto found = counters_now->walked_to - counters_now->filtered;
  const auto& at = desk_of(type);
  const auto now = at.one().monotonic->monotonic();
  const std::lock_guard guard(at.mutex);
  at.rate.sample(now, found);
  return at.rate.rates(now, found).over_60s;
}

template <class T>
result<T> id_door::wait(const std::shared_ptr<runtime::reply_cell<T>>& cell, const type_context& cx,
                        const caller& who) const {
  const auto* answer = cell->wait_for(who.deadline - cx.monotonic->monotonic());
  if (answer) return *answer;
  return fail(
      errc::outcome_unknown,
      "No answer before the deadline; it may still be done. Repeat the request with the same Idempotency-Key: that is "
      "safe. Without a key, look the identifier up first.",
      milliseconds{1'000});
}

result<issue_result> id_door::issue(const id_type& type, const issue_call& what, const caller& who) {
  const auto& at = desk_of(type);
  if (at.issuers.size() == 1) return issue_at(at.one(), what, who);
  if (!what.idempotency_ref.empty()) return issue_at(at.issuer_of(what.idempotency_ref), what, who);
  return issue_anywhere(at, what, who);
}

/// Without a key any issuer will do: in turns, those first that have enough at hand.
result<issue_result> id_door::issue_anywhere(const desk& at, const issue_call& what, const caller& who) const {
  const auto count = at.issuers.size();
  const auto first = at.next.fetch_add(1, std::memory_order_relaxed) % count;
  std::vector<const type_context*> with_enough;
  const type_context* fullest = at.issuers[first].get();
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* cx = at.issuers[(first + i) % count].get();
    const auto has = in_memory(*cx);
    if (has >= what.count) with_enough.push_back(cx);
    if (has > most) fullest = cx;
    most = std::max(most, has);
  }
  // The others may have been emptied meanwhile; whoever has most borrows or refills soonest.
  for (const auto* cx : with_enough) {
    auto issued = issue_at(*cx, what, who);
    if (issued || issued.error().code != errc::refilling) return issued;
    if (cx->monotonic->monotonic() >= who.deadline) return issued;
  }
  return issue_at(*fullest, what, who);
}

result<issue_result> id_door::issue_at(const type_context& cx, const issue_call& what, const caller& who) const {
  const auto cell = std::make_shared<runtime::reply_cell<issue_answer>>(gate_);
  issue_ids message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count()};
  message.count = what.count;
  message.expires_at_ms = what.expires_at ? what.expires_at->time_since_epoch().count() : 0;
  message.holder = what.holder;
  message.idempotency_ref = what.idempotency_ref;
  message.fingerprint = what.fingerprint;
  message.reply = runtime::reply_to<issue_answer>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
  auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return issue_result{std::move(answer->issued), answer->replayed};
}

result<id_record> id_door::change(const id_type& type, std::uint64_t counter, id_event event, std::uint32_t assignment,
                                  const caller& who) {
  const auto& at = desk_of(type);
  std::size_t owner = 0;
  if (at.issuers.size() > 1) {
    // Whoever knows the identifier heard of it when it was durable where it is now; if it has moved on since, it was
    // available in between, and its giver answers that.
    const auto owned = storage::find_owner(*at.one().log, at.parts, counter);
    if (!owned) return std::unexpected(owned.error());
    owner = owned->issuer;
  }
  const auto& cx = *at.issuers[owner];
  const auto cell = std::make_shared<runtime::reply_cell<id_record>>(gate_);
  change_id message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count()};
  message.counter = counter;
  message.event = static_cast<std::uint8_t>(event);
  message.assignment = assignment;
  message.reply = runtime::reply_to<id_record>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
  return wait(cell, cx, who);
}

result<expiry_result> id_door::expire_due(const id_type& type, const caller& who) {
  // All at once, then wait for each.
  std::vector<std::shared_ptr<runtime::reply_cell<expiry_answer>>> cells;
  const auto& at = desk_of(type);
  for (const auto& cx : at.issuers) {
    cells.push_back(std::make_shared<runtime::reply_cell<expiry_answer>>(gate_));
    caf::anon_send(cx->expirer.address(), run_expirer{who.trace, runtime::reply_to<expiry_answer>(cells.back())});
  }
  expiry_result all;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto answer = wait(cells[i], *at.issuers[i], who);
    if (!answer) return std::unexpected(answer.error());
    all.expired += answer->expired;
    all.released += answer->released;
    all.retired += answer->retired;
  }
  return all;
}

} // namespace matricula::actors
