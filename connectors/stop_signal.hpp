/// Waiting, for a socket or for time to pass: no longer than until a deadline, and no longer than until somebody stops
/// the work.
#pragma once
#include <chrono>
#include <cstdint>

namespace matricula::connectors {

using deadline = std::chrono::steady_clock::time_point;

/// Raised once, for good, from any thread.
class stop_signal {
public:
  stop_signal();
  ~stop_signal();
  stop_signal(const stop_signal&) = delete;
  stop_signal& operator=(const stop_signal&) = delete;

  void raise() noexcept;
  [[nodiscard]] bool raised() const noexcept { return wait(deadline{}); }
  /// Until it is raised, or `until` has passed. Returns whether it is raised.
  bool wait(deadline until) const noexcept;
  /// Readable from the moment it is raised.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

private:
  int descriptor_;
};

enum class waited : std::uint8_t { ready, late, stopped };

/// @param events of poll(2): POLLIN or POLLOUT. An error or the end of the connection is `ready`, too.
[[nodiscard]] waited wait_for(int socket, short events, deadline until, const stop_signal& stop) noexcept;

} // namespace matricula::connectors
