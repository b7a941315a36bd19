/// From settings to what talks to other systems.
#pragma once
#include "config/settings.hpp"
#include "connectors/webhook.hpp"
#include "domain/registrants/id_generator.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace matricula::commands {

/// The generator of `[generators.<name>]`. Reads its secret and its certificates; calls nobody. Addresses over plain
/// http that are not on this machine are told in the log: tokens and identifiers go over the wire as they are.
/// @param time must live longer
/// Errors: not_found (no generator of that name), invalid_argument, io, forbidden: each names the setting.
[[nodiscard]] result<std::unique_ptr<registrants::id_generator>>
make_generator(const config::settings& s, std::string_view name, const clock& time);

/// The webhook of `[webhooks.<name>]`. Errors: the same.
[[nodiscard]] result<std::unique_ptr<connectors::webhook>> make_webhook(const config::settings& s,
                                                                        std::string_view name, const clock& time);

/// Where a task's own address leads; nothing unless it is http:// or https://, HOST[:PORT] and a path.
[[nodiscard]] std::optional<connectors::http_location> location_of(std::string_view url);

} // namespace matricula::commands
