/// A TOML text as a flat list of what it says, with places. The parser's own types stay inside.
#pragma once
#include "config/origin.hpp"
#include "config/value.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::config {

/// Bounds of a settings text. Real ones are a few hundred lines; the bounds keep a wrong or hostile file harmless.
inline constexpr std::size_t file_bytes_max = 1'048'576;
inline constexpr std::size_t nesting_max = 16; ///< brackets open at once, and dots in one line's keys

/// One key of the text: a value, or a table that is there.
struct toml_entry {
  std::string key; ///< parts joined by dots; parts that are no bare keys are quoted
  bool table = false;
  value found;             ///< nothing for what no setting can be (a number with a fraction, a date, a mixed list)
  std::string description; ///< for messages: `the integer 0`, `a list`, `a table`
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// All entries, tables before what is in them, in the order of the text.
/// One problem when the text is too large, not UTF-8, too deeply nested, not TOML, or says a key twice.
/// @param name of the file, for the problem.
[[nodiscard]] std::expected<std::vector<toml_entry>, problem> parse_toml(std::string_view text,
                                                                         const std::string& name);

/// The words for a value in a message.
[[nodiscard]] std::string describe(const value& v);

} // namespace matricula::config
