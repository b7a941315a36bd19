#include "domain/identifiers/holder.hpp"

#include "foundation/bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace matricula::identifiers {

namespace {
constexpr std::uint8_t holder_version = 1;
constexpr std::uint8_t state_last = 5;
constexpr std::uint8_t has_expires = 8; // above the three bits of the state
constexpr std::uint8_t has_transactions = 16;
constexpr std::uint8_t all_bits = 31;
constexpr std::size_t vids_max = 4'096; ///< of a row that decodes

constexpr std::array<std::string_view, 6> state_words{"ACTIVE", "REVOKED",     "EXPIRED",
                                                      "USED",   "INVALIDATED", "DEACTIVATED"};

/// What an end brought about by a policy makes of a VID.
vid_state retired_as(const vid_policy& p) noexcept {
  return p.restore_on_action == restore_action::used ? vid_state::used : vid_state::revoked;
}

/// Those whose time is over leave room; their records are ended in the same batch, before the expirer comes round.
void end_overdue(const holder& of, timestamp now, vid_plan& plan) {
  for (std::size_t i = 0; i < of.vids.size() && plan.ends.size() < vid_plan::ends_max; ++i)
    if (of.vids[i].open() && of.vids[i].state_at(now) == vid_state::expired)
      plan.ends.push_back({i, vid_state::expired});
}

/// Whether the holder's row has room for one more open VID once the plan is carried out.
bool has_room(const holder& of, const vid_plan& plan) {
  const auto open = static_cast<std::size_t>(std::ranges::count_if(of.vids, &held_vid::open));
  const auto closed = static_cast<std::size_t>(
      std::ranges::count_if(plan.ends, [&](const vid_plan::ending& e) { return of.vids[e.place].open(); }));
  return open - closed < holder::open_max;
}

std::unexpected<error> at_limit(const vid_policy& policy) {
  return fail(errc::conflict,
              fmt::format("The policy '{}' allows {} active at once, and the holder has them. Revoke one first.",
                          policy.name, policy.instances_allowed));
}

std::unexpected<error> no_room() {
  return fail(errc::conflict,
              fmt::format("The holder has {} active and deactivated VIDs, the most there may be. Revoke "
                          "some first.",
                          holder::open_max));
}

/// An end of the VID at `place` that may bring a fresh one: at most as many as the policy allows are active then.
void restore(const holder& of, std::size_t place, restore_action on, const vid_policies& by, timestamp now,
             vid_plan& plan) {
  const auto& vid = of.vids[place];
  const auto* policy = by.find(vid.policy);
  if (!policy || !policy->auto_restore_allowed || policy->restore_on_action != on) return;
  if (of.active(vid.policy, now) > policy->instances_allowed) return;
  end_overdue(of, now, plan);
  if (has_room(of, plan)) plan.fresh = policy;
}

} // namespace

std::string_view to_string(vid_state s) noexcept { return state_words.at(static_cast<std::size_t>(s)); }

std::optional<std::size_t> holder::place_of(std::uint64_t counter, std::uint32_t assignment) const noexcept {
  for (std::size_t i = 0; i < vids.size(); ++i)
    if (vids[i].counter == counter && vids[i].assignment == assignment) return i;
  return std::nullopt;
}

std::size_t holder::active(std::string_view policy, timestamp now) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      vids, [&](const held_vid& v) { return v.policy == policy && v.state_at(now) == vid_state::active; }));
}

void holder::forget(std::uint64_t counter, std::uint32_t assignment) {
  std::erase_if(vids, [&](const held_vid& v) { return v.counter == counter && v.assignment == assignment; });
}

void holder::prune() {
  auto ended = static_cast<std::size_t>(std::ranges::count_if(vids, [](const held_vid& v) { return !v.open(); }));
  std::erase_if(vids, [&](const held_vid& v) {
    if (v.open() || ended <= ended_max) return false;
    --ended;
    return true;
  });
}

std::string encode(const holder& h) {
  byte_writer out;
  out.reserve(16 + h.name.size() + h.vids.size() * 64);
  out.u8(holder_version).text(h.name).varint(h.vids.size());
  for (const auto& v : h.vids) {
    const auto bits = static_cast<unsigned>(v.state) | (v.expires_at ? has_expires : 0U) |
                      (v.transactions_left ? has_transactions : 0U);
    out.u8(static_cast<std::uint8_t>(bits)).text(v.id).varint(v.counter).varint(v.assignment).text(v.policy);
    out.varint(to_unix_ms(v.generated_at));
    if (v.expires_at) out.varint(to_unix_ms(*v.expires_at));
    if (v.transactions_left) out.varint(*v.transactions_left);
  }
  return std::move(out).str();
}

result<holder> decode_holder(std::string_view bytes) {
  byte_reader in{bytes};
  const auto bad = [](const char* what) { return fail(errc::corrupt, std::string("holder: ") + what); };
  if (in.u8() != holder_version) return bad("unknown version");
  holder h;
  h.name = in.text();
  const auto count = in.varint();
  if (!in.ok() || count > vids_max) return bad("cut short");
  for (std::uint64_t i = 0; i < count; ++i) {
    held_vid v;
    const auto bits = in.u8();
    v.id = in.text();
    v.counter = in.varint();
    const auto assignment = in.varint();
    v.policy = in.text();
    v.generated_at = from_unix_ms(in.varint());
    if (bits & has_expires) v.expires_at = from_unix_ms(in.varint());
    const auto left = bits & has_transactions ? in.varint() : 0;
    if (!in.ok() || bits > all_bits || (bits & 7) > state_last || assignment > UINT32_MAX || left > UINT32_MAX)
      return bad("a VID does not decode");
    v.state = static_cast<vid_state>(bits & 7);
    v.assignment = static_cast<std::uint32_t>(assignment);
    if (bits & has_transactions) v.transactions_left = static_cast<std::uint32_t>(left);
    h.vids.push_back(std::move(v));
  }
  if (!in.done()) return bad("too long");
  return h;
}

