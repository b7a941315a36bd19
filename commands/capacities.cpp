#include "commands/capacities.hpp"

#include "api/resources/identifiers.hpp"

#include <fmt/format.h>
#include <prometheus/gauge.h>

#include <limits>

namespace matricula::commands {

std::vector<std::uint32_t> capacity_thresholds(const config::identifier_settings& s) {
  return {s.capacity_warning_percent, s.capacity_critical_percent};
}

std::unique_ptr<actors::capacity_keeper>
make_capacity_keeper(std::vector<std::shared_ptr<const actors::type_context>> types, storage::notebook& notes,
                     const config::identifier_settings& s, std::shared_ptr<const runtime::services> services) {
  const auto warn = [services = std::move(services)](const identifiers::id_type& type, std::uint32_t percent,
                                                     const actors::capacity_report& now) {
    std::string until;
    if (now.outlook.exhausted_at)
      until = fmt::format(" At the present rate the last one is used about {}.", to_rfc3339(*now.outlook.exhausted_at));
    services->raise(
        {"capacity", "identifiers/" + type.name,
         fmt::format("{} per cent of the identifiers of type '{}' are used: {} of {}{}.{} Configure a longer "
                     "type before they end.",
                     percent, type.name, now.used, now.capacity.exact ? "" : "about ",
                     api::whole_capacity(now.capacity.value), until)});
  };
  return std::make_unique<actors::capacity_keeper>(std::move(types), notes, capacity_thresholds(s), warn);
}

void publish_types(metrics& numbers, const actors::id_door& door, const actors::capacity_keeper& capacities) {
  for (const auto* type : door.types()) {
    const metrics::labels of{{"type", type->name}};
    const auto set = [&](const char* name, const char* help, double value) {
      numbers.gauge(name, help, of).Set(value);
    };
    const auto level = door.level(*type);
    set("matricula_ids_available", "Identifiers in memory or released.",
        static_cast<double>(level.fresh + level.released));
    if (const auto c = door.counters(*type)) {
      set("matricula_ids_in_use", "Identifiers issued and not ended.", static_cast<double>(c->issued + c->assigned));
      set("matricula_ids_issues", "Assignments ever made.", static_cast<double>(c->issues_total));
      set("matricula_ids_imported", "Identifiers issued elsewhere and loaded.", static_cast<double>(c->imported));
    }
    const auto now = capacities.report(*type);
    if (!now) continue;
    set("matricula_ids_used_ratio", "Used share of the type's capacity.", now->outlook.used_share);
    set("matricula_ids_capacity", "Valid identifiers there are.", now->capacity.value);
    set("matricula_ids_capacity_standard_error", "Of an estimated capacity; 0 when counted.",
        now->capacity.standard_error);
    set("matricula_ids_remaining", "What is left of the capacity.", now->outlook.remaining);
    set("matricula_ids_used_per_second", "Used up over the last day, imports apart.",
        now->per_second_of_day.value_or(0));
    set("matricula_ids_days_to_exhaustion", "At that rate; +Inf when nothing is being used up.",
        now->outlook.days_to_exhaustion.value_or(std::numeric_limits<double>::infinity()));
    set("matricula_ids_capacity_warning_percent", "Highest warning threshold that is reached; 0 for none.",
        now->outlook.warning.value_or(0));
  }
}

} // namespace matricula::commands
