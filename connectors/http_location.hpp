/// Where something is that speaks HTTP.
#pragma once
#include <cstdint>
#include <string>

namespace matricula::connectors {

struct http_location {
  bool tls = true;
  std::string host; ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 443;
  std::string target = "/";
  std::string user; ///< of HTTP Basic authentication; empty: none
  std::string password;
  std::string ca_file; ///< certificates to trust; empty: those of the system
};

} // namespace matricula::connectors
