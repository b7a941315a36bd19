/// What lies on the desk of a worker: the tries that it has in hand, and what has come in for it. It outlives the
/// worker, so that a new one goes on where the old one was when it died, and no try is lost with it. Thread safe.
#pragma once
#include "actors/tasks/task_handler.hpp"
#include "foundation/error.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace matricula::actors {

class worker_desk {
public:
  /// A try in the worker's hands.
  struct try_in_hand {
    leased_task what;
    bool begun = false;                  ///< its handler was called
    std::optional<task_end> over;        ///< its handler said so; the queue is to be told
    bool telling = false;                ///< somebody is being told, and has not answered
    bool too_late = false;               ///< its lease was over: only what a generator gave is still to be told
    bool renewing = false;               ///< the queue was asked for more time, and has not answered
    std::chrono::nanoseconds renew_at{}; ///< not earlier, on the monotonic clock
    std::chrono::nanoseconds tell_at{};  ///< not earlier
  };
  struct papers {
    std::map<std::uint64_t, try_in_hand> in_hand; ///< by token
    bool asking = false;                          ///< the queue was asked for tasks, and has not answered
    bool closing = false;                         ///< nothing is begun any more
    std::chrono::nanoseconds ask_at{};            ///< not earlier
    std::uint64_t ended = 0;                      ///< tries, ever
  };

  /// @param bell tells the worker that something came in; called on any thread
  explicit worker_desk(std::function<void()> bell) : bell_(std::move(bell)) {}

  /// Gives the papers to `read`, and returns what it returns. It calls nobody who may want them, too.
  template <class F>
  auto with(F read) {
    const std::lock_guard guard(mutex_);
    return read(papers_);
  }
  /// The same, and the worker is told. From any thread.
  template <class F>
  void put(F change) {
    {
      const std::lock_guard guard(mutex_);
      change(papers_);
    }
    emptier_.notify_all();
    ring();
  }
  void ring() {
    if (!rung_.exchange(true)) bell_();
  }
  /// The worker has come: the next one who puts something rings again.
  void answer_bell() noexcept { rung_ = false; }

  /// Waits until nothing is in hand. False: `until` came first.
  [[nodiscard]] bool wait_until_empty(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    return emptier_.wait_until(lock, until, [this] { return papers_.in_hand.empty(); });
  }

private:
  std::mutex mutex_;
  std::condition_variable emptier_;
  papers papers_;
  std::atomic<bool> rung_{false};
  std::function<void()> bell_;
};

} // namespace matricula::actors
