/// What the task queue and those who look at it share.
#pragma once
#include "domain/tasks/queue_counts.hpp"
#include "domain/tasks/retry_policy.hpp"
#include "foundation/clock.hpp"
#include "runtime/slot.hpp"
#include "storage/commit_log.hpp"
#include "storage/tasks.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace matricula::actors {

/// How long what has ended is kept; then it is purged.
struct task_retention {
  milliseconds completed{std::chrono::days{1}};
  milliseconds cancelled{std::chrono::days{1}};
  milliseconds failed{std::chrono::days{30}};
};

/// A kind of work, as the settings have it.
struct worker_type {
  std::string name; ///< a small letter, then 1 to 63 small letters, digits and _; of a lane: "type.lane"
  tasks::retry_policy retry;
  milliseconds lease{30'000};     ///< how long a worker may be silent
  std::uint32_t running_max = 0;  ///< tasks that run at once; 0: as many as `queue_context::running_most`
  std::uint32_t starts_per_s = 0; ///< tries begun a second; 0: no limit
};

/// What is known of a queue at a moment; the counters are durable or about to be.
struct queue_report {
  tasks::queue_counts counts;
  std::uint64_t next_ready = 0;   ///< the task that the next worker gets; 0: none is ready
  std::uint64_t next_waiting = 0; ///< the one whose time comes next; 0: none waits
};

/// What the queue last said, for metrics and for anybody who looks. Thread safe.
class queue_gauge {
public:
  void set(const std::string& type, queue_report now) {
    const std::lock_guard guard(mutex_);
    reports_[type] = now;
  }
  [[nodiscard]] std::map<std::string, queue_report> get() const {
    const std::lock_guard guard(mutex_);
    return reports_;
  }

private:
  mutable std::mutex mutex_;
  std::map<std::string, queue_report> reports_;
};

struct queue_context {
  storage::task_partition part;
  storage::commit_log* log = nullptr;
  decision_clock* time = nullptr;
  const clock* monotonic = nullptr;
  std::function<std::unique_ptr<random_source>()> make_random;
  std::vector<worker_type> types; ///< and their lanes, each like a type of its own
  task_retention retention;
  milliseconds ageing{10'000};      ///< a task goes before those of the next better priority that came so much later
  std::size_t window_rows = 10'000; ///< of an index, kept in memory
  /// Leases of a worker type, whatever its settings say: each takes some 300 bytes of memory.
  std::uint32_t running_most = 100'000;
  /// Of the tasks that run, so many bytes are kept in memory; the others are read again when they end.
  std::size_t running_bytes_max = std::size_t{32} << 20;
  std::shared_ptr<queue_gauge> gauge = std::make_shared<queue_gauge>();
  /// The node is stopping: no try begins any more.
  std::shared_ptr<std::atomic<bool>> closing = std::make_shared<std::atomic<bool>>(false);
  runtime::slot_ref queue;

  /// Of this life of the process: the first part of the names of its own workers. Empty: it has none.
  std::string life;

  /// Names of workers inside of a node begin so.
  static constexpr std::string_view inside = "inside-";
  /// Whether a worker of that name was inside of this node in an earlier life.
  [[nodiscard]] bool gone(std::string_view worker) const noexcept {
    return worker.starts_with(inside) && !life.empty() && !worker.substr(inside.size()).starts_with(life);
  }

  [[nodiscard]] const worker_type* find(std::string_view name) const noexcept {
    for (const auto& t : types)
      if (t.name == name) return &t;
    return nullptr;
  }
};

} // namespace matricula::actors
