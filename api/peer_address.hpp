/// Who is at the other end of a socket, as far as limits are concerned.
#pragma once
#include <string>

struct sockaddr_storage;

namespace matricula::api {

/// An IPv4 address in full; of an IPv6 address the first 64 bits, since one host has all the others
/// ("2001:db8:0:1::/64"). An IPv4 address in IPv6 form is the IPv4 address. "local" for every other family.
[[nodiscard]] std::string peer_text(const sockaddr_storage& of);
/// Of a connected socket; "unknown" when it has no peer any more.
[[nodiscard]] std::string peer_address(int socket);

} // namespace matricula::api
