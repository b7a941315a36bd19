#include "foundation/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula {

namespace {
bool lower_hex(std::string_view s) {
  return std::ranges::all_of(s, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool all_zero(std::string_view s) {
  return std::ranges::all_of(s, [](char c) { return c == '0'; });
}
} // namespace

bool is_traceparent(std::string_view h) noexcept {
  if (h.size() < 55 || h[2] != '-' || h[35] != '-' || h[52] != '-') return false;
  const auto version = h.substr(0, 2), trace = h.substr(3, 32), parent = h.substr(36, 16), flags = h.substr(53, 2);
  if (!lower_hex(version) || version == "ff" || !lower_hex(trace) || !lower_hex(parent) || !lower_hex(flags))
    return false;
  if (version == "00" ? h.size() != 55 : h.size() > 55 && h[55] != '-') return false;
  return !all_zero(trace) && !all_zero(parent);
}

std::string child_traceparent(std::string_view header, random_source& random) {
  const auto parent = random.next() | 1;
  if (is_traceparent(header))
    return fmt::format("00-{}-{:016x}-{}", header.substr(3, 32), parent, header.substr(53, 2));
  const auto high = random.next() | 1;
  return fmt::format("00-{:016x}{:016x}-{:016x}-00", high, random.next(), parent);
}

bool is_request_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}

} // namespace matricula
