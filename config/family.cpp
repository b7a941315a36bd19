#include "config/family.hpp"

#include "config/load.hpp"
#include "config/schema.hpp"

#include <algorithm>
#include <array>

namespace matricula::config {
namespace {

template <class Map>
std::vector<std::string> names_of(const Map& members) {
  std::vector<std::string> out;
  for (const auto& [name, unused] : members) out.push_back(name);
  return out;
}

/// With every default of the family whose keys hold `placeholder`, if it is not there.
template <class Map>
void add_member(settings& s, Map& members, std::string_view placeholder, std::string_view name) {
  if (!members.try_emplace(std::string(name)).second) return;
  for (const auto& row : schema())
    if (row.key.find(placeholder) != row.key.npos && !std::holds_alternative<std::monostate>(row.initial))
      row.write(s, name, row.initial);
}

/// Its keys would be taken for settings of the whole section.
bool is_reserved(std::string_view name) noexcept { return name == "type" || name == "file"; }

bool is_policy_name(std::string_view name) noexcept {
  constexpr std::size_t bytes_max = 32;
  return is_type_name(name) && name.size() <= bytes_max && !is_reserved(name);
}

bool is_generator_name(std::string_view name) noexcept { return is_type_name(name) && name != local_generator; }

} // namespace

std::span<const family> families() {
  static constexpr auto all = std::to_array<family>({
      {"identifiers.types", "<type>", "type", "types",
       "a small letter, then 1 to 63 small letters, digits or underscores", "uin", types_max, is_type_name,
       [](const settings& s, std::string_view name) { return s.identifiers.types.contains(name); },
       [](const settings& s) { return names_of(s.identifiers.types); },
       [](settings& s, std::string_view name) { add_type(s, name); }},
      {"vid_policies", "<policy>", "policy", "policies",
       "a small letter, then 1 to 31 small letters, digits or underscores, but not \"type\" or \"file\"", "perpetual",
       policies_max, is_policy_name,
       [](const settings& s, std::string_view name) { return s.vid_policies.policies.contains(name); },
       [](const settings& s) { return names_of(s.vid_policies.policies); },
       [](settings& s, std::string_view name) { add_member(s, s.vid_policies.policies, "<policy>", name); }},
      {"tasks.types", "<worker_type>", "worker type", "worker types",
       "a small letter, then 1 to 63 small letters, digits or underscores", "example", worker_types_max, is_type_name,
       [](const settings& s, std::string_view name) { return s.tasks.types.contains(name); },
       [](const settings& s) { return names_of(s.tasks.types); },
       [](settings& s, std::string_view name) { add_member(s, s.tasks.types, "<worker_type>", name); }},
      {"registrants.kinds", "<kind>", "kind", "kinds",
       "a small letter, then 1 to 63 small letters, digits or underscores", "individual", registrant_kinds_max,
       is_type_name, [](const settings& s, std::string_view name) { return s.registrants.kinds.contains(name); },
       [](const settings& s) { return names_of(s.registrants.kinds); },
       [](settings& s, std::string_view name) { add_member(s, s.registrants.kinds, "<kind>", name); }},
      {"generators", "<generator>", "generator", "generators",
       "a small letter, then 1 to 63 small letters, digits or underscores, but not \"local\"", "mosip", generators_max,
       is_generator_name, [](const settings& s, std::string_view name) { return s.generators.contains(name); },
       [](const settings& s) { return names_of(s.generators); },
       [](settings& s, std::string_view name) { add_member(s, s.generators, "<generator>", name); }},
      {"webhooks", "<webhook>", "webhook", "webhooks",
       "a small letter, then 1 to 63 small letters, digits or underscores", "registry", webhooks_max, is_type_name,
       [](const settings& s, std::string_view name) { return s.webhooks.contains(name); },
       [](const settings& s) { return names_of(s.webhooks); },
       [](settings& s, std::string_view name) { add_member(s, s.webhooks, "<webhook>", name); }},
      {"bridges", "<bridge>", "bridge", "bridges", "a small letter, then 1 to 63 small letters, digits or underscores",
       "openg2p", bridges_max, is_type_name,
       [](const settings& s, std::string_view name) { return s.bridges.contains(name); },
       [](const settings& s) { return names_of(s.bridges); },
       [](settings& s, std::string_view name) { add_member(s, s.bridges, "<bridge>", name); }},
      {"alerts.sinks", "<sink>", "sink", "sinks", "a small letter, then 1 to 63 small letters, digits or underscores",
       "log", alert_sinks_max, is_type_name,
       [](const settings& s, std::string_view name) { return s.alerts.sinks.contains(name); },
       [](const settings& s) { return names_of(s.alerts.sinks); },
       [](settings& s, std::string_view name) { add_member(s, s.alerts.sinks, "<sink>", name); }},
  });
  return all;
}

const family* family_of_row(std::string_view key) noexcept {
  const auto all = families();
  const auto found = std::ranges::find_if(all, [&](const family& f) { return key.find(f.placeholder) != key.npos; });
  return found == all.end() ? nullptr : &*found;
}

family_member member_in(std::string_view path) noexcept {
  for (const auto& f : families()) {
    if (path.size() <= f.table.size() + 1 || !path.starts_with(f.table) || path[f.table.size()] != '.') continue;
    const auto rest = path.substr(f.table.size() + 1);
    return {&f, rest.substr(0, rest.find('.'))};
  }
  return {};
}

} // namespace matricula::config
