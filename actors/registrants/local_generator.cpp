#include "actors/registrants/local_generator.hpp"

#include "foundation/digest.hpp"
#include "storage/idempotency.hpp"

#include <fmt/format.h>

#include <utility>

namespace matricula::actors {

using identifiers::id_event;
using identifiers::id_state;
using registrants::call_outcome;
using registrants::generator_answer;

namespace {

constexpr std::uint32_t rounds_max = 100;
constexpr milliseconds exhausted_again{60'000};

/// A call that failed midway is repeated with the same request and has its effect once: nothing here is unknown.
generator_answer answer_for(const error& why) {
  switch (why.code) {
  case errc::refilling:
  case errc::overloaded:
  case errc::unavailable:
  case errc::idempotency_running:
  case errc::deadline_exceeded:
  case errc::storage_full:
    return {call_outcome::none_available, {}, why.message, why.retry_after};
  case errc::exhausted:
    return {call_outcome::none_available, {}, why.message, exhausted_again};
  case errc::conflict:
  case errc::stale_assignment:
  case errc::invalid_argument:
  case errc::idempotency_mismatch:
  case errc::not_found:
    return {call_outcome::refused, {}, why.message, {}};
  default:
    return {call_outcome::failed, {}, why.message, why.retry_after};
  }
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
  issue_call call;
  call.holder = request;
  call.fingerprint = sha256(fmt::format("generator.issue\n{}\n{}", request, type_.name));
  for (std::uint32_t round = 1;; ++round) {
    if (stopped_) return {call_outcome::failed, {}, "The node is stopping.", {}};
    call.idempotency_ref =
        storage::idempotency::hash_of({{}, name_, "generator.issue", fmt::format("{}/{}", request, round)});
    auto issued = pools_->issue(type_, call, caller_for(request));
    if (issued) return {call_outcome::done, std::move(issued->issued.ids.front()), {}, {}};
    // Its identifier was taken back before anybody had it: another one is due.
    if (issued.error().code == errc::assignment_ended && round < rounds_max) continue;
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
