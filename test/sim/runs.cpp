#include "test/sim/runs.hpp"

#include "storage/schedules.hpp"
#include "test/sim/sim_types.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::sim {

using runtime::missed_run;

namespace {

constexpr storage::shard_id schedules_shard{0};

const sim_job& spec_of(const std::string& name) {
  const auto found = std::ranges::find(sim_jobs(), name, &sim_job::name);
  require(found != sim_jobs().end(), "the simulation knows its jobs");
  return *found;
}

/// Whether a run is due after `last` and not after `now`.
bool due_between(const sim_job& spec, timestamp last, timestamp now) {
  const auto next = spec.when.next_after(last);
  return next && *next <= now;
}

} // namespace

const std::vector<sim_job>& sim_jobs() {
  static const std::vector<sim_job> all = [] {
    const auto cron = [](std::string_view text) {
      auto parsed = runtime::cron_expression::parse(text);
      require(parsed.has_value(), "the schedules of the simulation are schedules");
      return *parsed;
    };
    const auto type = [](std::string_view name) {
      const auto found = std::ranges::find(sim_types(), name, [](const sim_type& t) { return t.type.name; });
      return static_cast<std::size_t>(found - sim_types().begin());
    };
    return std::vector<sim_job>{
        {"expire/vid", cron("*/30 * * * * *"), missed_run::catch_up, true, type("vid")},
        {"expire/pass", cron("*/20 * * * * *"), missed_run::skip, true, type("pass")},
        {"expire/farmer", cron("0 * * * * *"), missed_run::catch_up, false, type("farmer")},
    };
  }();
  return all;
}

void runs::life_begins(const storage::view& durable) {
  alive_ = true;
  const auto rows = storage::schedules::list(durable, schedules_shard);
  if (!rows) return found_.add("the last runs cannot be read: " + rows.error().message);
  std::map<std::string, timestamp> stored;
  for (const auto& row : *rows) stored[row.name] = row.due;
  for (const auto& spec : sim_jobs()) {
    auto& j = jobs_[spec.name];
    const auto row = stored.find(spec.name);
    if (j.durable && (row == stored.end() || row->second < *j.durable))
      found_.add("that " + spec.name + " ran was remembered durably and is forgotten");
    if (row == stored.end()) continue;
    if (!j.asked.contains(row->second))
      found_.add(symptom::run_unasked, spec.name + " has a last run that the scheduler never named");
    j.durable = row->second;
  }
}

void runs::loaded(const runtime::schedule_memory::last_runs& known) {
  if (!alive_) return;
  for (const auto& spec : sim_jobs()) {
    auto& j = jobs_[spec.name];
    const auto run = known.find(spec.name);
    const auto last = run == known.end() ? std::nullopt : std::optional(run->second);
    j.known = last.has_value();
    j.latest = std::max(last, j.durable);
    if (j.durable && (!last || *last < *j.durable)) found_.add("the scheduler was not told that " + spec.name + " ran");
  }
}

void runs::check_due(const sim_job& spec, const job& j, timestamp due, timestamp now, bool held) {
  const auto wrong = [&](symptom kind, std::string_view what) {
    found_.add(kind, fmt::format("the run of {} at {} {}", spec.name, to_rfc3339(due), what));
  };
  if (due > now) wrong(symptom::run_unasked, "came too early");
  if (j.latest && due <= *j.latest) wrong(symptom::run_repeated, "was done before");
  if (held && spec.hold_while_clock_is_suspect) wrong(symptom::run_unasked, "came while the clock was suspect");
  if (due_between(spec, due, now)) wrong(symptom::run_unasked, "is not the latest of those that were missed");
  // After very many missed runs the present time stands for the last one.
  if (due != now && spec.when.next_after(due - milliseconds{1}) != due)
    wrong(symptom::run_unasked, "is not of its schedule");
}

void runs::asked_to_remember(const std::string& name, timestamp due, timestamp now, bool held) {
  if (!alive_) return;
  const auto& spec = spec_of(name);
  auto& j = jobs_[name];
  j.asked.try_emplace(due, now);
  if (!j.known) {
    // From now on it counts.
    j.known = true;
    j.beginnings.insert(due);
  } else if (spec.on_missed == missed_run::skip) {
    check_due(spec, j, due, now, held);
    if (now - due > late_max) ++skipped_;
  } else if (!j.sent.contains(due)) {
    found_.add(symptom::run_left_out,
               fmt::format("the run of {} at {} is remembered and was not made", name, to_rfc3339(due)));
  }
  j.latest = due;
}

void runs::remembered(const std::string& name, timestamp due) {
  if (!alive_) return;
  auto& j = jobs_[name];
  if (!j.durable || *j.durable < due) j.durable = due;
}

void runs::sent(const runtime::scheduled_run& run, timestamp now, bool held) {
  if (!alive_) return;
  const auto& spec = spec_of(run.job);
  auto& j = jobs_[run.job];
  const auto due = run.scheduled_for;
  const auto wrong = [&](symptom kind, std::string_view what) {
    found_.add(kind, fmt::format("the run of {} at {} {}", run.job, to_rfc3339(due), what));
  };
  const bool first = j.sent.insert(due).second;
  if (spec.on_missed == missed_run::catch_up) {
    check_due(spec, j, due, now, held);
    j.latest = due;
    if (run.caught_up != (now - due > late_max))
      wrong(symptom::run_unasked, "does not say truly whether it was missed");
    if (!first) ++sent_again_; // it was not remembered yet when the scheduler or the node ended
  } else {
    if (!first) wrong(symptom::run_repeated, "was made twice and may be made once at most");
    if (!j.durable || *j.durable < due) wrong(symptom::run_unasked, "was made before it was remembered");
    const auto asked = j.asked.find(due);
    if (asked == j.asked.end() || j.beginnings.contains(due) || asked->second - due > late_max)
      wrong(symptom::run_unasked, "was missed and should have been skipped");
  }
  ++(run.caught_up ? caught_up_ : sent_on_time_);
}

bool runs::up_to_date(timestamp now) const { return behind(now).empty(); }

std::string runs::behind(timestamp now) const {
  for (const auto& spec : sim_jobs()) {
    const auto j = jobs_.find(spec.name);
    if (j == jobs_.end() || !j->second.durable || due_between(spec, *j->second.durable, now)) return spec.name;
  }
  return {};
}

void watched_memory::load(std::function<void(result<last_runs>)> done) {
  real_->load([&known = known_, done = std::move(done)](result<last_runs> found) {
    if (found) known.loaded(*found);
    done(std::move(found));
  });
}

void watched_memory::remember(const std::string& job, timestamp last_run, std::function<void(result<void>)> done) {
  const auto at = now_();
  known_.asked_to_remember(job, last_run, at.now, at.held);
  real_->remember(job, last_run, [&known = known_, job, last_run, done = std::move(done)](result<void> how) {
    if (how) known.remembered(job, last_run);
    done(std::move(how));
  });
}

} // namespace matricula::sim
