/// Base64url without padding (RFC 4648 section 5, RFC 7515 section 2), strictly: one text for one sequence of bytes.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

/// The bytes that `text` stands for. Nothing for characters outside the alphabet (padding and blanks too), a length
/// that no bytes have, and unused bits that are not zero. The empty text is no bytes.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

} // namespace matricula::api
