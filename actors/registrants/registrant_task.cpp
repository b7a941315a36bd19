#include "actors/registrants/registrant_task.hpp"

#include "storage/registrants.hpp"

#include <fmt/format.h>

namespace matricula::actors {

std::expected<registrants::registrant, task_end> registrant_of_task(const queue_context& queue, const tasks::task& t) {
  const auto id = registrants::registrant_of_key(t.unique_key);
  if (!id) return std::unexpected(task_end::permanent(R"(The payload names no registrant: {"registrant_id": N}.)"));
  const auto rows = queue.log->read(queue.part.shard);
  if (!rows) return std::unexpected(task_end::transient(rows.error().message));
  auto found = storage::find_registrant(storage::reader_of(**rows), storage::registrants_of(queue.part), *id);
  if (!found) return std::unexpected(task_end::transient(found.error().message));
  if (!*found) return std::unexpected(task_end::permanent(fmt::format("There is no registrant {}.", *id)));
  return std::move(**found);
}

task_end no_generator(const registrants::registrant& r) {
  return task_end::permanent(
      fmt::format("No generator is called '{}', as the registrant's kind had it when it was created.", r.generator));
}

} // namespace matricula::actors
