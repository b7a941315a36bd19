#include "connectors/stop_signal.hpp"

#include "foundation/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace matricula::connectors {

stop_signal::stop_signal() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  require(descriptor_ >= 0, "an event descriptor can be had");
}

stop_signal::~stop_signal() { ::close(descriptor_); }

void stop_signal::raise() noexcept {
  const std::uint64_t one = 1;
  // It fails only when it has been raised 2^64 - 2 times, and is raised then all the same.
  [[maybe_unused]] const auto n = ::write(descriptor_, &one, sizeof one);
}

namespace {

/// For poll(2). Rounded up, or the last millisecond would be spent in a loop.
int milliseconds_to(deadline until) noexcept {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  return static_cast<int>(
      std::clamp<std::int64_t>(left, 0, static_cast<std::int64_t>(std::numeric_limits<int>::max())));
}

} // namespace

bool stop_signal::wait(deadline until) const noexcept {
  for (;;) {
    pollfd event{descriptor_, POLLIN, 0};
    const int n = ::poll(&event, 1, milliseconds_to(until));
    if (n < 0 && errno == EINTR) continue;
    return n > 0;
  }
}

waited wait_for(int socket, short events, deadline until, const stop_signal& stop) noexcept {
  for (;;) {
    std::array<pollfd, 2> of{{{socket, events, 0}, {stop.descriptor(), POLLIN, 0}}};
    const int n = ::poll(of.data(), of.size(), milliseconds_to(until));
    if (n < 0 && errno == EINTR) continue;
    if (of[1].revents != 0) return waited::stopped;
    if (n > 0) return waited::ready;
    return waited::late;
  }
}

} // namespace matricula::connectors
