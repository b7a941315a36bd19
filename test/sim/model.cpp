#include "test/sim/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace matricula::sim {

using namespace identifiers;

namespace {

bool ends_assignment(lifecycle of, id_event event) {
  return (of == lifecycle::uin && event == id_event::give_back) || (of == lifecycle::vid && event == id_event::revoke);
}
bool confirms(lifecycle of, id_event event) { return of == lifecycle::uin && event == id_event::confirm; }

std::string padded(std::string text, std::size_t size) {
  require(text.size() <= size, "names of the simulation are short");
  text.resize(size, '.');
  return text;
}

bool passed(std::int64_t deadline_ns, std::int64_t now_ns) { return deadline_ns != 0 && deadline_ns <= now_ns; }

} // namespace

std::string key_reference(const std::string& key) { return padded(key, 16); }
std::string payload_fingerprint(const std::string& payload) { return padded(payload, 32); }

std::string model::name(std::size_t type, const std::string& id, std::uint32_t number) const {
  return fmt::format("{} {} (assignment {})", sim_types()[type].type.name, id, number);
}

void model::sent(const issue_call& call) {
  auto& p = payloads_[call.payload];
  p.type = call.type;
  p.count = call.count;
  p.expires_at = call.expires_at;
  p.key = call.key;
  ++p.open;
  types_[call.type].open_count += call.count;
  if (call.key.empty()) return;
  auto& k = keys_[call.key];
  k.type = call.type;
  if (std::ranges::find(k.payloads, call.payload) == k.payloads.end()) k.payloads.push_back(call.payload);
}

void model::sent(const change_call& call) {
  const auto of = sim_types()[call.type].type.rules.of;
  auto& entry = types_[call.type].ids[call.id];
  const auto note = [&](auto& open) {
    if (confirms(of, call.event)) ++open.confirms_open;
    if (!ends_assignment(of, call.event)) return;
    ++open.ends_open;
    if (!open.first_end) open.first_end = call.sent_at;
  };
  if (call.assignment == 0)
    note(entry);
  else
    note(entry.assignments[call.assignment]);
}

void model::undo(const change_call& call) {
  const auto of = sim_types()[call.type].type.rules.of;
  auto& entry = types_[call.type].ids[call.id];
  const auto take_back = [&](auto& open) {
    if (confirms(of, call.event)) --open.confirms_open;
    if (ends_assignment(of, call.event)) --open.ends_open;
  };
  if (call.assignment == 0)
    take_back(entry);
  else
    take_back(entry.assignments[call.assignment]);
}

std::optional<timestamp> model::earliest_end(std::size_t type, const identifier& of, const assignment& a,
                                             timestamp now) const {
  if (a.ended && a.ended_at) return a.ended_at;
  std::optional<timestamp> earliest;
  const auto at = [&](std::optional<timestamp> t) {
    if (t && (!earliest || *t < *earliest)) earliest = t;
  };
  if (a.ended) at(a.first_end.value_or(a.issued_at));
  if (a.ends_open > 0) at(a.first_end);
  if (of.ends_open > 0) at(of.first_end);
  if (sim_types()[type].expires() && a.expires_at && *a.expires_at <= now) at(a.expires_at);
  return earliest;
}

bool model::may_have_ended(std::size_t type, const std::string& id, std::uint32_t number, timestamp now) const {
  const auto entry = types_[type].ids.find(id);
  if (entry == types_[type].ids.end()) return true;
  const auto a = entry->second.assignments.find(number);
  if (a == entry->second.assignments.end() || !a->second.acknowledged) return true;
  return earliest_end(type, entry->second, a->second, now).has_value();
}

/// All have ended long enough ago.
bool model::may_be_purged(std::size_t type, const issued_ids& answer, timestamp now) const {
  for (std::size_t i = 0; i < answer.ids.size(); ++i) {
    const auto entry = types_[type].ids.find(answer.ids[i]);
    if (entry == types_[type].ids.end()) continue;
    const auto& assignments = entry->second.assignments;
    const auto a = assignments.find(answer.assignments[i]);
    if (a == assignments.end() || !a->second.acknowledged) continue; // it ended before anybody knew of it
    const auto end = earliest_end(type, entry->second, a->second, now);
    if (!end) return false;
    if (*end + sim_purge_after > now) return false;
  }
  return true;
}

