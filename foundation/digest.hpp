/// SHA-256, HMAC and hexadecimal, on OpenSSL.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace matricula {

/// 32 raw bytes.
[[nodiscard]] std::string sha256(std::string_view data);
/// HMAC with SHA-256 (RFC 2104): 32 raw bytes. @param key of any length
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view data);
/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(std::string_view bytes);
/// Nothing unless `text` is an even number of hexadecimal digits.
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);
/// Compares without telling by its time where two secrets differ. Lengths may leak.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

} // namespace matricula
