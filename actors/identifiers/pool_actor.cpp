#include "actors/identifiers/pool_actor.hpp"

#include "foundation/bytes.hpp"
#include "foundation/log.hpp"
#include "storage/idempotency.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>
#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace matricula::actors {

using namespace identifiers;

namespace {

/// How to read the payload of an idempotency record: issued_ids. Kinds are numbered over all features.
constexpr std::uint32_t issue_kind = 1;
constexpr milliseconds running_retry_after{500};
/// A tick of this generation: what is unanswered between issuers is sent again. Those of should_wait begin at 1.
constexpr std::uint64_t reminder = 0;

/// An upper bound for the batch of an issue, so that the room for it can be taken before anything is decided.
std::size_t issue_bytes(const issue_ids& request, bool may_draw_released) {
  const std::size_t each =
      240 + request.holder.size() + request.context.principal.size() + (may_draw_released ? id_record::bytes_max : 0);
  return std::min(storage::batch::bytes_max, 2048 + request.count * each);
}

/// An entry of a due row takes two bytes or more, and may rewrite a whole record. A VID of a policy is alone in its
/// row, because each was made in a batch of its own, and changes its holder's row.
std::size_t due_bytes(const apply_due& order, lifecycle of) {
  return 24 * 1024 + order.value.size() * 2'048 + (of == lifecycle::vid ? holder::bytes_max : 0);
}

} // namespace

pool_actor::pool_actor(caf::actor_config& cfg, runtime::child_context context,
                       std::shared_ptr<const type_context> shared)
    : tenured_actor(cfg, std::move(context)), cx_(std::move(shared)) {}

caf::behavior pool_actor::make_behavior() {
  random_ = cx_->make_random();
  acquire(*cx_->log, cx_->part.shard, "ids/" + cx_->name());
  return loading();
}

// The next one serves when it has loaded; until then, and when none comes, the type is on its way out.
void pool_actor::on_exit() { cx_->level->stop_serving(cx_->monotonic->monotonic()); }

caf::behavior pool_actor::loading() {
  const auto later = [] { return caf::result<void>(caf::skip()); };
  return {
      [this](const tenure_granted& granted) { begin_tenure(granted); },
      [later](const issue_ids&) { return later(); },
      [later](const change_id&) { return later(); },
      [later](const change_vids&) { return later(); },
      [later](const apply_due&) { return later(); },
      [later](const reclaim_ids&) { return later(); },
      [later](const import_ids&) { return later(); },
      // Of an order of the predecessor's; it may begin just where this one will stand.
      [later](const propose&) { return later(); },
      [later](const refill_done&) { return later(); },
      [later](const borrow_ids&) { return later(); },
      [later](const grant_ids&) { return later(); },
      [later](const grant_taken&) { return later(); },
      [](const tick&) {},
  };
}

void pool_actor::load() {
  const auto durable = part_->durable();
  auto counters = durable ? storage::find_pool(**durable, cx_->part) : std::unexpected(durable.error());
  if (!counters) return give_up("the pool's counters: " + counters.error().message);
  auto ledger = storage::id_ledger::resume(**durable, cx_->part);
  if (!ledger) return give_up("the end of the audit trail: " + ledger.error().message);
  pool_.emplace(cx_->rules(), *counters);
  ledger_.emplace(std::move(*ledger));
  cx_->level->set_imports_exist(counters->imported > 0);
  if (const auto loaded = load_grants(**durable); !loaded)
    return give_up("the pool's grants: " + loaded.error().message);
  tell_level();
  become(serving());
}

