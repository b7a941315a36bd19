#include "runtime/blocking_threads.hpp"

#include <utility>

namespace matricula::runtime {

blocking_threads::blocking_threads(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

blocking_threads::~blocking_threads() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  some_.notify_all();
  for (auto& t : threads_) t.join();
}

void blocking_threads::post(std::function<void()> work) {
  {
    const std::lock_guard guard(mutex_);
    if (stopping_) return;
    waiting_.push_back(std::move(work));
  }
  some_.notify_one();
}

void blocking_threads::run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      some_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

} // namespace matricula::runtime
