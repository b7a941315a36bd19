#include "actors/tasks/queue_bounds.hpp"

#include "domain/registrants/registrant.hpp"

#include <algorithm>

namespace matricula::actors {

using namespace tasks;

namespace {

constexpr std::size_t row_of_a_try = 192; ///< in the history, without its error

} // namespace

std::size_t bytes_of_row(const task& t) {
  auto bytes = rows_of_a_task + t.payload.size() + t.result.size() + (t.worker_type.size() + t.lane.size()) * 4 +
               t.unique_key.size() + t.queued_by.size() + t.last_error.size() + row_of_a_try;
  for (const auto& a : t.history) bytes += row_of_a_try + a.error.size();
  return bytes;
}

std::size_t bytes_of_outcome(const outcome& how) {
  return how.kind == outcome_kind::done ? how.text.size() : 2 * std::min(how.text.size(), task::error_bytes_max);
}

std::size_t bytes_of_registrants(const std::vector<new_task>& wanted) {
  const auto of =
      std::ranges::count_if(wanted, [](const new_task& t) { return registrants::concerns_registrants(t.worker_type); });
  return static_cast<std::size_t>(of) * rows_of_a_registrant;
}

} // namespace matricula::actors
