#include "actors/registrants/local_generator.hpp"

#include "actors/registrants/pool_call.hpp"

#include <optional>
#include <utility>

namespace matricula::actors {

using identifiers::id_event;
using identifiers::id_state;
using registrants::call_outcome;
using registrants::generator_answer;

namespace {

generator_answer answer_for(const error& why) {
  return {outcome_of_refusal(why.code),
          {},
          why.message,
          why.code == errc::exhausted ? std::optional(exhausted_again) : why.retry_after};
}

} // namespace

local_generator::local_generator(std::shared_ptr<id_door> pools, const identifiers::id_type& type,
                                 std::string caller_name, milliseconds at_most, const clock& time)
    : pools_(std::move(pools)), type_(type), name_(std::move(caller_name)), at_most_(at_most), time_(time) {}

caller local_generator::caller_for(std::string_view request) const {
  caller who;
  who.principal = name_;
  who.trace.request_id = request;
  who.deadline = time_.monotonic() + at_most_;
  return who;
}

generator_answer local_generator::issue(std::string_view request) {
  for (std::uint32_t round = 1;; ++round) {
    if (stopped_) return {call_outcome::failed, {}, "The node is stopping.", {}};
    const auto call = pool_call({{}, name_, "generator.issue", request}, type_, round);
    auto issued = pools_->issue(type_, call, caller_for(request));
    if (issued) return {call_outcome::done, std::move(issued->issued.ids.front()), {}, {}};
    // Its identifier was taken back before anybody had it: another one is due.
    if (issued.error().code == errc::assignment_ended && round < pool_rounds_max) continue;
    return answer_for(issued.error());
  }
}

generator_answer local_generator::confirm(std::string_view id) {
  if (!identifiers::next_state(type_.rules.of, id_state::issued, id_event::confirm))
    return {call_outcome::done, {}, {}, {}};
  const auto counter = pools_->counter_of(type_, id);
  if (!counter) return answer_for(counter.error());
  if (!*counter) return {call_outcome::refused, {}, "The identifier is none of this node's pool.", {}};
  const auto confirmed = pools_->change(type_, **counter, id_event::confirm, 0, caller_for("confirm"));
  return confirmed ? generator_answer{call_outcome::done, {}, {}, {}} : answer_for(confirmed.error());
}

} // namespace matricula::actors
