/// A mail as bytes (RFC 5322, 2045, 2047): nothing that comes from outside can begin a header or end the body.
#pragma once
#include "foundation/clock.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace matricula::connectors {

struct mail {
  std::string from; ///< an address, see `is_mail_address`
  std::vector<std::string> to;
  std::string subject;   ///< any text
  std::string key;       ///< the same mail always has the same: becomes the Message-ID
  std::string text;      ///< any text, lines end with \n
  timestamp date;        ///< when it was written
  std::string reference; ///< key of an earlier mail that this one follows; empty: none
};

/// LOCAL@DOMAIN of printable ASCII without blanks, quotes, brackets, commas and the like, at most 254 bytes; the domain
/// in letters, digits, '-' and '.'. Strict: what mailboxes of operators look like, not all that RFC 5321 allows.
[[nodiscard]] bool is_mail_address(std::string_view text) noexcept;

/// Headers and body with CRLF line ends, ready for DATA but for its dots. The body is base64, so that no line is long
/// or begins with a dot. @pre addresses are such
[[nodiscard]] std::string compose(const mail& m);

/// `text` as the value of an unstructured header: as it is when it is short printable ASCII, else in encoded words
/// (RFC 2047) of at most 75 characters, each on a line of its own. Never holds a bare CR or LF.
[[nodiscard]] std::string header_text(std::string_view text);

} // namespace matricula::connectors
