/// The part of the model that looks at the store.
#include "domain/identifiers/import.hpp"
#include "test/sim/model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::sim {

using namespace identifiers;

bool assigned_by_import(const id_record& record) {
  const auto begun = std::ranges::find_if(record.history.rbegin(), record.history.rend(),
                                          [](const auto& e) { return e.from == id_state::available; });
  return begun != record.history.rend() && begun->by == import_name;
}

void model::check(std::size_t type, const std::string& id, const std::optional<id_record>& record, timestamp now) {
  const auto found = types_[type].ids.find(id);
  if (found == types_[type].ids.end()) return;
  auto& entry = found->second;
  const auto& rules = sim_types()[type].type.rules;
  std::uint32_t latest = 0;
  for (const auto& [number, a] : entry.assignments)
    if (a.acknowledged) latest = std::max(latest, number);
  if (latest == 0) return;
  if (!record) return found_.add(symptom::acknowledged_lost, name(type, id, latest) + " was acknowledged and is lost");
  if (record->id != id) return found_.add(name(type, id, latest) + " is stored under another identifier's counter");
  if (record->assignment < latest)
    return found_.add(symptom::acknowledged_lost,
                      fmt::format("{} was acknowledged and is lost: the store has assignment {}",
                                  name(type, id, latest), record->assignment));
  for (auto& [number, a] : entry.assignments) {
    if (!a.acknowledged) continue;
    if (number == record->assignment) {
      check_state(type, entry, a, *record, now);
      continue;
    }
    const auto end = earliest_end(type, entry, a, now);
    const auto issued = record->issued_at();
    if (!end)
      found_.add(fmt::format("{} was never given back, but assignment {} is in the store", name(type, id, number),
                             record->assignment));
    else if (number + 1 == record->assignment && issued && record->state != id_state::available &&
             *end + rules.cool_off > *issued)
      found_.add(name(type, id, number) + " was issued again before its cool-off was over");
    note_end(a, end);
  }
  if (record->assignment > latest && !assigned_by_import(*record)) check_unanswered(type, *record, now);
}

void model::check_state(std::size_t type, const identifier& of, assignment& a, const id_record& record, timestamp now) {
  const auto& rules = sim_types()[type].type.rules;
  const auto wrong = [&](std::string_view what, symptom kind = symptom::other) {
    found_.add(kind,
               fmt::format("{} is {} {}", name(type, record.id, record.assignment), to_string(record.state), what));
  };
  if (record.expires_at != a.expires_at) wrong("with another expiry than was acknowledged");
  if (record.holder != a.payload) wrong("and somebody else's");
  const auto end = earliest_end(type, of, a, now);
  switch (record.state) {
  case id_state::issued:
    if (rules.of != lifecycle::uin || a.confirmed || a.ended) wrong("against what was acknowledged");
    return;
  case id_state::taken:
    if (rules.of != lifecycle::pool) wrong("against its lifecycle");
    return;
  case id_state::assigned:
    if (a.ended) wrong("though its end was acknowledged");
    if (rules.of == lifecycle::uin && !a.confirmed && a.confirms_open == 0 && of.confirms_open == 0)
      wrong("and nobody confirmed it");
    if (rules.of == lifecycle::uin) a.confirmed = true;
    return;
  case id_state::available:
  case id_state::granted: // to those who look, one that is on its way is available
  case id_state::expired:
  case id_state::retired:
    break;
  }
  const bool retired = types_[type].restored && record.state == id_state::retired;
  if (rules.of == lifecycle::uin && ((record.state != id_state::available && !retired) || a.confirmed))
    wrong("after its confirmation");
  if (!end) {
    if (a.expires_at && *a.expires_at > now)
      wrong(fmt::format("{} ms before its expiry", (*a.expires_at - now).count()), symptom::expired_early);
    else
      wrong("and nobody ended it");
  } else if (record.state != id_state::expired && *end + rules.cool_off > now) {
    wrong(fmt::format("{} ms before its cool-off is over", (*end + rules.cool_off - now).count()));
  }
  if (a.ended_at && a.ended_at != record.ended_at) wrong("with another end than was acknowledged");
  note_end(a, end);
  a.ended_at = record.ended_at;
  if (record.ended_at) moments_.insert(*record.ended_at + rules.cool_off);
}

void model::check_unanswered(std::size_t type, const id_record& record, timestamp now) {
  const auto who = name(type, record.id, record.assignment);
  const auto p = payloads_.find(record.holder);
  if (p == payloads_.end() || p->second.type != type) return found_.add(who + " was issued to nobody who asked");
  const auto& payload = p->second;
  if (payload.expires_at != record.expires_at) found_.add(who + " has another expiry than was asked for");
  if (payload.open == 0 && !payload.answer)
    found_.add(fmt::format("{} was issued to {}, which was refused", who, record.holder));
  if (!payload.answer) return;
  if (!payload.key.empty()) {
    const auto& key = keys_[payload.key];
    if (!key.answer || may_be_purged(type, *key.answer, now)) return;
  }
  const auto& ids = payload.answer->ids;
  if (std::ranges::find(ids, record.id) == ids.end())
    found_.add(fmt::format("{} was issued to {}, which was answered with others", who, record.holder));
}

