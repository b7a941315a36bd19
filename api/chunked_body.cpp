#include "api/chunked_body.hpp"

#include <algorithm>
#include <charconv>

namespace matricula::api {

namespace {
constexpr std::size_t size_line_bytes_max = 256;
constexpr std::size_t trailer_bytes_max = 4096;
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
      const auto most = next_ == part::data_end ? std::size_t{1}
                        : next_ == part::size   ? size_line_bytes_max
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
      const auto digits = line.substr(0, line.find_first_of("; \t"));
      const auto [stop, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
      if (line.size() > size_line_bytes_max || digits.empty() || bad != std::errc{} ||
          stop != digits.data() + digits.size() || line.find_first_of("\r\n") != line.npos)
        return state::malformed;
      if (left_ > bytes_max_ - decoded_) return state::too_large;
      decoded_ += static_cast<std::size_t>(left_);
      next_ = left_ == 0 ? part::trailer : part::data;
      break;
    }
    case part::trailer:
      trailer_bytes_ += line.size() + 2;
      if (trailer_bytes_ > trailer_bytes_max) return state::malformed;
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
