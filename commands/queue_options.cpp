#include "commands/queue_options.hpp"

#include <chrono>

namespace matricula::commands {

actors::queue_context queue_context_of(const config::task_settings& s) {
  actors::queue_context cx;
  cx.part = storage::tasks_of_node();
  cx.ageing = std::chrono::seconds(s.ageing_seconds);
  cx.retention.completed = std::chrono::hours(s.completed_retention_hours);
  cx.retention.cancelled = std::chrono::hours(s.cancelled_retention_hours);
  cx.retention.failed = std::chrono::days(s.failed_retention_days);
  for (const auto& [name, type] : s.types) {
    if (!type.enabled) continue;
    cx.types.push_back({.name = name,
                        .retry = {.tries_max = type.max_attempts,
                                  .backoff_first = milliseconds{type.backoff_first_ms},
                                  .backoff_max = milliseconds{type.backoff_max_ms},
                                  .not_yet = milliseconds{type.not_yet_ms}},
                        .lease = std::chrono::seconds(type.lease_seconds),
                        .running_max = type.running_max,
                        .starts_per_s = type.starts_per_s});
  }
  return cx;
}

} // namespace matricula::commands
