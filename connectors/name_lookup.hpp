/// From a host's name to its addresses, within a time. The system's own call knows no limit but the resolver's, which
/// may be a minute.
#pragma once
#include "connectors/stop_signal.hpp"
#include "foundation/error.hpp"

#include <cstdint>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace matricula::connectors {

struct socket_address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

/// At least one address, in the order in which they should be tried.
/// Errors: not_found (no such host), unavailable (no answer in time, or too many look-ups hang already).
[[nodiscard]] result<std::vector<socket_address>> look_up(const std::string& host, std::uint16_t port, deadline until,
                                                          const stop_signal& stop);

} // namespace matricula::connectors