void model::recovered(std::size_t type, const stored_rows& rows, timestamp now) {
  auto& state = types_[type];
  for (const auto& [id, entry] : state.ids) {
    const auto r = rows.records.find(id);
    check(type, id, r == rows.records.end() ? std::nullopt : std::optional(r->second), now);
  }
  for (const auto& [id, record] : rows.records) {
    auto& entry = state.ids[id];
    auto& a = entry.assignments[record.assignment];
    if (a.acknowledged) continue;
    // Its request was never answered; now that it is known to be durable, it must stay.
    const bool known = std::ranges::any_of(entry.assignments, [](const auto& e) { return e.second.acknowledged; });
    const bool imported = assigned_by_import(record);
    if (!known && !imported) check_unanswered(type, record, now); // otherwise `check` has done so
    a.acknowledged = true;
    if (imported && record.state == id_state::assigned) a.confirmed = true; // it came so
    a.payload = record.holder;
    a.expires_at = record.expires_at;
    a.issued_at = record.issued_at().value_or(now);
    a.number = acknowledged_;
    state.targets.push_back({id, record.assignment});
    check_state(type, entry, a, record, now);
    if (sim_types()[type].expires() && a.expires_at)
      moments_.insert({*a.expires_at, *a.expires_at + sim_types()[type].type.rules.cool_off});
  }
}

void model::check_key(const std::string& name_of_key, const std::optional<std::pair<std::string, issued_ids>>& row,
                      timestamp now) {
  const auto& key = keys_[name_of_key];
  if (!key.answer || may_be_purged(key.type, *key.answer, now)) return;
  if (!row)
    found_.add(symptom::key_forgotten, fmt::format("key {} was answered and is forgotten", name_of_key));
  else if (*key.answer != row->second)
    found_.add(symptom::key_forgotten,
               fmt::format("key {} is stored with another answer than was acknowledged", name_of_key));
}

void model::recovered_key(const std::string& name_of_key, const std::optional<std::pair<std::string, issued_ids>>& row,
                          timestamp now) {
  auto& key = keys_[name_of_key];
  const bool purged = key.answer && may_be_purged(key.type, *key.answer, now);
  if (!row) {
    // Its answer stays known: a repetition will show whether it is answered differently.
    if (key.answer && !purged)
      found_.add(symptom::key_forgotten, fmt::format("key {} was answered and is forgotten", name_of_key));
    else
      key.answer.reset();
    return;
  }
  const auto payload =
      std::ranges::find_if(key.payloads, [&](const std::string& p) { return payload_fingerprint(p) == row->first; });
  if (payload == key.payloads.end())
    return found_.add(fmt::format("key {} is stored for a request that nobody made", name_of_key));
  if (key.answer && !purged && (key.answered_payload != *payload || *key.answer != row->second))
    found_.add(fmt::format("key {} is stored with another answer than was acknowledged", name_of_key));
  const auto& p = payloads_.at(*payload);
  if (p.open == 0 && !p.answer)
    found_.add(fmt::format("key {} is stored for {}, which was refused", name_of_key, *payload));
  key.answer = row->second;
  key.answered_payload = *payload;
  payloads_.at(*payload).answer = row->second;
}

void model::restored_after(const model& later) {
  for (std::size_t t = 0; t < types_.size(); ++t) {
    types_[t].restored = true;
    types_[t].imported_count = later.types_[t].imported_count;
    auto& lost = types_[t].lost;
    lost.insert(later.types_[t].lost.begin(), later.types_[t].lost.end());
    for (const auto& [id, entry] : later.types_[t].ids) {
      const auto before = types_[t].ids.find(id);
      for (const auto& [number, a] : entry.assignments) {
        if (!a.acknowledged) continue;
        const bool known = before != types_[t].ids.end() && before->second.assignments.contains(number) &&
                           before->second.assignments.at(number).acknowledged;
        if (!known) lost.insert(id);
      }
    }
  }
  acknowledged_ = later.acknowledged_;
  told_ = later.told_;
}

void model::forget_requests() {
  for (auto& [name_of_payload, p] : payloads_) p.open = 0;
  for (auto& type : types_) {
    type.open_count = 0;
    for (auto& [id, entry] : type.ids) {
      std::erase_if(entry.assignments, [](const auto& a) { return !a.second.acknowledged; });
      entry.confirms_open = entry.ends_open = 0;
      entry.first_end.reset();
      for (auto& [number, a] : entry.assignments) {
        a.confirms_open = a.ends_open = 0;
        if (!a.ended) a.first_end.reset();
      }
    }
    std::erase_if(type.ids, [](const auto& e) { return e.second.assignments.empty(); });
  }
}

} // namespace matricula::sim
