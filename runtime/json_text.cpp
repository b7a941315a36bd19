#include "runtime/json_text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace matricula::runtime {

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\r':
      out += "\\r";
      break;
    default:
      if (static_cast<unsigned char>(c) < 0x20)
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      else
        out += c;
    }
  }
  return out += '"';
}

json_object& json_object::add(std::string_view name, double value) {
  return add_raw(name, std::isfinite(value) ? fmt::format("{}", value) : "null");
}

json_object& json_object::add_raw(std::string_view name, std::string_view json) {
  if (!text_.empty()) text_ += ',';
  text_ += json_quoted(name);
  text_ += ':';
  text_ += json;
  return *this;
}

json_array& json_array::add_raw(std::string_view json) {
  if (!text_.empty()) text_ += ',';
  text_ += json;
  return *this;
}

} // namespace matricula::runtime
