#include "config/effective.hpp"

#include "config/family.hpp"

#include <fmt/format.h>

namespace matricula::config {
namespace {

effective_setting entry_of(const setting& row, const loaded& now, const std::string& type) {
  effective_setting e;
  e.key = with_type(row.key, type);
  e.current = row.read(now.values, type);
  e.origin = to_string(now.origin_of(e.key));
  e.unit = row.unit;
  e.help = row.help;
  e.reloadable = row.reloadable;
  e.secret = row.secret;
  if (row.secret && e.current != value{std::string{}}) e.current = std::string("(not shown)");
  return e;
}

/// A file's name may hold anything; a comment may not.
std::string in_comment(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return first_invalid_utf8(out) == std::string_view::npos ? out : shown(out);
}

} // namespace

std::vector<effective_setting> effective(const loaded& now) {
  std::vector<effective_setting> all;
  for (const auto& row : schema())
    if (!row.named()) all.push_back(entry_of(row, now, {}));
  for (const auto& of : families())
    for (const auto& name : of.names(now.values))
      for (const auto& row : schema())
        if (family_of_row(row.key) == &of) all.push_back(entry_of(row, now, name));
  return all;
}

std::string to_toml(const loaded& now) {
  std::string out;
  std::string_view section;
  const auto all = effective(now);
  for (const auto& e : all) {
    if (std::holds_alternative<std::monostate>(e.current)) continue;
    if (section_of(e.key) != section) {
      section = section_of(e.key);
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
    }
    if (e.secret) {
      const bool is_set = e.current != value{std::string{}};
      out += fmt::format("# {}: {}\n", name_of(e.key), is_set ? "set, not shown; " + in_comment(e.origin) : "not set");
    } else {
      out += fmt::format("{} = {}  # {}\n", name_of(e.key), to_toml(e.current), in_comment(e.origin));
    }
  }
  return out;
}

} // namespace matricula::config
