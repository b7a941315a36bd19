/// Structured logs: an event name and fields, as text or as one JSON object a line, on standard error.
/// Never pass personal data or a full identifier as a field.
#pragma once
#include "foundation/trace.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace matricula::log {

enum class level : std::uint8_t { debug, info, warning, error };
enum class format : std::uint8_t { text, json };

/// A name and a value that lives until the call returns.
struct field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;
  field(std::string_view n, std::string_view v) : name(n), value(v) {}
  field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  field(std::string_view n, bool v) : name(n), value(v) {}
  template <std::signed_integral T>
    requires(!std::same_as<T, bool>)
  field(std::string_view n, T v) : name(n), value(static_cast<std::int64_t>(v)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  field(std::string_view n, T v) : name(n), value(static_cast<std::uint64_t>(v)) {}
  field(std::string_view n, double v) : name(n), value(v) {}
};

/// Before the first thread; later calls change the level only.
void configure(level minimum, format how);
void set_level(level minimum);
[[nodiscard]] bool enabled(level l) noexcept;

/// `event` is a stable, dotted name ("store.opened"); `message` a sentence for a person.
void write(level l, std::string_view event, std::string_view message, std::initializer_list<field> fields = {},
           const trace_context* trace = nullptr);

inline void debug(std::string_view event, std::string_view message, std::initializer_list<field> fields = {},
                  const trace_context* trace = nullptr) {
  if (enabled(level::debug)) write(level::debug, event, message, fields, trace);
}
inline void info(std::string_view event, std::string_view message, std::initializer_list<field> fields = {},
                 const trace_context* trace = nullptr) {
  if (enabled(level::info)) write(level::info, event, message, fields, trace);
}
inline void warning(std::string_view event, std::string_view message, std::initializer_list<field> fields = {},
                    const trace_context* trace = nullptr) {
  if (enabled(level::warning)) write(level::warning, event, message, fields, trace);
}
inline void error(std::string_view event, std::string_view message, std::initializer_list<field> fields = {},
                  const trace_context* trace = nullptr) {
  write(level::error, event, message, fields, trace);
}

/// Writes out what is buffered.
void flush();

} // namespace matricula::log
