#include "runtime/scheduler.hpp"

#include "foundation/log.hpp"
#include "runtime/json_text.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <stdexcept>

namespace matricula::runtime {

namespace {
/// More than one run a second for hours was missed: which one was the last does not matter any more.
constexpr int missed_runs_looked_at_max = 10'000;
} // namespace

scheduler::scheduler(caf::actor_config& cfg, child_context context, scheduler_options options)
    : supervised_actor(cfg, std::move(context)), options_(std::move(options)) {}

caf::behavior scheduler::make_behavior() {
  for (auto& spec : options_.jobs) {
    if (find(spec.name) != nullptr) throw std::invalid_argument("two scheduled jobs are called " + spec.name);
    jobs_.push_back(job{spec, {}, std::nullopt, {}});
  }
  // Completions come on other threads and may come late: they carry the incarnation that asked.
  options_.memory->load([self = address(), generation = generation()](result<schedule_memory::last_runs> runs) {
    if (const auto to = caf::actor_cast<caf::actor>(self))
      caf::anon_send(to, scheduler_loaded{generation,
                                          std::make_shared<const result<schedule_memory::last_runs>>(std::move(runs))});
  });
  return {
      [this](const scheduler_loaded& answer) { on_loaded(answer); },
      [this](const scheduler_tick& tick) {
        if (tick.number == tick_) look(); // timers cannot be cancelled
      },
      [this](const scheduler_remembered& answer) {
        auto* j = answer.generation == generation() ? find(answer.job) : nullptr;
        if (j == nullptr) return;
        j->last_error = answer.error;
        if (!answer.error.empty())
          log::warning("schedule.not_remembered", answer.error, {{"job", answer.job}});
        else if (answer.then_run)
          send_off(*j, *answer.then_run);
      },
      [this](const run_job_now& order) {
        auto* j = find(order.name);
        if (j == nullptr) return order.reply.deliver(fail(errc::not_found, "There is no such job."));
        const auto now = options_.clock->now();
        send_off(*j, {order.name, now, false, true});
        order.reply.deliver(now);
      },
  };
}

scheduler::job* scheduler::find(const std::string& name) {
  const auto found = std::ranges::find_if(jobs_, [&](const job& j) { return j.spec.name == name; });
  return found == jobs_.end() ? nullptr : &*found;
}

void scheduler::on_loaded(const scheduler_loaded& answer) {
  if (answer.generation != generation() || tick_ != 0) return;
  // Without knowing what ran nothing may run: let the supervisor try again.
  if (!*answer.runs) throw std::runtime_error("last runs could not be loaded: " + answer.runs->error().message);
  const auto now = options_.clock->now();
  for (auto& j : jobs_) {
    if (const auto known = (*answer.runs)->find(j.spec.name); known != (*answer.runs)->end()) {
      j.last = known->second;
    } else {
      // From now on it counts: a run missed in the first downtime is known as missed.
      j.last = now;
      remember(j, nullptr);
    }
    j.next = j.spec.when.next_after(j.last);
  }
  look();
}

void scheduler::look() {
  const auto now = options_.clock->now();
  const bool suspect = options_.clock->suspect();
  if (suspect && !was_suspect_)
    log::error("clock.suspect",
               "The clock jumped forward. Until an operator confirms it, decisions go on by the time that has passed, "
               "and jobs that need the true time wait.",
               {{"wall", to_rfc3339(options_.clock->wall())}, {"decisions", to_rfc3339(now)}});
  was_suspect_ = suspect;
  auto wait = options_.look_max;
  for (auto& j : jobs_) {
    if (suspect && j.spec.hold_while_clock_is_suspect) continue;
    look_at(j, now);
    if (j.next) wait = std::min(wait, std::max(*j.next - now, milliseconds{1}));
  }
  delayed_send(this, wait, scheduler_tick{++tick_});
}

void scheduler::look_at(job& j, timestamp now) {
  if (!j.next || *j.next > now) return;
  auto due = *j.next;
  int looked_at = 0;
  for (auto later = j.spec.when.next_after(due); later && *later <= now; later = j.spec.when.next_after(due)) {
    due = *later;
    if (++looked_at == missed_runs_looked_at_max) {
      due = now;
      break;
    }
  }
  const bool missed = now - due > options_.late_max;
  j.last = due;
  j.next = j.spec.when.next_after(due);
  if (missed && j.spec.on_missed == missed_run::skip) {
    log::info("schedule.skipped", "A missed run is skipped.", {{"job", j.spec.name}, {"run", to_rfc3339(due)}});
    remember(j, nullptr);
    return;
  }
  run(j, {j.spec.name, due, missed, false});
}

void scheduler::run(job& j, scheduled_run what) {
  if (j.spec.on_missed == missed_run::catch_up) {
    send_off(j, what);
    remember(j, nullptr);
  } else {
    remember(j, std::make_shared<const scheduled_run>(std::move(what)));
  }
}

void scheduler::remember(const job& j, std::shared_ptr<const scheduled_run> then_run) {
  options_.memory->remember(
      j.spec.name, j.last,
      [self = address(), generation = generation(), name = j.spec.name, run = std::move(then_run)](result<void> how) {
        if (const auto to = caf::actor_cast<caf::actor>(self))
          caf::anon_send(to, scheduler_remembered{generation, name, how ? std::string{} : how.error().message, run});
      });
}

void scheduler::send_off(const job& j, const scheduled_run& what) const {
  caf::anon_send(j.spec.to, j.spec.make(what));
}

std::string scheduler::describe() const {
  json_array jobs;
  for (const auto& j : jobs_) {
    json_object one;
    one.add("name", j.spec.name).add("cron", j.spec.when.text()).add("time_zone", j.spec.when.time_zone());
    one.add("on_missed", j.spec.on_missed == missed_run::catch_up ? "catch_up" : "skip");
    if (j.last != timestamp{}) one.add("last_run", to_rfc3339(j.last));
    if (j.next) one.add("next_run", to_rfc3339(*j.next));
    if (!j.last_error.empty()) one.add("last_error", j.last_error);
    jobs.add_raw(one.str());
  }
  json_object out;
  out.add("clock_suspect", options_.clock->suspect()).add_raw("jobs", jobs.str());
  return out.str();
}

} // namespace matricula::runtime
