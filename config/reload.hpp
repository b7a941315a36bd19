/// What changes when settings are loaded again while the node runs.
#pragma once
#include "config/load.hpp"
#include "config/settings.hpp"

#include <string>
#include <vector>

namespace matricula::config {

struct changed_setting {
  std::string key;
  std::string before; ///< as TOML; empty when it was not set; "(not shown)" for a secret
  std::string after;
  bool operator==(const changed_setting&) const = default;
};

struct reload_plan {
  std::vector<changed_setting> now;     ///< take effect at once
  std::vector<changed_setting> restart; ///< stay as they were until the next start
};

/// The settings in which the two differ. A type that appears or disappears is one change of its key without an end
/// ("identifiers.types.NAME") and needs a restart.
[[nodiscard]] reload_plan diff_reload(const settings& before, const settings& after);

/// `running` with every reloadable setting, and where it came from, taken from `fresh`: what holds after the reload.
[[nodiscard]] loaded after_reload(const loaded& running, const loaded& fresh);

} // namespace matricula::config
