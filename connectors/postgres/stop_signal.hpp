/// Something that ends a wait in another thread, and stays raised.
#pragma once
#include <chrono>

namespace matricula::connectors::postgres {

class stop_signal {
public:
  /// Throws std::system_error when the process has no file descriptor left.
  stop_signal();
  ~stop_signal();
  stop_signal(const stop_signal&) = delete;
  stop_signal& operator=(const stop_signal&) = delete;

  /// From any thread, any number of times.
  void raise() noexcept;
  [[nodiscard]] bool raised() const noexcept { return wait(std::chrono::milliseconds{0}); }
  /// Until it is raised, or the time is over. Returns whether it is raised.
  bool wait(std::chrono::milliseconds at_most) const noexcept;
  /// Readable once raised.
  [[nodiscard]] int fd() const noexcept { return fd_; }

private:
  int fd_ = -1;
};

} // namespace matricula::connectors::postgres
