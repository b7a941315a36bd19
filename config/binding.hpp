/// How a schema row reaches its place in the structs: a pair of functions made from pointers to members.
#pragma once
#include "config/settings.hpp"
#include "config/value.hpp"
#include "foundation/error.hpp"

#include <array>
#include <concepts>
#include <utility>

namespace matricula::config {

/// The words of an enumeration, in the order of its values.
template <class E>
inline constexpr std::array<std::string_view, 0> words_of{};
template <>
inline constexpr std::array<std::string_view, 4> words_of<auth_mode>{"tokens", "jwt", "tokens_and_jwt", "none"};
template <>
inline constexpr std::array<std::string_view, 2> words_of<missed_run>{"catch_up", "skip"};
template <>
inline constexpr std::array<std::string_view, 4> words_of<log::level>{"debug", "info", "warning", "error"};
template <>
inline constexpr std::array<std::string_view, 2> words_of<log::format>{"text", "json"};
template <>
inline constexpr std::array<std::string_view, 3> words_of<sink_kind>{"log", "smtp", "webhook"};
template <>
inline constexpr std::array<std::string_view, 3> words_of<mail_security>{"starttls", "tls", "none"};

inline value to_value(bool v) { return v; }
template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
value to_value(T v) {
  return static_cast<std::int64_t>(v);
}
template <class E>
  requires std::is_enum_v<E>
value to_value(E v) {
  return std::string(words_of<E>.at(static_cast<std::size_t>(v)));
}
inline value to_value(const std::string& v) { return v; }
inline value to_value(const std::vector<std::string>& v) { return v; }
template <class T>
value to_value(const std::optional<T>& v) {
  return v ? to_value(*v) : value{};
}

inline void assign(bool& to, const value& v) { to = std::get<bool>(v); }
template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void assign(T& to, const value& v) {
  const auto number = std::get<std::int64_t>(v);
  require(std::in_range<T>(number), "a setting's range is inside its type");
  to = static_cast<T>(number);
}
template <class E>
  requires std::is_enum_v<E>
void assign(E& to, const value& v) {
  const auto& word = std::get<std::string>(v);
  for (std::size_t i = 0; i < words_of<E>.size(); ++i)
    if (words_of<E>.at(i) == word) to = static_cast<E>(i);
}
inline void assign(std::string& to, const value& v) { to = std::get<std::string>(v); }
inline void assign(std::vector<std::string>& to, const value& v) { to = std::get<std::vector<std::string>>(v); }
template <class T>
void assign(std::optional<T>& to, const value& v) {
  if (std::holds_alternative<std::monostate>(v))
    to.reset();
  else
    assign(to.emplace(), v);
}

struct binding {
  value (*read)(const settings&, std::string_view);
  void (*write)(settings&, std::string_view, const value&);
};

/// `Section` is a member of settings, `Field` a member of that section.
template <auto Section, auto Field>
constexpr binding bound() {
  return {[](const settings& s, std::string_view) { return to_value(s.*Section.*Field); },
          [](settings& s, std::string_view, const value& v) { assign(s.*Section.*Field, v); }};
}
/// `Field` is a member of type_settings.
template <auto Field>
constexpr binding bound_in_type() {
  return {
      [](const settings& s, std::string_view type) { return to_value(s.identifiers.types.find(type)->second.*Field); },
      [](settings& s, std::string_view type, const value& v) {
        assign(s.identifiers.types.find(type)->second.*Field, v);
      }};
}
/// `Field` is a member of rule_settings.
template <auto Field>
constexpr binding bound_in_rules() {
  return {[](const settings& s, std::string_view type) {
            return to_value(s.identifiers.types.find(type)->second.rules.*Field);
          },
          [](settings& s, std::string_view type, const value& v) {
            assign(s.identifiers.types.find(type)->second.rules.*Field, v);
          }};
}

/// `Field` is a member of policy_settings.
template <auto Field>
constexpr binding bound_in_policy() {
  return {[](const settings& s, std::string_view policy) {
            return to_value(s.vid_policies.policies.find(policy)->second.*Field);
          },
          [](settings& s, std::string_view policy, const value& v) {
            assign(s.vid_policies.policies.find(policy)->second.*Field, v);
          }};
}

/// `Field` is a member of worker_type_settings.
template <auto Field>
constexpr binding bound_in_worker_type() {
  return {
      [](const settings& s, std::string_view type) { return to_value(s.tasks.types.find(type)->second.*Field); },
      [](settings& s, std::string_view type, const value& v) { assign(s.tasks.types.find(type)->second.*Field, v); }};
}

/// `Field` is a member of registrant_kind_settings.
template <auto Field>
constexpr binding bound_in_kind() {
  return {
      [](const settings& s, std::string_view name) { return to_value(s.registrants.kinds.find(name)->second.*Field); },
      [](settings& s, std::string_view name, const value& v) {
        assign(s.registrants.kinds.find(name)->second.*Field, v);
      }};
}

/// `Members` is a map of settings by name, `Field` a member of what it holds.
template <auto Members, auto Field>
constexpr binding bound_in_member() {
  return {
      [](const settings& s, std::string_view name) { return to_value((s.*Members).find(name)->second.*Field); },
      [](settings& s, std::string_view name, const value& v) { assign((s.*Members).find(name)->second.*Field, v); }};
}

/// `Field` is a member of alert_sink_settings.
template <auto Field>
constexpr binding bound_in_alert_sink() {
  return {
      [](const settings& s, std::string_view sink) { return to_value(s.alerts.sinks.find(sink)->second.*Field); },
      [](settings& s, std::string_view sink, const value& v) { assign(s.alerts.sinks.find(sink)->second.*Field, v); }};
}

} // namespace matricula::config
