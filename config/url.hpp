/// The addresses that settings may name: http and https, nothing clever.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::config {

struct http_url {
  bool tls = true;
  std::string host; ///< IPv6 without brackets
  std::uint16_t port = 0;
  std::string target; ///< path and query, at least "/"
};
/// Nothing unless `text` is http:// or https://, a host (IPv6 in brackets), an optional port from 1 to 65535, and an
/// optional path and query of printable ASCII. A user, a password and a fragment are not accepted.
[[nodiscard]] std::optional<http_url> split_url(std::string_view text);

} // namespace matricula::config
