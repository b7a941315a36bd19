#include "config/reference.hpp"

#include "config/family.hpp"
#include "config/schema.hpp"

#include <fmt/format.h>

namespace matricula::config {
namespace {

constexpr std::size_t line_width = 110;
/// Of families with shipped members; one is called "example".
constexpr std::string_view example_member = "my_own";

/// `text` as comment lines.
std::string comment(std::string_view text) {
  std::string out, line = "#";
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (line.size() + 1 + end > line_width && line.size() > 1) {
      out += line + "\n";
      line = "#";
    }
    line += fmt::format(" {}", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + line + "\n";
}

std::string default_of(const setting& row) {
  if (row.required) return fmt::format("none: a new {} must say it", family_of_row(row.key)->member);
  if (row.secret) return "not set";
  if (std::holds_alternative<std::monostate>(row.initial)) return "as the profile has it";
  return to_toml(row.initial);
}

std::string_view applies(const setting& row) { return row.reloadable ? "on reload" : "after a restart"; }

/// What an example shows for a row without a default.
std::string example_of(const setting& row) {
  if (row.required) return to_toml(row.example);
  switch (row.what) {
  case kind::integer:
    return "3";
  case kind::boolean:
    return "true";
  case kind::symbol_list:
    return R"(["0", "1"])";
  default:
    return to_toml(row.initial);
  }
}

std::string setting_lines(const setting& row, bool example) {
  auto out = comment(row.help);
  out +=
      comment(fmt::format("Allowed: {}. Default: {}. Takes effect {}.", allowed(row), default_of(row), applies(row)));
  const bool unset = std::holds_alternative<std::monostate>(row.initial);
  if (row.secret) return out;
  return out + fmt::format("{}{} = {}\n", example ? "#" : "", name_of(row.key),
                           unset ? example_of(row) : to_toml(row.initial));
}

std::string shipped_lines(std::string_view table, const shipped_type& type) {
  auto out = fmt::format("\n# {}\n[{}.{}]\n", type.help, table, type.name);
  for (const auto& [name, v] : type.says) out += fmt::format("{} = {}\n", name, to_toml(v));
  return out;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    out += c;
  }
  return out;
}

} // namespace

std::string reference_toml() {
  std::string out =
      comment("Settings of Matricula. This file says every default; a file of your own needs only what differs. "
              "Environment variables (MATRICULA_SECTION__KEY) win over the file and --set section.key=value wins over "
              "both. Check with `matricula config check`, see what holds with `matricula config show`. Settings that "
              "take effect on reload do so on SIGHUP or POST /v1/config/reload.");
  for (const auto& s : sections()) {
    const bool example = family_of_row(s.name) != nullptr;
    out += "\n" + comment(s.help);
    if (example) out += comment("As an example, one of your own with every key:");
    out += fmt::format("{}[{}]\n", example ? "#" : "", with_type(s.name, example_member));
    for (const auto& row : schema())
      if (section_of(row.key) == s.name) out += "\n" + setting_lines(row, example);
  }
  out += "\n" + comment("The shipped types. What is not said here is as in the example above.");
  for (const auto& type : shipped_types()) out += shipped_lines("identifiers.types", type);
  out += "\n" + comment("The shipped VID policies.");
  for (const auto& policy : shipped_policies()) out += shipped_lines("vid_policies", policy);
  out += "\n" + comment("The shipped worker types. What is not said here is as in the example above.");
  for (const auto& type : shipped_worker_types()) out += shipped_lines("tasks.types", type);
  out += "\n" + comment("The shipped kinds of registrants.");
  for (const auto& one : shipped_registrant_kinds()) out += shipped_lines("registrants.kinds", one);
  out += "\n" + comment("The shipped sinks of alerts. What is not said here is as in the example above.");
  for (const auto& sink : shipped_alert_sinks()) out += shipped_lines("alerts.sinks", sink);
  return out;
}

std::string reference_markdown() {
  std::string out;
  for (const auto& s : sections()) {
    out += fmt::format("{}### `[{}]`\n\n{}\n\n", out.empty() ? "" : "\n", s.name, cell(s.help));
    out += "| key | default | allowed | takes effect | meaning |\n|---|---|---|---|---|\n";
    for (const auto& row : schema()) {
      if (section_of(row.key) != s.name) continue;
      const auto initial = default_of(row);
      const bool words = row.required || row.secret || std::holds_alternative<std::monostate>(row.initial);
      out += fmt::format("| `{}` | {} | {} | {} | {} |\n", row.key, words ? initial : fmt::format("`{}`", initial),
                         cell(allowed(row)), applies(row), cell(row.help));
    }
  }
  return out;
}

} // namespace matricula::config
