/// Tables of the settings that people name themselves: one for each identifier type, VID policy, worker type,
/// kind of registrants, generator, webhook, bridge and so on. In a key of the schema the family's placeholder stands
/// for the name.
#pragma once
#include "config/settings.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::config {

struct family {
  std::string_view table;       ///< "identifiers.types"
  std::string_view placeholder; ///< "<type>"
  std::string_view member;      ///< "type": for messages
  std::string_view members;     ///< "types"
  std::string_view names_are;   ///< what a name may be, as a phrase
  std::string_view example;     ///< a member, shipped where some are
  std::size_t members_max = 0;  ///< shipped ones included
  bool (*may_be_named)(std::string_view) noexcept = nullptr;
  bool (*has)(const settings&, std::string_view) = nullptr;
  std::vector<std::string> (*names)(const settings&) = nullptr;
  /// Adds a member with every default, if it is not there.
  void (*add)(settings&, std::string_view) = nullptr;
};
[[nodiscard]] std::span<const family> families();

/// The family whose rows have keys like this one of the schema; null for a plain key.
[[nodiscard]] const family* family_of_row(std::string_view key) noexcept;

/// A member's name in a key or table that somebody wrote.
struct family_member {
  const family* of = nullptr; ///< null: the key is of no family
  std::string_view name;
};
[[nodiscard]] family_member member_in(std::string_view path) noexcept;

} // namespace matricula::config
