/// So many at once, and some others wait their turn: calls of another system, which would take more from it than it can
/// bear, or more threads than there are. Thread safe.
#pragma once
#include "actors/tasks/task_handler.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace matricula::actors {

class call_line {
public:
  /// @param places 1 or more. @param waiting_max at once. @param closing once it is set, nobody who waits gets a turn
  /// any more
  call_line(std::uint32_t places, std::size_t waiting_max, std::shared_ptr<const std::atomic<bool>> closing)
      : places_(places), waiting_max_(waiting_max), closing_(std::move(closing)) {}

  /// `begin` is called when there is a place, at once or later on another thread; the place is held until `leave`. It
  /// throws nothing.
  /// @param never called instead when the line closes first
  /// False: too many wait already, and nothing is called.
  [[nodiscard]] bool enter(std::function<void()> begin, std::function<void()> never);
  void leave();
  [[nodiscard]] std::uint32_t places() const noexcept { return places_; }

private:
  struct waiting {
    std::function<void()> begin, never;
  };
  void let_in();

  const std::uint32_t places_;
  const std::size_t waiting_max_;
  const std::shared_ptr<const std::atomic<bool>> closing_;
  std::mutex mutex_;
  std::deque<waiting> waiting_;
  std::uint32_t busy_ = 0;
  bool letting_in_ = false; ///< somebody is at it, and sees what changes meanwhile
};

/// A handler whose tries go through a line. One that waits is in its worker's hands: its lease is renewed. One for
/// which the line is too long is given back, which costs no attempt.
class handler_in_line final : public task_handler {
public:
  /// @param elsewhere where tries begin: whoever leaves a place may be a thread that must not be held up
  handler_in_line(std::shared_ptr<task_handler> inner, std::shared_ptr<call_line> line, blocking_work elsewhere)
      : inner_(std::move(inner)), line_(std::move(line)), elsewhere_(std::move(elsewhere)) {}
  void run(const leased_task& what, done_callback done) override;
  /// As many wait as are at it: a place that is left is taken at once, and nothing is held that has no turn soon.
  [[nodiscard]] std::uint32_t in_hand_max() const noexcept override { return 2 * line_->places(); }
  void stop() override { inner_->stop(); }

private:
  std::shared_ptr<task_handler> inner_;
  std::shared_ptr<call_line> line_;
  blocking_work elsewhere_;
};

} // namespace matricula::actors
