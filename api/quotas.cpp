#include "api/quotas.hpp"

#include "foundation/log.hpp"

#include <fmt/format.h>
#include <prometheus/counter.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace matricula::api {

using std::chrono::nanoseconds;

namespace {

enum thing : std::uint8_t { requests, issued, misses };
constexpr std::size_t things = 3;
constexpr std::array<std::string_view, things> names{"requests", "issued", "misses"};
constexpr std::array<std::string_view, things> too_many{
    "You send more requests than you may.", "You have been issued as many identifiers as you may for now.",
    "You have asked for too many things that do not exist; guessing is not served."};
constexpr nanoseconds told_again_after = std::chrono::minutes(1);
/// How many of the least recent callers are looked at for one that can be forgotten.
constexpr int candidates = 8;
constexpr std::size_t parts = 16;

/// Tokens a second, and how many there are at most.
struct rate {
  double per_s = 0;
  double most = 0;
  [[nodiscard]] bool limited() const noexcept { return most > 0; }
};

using rates = std::array<rate, things>;
rates rates_of(const quota_limits& l) noexcept {
  const auto burst = l.requests_burst > 0 ? l.requests_burst : l.requests_per_s;
  return {rate{static_cast<double>(l.requests_per_s), l.requests_per_s > 0 ? static_cast<double>(burst) : 0},
          rate{l.issued_per_min / 60.0, static_cast<double>(l.issued_per_min)},
          rate{l.misses_per_min / 60.0, static_cast<double>(l.misses_per_min)}};
}

/// Counts what was taken and has not come back yet, so that a bucket that nobody has touched is full at any rate.
struct bucket {
  double taken = 0;
  nanoseconds at{0};

  void settle(const rate& r, nanoseconds now) noexcept {
    if (now > at) taken = std::max(0.0, taken - std::chrono::duration<double>(now - at).count() * r.per_s);
    at = std::max(at, now);
  }
};

struct entry {
  std::array<bucket, things> buckets;
  std::array<nanoseconds, things> told{};
  std::array<std::uint64_t, things> refused{}; ///< since it was told
  rates by{};                                  ///< of the last look, to know when it has recovered
  std::list<std::string>::iterator place;

  [[nodiscard]] bool recovered(nanoseconds now) noexcept {
    for (std::size_t i = 0; i < things; ++i) {
      buckets[i].settle(by[i], now);
      if (by[i].limited() && buckets[i].taken > 0) return false;
    }
    return true;
  }
};

std::string key_of(const quotas::caller& by) {
  if (!by.address.empty()) return "address " + std::string(by.address);
  return by.who.tenant + "/" + by.who.name;
}

} // namespace

struct quotas::inside {
  struct part {
    std::mutex guard;
    std::unordered_map<std::string, entry> of;
    std::list<std::string> order; ///< most recent first
    entry others;                 ///< newcomers while nobody can be forgotten
  };

  inside(const quota_limits& limits, std::size_t callers_max, metrics& numbers)
      : part_max(std::max<std::size_t>(callers_max / parts, 1)) {
    for (std::size_t i = 0; i < things; ++i)
      counters[i] = &numbers.counter("matricula_quota_refused_total", "Requests refused for a quota.",
                                     {{"quota", std::string(names[i])}});
    set(limits);
  }

  void set(const quota_limits& limits) {
    const std::scoped_lock hold(limits_guard);
    of_all = std::make_shared<const quota_limits>(limits);
  }
  [[nodiscard]] rates rates_for(const principal& who) {
    std::shared_ptr<const quota_limits> now;
    {
      const std::scoped_lock hold(limits_guard);
      now = of_all;
    }
    return rates_of(who.quota ? limits_for(*who.quota, *now) : *now);
  }
  part& part_of(const std::string& key) { return all[std::hash<std::string>{}(key) % parts]; }

  /// Whoever has not taken anything has no entry: null, unless `make`.
  entry* find(part& in, const std::string& key, bool make, nanoseconds now) const {
    if (const auto found = in.of.find(key); found != in.of.end()) {
      in.order.splice(in.order.begin(), in.order, found->second.place);
      return &found->second;
    }
    if (in.of.size() >= part_max) {
      auto last = in.order.end();
      bool room = false;
      for (int i = 0; i < candidates && last != in.order.begin() && !room; ++i) {
        --last;
        const auto old = in.of.find(*last);
        if (!old->second.recovered(now)) continue;
        in.of.erase(old);
        in.order.erase(last);
        room = true;
      }
      if (!room) return &in.others;
    }
    if (!make) return nullptr;
    in.order.push_front(key);
    auto& fresh = in.of[key];
    fresh.place = in.order.begin();
    return &fresh;
  }

