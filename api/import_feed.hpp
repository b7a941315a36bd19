/// Cuts a file of any size into bodies for POST /v1/ids/{type}/import, with a bounded memory.
#pragma once
#include "api/import_lines.hpp"

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace matricula::api {

/// One body and where it stands in the file.
struct import_post {
  std::string body;
  std::uint64_t first_line = 1;          ///< of the file, from 1
  std::uint64_t lines = 0;               ///< of the file, a header not counted
  std::uint64_t end = 0;                 ///< the offset behind its last byte
  bool headed = false;                   ///< the body begins with the header of the file
  std::vector<std::uint64_t> long_lines; ///< lines of the file that are too long to be sent, left out as empty ones

  /// The line of the file that is line `in_body` of the body.
  [[nodiscard]] std::uint64_t line_of(std::uint64_t in_body) const noexcept {
    return first_line + in_body - (headed ? 2 : 1);
  }
  /// The text of a line of the file, without its line break; empty when it is not in the body.
  [[nodiscard]] std::string_view text_of(std::uint64_t line) const noexcept;
};

/// What a file looks like by its first line: JSON begins with a brace, the header of a CSV is "id" or has a comma.
[[nodiscard]] import_format guess_format(std::string_view first_line) noexcept;

class import_feed {
public:
  /// Lines of one body: a request then takes a fraction of a second, and an answer can explain every line of a bad one.
  static constexpr std::uint64_t post_lines_max = 5'000;
  static constexpr std::size_t post_bytes_max = import_body_bytes_max - 2 * import_line_bytes_max;

  /// Reads from the beginning, a byte order mark and the header of a CSV apart. @param format none: it is guessed
  /// Errors: io, invalid_argument (the header does not fit into a line).
  [[nodiscard]] static result<import_feed> open(std::istream& in, std::optional<import_format> format);

  /// Goes on behind `offset`, where `line` begins. @pre both come from a post of the same file
  [[nodiscard]] result<void> resume(std::uint64_t offset, std::uint64_t line);
  /// The next body; nothing at the end of the file. Errors: io.
  [[nodiscard]] result<std::optional<import_post>> next();

  [[nodiscard]] import_format format() const noexcept { return format_; }
  /// The header of a CSV with its line break; empty in other formats.
  [[nodiscard]] const std::string& header() const noexcept { return header_; }

private:
  import_feed(std::istream& in, import_format format) : in_(&in), format_(format) {}
  struct file_line {
    std::string text; ///< with its line break, if it has one
    bool too_long = false;
    std::uint64_t bytes = 0;
  };
  /// Nothing at the end of the file. Of a line that is too long only the beginning is kept.
  [[nodiscard]] result<std::optional<file_line>> read_line();

  std::istream* in_;
  import_format format_;
  std::string header_;
  std::uint64_t offset_ = 0;
  std::uint64_t line_ = 1; ///< the next one
};

} // namespace matricula::api
