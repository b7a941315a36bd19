/// Producers and remote workers of no-op tasks, each with a connection of its own, from the first task to the last.
#pragma once
#include "bench/latencies.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace matricula::test {
class http_client;
class node_process;
struct http_answer;
} // namespace matricula::test

namespace matricula::bench {

struct lifecycle_waits {
  latencies queueing, leasing, reporting;
};

class lifecycle {
public:
  /// @param node has the worker type `noop`; it and `seen` live longer than this.
  lifecycle(const test::node_process& node, lifecycle_waits& seen) : node_(node), seen_(seen) {}

  /// Queues and works for `duration`, or until so many are queued; then the rest is worked off. Returns the rate, from
  /// the first task that is queued to the last that is done. Throws std::runtime_error when the node refuses anything.
  [[nodiscard]] double run(std::chrono::milliseconds duration, std::uint64_t tasks_max = UINT64_MAX);
  [[nodiscard]] std::uint64_t done() const noexcept { return done_; }

private:
  test::http_answer send(test::http_client& client, const std::string& target, const std::string& body, int status,
                         latencies& took);
  void produce(std::chrono::steady_clock::time_point until, std::uint64_t tasks_max);
  void work(const std::string& name);
  bool over();
  void guarded(const std::function<void()>& step);

  const test::node_process& node_;
  lifecycle_waits& seen_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t queued_ = 0, done_ = 0;
  std::size_t producers_done_ = 0;
  std::chrono::steady_clock::time_point last_done_;
  bool stopped_ = false;
  std::string failure_;
};

} // namespace matricula::bench
