#include "config/schema.hpp"

#include "config/family.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace matricula::config {
namespace {

constexpr std::string_view environment_prefix = "MATRICULA_";
constexpr std::size_t symbol_bytes_max = 32;
constexpr std::size_t key_hex_digits = 64;
constexpr std::size_t item_bytes_max = 256;
constexpr std::size_t role_bytes_max = 128;
constexpr std::size_t scope_bytes_max = 64;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const auto word : words) out += (out.empty() ? "" : ", ") + in_quotes(word);
  return out;
}

bool is_symbol(std::string_view s) {
  return !s.empty() && s.size() <= symbol_bytes_max &&
         std::ranges::all_of(s, [](char c) { return is_digit(c) || is_upper(c); });
}

/// "METHOD /path", printable ASCII, one blank.
bool is_route(std::string_view s) {
  const auto blank = s.find(' ');
  if (blank == std::string_view::npos || s.size() > 512) return false;
  constexpr std::array<std::string_view, 5> methods{"GET", "POST", "PUT", "PATCH", "DELETE"};
  const auto method = s.substr(0, blank), path = s.substr(blank + 1);
  return std::ranges::find(methods, method) != methods.end() && path.starts_with('/') &&
         std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7f; });
}

/// Five or six fields of digits, letters (names of months and days) and * / , - : the shape, not the ranges.
bool is_cron_shaped(std::string_view s) {
  int fields = 0;
  bool inside = false;
  for (const char c : s) {
    if (c == ' ') {
      inside = false;
      continue;
    }
    if (!is_digit(c) && !is_lower(c) && !is_upper(c) && c != '*' && c != '/' && c != ',' && c != '-') return false;
    fields += inside ? 0 : 1;
    inside = true;
  }
  return fields == 5 || fields == 6;
}

bool is_zone_shaped(std::string_view s) {
  return !s.empty() && s.size() <= 64 && std::ranges::all_of(s, [](char c) {
    return is_digit(c) || is_lower(c) || is_upper(c) || c == '/' || c == '_' || c == '-' || c == '+';
  });
}

template <class T>
const T* as(const value& v) {
  return std::get_if<T>(&v);
}

bool is_plain(const std::string& text) {
  return first_invalid_utf8(text) == std::string_view::npos &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool text_fits(const setting& row, const std::string& text) {
  const auto size = static_cast<std::int64_t>(text.size());
  return size >= row.min && size <= row.max && is_plain(text);
}

bool is_item(const std::string& text) { return !text.empty() && text.size() <= item_bytes_max && is_plain(text); }

bool is_scope(std::string_view s) {
  return !s.empty() && s.size() <= scope_bytes_max && std::ranges::all_of(s, [](char c) {
    return is_digit(c) || is_lower(c) || is_upper(c) || c == ':' || c == '_' || c == '-' || c == '*';
  });
}

template <class Accepts>
bool list_fits(const setting& row, const value& v, Accepts accepts) {
  const auto* list = as<std::vector<std::string>>(v);
  return list && static_cast<std::int64_t>(list->size()) <= row.max && std::ranges::all_of(*list, accepts);
}

bool has_shape(const setting& row, const value& v) {
  const auto* text = as<std::string>(v);
  switch (row.what) {
  case kind::boolean:
    return as<bool>(v) != nullptr;
  case kind::integer: {
    const auto* number = as<std::int64_t>(v);
    return number && *number >= row.min && *number <= row.max;
  }
  case kind::text:
    return text && text_fits(row, *text);
  case kind::word:
    return text && std::ranges::find(row.words, *text) != row.words.end();
  case kind::address:
    return text && split_address(*text);
  case kind::cron:
    return text && is_cron_shaped(*text);
  case kind::time_zone:
    return text && is_zone_shaped(*text);
  case kind::key_hex:
    return text && (text->empty() || (text->size() == key_hex_digits && std::ranges::all_of(*text, is_hex)));
  case kind::route_list:
    return list_fits(row, v, is_route);
  case kind::text_list:
    return list_fits(row, v, is_item);
  case kind::role_list:
    return list_fits(row, v, [](const std::string& entry) { return parse_role(entry).has_value(); });
  case kind::key_list:
    return list_fits(row, v, [](const std::string& entry) { return parse_key_source(entry).has_value(); });
  case kind::symbol_list:
    return list_fits(row, v, is_symbol);
  }
  return false;
}

} // namespace

