/// The way back from an actor to a plain thread: a cell that is filled once, on which one thread waits.
/// A commit answers many threads at once. Each is woken by itself, so that nobody wakes in vain, but only after the last
/// cell of the group is filled: a woken thread would else take the processor from the one that fills.
#pragma once
#include "foundation/error.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace matricula::runtime {

/// How the threads of one server wait for their cells and are woken. Lives as long as any cell.
class reply_gate {
public:
  /// Between the two calls, waking on this thread is put off, and done once at the end for all cells filled meanwhile.
  static void begin_group() noexcept;
  static void end_group() noexcept;

private:
  template <class T>
  friend class reply_cell;
  static void wake(std::atomic<std::uint32_t>& cell) noexcept;
  /// Blocks until woken, or `timeout` has passed, or at once when the cell is no longer `seen`.
  static void wait(std::atomic<std::uint32_t>& cell, std::uint32_t seen, std::chrono::nanoseconds timeout) noexcept;
};

/// Filled once by an actor or a commit's completion, read by one waiting thread.
template <class T>
class reply_cell {
public:
  explicit reply_cell(std::shared_ptr<reply_gate> gate) : gate_(std::move(gate)) {}

  /// The first delivery counts; later ones are ignored.
  void deliver(result<T> value) noexcept {
    // Somebody else delivers or has delivered: it stays his.
    auto now = state_.load(std::memory_order_relaxed);
    do {
      if ((now & (filling | full)) != 0) return;
    } while (!state_.compare_exchange_weak(now, now | filling, std::memory_order_acq_rel, std::memory_order_relaxed));
    value_.emplace(std::move(value));
    // From here on a waiter that sees the answer may drop the cell; only its address is used below.
    const auto before = state_.fetch_or(full, std::memory_order_acq_rel);
    if ((before & awaited) != 0) reply_gate::wake(state_);
  }
  [[nodiscard]] bool ready() const noexcept { return (state_.load(std::memory_order_acquire) & full) != 0; }
  /// @pre ready()
  [[nodiscard]] const result<T>& value() const noexcept { return *value_; }

  /// The value, or nothing when `timeout` passes first. @pre the cell has a gate.
  [[nodiscard]] const result<T>* wait_for(std::chrono::nanoseconds timeout) noexcept {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      const auto seen = state_.fetch_or(awaited, std::memory_order_acq_rel) | awaited;
      if ((seen & full) != 0) return &*value_;
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left <= std::chrono::nanoseconds{0}) return nullptr;
      reply_gate::wait(state_, seen, left);
    }
  }

private:
  static constexpr std::uint32_t filling = 1, full = 2, awaited = 4;
  std::shared_ptr<reply_gate> gate_;
  std::atomic<std::uint32_t> state_{0};
  std::optional<result<T>> value_;
};

/// The giver's end, carried in messages and completions. When the last copy goes without an answer (its actor crashed on
/// the message, or a mailbox was full), the waiting thread gets errc::unavailable at once instead of a timeout.
template <class T>
class reply_to {
public:
  reply_to() = default;
  explicit reply_to(std::shared_ptr<reply_cell<T>> cell) : guard_(std::make_shared<guard>(std::move(cell))) {}
  void deliver(result<T> value) const noexcept {
    if (guard_) guard_->cell->deliver(std::move(value));
  }
  [[nodiscard]] explicit operator bool() const noexcept { return guard_ != nullptr; }

private:
  struct guard {
    explicit guard(std::shared_ptr<reply_cell<T>> c) : cell(std::move(c)) {}
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;
    ~guard() {
      cell->deliver(fail(errc::unavailable, "The actor could not answer. Try again.", std::chrono::seconds(1)));
    }
    std::shared_ptr<reply_cell<T>> cell;
  };
  std::shared_ptr<guard> guard_;
};

/// Replies are never sent over the wire or kept in dead letters: the rest of the message is.
template <class Inspector, class T>
typename Inspector::result_type inspect(Inspector& f, reply_to<T>&) {
  return f();
}

}  // namespace matricula::runtime