caf::behavior pool_actor::serving() {
  return {
      [this](const issue_ids& request) { return on_issue(request); },
      [this](const change_id& request) { return on_change(request); },
      [this](const change_vids& request) { return on_vids(request); },
      [this](const propose& proposal) { return on_proposal(proposal); },
      [this](const refill_done& order) { caf::anon_send(cx_->checker.address(), order); },
      [this](const apply_due& order) { return on_due(order); },
      [this](const reclaim_ids& order) { return on_reclaim(order); },
      [this](const import_ids& request) { return on_import(request); },
      [this](const borrow_ids& request) { return on_borrow(request); },
      [this](const grant_ids& grant) { return on_grant(grant); },
      [this](const grant_taken& answer) { return on_grant_taken(answer); },
      [this](const tick& t) {
        if (t.generation == reminder) send_grants_again();
        // Requests that waited for a refill are looked at again after every message, this one too.
        if (t.generation == patience_ && dry_since_) tell_level();
      },
      [](const tenure_granted&) {}, // of a predecessor
  };
}

std::string pool_actor::describe() const {
  if (!pool_) return R"({"phase":"loading"})";
  const auto& c = pool_->counters();
  return fmt::format(
      R"({{"phase":"serving","type":"{}","available":{},"fresh_in_memory":{},"released":{},"issued":{},"assigned":{},)"
      R"("cooling":{},"retired":{},"walked_to":{},"issued_to":{},"end":{},"exhausted":{},"unsettled_writes":{},"running_keys":{},)"
      R"("imported":{},"borrowed":{},"granted":{},"in_transit":{}}})",
      cx_->name(), c.available(), pool_->level().fresh, c.released, c.issued, c.assigned, c.cooling, c.retired,
      c.walked_to, c.issued_to, pool_->rules().end, pool_->exhausted(), part_->unsettled(), running_.size(), c.imported,
      c.borrowed, c.granted, c.in_transit);
}

result<std::optional<id_record>> pool_actor::record(std::uint64_t counter) {
  auto bytes = part_->get(cx_->part.records(), cx_->part.record_key(counter));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<id_record>{};
  auto found = decode_id_record(**bytes);
  if (!found) return std::unexpected(found.error());
  return std::optional(std::move(*found));
}

result<std::uint64_t> pool_actor::released_at(std::uint64_t slot) {
  auto bytes = part_->get(storage::column::released, cx_->part.released_key(slot));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return fail(errc::corrupt, fmt::format("the released list has no place {}", slot));
  byte_reader in{**bytes};
  const auto counter = in.varint();
  if (!in.done()) return fail(errc::corrupt, fmt::format("the released list's place {} is malformed", slot));
  return counter;
}

bool pool_actor::deadline_passed(const request_context& context) const {
  return context.deadline_ns != 0 && cx_->monotonic->monotonic().count() >= context.deadline_ns;
}

std::string pool_actor::idempotency_key(std::string_view ref) const {
  return storage::idempotency::key_of(cx_->part.shard, ref);
}

bool pool_actor::should_wait(std::uint32_t count) {
  const auto level = pool_->level();
  if (level.fresh >= count || level.held_to >= level.end) {
    if (level.fresh >= count) dry_since_.reset();
    return false;
  }
  const auto now = cx_->monotonic->monotonic();
  if (!dry_since_) {
    dry_since_ = now;
    delayed_send(this, cx_->options.dry_patience, tick{++patience_});
  }
  tell_level(count);
  return now - *dry_since_ < cx_->options.dry_patience;
}

void pool_actor::tell_decided() {
  if (part_->last_ticket() != decided_ticket_) {
    decided_ticket_ = part_->last_ticket();
    decided_.emplace_back(decided_ticket_, decided_looked_at_);
  }
  while (!decided_.empty() && part_->settled(decided_.front().first)) decided_.pop_front();
  decided_looked_at_ = cx_->time->now();
  cx_->level->set_decided_durably_to(decided_.empty() ? decided_looked_at_ : decided_.front().second);
}

void pool_actor::tell_level(std::uint64_t wanted) {
  tell_decided();
  const auto level = pool_->level(wanted);
  cx_->level->set(level);
  if (level.fresh + level.released > 0 || level.held_to >= level.end) cx_->level->serve();
  // Every request tells the level; a message that would change nothing is not sent, it would only wake a worker.
  if (cx_->level->concerns_checker(level) && cx_->level->notice())
    caf::anon_send(cx_->checker.address(), level_changed{});
}

