/// Answers for those who wait neither on a thread nor as a connection: a function gets them, on whatever thread brings
/// them. It should only note them down and ring at somebody's door.
#pragma once
#include "runtime/reply.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

namespace matricula::runtime {

/// A reply that ends in `then`, once, whatever becomes of the message.
template <class T>
[[nodiscard]] reply_to<T> reply_into(std::function<void(result<T>)> then) {
  class listener final : public reply_listener {
  public:
    explicit listener(std::function<void(result<T>)> f) : then_(std::move(f)) {}
    void note(std::uint64_t) noexcept override {}
    void wake() noexcept override {
      // The cell has this, and this has the cell, until it is filled.
      const auto filled = std::exchange(cell, nullptr);
      if (filled) then_(filled->take());
    }
    std::shared_ptr<reply_cell<T>> cell;

  private:
    std::function<void(result<T>)> then_;
  };
  const auto to = std::make_shared<listener>(std::move(then));
  to->cell = std::make_shared<reply_cell<T>>(reply_notice{to, 0});
  return reply_to<T>(to->cell);
}

/// For calls that take a notice and return the function that gives the answer: either may come first.
template <class T>
class answer_meeting final : public reply_listener {
public:
  using give = std::function<result<T>()>;
  explicit answer_meeting(std::function<void(result<T>)> then) : then_(std::move(then)) {}
  void note(std::uint64_t) noexcept override {}
  void wake() noexcept override { arrive(); }
  void give_by(give how) {
    give_ = std::move(how);
    arrive();
  }

private:
  void arrive() noexcept {
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) != 1) return;
    const auto how = std::exchange(give_, nullptr);
    then_(how());
  }
  std::function<void(result<T>)> then_;
  give give_;
  std::atomic<int> arrived_{0};
};

} // namespace matricula::runtime
