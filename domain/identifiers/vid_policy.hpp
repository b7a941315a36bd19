/// How many VIDs of a kind a holder may have, for how long, for how many transactions, and what replaces one that ends.
/// Source of the kinds and their words: MOSIP's id-repository (mosip-vid-policy.json); docs/vid-policies.md says what
/// is different here and why.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

/// What brings a holder a fresh VID by itself. With auto restore it is also what the oldest one becomes that makes room
/// for another.
enum class restore_action : std::uint8_t {
  revoked,    ///< a revocation
  used,       ///< the last transaction
  regenerate, ///< nothing: a fresh one comes by a request to regenerate only
};
[[nodiscard]] std::string_view to_string(restore_action a) noexcept; ///< "REVOKED", "USED", "REGENERATE"
[[nodiscard]] std::optional<restore_action> parse_restore_action(std::string_view text) noexcept;

struct vid_policy {
  static constexpr std::uint32_t valid_for_minutes_max = 52'596'000; ///< a hundred years
  static constexpr std::uint32_t transactions_max = 1'000'000;
  static constexpr std::uint32_t instances_max = 32;

  std::string name;                                  ///< [a-z][a-z0-9_]{0,31}
  std::optional<std::uint32_t> valid_for_minutes;    ///< 1 to 52,596,000; none: perpetual
  std::optional<std::uint32_t> transactions_allowed; ///< 1 to 1,000,000; none: unlimited
  std::uint32_t instances_allowed = 1;               ///< 1 to 32, active at once
  bool auto_restore_allowed = false;                 ///< at the limit the oldest one makes room
  restore_action restore_on_action = restore_action::regenerate;
  bool operator==(const vid_policy&) const = default;
};

/// What is wrong with one policy, and with which part of it.
struct policy_fault {
  enum class part : std::uint8_t { name, valid_for, transactions, instances, auto_restore, restore_on };
  part of = part::name;
  std::string why; ///< "found ...; allowed: ..."
};
/// Ranges, and parts that contradict each other.
[[nodiscard]] std::optional<policy_fault> fault_of(const vid_policy& policy);

/// A set of policies without faults, each name once.
class vid_policies {
public:
  static constexpr std::size_t policies_max = 32;

  vid_policies() = default;
  /// @pre every policy is without fault, no name comes twice, and there are at most 32
  explicit vid_policies(std::vector<vid_policy> all);

  /// Null when there is none of that name.
  [[nodiscard]] const vid_policy* find(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<vid_policy>& all() const noexcept { return all_; }
  /// Their names with commas between, for messages.
  [[nodiscard]] std::string names() const;

private:
  std::vector<vid_policy> all_; ///< by name
};

/// "OneTimeUse" as a policy's name: "one_time_use". Other characters stay, so that a bad name stays bad.
[[nodiscard]] std::string policy_name_of(std::string_view camel_case);

} // namespace matricula::identifiers
