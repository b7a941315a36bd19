#include "actors/identifiers/door.hpp"

#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "actors/verdict_error.hpp"
#include "runtime/rates.hpp"
#include "storage/grants.hpp"
#include "storage/id_ledger.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <iterator>
#include <mutex>
#include <span>
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

result<std::optional<storage::id_place>> id_door::locate(const id_type& type, std::string_view id) const {
  const auto& at = desk_of(type);
  return storage::find_place(*at.one().log, at.parts, type, id, imports_exist(at));
}

result<std::optional<std::uint64_t>> id_door::counter_of(const id_type& type, std::string_view id) const {
  if (imports_exist(desk_of(type))) {
    const auto place = locate(type, id);
    if (!place) return std::unexpected(place.error());
    return *place ? std::optional((*place)->counter) : std::nullopt;
  }
  const auto counter = type.space->counter_of(id);
  if (!counter || *counter >= type.rules.end) return std::optional<std::uint64_t>{};
  return std::optional(static_cast<std::uint64_t>(*counter));
}

bool id_door::reads_to_change(const id_type& type) const {
  const auto& at = desk_of(type);
  return at.issuers.size() > 1 || imports_exist(at);
}

bool id_door::imports_exist(const desk& at) {
  return std::ranges::any_of(at.issuers, [](const auto& cx) { return cx->level->imports_exist(); });
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

namespace {
template <class Cell>
void send_issue(const type_context& cx, const issue_call& what, const caller& who, const Cell& cell) {
  issue_ids message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.count = what.count;
  message.expires_at_ms = what.expires_at ? what.expires_at->time_since_epoch().count() : 0;
  message.holder = what.holder;
  message.idempotency_ref = what.idempotency_ref;
  message.fingerprint = what.fingerprint;
  message.reply = runtime::reply_to<issue_answer>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
}

template <class Cell>
void send_change(const type_context& cx, std::uint64_t counter, id_event event, std::uint32_t assignment,
                 const caller& who, const Cell& cell) {
  change_id message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.counter = counter;
  message.event = static_cast<std::uint8_t>(event);
  message.assignment = assignment;
  message.reply = runtime::reply_to<id_record>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
}
} // namespace

template <class T>
result<T> id_door::wait(const std::shared_ptr<runtime::reply_cell<T>>& cell, const type_context& cx,
                        const caller& who) const {
  const auto* answer = cell->wait_for(who.deadline - cx.monotonic->monotonic());
  if (answer) return *answer;
  return std::unexpected(no_answer_in_time(advice_on_identifiers));
}

result<issue_result> id_door::issue(const id_type& type, const issue_call& what, const caller& who) {
  const auto& at = desk_of(type);
  if (at.issuers.size() == 1) return issue_at(at.one(), what, who);
  if (!what.idempotency_ref.empty()) return issue_at(at.issuer_of(what.idempotency_ref), what, who);
  // The others may have been emptied meanwhile; whoever has most borrows or refills soonest.
  const auto asked = to_ask(at, what.count);
  for (const auto* cx : asked.with_enough) {
    auto issued = issue_at(*cx, what, who);
    if (issued || issued.error().code != errc::refilling) return issued;
    if (cx->monotonic->monotonic() >= who.deadline) return issued;
  }
  return issue_at(*asked.fullest, what, who);
}

/// Without a key any issuer will do: in turns, those first that have enough at hand.
id_door::candidates id_door::to_ask(const desk& at, std::uint32_t count) {
  const auto issuers = at.issuers.size();
  const auto first = at.next.fetch_add(1, std::memory_order_relaxed) % issuers;
  candidates found{{}, at.issuers[first].get()};
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < issuers; ++i) {
    const auto* cx = at.issuers[(first + i) % issuers].get();
    const auto has = in_memory(*cx);
    if (has >= count) found.with_enough.push_back(cx);
    if (has > most) found.fullest = cx;
    most = std::max(most, has);
  }
  return found;
}

