/// Every setting there is: one row a key. Loader, documentation, effective settings and reload all read this table.
#pragma once
#include "config/settings.hpp"
#include "config/value.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::config {

enum class kind : std::uint8_t {
  boolean,
  integer,     ///< min to max
  text,        ///< min to max bytes of UTF-8 without control characters
  word,        ///< one of `words`
  address,     ///< HOST:PORT
  cron,        ///< five fields, or six with the second first
  time_zone,   ///< a name of the time zone database
  key_hex,     ///< 64 hexadecimal digits
  route_list,  ///< up to max items "METHOD /path"
  text_list,   ///< up to max items of 1 to 256 bytes of UTF-8 without control characters
  key_list,    ///< up to max items "file:PATH", "command:COMMAND LINE" or "env:NAME"
  role_list,   ///< up to max items "ROLE=scope scope"
  symbol_list, ///< up to max items of 1 to 32 digits and capital letters
};

/// One row. In `key`, "<type>" stands for the name of an identifier type, "<policy>" for that of a VID policy; the
/// other placeholders are in family.cpp.
struct setting {
  std::string_view key;
  kind what;
  value initial; ///< the default; nothing when optional or required
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::string_view unit; ///< empty when it has none
  std::span<const std::string_view> words;
  bool reloadable = false; ///< takes effect on reload; otherwise after a restart
  bool required = false;   ///< a new type must say it
  value example;           ///< of a required one, for matricula.toml
  bool secret = false;     ///< environment only, never shown
  std::string_view help;   ///< one or two sentences

  /// `type` is the name for keys that hold one (there must be such a type or policy) and ignored otherwise.
  value (*read)(const settings& s, std::string_view type) = nullptr;
  /// @pre `v` has the alternative and the range of this row
  void (*write)(settings& s, std::string_view type, const value& v) = nullptr;

  /// Whether a name belongs to the key; see family.hpp.
  [[nodiscard]] bool named() const noexcept { return key.find('<') != std::string_view::npos; }
};

/// The rows, in the order of matricula.toml.
[[nodiscard]] std::span<const setting> schema();

/// A table of the file and what it is for.
struct section {
  std::string_view name; ///< "server", "identifiers.types.<type>"
  std::string_view help;
};
[[nodiscard]] std::span<const section> sections();

/// The section of a key: all but its last part.
[[nodiscard]] std::string_view section_of(std::string_view key) noexcept;
/// The last part of a key.
[[nodiscard]] std::string_view name_of(std::string_view key) noexcept;

/// `key` with the name in place of its placeholder.
[[nodiscard]] std::string with_type(std::string_view key, std::string_view type);

/// A key that somebody wrote, recognised.
struct known_key {
  const setting* row = nullptr;
  std::string type; ///< the name in a key of a type or policy
};
/// Nothing when no row has this key. A type's name is not judged here.
[[nodiscard]] std::optional<known_key> find_setting(std::string_view key);

/// The environment variable of a key: MATRICULA_SERVER__LISTEN.
[[nodiscard]] std::string environment_name(std::string_view key);

/// Whether `name` may name an identifier type: a small letter, then 1 to 63 small letters, digits or underscores.
[[nodiscard]] bool is_type_name(std::string_view name) noexcept;

/// What a row accepts, as a phrase: "an integer from 1 to 1024 (threads)".
[[nodiscard]] std::string allowed(const setting& row);

/// Checks that need knowledge of other rooms; each returns what is wrong with the text, or nothing. An empty function
/// accepts what has the right shape.
struct outside_checks {
  std::function<std::optional<std::string>(std::string_view)> cron;
  std::function<std::optional<std::string>(std::string_view)> time_zone;
};
/// What is wrong with `v` for this row ("" when only the phrase of `allowed` is needed), or nothing.
[[nodiscard]] std::optional<std::string> refusal(const setting& row, const value& v, const outside_checks& checks);

/// A shipped identifier type: what it says beyond the defaults of every type.
struct shipped_type {
  std::string_view name;
  std::string_view help;
  std::vector<std::pair<std::string_view, value>> says; ///< last part of the key, value
};
[[nodiscard]] std::span<const shipped_type> shipped_types();

/// The shipped VID policies, each with all its keys.
[[nodiscard]] std::span<const shipped_type> shipped_policies();

/// The shipped worker types.
[[nodiscard]] std::span<const shipped_type> shipped_worker_types();

/// The shipped kinds of registrants.
[[nodiscard]] std::span<const shipped_type> shipped_registrant_kinds();

/// The shipped sinks of alerts.
[[nodiscard]] std::span<const shipped_type> shipped_alert_sinks();

/// Adds a type with every default to `s`, if it is not there.
void add_type(settings& s, std::string_view name);

} // namespace matricula::config
