#include "config/url.hpp"

#include "config/settings.hpp"

#include <algorithm>

namespace matricula::config {

std::optional<http_url> split_url(std::string_view text) {
  constexpr std::string_view plain = "http://", secure = "https://";
  http_url out;
  out.tls = text.starts_with(secure);
  if (!out.tls && !text.starts_with(plain)) return std::nullopt;
  text.remove_prefix(out.tls ? secure.size() : plain.size());
  const auto end = std::min(text.find_first_of("/?"), text.size());
  std::string address(text.substr(0, end));
  out.target = text.substr(end);
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  if (!std::ranges::all_of(out.target, [](char c) { return c > ' ' && c < 0x7f && c != '#'; })) return std::nullopt;
  const auto bracket = address.rfind(']');
  const auto colon = address.rfind(':');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (!has_port) address += out.tls ? ":443" : ":80";
  const auto parts = split_address(address);
  if (!parts || parts->port == 0) return std::nullopt;
  out.host = parts->host;
  out.port = parts->port;
  return out;
}

} // namespace matricula::config
