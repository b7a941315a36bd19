#include "commands/tasks.hpp"

#include "domain/registrants/registrant.hpp"
#include "storage/registrants.hpp"

#include <prometheus/gauge.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace matricula::commands {

actors::queue_context queue_context_of(const config::settings& all) {
  const auto& s = all.tasks;
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
    // Each generator of another system has a queue of its own, so that a slow one keeps nobody else waiting.
    if (!registrants::concerns_registrants(name)) continue;
    const auto of_type = cx.types.back();
    for (const auto& [generator, of] : all.generators) {
      cx.types.push_back(of_type);
      cx.types.back().name = tasks::queue_name(name, generator);
    }
  }
  return cx;
}

namespace {
std::optional<tasks::task> row_of(const storage::view& rows, const storage::task_partition& part, std::uint64_t id) {
  if (id == 0) return std::nullopt;
  auto row = storage::find_task_row(storage::reader_of(rows), part, id);
  return row ? std::move(*row) : std::nullopt;
}
double seconds_since(timestamp then, timestamp now) {
  return std::max(0.0, std::chrono::duration<double>(now - then).count());
}
} // namespace

void publish_tasks(metrics& numbers, const actors::task_door& door, timestamp now) {
  using tasks::task_state;
  const auto rows = door.rows();
  for (const auto& [type, report] : door.reports()) {
    const metrics::labels of{{"worker_type", type}};
    for (const auto state :
         {task_state::pending, task_state::running, task_state::completed, task_state::failed, task_state::cancelled})
      numbers
          .gauge("matricula_tasks", "Tasks in a state; those that were purged are not among them.",
                 {{"worker_type", type}, {"state", std::string(tasks::to_string(state))}})
          .Set(static_cast<double>(report.counts.of(state)));
    const auto total = [&](const char* name, const char* help, std::uint64_t value) {
      numbers.set_total(name, help, static_cast<double>(value), of);
    };
    total("matricula_tasks_queued_total", "Tasks ever queued.", report.counts.queued_total);
    total("matricula_tasks_attempts_total", "Attempts that have ended, however that was.", report.counts.tries_total);
    total("matricula_tasks_purged_total", "Ended tasks that were kept for their time and are gone.",
          report.counts.purged_total);
    numbers.gauge("matricula_tasks_paused", "1 while the queue is paused: no attempt begins.", of)
        .Set(report.counts.paused ? 1 : 0);
    if (!rows) continue;
    const auto ready = row_of(**rows, door.part(), report.next_ready);
    const auto waits = row_of(**rows, door.part(), report.next_waiting);
    numbers
        .gauge("matricula_tasks_next_ready_age_seconds",
               "For how long the task that is begun next could have been begun; 0 when none can.", of)
        .Set(ready ? seconds_since(ready->due_at, now) : 0);
    numbers
        .gauge("matricula_tasks_next_queued_age_seconds",
               "How long ago the older one was queued of the task that is begun next and the one whose wait ends next; "
               "0 when there is none.",
               of)
        .Set(std::max(ready ? seconds_since(ready->queued_at, now) : 0,
                      waits ? seconds_since(waits->queued_at, now) : 0));
  }
}

void publish_registrants(metrics& numbers, const actors::registrant_door& door) {
  const auto rows = door.rows();
  if (!rows) return;
  const auto now = storage::find_registrant_numbers(storage::reader_of(**rows), door.part());
  if (!now) return;
  numbers.gauge("matricula_registrants", "Registrants ever created.").Set(static_cast<double>(now->created));
  numbers
      .gauge("matricula_generator_calls_in_doubt",
             "Calls of a generator of which nobody knows whether they consumed an identifier.")
      .Set(static_cast<double>(now->in_doubt));
}

} // namespace matricula::commands
