#include "api/peer_address.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace matricula::api {

std::string peer_text(const sockaddr_storage& of) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (of.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &of, sizeof v4);
    return ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size()) ? text.data() : "unknown";
  }
  if (of.ss_family != AF_INET6) return "local";
  sockaddr_in6 v6{};
  std::memcpy(&v6, &of, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    in_addr v4{};
    std::memcpy(&v4, v6.sin6_addr.s6_addr + 12, sizeof v4);
    return ::inet_ntop(AF_INET, &v4, text.data(), text.size()) ? text.data() : "unknown";
  }
  std::memset(v6.sin6_addr.s6_addr + 8, 0, 8);
  return ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size()) ? text.data() + std::string("/64") : "unknown";
}

std::string peer_address(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return "unknown";
  return peer_text(peer);
}

} // namespace matricula::api
