/// Every setting as it holds now, for whoever shows them: the command line and GET /v1/config.
#pragma once
#include "config/load.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace matricula::config {

struct effective_setting {
  std::string key;       ///< "identifiers.types.uin.length"
  value current;         ///< nothing when not set; for a secret that is set the text "(not shown)"
  std::string origin;    ///< "default", "matricula.toml:12", ...
  std::string_view unit; ///< may be empty
  std::string_view help;
  bool reloadable = false;
  bool secret = false;
};

/// In the order of matricula.toml, types by name. Never holds a secret.
[[nodiscard]] std::vector<effective_setting> effective(const loaded& now);

/// The effective settings as a file that loads to the same, each value with its origin as comment. Secrets are
/// comments without their value.
[[nodiscard]] std::string to_toml(const loaded& now);

} // namespace matricula::config
