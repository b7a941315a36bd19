#include "config/toml_document.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace matricula::config {
namespace {

struct place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

place place_of(std::string_view text, std::size_t offset) {
  place p;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n')
      p = {p.line + 1, 1};
    else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80)
      ++p.column;
  }
  return p;
}

problem at_place(const std::string& name, place p, std::string message) {
  return {{source::file, name, p.line, p.column}, {}, std::move(message)};
}

/// Finds the place where brackets or dotted keys nest deeper than `nesting_max`. The parser bounds the nesting of
/// values but not of dotted keys, and its tables are destroyed recursively: a line of half a million dots ends the
/// process. Text in strings and comments does not count. Errors of syntax are left to the parser.
class nesting_scan {
public:
  explicit nesting_scan(std::string_view text) : text_(text) {}

  std::optional<std::size_t> too_deep() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '[' || c == '{') ++depth_;
      if ((c == ']' || c == '}') && depth_ > 0) --depth_;
      if (c == '\n') dots_ = 0;
      if (c == '.') ++dots_;
      if (depth_ > nesting_max || dots_ > nesting_max) return at_;
      ++at_;
    }
    return std::nullopt;
  }

private:
  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        at_ += 2;
      } else if (multi_line && text_.substr(at_, 3) == triple) {
        at_ += 3;
        // Up to two quotes may stand before the closing three.
        for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
        return;
      } else if (!multi_line && (text_[at_] == quote || text_[at_] == '\n')) {
        at_ += text_[at_] == quote ? 1 : 0;
        return;
      } else {
        ++at_;
      }
    }
    at_ = text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t dots_ = 0;
};

bool is_bare_key(std::string_view part) {
  return !part.empty() && std::ranges::all_of(part, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string joined(std::string_view path, std::string_view part) {
  auto out = path.empty() ? std::string{} : fmt::format("{}.", path);
  return out += is_bare_key(part) ? std::string(part) : shown(part);
}

value value_of(const toml::node& node) {
  if (const auto* b = node.as_boolean()) return b->get();
  if (const auto* i = node.as_integer()) return i->get();
  if (const auto* s = node.as_string()) return s->get();
  if (const auto* a = node.as_array()) {
    std::vector<std::string> list;
    for (const auto& item : *a) {
      const auto* s = item.as_string();
      if (!s) return {};
      list.push_back(s->get());
    }
    return list;
  }
  return {};
}

std::string description_of(const toml::node& node, const value& v) {
  if (!std::holds_alternative<std::monostate>(v)) return describe(v);
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list with something else than texts";
  if (const auto* number = node.as_floating_point()) return fmt::format("the number {}", number->get());
  return "a date or time";
}

void flatten(const toml::table& table, const std::string& path, std::vector<toml_entry>& out) {
  for (const auto& [key, node] : table) {
    toml_entry entry;
    entry.key = joined(path, key.str());
    entry.table = node.is_table();
    entry.found = value_of(node);
    entry.description = description_of(node, entry.found);
    entry.line = key.source().begin.line;
    entry.column = node.is_table() ? key.source().begin.column : node.source().begin.column;
    if (!node.is_table() && node.source().begin.line != 0) entry.line = node.source().begin.line;
    out.push_back(entry);
    if (const auto* inner = node.as_table()) flatten(*inner, entry.key, out);
  }
}

} // namespace

std::string describe(const value& v) {
  struct writer {
    std::string operator()(std::monostate) const { return "nothing"; }
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t i) const { return fmt::format("the integer {}", i); }
    std::string operator()(const std::string& s) const { return "the text " + shown(s); }
    std::string operator()(const std::vector<std::string>& list) const {
      if (list.empty()) return "an empty list";
      return fmt::format("a list of {} text{}, the first {}", list.size(), list.size() == 1 ? "" : "s",
                         shown(list.front()));
    }
  };
  return std::visit(writer{}, v);
}

std::expected<std::vector<toml_entry>, problem> parse_toml(std::string_view text, const std::string& name) {
  if (text.size() > file_bytes_max)
    return std::unexpected(problem{{source::file, name, 0, 0},
                                   {},
                                   fmt::format("found {} bytes; allowed: at most {}", text.size(), file_bytes_max)});
  if (const auto bad = first_invalid_utf8(text); bad != std::string_view::npos)
    return std::unexpected(
        at_place(name, place_of(text, bad),
                 fmt::format("found the byte 0x{:02X}, which is not UTF-8; allowed: a text file in UTF-8",
                             static_cast<unsigned char>(text[bad]))));
  if (const auto deep = nesting_scan(text).too_deep())
    return std::unexpected(
        at_place(name, place_of(text, *deep),
                 fmt::format("nested too deeply; allowed: {} brackets or dots inside each other", nesting_max)));
  try {
    std::vector<toml_entry> out;
    flatten(toml::parse(text), {}, out);
    // A table and what is in it may begin at the same place ([a.b] makes a and a.b): the shorter key first.
    std::ranges::sort(out, {}, [](const toml_entry& e) { return std::tie(e.line, e.column, e.key); });
    return out;
  } catch (const toml::parse_error& e) {
    return std::unexpected(at_place(name, {e.source().begin.line, e.source().begin.column},
                                    fmt::format("not valid TOML: {}", e.description())));
  }
}

} // namespace matricula::config
