#include "api/import_feed.hpp"

namespace matricula::api {

namespace {
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string_view without_break(std::string_view line) noexcept {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}
} // namespace

std::string_view import_post::text_of(std::uint64_t line) const noexcept {
  std::string_view rest = body;
  for (std::uint64_t at = first_line - (headed ? 1 : 0); !rest.empty(); ++at) {
    const auto at_break = rest.find('\n');
    const auto one = rest.substr(0, at_break == std::string_view::npos ? at_break : at_break + 1);
    if (at == line) return without_break(one);
    rest.remove_prefix(one.size());
  }
  return {};
}

import_format guess_format(std::string_view first_line) noexcept {
  const auto text = without_break(first_line);
  if (text.starts_with('{')) return import_format::ndjson;
  return text == "id" || text.contains(',') ? import_format::csv : import_format::plain;
}

result<import_feed> import_feed::open(std::istream& in, std::optional<import_format> format) {
  import_feed feed(in, format.value_or(import_format::plain));
  auto first = feed.read_line();
  if (!first) return std::unexpected(first.error());
  std::uint64_t mark = 0;
  if (*first && (*first)->text.starts_with(byte_order_mark)) {
    mark = byte_order_mark.size();
    (*first)->text.erase(0, mark);
  }
  if (!format && *first) feed.format_ = guess_format((*first)->text);
  if (feed.format_ == import_format::csv && *first) {
    if ((*first)->too_long) return fail(errc::invalid_argument, "The first line is too long for the header of a CSV.");
    feed.header_ = std::string(without_break((*first)->text)) + "\n";
    return feed;
  }
  if (auto back = feed.resume(mark, 1); !back) return std::unexpected(back.error());
  return feed;
}

result<void> import_feed::resume(std::uint64_t offset, std::uint64_t line) {
  in_->clear();
  in_->seekg(static_cast<std::streamoff>(offset));
  if (!*in_) return fail(errc::io, "The file cannot be read from where the import had come to.");
  offset_ = offset;
  line_ = line;
  return {};
}

result<std::optional<import_feed::file_line>> import_feed::read_line() {
  file_line out;
  for (;;) {
    const auto c = in_->get();
    if (c == std::istream::traits_type::eof()) {
      if (in_->bad()) return fail(errc::io, "The file cannot be read.");
      if (out.bytes == 0) return std::optional<file_line>{};
      break;
    }
    ++out.bytes;
    // Room for a carriage return and the line break.
    if (out.text.size() < import_line_bytes_max + 2)
      out.text.push_back(static_cast<char>(c));
    else
      out.too_long = true;
    if (c == '\n') break;
  }
  out.too_long = out.too_long || without_break(out.text).size() > import_line_bytes_max;
  offset_ += out.bytes;
  ++line_;
  return std::optional(std::move(out));
}

result<std::optional<import_post>> import_feed::next() {
  import_post post;
  post.first_line = line_;
  post.headed = !header_.empty();
  post.body = header_;
  while (post.lines < post_lines_max && post.body.size() < post_bytes_max) {
    auto one = read_line();
    if (!one) return std::unexpected(one.error());
    if (!*one) break;
    if ((*one)->too_long) {
      post.long_lines.push_back(line_ - 1);
      post.body.push_back('\n');
    } else {
      post.body += (*one)->text;
    }
    ++post.lines;
  }
  if (post.lines == 0) return std::optional<import_post>{};
  post.end = offset_;
  return std::optional(std::move(post));
}

} // namespace matricula::api
