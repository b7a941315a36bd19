#include "domain/identifiers/vid_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace matricula::identifiers {

namespace {
constexpr std::size_t name_bytes_max = 32;
constexpr std::array<std::string_view, 3> action_words{"REVOKED", "USED", "REGENERATE"};

bool is_policy_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max && name.front() >= 'a' && name.front() <= 'z' &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::optional<policy_fault> fault_of_range(policy_fault::part of, std::uint32_t found, std::uint32_t most) {
  if (found >= 1 && found <= most) return std::nullopt;
  return policy_fault{of, fmt::format("found the integer {}; allowed: 1 to {}", found, most)};
}
} // namespace

std::string_view to_string(restore_action a) noexcept { return action_words.at(static_cast<std::size_t>(a)); }

std::optional<restore_action> parse_restore_action(std::string_view text) noexcept {
  for (std::size_t i = 0; i < action_words.size(); ++i)
    if (action_words.at(i) == text) return static_cast<restore_action>(i);
  return std::nullopt;
}

std::optional<policy_fault> fault_of(const vid_policy& p) {
  using part = policy_fault::part;
  if (!is_policy_name(p.name))
    return policy_fault{part::name, "found another name; allowed: a small letter, then up to 31 small letters, digits "
                                    "or underscores"};
  if (p.valid_for_minutes)
    if (auto bad = fault_of_range(part::valid_for, *p.valid_for_minutes, vid_policy::valid_for_minutes_max)) return bad;
  if (p.transactions_allowed)
    if (auto bad = fault_of_range(part::transactions, *p.transactions_allowed, vid_policy::transactions_max))
      return bad;
  if (auto bad = fault_of_range(part::instances, p.instances_allowed, vid_policy::instances_max)) return bad;
  if (p.auto_restore_allowed && p.restore_on_action == restore_action::regenerate)
    return policy_fault{part::restore_on, "found \"REGENERATE\" where fresh ones come by themselves; allowed: "
                                          "\"REVOKED\" or \"USED\", or auto restore off"};
  if (p.auto_restore_allowed && p.restore_on_action == restore_action::used && !p.transactions_allowed)
    return policy_fault{part::restore_on, "found \"USED\" without a number of transactions, so that none is ever the "
                                          "last; allowed: \"REVOKED\", or a number of transactions"};
  if (!p.auto_restore_allowed && p.restore_on_action == restore_action::used)
    return policy_fault{part::auto_restore, "found off with restore on \"USED\", which would never happen; allowed: "
                                            "on, or restore on \"REGENERATE\""};
  return std::nullopt;
}

vid_policies::vid_policies(std::vector<vid_policy> all) : all_(std::move(all)) {
  require(all_.size() <= policies_max, "there are at most 32 VID policies");
  std::ranges::sort(all_, {}, &vid_policy::name);
  require(std::ranges::adjacent_find(all_, {}, &vid_policy::name) == all_.end(), "no VID policy comes twice");
  for (const auto& p : all_) require(!fault_of(p), "VID policies are without fault");
}

const vid_policy* vid_policies::find(std::string_view name) const noexcept {
  const auto found =
      std::ranges::lower_bound(all_, name, {}, [](const vid_policy& p) { return std::string_view(p.name); });
  return found != all_.end() && found->name == name ? &*found : nullptr;
}

std::string vid_policies::names() const {
  std::string out;
  for (const auto& p : all_) out += (out.empty() ? "" : ", ") + p.name;
  return out;
}

std::string policy_name_of(std::string_view camel_case) {
  std::string out;
  for (std::size_t i = 0; i < camel_case.size(); ++i) {
    const char c = camel_case[i];
    const bool capital = c >= 'A' && c <= 'Z';
    const bool after_small = i > 0 && camel_case[i - 1] >= 'a' && camel_case[i - 1] <= 'z';
    if (capital && after_small) out.push_back('_');
    out.push_back(capital ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

} // namespace matricula::identifiers
