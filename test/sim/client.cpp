#include "test/sim/client.hpp"

#include <fmt/format.h>

namespace matricula::sim {

using namespace identifiers;

namespace {
constexpr std::int64_t ns_per_ms = 1'000'000;
}

void client::ask(node& to, timestamp now, std::int64_t now_ns) {
  const auto what = random_.below(20);
  if (what < 11) return ask_for_ids(to, now, now_ns);
  if (what < 18) return ask_for_change(to, now, now_ns);
  run_expirer(to, random_.below(sim_types().size()), now);
}

std::int64_t client::some_deadline(std::int64_t now_ns) {
  if (random_.below(3) != 0) return 0;
  return now_ns + static_cast<std::int64_t>(1 + random_.below(300)) * ns_per_ms;
}

issue_call client::new_issue(std::size_t type, timestamp now) {
  const auto& t = sim_types()[type];
  issue_call call;
  call.type = type;
  call.sent_at = now;
  call.payload = fmt::format("p{}", ++payloads_);
  if (t.issuers() > 1) call.issuer = static_cast<std::uint32_t>(random_.below(t.issuers()));
  const auto size = random_.below(100);
  const std::uint64_t large_from = t.issuers() > 1 ? 75 : 97; // so that issuers run out and borrow
  if (size >= large_from)
    call.count = static_cast<std::uint32_t>(1 + random_.below(t.valid.size() / 6));
  else if (size >= 75)
    call.count = static_cast<std::uint32_t>(1 + random_.below(6));
  if (t.expires() && random_.below(3) != 0) {
    const auto kind = random_.below(10);
    const auto after = kind < 5 ? random_.below(60) : kind < 9 ? random_.below(1'500) : 10'000'000;
    call.expires_at = now + milliseconds{static_cast<std::int64_t>(after)};
  }
  return call;
}

void client::send(node& to, issue_call call) {
  ++sent_;
  call.number = model_.next_number();
  call.not_before = model_.newest_time();
  model_.sent(call);
  auto cell = to.send(call);
  issues_.push_back({std::move(call), std::move(cell)});
}

void client::ask_for_ids(node& to, timestamp now, std::int64_t now_ns) {
  const auto type = random_.below(plain_types());
  auto& used = keys_[type];
  if (!used.empty() && random_.below(4) == 0) {
    // A key that was used before, mostly one of the latest; sometimes for another request.
    const auto newest = std::min<std::size_t>(used.size(), random_.below(3) == 0 ? used.size() : 5);
    auto again = used[used.size() - 1 - random_.below(newest)];
    if (random_.below(4) == 0) {
      const auto key = again.key;
      again = new_issue(type, now);
      again.key = key;
    }
    again.sent_at = now;
    again.deadline_ns = some_deadline(now_ns);
    return send(to, std::move(again));
  }
  auto call = new_issue(type, now);
  call.deadline_ns = some_deadline(now_ns);
  if (random_.below(2) == 0) {
    // Often for several, which end one after the other: the key is to be kept until the last one's time.
    if (call.count == 1 && random_.below(2) == 0) call.count = static_cast<std::uint32_t>(2 + random_.below(3));
    call.key = fmt::format("k{}.{}", type, used.size());
    used.push_back(call);
  }
  send(to, std::move(call));
}

void client::ask_for_one(node& to, std::size_t type, timestamp now) {
  auto call = new_issue(type, now);
  call.count = 1;
  call.expires_at.reset();
  send(to, std::move(call));
}

bool client::repeat(node& to, std::size_t type, timestamp now) {
  const auto& used = keys_[type];
  if (used.empty()) return false;
  auto again = used[random_.below(used.size())];
  again.sent_at = now;
  again.deadline_ns = 0;
  send(to, std::move(again));
  return true;
}

void client::ask_for_change(node& to, timestamp now, std::int64_t now_ns) {
  const auto type = random_.below(plain_types());
  const auto& targets = model_.targets(type);
  if (targets.empty()) return;
  const auto latest = std::min<std::size_t>(targets.size(), random_.below(3) == 0 ? targets.size() : 20);
  const auto& target = targets[targets.size() - 1 - random_.below(latest)];
  change_call call;
  call.type = type;
  call.id = target.id;
  call.assignment = target.assignment;
  call.sent_at = now;
  call.deadline_ns = some_deadline(now_ns);
  const auto which = random_.below(20);
  if (which == 0)
    call.assignment = 0;
  else if (which <= 2)
    call.assignment += 1'000; // nobody has it
  const auto of = sim_types()[type].type.rules.of;
  if (random_.below(12) == 0)
    call.event = random_.below(2) == 0 ? id_event::confirm : id_event::revoke; // perhaps not for this lifecycle
  else if (of == lifecycle::uin)
    call.event = random_.below(3) == 0 ? id_event::confirm : id_event::give_back;
  else
    call.event = id_event::revoke;
  ++sent_;
  model_.sent(call);
  auto cell = to.send(call);
  changes_.push_back({std::move(call), std::move(cell)});
}

void client::run_expirer(node& to, std::size_t type, timestamp now) {
  ++sent_;
  last_run_[type] = false;
  expiry_call call{type, now, model_.acknowledged(), hold_, 0};
  const auto issuers = sim_types()[type].issuers();
  if (issuers > 1) call.issuer = static_cast<std::uint32_t>(random_.below(issuers));
  auto cell = to.send(call);
  expiries_.push_back({call, std::move(cell)});
}

std::string client::oldest() const {
  if (!issues_.empty()) return "issue " + issues_.front().call.payload;
  if (!changes_.empty()) return "change of " + changes_.front().call.id;
  if (!expiries_.empty()) return "expirer of " + sim_types()[expiries_.front().call.type].type.name;
  return "nothing";
}

} // namespace matricula::sim
