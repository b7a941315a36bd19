#include "actors/registrants/registrant_ledger.hpp"

#include "storage/idempotency.hpp"

#include <fmt/format.h>

#include <map>
#include <stdexcept>
#include <utility>

namespace matricula::actors {

using namespace registrants;
using tasks::outcome_kind;
using tasks::task;
using tasks::task_state;

namespace {

constexpr std::uint32_t created_kind = 4;  ///< of idempotency records: a registrant was created
constexpr std::size_t bytes_of_rows = 832; ///< of a registrant, its index and its ID's, but for what the client sent

error no_registrant(std::uint64_t id) {
  return {errc::not_found, fmt::format("There is no registrant {}.", id), std::nullopt};
}

std::string cut(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  text.resize(bytes_max);
  return text;
}

/// What its request task means for a registrant without an ID.
id_progress progress_of(task_state s) noexcept {
  switch (s) {
  case task_state::pending:
  case task_state::running:
  case task_state::completed:
    return id_progress::requested;
  case task_state::failed:
    return id_progress::failed;
  case task_state::cancelled:
    return id_progress::none;
  }
  return id_progress::none;
}

/// Rows that were read when this actor began and cannot be read now: the next incarnation looks again.
template <class T>
T value_or_throw(result<T> read) {
  if (!read) throw std::runtime_error("registrants: " + read.error().message);
  return std::move(*read);
}

} // namespace

result<registrant_ledger> registrant_ledger::resume(const storage::view& rows, storage::registrant_partition part,
                                                    storage::row_reader reader) {
  const auto numbers = storage::find_registrant_numbers(storage::reader_of(rows), part);
  if (!numbers) return std::unexpected(numbers.error());
  return registrant_ledger(part, std::move(reader), *numbers);
}

std::size_t registrant_ledger::bytes_of(const create_registrants& wanted) {
  std::size_t bytes = 512;
  for (const auto& r : wanted.registrants)
    bytes += bytes_of_rows + r.data.size() + 2 * (r.reference.size() + wanted.context.tenant.size());
  return bytes;
}

result<std::optional<registrant>> registrant_ledger::find(std::uint64_t id) const {
  return storage::find_registrant(rows_, part_, id);
}

result<std::vector<created_registrant>> registrant_ledger::create(const create_registrants& wanted, timestamp now,
                                                                  storage::batch& into, const queue_task& queue) {
  const auto& tenant = wanted.context.tenant;
  std::string key;
  if (!wanted.idempotency_ref.empty()) {
    key = storage::idempotency::key_of(part_.shard, wanted.idempotency_ref);
    const auto stored = rows_(storage::column::idempotency, key);
    if (!stored) return std::unexpected(stored.error());
    if (*stored) {
      const auto kept = storage::idempotency::decode(**stored);
      if (!kept) return std::unexpected(kept.error());
      if (kept->fingerprint != wanted.fingerprint || kept->kind != created_kind)
        return fail(errc::idempotency_mismatch, "This Idempotency-Key was used for another request. Use a new key.");
      byte_reader in{kept->payload};
      return std::vector{created_registrant{in.varint(), true, false, true}};
    }
  }
  // Everything is looked up before anything changes.
  std::vector<created_registrant> answer(wanted.registrants.size());
  std::map<std::string, std::size_t> of_this_batch; ///< by reference: who comes first
  std::map<std::size_t, std::size_t> same_as;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const auto& w = wanted.registrants[i];
    if (w.reference.empty()) continue;
    const auto known = storage::find_number(rows_, part_.reference_key(tenant, w.reference));
    if (!known) return std::unexpected(known.error());
    if (!*known) {
      const auto [first, fresh] = of_this_batch.try_emplace(w.reference, i);
      if (fresh) continue;
      const auto& other = wanted.registrants[first->second];
      answer[i] = {0, true, other.kind != w.kind || other.data != w.data};
      same_as.emplace(i, first->second);
      continue;
    }
    const auto there = find(**known);
    if (!there) return std::unexpected(there.error());
    if (!*there) return fail(errc::corrupt, "registrants: a reference names nobody");
    const auto data = storage::find_registrant_data(rows_, part_, **known);
    if (!data) return std::unexpected(data.error());
    answer[i] = {**known, true, (*there)->kind != w.kind || *data != w.data};
  }
  for (std::size_t i = 0; i < answer.size(); ++i) {
    if (answer[i].existed) continue;
    const auto& w = wanted.registrants[i];
    registrant r;
    r.id = numbers_.next_id++;
    ++numbers_.created;
    r.kind = w.kind;
    r.id_type = w.id_type;
    r.generator = w.generator;
    r.reference = w.reference;
    r.progress = id_progress::requested;
    r.created_at = r.changed_at = now;
    r.created_by = wanted.context.principal;
    r.tenant = tenant;
    new_task t;
    t.worker_type = request_worker;
    t.payload = task_payload_of(r.id);
    t.unique_key = task_key_of(r.id);
    t.lane = r.generator;
    r.request_task = queue(t).id;
    storage::put_registrant(into, part_, r);
    if (!w.data.empty()) into.put(storage::column::registrants, part_.data_key(r.id), w.data);
    if (!r.reference.empty()) storage::put_number(into, part_.reference_key(tenant, r.reference), r.id);
    answer[i].id = r.id;
  }
  for (const auto& [i, first] : same_as) answer[i].id = answer[first].id;
  if (!into.empty()) storage::put_registrant_numbers(into, part_, numbers_);
  if (!key.empty() && !answer.front().conflict) {
    storage::idempotency::record kept;
    kept.kind = created_kind;
    kept.fingerprint = wanted.fingerprint;
    kept.created_at = now;
    kept.payload = byte_writer{}.varint(answer.front().id).str();
    into.put(storage::column::idempotency, key, storage::idempotency::encode(kept));
  }
  return answer;
}