result<issue_result> id_door::issue_at(const type_context& cx, const issue_call& what, const caller& who) const {
  const auto cell = std::make_shared<runtime::reply_cell<issue_answer>>(gate_);
  send_issue(cx, what, who, cell);
  auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return issue_result{std::move(answer->issued), answer->replayed};
}

promised<issue_result> id_door::begin_issue(const id_type& type, const issue_call& what, const caller& who,
                                            runtime::reply_notice told) {
  const auto cell = std::make_shared<runtime::reply_cell<issue_answer>>(std::move(told));
  const auto& at = desk_of(type);
  const auto* cx = &at.one();
  if (at.issuers.size() > 1 && !what.idempotency_ref.empty()) {
    cx = &at.issuer_of(what.idempotency_ref);
  } else if (at.issuers.size() > 1) {
    const auto asked = to_ask(at, what.count);
    cx = asked.with_enough.empty() ? asked.fullest : asked.with_enough.front();
  }
  send_issue(*cx, what, who, cell);
  return [cell]() -> result<issue_result> {
    if (!cell->ready()) return std::unexpected(no_answer_in_time(advice_on_identifiers));
    auto answer = cell->take();
    if (!answer) return std::unexpected(std::move(answer.error()));
    return issue_result{std::move(answer->issued), answer->replayed};
  };
}

result<const type_context*> id_door::owner_of(const desk& at, std::uint64_t counter) {
  if (at.issuers.size() == 1) return &at.one();
  // Whoever knows the identifier heard of it when it was durable where it is now; if it has moved on since, it was
  // available in between, and its giver answers that.
  const auto owned = storage::find_owner(*at.one().log, at.parts, counter);
  if (!owned) return std::unexpected(owned.error());
  return at.issuers[owned->issuer].get();
}

result<id_record> id_door::change(const id_type& type, std::uint64_t counter, id_event event, std::uint32_t assignment,
                                  const caller& who) {
  const auto owner = owner_of(desk_of(type), counter);
  if (!owner) return std::unexpected(owner.error());
  const auto cell = std::make_shared<runtime::reply_cell<id_record>>(gate_);
  send_change(**owner, counter, event, assignment, who, cell);
  return wait(cell, **owner, who);
}

/// Sends each share of the rows to its issuer, in writes that the rows fit into, and notes the verdicts.
result<void> id_door::load(const desk& at, const std::vector<import_row>& rows,
                           const std::vector<std::vector<std::size_t>>& shares, std::vector<import_verdict>& verdicts,
                           const caller& who) const {
  struct part_on_its_way {
    const type_context* to;
    std::span<const std::size_t> rows;
    std::shared_ptr<runtime::reply_cell<import_answer>> cell;
  };
  // A few at a time, so that requests for identifiers find their turn in between.
  constexpr std::size_t in_flight_max = 2;
  std::deque<part_on_its_way> in_flight;
  const auto take_answer = [&]() -> result<void> {
    const auto first = std::move(in_flight.front());
    in_flight.pop_front();
    const auto answer = wait(first.cell, *first.to, who);
    if (!answer) return std::unexpected(answer.error());
    for (std::size_t i = 0; i < first.rows.size(); ++i) verdicts[first.rows[i]] = answer->verdicts.at(i);
    return {};
  };
  for (std::size_t issuer = 0; issuer < shares.size(); ++issuer) {
    std::span<const std::size_t> share = shares[issuer];
    while (!share.empty()) {
      if (in_flight.size() >= in_flight_max)
        if (const auto answered = take_answer(); !answered) return std::unexpected(answered.error());
      import_ids message;
      message.trace = who.trace;
      message.context = {who.principal, who.deadline.count(), who.tenant};
      std::size_t bytes = 0;
      for (const auto i : share.first(std::min(import_rows_max, share.size()))) {
        bytes += storage::id_ledger::import_bytes(rows[i]);
        if (bytes > storage::id_ledger::import_bytes_max && !message.rows.empty()) break;
        message.rows.push_back(rows[i]);
      }
      in_flight.push_back({at.issuers[issuer].get(), share.first(message.rows.size()),
                           std::make_shared<runtime::reply_cell<import_answer>>(gate_)});
      share = share.subspan(message.rows.size());
      message.reply = runtime::reply_to<import_answer>(in_flight.back().cell);
      caf::anon_send(at.issuers[issuer]->pool.address(), std::move(message));
    }
  }
  while (!in_flight.empty())
    if (const auto answered = take_answer(); !answered) return std::unexpected(answered.error());
  return {};
}

