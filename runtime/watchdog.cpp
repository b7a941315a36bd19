#include "runtime/watchdog.hpp"

#include <fmt/format.h>

namespace matricula::runtime {

void watchdog::check() {
  const auto now = shared_->time->monotonic();
  for (const auto& actor : shared_->actors->list()) {
    const auto stats = shared_->actors->stats(actor.path);
    if (!stats) continue;
    const auto since = stats->busy_since_ns.load(std::memory_order_acquire);
    const auto busy_for = now - nanoseconds{since};
    if (since == 0 || busy_for < options_.stuck_after) {
      if (episodes_.erase(actor.path) > 0) stats->stuck = false;
      continue;
    }
    auto [known, fresh] = episodes_.try_emplace(actor.path, episode{since, false});
    if (!fresh && known->second.busy_since_ns != since) {
      known->second = {since, false};
      fresh = true;
    }
    const auto* with = stats->busy_with.load();
    const auto what = fmt::format("{} handles a message of type {} for {} ms now.", actor.path,
                                  with != nullptr ? *with : std::string{"?"},
                                  std::chrono::duration_cast<milliseconds>(busy_for).count());
    if (fresh) {
      stats->stuck = true;
      shared_->raise({"stuck_actor", actor.path, what});
    }
    if (busy_for >= options_.stuck_after_max && !known->second.fatal) {
      known->second.fatal = true;
      shared_->fatal(what);
    }
  }
}

watchdog_thread::watchdog_thread(std::shared_ptr<const services> shared, watchdog_options options)
    : dog_(std::move(shared), options), thread_([this, every = options.check_every](const std::stop_token& stop) {
        std::unique_lock lock{mutex_};
        while (!stop.stop_requested()) {
          wake_.wait_for(lock, stop, every, [] { return false; });
          if (!stop.stop_requested()) dog_.check();
        }
      }) {}

watchdog_thread::~watchdog_thread() = default;

} // namespace matricula::runtime
