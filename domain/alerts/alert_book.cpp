#include "domain/alerts/alert_book.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::alerts {

namespace {
constexpr std::size_t who_bytes_max = 256;

finding cleaned(const finding& what) {
  auto f = what;
  f.rule = one_line(what.rule, finding::rule_bytes_max);
  f.subject = one_line(what.subject, finding::subject_bytes_max);
  f.text = one_line(what.text, finding::text_bytes_max);
  return f;
}
} // namespace

milliseconds interval_after(const rhythm& r, std::uint32_t told) noexcept {
  auto out = std::min(r.repeat_first, r.repeat_most);
  for (std::uint32_t i = 1; i < told && out < r.repeat_most; ++i) out = std::min(out * 2, r.repeat_most);
  return out;
}

alert_book::alert_book(rhythm r, std::vector<std::string> sinks) : rhythm_(r), sinks_(std::move(sinks)) {}

void alert_book::load(std::vector<alert> known, std::uint64_t next_id, moment now) {
  next_id_ = std::max<std::uint64_t>(next_id, 1);
  for (auto& a : known) {
    next_id_ = std::max(next_id_, a.id + 1);
    const auto before = a.debts.size();
    // A sink that is no longer there will never take anything.
    std::erase_if(a.debts, [this](const debt& d) { return std::ranges::find(sinks_, d.sink) == sinks_.end(); });
    if (a.debts.size() != before) news_.changed.insert(a.id);
    for (const auto& d : a.debts) {
      if (d.first) news_.notices.push_back({{notice_kind::first, a}, {d.sink}});
      if (d.recovery) news_.notices.push_back({{notice_kind::recovery, a}, {d.sink}});
    }
    if (!a.ended_at) {
      condition c{.id = a.id, .since = a.since, .held_since = now.steady, .heard_at = now.steady};
      c.last = {.rule = a.rule, .subject = a.subject, .how = a.how, .text = a.text};
      // What the wall clock says is left, but never more than all: it may have been set meanwhile.
      const auto left = std::clamp<nanoseconds>(a.next_due - now.wall, nanoseconds{0}, interval_after(rhythm_, a.told));
      c.next_due = now.steady + left;
      const auto [place, fresh] = conditions_.try_emplace({a.rule, a.subject}, c);
      if (!fresh) {
        // Two of the same are damage; the one that is not followed up any more is not open.
        auto& former = alerts_.at(place->second.id);
        former.ended_at = std::max(now.wall, former.since);
        former.unheard = true;
        news_.changed.insert(former.id);
        place->second = std::move(c);
      }
    }
    alerts_.insert_or_assign(a.id, std::move(a));
  }
}

void alert_book::take(const finding& what, moment now) {
  auto f = cleaned(what);
  std::pair key{f.rule, f.subject};
  const auto known = conditions_.find(key);
  if (known == conditions_.end()) {
    if (!f.holds) return;
    if (conditions_.size() >= open_max) {
      ++refused_;
      return;
    }
    condition c{.last = std::move(f), .since = now.wall, .held_since = now.steady, .heard_at = now.steady};
    auto& fresh = conditions_.emplace(std::move(key), std::move(c)).first->second;
    (void)pass(fresh, now);
    return;
  }
  auto& c = known->second;
  c.heard_at = now.steady;
  if (f.holds) {
    c.last = std::move(f);
    const bool back = c.away.has_value();
    c.away.reset();
    if (auto a = alerts_.find(c.id); a != alerts_.end()) {
      // The numbers in a text change all the time: that alone is not worth a write.
      a->second.text = c.last.text;
      a->second.how = c.last.how;
      if (back) {
        ++a->second.returns;
        news_.changed.insert(c.id);
      }
    }
  } else if (!c.away) {
    c.last.quiet = f.quiet;
    c.away = {now.wall, now.steady};
  }
  if (pass(c, now)) conditions_.erase(known);
}

void alert_book::look(moment now) {
  for (auto c = conditions_.begin(); c != conditions_.end();) c = pass(c->second, now) ? conditions_.erase(c) : ++c;
  forget_old(now);
}

