#include "actors/alerts/alert_sink.hpp"

#include "foundation/log.hpp"
#include "foundation/thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace matricula::actors {

using alerts::delivery;
using alerts::notice;

struct threaded_sink::inside {
  inside(sink_options o, sink_functions f, const clock& t, std::unique_ptr<random_source> r)
      : options(std::move(o)), functions(std::move(f)), time(t), random(std::move(r)),
        line(options.waiting_max, options.retry) {}

  const sink_options options;
  const sink_functions functions;
  const clock& time;
  std::unique_ptr<random_source> random; ///< of the thread
  settled told;
  mutable std::mutex guard;
  std::condition_variable work;
  alerts::sink_line line;
  bool stopping = false;
  std::thread thread;

  void run();
  [[nodiscard]] delivery pass_on(const notice& n) const;
  void note(const delivery& how, const notice& n, std::uint32_t failures_before) const;
};

threaded_sink::threaded_sink(sink_options options, sink_functions functions, const clock& time,
                             std::unique_ptr<random_source> random)
    : in_(std::make_unique<inside>(std::move(options), std::move(functions), time, std::move(random))) {}

threaded_sink::~threaded_sink() { stop(); }

const std::string& threaded_sink::name() const noexcept { return in_->options.name; }
const std::string& threaded_sink::kind() const noexcept { return in_->options.kind; }

void threaded_sink::start(settled told) {
  in_->told = std::move(told);
  in_->thread = std::thread([in = in_.get()] { in->run(); });
}

void threaded_sink::ask_to_stop() {
  {
    const std::lock_guard hold(in_->guard);
    in_->stopping = true;
  }
  if (in_->functions.stop) in_->functions.stop();
  in_->work.notify_all();
}

void threaded_sink::stop() {
  ask_to_stop();
  if (in_->thread.joinable()) in_->thread.join();
  in_->told = nullptr; // it may hold what goes before this does
}

void threaded_sink::offer(notice n) noexcept {
  {
    const std::lock_guard hold(in_->guard);
    in_->line.add(std::move(n));
  }
  in_->work.notify_one();
}

alerts::sink_line::state threaded_sink::state() const {
  const std::lock_guard hold(in_->guard);
  return in_->line.now();
}

void threaded_sink::inside::run() {
  name_this_thread("alert-sink");
  std::unique_lock hold(guard);
  while (!stopping) {
    for (const auto& gone : line.take_dropped()) {
      hold.unlock();
      log::error("alerts.notice_dropped", "Too many notices waited for a sink that is down; this one will not come.",
                 {{"sink", options.name}, {"alert", gone.about.id}, {"notice", to_string(gone.kind)}});
      if (told) told(gone.about.id, options.name, gone.kind);
      hold.lock();
    }
    const auto now = time.monotonic();
    const auto* front = line.begin(now);
    if (front == nullptr) {
      if (const auto at = line.next_at())
        work.wait_for(hold, std::max<std::chrono::nanoseconds>(*at - now, milliseconds{1}));
      else
        work.wait(hold, [this] { return stopping || line.next_at(); });
      continue;
    }
    const auto n = *front;
    const auto failures = line.now().failures_in_a_row;
    hold.unlock();
    const auto how = pass_on(n);
    hold.lock();
    if (stopping && how.how == delivery::outcome::failed) return; // it may have been cut off
    line.settle(how, time.monotonic(), *random);
    hold.unlock();
    note(how, n, failures);
    if (how.how != delivery::outcome::failed && told) told(n.about.id, options.name, n.kind);
    hold.lock();
  }
}

delivery threaded_sink::inside::pass_on(const notice& n) const {
  try {
    return functions.send(functions.word(n));
  } catch (const std::exception&) {
    // What it says may hold anything.
    return {delivery::outcome::failed, "The sink's own program failed."};
  }
}

void threaded_sink::inside::note(const delivery& how, const notice& n, std::uint32_t failures_before) const {
  switch (how.how) {
  case delivery::outcome::done:
    if (failures_before > 0)
      log::info("alerts.sink_works", "The sink takes notices again.",
                {{"sink", options.name}, {"failures", failures_before}});
    return;
  case delivery::outcome::failed:
    // The first failure, then with each doubling: not a line a try.
    if ((failures_before & (failures_before + 1)) == 0)
      log::error("alerts.sink_failed", how.why + " It is tried again.",
                 {{"sink", options.name}, {"failures_in_a_row", failures_before + 1}});
    return;
  case delivery::outcome::refused:
    log::error("alerts.notice_refused", how.why + " This notice is not tried again.",
               {{"sink", options.name}, {"alert", n.about.id}, {"notice", to_string(n.kind)}});
    return;
  }
}

} // namespace matricula::actors
