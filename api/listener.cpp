#include "api/listener.hpp"

#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::api {

namespace {
/// Below 0 when it cannot be had.
int try_to_listen(const addrinfo& at, std::size_t backlog) {
  const int socket = ::socket(at.ai_family, at.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at.ai_protocol);
  if (socket < 0) return -1;
  // Not SO_REUSEPORT, with which a second node on the same port starts and takes half the requests.
  const int yes = 1, no = 0;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (at.ai_family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (::bind(socket, at.ai_addr, at.ai_addrlen) == 0 && ::listen(socket, static_cast<int>(backlog)) == 0) return socket;
  ::close(socket);
  return -1;
}

std::uint16_t port_of(int socket) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return 0;
  std::uint16_t port = 0; // at the same place in both families
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&port, reinterpret_cast<const char*>(&bound) + offsetof(sockaddr_in, sin_port), sizeof port);
  return ntohs(port);
}
} // namespace

result<listening> listen_on(const std::string& host, std::uint16_t port, std::size_t backlog) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) == 0) {
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
    for (const auto* at = found; at != nullptr; at = at->ai_next)
      if (const int socket = try_to_listen(*at, backlog); socket >= 0) return listening{socket, port_of(socket)};
  }
  return fail(errc::io, "Cannot listen on " + host + ":" + std::to_string(port) +
                            ". Is the port in use, or the address not this machine's?");
}

} // namespace matricula::api
