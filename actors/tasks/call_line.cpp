#include "actors/tasks/call_line.hpp"

#include <exception>
#include <utility>

namespace matricula::actors {

bool call_line::enter(std::function<void()> begin, std::function<void()> never) {
  {
    const std::lock_guard guard(mutex_);
    if (busy_ >= places_ && waiting_.size() >= waiting_max_ && !*closing_) return false;
    waiting_.push_back({std::move(begin), std::move(never)});
  }
  let_in();
  return true;
}

void call_line::leave() {
  {
    const std::lock_guard guard(mutex_);
    --busy_;
  }
  let_in();
}

void call_line::let_in() {
  std::unique_lock lock(mutex_);
  if (std::exchange(letting_in_, true)) return;
  while (!waiting_.empty() && (busy_ < places_ || *closing_)) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    const bool may = !*closing_;
    if (may) ++busy_;
    lock.unlock();
    // It may leave again before it returns.
    (may ? next.begin : next.never)();
    lock.lock();
  }
  letting_in_ = false;
}

void handler_in_line::run(const leased_task& what, done_callback done) {
  // Weak: who waits in the line must not keep it.
  const auto over = [line = std::weak_ptr(line_), done](task_end end) {
    done(std::move(end));
    if (const auto still = line.lock()) still->leave();
  };
  const bool waits = line_->enter(
      [inner = inner_, what, over, elsewhere = elsewhere_] {
        elsewhere([inner, what, over] {
          try {
            inner->run(what, over);
          } catch (const std::exception& e) {
            over(task_end::transient(std::string("The handler failed: ") + e.what()));
          }
        });
      },
      [done] { done(task_end::not_yet("The node is stopping.", milliseconds{0})); });
  if (!waits) done(task_end::not_yet("Too many others wait for its generator."));
}

} // namespace matricula::actors
