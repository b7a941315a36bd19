#include "api/byte_stream.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace matricula::api {

namespace {
constexpr char tls_handshake = 0x16; ///< the first byte of a client's hello (RFC 8446, section 5.1)

byte_stream::moved moved_of(ssize_t n) {
  if (n > 0) return {byte_stream::outcome::moved, static_cast<std::size_t>(n)};
  const bool blocked = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return {blocked ? byte_stream::outcome::blocked : byte_stream::outcome::closed, 0};
}

template <class Call>
ssize_t uninterrupted(Call&& call) {
  for (;;) {
    const ssize_t n = call();
    if (n >= 0 || errno != EINTR) return n;
  }
}
} // namespace

byte_stream::~byte_stream() {
  tls_.reset();
  ::close(socket_);
}

byte_stream::opening byte_stream::open() {
  if (is_open()) return opening::open;
  if (!tls_) {
    char first = 0;
    const auto seen = moved_of(uninterrupted([&] { return ::recv(socket_, &first, 1, MSG_PEEK); }));
    if (seen.how == outcome::blocked) return opening::blocked;
    if (seen.how == outcome::closed) return opening::failed;
    if (first != tls_handshake) return opening::not_tls;
    tls_.emplace(identity_, socket_);
  }
  switch (tls_->handshake()) {
  case tls_session::progress::done:
    opened_ = true;
    return opening::open;
  case tls_session::progress::blocked:
    return opening::blocked;
  case tls_session::progress::failed:
    break;
  }
  return opening::failed;
}

byte_stream::moved byte_stream::receive(char* into, std::size_t at_most) {
  if (!identity_) return receive_raw(into, at_most);
  std::size_t bytes = 0;
  switch (tls_->receive(into, at_most, bytes)) {
  case tls_session::progress::done:
    return {bytes > 0 ? outcome::moved : outcome::closed, bytes};
  case tls_session::progress::blocked:
    return {outcome::blocked, 0};
  case tls_session::progress::failed:
    break;
  }
  return {outcome::closed, 0};
}

byte_stream::moved byte_stream::receive_raw(char* into, std::size_t at_most) const {
  return moved_of(uninterrupted([&] { return ::recv(socket_, into, at_most, MSG_DONTWAIT); }));
}

byte_stream::moved byte_stream::send(std::string_view first, std::string_view second) {
  if (!identity_) {
    // iovec is not const-correct; sendmsg only reads.
    std::array<iovec, 2> parts{
        {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    return moved_of(uninterrupted([&] { return ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT); }));
  }
  std::size_t bytes = 0;
  switch (tls_->send(first.empty() ? second : first, bytes)) {
  case tls_session::progress::done:
    return {outcome::moved, bytes};
  case tls_session::progress::blocked:
    return {outcome::blocked, 0};
  case tls_session::progress::failed:
    break;
  }
  return {outcome::closed, 0};
}

void byte_stream::end_sending() {
  if (opened_) tls_->end_sending();
  ::shutdown(socket_, SHUT_WR);
}

bool byte_stream::send_raw(std::string_view what) const {
  const auto n = uninterrupted([&] { return ::send(socket_, what.data(), what.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
  return n == static_cast<ssize_t>(what.size());
}

} // namespace matricula::api