std::string_view section_of(std::string_view key) noexcept {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view name_of(std::string_view key) noexcept { return key.substr(key.rfind('.') + 1); }

std::string with_type(std::string_view key, std::string_view type) {
  std::string out(key);
  if (const auto* f = family_of_row(key)) out.replace(out.find(f->placeholder), f->placeholder.size(), type);
  return out;
}

std::optional<known_key> find_setting(std::string_view key) {
  std::string pattern(key), type;
  if (const auto [of, name] = member_in(key); of != nullptr && of->table.size() + 1 + name.size() < key.size()) {
    if (name.empty()) return std::nullopt;
    type = name;
    pattern.replace(of->table.size() + 1, name.size(), of->placeholder);
  }
  const auto rows = schema();
  const auto row = std::ranges::find(rows, std::string_view(pattern), &setting::key);
  if (row == rows.end()) return std::nullopt;
  return known_key{&*row, std::move(type)};
}

std::string environment_name(std::string_view key) {
  std::string out(environment_prefix);
  for (const char c : key) {
    if (c == '.')
      out += "__";
    else
      out += is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

bool is_type_name(std::string_view name) noexcept {
  return name.size() >= 2 && name.size() <= 64 && is_lower(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

std::string allowed(const setting& row) {
  switch (row.what) {
  case kind::boolean:
    return "true or false";
  case kind::integer:
    return fmt::format("an integer from {} to {}{}", row.min, row.max,
                       row.unit.empty() ? "" : fmt::format(" ({})", row.unit));
  case kind::text:
    return fmt::format("a text of {}to {} bytes without control characters",
                       row.min > 0 ? fmt::format("{} ", row.min) : "up ", row.max);
  case kind::word:
    return "one of " + joined(row.words);
  case kind::address:
    return "\"HOST:PORT\", with an IPv6 address in brackets and a port from 0 to 65535";
  case kind::cron:
    return "five fields: minute, hour, day of month, month, day of week; or six, the second before them";
  case kind::time_zone:
    return "a time zone's name such as \"UTC\" or \"Africa/Nairobi\"";
  case kind::key_hex:
    return fmt::format("{} hexadecimal digits", key_hex_digits);
  case kind::route_list:
    return fmt::format("a list of up to {} routes \"METHOD /path\" (GET, POST, PUT, PATCH, DELETE)", row.max);
  case kind::text_list:
    return fmt::format("a list of up to {} texts of 1 to {} bytes without control characters", row.max, item_bytes_max);
  case kind::role_list:
    return fmt::format("a list of up to {} texts \"ROLE=scope scope\", such as \"ID_REPOSITORY=ids:*\"", row.max);
  case kind::key_list:
    return fmt::format("a list of up to {} texts \"file:PATH\", \"command:COMMAND LINE\" or \"env:NAME\"", row.max);
  case kind::symbol_list:
    return fmt::format("a list of up to {} texts of 1 to {} digits and capital letters", row.max, symbol_bytes_max);
  }
  return {};
}

std::optional<std::string> refusal(const setting& row, const value& v, const outside_checks& checks) {
  if (!has_shape(row, v)) return std::string{};
  if (row.what == kind::cron && checks.cron) return checks.cron(std::get<std::string>(v));
  if (row.what == kind::time_zone && checks.time_zone) return checks.time_zone(std::get<std::string>(v));
  return std::nullopt;
}

void add_type(settings& s, std::string_view name) {
  if (!s.identifiers.types.try_emplace(std::string(name)).second) return;
  for (const auto& row : schema())
    if (row.key.starts_with("identifiers.types.") && !std::holds_alternative<std::monostate>(row.initial))
      row.write(s, name, row.initial);
}

settings defaults() {
  settings s;
  for (const auto& row : schema())
    if (!row.named()) row.write(s, {}, row.initial);
  for (const auto& type : shipped_types()) {
    add_type(s, type.name);
    for (const auto& [name, v] : type.says)
      find_setting(fmt::format("identifiers.types.{}.{}", type.name, name))->row->write(s, type.name, v);
  }
  for (const auto& policy : shipped_policies()) {
    s.vid_policies.policies.try_emplace(std::string(policy.name));
    for (const auto& [name, v] : policy.says)
      find_setting(fmt::format("vid_policies.{}.{}", policy.name, name))->row->write(s, policy.name, v);
  }
  for (const auto& type : shipped_worker_types()) {
    member_in(fmt::format("tasks.types.{}", type.name)).of->add(s, type.name);
    for (const auto& [name, v] : type.says)
      find_setting(fmt::format("tasks.types.{}.{}", type.name, name))->row->write(s, type.name, v);
  }
  for (const auto& one : shipped_registrant_kinds()) {
    member_in(fmt::format("registrants.kinds.{}", one.name)).of->add(s, one.name);
    for (const auto& [name, v] : one.says)
      find_setting(fmt::format("registrants.kinds.{}.{}", one.name, name))->row->write(s, one.name, v);
  }
  for (const auto& sink : shipped_alert_sinks()) {
    member_in(fmt::format("alerts.sinks.{}", sink.name)).of->add(s, sink.name);
    for (const auto& [name, v] : sink.says)
      find_setting(fmt::format("alerts.sinks.{}.{}", sink.name, name))->row->write(s, sink.name, v);
  }
  return s;
}

std::string tokens_path(const settings& s) {
  return s.auth.tokens_file.empty() ? s.storage.data_dir + "/tokens" : s.auth.tokens_file;
}

std::optional<role_entry> parse_role(std::string_view entry) {
  // The last one: a role may hold it, a scope does not.
  const auto equals = entry.rfind('=');
  if (equals == std::string_view::npos) return std::nullopt;
  role_entry out;
  out.role = entry.substr(0, equals);
  const bool printable = std::ranges::all_of(out.role, [](char c) { return c >= ' ' && c < 0x7f; });
  if (out.role.empty() || out.role.size() > role_bytes_max || !printable || out.role.starts_with(' ') ||
      out.role.ends_with(' '))
    return std::nullopt;
  for (auto rest = entry.substr(equals + 1); !rest.empty();) {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto scope = rest.substr(0, end);
    if (!is_scope(scope)) return std::nullopt;
    out.scopes.emplace_back(scope);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (out.scopes.empty() || entry.ends_with(' ')) return std::nullopt;
  return out;
}

std::optional<key_source> parse_key_source(std::string_view text) {
  constexpr std::size_t bytes_max = 4096;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size() || text.size() > bytes_max) return std::nullopt;
  const auto kind = text.substr(0, colon);
  const auto what = text.substr(colon + 1);
  if (std::ranges::any_of(what, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return std::nullopt;
  const bool is_name = std::ranges::all_of(what, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (kind == "file") return key_source{key_source::kind::file, std::string(what)};
  if (kind == "command") return key_source{key_source::kind::command, std::string(what)};
  if (kind == "env" && is_name) return key_source{key_source::kind::environment, std::string(what)};
  return std::nullopt;
}

std::optional<host_and_port> split_address(std::string_view listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string_view::npos || listen.size() > 300) return std::nullopt;
  auto host = listen.substr(0, colon);
  const auto port = listen.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (!std::ranges::all_of(host, [](char c) { return is_hex(c) || c == ':' || c == '.'; })) return std::nullopt;
  } else if (!std::ranges::all_of(
                 host, [](char c) { return is_digit(c) || is_lower(c) || is_upper(c) || c == '.' || c == '-'; })) {
    return std::nullopt;
  }
  std::uint16_t number = 0;
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (host.empty() || port.empty() || problem != std::errc{} || end != port.data() + port.size()) return std::nullopt;
  return host_and_port{std::string(host), number};
}

bool is_host_entry(std::string_view text) {
  const bool has_port = text.find(':') != std::string_view::npos && !text.ends_with(']');
  const auto parts = split_address(has_port ? std::string(text) : std::string(text) + ":1");
  return parts && parts->port != 0;
}

bool is_loopback(std::string_view host) noexcept {
  if (host == "localhost" || host == "::1") return true;
  // 127.0.0.0/8 in full dotted form; "127.evil.example" is a name, not an address.
  if (!host.starts_with("127.")) return false;
  return std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
}

} // namespace matricula::config
