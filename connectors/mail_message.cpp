#include "connectors/mail_message.hpp"

#include "domain/alerts/alert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace matricula::connectors {

namespace {

constexpr std::size_t address_bytes_max = 254;
constexpr std::size_t subject_bytes_max = 900; ///< encoded, it stays far below what servers take for headers
constexpr std::size_t text_bytes_max = std::size_t{64} << 10;
constexpr std::size_t word_bytes_max = 45; ///< of an encoded word: 60 characters of base64 and 12 around them

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const auto n = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) out += j <= n ? symbols[group >> (18 - 6 * j) & 63U] : '=';
  }
  return out;
}

/// The first at most `most` bytes, not ending inside a character. @pre valid UTF-8
std::string_view whole_characters(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

/// RFC 5322, in UTC, whatever the locale.
std::string date_text(timestamp t) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(t - day)};
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", days[std::chrono::weekday{day}.c_encoding()],
                     static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

/// What a Message-ID may be made of.
std::string id_text(std::string_view key, std::string_view from) {
  std::string out;
  for (const char c : key) out += is_letter_or_digit(c) || c == '-' || c == '.' ? c : '_';
  return "<" + out + "@" + std::string(from.substr(from.rfind('@') + 1)) + ">";
}

} // namespace

bool is_mail_address(std::string_view text) noexcept {
  const auto at = text.find('@');
  if (at == 0 || at == std::string_view::npos || text.size() > address_bytes_max) return false;
  const auto local = text.substr(0, at), domain = text.substr(at + 1);
  constexpr std::string_view marks = ".!#$%&'*+-/=?^_`{|}~";
  const auto in_local = [&](char c) { return is_letter_or_digit(c) || marks.find(c) != marks.npos; };
  const auto in_domain = [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; };
  return local.size() <= 64 && std::ranges::all_of(local, in_local) && !domain.empty() &&
         std::ranges::all_of(domain, in_domain) && is_letter_or_digit(domain.front()) &&
         is_letter_or_digit(domain.back()) && domain.find("..") == domain.npos;
}

std::string header_text(std::string_view text) {
  auto line = alerts::one_line(text, subject_bytes_max);
  constexpr std::size_t plain_bytes_max = 60;
  const bool plain = std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 0x7F; }) &&
                     line.find("=?") == line.npos && !line.starts_with(' ') && !line.ends_with(' ');
  if (plain && line.size() <= plain_bytes_max) return line;
  std::string out;
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto word = whole_characters(rest, word_bytes_max);
    out += (out.empty() ? "" : "\r\n ") + fmt::format("=?UTF-8?B?{}?=", base64(word));
    rest.remove_prefix(word.size());
  }
  return out;
}

std::string compose(const mail& m) {
  require(is_mail_address(m.from) && !m.to.empty() && std::ranges::all_of(m.to, is_mail_address),
          "mails go from addresses to addresses");
  std::string out;
  const auto header = [&out](std::string_view name, std::string_view value) {
    out += fmt::format("{}: {}\r\n", name, value);
  };
  header("Date", date_text(m.date));
  header("From", m.from);
  std::string to;
  for (const auto& one : m.to) to += (to.empty() ? "" : ",\r\n ") + one;
  header("To", to);
  header("Subject", header_text(m.subject));
  header("Message-ID", id_text(m.key, m.from));
  if (!m.reference.empty()) {
    header("In-Reply-To", id_text(m.reference, m.from));
    header("References", id_text(m.reference, m.from));
  }
  header("Auto-Submitted", "auto-generated");
  header("MIME-Version", "1.0");
  header("Content-Type", "text/plain; charset=utf-8");
  header("Content-Transfer-Encoding", "base64");
  out += "\r\n";
  std::string body;
  for (const char c : m.text.substr(0, text_bytes_max)) {
    if (c == '\n') body += '\r';
    body += c;
  }
  constexpr std::size_t line_bytes = 76;
  const auto encoded = base64(body);
  for (std::size_t i = 0; i < encoded.size(); i += line_bytes) out += encoded.substr(i, line_bytes) + "\r\n";
  return out;
}

} // namespace matricula::connectors
