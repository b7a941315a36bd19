#include "test/sim/holders.hpp"

#include "storage/holders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace matricula::sim {

using namespace identifiers;
using actors::vid_action;

namespace {

constexpr std::array<std::string_view, 3> names{"ada", "ben", "cleo"};
constexpr std::int64_t ns_per_ms = 1'000'000;

bool names_a_vid(vid_action a) {
  return a == vid_action::use || a == vid_action::revoke || a == vid_action::regenerate;
}

std::string name_of(std::string_view holder, const held_vid& v) {
  return fmt::format("VID {} (assignment {}, {}) of {}", v.id, v.assignment, v.policy, holder);
}

} // namespace

std::size_t holders_type() {
  const auto found =
      std::ranges::find(sim_types(), std::string("alias"), [](const sim_type& t) { return t.type.name; });
  require(found != sim_types().end(), "the simulation has a type for holders");
  return static_cast<std::size_t>(found - sim_types().begin());
}

const vid_policies& sim_policies() {
  static const vid_policies all({{"lasting", {}, {}, 1, true, restore_action::revoked},
                                 {"minute", 1, {}, 2, false, restore_action::regenerate},
                                 {"thrice", {}, 3, 2, false, restore_action::regenerate},
                                 {"single", {}, 1, 1, true, restore_action::used}});
  return all;
}

// -- requests ---------------------------------------------------------------------------------------------------------

holders::call holders::some_call() {
  call c;
  const auto what = random_.below(20);
  auto action = what < 7    ? vid_action::create
                : what < 13 ? vid_action::use
                : what < 15 ? vid_action::revoke
                : what < 17 ? vid_action::regenerate
                : what < 18 ? vid_action::deactivate
                            : vid_action::reactivate;
  if (targets_.empty() && names_a_vid(action)) action = vid_action::create;
  auto& m = c.message;
  m.action = static_cast<std::uint8_t>(action);
  if (names_a_vid(action)) {
    // Mostly one of the latest.
    const auto latest = std::min<std::size_t>(targets_.size(), random_.below(4) == 0 ? targets_.size() : 8);
    const auto& target = targets_[targets_.size() - 1 - random_.below(latest)];
    m.counter = target.first;
    m.assignment = random_.below(3) == 0 ? 0 : target.second;
  } else {
    m.holder = names.at(random_.below(names.size()));
  }
  const auto& all = sim_policies().all();
  if (action == vid_action::create) m.policy = all[random_.below(all.size())].name;
  const bool may_have_key =
      action == vid_action::create || action == vid_action::use || action == vid_action::regenerate;
  if (may_have_key && random_.below(2) == 0) c.key = fmt::format("h{}", keys_.size());
  return c;
}

void holders::ask(node& to, timestamp now, std::int64_t now_ns) {
  call c;
  if (!keys_.empty() && random_.below(5) == 0) {
    // A key that was used before, unchanged; mostly one of the latest.
    auto at = keys_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(keys_.size())));
    c = at->second.first;
  } else {
    c = some_call();
  }
  c.sent_at = now;
  c.message.context.deadline_ns =
      random_.below(3) == 0 ? now_ns + static_cast<std::int64_t>(1 + random_.below(300)) * ns_per_ms : 0;
  send(to, std::move(c));
}

void holders::ask_for_one(node& to, timestamp now) {
  call c;
  c.message.action = static_cast<std::uint8_t>(vid_action::create);
  c.message.holder = names.front();
  c.message.policy = "lasting";
  c.sent_at = now;
  last_was_met_ = false;
  send(to, std::move(c));
}

void holders::send(node& to, call c) {
  ++sent_;
  c.message.context.principal = "client";
  if (!c.key.empty()) {
    c.message.idempotency_ref = key_reference(c.key);
    c.message.fingerprint = payload_fingerprint(c.key);
    keys_.try_emplace(c.key, key_state{c, {}, {}});
  }
  auto cell = to.send(c.message);
  waiting_.push_back({std::move(c), std::move(cell)});
}

// -- answers ----------------------------------------------------------------------------------------------------------

void holders::answered(const call& what, const result<actors::vid_answer>& answer, timestamp now, std::int64_t now_ns,
                       bool storage_failed) {
  if (!answer) return refused(what, answer.error(), now_ns, storage_failed);
  ++acknowledged_;
  last_was_met_ = true;
  if (answer->replayed && what.key.empty()) found_.add("a holder without a key got a replayed answer");
  if (!what.key.empty()) {
    auto& key = keys_.at(what.key);
    if (key.answer && answer->replayed && answer->of != *key.answer)
      found_.add(symptom::key_answered_twice, fmt::format("key {} of a holder got another answer", what.key));
    // Afterwards its record may be gone, and the request is done again.
    if (key.answer && !answer->replayed && now < key.not_before + sim_purge_after)
      found_.add(symptom::key_answered_twice, fmt::format("key {} of a holder was carried out again", what.key));
    if (!key.answer || !answer->replayed) {
      key.answer = answer->of;
      // When it was carried out is not known of one whose first answer was lost.
      key.not_before = answer->replayed ? timestamp{} : what.sent_at;
    }
  }
  learn(what, *answer);
}