  std::unexpected<error> refuse(entry& who, const std::string& key, thing what, const rate& r, nanoseconds now) {
    counters[what]->Increment();
    ++who.refused[what];
    if (who.told[what] == nanoseconds{0} || now - who.told[what] >= told_again_after) {
      log::warning("quota.exceeded", "A caller has used up its quota and is refused.",
                   {{"caller", key}, {"quota", names[what]}, {"refused", who.refused[what]}});
      who.told[what] = now;
      who.refused[what] = 0;
    }
    const auto wait = (who.buckets[what].taken + 1 - r.most) / r.per_s;
    return fail(errc::quota_exceeded, fmt::format("{} Try again after Retry-After.", too_many[what]),
                std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(std::max(wait, 0.001))));
  }

  const std::size_t part_max;
  std::mutex limits_guard;
  std::shared_ptr<const quota_limits> of_all;
  std::array<prometheus::Counter*, things> counters{};
  std::array<part, parts> all;
};

quotas::quotas(const quota_limits& limits, std::size_t callers_max, metrics& numbers)
    : in_(std::make_unique<inside>(limits, callers_max, numbers)) {}
quotas::~quotas() = default;

void quotas::set_limits(const quota_limits& limits) { in_->set(limits); }

result<void> quotas::admit(const caller& by, bool issues, bool guesses, nanoseconds now) {
  const auto limits = in_->rates_for(by.who);
  const std::array<bool, things> asked{limits[requests].limited(), issues && limits[issued].limited(),
                                       guesses && limits[misses].limited()};
  if (std::ranges::find(asked, true) == asked.end()) return {};
  const auto key = key_of(by);
  auto& in = in_->part_of(key);
  const std::scoped_lock hold(in.guard);
  auto* who = in_->find(in, key, asked[requests] || asked[issued], now);
  if (!who) return {};
  who->by = limits;
  for (std::size_t i = 0; i < things; ++i) {
    if (!asked[i]) continue;
    who->buckets[i].settle(limits[i], now);
    if (who->buckets[i].taken + 1 > limits[i].most)
      return in_->refuse(*who, key, static_cast<thing>(i), limits[i], now);
  }
  if (asked[requests]) who->buckets[requests].taken += 1;
  if (asked[issued]) who->buckets[issued].taken += 1;
  return {};
}

result<void> quotas::hold(const caller& by, std::uint32_t held, std::uint32_t count, nanoseconds now) {
  if (held == count) return {};
  const auto limits = in_->rates_for(by.who);
  if (!limits[issued].limited()) return {};
  const auto key = key_of(by);
  auto& in = in_->part_of(key);
  const std::scoped_lock lock(in.guard);
  auto& who = *in_->find(in, key, true, now);
  who.by = limits;
  auto& of = who.buckets[issued];
  of.settle(limits[issued], now);
  of.taken = std::max(0.0, of.taken - held);
  if (of.taken + 1 > limits[issued].most) return in_->refuse(who, key, issued, limits[issued], now);
  of.taken += count;
  return {};
}

void quotas::settle(const caller& by, std::uint32_t held, std::uint32_t issued_in_the_end, nanoseconds now) {
  if (held == issued_in_the_end) return;
  const auto limits = in_->rates_for(by.who);
  if (!limits[issued].limited()) return;
  const auto key = key_of(by);
  auto& in = in_->part_of(key);
  const std::scoped_lock lock(in.guard);
  // What newcomers hold together is not given back: by now it may be others who share it.
  const bool gives_back = issued_in_the_end < held;
  if (gives_back && !in.of.contains(key)) return;
  auto& who = *in_->find(in, key, true, now);
  who.by = limits;
  auto& of = who.buckets[issued];
  of.settle(limits[issued], now);
  of.taken = std::max(0.0, of.taken - held + issued_in_the_end);
}

void quotas::charge_miss(const caller& by, nanoseconds now) {
  const auto limits = in_->rates_for(by.who);
  if (!limits[misses].limited()) return;
  const auto key = key_of(by);
  auto& in = in_->part_of(key);
  const std::scoped_lock lock(in.guard);
  auto& who = *in_->find(in, key, true, now);
  who.by = limits;
  who.buckets[misses].settle(limits[misses], now);
  who.buckets[misses].taken += 1;
}

std::size_t quotas::remembered() const {
  std::size_t n = 0;
  for (auto& one : in_->all) {
    const std::scoped_lock hold(one.guard);
    n += one.of.size();
  }
  return n;
}

} // namespace matricula::api
