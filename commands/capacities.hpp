/// What an operator is told about how far the identifiers of each type last: alarms and metrics.
#pragma once
#include "actors/identifiers/capacity_keeper.hpp"
#include "actors/identifiers/door.hpp"
#include "config/settings.hpp"
#include "foundation/metrics.hpp"
#include "runtime/services.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace matricula::commands {

/// Per cent of the capacity, as set.
[[nodiscard]] std::vector<std::uint32_t> capacity_thresholds(const config::identifier_settings& s);

/// One that raises an alarm when a threshold is passed.
[[nodiscard]] std::unique_ptr<actors::capacity_keeper>
make_capacity_keeper(std::vector<std::shared_ptr<const actors::type_context>> types, storage::notebook& notes,
                     const config::identifier_settings& s, std::shared_ptr<const runtime::services> services);

/// Sets the metrics of every type to what they are now.
void publish_types(metrics& numbers, const actors::id_door& door, const actors::capacity_keeper& capacities);

} // namespace matricula::commands
