#include "api/open_connections.hpp"

#include <sys/socket.h>

namespace matricula::api {

open_connections::entry::entry(open_connections& all, int socket) : all_(all), socket_(socket) {
  const std::scoped_lock hold(all_.guard_);
  place_ = all_.entries_.insert(all_.entries_.end(), this);
}

open_connections::entry::~entry() {
  const std::scoped_lock hold(all_.guard_);
  all_.entries_.erase(place_);
}

bool open_connections::ask_one_to_leave() {
  const std::scoped_lock hold(guard_);
  for (auto* one : entries_) {
    auto idle = entry::state::idle;
    if (!one->state_.compare_exchange_strong(idle, entry::state::leaving)) continue;
    ::shutdown(one->socket_, SHUT_RD);
    return true;
  }
  return false;
}

void open_connections::ask_all_to_leave() {
  while (ask_one_to_leave()) {
  }
}

void open_connections::cut() {
  const std::scoped_lock hold(guard_);
  for (auto* one : entries_) ::shutdown(one->socket_, SHUT_RDWR);
}

std::size_t open_connections::count() const {
  const std::scoped_lock hold(guard_);
  return entries_.size();
}

} // namespace matricula::api
