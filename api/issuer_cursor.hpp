/// Where a list over all issuers of a type goes on: they come one after the other.
#pragma once
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

/// An issuer, and where its own part goes on; empty: at its beginning.
struct issuer_cursor {
  std::uint32_t issuer = 0;
  std::string_view rest;
};

/// "2/rest", or just "rest" of a type with one issuer. Nothing for what is neither.
[[nodiscard]] inline std::optional<issuer_cursor> read_issuer_cursor(std::string_view text, std::size_t issuers) {
  if (issuers == 1) return issuer_cursor{0, text};
  issuer_cursor found;
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto issuer = text.substr(0, slash);
  const auto [end, bad] = std::from_chars(issuer.data(), issuer.data() + issuer.size(), found.issuer);
  if (bad != std::errc{} || end != issuer.data() + issuer.size() || found.issuer >= issuers) return std::nullopt;
  found.rest = text.substr(slash + 1);
  return found;
}

/// The cursor after a page of `issuer`; nothing at the end of the last one's part.
/// @param rest where the issuer's own part goes on, if it does
[[nodiscard]] inline std::optional<std::string> next_issuer_cursor(std::uint32_t issuer, std::size_t issuers,
                                                                   const std::optional<std::string>& rest) {
  if (issuers == 1) return rest;
  if (rest) return std::to_string(issuer) + "/" + *rest;
  if (issuer + 1 < issuers) return std::to_string(issuer + 1) + "/";
  return std::nullopt;
}

} // namespace matricula::api
