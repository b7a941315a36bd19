/// The alerts of a node: its rules, what they read, and its sinks, as the settings have them.
#pragma once
#include "actors/alerts/alerts_context.hpp"
#include "actors/alerts/door.hpp"
#include "actors/identifiers/capacity_keeper.hpp"
#include "actors/identifiers/door.hpp"
#include "actors/tasks/queue_context.hpp"
#include "commands/bridges.hpp"
#include "config/settings.hpp"
#include "foundation/metrics.hpp"
#include "runtime/services.hpp"
#include "storage/disk_guard.hpp"
#include "storage/local_log.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace matricula::commands {

[[nodiscard]] std::vector<alerts::rule> alert_rules(const config::settings& s);

/// Ages and counts of the queues of tasks.
[[nodiscard]] actors::reading_source readings_of_tasks(std::shared_ptr<const actors::queue_context> queue);
/// Levels of the pools, against the limits in force.
[[nodiscard]] actors::reading_source
readings_of_pools(std::vector<std::shared_ptr<const actors::type_context>> issuers);
/// What of each type is used. @param capacities asked with every beat; null while there is none
[[nodiscard]] actors::reading_source
readings_of_capacity(std::function<const actors::capacity_keeper*()> capacities,
                     std::vector<std::shared_ptr<const actors::type_context>> issuers);
/// The disk and the commit log; both live longer.
[[nodiscard]] actors::reading_source readings_of_storage(const storage::disk_guard& guard,
                                                         const storage::local_log& log);
/// Calls of generators for registrants of which nobody knows how they ended.
[[nodiscard]] actors::reading_source readings_of_registrants(std::shared_ptr<const actors::queue_context> queue);
/// Whether each bridge can work, and its own calls of that kind once it has counted them.
/// @param running asked with every beat; null while there are no bridges
[[nodiscard]] actors::reading_source readings_of_bridges(std::function<const bridges*()> running);
/// How long each sink has failed. @param time lives longer
[[nodiscard]] actors::reading_source readings_of_sinks(std::vector<std::shared_ptr<actors::alert_sink>> sinks,
                                                       const clock& time);

/// Not started. Errors: invalid_argument (an address that is none), whatever reading a password file gives, and as
/// make_webhook. @param time lives longer
[[nodiscard]] result<std::vector<std::shared_ptr<actors::threaded_sink>>> make_alert_sinks(const config::settings& s,
                                                                                           const clock& time);

[[nodiscard]] alerts::rhythm rhythm_of(const config::alert_settings& s);

/// What the runtime alarms of becomes an alert that is over when nothing of the kind was heard for an hour. The text is
/// the kind alone: what an alarm says may quote anything.
void raise_alarm(const actors::alerts_context& alerts, const runtime::operator_alarm& alarm);

void publish_alerts(metrics& numbers, const actors::alert_door& door);

} // namespace matricula::commands