result<std::vector<import_verdict>> id_door::import(const id_type& type, const std::vector<import_row>& rows,
                                                    const caller& who) {
  const auto& at = desk_of(type);
  // By the issuer that takes them in; with one issuer in their own order.
  std::vector<std::vector<std::size_t>> shares(at.issuers.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    shares[storage::home_of(at.parts, rows[i].id, rows[i].counter).issuer].push_back(i);
  std::vector<import_verdict> verdicts(rows.size());
  for (std::size_t hops = 0;; ++hops) {
    if (const auto loaded = load(at, rows, shares, verdicts, who); !loaded) return std::unexpected(loaded.error());
    // What was given to another issuer is loaded where it is now. It may move on meanwhile, or be on its way.
    for (auto& share : shares) share.clear();
    bool any = false;
    for (std::size_t i = 0; i < rows.size() && hops < at.issuers.size(); ++i) {
      if (verdicts[i] != import_verdict::elsewhere) continue;
      const auto owned = storage::find_owner(*at.one().log, at.parts, *rows[i].counter);
      if (!owned) return std::unexpected(owned.error());
      shares[owned->issuer].push_back(i);
      any = true;
    }
    if (!any) return verdicts;
  }
}

promised<id_record> id_door::begin_change(const id_type& type, std::uint64_t counter, id_event event,
                                          std::uint32_t assignment, const caller& who, runtime::reply_notice told) {
  const auto cell = std::make_shared<runtime::reply_cell<id_record>>(std::move(told));
  const auto owner = owner_of(desk_of(type), counter);
  if (!owner) {
    cell->deliver(std::unexpected(owner.error()));
    return [cell] { return cell->take(); };
  }
  send_change(**owner, counter, event, assignment, who, cell);
  return [cell]() -> result<id_record> {
    if (!cell->ready()) return std::unexpected(no_answer_in_time(advice_on_identifiers));
    return cell->take();
  };
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
    all.reclaimed += answer->reclaimed;
  }
  return all;
}

result<reclaim_result> id_door::reclaim(const id_type& type, std::uint32_t issuer, const std::vector<due_entry>& which,
                                        timestamp issued_before, const caller& who) {
  require(which.size() <= reclaims_max, "what one write takes back");
  const auto& cx = *desk_of(type).issuers.at(issuer);
  const auto cell = std::make_shared<runtime::reply_cell<reclaim_answer>>(gate_);
  reclaim_ids message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.issued_before_ms = issued_before.time_since_epoch().count();
  for (const auto& e : which) {
    message.counters.push_back(e.counter);
    message.assignments.push_back(e.assignment);
  }
  message.reply = runtime::reply_to<reclaim_answer>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
  auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return reclaim_result{std::move(answer->ids), std::move(answer->assignments)};
}

result<std::shared_ptr<const storage::view>> id_door::rows(const id_type& type, std::uint32_t issuer) const {
  const auto& cx = *desk_of(type).issuers.at(issuer);
  return cx.log->read(cx.part.shard);
}

std::span<const storage::id_partition> id_door::parts(const id_type& type) const noexcept {
  return desk_of(type).parts;
}

} // namespace matricula::actors