result<registrant_ledger::verdict_of_end> registrant_ledger::judge(const task& t, const tasks::outcome& how,
                                                                   const registrant_effect& effect) {
  verdict_of_end judged{how, {}, {}, false};
  const auto hopeless = [&](std::string why) { judged.how = {outcome_kind::permanent, std::move(why), std::nullopt}; };
  const bool done = how.kind == outcome_kind::done;
  const auto id = registrant_of_key(t.unique_key);
  if (!id) {
    if (done) hopeless("The task names no registrant.");
    return judged;
  }
  auto found = find(*id);
  if (!found || !*found) {
    if (done) hopeless(found ? no_registrant(*id).message : fmt::format("Registrant {} cannot be read.", *id));
    if (!found) judged.alarm = fmt::format("Registrant {} cannot be read: {}", *id, found.error().message);
    return judged;
  }
  judged.of = std::move(**found);
  auto& r = *judged.of;
  if (t.worker_type != request_worker || !done) return judged;
  if (!r.unique_id.empty()) {
    if (!effect.unique_id.empty() && effect.unique_id != r.unique_id)
      judged.alarm =
          fmt::format("Registrant {} has a unique ID, and another one was issued for it: it stays unused.", r.id);
    return judged;
  }
  if (!is_unique_id(effect.unique_id))
    return fail(errc::invalid_argument,
                fmt::format("A task of {} ends with a unique_id of 1 to {} letters, digits or '-'.", request_worker,
                            registrant::unique_id_bytes_max));
  const auto owner = storage::find_number(rows_, part_.unique_id_key(effect.unique_id));
  if (!owner || *owner) {
    hopeless(owner ? fmt::format("The generator gave an identifier that registrant {} has already.", **owner)
                   : "Nobody can read who has the identifier that the generator gave.");
    // Pools of two types of ours may have the same one: the next try asks for another.
    if (owner && effect.assignment != 0)
      judged.how.kind = outcome_kind::transient;
    else
      judged.alarm = fmt::format("Task {} for registrant {}: {}", t.id, r.id, judged.how.text);
    return judged;
  }
  judged.assigns = true;
  return judged;
}

void registrant_ledger::ended(verdict_of_end& judged, const registrant_effect& effect, const task& t, timestamp now,
                              storage::batch& into, const queue_task& queue) {
  if (!judged.of) return;
  auto& r = *judged.of;
  const auto before = r;
  if (t.worker_type == request_worker) settle_call(judged, effect, t, now, into);
  if (judged.assigns) {
    r.unique_id = effect.unique_id;
    r.assignment = effect.assignment;
    r.progress = id_progress::assigned;
    storage::put_number(into, part_.unique_id_key(r.unique_id), r.id);
    new_task next;
    next.worker_type = update_worker;
    next.payload = task_payload_of(r.id);
    next.unique_key = task_key_of(r.id);
    next.lane = r.generator;
    r.update_task = queue(next).id;
  } else if (t.worker_type == request_worker && r.unique_id.empty()) {
    r.progress = progress_of(t.state);
    r.request_task = t.id;
  } else if (t.worker_type == update_worker && t.state == task_state::completed && !r.unique_id.empty()) {
    r.progress = id_progress::confirmed;
    r.update_task = t.id;
  }
  if (r == before) return;
  r.changed_at = now;
  storage::put_registrant(into, part_, r);
}

