/// One JSON object on one line, member by member.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::storage {

class json_line {
public:
  /// Bytes outside printable ASCII are written as \u00xx: any bytes give valid JSON.
  json_line& text(std::string_view name, std::string_view value);
  json_line& flag(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  template <std::integral T>
  json_line& number(std::string_view name, T value) {
    return raw(name, std::to_string(value));
  }
  /// @param json a JSON value
  json_line& raw(std::string_view name, std::string_view json);
  [[nodiscard]] std::string str() const { return out_.empty() ? "{}" : out_ + "}"; }

private:
  std::string out_;
};

} // namespace matricula::storage
