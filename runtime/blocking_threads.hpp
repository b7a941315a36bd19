/// Threads for work that blocks, such as a call of another system: actors share few threads and must not.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace matricula::runtime {

class blocking_threads {
public:
  /// @param threads 1 or more
  explicit blocking_threads(std::size_t threads);
  /// Waits for the work that has begun; what waits is dropped.
  ~blocking_threads();
  blocking_threads(const blocking_threads&) = delete;
  blocking_threads& operator=(const blocking_threads&) = delete;

  /// Does `work` as soon as a thread is free. It throws nothing.
  void post(std::function<void()> work);

private:
  void run();

  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

} // namespace matricula::runtime