void registrant_ledger::changed(const task& t, bool broken_off, timestamp now, storage::batch& into) {
  if (!concerns_registrants(t.worker_type)) return;
  const auto id = registrant_of_key(t.unique_key);
  if (!id) return;
  auto found = find(*id);
  // One damaged row must not keep its task from being cancelled or tried again.
  if (!found || !*found) return;
  auto& r = **found;
  if (t.worker_type == update_worker) {
    // One that was asked for anew; the first came with the ID.
    if (r.progress != id_progress::assigned || r.update_task == t.id) return;
    r.update_task = t.id;
    return storage::put_registrant(into, part_, r);
  }
  const auto live = value_or_throw(call_of(r.id));
  if (broken_off && live && live->state == call_state::open)
    doubt(*live, "Its task was cancelled while the call may have been on its way.", now, into);
  if (!r.unique_id.empty()) return;
  const auto before = r;
  r.progress = progress_of(t.state);
  if (live && live->state == call_state::answered && r.progress != id_progress::requested)
    list(*live, "Its task was cancelled before its registrant got the identifier.", now, into);
  r.request_task = t.id;
  if (r == before) return;
  r.changed_at = now;
  storage::put_registrant(into, part_, r);
}

// -- calls of a generator ---------------------------------------------------------------------------------------------

result<std::optional<generator_call>> registrant_ledger::call_of(std::uint64_t registrant) const {
  const auto number = storage::find_number(rows_, part_.call_key(registrant));
  if (!number) return std::unexpected(number.error());
  if (!*number) return std::optional<generator_call>{};
  return storage::find_call(rows_, part_, **number);
}

void registrant_ledger::forget(const generator_call& c, storage::batch& into) const {
  into.erase(storage::column::registrants, part_.log_key(c.number));
  into.erase(storage::column::registrants, part_.call_key(c.registrant));
}

void registrant_ledger::doubt(const generator_call& c, std::string why, timestamp now, storage::batch& into) {
  into.erase(storage::column::registrants, part_.call_key(c.registrant));
  list(c, std::move(why), now, into);
}

void registrant_ledger::list(generator_call c, std::string why, timestamp now, storage::batch& into) {
  c.state = call_state::in_doubt;
  c.doubted_at = now;
  c.reason = cut(std::move(why), generator_call::text_bytes_max);
  ++numbers_.in_doubt;
  into.put(storage::column::registrants, part_.doubt_key(c.number), {});
  storage::put_call(into, part_, c);
  storage::put_registrant_numbers(into, part_, numbers_);
}

void registrant_ledger::settle_call(const verdict_of_end& judged, const registrant_effect& effect, const task& t,
                                    timestamp now, storage::batch& into) {
  auto live = value_or_throw(call_of(judged.of->id));
  if (!live) return;
  auto& c = *live;
  const bool named = effect.call == c.number;
  if (judged.assigns && (named || c.unique_id == effect.unique_id)) {
    if (c.state == call_state::in_doubt) no_doubt(c, into);
    if (c.note.empty()) return forget(c, into);
    // An operator said what it got: that stays on record.
    c.state = call_state::resolved;
    into.erase(storage::column::registrants, part_.call_key(c.registrant));
    return storage::put_call(into, part_, c);
  }
  const bool its_id = !effect.unique_id.empty() && (named || c.unique_id == effect.unique_id);
  if (c.state == call_state::in_doubt) {
    // It stays on the list; the next try uses it, unless there is none or it cannot be used.
    if (judged.assigns || its_id) into.erase(storage::column::registrants, part_.call_key(c.registrant));
    return;
  }
  if (its_id && effect.unique_id != judged.of->unique_id) {
    c.unique_id = effect.unique_id;
    return doubt(c, "It got an identifier that cannot be used: " + judged.how.text, now, into);
  }
  if (c.state == call_state::answered && !its_id) {
    if (judged.assigns) return doubt(c, "Its registrant got another identifier.", now, into);
    // The next try uses it; should there be none, it is on the list until there is one.
    if (tasks::is_final(t.state)) list(c, "Its task ended before its registrant got the identifier.", now, into);
    return;
  }
  if (named && effect.call_in_doubt) return doubt(c, judged.how.text, now, into);
  if (named || its_id) return forget(c, into);
  doubt(c, fmt::format("Task {} ended without an answer: {}", t.id, judged.how.text), now, into);
}

void registrant_ledger::no_doubt(const generator_call& c, storage::batch& into) {
  --numbers_.in_doubt;
  into.erase(storage::column::registrants, part_.doubt_key(c.number));
  storage::put_registrant_numbers(into, part_, numbers_);
}

