#include "test/sim/letters.hpp"

#include "foundation/bytes.hpp"
#include "storage/dead_letters.hpp"

#include <fmt/format.h>

namespace matricula::sim {

namespace rows = storage::dead_letters;

namespace {

constexpr storage::shard_id letters_shard{0};
constexpr std::size_t listed_max = 1'000;

/// What says which crash it was.
std::string whole_of(const std::string& actor, const std::string& type, timestamp at, bool replayable,
                     const trace_context& trace) {
  return byte_writer{}
      .text(actor)
      .text(type)
      .varint(to_unix_ms(at))
      .u8(replayable ? 1 : 0)
      .text(trace.request_id)
      .str();
}

std::string reason_of(const std::string& type) { return "handler_failed:" + type; }

/// The bytes of the message at the end of what is kept, if they are there.
bool ends_with_payload(std::string_view kept, std::string_view payload) { return kept.ends_with(payload); }

} // namespace

void letters::crashed(const runtime::dead_letter& letter) {
  if (!alive_) return;
  ++crashed_;
  latest_payload_ = letter.payload;
  crashes_.insert(whole_of(letter.actor_path, letter.message_type, letter.at, letter.replayable, letter.trace) +
                  letter.payload);
  ++tallies_[{letter.actor_path, reason_of(letter.message_type)}].crashed;
  if (!letter.replayable) return;
  const auto crashes = ++by_payload_[letter.payload];
  const auto replays = replays_.find(letter.payload);
  // A message without anything of its own, such as an order to the expirer, is sent more than once anyhow.
  if (letter.payload.find("poison") == std::string::npos) return;
  if (crashes > 1 + (replays == replays_.end() ? 0 : replays->second))
    found_.add(symptom::letter_replayed_again,
               fmt::format("a {} crashed {} {} times, sent once and replayed {} times", letter.message_type,
                           letter.actor_path, crashes, replays == replays_.end() ? 0 : replays->second));
}

std::optional<std::string> letters::latest() const {
  for (const auto& [id, l] : known_)
    if (!l.gone && l.payload == latest_payload_) return id;
  return std::nullopt;
}

void letters::asked_to_replay(const std::string& id, const result<void>& answer, bool there_is_an_actor) {
  auto& l = known_.at(id);
  const auto code = answer ? errc{} : answer.error().code;
  if (!answer && code != errc::outcome_unknown) {
    ++refused_replays_;
    const bool why_not = code == errc::conflict    ? l.replay_asked || !l.replayable
                         : code == errc::not_found ? l.discard_asked || !there_is_an_actor
                                                   : code == errc::overloaded || code == errc::unavailable;
    if (!why_not)
      found_.add(symptom::letter_changed, fmt::format("to replay a letter of {} was refused as {}: {}", l.from.first,
                                                      to_string(code), answer.error().message));
    return;
  }
  if (!l.replayable) found_.add(symptom::letter_changed, "a letter that may not be replayed was");
  if (l.marked) found_.add(symptom::letter_changed, "a letter that was replayed could be replayed again");
  // It is sent once it is durably marked, so one letter reaches its actor once however often it is asked for.
  if (!l.replay_asked) ++replays_[l.payload];
  l.replay_asked = true;
  if (answer && !l.marked) {
    l.marked = true;
    ++replayed_;
  }
}

void letters::asked_to_discard(const std::string& id, const result<void>& answer) {
  auto& l = known_.at(id);
  const auto code = answer ? errc{} : answer.error().code;
  if (!answer && code == errc::not_found && !l.discard_asked)
    found_.add(symptom::letter_lost, "a letter that nobody discarded is not there");
  if (answer || code == errc::outcome_unknown) l.discard_asked = true;
  if (answer) l.discard_answered = true;
}

void letters::life_begins(const storage::view& durable) {
  alive_ = true;
  check(durable);
  for (auto& [from, t] : tallies_) {
    t.crashed = 0;
    t.before = total(durable, from, t);
  }
}

std::uint64_t letters::total(const storage::view& durable, const source& from, const tally& t) {
  const auto counted = rows::count_of(durable, letters_shard, from.first, from.second);
  if (!counted) {
    found_.add(symptom::letter_changed, "a count of dead letters does not decode");
    return 0;
  }
  return counted->kept + counted->dropped + t.gone;
}

void letters::check(const storage::view& durable) {
  const auto listed = rows::list(durable, letters_shard, {}, listed_max);
  if (!listed) return found_.add(symptom::letter_changed, "the dead letters cannot be read: " + listed.error().message);
  std::map<source, std::uint64_t> there;
  std::set<std::string> ids;
  for (const auto& l : listed->letters) {
    ids.insert(l.id);
    ++there[{l.actor, l.reason}];
    const auto whole = whole_of(l.actor, l.message_type, l.at, l.replayable, l.trace);
    auto& k = known_[l.id];
    if (k.whole.empty()) {
      k.from = {l.actor, l.reason};
      k.replayable = l.replayable;
      k.whole = whole + l.payload;
      for (auto c = crashes_.lower_bound(whole); c != crashes_.end() && c->starts_with(whole); ++c)
        if (ends_with_payload(l.payload, std::string_view(*c).substr(whole.size())))
          k.payload = c->substr(whole.size());
      if (k.payload.empty() && l.replayable)
        found_.add(symptom::letter_changed, "a dead letter of " + l.actor + " is of no message that crashed it");
    }
    if (k.whole != whole + l.payload)
      found_.add(symptom::letter_changed, "a dead letter of " + l.actor + " has changed");
    if (k.gone || k.discard_answered)
      found_.add(symptom::letter_changed, "a dead letter of " + l.actor + " was discarded and is there again");
    const bool marked = l.now == rows::state::replayed;
    if (marked && !k.replay_asked)
      found_.add(symptom::letter_changed, "a dead letter is marked as replayed, and nobody asked for it");
    if (!marked && k.marked)
      found_.add(symptom::letter_changed, "that a dead letter was replayed was acknowledged and is lost");
    if (marked && !k.marked) ++replayed_;
    k.marked = k.marked || marked;
  }
  for (auto& [id, k] : known_) {
    if (k.gone || ids.contains(id)) continue;
    if (!k.discard_asked) found_.add(symptom::letter_lost, "a durable dead letter of " + k.from.first + " is lost");
    k.gone = true;
    ++discarded_;
    ++tallies_[k.from].gone;
  }
  for (auto& [from, t] : tallies_) {
    const auto counted = rows::count_of(durable, letters_shard, from.first, from.second);
    if (!counted) {
      found_.add(symptom::letter_changed, "a count of dead letters does not decode");
      continue;
    }
    if (counted->kept != there[from])
      found_.add(symptom::letter_changed, fmt::format("{} letters of {} are kept, and the count says {}", there[from],
                                                      from.first, counted->kept));
    if (counted->kept > cap) found_.add(symptom::letter_changed, "more letters are kept than may be");
    if (counted->dropped < t.dropped) found_.add(symptom::letter_lost, "letters that were counted are counted no more");
    counted_only_ += counted->dropped - std::min(counted->dropped, t.dropped);
    t.dropped = counted->dropped;
  }
}

void letters::check_at_rest(const storage::view& durable, std::uint64_t lost) {
  check(durable);
  std::uint64_t missing = 0;
  std::string who;
  for (const auto& [from, t] : tallies_) {
    const auto now = total(durable, from, t);
    if (now > t.before + t.crashed)
      found_.add(symptom::letter_changed, "there are more dead letters of " + from.first + " than crashes");
    else if (now < t.before + t.crashed) {
      missing += t.before + t.crashed - now;
      who = from.first;
    }
  }
  if (missing > lost)
    found_.add(symptom::letter_lost,
               fmt::format("{} messages that crashed their actor, such as {}, were neither kept nor counted",
                           missing - lost, who));
}

} // namespace matricula::sim
