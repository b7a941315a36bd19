/// The settings in force: GET /v1/config, POST /v1/config/reload.
#pragma once
#include "api/audit.hpp"
#include "api/route.hpp"

#include <functional>
#include <string>
#include <vector>

namespace matricula::api {

struct configuration_sources {
  /// One JSON object of all settings, secrets left out.
  std::function<std::string()> settings;
  /// Reads the files again and applies what may change while the node runs. Returns the keys that changed; an error
  /// leaves everything as it was.
  std::function<result<std::vector<std::string>>()> reload;
  audit_hook audit;
};

[[nodiscard]] std::vector<route> configuration_routes(configuration_sources sources);

} // namespace matricula::api
