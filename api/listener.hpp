/// A listening socket.
#pragma once
#include "foundation/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace matricula::api {

struct listening {
  int socket = -1; ///< non-blocking; whoever has it closes it
  std::uint16_t port = 0;
};

/// Listens on `host`, a name or an address without brackets, and `port`; 0 takes any free one. Nobody else can listen
/// on it meanwhile. @param backlog connections that the kernel holds before they are accepted. Errors: io (address in
/// use, not permitted, no such host).
[[nodiscard]] result<listening> listen_on(const std::string& host, std::uint16_t port, std::size_t backlog);

} // namespace matricula::api
