#include "actors/schedule_book.hpp"

#include "storage/schedules.hpp"

namespace matricula::actors {

namespace {
constexpr storage::shard_id schedules_shard{0};
}

schedule_book::schedule_book(storage::commit_log& log) : notes_(log, schedules_shard, "schedules") {}

void schedule_book::load(std::function<void(result<last_runs>)> done) {
  const auto rows = notes_.rows();
  if (!rows) return done(std::unexpected(rows.error()));
  const auto found = storage::schedules::list(**rows, schedules_shard);
  if (!found) return done(std::unexpected(found.error()));
  last_runs runs;
  for (const auto& run : *found) runs[run.name] = run.due;
  done(std::move(runs));
}

void schedule_book::remember(const std::string& job, timestamp last_run, std::function<void(result<void>)> done) {
  notes_.write(
      [job, last_run](const storage::view& rows, storage::batch& to) -> result<void> {
        auto before = storage::schedules::get(rows, schedules_shard, job);
        if (!before) return std::unexpected(before.error());
        auto now = before->value_or(storage::schedules::last_run{});
        now.name = job;
        now.due = now.started = last_run;
        ++now.runs;
        storage::schedules::put(to, now);
        return {};
      },
      [done = std::move(done)](result<void> how) noexcept { done(std::move(how)); });
}

} // namespace matricula::actors
