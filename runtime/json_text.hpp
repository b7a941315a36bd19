/// Small JSON objects for `describe`: an actor's state as text, without a JSON library in every actor.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::runtime {

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 are the caller's to avoid.
[[nodiscard]] std::string json_quoted(std::string_view text);

/// Fields in the order in which they are added.
class json_object {
public:
  json_object& add(std::string_view name, std::string_view value) { return add_raw(name, json_quoted(value)); }
  json_object& add(std::string_view name, const char* value) { return add(name, std::string_view{value}); }
  json_object& add(std::string_view name, const std::string& value) { return add(name, std::string_view{value}); }
  json_object& add(std::string_view name, bool value) { return add_raw(name, value ? "true" : "false"); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  json_object& add(std::string_view name, T value) {
    return add_raw(name, std::to_string(value));
  }
  json_object& add(std::string_view name, double value);
  /// `json` is a value that is JSON already.
  json_object& add_raw(std::string_view name, std::string_view json);
  [[nodiscard]] std::string str() const { return "{" + text_ + "}"; }

private:
  std::string text_;
};

/// Values in the order in which they are added.
class json_array {
public:
  json_array& add(std::string_view value) { return add_raw(json_quoted(value)); }
  json_array& add_raw(std::string_view json);
  [[nodiscard]] std::string str() const { return "[" + text_ + "]"; }

private:
  std::string text_;
};

} // namespace matricula::runtime
