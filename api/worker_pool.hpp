/// Threads that serve connections: a fixed number, with a bounded queue before them.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace matricula::api {

class worker_pool {
public:
  worker_pool(std::size_t threads, std::size_t waiting_max);
  /// As `finish`.
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// False, and nothing done, when every thread is busy and `waiting_max` jobs wait already.
  [[nodiscard]] bool offer(std::function<void()> job);
  /// Jobs that no thread has taken up yet and none is free for.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.load(); }
  /// Runs what waits and ends the threads. No `offer` afterwards.
  void finish();

private:
  void work();
  const std::size_t waiting_max_;
  std::mutex guard_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::size_t free_ = 0;
  bool finishing_ = false;
  std::atomic<std::size_t> waiting_{0};
  std::vector<std::thread> threads_;
};

} // namespace matricula::api
