#include "actors/identifiers/door.hpp"

#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "runtime/rates.hpp"

#include <caf/send.hpp>

#include <algorithm>
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

result<std::optional<id_record>> id_door::look_up(const id_type& type, std::uint64_t counter) const {
  const auto& cx = context(type);
  const auto view = cx.log->read(cx.part.shard);
  if (!view) return std::unexpected(view.error());
  return storage::find_record(**view, cx.part, counter);
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

namespace {
std::unexpected<error> no_answer_in_time() {
  return fail(
      errc::outcome_unknown,
      "No answer before the deadline; it may still be done. Repeat the request with the same Idempotency-Key: that is "
      "safe. Without a key, look the identifier up first.",
      milliseconds{1'000});
}

template <class Cell>
void send_issue(const type_context& cx, const issue_call& what, const caller& who, const Cell& cell) {
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
}

template <class Cell>
void send_change(const type_context& cx, std::uint64_t counter, id_event event, std::uint32_t assignment,
                 const caller& who, const Cell& cell) {
  change_id message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count()};
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
  return no_answer_in_time();
}

result<issue_result> id_door::issue(const id_type& type, const issue_call& what, const caller& who) {
  const auto& cx = context(type);
  const auto cell = std::make_shared<runtime::reply_cell<issue_answer>>(gate_);
  send_issue(cx, what, who, cell);
  auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return issue_result{std::move(answer->issued), answer->replayed};
}

promised<issue_result> id_door::begin_issue(const id_type& type, const issue_call& what, const caller& who,
                                            runtime::reply_notice told) {
  const auto cell = std::make_shared<runtime::reply_cell<issue_answer>>(std::move(told));
  send_issue(context(type), what, who, cell);
  return [cell]() -> result<issue_result> {
    if (!cell->ready()) return no_answer_in_time();
    auto answer = cell->take();
    if (!answer) return std::unexpected(std::move(answer.error()));
    return issue_result{std::move(answer->issued), answer->replayed};
  };
}

result<id_record> id_door::change(const id_type& type, std::uint64_t counter, id_event event, std::uint32_t assignment,
                                  const caller& who) {
  const auto& cx = context(type);
  const auto cell = std::make_shared<runtime::reply_cell<id_record>>(gate_);
  send_change(cx, counter, event, assignment, who, cell);
  return wait(cell, cx, who);
}

promised<id_record> id_door::begin_change(const id_type& type, std::uint64_t counter, id_event event,
                                          std::uint32_t assignment, const caller& who, runtime::reply_notice told) {
  const auto cell = std::make_shared<runtime::reply_cell<id_record>>(std::move(told));
  send_change(context(type), counter, event, assignment, who, cell);
  return [cell]() -> result<id_record> {
    if (!cell->ready()) return no_answer_in_time();
    return cell->take();
  };
}

result<expiry_result> id_door::expire_due(const id_type& type, const caller& who) {
  const auto& cx = context(type);
  const auto cell = std::make_shared<runtime::reply_cell<expiry_answer>>(gate_);
  caf::anon_send(cx.expirer.address(), run_expirer{who.trace, runtime::reply_to<expiry_answer>(cell)});
  const auto answer = wait(cell, cx, who);
  if (!answer) return std::unexpected(answer.error());
  return expiry_result{answer->expired, answer->released, answer->retired};
}

} // namespace matricula::actors