int model::open_requests(const key_state& key) const {
  int open = 0;
  for (const auto& p : key.payloads) open += payloads_.at(p).open;
  return open;
}

// -- answers to requests for identifiers
// --------------------------------------------------------------------------------

void model::answered(const issue_call& call, const result<actors::issue_answer>& answer, timestamp now,
                     std::int64_t now_ns, bool storage_failed) {
  if (!answer) return refused(call, answer.error(), now, now_ns, storage_failed);
  ++acknowledged_;
  types_[call.type].open_count -= call.count;
  const auto& issued = answer->issued;
  const auto& type = sim_types()[call.type].type;
  if (issued.ids.size() != call.count || issued.assignments.size() != call.count)
    return found_.add(
        fmt::format("{} asked for {} identifiers and got {}", call.payload, call.count, issued.ids.size()));
  if (issued.expires_at != call.expires_at) found_.add(call.payload + " got another expiry than it asked for");
  if (!answer->replayed && (issued.issued_at < call.sent_at || issued.issued_at > now + milliseconds{1}))
    found_.add(symptom::time_went_back, call.payload + " was issued at a time that is not between request and answer");
  if (!answer->replayed && issued.issued_at < call.not_before)
    found_.add(symptom::time_went_back,
               fmt::format("{} was issued {} ms before something that was durable when it was asked for", call.payload,
                           (call.not_before - issued.issued_at).count()));
  newest_ = std::max(newest_, issued.issued_at);
  if (answer->replayed && call.key.empty()) found_.add(call.payload + " has no key and got a replayed answer");
  std::unordered_set<std::string> distinct;
  for (const auto& id : issued.ids) {
    if (!distinct.insert(id).second) found_.add(fmt::format("{} got {} twice in one answer", call.payload, id));
    if (const auto broken = type.space->failed_rules(id); !broken.empty())
      found_.add(fmt::format("{} {} breaks the rule {} of its profile", type.name, id, to_string(broken.front())));
  }
  if (!call.key.empty()) learn_key(call, issued, now);
  learn(call, issued, now);
  payloads_[call.payload].answer = issued;
}

void model::learn_key(const issue_call& call, const issued_ids& answer, timestamp now) {
  auto& key = keys_[call.key];
  if (key.answer && !may_be_purged(call.type, *key.answer, now)) {
    if (key.answered_payload != call.payload)
      found_.add(fmt::format("key {} took another payload: {} after {}", call.key, call.payload, key.answered_payload));
    if (key.answer->ids != answer.ids || key.answer->assignments != answer.assignments)
      found_.add(symptom::key_answered_twice, fmt::format("key {} was answered with {} and later with {}", call.key,
                                                          key.answer->ids.front(), answer.ids.front()));
  }
  key.answer = answer;
  key.answered_payload = call.payload;
}

