/// What other threads tell an event loop, and what wakes it.
#pragma once
#include "runtime/reply.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace matricula::api {

/// Thread safe. Lives as long as anybody who may still tell something.
class loop_inbox final : public runtime::reply_listener {
public:
  loop_inbox();
  ~loop_inbox() override;
  loop_inbox(const loop_inbox&) = delete;
  loop_inbox& operator=(const loop_inbox&) = delete;

  /// A reply is there, or a job is done.
  void note(std::uint64_t token) noexcept override;
  /// No system call while the loop is awake: it looks here before it sleeps.
  void wake() noexcept override;
  /// A connection that this loop is to serve. @param socket is taken over.
  void hand_over(int socket);
  void ask_to_drain();
  void ask_to_cut();

  /// For the loop: readable when it was woken.
  [[nodiscard]] int descriptor() const noexcept { return wake_; }
  void clear_wake() const noexcept;
  struct contents {
    std::vector<std::uint64_t> tokens;
    std::vector<int> sockets;
    bool drain = false;
    bool cut = false;
  };
  /// Swaps what has come since into `into`, whose vectors are reused.
  void take(contents& into);
  /// Before it sleeps: false when something has come, and it must not.
  [[nodiscard]] bool may_sleep() noexcept;
  void is_awake() noexcept { asleep_.store(false); }

private:
  std::mutex guard_;
  contents fresh_;
  std::atomic<bool> something_{false};
  std::atomic<bool> asleep_{false};
  int wake_; ///< an eventfd
};

} // namespace matricula::api
