#include "api/worker_pool.hpp"

#include <algorithm>

namespace matricula::api {

worker_pool::worker_pool(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max), free_(threads) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

worker_pool::~worker_pool() { finish(); }

bool worker_pool::offer(std::function<void()> job) {
  {
    const std::scoped_lock hold(guard_);
    if (jobs_.size() >= free_ + waiting_max_) return false;
    jobs_.push_back(std::move(job));
    waiting_.store(jobs_.size() > free_ ? jobs_.size() - free_ : 0);
  }
  changed_.notify_one();
  return true;
}

void worker_pool::work() {
  std::unique_lock hold(guard_);
  for (;;) {
    changed_.wait(hold, [this] { return !jobs_.empty() || finishing_; });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    --free_;
    waiting_.store(jobs_.size() > free_ ? jobs_.size() - free_ : 0);
    hold.unlock();
    job();
    job = nullptr;
    hold.lock();
    ++free_;
    waiting_.store(jobs_.size() > free_ ? jobs_.size() - free_ : 0);
  }
}

void worker_pool::finish() {
  {
    const std::scoped_lock hold(guard_);
    finishing_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

} // namespace matricula::api
