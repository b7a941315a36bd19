#include "domain/identifiers/import_claim.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

namespace matricula::identifiers {

namespace {

struct importable {
  lifecycle of;
  id_state state;
};
constexpr std::array states{
    importable{lifecycle::uin, id_state::assigned}, importable{lifecycle::uin, id_state::issued},
    importable{lifecycle::vid, id_state::assigned}, importable{lifecycle::vid, id_state::expired},
    importable{lifecycle::pool, id_state::taken}};
/// What other systems call an identifier that nobody has.
constexpr std::array<std::string_view, 4> names_of_unused{"AVAILABLE", "UNUSED", "UNASSIGNED", "FREE"};

bool is_plain_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= import_id_bytes_max && std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::unexpected<import_refusal> refuse(std::string_view code, std::string message) {
  return std::unexpected(import_refusal{code, std::move(message)});
}

std::expected<id_state, import_refusal> state_of(const id_type& type, std::string_view name) {
  for (const auto& s : states)
    if (s.of == type.rules.of && (name.empty() || name == to_string(s.state))) return s.state;
  if (std::ranges::find(names_of_unused, name) != names_of_unused.end())
    return refuse("not_in_use", "An identifier that nobody has is not imported: leave the line out, and it may be "
                                "generated and handed out here.");
  return refuse("unknown_state", fmt::format("The state of a type of lifecycle {} is {}.", to_string(type.rules.of),
                                             importable_states(type.rules.of)));
}

} // namespace

std::string_view importable_states(lifecycle of) noexcept {
  switch (of) {
  case lifecycle::uin:
    return "ASSIGNED or ISSUED";
  case lifecycle::vid:
    return "ASSIGNED or EXPIRED";
  case lifecycle::pool:
    return "TAKEN";
  }
  return "unknown";
}

std::expected<import_row, import_refusal> judge(const id_type& type, import_claim claim, bool accept_foreign,
                                                timestamp now) {
  if (!is_plain_id(claim.id))
    return refuse("malformed_id", fmt::format("An identifier has 1 to {} of the characters A-Z, a-z, 0-9, '.', '_' "
                                              "and '-'.",
                                              import_id_bytes_max));
  const auto state = state_of(type, claim.state);
  if (!state) return std::unexpected(state.error());
  import_row row;
  row.state = *state;
  if (const auto counter = type.space->counter_of(claim.id)) {
    if (*counter < type.rules.end) row.counter = static_cast<std::uint64_t>(*counter);
  } else {
    std::vector<std::string_view> broken;
    for (const auto r : type.space->failed_rules(claim.id)) broken.push_back(to_string(r));
    if (!accept_foreign)
      return refuse("breaks_rules", fmt::format("It breaks the rules of type '{}': {}. If it is in use nevertheless, "
                                                "import it with accept_foreign=true.",
                                                type.name, fmt::join(broken, ", ")));
    row.foreign = true;
  }
  if (claim.expires_at && type.rules.of != lifecycle::vid)
    return refuse("does_not_expire", fmt::format("expires_at is for types of lifecycle vid; '{}' is of lifecycle {}.",
                                                 type.name, to_string(type.rules.of)));
  const timestamp epoch{};
  if (claim.issued_at && (*claim.issued_at <= epoch || *claim.issued_at > now))
    return refuse("wrong_time", "issued_at lies in the future, or before 1970.");
  if (claim.expires_at && *claim.expires_at <= epoch) return refuse("wrong_time", "expires_at lies before 1970.");
  if (claim.issued_at && claim.expires_at && *claim.expires_at < *claim.issued_at)
    return refuse("wrong_time", "expires_at lies before issued_at.");
  row.id = std::move(claim.id);
  row.issued_at = claim.issued_at;
  row.expires_at = claim.expires_at;
  row.holder = std::move(claim.holder);
  return row;
}

} // namespace matricula::identifiers
