/// Reads identifiers to import from text: NDJSON, CSV or plain identifiers, one a line. Strict: what is not understood
/// is refused with its line, and the other lines are read all the same.
#pragma once
#include "api/route.hpp"
#include "domain/identifiers/import_claim.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

enum class import_format : std::uint8_t {
  ndjson, ///< {"id":"...","state":"ASSIGNED","expires_at":"...","holder":"...","issued_at":"..."}; all but id optional
  csv,    ///< RFC 4180 without line breaks in fields; a header names the columns: the same names, in any order
  plain,  ///< an identifier a line
};

inline constexpr std::size_t import_lines_max = 10'000;
inline constexpr std::size_t import_line_bytes_max = 4'096;
inline constexpr std::size_t import_body_bytes_max = std::size_t{1} << 20;

/// "application/x-ndjson" and so on; parameters are ignored.
[[nodiscard]] std::optional<import_format> import_format_of(std::string_view content_type) noexcept;
[[nodiscard]] std::string_view media_type_of(import_format format) noexcept;

struct import_problem {
  std::size_t line = 0;  ///< from 1, counted as an editor does
  std::string_view code; ///< stable
  std::string message;
};

struct import_lines {
  struct entry {
    std::size_t line = 0;
    identifiers::import_claim claim;
  };
  std::vector<entry> entries;
  std::vector<import_problem> problems; ///< of lines, in their order
};

/// Lines end in LF or CRLF; empty ones are passed over; a byte order mark of UTF-8 at the beginning too. A last line of
/// CSV or plain identifiers without a line break is refused, because nobody can tell whether it was cut short.
/// Refuses the whole text when it is not UTF-8 at all (UTF-16), when the header of a CSV is not understood, or when it
/// has more than import_lines_max lines.
[[nodiscard]] outcome<import_lines> read_import(std::string_view text, import_format format);

} // namespace matricula::api
