#include "runtime/reply.hpp"

#include <climits>

#include <algorithm>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace matricula::runtime {

namespace {

/// A wake-up of the threads that wait for cells of these seats.
struct wake_up {
  std::atomic<std::uint32_t>* word; ///< only its address is used: the gate may be gone
  std::uint32_t seats;
};
thread_local int group_depth = 0;
thread_local std::vector<wake_up> put_off;
thread_local std::vector<std::shared_ptr<reply_listener>> listeners_put_off;

long futex(std::atomic<std::uint32_t>& word, int op, std::uint32_t value, const timespec* until,
           std::uint32_t seats) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), op | FUTEX_PRIVATE_FLAG, value, until, nullptr,
                 seats);
}

} // namespace

std::uint32_t reply_gate::take_seat() noexcept {
  // Neighbours share a seat: 64 waiting threads then have two each, and a group takes a run of seats.
  return 1U << (next_seat_.fetch_add(1, std::memory_order_relaxed) / 2 % 32);
}

void reply_gate::open(std::uint32_t seat) noexcept {
  epoch_.fetch_add(1, std::memory_order_release);
  if (group_depth == 0) {
    futex(epoch_, FUTEX_WAKE_BITSET, INT_MAX, nullptr, seat);
    return;
  }
  const auto same = std::ranges::find(put_off, &epoch_, &wake_up::word);
  if (same != put_off.end())
    same->seats |= seat;
  else
    put_off.push_back({&epoch_, seat});
}

void reply_gate::begin_group() noexcept { ++group_depth; }

void reply_gate::end_group() noexcept {
  if (--group_depth > 0) return;
  for (const auto& w : put_off) futex(*w.word, FUTEX_WAKE_BITSET, INT_MAX, nullptr, w.seats);
  put_off.clear();
  for (const auto& one : listeners_put_off) one->wake();
  listeners_put_off.clear();
}

void reply_notice::tell() const noexcept {
  to->note(token);
  if (group_depth == 0)
    to->wake();
  else if (std::ranges::find(listeners_put_off, to) == listeners_put_off.end())
    listeners_put_off.push_back(to);
}

void reply_gate::wait(std::uint32_t seen, std::uint32_t seat, std::chrono::steady_clock::time_point until) noexcept {
  const auto ns = until.time_since_epoch() / std::chrono::nanoseconds{1};
  const timespec at{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  futex(epoch_, FUTEX_WAIT_BITSET, seen, &at, seat);
}

} // namespace matricula::runtime