result<vid_plan> plan_creation(const holder& of, const vid_policy& policy, timestamp now) {
  vid_plan plan;
  auto active = of.active(policy.name, now);
  if (active >= policy.instances_allowed && !policy.auto_restore_allowed) return at_limit(policy);
  for (std::size_t i = 0; i < of.vids.size() && active >= policy.instances_allowed; ++i) {
    if (of.vids[i].policy != policy.name || of.vids[i].state_at(now) != vid_state::active) continue;
    if (plan.ends.size() == vid_plan::ends_max) break;
    plan.ends.push_back({i, retired_as(policy)});
    --active;
  }
  if (active >= policy.instances_allowed) return at_limit(policy);
  // Only then, so that overdue ones take no place from those that must make room.
  end_overdue(of, now, plan);
  if (!has_room(of, plan)) return no_room();
  plan.fresh = &policy;
  plan.needs_fresh = true;
  return plan;
}

result<vid_plan> plan_use(const holder& of, std::size_t place, const vid_policies& by, timestamp now) {
  const auto& vid = of.vids[place];
  const auto state = vid.state_at(now);
  if (state == vid_state::deactivated)
    return fail(errc::conflict, "The VID is DEACTIVATED. Reactivate the holder's VIDs first.");
  if (state != vid_state::active)
    return fail(errc::assignment_ended, fmt::format("The VID has ended: it is {}.", to_string(state)));
  vid_plan plan;
  if (!vid.transactions_left) return plan;
  plan.spends = place;
  if (*vid.transactions_left > 1) return plan;
  plan.ends.push_back({place, vid_state::used});
  restore(of, place, restore_action::used, by, now, plan);
  return plan;
}

vid_plan plan_revocation(const holder& of, std::size_t place, const vid_policies& by, timestamp now) {
  const auto& vid = of.vids[place];
  vid_plan plan;
  if (!vid.open()) return plan;
  const auto state = vid.state_at(now);
  plan.ends.push_back({place, state == vid_state::expired ? vid_state::expired : vid_state::revoked});
  if (state == vid_state::active) restore(of, place, restore_action::revoked, by, now, plan);
  return plan;
}

result<vid_plan> plan_regeneration(const holder& of, std::size_t place, const vid_policies& by, timestamp now) {
  const auto& vid = of.vids[place];
  const auto* policy = by.find(vid.policy);
  if (!policy)
    return fail(errc::conflict, fmt::format("The policy '{}' is no longer configured, so that nothing can be made by "
                                            "it. Configured: {}.",
                                            vid.policy, by.names()));
  if (policy->auto_restore_allowed)
    return fail(errc::conflict, fmt::format("VIDs of the policy '{}' are replaced by themselves and cannot be "
                                            "regenerated. Revoke it, or create another one.",
                                            vid.policy));
  const auto state = vid.state_at(now);
  if (state == vid_state::deactivated || state == vid_state::invalidated)
    return fail(errc::conflict, fmt::format("A VID that is {} cannot be regenerated.", to_string(state)));
  const auto others = of.active(vid.policy, now) - (state == vid_state::active ? 1 : 0);
  if (others >= policy->instances_allowed) return at_limit(*policy);
  vid_plan plan;
  plan.ends.push_back({place, vid_state::invalidated});
  for (std::size_t i = 0; i < of.vids.size() && plan.ends.size() < vid_plan::ends_max; ++i)
    if (i != place && of.vids[i].open() && of.vids[i].state_at(now) == vid_state::expired)
      plan.ends.push_back({i, vid_state::expired});
  if (!has_room(of, plan)) return no_room();
  plan.fresh = policy;
  plan.needs_fresh = true;
  return plan;
}

vid_plan plan_deactivation(const holder& of, timestamp now) {
  vid_plan plan;
  for (std::size_t i = 0; i < of.vids.size(); ++i)
    if (of.vids[i].state_at(now) == vid_state::active) plan.deactivated.push_back(i);
  return plan;
}

vid_plan plan_reactivation(const holder& of, const vid_policies& by, timestamp now) {
  vid_plan plan;
  std::map<std::string_view, std::size_t> active;
  for (const auto& v : of.vids)
    if (v.state_at(now) == vid_state::active) ++active[v.policy];
  for (std::size_t i = of.vids.size(); i-- > 0;) {
    const auto& v = of.vids[i];
    if (v.state_at(now) != vid_state::deactivated) continue;
    // Of a policy that is gone nobody can say how many there may be: as many as there were.
    const auto* policy = by.find(v.policy);
    if (policy && active[v.policy] >= policy->instances_allowed) continue;
    ++active[v.policy];
    plan.reactivated.push_back(i);
  }
  return plan;
}

void carry_out(const vid_plan& plan, holder& of) {
  if (plan.spends) --*of.vids[*plan.spends].transactions_left;
  for (const auto place : plan.deactivated) of.vids[place].state = vid_state::deactivated;
  for (const auto place : plan.reactivated) of.vids[place].state = vid_state::active;
  for (const auto& e : plan.ends) of.vids[e.place].state = e.as;
}

} // namespace matricula::identifiers
