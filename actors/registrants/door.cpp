#include "actors/registrants/door.hpp"

#include "actors/messages.hpp"
#include "actors/verdict_error.hpp"

#include <caf/send.hpp>

#include <utility>

namespace matricula::actors {

template <class T, class Message>
result<T> registrant_door::ask(Message message, const caller& who) {
  const auto cell = std::make_shared<runtime::reply_cell<T>>(gate_);
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.reply = runtime::reply_to<T>(cell);
  caf::anon_send(queue_->queue.address(), std::move(message));
  const auto* answer = cell->wait_for(who.deadline - queue_->monotonic->monotonic());
  if (answer != nullptr) return *answer;
  return std::unexpected(no_answer_in_time(advice_on_registrants));
}

result<std::vector<created_registrant>> registrant_door::create(std::vector<new_registrant> wanted, const key& once,
                                                                const caller& who) {
  require(!wanted.empty() && wanted.size() <= created_registrants_max, "as many registrants as one write takes");
  require(once.ref.empty() || wanted.size() == 1, "a key is for one registrant");
  create_registrants message;
  message.registrants = std::move(wanted);
  message.idempotency_ref = once.ref;
  message.fingerprint = once.fingerprint;
  return ask<std::vector<created_registrant>>(std::move(message), who);
}

result<registrants::registrant> registrant_door::request_id(std::uint64_t id, const caller& who) {
  request_registrant_id message;
  message.id = id;
  return ask<registrants::registrant>(std::move(message), who);
}

result<registrants::generator_call> registrant_door::resolve(std::uint64_t call, const std::string& unique_id,
                                                             const std::string& note, const caller& who) {
  resolve_generator_call message;
  message.call = call;
  message.unique_id = unique_id;
  message.note = note;
  return ask<registrants::generator_call>(std::move(message), who);
}

} // namespace matricula::actors
