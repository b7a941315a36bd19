/// VID policies from the settings, or from MOSIP's file.
#pragma once
#include "config/load.hpp"
#include "domain/identifiers/vid_policy.hpp"

#include <vector>

namespace matricula::commands {

/// What is wrong with the policies, each at its key or at the path in the file.
[[nodiscard]] std::vector<config::problem> policy_problems(const config::loaded& from);

/// Errors: invalid_argument with the first of those problems.
[[nodiscard]] result<identifiers::vid_policies> make_policies(const config::loaded& from);

} // namespace matricula::commands
