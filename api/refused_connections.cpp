#include "api/refused_connections.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::api {

using std::chrono::steady_clock;

namespace {
constexpr std::size_t leaving_max = 512;
constexpr std::chrono::milliseconds patience{1'000};

/// Reads what is there. False when the peer is done.
bool swallow(int socket) {
  std::array<char, 16384> bytes;
  for (;;) {
    const auto n = ::recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n > 0) continue;
    if (n < 0 && errno == EINTR) continue;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}
} // namespace

refused_connections::refused_connections()
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}

refused_connections::~refused_connections() {
  {
    const std::scoped_lock hold(guard_);
    stopping_ = true;
  }
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(wake_);
}

void refused_connections::refuse(int socket, std::string_view answer) {
  // The answer is far smaller than a fresh socket's send buffer: it goes whole or the peer is gone.
  (void)::send(socket, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(socket, SHUT_WR);
  {
    const std::scoped_lock hold(guard_);
    if (fresh_.size() < leaving_max) {
      fresh_.push_back({socket, steady_clock::now() + patience});
      socket = -1;
    }
  }
  if (socket >= 0) ::close(socket);
  ::eventfd_write(wake_, 1);
}

void refused_connections::run() {
  std::vector<leaving> all;
  std::vector<pollfd> polled;
  for (;;) {
    polled.assign(1, {wake_, POLLIN, 0});
    for (const auto& one : all) polled.push_back({one.socket, POLLIN, 0});
    int timeout = -1;
    if (!all.empty()) {
      const auto left = std::ranges::min(all, {}, &leaving::until).until - steady_clock::now();
      timeout = static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0));
    }
    ::poll(polled.data(), polled.size(), timeout);
    const auto now = steady_clock::now();
    std::vector<leaving> still;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool done = (polled[i + 1].revents != 0 && !swallow(all[i].socket)) || now >= all[i].until;
      if (done)
        ::close(all[i].socket);
      else
        still.push_back(all[i]);
    }
    all = std::move(still);
    eventfd_t ignored = 0;
    ::eventfd_read(wake_, &ignored);
    const std::scoped_lock hold(guard_);
    for (const auto& one : fresh_) {
      if (all.size() < leaving_max)
        all.push_back(one);
      else
        ::close(one.socket);
    }
    fresh_.clear();
    if (!stopping_) continue;
    for (const auto& one : all) ::close(one.socket);
    return;
  }
}

} // namespace matricula::api
