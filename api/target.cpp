#include "api/target.hpp"

#include "api/json_writer.hpp"

#include <algorithm>
#include <optional>

namespace matricula::api {

namespace {
constexpr std::size_t segments_max = 32;
constexpr std::size_t parameters_max = 32;

std::optional<unsigned> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

bool is_plain(char c) noexcept { return c > 0x20 && c < 0x7f && c != '%' && c != '+'; }
} // namespace

outcome<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  if (std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
      if (!high || !low)
        return refuse(400, errc::invalid_argument, "The URL has a '%' that two hexadecimal digits do not follow.");
      c = static_cast<char>(*high << 4 | *low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return refuse(400, errc::invalid_argument, "The URL contains a control character.");
    out.push_back(c);
  }
  if (!json::is_utf8(out)) return refuse(400, errc::invalid_argument, "The URL is not UTF-8 once decoded.");
  return out;
}

outcome<std::vector<std::string_view>> path_segments(std::string_view path) {
  if (!path.starts_with('/')) return refuse(400, errc::invalid_argument, "The path must begin with '/'.");
  std::vector<std::string_view> segments;
  path.remove_prefix(1);
  if (path.empty()) return segments;
  segments.reserve(8);
  for (;;) {
    const auto slash = path.find('/');
    const auto segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..")
      return refuse(404, errc::not_found, "No such route: the path has an empty or a dot segment.");
    if (segments.size() == segments_max) return refuse(404, errc::not_found, "No such route: too many segments.");
    segments.push_back(segment);
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

outcome<name_values> parse_query(std::string_view query) {
  name_values values;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const auto equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    if (!name) return std::unexpected(std::move(name.error()));
    auto value = percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (!value) return std::unexpected(std::move(value.error()));
    if (name->empty()) return refuse(400, errc::invalid_argument, "A query parameter has no name.");
    if (std::ranges::find(values, *name, &name_values::value_type::first) != values.end())
      return refuse(400, errc::invalid_argument, "The query parameter '" + *name + "' is given twice.");
    if (values.size() == parameters_max) return refuse(400, errc::invalid_argument, "More than 32 query parameters.");
    values.emplace_back(std::move(*name), std::move(*value));
  }
  return values;
}

} // namespace matricula::api
