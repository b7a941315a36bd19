/// The head of an HTTP/1.1 request, read strictly (RFC 9112): whatever two programs could understand differently is
/// refused, since a proxy in front may be one of them.
#pragma once
#include "api/route.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace matricula::api {

struct head_limits {
  std::size_t bytes_max = std::size_t{16} * 1024; ///< the whole head
  std::size_t fields_max = 64;
  std::size_t target_bytes_max = 4096;
};

/// Views into the text it was read from.
struct request_head {
  std::string_view method;
  std::string_view target; ///< origin form, printable ASCII without '#'
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool expects_continue = false;
  bool close = false; ///< the client wants no further request on this connection

  /// The value of the first field of that name, whatever its case. When there is none, a view without data
  /// (`data() == nullptr`); a field without a value gives an empty view with data.
  [[nodiscard]] std::string_view find(std::string_view name) const noexcept;
  [[nodiscard]] bool has_body() const noexcept { return chunked || content_length > 0; }
};

/// @param text from the request line to the empty line, which is included.
/// Refuses with 400, 414 (target), 417 (an unknown expectation), 431 (fields), 501 (method or transfer coding) and 505.
[[nodiscard]] outcome<void> parse_head(std::string_view text, const head_limits& limits, request_head& into);

} // namespace matricula::api