caf::result<void> pool_actor::on_issue(const issue_ids& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  if (request.idempotency_ref.empty() && should_wait(request.count)) return caf::skip();
  asked_ = false;
  if (const auto outcome = issue(request, cx_->time->now()); !outcome) {
    if (outcome.error().code == errc::refilling && pool_->held_to() < pool_->rules().end && should_wait(request.count))
      return caf::skip();
    if (asked_ && should_wait_for_grant()) return caf::skip();
    // That the first request is still running rests on no write; it would be pointless to wait for it.
    if (outcome.error().code == errc::idempotency_running)
      request.reply.deliver(std::unexpected(outcome.error()));
    else
      answer_settled(request.reply, result<issue_answer>(std::unexpected(outcome.error())));
  }
  // The level is noted on every request, refused ones too; the checker hears of it when it could act.
  tell_level();
  return caf::unit;
}

result<std::optional<std::string>> pool_actor::known_answer(const std::string& ref, const std::string& fingerprint) {
  while (!running_order_.empty() && part_->settled(running_order_.front().first)) {
    running_.erase(running_order_.front().second);
    running_order_.pop_front();
  }
  if (const auto first = running_.find(ref); first != running_.end()) {
    if (first->second != fingerprint)
      return fail(errc::idempotency_mismatch, "This Idempotency-Key was used for another request. Use a new key.");
    return fail(errc::idempotency_running, "The first request with this key is still running. Ask again in a moment.",
                running_retry_after);
  }
  return part_->get(storage::column::idempotency, idempotency_key(ref));
}

void pool_actor::note_running(const std::string& ref, const std::string& fingerprint) {
  running_.emplace(ref, fingerprint);
  running_order_.emplace_back(part_->last_ticket(), ref);
}

result<void> pool_actor::issue(const issue_ids& request, const timestamp now) {
  if (!request.idempotency_ref.empty()) {
    auto stored = known_answer(request.idempotency_ref, request.fingerprint);
    if (!stored) return std::unexpected(stored.error());
    if (*stored) {
      answer_settled(request.reply, replay(request, **stored, now));
      return {};
    }
  }

  if (cx_->issuers && pool_->lacks(request.count)) return std::unexpected(borrow(request.count));
  auto room = part_->reserve(issue_bytes(request, pool_->counters().released > 0));
  if (!room) return std::unexpected(room.error());
  issue_request what{request.count, std::nullopt, request.holder, request.context.principal, request.idempotency_ref};
  if (request.expires_at_ms != 0) what.expires_at = from_unix_ms(static_cast<std::uint64_t>(request.expires_at_ms));
  if (what.expires_at && *what.expires_at < now) return fail(errc::invalid_argument, "The expiry lies in the past.");
  auto issued = pool_->issue(what, now, *random_, *this);
  if (!issued) return std::unexpected(issued.error());

  storage::batch batch(cx_->part.shard);
  batch.reserve(room->bytes());
  put(batch, issued->changes, {request.context.tenant, request.trace.request_id});
  if (!request.idempotency_ref.empty()) {
    storage::idempotency::record kept;
    kept.kind = issue_kind;
    kept.fingerprint = request.fingerprint;
    kept.created_at = now;
    kept.payload = encode(issued->answer);
    batch.put(storage::column::idempotency, idempotency_key(request.idempotency_ref),
              storage::idempotency::encode(kept));
  }
  part_->write(std::move(*room), std::move(batch),
               when_durable(request.reply, issue_answer{std::move(issued->answer), false}, advice_on_identifiers));
  if (!request.idempotency_ref.empty()) note_running(request.idempotency_ref, request.fingerprint);
  return {};
}

