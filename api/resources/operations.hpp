/// How the node is: /healthz, /readyz, /metrics, /openapi.yaml.
#pragma once
#include "api/route.hpp"
#include "foundation/metrics.hpp"

#include <functional>
#include <string>
#include <vector>

namespace matricula::api {

struct readiness_check {
  std::string name;
  std::function<result<void>()> check; ///< never blocks; thread safe; its error says what is missing
};

struct operations_sources {
  std::vector<readiness_check> ready;
  const metrics* numbers = nullptr;                  ///< required; lives longer than the routes
  std::vector<std::function<void()>> before_metrics; ///< bring gauges up to date; thread safe
};

[[nodiscard]] std::vector<route> operations_routes(operations_sources sources);

} // namespace matricula::api
