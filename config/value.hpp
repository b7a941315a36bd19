/// The value of one setting, detached from its place in the structs.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace matricula::config {

/// Nothing (an optional setting that is not set), or what TOML can say and the settings use.
using value = std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>>;

/// As TOML: true, 12, "text", ["a", "b"]; empty for nothing. What it returns parses back to the same value.
[[nodiscard]] std::string to_toml(const value& v);

/// `text` as a TOML basic string, quotes included. Control characters and bytes that are not UTF-8 are escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// `text` for an error message: quoted, and cut after 60 bytes.
[[nodiscard]] std::string shown(std::string_view text);

/// The offset of the first byte that does not belong to well-formed UTF-8, or npos. Overlong forms and surrogates are
/// not well-formed (Unicode 15, table 3-7).
[[nodiscard]] std::size_t first_invalid_utf8(std::string_view text) noexcept;

} // namespace matricula::config