result<call_permit> registrant_ledger::begin_call(const task& t, const std::string& generator, timestamp now,
                                                  storage::batch& into) {
  const auto id = registrant_of_key(t.unique_key);
  if (!id) return fail(errc::not_found, "The task names no registrant.");
  const auto r = find(*id);
  if (!r) return std::unexpected(r.error());
  if (!*r) return std::unexpected(no_registrant(*id));
  if (!(*r)->unique_id.empty()) return call_permit{0, (*r)->unique_id, 0};
  auto live = call_of(*id);
  if (!live) return std::unexpected(live.error());
  if (*live && (*live)->state == call_state::in_doubt) came_late(**live, now, into);
  if (*live && (*live)->state == call_state::answered) return call_permit{0, (*live)->unique_id, (*live)->number};
  if (*live && (*live)->state == call_state::open)
    doubt(**live, "The next try began, and nobody had said how it ended.", now, into);
  generator_call c;
  c.number = numbers_.next_call++;
  c.registrant = *id;
  c.task = t.id;
  c.generator = generator;
  c.began_at = now;
  storage::put_call(into, part_, c);
  storage::put_number(into, part_.call_key(*id), c.number);
  storage::put_registrant_numbers(into, part_, numbers_);
  return call_permit{c.number, {}, 0};
}

void registrant_ledger::adopt(generator_call& c, timestamp now, storage::batch& into) {
  const auto r = value_or_throw(find(c.registrant));
  const auto live = value_or_throw(call_of(c.registrant));
  const bool wanted = r && r->unique_id.empty() && (!live || live->number == c.number) && !c.unique_id.empty();
  c.state = wanted ? call_state::answered : call_state::resolved;
  if (wanted) {
    storage::put_number(into, part_.call_key(c.registrant), c.number);
  } else {
    c.resolved_at = now;
    if (live && live->number == c.number) into.erase(storage::column::registrants, part_.call_key(c.registrant));
  }
  storage::put_call(into, part_, c);
}

void registrant_ledger::came_late(generator_call& c, timestamp now, storage::batch& into) {
  no_doubt(c, into);
  if (c.note.empty()) c.note = "Its answer came late.";
  adopt(c, now, into);
}

result<bool> registrant_ledger::answered(const note_generator_answer& what, timestamp now, storage::batch& into) {
  auto found = storage::find_call(rows_, part_, what.call);
  if (!found) return std::unexpected(found.error());
  if (!*found) return false;
  auto& c = **found;
  const bool nothing = what.unique_id.empty();
  const bool said = c.state == call_state::answered || c.state == call_state::resolved;
  if (said && (nothing || what.unique_id == c.unique_id)) return false;
  if (nothing) {
    if (c.state == call_state::open)
      forget(c, into);
    else
      came_late(c, now, into);
    return true;
  }
  const auto r = find(c.registrant);
  if (!r) return std::unexpected(r.error());
  const auto live = call_of(c.registrant);
  if (!live) return std::unexpected(live.error());
  const bool missing = *r && (*r)->unique_id.empty() && (!*live || (*live)->number == c.number);
  std::string why = "Its answer came when its task was over.";
  if (said)
    why = fmt::format("{} said that it got {}; its answer came after that, and says otherwise.", c.resolved_by,
                      c.unique_id.empty() ? "nothing" : c.unique_id);
  c.unique_id = what.unique_id;
  if (missing && (*r)->progress == id_progress::requested) {
    if (c.state == call_state::in_doubt) {
      came_late(c, now, into);
    } else {
      if (said) c.note = cut(std::move(why), generator_call::text_bytes_max);
      adopt(c, now, into);
    }
    return true;
  }
  // Nobody needs it now: it is on the list, with what it got. Should its registrant ask again, it gets that.
  if (c.state == call_state::in_doubt) {
    storage::put_call(into, part_, c);
  } else {
    c.resolved_at.reset();
    c.resolved_by.clear();
    c.note.clear();
    list(c, std::move(why), now, into);
  }
  if (missing)
    storage::put_number(into, part_.call_key(c.registrant), c.number);
  else if (*live && (*live)->number == c.number)
    into.erase(storage::column::registrants, part_.call_key(c.registrant));
  return true;
}

result<generator_call> registrant_ledger::resolve(const resolve_generator_call& what, timestamp now,
                                                  storage::batch& into) {
  auto found = storage::find_call(rows_, part_, what.call);
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(errc::not_found, fmt::format("There is no call {}, or it ended well.", what.call));
  auto& c = **found;
  if (c.state != call_state::in_doubt)
    return fail(errc::conflict, fmt::format("Call {} is {}, not in doubt.", c.number, to_string(c.state)));
  if (!what.unique_id.empty()) {
    const auto owner = storage::find_number(rows_, part_.unique_id_key(what.unique_id));
    if (!owner) return std::unexpected(owner.error());
    if (*owner && **owner != c.registrant)
      return fail(errc::conflict, fmt::format("Registrant {} has this identifier: call {} cannot have got it, or the "
                                              "generator gave it twice.",
                                              **owner, c.number));
  }
  no_doubt(c, into);
  c.unique_id = what.unique_id;
  c.resolved_by = what.context.principal;
  c.resolved_at = now;
  c.note = cut(what.note, generator_call::text_bytes_max);
  adopt(c, now, into);
  return std::move(c);
}

} // namespace matricula::actors
