#include "api/chunked_body.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace matricula::api {

namespace {
constexpr std::size_t size_line_bytes_max = 256;
constexpr std::size_t trailer_bytes_max = 4096;

bool has_control(std::string_view text) noexcept {
  return std::ranges::any_of(text,
                             [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

/// A chunk's size in hexadecimal, alone or with an extension: optional blanks, then ';'. Nothing when malformed.
std::optional<std::uint64_t> read_size(std::string_view line) noexcept {
  if (line.size() > size_line_bytes_max || has_control(line)) return std::nullopt;
  std::uint64_t size = 0;
  const auto [stop, bad] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  if (bad != std::errc{}) return std::nullopt;
  const auto rest = line.substr(static_cast<std::size_t>(stop - line.data()));
  const auto next = rest.find_first_not_of(" \t");
  if (!rest.empty() && (next == std::string_view::npos || rest[next] != ';')) return std::nullopt;
  return size;
}
} // namespace

chunked_body::state chunked_body::feed(std::string_view in, std::string& out, std::size_t& used) {
  used = 0;
  const auto take = [&](std::size_t n) {
    in.remove_prefix(n);
    used += n;
  };
  for (;;) {
    if (next_ == part::data) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
      out.append(in.substr(0, n));
      take(n);
      left_ -= n;
      if (left_ > 0) return state::needs_more;
      next_ = part::data_end;
    }
    const auto end = in.find("\r\n");
    if (end == std::string_view::npos) {
      // Besides the line, the first half of its end may be there.
      const auto most = next_ == part::data_end ? std::size_t{1}
                        : next_ == part::size   ? size_line_bytes_max + 1
                                                : trailer_bytes_max;
      return in.size() > most ? state::malformed : state::needs_more;
    }
    const auto line = in.substr(0, end);
    switch (next_) {
    case part::data_end:
      if (!line.empty()) return state::malformed;
      next_ = part::size;
      break;
    case part::size: {
      const auto size = read_size(line);
      if (!size) return state::malformed;
      left_ = *size;
      if (left_ > bytes_max_ - decoded_) return state::too_large;
      decoded_ += static_cast<std::size_t>(left_);
      next_ = left_ == 0 ? part::trailer : part::data;
      break;
    }
    case part::trailer:
      trailer_bytes_ += line.size() + 2;
      if (trailer_bytes_ > trailer_bytes_max || has_control(line)) return state::malformed;
      if (line.empty()) {
        take(2);
        return state::complete;
      }
      break;
    case part::data:
      break; // handled above
    }
    take(end + 2);
  }
}

} // namespace matricula::api
