#include "connectors/shown_text.hpp"

#include <algorithm>

namespace matricula::connectors {

namespace {
constexpr std::size_t digits_shown_max = 5;
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
} // namespace

std::string shown_text(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view more = "...";
  std::string out;
  while (!text.empty() && out.size() <= bytes_max) {
    const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
    if (digits > digits_shown_max) {
      out += "(digits)";
      text.remove_prefix(digits);
      continue;
    }
    const char c = text.front();
    // A blank for a line's end, so that a document of several lines can still be read.
    out += c == '\n' || c == '\r' || c == '\t' ? ' ' : c >= ' ' && c < 0x7f ? c : '?';
    text.remove_prefix(1);
  }
  if (out.size() > bytes_max || !text.empty()) {
    out.resize(bytes_max > more.size() ? bytes_max - more.size() : 0);
    out += more.substr(0, bytes_max);
  }
  return out;
}

} // namespace matricula::connectors
