/// The effective settings for GET /v1/config.
#pragma once
#include "config/load.hpp"

#include <string>

namespace matricula::commands {

/// One object: each full key with its value, unit, origin, and whether it takes effect on reload. No secrets.
[[nodiscard]] std::string settings_json(const config::loaded& now);

} // namespace matricula::commands
