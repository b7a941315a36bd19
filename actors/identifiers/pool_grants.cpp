/// The part of the pool actor that borrows identifiers from the other issuers of its type, and gives them some.
///
/// Nothing is handed over in two phases. The giver's batch marks the identifiers as GRANTED and keeps the grant, as an
/// outbox; the taker's batch notes the grant's number and adds them to its released list; then the giver forgets the
/// grant. What is lost on the way is sent again, what comes twice is known by its number.
#include "actors/identifiers/pool_actor.hpp"
#include "domain/identifiers/grants.hpp"
#include "storage/grants.hpp"

#include <caf/send.hpp>
#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace matricula::actors {

using namespace identifiers;
using storage::column;

namespace {
constexpr milliseconds grant_retry_after{1'000};
constexpr milliseconds release_retry_after{60'000};
constexpr std::size_t small_room = 1024;
constexpr std::uint64_t reminder = 0;
} // namespace

result<void> pool_actor::load_grants(const storage::view& durable) {
  if (!cx_->issuers) return {};
  for (std::uint32_t taker = 0; taker < cx_->issuers->size(); ++taker) {
    auto given = storage::find_given(durable, cx_->part, taker);
    if (!given) return std::unexpected(given.error());
    given_.push_back({std::move(*given), 0});
  }
  send_grants_again();
  return {};
}

// -- the taker's side -------------------------------------------------------------------------------------------------

error pool_actor::borrow(std::uint32_t count) {
  if (count > pool::released_draws_max)
    return {errc::invalid_argument,
            fmt::format("So many identifiers cannot be borrowed for one request. Ask for at most {} at a time.",
                        pool::released_draws_max),
            {}};
  error on_their_way{errc::refilling, "Identifiers are on their way from another issuing shard. Try again in a moment.",
                     grant_retry_after};
  const auto now = cx_->monotonic->monotonic();
  if (asked_at_ && now - *asked_at_ < cx_->options.grant_again) {
    // Everybody who waits is looked at again after every message: one look at the others serves all of them.
    asked_ = true;
    remind();
    return on_their_way;
  }
  std::vector<storage::id_partition> parts;
  std::vector<std::uint64_t> ends;
  for (const auto& other : *cx_->issuers) {
    if (other.part.issuer == cx_->part.issuer) continue;
    parts.push_back(other.part);
    ends.push_back(cx_->type.rules_of(other.part.issuer).end);
  }
  const auto seen = storage::find_pools(*cx_->log, parts);
  if (!seen) return seen.error();
  auto hope = what_can_be_lent(pool_->counters(), seen->counters, ends, count);
  // What changes hands between two looks is seen nowhere: then there may be more than it seems.
  if (!seen->at_one_moment && hope != lending::possible) hope = lending::arriving;
  switch (hope) {
  case lending::exhausted:
    return {errc::exhausted, "Every identifier of this type has been issued. Configure a longer type.", {}};
  case lending::too_few: {
    auto left = pool_->counters().available();
    for (const auto& c : seen->counters) left += c.available();
    return {errc::invalid_argument, fmt::format("Only {} identifiers of this type are left. Ask for fewer.", left), {}};
  }
  case lending::cooling:
    return {errc::refilling, "Every identifier is in use or cooling off. Try again later.", release_retry_after};
  case lending::arriving:
  case lending::possible:
    break;
  }
  asked_ = true;
  asked_at_ = now;
  remind();
  if (hope == lending::possible) {
    // Those that have some take turns: whoever does not answer is not asked again at once.
    std::vector<std::uint32_t> have_some, may_find_some;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (seen->counters[i].available() > 0) have_some.push_back(parts[i].issuer);
      if (seen->counters[i].walked_to < ends[i]) may_find_some.push_back(parts[i].issuer);
    }
    const auto& candidates = have_some.empty() ? may_find_some : have_some;
    require(!candidates.empty(), "somebody can lend when it is possible");
    const auto giver = candidates[asks_++ % candidates.size()];
    caf::anon_send((*cx_->issuers)[giver].pool.address(),
                   borrow_ids{cx_->part.issuer, count - pool_->counters().available()});
  }
  return on_their_way;
}

bool pool_actor::should_wait_for_grant() {
  const auto now = cx_->monotonic->monotonic();
  const auto patience = cx_->options.dry_patience;
  // All that wait at its end are refused together; who comes much later has a patience of his own.
  if (!lacking_since_ || now - *lacking_since_ >= 2 * patience) lacking_since_ = now;
  return now - *lacking_since_ < patience;
}

caf::result<void> pool_actor::on_grant(const grant_ids& grant) {
  if (stand_down()) return caf::skip();
  if (cx_->issuers && grant.giver < cx_->issuers->size() && grant.giver != cx_->part.issuer) take_grant(grant);
  return caf::unit;
}

void pool_actor::take_grant(const grant_ids& grant) {
  const auto key = storage::taken_key(cx_->part, grant.giver);
  // A store that fails for a moment is no reason: it is sent again.
  const auto refuse = [&](const error& why) {
    if (why.code != errc::corrupt && why.code != errc::conflict) return;
    shared().raise(
        {"grant_refused", path(),
         fmt::format("Grant {} of issuing shard {} is not taken: {}", grant.number, grant.giver, why.message)});
  };
  const auto bytes = part_->get(column::pools, key);
  auto last = !bytes ? std::unexpected(bytes.error()) : *bytes ? decode_taken_grant(**bytes) : 0;
  if (!last) return refuse(last.error());
  const auto tell = [to = (*cx_->issuers)[grant.giver].pool.address(), taker = cx_->part.issuer,
                     number = grant.number](storage::verdict v) noexcept {
    if (v == storage::verdict::durable) caf::anon_send(to, grant_taken{taker, number});
  };
  if (grant.number <= *last) return part_->after_settled(tell);
  const auto ids = decode_granted_ids(grant.ids);
  if (!ids) return refuse(ids.error());
  auto room = part_->reserve(grant_room);
  if (!room) return; // it is sent again
  auto changes = pool_->take(*ids, *this);
  if (!changes) return refuse(changes.error());
  storage::batch batch(cx_->part.shard);
  put(batch, *changes, {});
  batch.put(column::pools, key, encode_taken_grant(grant.number));
  part_->write(std::move(*room), std::move(batch), tell);
  asked_at_.reset();
  lacking_since_.reset();
  tell_level();
}

// -- the giver's side -------------------------------------------------------------------------------------------------

caf::result<void> pool_actor::on_borrow(const borrow_ids& request) {
  if (stand_down()) return caf::skip();
  if (!cx_->issuers || request.taker >= given_.size() || request.taker == cx_->part.issuer) return caf::unit;
  auto& to = given_[request.taker];
  if (!to.grant.ids.empty()) {
    send_grant(request.taker);
    return caf::unit;
  }
  // Two that lack something must not pass the same identifiers to and fro: the lower one gathers first.
  if (lacking_since_ && cx_->monotonic->monotonic() - *lacking_since_ < cx_->options.dry_patience &&
      request.taker > cx_->part.issuer)
    return caf::unit;
  auto room = part_->reserve(grant_room);
  if (!room) return caf::unit; // whoever lacks some asks again
  auto granted = pool_->grant(request.taker, request.wanted, *random_, *this);
  if (!granted) {
    if (granted.error().code == errc::corrupt)
      shared().raise({"grant_refused", path(), "Nothing can be given: " + granted.error().message});
    return caf::unit;
  }
  if (granted->ids.empty()) {
    tell_level(request.wanted);
    return caf::unit;
  }
  to.grant = {to.grant.number + 1, std::move(granted->ids)};
  storage::batch batch(cx_->part.shard);
  put(batch, granted->changes, {});
  batch.put(column::pools, storage::given_key(cx_->part, request.taker), encode(to.grant));
  part_->write(std::move(*room), std::move(batch),
               [address = (*cx_->issuers)[request.taker].pool.address(),
                message = grant_ids{cx_->part.issuer, to.grant.number,
                                    encode(std::span<const granted_id>(to.grant.ids))}](storage::verdict v) noexcept {
                 if (v == storage::verdict::durable) caf::anon_send(address, message);
               });
  to.ticket = part_->last_ticket();
  remind();
  tell_level();
  return caf::unit;
}

caf::result<void> pool_actor::on_grant_taken(const grant_taken& answer) {
  if (stand_down()) return caf::skip();
  if (answer.taker >= given_.size()) return caf::unit;
  auto& to = given_[answer.taker];
  if (to.grant.ids.empty() || to.grant.number != answer.number) return caf::unit;
  auto room = part_->reserve(small_room);
  if (!room) return caf::unit; // it is sent again, and answered again
  pool_->grant_arrived(to.grant.ids.size());
  to.grant.ids.clear();
  storage::batch batch(cx_->part.shard);
  pool_changes none;
  put(batch, none, {});
  batch.put(column::pools, storage::given_key(cx_->part, answer.taker), encode(to.grant));
  part_->write(std::move(*room), std::move(batch), [](storage::verdict) noexcept {});
  return caf::unit;
}

/// Not before it is durable: then its completion sends it.
void pool_actor::send_grant(std::uint32_t taker) {
  const auto& [grant, ticket] = given_[taker];
  if (!part_->settled(ticket)) return;
  caf::anon_send((*cx_->issuers)[taker].pool.address(),
                 grant_ids{cx_->part.issuer, grant.number, encode(std::span<const granted_id>(grant.ids))});
}

void pool_actor::send_grants_again() {
  reminder_set_ = false;
  if (!part_->trustworthy()) return;
  for (std::uint32_t taker = 0; taker < given_.size(); ++taker) {
    if (given_[taker].grant.ids.empty()) continue;
    send_grant(taker);
    remind();
  }
}

/// One at a time. It also has the requests looked at again that wait for a grant.
void pool_actor::remind() {
  if (reminder_set_) return;
  reminder_set_ = true;
  delayed_send(this, cx_->options.grant_again, tick{reminder});
}

} // namespace matricula::actors
