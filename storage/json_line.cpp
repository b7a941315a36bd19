#include "storage/json_line.hpp"

#include <fmt/format.h>

#include <iterator>

namespace matricula::storage {

namespace {

void append_string(std::string& out, std::string_view value) {
  out.push_back('"');
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (byte < 0x20 || byte >= 0x7f)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    else
      out.push_back(c);
  }
  out.push_back('"');
}

} // namespace

json_line& json_line::text(std::string_view name, std::string_view value) {
  std::string quoted;
  append_string(quoted, value);
  return raw(name, quoted);
}

json_line& json_line::raw(std::string_view name, std::string_view json) {
  out_.push_back(out_.empty() ? '{' : ',');
  append_string(out_, name);
  out_.push_back(':');
  out_.append(json);
  return *this;
}

} // namespace matricula::storage
