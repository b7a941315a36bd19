/// The chunked transfer coding (RFC 9112, section 7.1), decoded as it comes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::api {

class chunked_body {
public:
  enum class state : std::uint8_t { needs_more, complete, malformed, too_large };

  /// @param bytes_max of the decoded body.
  explicit chunked_body(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Decodes the beginning of `in` and appends to `out`. @return where it stands; `used` bytes of `in` are done with,
  /// the rest must come again, with more behind it, in the next call. Trailers are read and dropped.
  state feed(std::string_view in, std::string& out, std::size_t& used);

private:
  enum class part : std::uint8_t { size, data, data_end, trailer };
  std::size_t bytes_max_;
  std::size_t decoded_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::uint64_t left_ = 0; ///< of the present chunk
  part next_ = part::size;
};

} // namespace matricula::api
