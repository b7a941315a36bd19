/// The way back from an actor to a plain thread: a cell that is filled once, and a gate before which threads wait for
/// their cells. A commit fills many cells at once and wakes all who wait for them, and nobody else, with one system
/// call: one call each would let every woken thread take the processor from the one that still has others to wake.
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

/// Shared by all cells of one server. Lives as long as any cell.
class reply_gate {
public:
  /// Between the two calls, waking on this thread is put off and done once at the end: one wake-up for a whole group.
  static void begin_group() noexcept;
  static void end_group() noexcept;

private:
  template <class T>
  friend class reply_cell;
  /// One of 32 seats, as a bit: in turn, since cells that are made one after the other are mostly filled together.
  [[nodiscard]] std::uint32_t take_seat() noexcept;
  /// Wakes the threads on `seat`; each looks whether its own cell is filled.
  void open(std::uint32_t seat) noexcept;
  /// Blocks until the seat is woken, `until` has passed, or at once when the epoch is no longer `seen`.
  void wait(std::uint32_t seen, std::uint32_t seat, std::chrono::steady_clock::time_point until) noexcept;
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::uint32_t> next_seat_{0};
};

/// Somebody who is told which cells were filled, so that no thread waits for each of them.
class reply_listener {
public:
  virtual ~reply_listener() = default;
  /// On the thread that filled the cell, which has others to fill: no more than a note. @param token the cell's
  virtual void note(std::uint64_t token) noexcept = 0;
  /// After one or more notes; once at the end of a group (see reply_gate).
  virtual void wake() noexcept = 0;
};

/// Whom a cell tells that it was filled, and as which of theirs.
struct reply_notice {
  std::shared_ptr<reply_listener> to;
  std::uint64_t token = 0;
  void tell() const noexcept;
};

/// Filled once by an actor or a commit's completion; read by one waiting thread, or by the listener that it tells.
template <class T>
class reply_cell {
public:
  explicit reply_cell(std::shared_ptr<reply_gate> gate)
      : gate_(std::move(gate)), seat_(gate_ ? gate_->take_seat() : 0) {}
  /// Nobody may wait for this one.
  explicit reply_cell(reply_notice notice) : notice_(std::move(notice)) {}

  /// The first delivery counts; later ones are ignored.
  void deliver(result<T> value) noexcept {
    auto expected = state::empty;
    if (!state_.compare_exchange_strong(expected, state::filling, std::memory_order_acq_rel)) return;
    value_.emplace(std::move(value));
    state_.store(state::full, std::memory_order_release);
    if (gate_) gate_->open(seat_);
    if (notice_.to) notice_.tell();
  }
  [[nodiscard]] bool ready() const noexcept { return state_.load(std::memory_order_acquire) == state::full; }
  /// @pre ready()
  [[nodiscard]] const result<T>& value() const noexcept { return *value_; }
  /// Moves the value out: to be called once. @pre ready()
  [[nodiscard]] result<T> take() noexcept { return std::move(*value_); }

  /// The value, or nothing when `timeout` passes first. @pre the cell has a gate.
  [[nodiscard]] const result<T>* wait_for(std::chrono::nanoseconds timeout) noexcept {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      const auto seen = gate_->epoch_.load(std::memory_order_acquire);
      if (ready()) return &*value_;
      if (std::chrono::steady_clock::now() >= deadline) return nullptr;
      gate_->wait(seen, seat_, deadline);
    }
  }

private:
  enum class state : std::uint8_t { empty, filling, full };
  std::shared_ptr<reply_gate> gate_;
  std::uint32_t seat_ = 0; ///< before the gate
  reply_notice notice_;
  std::atomic<state> state_{state::empty};
  std::optional<result<T>> value_;
};

/// The giver's end, carried in messages and completions. When the last copy goes without an answer (its actor crashed
/// on the message, or a mailbox was full), the waiting thread gets errc::unavailable at once instead of a timeout.
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

} // namespace matricula::runtime