void model::learn(const issue_call& call, const issued_ids& answer, timestamp now) {
  const auto& rules = sim_types()[call.type].type.rules;
  auto& state = types_[call.type];
  for (std::size_t i = 0; i < answer.ids.size(); ++i) {
    const auto& id = answer.ids[i];
    const auto number = answer.assignments[i];
    auto& entry = state.ids[id];
    auto& a = entry.assignments[number];
    if (a.acknowledged) {
      if (a.payload != call.payload)
        found_.add(symptom::handed_out_twice, fmt::format("{} was handed out twice: to {} and to {}",
                                                          name(call.type, id, number), a.payload, call.payload));
      if (a.ended && a.known_ended < call.number)
        found_.add(symptom::ended_answer_replayed,
                   fmt::format("{} had ended, and its key was answered with it", name(call.type, id, number)));
      continue;
    }
    if (state.lost.contains(id))
      found_.add(symptom::issued_again_after_restore,
                 name(call.type, id, number) + " was issued to somebody else before the node was restored");
    a.acknowledged = true;
    a.payload = call.payload;
    a.expires_at = call.expires_at;
    a.issued_at = answer.issued_at;
    a.number = acknowledged_;
    state.targets.push_back({id, number});
    if (rules.of == lifecycle::vid && a.expires_at) {
      moments_.insert({*a.expires_at, *a.expires_at + rules.cool_off});
      expiries_.emplace(*a.expires_at, call.type, id);
    }
    for (const auto& [other, b] : entry.assignments) {
      if (other == number || !b.acknowledged) continue;
      const auto& earlier = other < number ? b : a;
      const auto end = earliest_end(call.type, entry, earlier, now);
      if (!end)
        found_.add(symptom::handed_out_twice, fmt::format("{} was handed out while assignment {} of it was held",
                                                          name(call.type, id, number), other));
      else if (other < number && *end + rules.cool_off > answer.issued_at)
        found_.add(fmt::format("{} was handed out before the cool-off of assignment {} was over",
                               name(call.type, id, number), other));
    }
  }
}

void model::refused(const issue_call& call, const error& why, timestamp now, std::int64_t now_ns, bool storage_failed) {
  const auto odd = [&](std::string_view what) {
    found_.add(fmt::format("{} was refused as {}{}: {}", call.payload, to_string(why.code), what, why.message));
  };
  bool undone = true;
  auto* key = call.key.empty() ? nullptr : &keys_[call.key];
  switch (why.code) {
  case errc::refilling:
  case errc::overloaded:
    break;
  case errc::unavailable:
    undone = false; // the actor crashed on it, perhaps after the write
    break;
  case errc::outcome_unknown:
    undone = false;
    if (!storage_failed) odd(", but the disk works");
    break;
  case errc::invalid_argument:
    // One millisecond either way is no finding: whether identifiers expire early is.
    if (call.count == 1 && !(call.expires_at && *call.expires_at <= now + milliseconds{1})) odd("");
    break;
  case errc::exhausted:
    if (!types_[call.type].restored &&
        types_[call.type].ids.size() + types_[call.type].open_count + types_[call.type].imported_count <
            sim_types()[call.type].valid.size())
      odd(", but some were never issued");
    break;
  case errc::deadline_exceeded:
    if (!passed(call.deadline_ns, now_ns)) odd(" before its deadline");
    break;
  case errc::idempotency_mismatch:
    if (!key || key->payloads.size() < 2) odd(", but the key has one payload");
    if (key && key->answer && key->answered_payload == call.payload && !may_be_purged(call.type, *key->answer, now))
      odd(", but it is the payload that was answered");
    break;
  case errc::idempotency_running:
    if (!key || open_requests(*key) < 2) odd(", but nothing else runs under its key");
    break;
  case errc::assignment_ended: {
    bool ended = key && (key->answer || open_requests(*key) >= 2);
    if (ended && key->answer) {
      ended = false;
      for (std::size_t i = 0; i < key->answer->ids.size(); ++i)
        ended = ended || may_have_ended(call.type, key->answer->ids[i], key->answer->assignments[i], now);
    }
    if (!ended) odd(", but its assignments live");
    break;
  }
  default:
    undone = false;
    odd("");
  }
  if (!undone) return;
  --payloads_[call.payload].open;
  types_[call.type].open_count -= call.count;
}

// -- answers to changes
// -------------------------------------------------------------------------------------------------