result<issue_answer> pool_actor::replay(const issue_ids& request, std::string_view stored, timestamp now) {
  auto kept = storage::idempotency::decode(stored);
  if (!kept) return std::unexpected(kept.error());
  if (kept->fingerprint != request.fingerprint || kept->kind != issue_kind)
    return fail(errc::idempotency_mismatch, "This Idempotency-Key was used for another request. Use a new key.");
  auto answer = decode_issued_ids(kept->payload);
  if (!answer) return std::unexpected(answer.error());
  for (std::size_t i = 0; i < answer->ids.size(); ++i) {
    const auto counter = counter_of(answer->ids[i]);
    if (!counter) return std::unexpected(counter.error());
    if (!*counter)
      return fail(errc::corrupt, "The idempotency record names an identifier that its type does not know.");
    auto found = record(**counter);
    if (!found) return std::unexpected(found.error());
    const bool ended = !*found || (*found)->assignment != answer->assignments[i] || (*found)->ended_at ||
                       (*found)->state == id_state::available || (*found)->state == id_state::retired ||
                       (*found)->state == id_state::granted ||
                       // Past its time it is over for everyone, even before the expirer has come round.
                       ((*found)->expires_at && *(*found)->expires_at <= now);
    if (ended)
      return fail(
          errc::assignment_ended,
          "What this Idempotency-Key was answered with has been returned, revoked or has expired, and may belong to "
          "somebody else. Use a new key.");
  }
  return issue_answer{std::move(*answer), true};
}

caf::result<void> pool_actor::on_change(const change_id& request) {
  if (stand_down()) return caf::skip();
  if (deadline_passed(request.context)) return refuse(request.reply, too_late());
  asked_ = false;
  if (const auto outcome = change(request, cx_->time->now()); !outcome) {
    // A policy owes the holder a fresh VID for the one that ends, and the pool is about to have some.
    if (outcome.error().code == errc::refilling && should_wait(1)) return caf::skip();
    if (asked_ && should_wait_for_grant()) return caf::skip();
    answer_settled(request.reply, result<id_record>(std::unexpected(outcome.error())));
  }
  tell_level();
  return caf::unit;
}

result<void> pool_actor::change(const change_id& request, timestamp now) {
  if (static_cast<id_event>(request.event) == id_event::revoke) {
    const auto held = revoke_held(request, now);
    if (!held) return std::unexpected(held.error());
    if (*held) return {};
  }
  auto room = part_->reserve(24 * 1024);
  if (!room) return std::unexpected(room.error());
  std::optional<std::uint32_t> assignment;
  if (request.assignment != 0) assignment = request.assignment;
  auto outcome = pool_->step(request.counter, static_cast<id_event>(request.event), assignment,
                             request.context.principal, now, cx_->options.purge_after, *this);
  if (!outcome) return std::unexpected(outcome.error());
  if (!outcome->changed) {
    answer_settled(request.reply, result<id_record>(std::move(outcome->record)));
    return {};
  }
  storage::batch batch(cx_->part.shard);
  put(batch, outcome->changes, {request.context.tenant, request.trace.request_id});
  part_->write(std::move(*room), std::move(batch),
               when_durable(request.reply, std::move(outcome->record), advice_on_identifiers));
  return {};
}

caf::result<void> pool_actor::on_proposal(const propose& proposal) {
  if (stand_down()) return caf::skip();
  const auto before = pool_->counters().walked_to;
  // What was walked before a restart changes no row: even a full disk does not keep it from being handed out.
  auto room = part_->reserve(proposal.to > before ? 1024 : 0);
  const bool may = room || proposal.to <= before;
  // Refused or no room: the checker orders it again, when its lease has lapsed.
  if (may && pool_->accept({proposal.from, proposal.to, without_imported(proposal)}) &&
      pool_->counters().walked_to != before) {
    storage::batch batch(cx_->part.shard);
    pool_changes none;
    put(batch, none, {});
    part_->write(std::move(*room), std::move(batch), [](storage::verdict) noexcept {});
  }
  if (pool_->level().fresh > 0) dry_since_.reset();
  tell_level();
  return caf::unit;
}

