#include "api/loop_inbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace matricula::api {

loop_inbox::loop_inbox() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  require(wake_ >= 0, "an eventfd for the event loop");
}

loop_inbox::~loop_inbox() {
  for (const int socket : fresh_.sockets) ::close(socket);
  ::close(wake_);
}

void loop_inbox::note(std::uint64_t token) noexcept {
  {
    const std::scoped_lock hold(guard_);
    fresh_.tokens.push_back(token);
  }
  something_.store(true);
}

void loop_inbox::wake() noexcept {
  // Sequentially consistent, as in may_sleep: either this sees the loop asleep, or the loop sees what has come.
  if (asleep_.load() && asleep_.exchange(false)) ::eventfd_write(wake_, 1);
}

void loop_inbox::hand_over(int socket) {
  {
    const std::scoped_lock hold(guard_);
    fresh_.sockets.push_back(socket);
  }
  something_.store(true);
  wake();
}

void loop_inbox::ask_to_drain() {
  {
    const std::scoped_lock hold(guard_);
    fresh_.drain = true;
  }
  something_.store(true);
  wake();
}

void loop_inbox::ask_to_cut() {
  {
    const std::scoped_lock hold(guard_);
    fresh_.cut = true;
  }
  something_.store(true);
  wake();
}

void loop_inbox::clear_wake() const noexcept {
  eventfd_t ignored = 0;
  (void)::eventfd_read(wake_, &ignored);
}

void loop_inbox::take(contents& into) {
  into.tokens.clear();
  into.sockets.clear();
  into.drain = into.cut = false;
  if (!something_.exchange(false)) return;
  const std::scoped_lock hold(guard_);
  std::swap(into, fresh_);
}

bool loop_inbox::may_sleep() noexcept {
  asleep_.store(true);
  if (!something_.load()) return true;
  asleep_.store(false);
  return false;
}

} // namespace matricula::api
