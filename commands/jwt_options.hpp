/// What the settings say about JWTs, in the terms of those who check them.
#pragma once
#include "api/jwks_source.hpp"
#include "api/jwt_gate.hpp"
#include "config/settings.hpp"

namespace matricula::commands {

/// Where the key set is and how it is kept fresh. @pre the settings came through `config::load` and accept JWTs
[[nodiscard]] api::jwks_source_options jwks_options_of(const config::settings& s);

[[nodiscard]] api::jwt_gate_rules jwt_rules_of(const config::jwt_settings& s);

} // namespace matricula::commands