bool alert_book::pass(condition& c, moment now) {
  const bool unheard = !c.away && now.steady - c.heard_at >= c.last.lasts.value_or(rhythm_.lasts);
  if (c.id == 0) {
    if (c.away || unheard) return true; // nobody was told of it
    if (now.steady - c.held_since >= c.last.after) open(c, now);
    return false;
  }
  if (c.away) {
    if (now.steady - c.away->steady < c.last.quiet.value_or(rhythm_.quiet)) return false;
    end(c, c.away->wall, false);
    return true;
  }
  if (unheard) {
    end(c, now.wall, true);
    return true;
  }
  auto& a = alerts_.at(c.id);
  if (!a.acknowledged_at && now.steady >= c.next_due) tell(a, c, notice_kind::repeat, now);
  return false;
}

void alert_book::open(condition& c, moment now) {
  c.id = next_id_++;
  auto& a = alerts_[c.id];
  a.id = c.id;
  a.rule = c.last.rule;
  a.subject = c.last.subject;
  a.how = c.last.how;
  a.text = c.last.text;
  a.since = c.since;
  for (const auto& sink : sinks_) a.debts.push_back({sink, true, false});
  tell(a, c, notice_kind::first, now);
}

void alert_book::tell(alert& a, condition& c, notice_kind kind, moment now) {
  ++a.told;
  const auto next = interval_after(rhythm_, a.told);
  a.told_at = now.wall;
  a.next_due = now.wall + next;
  c.next_due = now.steady + next;
  news_.changed.insert(a.id);
  news_.notices.push_back({{kind, a}, sinks_});
}

void alert_book::end(condition& c, timestamp at, bool unheard) {
  auto& a = alerts_.at(c.id);
  a.ended_at = std::max(at, a.since);
  a.unheard = unheard;
  for (const auto& sink : sinks_) {
    const auto owed = std::ranges::find(a.debts, sink, &debt::sink);
    if (owed == a.debts.end())
      a.debts.push_back({sink, false, true});
    else
      owed->recovery = true;
  }
  news_.changed.insert(a.id);
  news_.notices.push_back({{notice_kind::recovery, a}, sinks_});
}

void alert_book::forget_old(moment now) {
  auto over = static_cast<std::size_t>(
      std::ranges::count_if(alerts_, [](const auto& entry) { return entry.second.ended_at.has_value(); }));
  std::erase_if(alerts_, [&](const auto& entry) {
    const auto& a = entry.second;
    if (!a.ended_at || (over <= ended_max && *a.ended_at + rhythm_.kept > now.wall)) return false;
    --over;
    news_.changed.insert(a.id);
    return true;
  });
}

result<alert> alert_book::acknowledge(std::uint64_t id, std::string_view who, moment now) {
  const auto found = alerts_.find(id);
  if (found == alerts_.end()) return fail(errc::not_found, fmt::format("There is no alert {}, or no longer.", id));
  auto& a = found->second;
  if (a.acknowledged_at) return a;
  if (a.ended_at) return fail(errc::conflict, fmt::format("Alert {} is over: there is nothing to be quiet about.", id));
  a.acknowledged_at = now.wall;
  a.acknowledged_by = one_line(who, who_bytes_max);
  news_.changed.insert(id);
  return a;
}

void alert_book::settled(std::uint64_t id, std::string_view sink, notice_kind kind) {
  const auto found = alerts_.find(id);
  if (found == alerts_.end() || kind == notice_kind::repeat) return;
  auto& debts = found->second.debts;
  const auto owed = std::ranges::find(debts, sink, &debt::sink);
  if (owed == debts.end()) return;
  (kind == notice_kind::first ? owed->first : owed->recovery) = false;
  if (!owed->first && !owed->recovery) debts.erase(owed);
  news_.changed.insert(id);
}

const alert* alert_book::find(std::uint64_t id) const {
  const auto found = alerts_.find(id);
  return found == alerts_.end() ? nullptr : &found->second;
}

} // namespace matricula::alerts