caf::result<void> pool_actor::on_due(const apply_due& order) {
  if (stand_down()) return caf::skip();
  const auto answer = [to = cx_->expirer.address(), run = order.run](bool durable, const expiry_answer& outcome) {
    caf::anon_send(to, due_applied{run, durable, outcome, false, 0, {}});
  };
  auto room = part_->reserve(std::min(storage::batch::bytes_max, due_bytes(order, cx_->part.of)));
  if (!room) {
    answer(false, {});
    return caf::unit;
  }
  const auto now = std::min(cx_->time->now(), from_unix_ms(static_cast<std::uint64_t>(order.up_to_ms)));
  const auto kind = static_cast<due_kind>(order.kind);
  // One damaged row must not keep all others from being done.
  const auto go_round = [&](const error& why) {
    shared().raise({"unreadable_row", path(), "A due row is passed over: " + why.message + " Run matricula verify."});
    caf::anon_send(cx_->expirer.address(), due_applied{order.run, false, {}, true, order.at_ms, order.value});
    return caf::unit;
  };
  auto row = decode_due_value(from_unix_ms(static_cast<std::uint64_t>(order.at_ms)), kind, order.value);
  if (!row) return go_round(row.error());
  if (row->at > now) {
    answer(false, {});
    return caf::unit;
  }
  storage::batch batch(cx_->part.shard);
  expiry_answer outcome;
  pool_->raise_due_floor(from_unix_ms(static_cast<std::uint64_t>(order.floor_ms)));
  if (kind == due_kind::purge) {
    const auto purged = purge_record(*row, now, batch);
    if (!purged && purged.error().code == errc::corrupt) return go_round(purged.error());
    if (!purged) throw std::runtime_error("idempotency record: " + purged.error().message);
  } else {
    auto out = pool_->apply_due(*row, now, cx_->options.purge_after, *this);
    if (!out && out.error().code == errc::corrupt) return go_round(out.error());
    if (!out) throw std::runtime_error("due row: " + out.error().message);
    put(batch, out->changes, {});
    note_due(out->changes, batch);
    outcome = {out->expired, out->released, out->retired};
  }
  part_->write(std::move(*room), std::move(batch),
               [answer, outcome](storage::verdict v) noexcept { answer(v == storage::verdict::durable, outcome); });
  tell_level();
  return caf::unit;
}

result<void> pool_actor::purge_record(const due_row& row, timestamp now, storage::batch& batch) {
  batch.erase(storage::column::due, cx_->part.due_key(row));
  const auto key = idempotency_key(row.idempotency_ref);
  auto stored = part_->get(storage::column::idempotency, key);
  if (!stored) return std::unexpected(stored.error());
  if (!*stored) return {};
  auto kept = storage::idempotency::decode(**stored);
  if (!kept) return std::unexpected(kept.error());
  auto answer = answered_with(*kept);
  if (!answer) return std::unexpected(answer.error());
  // A batch's record stays as long as one of its identifiers is still its caller's, or was until a short while ago.
  std::optional<timestamp> keep_to;
  for (std::size_t i = 0; i < answer->ids.size(); ++i) {
    const auto counter = counter_of(answer->ids[i]);
    if (!counter) return std::unexpected(counter.error());
    if (!*counter) continue;
    auto found = record(**counter);
    if (!found) return std::unexpected(found.error());
    if (!*found) continue;
    const auto over = over_by(**found, answer->assignments[i]);
    if (!over) return {}; // its end will add a row of its own
    if (*over + cx_->options.purge_after > now)
      keep_to = std::max(keep_to, std::optional(*over + cx_->options.purge_after));
  }
  if (kept->expires_at && *kept->expires_at > now) keep_to = kept->expires_at;
  if (keep_to) {
    const due_row later{*keep_to, due_kind::purge, {}, row.idempotency_ref};
    batch.put(storage::column::due, cx_->part.due_key(later), encode_due_value(later));
    return {};
  }
  batch.erase(storage::column::idempotency, key);
  return {};
}

} // namespace matricula::actors
