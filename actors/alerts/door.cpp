#include "actors/alerts/door.hpp"

#include "actors/messages.hpp"
#include "actors/verdict_error.hpp"

#include <caf/send.hpp>

#include <utility>

namespace matricula::actors {

alert_door::alert_door(std::shared_ptr<const alerts_context> alerts, std::shared_ptr<runtime::reply_gate> gate)
    : alerts_(std::move(alerts)), gate_(std::move(gate)) {}

void alert_door::raise(std::string_view rule, std::string_view subject, std::string_view text, alerts::severity how,
                       milliseconds lasts) const {
  observe_condition seen;
  seen.rule = rule;
  seen.subject = subject;
  seen.text = text.substr(0, alerts::finding::text_bytes_max);
  seen.how = static_cast<std::uint8_t>(how);
  seen.lasts_ms = lasts.count();
  caf::anon_send(alerts_->alerts_slot.address(), std::move(seen));
}

void alert_door::clear(std::string_view rule, std::string_view subject) const {
  observe_condition seen;
  seen.rule = rule;
  seen.subject = subject;
  seen.holds = false;
  caf::anon_send(alerts_->alerts_slot.address(), std::move(seen));
}

void alert_door::report(const std::string& name, const std::string& subject, double value) const {
  (void)alerts_->numbers->set(name, subject, value);
}

result<alert_board::list> alert_door::list() const {
  if (auto now = alerts_->board->get()) return now;
  return fail(errc::unavailable, "The alerts are being loaded. Try again.", std::chrono::seconds(1));
}

result<alerts::alert> alert_door::acknowledge(std::uint64_t id, const caller& who) const {
  const auto cell = std::make_shared<runtime::reply_cell<alerts::alert>>(gate_);
  acknowledge_alert message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.id = id;
  message.reply = runtime::reply_to<alerts::alert>(cell);
  caf::anon_send(alerts_->alerts_slot.address(), std::move(message));
  const auto* answer = cell->wait_for(who.deadline - alerts_->monotonic->monotonic());
  if (answer == nullptr) return std::unexpected(no_answer_in_time(advice_on_alerts));
  return *answer;
}

} // namespace matricula::actors
