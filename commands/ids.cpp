#include "commands/commands.hpp"
#include "commands/id_types.hpp"
#include "config/report.hpp"
#include "foundation/random.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <iostream>

namespace matricula::commands {

using namespace identifiers;

namespace {

std::optional<type_options> find_type(const ids_options& options) {
  const auto loaded = options.settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return std::nullopt;
  }
  const auto& types = loaded->values.identifiers.types;
  const auto found = types.find(options.type);
  if (found == types.end()) {
    std::vector<std::string_view> known;
    for (const auto& [name, _] : types) known.push_back(name);
    fmt::print(stderr, "There is no identifier type '{}'. Configured: {}.\n", options.type, fmt::join(known, ", "));
    return std::nullopt;
  }
  auto type = type_options_of(found->first, found->second);
  if (!type) {
    fmt::print(stderr, "{}\n", type.error().message);
    return std::nullopt;
  }
  return *type;
}

} // namespace

int ids_generate(const ids_options& options) {
  const auto type = find_type(options);
  if (!type) return 1;
  secure_random random;
  std::string raw;
  for (int i = 0; i < 4; ++i) {
    const auto word = random.next();
    raw.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  const auto space = identifier_space::make(type->format, *permutation_key::from_bytes(raw), type->name);
  if (!space) {
    fmt::print(stderr, "{}\n", space.error().message);
    return 1;
  }
  std::vector<candidate> found;
  (void)space->walk({.ids_max = options.count}, found);
  for (const auto& c : found) fmt::print("{}\n", c.id.view());
  if (found.size() < options.count) {
    fmt::print(stderr, "There are only {}.\n", found.size());
    return 1;
  }
  return 0;
}

int ids_validate(const ids_options& options) {
  const auto type = find_type(options);
  if (!type) return 1;
  bool all_valid = true;
  const auto judge = [&](std::string_view id) {
    const auto failed = failed_rules(type->format.rules, type->format.written_in, type->format.length, id);
    std::vector<std::string_view> names;
    for (const auto rule : failed) names.push_back(to_string(rule));
    fmt::print("{} {}\n", id, failed.empty() ? "valid" : fmt::format("{}", fmt::join(names, ",")));
    all_valid = all_valid && failed.empty();
  };
  if (options.ids.empty())
    for (std::string line; std::getline(std::cin, line);) judge(line);
  else
    for (const auto& id : options.ids) judge(id);
  return all_valid ? 0 : 1;
}

} // namespace matricula::commands
