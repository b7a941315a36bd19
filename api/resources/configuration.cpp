#include "api/resources/configuration.hpp"

#include "api/json_writer.hpp"

#include <memory>

namespace matricula::api {

std::vector<route> configuration_routes(configuration_sources sources) {
  const auto shared = std::make_shared<const configuration_sources>(std::move(sources));
  const auto show = [shared](const request&) -> outcome<response> {
    json::writer w(4096);
    w.begin_object().key("settings").raw(shared->settings()).end_object();
    return response{.body = std::move(w).str()};
  };
  const auto reload = [shared](const request& from) -> outcome<response> {
    if (auto ok = audit_without_reason(from, "config.reload", "", shared->audit); !ok)
      return std::unexpected(ok.error());
    const auto changed = shared->reload();
    if (!changed) return std::unexpected(refusal(changed.error()));
    json::writer w;
    w.begin_object().key("changed").begin_array();
    for (const auto& key : *changed) w.value(key);
    w.end_array().end_object();
    return response{.body = std::move(w).str()};
  };
  return {
      {"GET", "/v1/config", "config:read", show},
      {"POST", "/v1/config/reload", "config:act", reload},
  };
}

} // namespace matricula::api
