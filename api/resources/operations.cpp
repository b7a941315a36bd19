#include "api/resources/operations.hpp"

#include "api/json_writer.hpp"
#include "api/openapi.hpp"

#include <memory>

namespace matricula::api {

namespace {
/// The names of the checks that passed, or 503 with the reason of each that did not.
outcome<response> readiness(const std::vector<readiness_check>& checks) {
  json::writer w;
  w.begin_object().member("ready", true).key("checks").begin_array();
  std::string missing;
  for (const auto& [name, check] : checks) {
    if (const auto ok = check(); !ok)
      missing.append(missing.empty() ? "" : " ").append(name).append(": ").append(ok.error().message);
    w.value(name);
  }
  if (!missing.empty())
    return std::unexpected(refusal(error{errc::unavailable, "Not ready. " + missing, std::nullopt}));
  w.end_array().end_object();
  return response{.body = std::move(w).str()};
}

/// These answer whatever the load, or nobody could see what it is.
route under_load(std::string path, std::string scope, std::function<outcome<response>(const request&)> handle) {
  route r{"GET", std::move(path), std::move(scope), std::move(handle)};
  r.under_load = true;
  return r;
}
} // namespace

std::vector<route> operations_routes(operations_sources sources) {
  require(sources.numbers != nullptr, "operations_routes needs the metrics");
  const auto shared = std::make_shared<const operations_sources>(std::move(sources));
  std::vector<route> routes{
      under_load("/healthz", "", [](const request&) { return response{.body = R"({"status":"ok"})"}; }),
      under_load("/readyz", "", [shared](const request&) { return readiness(shared->ready); }),
      under_load("/metrics", "metrics:read",
                 [shared](const request&) {
                   for (const auto& update : shared->before_metrics) update();
                   return response{.body = shared->numbers->render(), .content_type = "text/plain; version=0.0.4"};
                 }),
      under_load("/openapi.yaml", "",
                 [](const request&) {
                   return response{.body = std::string(openapi_yaml), .content_type = "application/yaml"};
                 }),
  };
  // How the node is can be seen even when every thread is busy. Metrics read rows.
  for (auto& one : routes) one.waits = one.path == "/metrics";
  return routes;
}

} // namespace matricula::api
