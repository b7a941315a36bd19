/// The named rule sets, and whether a rule set makes sense at a length.
#pragma once
#include "domain/identifiers/rules.hpp"
#include "foundation/error.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace matricula::identifiers {

/// The rules of that name:
/// - `mosip-uin`, `mosip-vid`, `mosip-prid`: what MOSIP's generators of these identifiers never issue;
/// - `mosip-uin-validator`: what MOSIP's UIN validator accepts, which is more than its generator issues;
/// - `openg2p`: OpenG2P's generator and validator as coded (0 counts as even, 1x1 is not a repetition);
/// - `strict`: the union of all; what it accepts, every other profile accepts.
[[nodiscard]] std::optional<rule_set> find_profile(std::string_view name);

/// In the order above.
[[nodiscard]] std::span<const std::string_view> profile_names() noexcept;

/// Refuses, with a sentence that names the setting and what is allowed, a format that cannot be meant: a limit or
/// length out of range, a list entry that no identifier could hold, or rules that leave no identifier at all.
[[nodiscard]] result<void> validate(const rule_set& rules, alphabet written_in, std::size_t length);

} // namespace matricula::identifiers
