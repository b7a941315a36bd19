#include "runtime/telemetry.hpp"

#include "foundation/metrics.hpp"
#include "runtime/registry.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

namespace matricula::runtime {

namespace {
/// A Prometheus counter that follows one of ours.
struct followed {
  prometheus::Counter& counter;
  std::uint64_t published = 0;
  void follow(std::uint64_t now) {
    if (now > published) counter.Increment(static_cast<double>(now - published));
    published = std::max(now, published);
  }
};

double seconds(std::chrono::nanoseconds t) { return std::chrono::duration<double>(t).count(); }
} // namespace

struct telemetry::actor_series {
  actor_series(metrics& to, const metrics::labels& with)
      : mailbox(to.gauge("matricula_actor_mailbox_messages", "User messages waiting for an actor", with)),
        running(to.gauge("matricula_actor_running", "1 when an actor runs", with)),
        busy(to.gauge("matricula_actor_busy_seconds", "How long the present handler has been running", with)),
        handled{to.counter("matricula_actor_messages_total", "Messages handled", with)},
        rejected{to.counter("matricula_actor_rejected_total", "Messages refused: full, stopped or poisonous", with)},
        crashes{to.counter("matricula_actor_crashes_total", "Handlers and starts that failed", with)},
        restarts{to.counter("matricula_actor_restarts_total", "Restarts after failures", with)} {}
  prometheus::Gauge& mailbox;
  prometheus::Gauge& running;
  prometheus::Gauge& busy;
  followed handled;
  followed rejected;
  followed crashes;
  followed restarts;
  std::array<std::uint64_t, handler_times::buckets> times{};
  std::chrono::nanoseconds time_total{0};
};

struct telemetry::kind_series {
  prometheus::Histogram& handler_seconds;
};

telemetry::telemetry(const registry& actors, metrics& to) : actors_(actors), to_(to) {}
telemetry::~telemetry() = default;

void telemetry::publish() {
  const auto& bounds = metrics::seconds_bounds();
  const std::lock_guard guard{mutex_};
  for (const auto& actor : actors_.list()) {
    auto& series = by_path_[actor.path];
    if (!series)
      series = std::make_unique<actor_series>(to_, metrics::labels{{"actor", actor.path}, {"kind", actor.kind}});
    series->mailbox.Set(static_cast<double>(actor.depth));
    series->running.Set(actor.state == actor_state::running ? 1 : 0);
    series->busy.Set(seconds(actor.busy_for));
    series->handled.follow(actor.handled);
    series->rejected.follow(actor.rejected + actor.poisonous);
    series->crashes.follow(actor.crashes);
    series->restarts.follow(actor.restarts);

    const auto stats = actors_.stats(actor.path);
    if (!stats) continue;
    auto& kind = by_kind_[actor.kind];
    if (!kind)
      kind = std::make_unique<kind_series>(kind_series{
          to_.histogram("matricula_actor_handler_seconds", "Time in handlers", bounds, {{"kind", actor.kind}})});
    // Each fine bucket goes to the first coarse one that holds all of it.
    std::vector<double> increments(bounds.size() + 1, 0);
    bool any = false;
    for (std::size_t i = 0; i < handler_times::buckets; ++i) {
      const auto now = stats->times.in_bucket(i);
      const auto fresh = now - series->times[i];
      if (fresh == 0) continue;
      any = true;
      series->times[i] = now;
      const auto at = std::ranges::lower_bound(bounds, seconds(handler_times::upper_bound(i)));
      increments[static_cast<std::size_t>(at - bounds.begin())] += static_cast<double>(fresh);
    }
    if (!any) continue;
    const auto total = stats->times.total();
    kind->handler_seconds.ObserveMultiple(increments, seconds(total - series->time_total));
    series->time_total = total;
  }
}

} // namespace matricula::runtime
