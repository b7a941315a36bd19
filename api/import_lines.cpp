#include "api/import_lines.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace matricula::api {

using identifiers::import_claim;

namespace {

constexpr std::size_t holder_bytes_max = 64;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

enum class column : std::uint8_t { id, state, expires_at, holder, issued_at };
constexpr std::array<std::string_view, 5> column_names{"id", "state", "expires_at", "holder", "issued_at"};

/// Why a line is refused.
struct complaint {
  std::string_view code;
  std::string message;
};
using claimed = std::expected<import_claim, complaint>;

std::unexpected<complaint> malformed(std::string message) {
  return std::unexpected(complaint{"malformed_line", std::move(message)});
}

claimed read_json(std::string_view line) {
  json::fields fields(line);
  import_claim claim;
  claim.id = fields.text("id", {.bytes_max = import_line_bytes_max});
  claim.state = fields.optional_text("state", {}).value_or("");
  claim.expires_at = fields.optional_time("expires_at");
  claim.issued_at = fields.optional_time("issued_at");
  claim.holder = fields.optional_text("holder", {.bytes_max = holder_bytes_max}).value_or("");
  if (const auto bad = fields.wrong()) return malformed(bad->cause.message);
  return claim;
}

/// The fields of a line of RFC 4180; nothing when its quotes are wrong.
std::optional<std::vector<std::string>> split_csv(std::string_view line) {
  std::vector<std::string> fields;
  for (;;) {
    std::string field;
    if (line.starts_with('"')) {
      line.remove_prefix(1);
      for (;;) {
        const auto quote = line.find('"');
        if (quote == std::string_view::npos) return std::nullopt;
        field.append(line.substr(0, quote));
        line.remove_prefix(quote + 1);
        if (!line.starts_with('"')) break;
        field.push_back('"');
        line.remove_prefix(1);
      }
      if (!line.empty() && line.front() != ',') return std::nullopt;
    } else {
      field = line.substr(0, line.find(','));
      if (field.contains('"')) return std::nullopt;
      line.remove_prefix(field.size());
    }
    fields.push_back(std::move(field));
    if (line.empty()) return fields;
    line.remove_prefix(1);
  }
}

using csv_header = std::vector<column>;

outcome<csv_header> read_header(std::string_view line) {
  const auto bad = [] {
    return refuse(400, errc::invalid_argument,
                  "The first line of a CSV names its columns: id, and any of state, expires_at, holder and issued_at, "
                  "each once.");
  };
  const auto names = split_csv(line);
  if (!names) return bad();
  csv_header header;
  for (const auto& name : *names) {
    const auto known = std::ranges::find(column_names, name);
    if (known == column_names.end()) return bad();
    const auto which = static_cast<column>(known - column_names.begin());
    if (std::ranges::find(header, which) != header.end()) return bad();
    header.push_back(which);
  }
  if (std::ranges::find(header, column::id) == header.end()) return bad();
  return header;
}

claimed read_csv(std::string_view line, const csv_header& header) {
  auto fields = split_csv(line);
  if (!fields) return malformed("The quotes of a field are not closed, or stand in the middle of it.");
  if (fields->size() != header.size())
    return malformed(fmt::format("It has {} fields; the header names {}.", fields->size(), header.size()));
  import_claim claim;
  for (std::size_t i = 0; i < header.size(); ++i) {
    auto& text = (*fields)[i];
    switch (header[i]) {
    case column::id:
      claim.id = std::move(text);
      break;
    case column::state:
      claim.state = std::move(text);
      break;
    case column::holder:
      if (text.size() > holder_bytes_max)
        return malformed(fmt::format("holder has {} bytes; at most {} are kept.", text.size(), holder_bytes_max));
      if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return malformed("holder has control characters.");
      claim.holder = std::move(text);
      break;
    case column::expires_at:
    case column::issued_at:
      if (text.empty()) break;
      const auto at = parse_rfc3339(text);
      if (!at)
        return malformed(fmt::format("{} is not a time as in RFC 3339: 2030-01-31T12:00:00Z.",
                                     column_names[static_cast<std::size_t>(header[i])]));
      (header[i] == column::expires_at ? claim.expires_at : claim.issued_at) = *at;
      break;
    }
  }
  if (claim.id.empty()) return malformed("It has no identifier.");
  return claim;
}

class reader {
public:
  explicit reader(import_format format) : format_(format) {}

  outcome<import_lines> read(std::string_view text) {
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.find('\0') != std::string_view::npos)
      return refuse(400, errc::invalid_argument, "The text must be UTF-8; this looks like UTF-16 or a binary file.");
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    while (!text.empty()) {
      const auto end = text.find('\n');
      const bool finished = end != std::string_view::npos;
      auto line = text.substr(0, end);
      text.remove_prefix(finished ? end + 1 : text.size());
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (++number_ > import_lines_max + (format_ == import_format::csv ? 1 : 0))
        return refuse(
            413, errc::invalid_argument,
            fmt::format("At most {} lines are read at once. Send the rest in further requests.", import_lines_max));
      if (line.empty()) continue;
      if (format_ == import_format::csv && !header_) {
        const auto header = read_header(line);
        if (!header) return std::unexpected(header.error());
        header_ = *header;
        continue;
      }
      auto claim = take(line, finished);
      if (claim)
        out_.entries.push_back({number_, std::move(*claim)});
      else
        out_.problems.push_back({number_, claim.error().code, std::move(claim.error().message)});
    }
    return std::move(out_);
  }

private:
  [[nodiscard]] claimed take(std::string_view line, bool finished) const {
    if (line.size() > import_line_bytes_max)
      return std::unexpected(complaint{
          "line_too_long", fmt::format("It has {} bytes; a line has at most {}.", line.size(), import_line_bytes_max)});
    if (!json::is_utf8(line)) return std::unexpected(complaint{"not_utf8", "It is not UTF-8."});
    if (format_ == import_format::ndjson) return read_json(line);
    if (!finished)
      return std::unexpected(complaint{"unfinished_line", "The last line has no line break and may be cut short. Add "
                                                          "one, if it is whole."});
    if (format_ == import_format::csv) return read_csv(line, *header_);
    import_claim claim;
    claim.id = line;
    return claim;
  }

  import_format format_;
  std::size_t number_ = 0;
  std::optional<csv_header> header_;
  import_lines out_;
};

struct media_type {
  import_format format;
  std::string_view name;
};
constexpr std::array media_types{media_type{import_format::ndjson, "application/x-ndjson"},
                                 media_type{import_format::csv, "text/csv"},
                                 media_type{import_format::plain, "text/plain"}};

} // namespace

std::string_view media_type_of(import_format format) noexcept {
  return std::ranges::find(media_types, format, &media_type::format)->name;
}

std::optional<import_format> import_format_of(std::string_view content_type) noexcept {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  const auto same = [type](const media_type& known) {
    return std::ranges::equal(type, known.name, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  };
  const auto found = std::ranges::find_if(media_types, same);
  if (found == media_types.end()) return std::nullopt;
  return found->format;
}

outcome<import_lines> read_import(std::string_view text, import_format format) { return reader(format).read(text); }

} // namespace matricula::api