void holders::learn(const call& what, const actors::vid_answer& answer) {
  const auto action = static_cast<vid_action>(what.message.action);
  for (const auto& v : answer.of.vids) {
    const name n{v.counter, v.assignment};
    auto [at, fresh] = vids_.try_emplace(n);
    auto& known = at->second;
    if (fresh) {
      known.id = v.id;
      known.policy = v.policy;
      targets_.push_back(n);
    }
    if (known.id != v.id || known.policy != v.policy)
      found_.add(symptom::handed_out_twice, name_of(answer.of.name, v) + " was another one before");
    if (answer.replayed) continue; // what it says was so when it was first said
    if (!v.open()) known.ended = true;
    if (v.transactions_left) known.left = std::min(known.left.value_or(UINT32_MAX), *v.transactions_left);
  }
  if (answer.replayed) return;
  if (action == vid_action::create || action == vid_action::regenerate) ++made_;
  if (action != vid_action::use || answer.of.vids.empty()) return;
  ++used_;
  const auto& v = answer.of.vids.front();
  if (v.transactions_left && !vids_.at({v.counter, v.assignment}).spent.insert(*v.transactions_left).second)
    found_.add(symptom::policy_exceeded, name_of(answer.of.name, v) + " had one transaction spent twice");
}

void holders::refused(const call& what, const error& why, std::int64_t now_ns, bool storage_failed) {
  const auto deadline = what.message.context.deadline_ns;
  const auto action = static_cast<vid_action>(what.message.action);
  const auto odd = [&](std::string_view more) {
    found_.add(fmt::format("a holder's request {} was refused as {}{}: {}", what.message.action, to_string(why.code),
                           more, why.message));
  };
  switch (why.code) {
  case errc::refilling:
  case errc::exhausted:
  case errc::overloaded:
  case errc::unavailable:
  case errc::conflict: // whether the limit is kept is seen in the rows; that it is not too low, by the last probe
    return;
  case errc::idempotency_running:
    if (what.key.empty()) odd(" without a key");
    return;
  case errc::assignment_ended:
    if (action != vid_action::use && what.key.empty()) odd("");
    return;
  case errc::not_found:
  case errc::stale_assignment:
    if (action == vid_action::create) odd("");
    return;
  case errc::deadline_exceeded:
    if (deadline == 0 || deadline > now_ns) odd(" before its deadline");
    return;
  case errc::outcome_unknown:
    if (!storage_failed) odd(", but the disk works");
    return;
  default:
    odd("");
  }
}

// -- rows -------------------------------------------------------------------------------------------------------------

void holders::check(const storage::view& durable, const storage::id_partition& part, timestamp now) {
  std::map<name, const held_vid*> listed;
  std::vector<holder> rows;
  for (const auto who : names) {
    auto row = storage::find_holder(durable, part, who);
    if (!row) return found_.add("a holder's row does not decode: " + row.error().message);
    rows.push_back(std::move(*row));
  }
  for (const auto& row : rows)
    for (const auto& v : row.vids)
      if (!listed.emplace(name{v.counter, v.assignment}, &v).second)
        found_.add(name_of(row.name, v) + " is listed twice");
  // What is active is counted by the records: a row that forgot one would count too few.
  std::map<std::pair<std::string, std::string>, std::uint32_t> active;
  const auto walked = storage::walk_records(durable, part, 0, [&](std::uint64_t counter, const id_record& r) {
    if (!r.of_policy || r.state != id_state::assigned || (r.expires_at && *r.expires_at <= now)) return true;
    const auto row = listed.find({counter, r.assignment});
    if (row != listed.end() && row->second->state == vid_state::deactivated) return true;
    const auto known = vids_.find({counter, r.assignment});
    if (row != listed.end())
      ++active[{r.holder, row->second->policy}];
    else if (known != vids_.end())
      ++active[{r.holder, known->second.policy}];
    return true;
  });
  if (!walked) found_.add("the records of holders cannot be read: " + walked.error().message);
  for (const auto& [whose, count] : active)
    if (const auto* policy = sim_policies().find(whose.second); !policy || count > policy->instances_allowed)
      found_.add(symptom::policy_exceeded,
                 fmt::format("{} has {} VIDs of the policy {} active", whose.first, count, whose.second));
  for (const auto& [n, known] : vids_) {
    const auto record = storage::find_record(durable, part, n.first);
    if (!record) return found_.add("a record of a holder's VID does not decode");
    const auto who = fmt::format("the VID {} (assignment {})", known.id, n.second);
    if (!*record || (*record)->assignment < n.second) {
      found_.add(symptom::acknowledged_lost, who + " was acknowledged and is lost");
      continue;
    }
    if ((*record)->assignment > n.second) continue; // over, and somebody else's
    if (known.ended && (*record)->state == id_state::assigned)
      found_.add(symptom::acknowledged_lost, who + " is assigned though its end was acknowledged");
    const auto row = listed.find(n);
    if (row == listed.end()) continue;
    if (known.ended && row->second->open()) found_.add(symptom::acknowledged_lost, who + " lives in its holder's row");
    if (known.left && row->second->transactions_left > known.left)
      found_.add(symptom::acknowledged_lost, who + " has transactions again that were acknowledged as spent");
  }
}

} // namespace matricula::sim
