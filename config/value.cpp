#include "config/value.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::config {
namespace {

constexpr std::size_t shown_bytes_max = 60;

/// The length of the well-formed sequence at the start of `s`, or 0.
std::size_t sequence_length(std::string_view s) noexcept {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xbf; };
  const auto b0 = byte(0), b1 = byte(1);
  if (b0 < 0x80) return 1;
  if (b0 >= 0xc2 && b0 <= 0xdf) return tail(1) ? 2 : 0;
  if (b0 >= 0xe0 && b0 <= 0xef) {
    const bool second = b0 == 0xe0 ? b1 >= 0xa0 && b1 <= 0xbf : b0 == 0xed ? b1 >= 0x80 && b1 <= 0x9f : tail(1);
    return second && tail(2) ? 3 : 0;
  }
  if (b0 >= 0xf0 && b0 <= 0xf4) {
    const bool second = b0 == 0xf0 ? b1 >= 0x90 && b1 <= 0xbf : b0 == 0xf4 ? b1 >= 0x80 && b1 <= 0x8f : tail(1);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

} // namespace

std::size_t first_invalid_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = sequence_length(text.substr(at));
    if (n == 0) return at;
    at += n;
  }
  return std::string_view::npos;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const auto n = sequence_length(text.substr(at));
    const auto c = static_cast<unsigned char>(text[at]);
    if (n == 0) {
      // No TOML for a lone byte: this is for messages only, a value is checked before.
      out += fmt::format("\\x{:02X}", c);
      ++at;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[at];
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", c);
    } else {
      out += text.substr(at, n);
    }
    at += n;
  }
  return out + '"';
}

std::string shown(std::string_view text) {
  if (text.size() <= shown_bytes_max) return in_quotes(text);
  auto cut = shown_bytes_max;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return fmt::format("{}... ({} bytes)", in_quotes(text.substr(0, cut)), text.size());
}

std::string to_toml(const value& v) {
  struct writer {
    std::string operator()(std::monostate) const { return {}; }
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t i) const { return fmt::format("{}", i); }
    std::string operator()(const std::string& s) const { return in_quotes(s); }
    std::string operator()(const std::vector<std::string>& list) const {
      std::string out = "[";
      for (const auto& item : list) out += (out.size() > 1 ? ", " : "") + in_quotes(item);
      return out + "]";
    }
  };
  return std::visit(writer{}, v);
}

} // namespace matricula::config