void model::answered(const change_call& call, const result<id_record>& answer, timestamp now, std::int64_t now_ns,
                     bool storage_failed) {
  const auto& rules = sim_types()[call.type].type.rules;
  auto& entry = types_[call.type].ids[call.id];
  const auto who = name(call.type, call.id, call.assignment);
  if (answer) {
    ++acknowledged_;
    const auto& r = *answer;
    if (!r.history.empty()) newest_ = std::max(newest_, r.history.back().at);
    if (r.id != call.id) return found_.add(who + ": another identifier was changed");
    if (call.assignment != 0 && r.assignment != call.assignment)
      return found_.add(fmt::format("{}: assignment {} was changed instead", who, r.assignment));
    const bool retired =
        types_[call.type].restored && call.event == id_event::give_back && r.state == id_state::retired;
    if (!retired && !already_done(rules.of, r.state, call.event))
      return found_.add(fmt::format("{}: after '{}' it is {}", who, to_string(call.event), to_string(r.state)));
    auto& a = entry.assignments[r.assignment];
    if (confirms(rules.of, call.event)) a.confirmed = true;
    if (!ends_assignment(rules.of, call.event)) return;
    if (a.ended && a.ended_at && a.ended_at != r.ended_at) found_.add(who + ": its end moved");
    note_end(a, std::nullopt);
    if (!a.first_end) a.first_end = call.sent_at;
    a.ended_at = r.ended_at;
    if (r.ended_at) moments_.insert(*r.ended_at + rules.cool_off);
    return;
  }
  const auto& why = answer.error();
  const auto odd = [&](std::string_view what) {
    found_.add(fmt::format("{}: '{}' was refused as {}{}: {}", who, to_string(call.event), to_string(why.code), what,
                           why.message));
  };
  switch (why.code) {
  case errc::unavailable:
    return;
  case errc::outcome_unknown:
    if (!storage_failed) odd(", but the disk works");
    return;
  case errc::overloaded:
  case errc::conflict:
    break;
  case errc::deadline_exceeded:
    if (!passed(call.deadline_ns, now_ns)) odd(" before its deadline");
    break;
  case errc::stale_assignment: {
    const auto a = entry.assignments.find(call.assignment);
    if (a != entry.assignments.end() && a->second.acknowledged && !earliest_end(call.type, entry, a->second, now))
      odd(", but it is the present one");
    break;
  }
  default:
    odd("");
    return;
  }
  undo(call);
}

void model::answered(const expiry_call& call, const result<actors::expiry_answer>& answer, const stored_rows& rows,
                     std::uint64_t hold) {
  if (answer && call.hold != 0 && call.hold == hold)
    found_.add(symptom::expired_while_suspect, "the expirer ran while the clock was suspect");
  if (!answer) {
    if (answer.error().code != errc::unavailable) found_.add("a run of the expirer failed: " + answer.error().message);
    return;
  }
  ++acknowledged_;
  for (const auto& [id, entry] : types_[call.type].ids)
    for (const auto& [number, a] : entry.assignments) {
      if (!a.acknowledged || a.number > call.number || !a.expires_at || *a.expires_at > call.sent_at) continue;
      const auto r = rows.records.find(id);
      if (r != rows.records.end() && r->second.assignment == number && r->second.state == id_state::assigned)
        found_.add(symptom::never_expired,
                   fmt::format("{} is still ASSIGNED after a run of the expirer that began {} ms after its expiry",
                               name(call.type, id, number), (call.sent_at - *a.expires_at).count()));
    }
}

std::vector<std::string> model::keys(std::size_t type) const {
  std::vector<std::string> out;
  for (const auto& [key, state] : keys_)
    if (state.type == type) out.push_back(key);
  return out;
}

std::optional<timestamp> model::next_due(timestamp now) {
  moments_.erase(moments_.begin(), moments_.lower_bound(now));
  if (moments_.empty()) return std::nullopt;
  return *moments_.begin();
}

std::vector<std::pair<std::size_t, std::string>> model::about_to_expire(timestamp now) const {
  constexpr milliseconds a_moment{3};
  std::vector<std::pair<std::size_t, std::string>> out;
  for (auto i = expiries_.lower_bound({now + milliseconds{1}, 0, {}});
       i != expiries_.end() && std::get<timestamp>(*i) <= now + a_moment; ++i)
    out.emplace_back(std::get<1>(*i), std::get<2>(*i));
  return out;
}

} // namespace matricula::sim
