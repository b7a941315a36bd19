#include "actors/identifiers/vid_door.hpp"

#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "storage/grants.hpp"
#include "storage/holders.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace matricula::actors {

using namespace identifiers;

vid_door::vid_door(std::vector<std::shared_ptr<const type_context>> issuers, std::shared_ptr<runtime::reply_gate> gate)
    : issuers_(std::move(issuers)), gate_(std::move(gate)) {
  for (const auto& cx : issuers_) parts_.push_back(cx->part);
}
vid_door::~vid_door() = default;

const id_type& vid_door::type() const noexcept { return issuers_.front()->type; }
const vid_policies& vid_door::policies() const noexcept { return issuers_.front()->policies; }

const type_context& vid_door::serving(const std::string& holder) const noexcept {
  return *issuers_[storage::issuer_of_key(holder, static_cast<std::uint32_t>(issuers_.size()))];
}

result<const type_context*> vid_door::serving(std::uint64_t counter) const {
  if (issuers_.size() == 1) return issuers_.front().get();
  const auto owned = storage::find_owner(*issuers_.front()->log, parts_, counter);
  if (!owned) return std::unexpected(owned.error());
  return issuers_[owned->issuer].get();
}

result<std::optional<std::uint64_t>> vid_door::locate(std::string_view id) const {
  const bool imports_exist = std::ranges::any_of(issuers_, [](const auto& cx) { return cx->level->imports_exist(); });
  const auto place = storage::find_place(*issuers_.front()->log, parts_, type(), id, imports_exist);
  if (!place) return std::unexpected(place.error());
  return *place ? std::optional((*place)->counter) : std::nullopt;
}

result<holder> vid_door::find(const std::string& name) const {
  const auto& cx = serving(name);
  const auto view = cx.log->read(cx.part.shard);
  if (!view) return std::unexpected(view.error());
  return storage::find_holder(**view, cx.part, name);
}

result<std::optional<resolved_vid>> vid_door::resolve(std::uint64_t counter) const {
  const auto cx = serving(counter);
  if (!cx) return std::unexpected(cx.error());
  const auto view = (*cx)->log->read((*cx)->part.shard);
  if (!view) return std::unexpected(view.error());
  auto found = storage::find_vid(**view, (*cx)->part, counter);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  return resolved_vid{std::move((*found)->of.name), std::move((*found)->of.vids[(*found)->place])};
}

result<vid_result> vid_door::change(const vid_call& what, const caller& who) {
  const auto found = what.holder.empty() ? serving(what.counter) : &serving(what.holder);
  if (!found) return std::unexpected(found.error());
  const auto& cx = **found;
  const auto cell = std::make_shared<runtime::reply_cell<vid_answer>>(gate_);
  change_vids message;
  message.trace = who.trace;
  message.context = {who.principal, who.deadline.count(), who.tenant};
  message.action = static_cast<std::uint8_t>(what.action);
  message.holder = what.holder;
  message.policy = what.policy;
  message.counter = what.counter;
  message.assignment = what.assignment;
  message.idempotency_ref = what.idempotency_ref;
  message.fingerprint = what.fingerprint;
  message.reply = runtime::reply_to<vid_answer>(cell);
  caf::anon_send(cx.pool.address(), std::move(message));
  const auto* answer = cell->wait_for(who.deadline - cx.monotonic->monotonic());
  if (!answer)
    return fail(errc::outcome_unknown,
                "No answer before the deadline; it may still be done. Repeat the request with the same "
                "Idempotency-Key: that is safe. Without a key, look the holder's VIDs up first.",
                milliseconds{1'000});
  if (!*answer) return std::unexpected(answer->error());
  return vid_result{(*answer)->of, (*answer)->replayed};
}

} // namespace matricula::actors
