/// One holder's VIDs under policies, and what a request does to them. Pure: a plan says which VIDs end and of which
/// policy a fresh one is due; whoever carries it out writes their records, the pool and this row in one batch.
#pragma once
#include "domain/identifiers/vid_policy.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

/// The values are stored; never change one.
enum class vid_state : std::uint8_t {
  active = 0,
  revoked = 1,
  expired = 2,
  used = 3,
  invalidated = 4,
  deactivated = 5
};
[[nodiscard]] std::string_view to_string(vid_state s) noexcept; ///< "ACTIVE", ...

/// A VID as its holder's row has it.
struct held_vid {
  std::string id;
  std::uint64_t counter = 0;
  std::uint32_t assignment = 0;
  std::string policy;
  vid_state state = vid_state::active;
  timestamp generated_at{};
  std::optional<timestamp> expires_at;            ///< none: perpetual
  std::optional<std::uint32_t> transactions_left; ///< none: unlimited
  bool operator==(const held_vid&) const = default;

  /// Whether its identifier is still assigned to the holder.
  [[nodiscard]] bool open() const noexcept { return state == vid_state::active || state == vid_state::deactivated; }
  /// As everybody sees it at `now`: over to the millisecond, even before the expirer has come round.
  [[nodiscard]] vid_state state_at(timestamp now) const noexcept {
    return open() && expires_at && *expires_at <= now ? vid_state::expired : state;
  }
};

struct holder {
  static constexpr std::size_t name_bytes_max = 64;
  static constexpr std::size_t open_max = 128; ///< active or deactivated; one more is refused
  static constexpr std::size_t ended_max = 32; ///< of more, the oldest leave: their records keep the history
  static constexpr std::size_t vid_bytes_max = 100;
  static constexpr std::size_t bytes_max = 128 + (open_max + ended_max) * vid_bytes_max; ///< of its row in a write

  std::string name;
  std::vector<held_vid> vids; ///< the oldest first
  bool operator==(const holder&) const = default;

  /// The place of an assignment among `vids`, if the row still has it.
  [[nodiscard]] std::optional<std::size_t> place_of(std::uint64_t counter, std::uint32_t assignment) const noexcept;
  /// Of a policy, those that are ACTIVE at `now`.
  [[nodiscard]] std::size_t active(std::string_view policy, timestamp now) const noexcept;
  void add(held_vid fresh) { vids.push_back(std::move(fresh)); }
  /// Its identifier was given free or retired.
  void forget(std::uint64_t counter, std::uint32_t assignment);
  /// Keeps the bound of ended ones.
  void prune();
};

[[nodiscard]] std::string encode(const holder& h);
[[nodiscard]] result<holder> decode_holder(std::string_view bytes);

/// What a request does to a holder's VIDs.
struct vid_plan {
  static constexpr std::size_t ends_max = 32; ///< so that all their records fit into one batch

  struct ending {
    std::size_t place = 0;
    vid_state as = vid_state::revoked;
    bool operator==(const ending&) const = default;
  };
  std::vector<ending> ends;             ///< in this order; an ended one may only become INVALIDATED
  std::vector<std::size_t> deactivated; ///< ACTIVE before
  std::vector<std::size_t> reactivated; ///< DEACTIVATED before
  std::optional<std::size_t> spends;    ///< loses one transaction
  const vid_policy* fresh = nullptr;    ///< whose fresh VID comes; null: none
  bool needs_fresh = false;             ///< without the fresh one nothing is done

  [[nodiscard]] bool empty() const noexcept {
    return ends.empty() && deactivated.empty() && reactivated.empty() && !spends && fresh == nullptr;
  }
};

/// A fresh VID of `policy`. At its limit with auto restore, the oldest active ones make room; without, it is refused.
/// Errors: conflict (at the limit, or the holder has too many VIDs).
[[nodiscard]] result<vid_plan> plan_creation(const holder& of, const vid_policy& policy, timestamp now);

/// One transaction of the VID at `place`. The last one makes it USED and, where its policy says so, brings a fresh one.
/// Errors: assignment_ended (it has ended), conflict (deactivated).
[[nodiscard]] result<vid_plan> plan_use(const holder& of, std::size_t place, const vid_policies& by, timestamp now);

/// Ends the VID at `place`, active or not. Of an active one the policy may bring a fresh one. One that has ended
/// already stays as it is: an empty plan.
[[nodiscard]] vid_plan plan_revocation(const holder& of, std::size_t place, const vid_policies& by, timestamp now);

/// The VID at `place` becomes INVALIDATED, whether it is active or was revoked, used or expired, and a fresh one comes.
/// Errors: conflict (its policy brings fresh ones by itself, is gone or is at its limit; the VID is deactivated or was
/// regenerated before).
[[nodiscard]] result<vid_plan> plan_regeneration(const holder& of, std::size_t place, const vid_policies& by,
                                                 timestamp now);

[[nodiscard]] vid_plan plan_deactivation(const holder& of, timestamp now);
/// The latest first, and of each policy not more than it allows to be active at once; others stay DEACTIVATED.
[[nodiscard]] vid_plan plan_reactivation(const holder& of, const vid_policies& by, timestamp now);

/// Changes the states as the plan says. The fresh VID is added apart, when its identifier is known.
void carry_out(const vid_plan& plan, holder& of);

} // namespace matricula::identifiers
