// Parts of a bridge's transactions: what they do to one task, in OpenG2P's row and in the bridge's own.
#include "connectors/postgres/bridge.hpp"
#include "foundation/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace matricula::connectors::postgres {

namespace {

constexpr std::chrono::minutes others_told_every{1};

} // namespace

sql_result<std::optional<bridge::locked_task>> bridge::lock_task(const claim& c) {
  auto found = connection_->run(table_->of(c.what).lock, c.task);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  const auto subject = found->at(0, 2);
  return locked_task{found->flag(0, 0), found->number(0, 1),
                     subject ? std::optional<std::string>(*subject) : std::nullopt};
}

sql_result<std::optional<bridge::own_row>> bridge::lock_own(const claim& c) {
  auto found =
      connection_->run("SELECT tries, trying, attempts_seen FROM matricula.bridge_try WHERE task_table = $1 AND "
                       "step = $2 AND task_id = $3::bigint AND owner = $4 FOR UPDATE",
                       table_->name(), to_string(c.what), c.task, options_.owner);
  if (!found) return std::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return own_row{found->number(0, 0), found->flag(0, 1), found->number(0, 2)};
}

/// A try that began and of which no end is known counts: it was made.
sql_result<void> bridge::start_try(const claim& c, const own_row& own, std::int64_t attempts) {
  auto tries = own.tries;
  if (own.trying) {
    auto noted = connection_->run(table_->of(c.what).note_interrupt, c.task,
                                  "The bridge ended during this try; it is tried again.");
    if (!noted) return std::unexpected(noted.error());
    ++tries;
    attempts = noted->empty() ? attempts : noted->number(0, 0);
  }
  auto started = connection_->run("UPDATE matricula.bridge_try SET trying = true, tries = $4::integer, attempts_seen = "
                                  "$5::integer, lease_until = clock_timestamp() + $6::bigint * interval '1 ms' WHERE "
                                  "task_table = $1 AND step = $2 AND task_id = $3::bigint",
                                  table_->name(), to_string(c.what), c.task, tries, attempts, options_.lease);
  if (!started) return std::unexpected(started.error());
  return {};
}

/// False when the task is not PENDING any more: then it stays as another left it.
sql_result<bool> bridge::complete(const claim& c) {
  auto done = connection_->run(table_->of(c.what).complete, c.task);
  if (!done) return std::unexpected(done.error());
  return !done->empty();
}

/// In the older generation completing the first step is what queues the second.
sql_result<void> bridge::queue_update(std::int64_t registrant, bool unless_there) {
  if (table_->queue_update.empty()) return {};
  if (unless_there) {
    auto there = connection_->run(table_->has_update, registrant);
    if (!there) return std::unexpected(there.error());
    if (!there->empty()) return {};
  }
  auto queued = connection_->run(table_->queue_update, fmt::format("{{\"registrant_id\": {}}}", registrant));
  if (!queued) {
    // A sequence that is behind says so, too; it has nothing to do with identifiers.
    auto why = queued.error();
    if (why.what == failure::not_unique) why.what = failure::refused;
    return std::unexpected(std::move(why));
  }
  return {};
}

sql_result<void> bridge::complete_without_call(transaction tx, const claim& c, std::int64_t registrant,
                                               bool update_was_queued) {
  if (!update_was_queued)
    if (auto queued = queue_update(registrant, true); !queued) return queued;
  const auto completed = complete(c);
  if (!completed) return std::unexpected(completed.error());
  if (auto forgotten = forget(c); !forgotten) return forgotten;
  if (auto done = tx.commit(); !done) return done;
  note([&](bridge_report& r) { r.did.tasks_completed += *completed ? 1 : 0; });
  return {};
}

sql_result<void> bridge::forget(const claim& c) {
  auto gone = connection_->run("DELETE FROM matricula.bridge_try WHERE task_table = $1 AND step = $2 AND task_id = "
                               "$3::bigint AND owner = $4",
                               table_->name(), to_string(c.what), c.task, options_.owner);
  if (!gone) return std::unexpected(gone.error());
  return {};
}

sql_result<void> bridge::postpone(const claim& c, milliseconds by, bool try_is_over) {
  auto done =
      connection_->run("UPDATE matricula.bridge_try SET owner = NULL, lease_until = NULL, trying = trying AND NOT "
                       "$6::boolean, due_at = clock_timestamp() + $5::bigint * interval '1 ms' WHERE task_table = "
                       "$1 AND step = $2 AND task_id = $3::bigint AND owner = $4",
                       table_->name(), to_string(c.what), c.task, options_.owner, by, try_is_over);
  if (!done) return std::unexpected(done.error());
  return {};
}

/// Counts one try, in OpenG2P's row and in ours, and decides whether there is another one.
sql_result<void> bridge::fail_try(const claim& c, bool for_good, std::string_view error,
                                  std::optional<milliseconds> try_again) {
  const auto own = lock_own(c);
  if (!own) return std::unexpected(own.error());
  if (!*own) return {}; // given up: whoever has it now counts
  const auto tries = static_cast<std::uint32_t>((**own).tries + 1);
  const bool failed = for_good || tries >= options_.retry.tries_max;
  auto counted = connection_->run(table_->of(c.what).try_failed, c.task, failed ? "FAILED" : "PENDING", error);
  if (!counted) return std::unexpected(counted.error());
  note([&](bridge_report& r) {
    ++r.did.tries_failed;
    r.did.tasks_failed += failed && !counted->empty() ? 1 : 0;
  });
  if (counted->empty() || counted->number(0, 0) != (**own).attempts_seen + 1) saw_others(c);
  if (failed || counted->empty()) return forget(c);
  const auto pause = std::max(backoff(options_.retry, tries, random_), try_again.value_or(milliseconds{0}));
  auto kept = connection_->run("UPDATE matricula.bridge_try SET tries = $5::integer, attempts_seen = $6::integer WHERE "
                               "task_table = $1 AND step = $2 AND task_id = $3::bigint AND owner = $4",
                               table_->name(), to_string(c.what), c.task, options_.owner, tries, counted->number(0, 0));
  if (!kept) return std::unexpected(kept.error());
  return postpone(c, pause, true);
}

void bridge::saw_others(const claim& c) {
  note([](bridge_report& r) { ++r.did.seen_others; });
  if (told_others_at_.count() >= 0 && now() - told_others_at_ < others_told_every) return;
  told_others_at_ = now();
  log::warning(
      "bridge.other_worker",
      "Another worker changes tasks of this table, perhaps OpenG2P's own; docs/bridge.md says how to switch over.",
      {{"bridge", options_.name}, {"task", c.task}});
}

void bridge::list_in_log(const claim& c, std::string_view reason) {
  note([](bridge_report& r) { ++r.did.doubts_listed; });
  log::warning("bridge.in_doubt", reason,
               {{"bridge", options_.name}, {"task", c.task}, {"generator", options_.generator}});
}

} // namespace matricula::connectors::postgres
