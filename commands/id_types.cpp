#include "commands/id_types.hpp"

#include "domain/identifiers/profiles.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace matricula::commands {

using namespace identifiers;

result<type_options> type_options_of(const std::string& name, const config::type_settings& s) {
  const auto wrong = [&](std::string what) {
    return fail(errc::invalid_argument, fmt::format("identifiers.types.{}: {}", name, what));
  };
  type_options o;
  o.name = name;
  o.profile = s.profile;
  const auto profile = find_profile(s.profile);
  if (!profile)
    return wrong(
        fmt::format("there is no profile '{}'; choose one of {}.", s.profile, fmt::join(profile_names(), ", ")));
  const auto letters = parse_alphabet(s.alphabet);
  if (!letters) return wrong(fmt::format("there is no alphabet '{}'.", s.alphabet));
  const auto life = parse_lifecycle(s.lifecycle);
  if (!life) return wrong(fmt::format("there is no lifecycle '{}'.", s.lifecycle));
  o.format = {*letters, s.length, *profile};
  o.of = *life;
  o.reuse = s.reuse == "never" ? reuse_policy::never : reuse_policy::random;
  o.cool_off = std::chrono::seconds(s.cool_off_seconds);
  o.limits = {s.pool_min, s.pool_target};
  o.populator_workers = s.populator_workers;
  o.issuers = s.issuing_shards;

  auto& r = o.format.rules;
  const auto& changed = s.rules;
  if (changed.sequence_limit) r.sequence_limit = *changed.sequence_limit;
  if (changed.repeating_limit) r.repeating_limit = *changed.repeating_limit;
  if (changed.repeating_block_limit) r.repeating_block_limit = *changed.repeating_block_limit;
  if (changed.even_digits_limit) r.conjugative_even_digits_limit = *changed.even_digits_limit;
  if (changed.digits_limit) r.digits_limit = *changed.digits_limit;
  if (changed.reverse_digits_limit) r.reverse_digits_limit = *changed.reverse_digits_limit;
  if (changed.not_start_with) r.not_start_with = *changed.not_start_with;
  if (changed.restricted_numbers) r.restricted_numbers = *changed.restricted_numbers;
  if (changed.cyclic_numbers) r.cyclic_numbers = *changed.cyclic_numbers;
  if (r != *profile) o.profile += " (changed)";
  return o;
}

result<std::vector<id_type>> make_types(const config::identifier_settings& settings, const permutation_key& key,
                                        random_source& random) {
  std::vector<id_type> types;
  for (const auto& [name, s] : settings.types) {
    if (!s.enabled) continue;
    const auto options = type_options_of(name, s);
    if (!options) return std::unexpected(options.error());
    auto type = make_type(*options, key, random);
    if (!type) return std::unexpected(type.error());
    if (type->issuers > 1 && type->space->domain_size() < several_issuers_from)
      return fail(
          errc::invalid_argument,
          fmt::format("identifiers.types.{}.issuing_shards: found {}; a type with fewer than {} raw numbers has "
                      "1. Set it to 1, or configure a longer type.",
                      name, type->issuers, several_issuers_from));
    types.push_back(std::move(*type));
  }
  if (types.empty())
    return fail(errc::invalid_argument, "identifiers.types: no type is enabled; a node without any has nothing to do.");
  return types;
}

} // namespace matricula::commands
