/// MOSIP's policy file, mosip-vid-policy.json, read strictly: MOSIP itself ignores what its schema says about it.
#pragma once
#include "domain/identifiers/vid_policy.hpp"

#include <string_view>
#include <vector>

namespace matricula::api::compat {

/// `{"vidPolicies": [{"vidType": "OneTimeUse", "policy": {"validForInMinutes": null, "transactionsAllowed": 1,
/// "instancesAllowed": 1, "autoRestoreAllowed": true, "restoreOnAction": "REVOKED"}}, ...]}`. Every member must be
/// there, none may be more, null stands for no limit, and 1 to 32 types come once each.
/// Errors: invalid_argument; the message begins with the JSON path, "vidPolicies[1].policy.instancesAllowed: ...".
[[nodiscard]] result<std::vector<identifiers::vid_policy>> parse_mosip_vid_policies(std::string_view text);

} // namespace matricula::api::compat
