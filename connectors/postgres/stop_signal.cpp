#include "connectors/postgres/stop_signal.hpp"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace matricula::connectors::postgres {

stop_signal::stop_signal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
stop_signal::~stop_signal() { ::close(fd_); }

void stop_signal::raise() noexcept {
  const std::uint64_t one = 1;
  // It can only fail when it is raised already, more often than a counter holds.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

bool stop_signal::wait(std::chrono::milliseconds at_most) const noexcept {
  pollfd look{fd_, POLLIN, 0};
  return ::poll(&look, 1, static_cast<int>(at_most.count())) > 0;
}

} // namespace matricula::connectors::postgres
