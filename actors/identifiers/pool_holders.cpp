// The VIDs that policies make for holders: every change of one is a plan over its holder's row, carried out with the
// pool, the records and the due index in one batch, however it was asked for.
#include "actors/identifiers/pool_actor.hpp"
#include "storage/holders.hpp"

#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace matricula::actors {

using namespace identifiers;

namespace {

/// How to read the payload of an idempotency record: a holder with the VIDs of the answer. Kinds are numbered over all
/// features.
constexpr std::uint32_t made_kind = 2; ///< the first one was made for it, and the record lives as long
constexpr std::uint32_t used_kind = 3; ///< a use is over at once, and the record lives for its time

bool names_a_vid(vid_action a) {
  return a == vid_action::use || a == vid_action::revoke || a == vid_action::regenerate;
}

void append(pool_changes& to, pool_changes&& more) {
  const auto move_all = [](auto& into, auto& from) {
    into.insert(into.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(to.records, more.records);
  move_all(to.released_slots, more.released_slots);
  move_all(to.due_added, more.due_added);
  move_all(to.due_removed, more.due_removed);
}

/// An upper bound for the batch that carries a plan out, the answer kept for its key included.
std::size_t bytes_of(const vid_plan& plan, const holder& of) {
  constexpr std::size_t beside = 16 * 1024; // the audit trail too
  constexpr std::size_t of_a_record = id_record::bytes_max + 256;
  const auto vids = of.vids.size() + plan.ends.size() + 3; // of the row and of the answer
  return std::min(storage::batch::bytes_max,
                  beside + vids * holder::vid_bytes_max + (plan.ends.size() + 2) * of_a_record);
}

error gone() {
  return {errc::assignment_ended,
          "What this Idempotency-Key was answered with has ended, and may belong to somebody else. Use a new key.",
          {}};
}

/// The VIDs that the request was about, as they are afterwards.
std::vector<held_vid> touched(vid_action action, const holder& before, const vid_plan& plan, const holder& after,
                              const std::optional<held_vid>& fresh, std::size_t place) {
  std::vector<held_vid> out;
  const auto add = [&](std::size_t i) {
    auto vid = before.vids[i];
    for (const auto& e : plan.ends)
      if (e.place == i) vid.state = e.as;
    if (plan.spends == i) --*vid.transactions_left;
    out.push_back(std::move(vid));
  };
  if (!names_a_vid(action) && action != vid_action::create) return after.vids;
  if (action == vid_action::create) {
    if (fresh) out.push_back(*fresh);
    for (const auto& e : plan.ends)
      if (e.as != vid_state::expired) add(e.place);
    return out;
  }
  add(place);
  if (fresh) out.insert(action == vid_action::regenerate ? out.begin() : out.end(), *fresh);
  return out;
}

} // namespace

result<issued_ids> pool_actor::answered_with(const storage::idempotency::record& kept) {
  if (kept.kind != made_kind && kept.kind != used_kind) return decode_issued_ids(kept.payload);
  const auto answer = decode_holder(kept.payload);
  if (!answer) return std::unexpected(answer.error());
  issued_ids made;
  if (kept.kind == used_kind || answer->vids.empty()) return made;
  made.ids.push_back(answer->vids.front().id);
  made.assignments.push_back(answer->vids.front().assignment);
  return made;
}

caf::result<void> pool_actor::on_vids(const change_vids& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  asked_ = false;
  if (const auto outcome = change_held(request, cx_->time->now()); !outcome) {
    const auto code = outcome.error().code;
    if (code == errc::refilling && pool_->held_to() < pool_->rules().end && should_wait(1)) return caf::skip();
    if (asked_ && should_wait_for_grant()) return caf::skip();
    // That the first request is still running rests on no write; it would be pointless to wait for it.
    if (code == errc::idempotency_running)
      request.reply.deliver(std::unexpected(outcome.error()));
    else
      answer_settled(request.reply, result<vid_answer>(std::unexpected(outcome.error())));
  }
  tell_level();
  return caf::unit;
}

result<holder> pool_actor::holder_named(std::string_view name) {
  auto bytes = part_->get(storage::column::holders, storage::holder_key(cx_->part, name));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return holder{std::string(name), {}};
  return decode_holder(**bytes);
}

result<holder> pool_actor::holder_and_place(const change_vids& request, std::size_t& place) {
  if (!names_a_vid(static_cast<vid_action>(request.action))) return holder_named(request.holder);
  const auto found = record(request.counter);
  if (!found) return std::unexpected(found.error());
  const auto unknown = [] {
    return fail(errc::not_found,
                "No policy has made this VID, or it ended so long ago that its holder no longer has it.");
  };
  if (!*found || !(*found)->of_policy) return unknown();
  if (request.assignment != 0 && request.assignment != (*found)->assignment)
    return fail(errc::stale_assignment,
                fmt::format("Assignment {} of this VID is not the present one. It belongs to somebody else now.",
                            request.assignment));
  auto of = holder_named((*found)->holder);
  if (!of) return of;
  const auto listed = of->place_of(request.counter, (*found)->assignment);
  if (!listed) return unknown();
  place = *listed;
  return of;
}

result<vid_plan> pool_actor::plan_of(const change_vids& request, const holder& of, std::size_t place,
                                     timestamp now) const {
  switch (static_cast<vid_action>(request.action)) {
  case vid_action::create: {
    const auto* policy = cx_->policies.find(request.policy);
    if (!policy)
      return fail(errc::invalid_argument,
                  fmt::format("There is no VID policy of this name. Configured: {}.", cx_->policies.names()));
    return plan_creation(of, *policy, now);
  }
  case vid_action::use:
    return plan_use(of, place, cx_->policies, now);
  case vid_action::revoke:
    return plan_revocation(of, place, cx_->policies, now);
  case vid_action::regenerate:
    return plan_regeneration(of, place, cx_->policies, now);
  case vid_action::deactivate:
  case vid_action::reactivate:
    break;
  }
  if (of.vids.empty()) return fail(errc::not_found, "The holder has no VIDs that a policy made.");
  if (static_cast<vid_action>(request.action) == vid_action::deactivate) return plan_deactivation(of, now);
  return plan_reactivation(of, cx_->policies, now);
}

result<void> pool_actor::change_held(const change_vids& request, timestamp now) {
  const auto action = static_cast<vid_action>(request.action);
  const bool keyed = !request.idempotency_ref.empty();
  if (keyed) {
    auto stored = known_answer(request.idempotency_ref, request.fingerprint);
    if (!stored) return std::unexpected(stored.error());
    if (*stored) {
      answer_settled(request.reply, replay_held(request, **stored, now));
      return {};
    }
  }
  std::size_t place = 0;
  auto of = holder_and_place(request, place);
  if (!of) return std::unexpected(of.error());
  const auto plan = plan_of(request, *of, place, now);
  if (!plan) return std::unexpected(plan.error());
  if (plan->empty() && !keyed) {
    auto vids = touched(action, *of, *plan, *of, std::nullopt, place);
    answer_settled(request.reply, result<vid_answer>(vid_answer{{of->name, std::move(vids)}, false}));
    return {};
  }
  const bool makes = plan->needs_fresh;
  auto change = carry(*of, *plan, request.context, request.trace, makes ? request.idempotency_ref : std::string{}, now);
  if (!change) return std::unexpected(change.error());
  vid_answer answer{{of->name, touched(action, *of, *plan, change->of, change->fresh, place)}, false};
  if (keyed) {
    storage::idempotency::record kept;
    kept.kind = makes ? made_kind : used_kind;
    kept.fingerprint = request.fingerprint;
    kept.created_at = now;
    kept.payload = encode(answer.of);
    if (!makes) {
      kept.expires_at = now + cx_->options.purge_after;
      const due_row purge{*kept.expires_at, due_kind::purge, {}, request.idempotency_ref};
      change->batch.put(storage::column::due, cx_->part.due_key(purge), encode_due_value(purge));
    }
    change->batch.put(storage::column::idempotency, idempotency_key(request.idempotency_ref),
                      storage::idempotency::encode(kept));
  }
  part_->write(std::move(change->room), std::move(change->batch),
               when_durable(request.reply, std::move(answer), advice_on_identifiers));
  if (keyed) note_running(request.idempotency_ref, request.fingerprint);
  return {};
}

result<pool_actor::carried> pool_actor::carry(holder of, const vid_plan& plan, const request_context& who,
                                              const trace_context& trace, const std::string& ref, timestamp now) {
  const auto& by = who.principal;
  auto room = part_->reserve(bytes_of(plan, of));
  if (!room) return std::unexpected(room.error());
  if (plan.needs_fresh && plan.fresh->valid_for_minutes && cx_->time->suspect())
    return fail(
        errc::unavailable,
        "The node's clock jumped and nobody has confirmed it: what expires cannot be issued. See GET /v1/clock.",
        std::chrono::seconds(60));
  // Everything that may fail is looked at before anything moves.
  for (const auto& e : plan.ends) {
    const auto& vid = of.vids[e.place];
    if (!vid.open()) continue;
    const auto found = record(vid.counter);
    if (!found) return std::unexpected(found.error());
    if (!*found || (*found)->state != id_state::assigned || (*found)->assignment != vid.assignment)
      return fail(errc::corrupt, "A holder's row names a VID that is not assigned to it. Run matricula verify.");
  }
  pool_changes changes;
  std::optional<held_vid> fresh;
  if (plan.fresh != nullptr) {
    issue_request what{1, std::nullopt, of.name, by, ref, true};
    if (plan.fresh->valid_for_minutes) what.expires_at = now + std::chrono::minutes(*plan.fresh->valid_for_minutes);
    auto issued = cx_->issuers && pool_->lacks(1) ? result<pool::issue_outcome>(std::unexpected(borrow(1)))
                                                  : pool_->issue(what, now, *random_, *this);
    if (issued) {
      fresh = held_vid{issued->answer.ids.front(),
                       issued->changes.records.front().first,
                       issued->answer.assignments.front(),
                       plan.fresh->name,
                       vid_state::active,
                       now,
                       issued->answer.expires_at,
                       plan.fresh->transactions_allowed};
      append(changes, std::move(issued->changes));
    } else {
      const auto code = issued.error().code;
      const bool waits = (code == errc::refilling && pool_->held_to() < pool_->rules().end && should_wait(1)) ||
                         (asked_ && should_wait_for_grant());
      // An end is owed more than what follows it: without identifiers the holder asks for another one later.
      const bool none_left = code == errc::refilling || code == errc::exhausted;
      if (plan.needs_fresh || waits || !none_left) return std::unexpected(issued.error());
    }
  }
  for (const auto& e : plan.ends) {
    const auto& vid = of.vids[e.place];
    if (!vid.open()) continue;
    const bool overdue = vid.expires_at && *vid.expires_at <= now;
    auto ended =
        overdue ? pool_->expire(vid.counter, by, now, cx_->options.purge_after, *this)
                : pool_->step(vid.counter, id_event::revoke, vid.assignment, by, now, cx_->options.purge_after, *this);
    // The pool's memory has moved: only a new incarnation tells the truth.
    if (!ended || !ended->changed)
      throw std::runtime_error("a VID could not be ended: " +
                               (ended ? std::string("its record has another expiry") : ended.error().message));
    append(changes, std::move(ended->changes));
  }
  carry_out(plan, of);
  if (fresh) of.add(*fresh);
  of.prune();
  carried out{std::move(*room), storage::batch(cx_->part.shard), std::move(of), std::move(fresh)};
  put(out.batch, changes, {who.tenant, trace.request_id});
  storage::put(out.batch, cx_->part, out.of);
  return out;
}

result<vid_answer> pool_actor::replay_held(const change_vids& request, std::string_view stored, timestamp now) {
  auto kept = storage::idempotency::decode(stored);
  if (!kept) return std::unexpected(kept.error());
  if (kept->fingerprint != request.fingerprint || (kept->kind != made_kind && kept->kind != used_kind))
    return fail(errc::idempotency_mismatch, "This Idempotency-Key was used for another request. Use a new key.");
  auto answer = decode_holder(kept->payload);
  if (!answer) return std::unexpected(answer.error());
  for (std::size_t i = 0; i < answer->vids.size(); ++i) {
    // The fresh one must still be the holder's; of one that ended then, the answer says no more than that.
    if ((kept->kind == made_kind) != (i == 0)) continue;
    const auto& vid = answer->vids[i];
    const auto found = record(vid.counter);
    if (!found) return std::unexpected(found.error());
    const bool lives = *found && (*found)->assignment == vid.assignment && (*found)->state == id_state::assigned &&
                       !((*found)->expires_at && *(*found)->expires_at <= now);
    if (!lives) return std::unexpected(gone());
  }
  return vid_answer{std::move(*answer), true};
}

result<bool> pool_actor::revoke_held(const change_id& request, timestamp now) {
  auto found = record(request.counter);
  if (!found) return std::unexpected(found.error());
  if (!*found || !(*found)->of_policy || (*found)->state != id_state::assigned) return false;
  if (request.assignment != 0 && request.assignment != (*found)->assignment) return false; // told so by the pool
  auto of = holder_named((*found)->holder);
  if (!of) return std::unexpected(of.error());
  const auto place = of->place_of(request.counter, (*found)->assignment);
  if (!place)
    return fail(errc::corrupt, "A policy made this VID, and its holder's row does not list it. Run matricula verify.");
  const auto plan = plan_revocation(*of, *place, cx_->policies, now);
  auto change = carry(std::move(*of), plan, request.context, request.trace, {}, now);
  if (!change) return std::unexpected(change.error());
  const auto counter = request.counter;
  part_->write(std::move(change->room), std::move(change->batch), [](storage::verdict) noexcept {});
  auto after = record(counter);
  if (!after || !*after) throw std::runtime_error("a record that was just written cannot be read");
  answer_settled(request.reply, result<id_record>(std::move(**after)));
  return true;
}

void pool_actor::note_due(const pool_changes& changes, storage::batch& batch) {
  std::map<std::string, holder> touched_holders;
  for (const auto& [counter, r] : changes.records) {
    if (!r.of_policy) continue;
    auto known = touched_holders.find(r.holder);
    if (known == touched_holders.end()) {
      auto of = holder_named(r.holder);
      if (!of && of.error().code != errc::corrupt) throw std::runtime_error("holder: " + of.error().message);
      if (!of) {
        // One damaged row must not keep all others from being done.
        shared().raise({"unreadable_row", path(), "A holder's row does not decode. Run matricula verify."});
        continue;
      }
      known = touched_holders.emplace(r.holder, std::move(*of)).first;
    }
    auto& of = known->second;
    const auto place = of.place_of(counter, r.assignment);
    if (!place) continue;
    if (r.state == id_state::expired)
      of.vids[*place].state = vid_state::expired;
    else
      of.forget(counter, r.assignment);
  }
  for (auto& [name, of] : touched_holders) {
    of.prune();
    storage::put(batch, cx_->part, of);
  }
}

} // namespace matricula::actors
