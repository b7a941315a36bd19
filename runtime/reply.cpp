#include "runtime/reply.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <vector>

namespace matricula::runtime {

namespace {
thread_local int group_depth = 0;
thread_local std::vector<reply_gate*> put_off;

void futex(std::atomic<std::uint32_t>& word, int op, std::uint32_t value, const timespec* timeout) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), op, value, timeout, nullptr, 0);
}
}  // namespace

void reply_gate::open() noexcept {
  epoch_.fetch_add(1, std::memory_order_release);
  if (group_depth > 0) {
    if (put_off.empty() || put_off.back() != this) put_off.push_back(this);
    return;
  }
  futex(epoch_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr);
}

void reply_gate::begin_group() noexcept { ++group_depth; }

void reply_gate::end_group() noexcept {
  if (--group_depth > 0) return;
  for (auto* gate : put_off) futex(gate->epoch_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr);
  put_off.clear();
}

void reply_gate::wait(std::uint32_t seen, std::chrono::nanoseconds timeout) noexcept {
  const timespec ts{static_cast<time_t>(timeout.count() / 1'000'000'000),
                    static_cast<long>(timeout.count() % 1'000'000'000)};
  futex(epoch_, FUTEX_WAIT_PRIVATE, seen, &ts);
}

}  // namespace matricula::runtime
