/// Finds handlers that do not return. CAF cannot end them, so the node raises an alarm, and at last ends the process.
#pragma once
#include "runtime/registry.hpp"
#include "runtime/services.hpp"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace matricula::runtime {

struct watchdog_options {
  milliseconds stuck_after{5'000};      ///< one handler runs so long: alarm "stuck_actor", once an episode
  milliseconds stuck_after_max{60'000}; ///< then services::on_fatal, once
  milliseconds check_every{1'000};      ///< by watchdog_thread
};

/// `check` looks at counters only; it works while every worker thread is blocked. Not thread safe.
class watchdog {
public:
  watchdog(std::shared_ptr<const services> shared, watchdog_options options)
      : shared_(std::move(shared)), options_(options) {}
  void check();

private:
  struct episode {
    std::int64_t busy_since_ns = 0;
    bool fatal = false;
  };
  std::shared_ptr<const services> shared_;
  watchdog_options options_;
  std::map<std::string, episode> episodes_;
};

/// Checks on a thread of its own, until destroyed. It also keeps the registry's rates sampled.
class watchdog_thread {
public:
  watchdog_thread(std::shared_ptr<const services> shared, watchdog_options options);
  ~watchdog_thread();
  watchdog_thread(const watchdog_thread&) = delete;
  watchdog_thread& operator=(const watchdog_thread&) = delete;

private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  watchdog dog_;
  std::jthread thread_;
};

} // namespace matricula::runtime
