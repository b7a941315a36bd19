#include "actors/identifiers/door.hpp"

#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "runtime/rates.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <deque>
#include <iterator>
#include <mutex>

namespace matricula::actors {

using namespace identifiers;

struct id_door::meter {
  std::mutex mutex;
  runtime::rate_meter rate;
};

id_door::id_door(std::vector<std::shared_ptr<const type_context>> types, std::shared_ptr<runtime::reply_gate> gate)
    : types_(std::move(types)), gate_(std::move(gate)) {
  std::ranges::sort(types_, {}, [](const auto& cx) { return cx->type.name; });
  for (std::size_t i = 0; i < types_.size(); ++i) meters_.push_back(std::make_unique<meter>());
}
id_door::~id_door() = default;

std::vector<const id_type*> id_door::types() const {
  std::vector<const id_type*> out;
  for (const auto& cx : types_) out.push_back(&cx->type);
  return out;
}

const id_type* id_door::find(std::string_view name) const noexcept {
  for (const auto& cx : types_)
    if (cx->type.name == name) return &cx->type;
  return nullptr;
}

const type_context& id_door::context(const id_type& type) const noexcept {
  for (const auto& cx : types_)
    if (&cx->type == &type) return *cx;
  require(false, "an identifier type of this door");
  return *types_.front();
}

result<void> id_door::ready() const {
  for (const auto& cx : types_)
    if (!cx->level->ready(cx->monotonic->monotonic()))
      return fail(errc::unavailable, "The pool of type '" + cx->type.name + "' is not filled yet.");
  return {};
}

result<pool_counters> id_door::counters(const id_type& type) const {
  const auto& cx = context(type);
  const auto view = cx.log->read(cx.part.shard);
  if (!view) return std::unexpected(view.error());
  return storage::find_pool(**view, cx.part);
}

void id_door::set_limits(const id_type& type, const pool_limits& limits) { context(type).level->set_limits(limits); }

pool_level id_door::level(const id_type& type) const { return context(type).level->get(); }

result<std::optional<storage::id_place>> id_door::locate(const id_type& type, std::string_view id) const {
  const auto& cx = context(type);
  const auto view = cx.log->read(cx.part.shard);
  if (!view) return std::unexpected(view.error());
  return storage::find_place(**view, cx.part, cx.type, id, cx.level->imports_exist());
}

double id_door::refill_rate(const id_type& type) const {
  const auto counters_now = counters(type);
  if (!counters_now) return 0;
  const auto found = counters_now->walked_to - counters_now->filtered;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    if (&types_[i]->type != &type) continue;
    const auto now = types_[i]->monotonic->monotonic();
    const std::lock_guard guard(meters_[i]->mutex);
    meters_[i]->rate.sample(now, found);
    return meters_[i]->rate.rates(now, found).over_60s;
  }
  return 0;
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
  const auto& cx = context(type);
  const auto cell = std::make_shared<runtime::reply_cell<issue_answer>>(gate_);
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
  auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return issue_result{std::move(answer->issued), answer->replayed};
}

result<id_record> id_door::change(const id_type& type, std::uint64_t counter, id_event event, std::uint32_t assignment,
                                  const caller& who) {
  const auto& cx = context(type);
  const auto cell = std::make_shared<runtime::reply_cell<id_record>>(gate_);
  change_id message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.counter = counter;
  message.event = static_cast<std::uint8_t>(event);
  message.assignment = assignment;
  message.reply = runtime::reply_to<id_record>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
  return wait(cell, cx, who);
}

result<std::vector<import_verdict>> id_door::import(const id_type& type, std::vector<import_row> rows,
                                                    const caller& who) {
  const auto& cx = context(type);
  // A few at a time, so that requests for identifiers find their turn in between.
  constexpr std::size_t in_flight_max = 2;
  std::deque<std::shared_ptr<runtime::reply_cell<import_answer>>> in_flight;
  std::vector<import_verdict> verdicts;
  verdicts.reserve(rows.size());
  for (std::size_t next = 0; next < rows.size() || !in_flight.empty();) {
    if (next < rows.size() && in_flight.size() < in_flight_max) {
      const auto count = std::min(import_rows_max, rows.size() - next);
      const auto first = rows.begin() + static_cast<std::ptrdiff_t>(next);
      in_flight.push_back(std::make_shared<runtime::reply_cell<import_answer>>(gate_));
      import_ids message;
      message.trace = who.trace;
      message.context = {who.principal, who.deadline.count(), who.tenant};
      message.rows.assign(std::make_move_iterator(first),
                          std::make_move_iterator(first + static_cast<std::ptrdiff_t>(count)));
      message.reply = runtime::reply_to<import_answer>(in_flight.back());
      caf::anon_send(cx.pool.address(), std::move(message));
      next += count;
      continue;
    }
    const auto answer = wait(in_flight.front(), cx, who);
    if (!answer) return std::unexpected(answer.error());
    verdicts.insert(verdicts.end(), answer->verdicts.begin(), answer->verdicts.end());
    in_flight.pop_front();
  }
  return verdicts;
}

result<expiry_result> id_door::expire_due(const id_type& type, const caller& who) {
  const auto& cx = context(type);
  const auto cell = std::make_shared<runtime::reply_cell<expiry_answer>>(gate_);
  caf::anon_send(cx.expirer.address(), run_expirer{who.trace, runtime::reply_to<expiry_answer>(cell)});
  const auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(answer.error());
  return expiry_result{answer->expired, answer->released, answer->retired, answer->reclaimed};
}

result<reclaim_result> id_door::reclaim(const id_type& type, const std::vector<due_entry>& which,
                                        timestamp issued_before, const caller& who) {
  require(which.size() <= reclaims_max, "what one write takes back");
  const auto& cx = context(type);
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

result<std::shared_ptr<const storage::view>> id_door::rows(const id_type& type) const {
  const auto& cx = context(type);
  return cx.log->read(cx.part.shard);
}

const storage::id_partition& id_door::part(const id_type& type) const noexcept { return context(type).part; }

} // namespace matricula::actors
