#include "runtime/reply.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <vector>

namespace matricula::runtime {

namespace {
using word = std::atomic<std::uint32_t>;
thread_local int group_depth = 0;
thread_local std::vector<word*> put_off;

long futex(word& at, int op, std::uint32_t value, const timespec* timeout) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&at), op, value, timeout, nullptr, 0);
}
} // namespace

void reply_gate::wake(word& cell) noexcept {
  // The cell may go before its waiter is woken: its thread has then looked by itself. Waking reads no memory, and whoever
  // waits at the same address for something else looks again, as after every wait.
  if (group_depth > 0)
    put_off.push_back(&cell);
  else
    futex(cell, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr);
}

void reply_gate::begin_group() noexcept { ++group_depth; }

void reply_gate::end_group() noexcept {
  if (--group_depth > 0) return;
  for (auto* cell : put_off) futex(*cell, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr);
  put_off.clear();
}

void reply_gate::wait(word& cell, std::uint32_t seen, std::chrono::nanoseconds timeout) noexcept {
  const timespec ts{static_cast<time_t>(timeout.count() / 1'000'000'000),
                    static_cast<long>(timeout.count() % 1'000'000'000)};
  futex(cell, FUTEX_WAIT_PRIVATE, seen, &ts);
}

} // namespace matricula::runtime
