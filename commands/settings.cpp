#include "commands/commands.hpp"
#include "commands/id_types.hpp"
#include "commands/vid_policies.hpp"
#include "config/report.hpp"
#include "runtime/cron.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <unistd.h>

namespace matricula::commands {

namespace {
std::optional<std::string> bad_cron(std::string_view text) {
  const auto parsed = runtime::cron_expression::parse(text);
  return parsed ? std::nullopt : std::optional(parsed.error().message);
}
std::optional<std::string> bad_time_zone(std::string_view name) {
  const auto parsed = runtime::cron_expression::parse("* * * * *", name);
  return parsed ? std::nullopt : std::optional(parsed.error().message);
}
} // namespace

config::load_result settings_options::load() const {
  auto loaded = config::load({.file = file, .environment = config::environment_of(environ), .sets = sets},
                             {.cron = bad_cron, .time_zone = bad_time_zone});
  if (!loaded) return loaded;
  // What only the identifier domain knows: rules that contradict each other, lengths at which nothing is valid.
  auto problems = policy_problems(*loaded);
  for (const auto& [name, type] : loaded->values.identifiers.types)
    if (const auto options = type_options_of(name, type); !options)
      problems.push_back({loaded->origin_of("identifiers.types." + name + ".profile"), "identifiers.types." + name,
                          options.error().message});
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return loaded;
}

int config_check(const settings_options& settings) {
  const auto loaded = settings.load();
  fmt::print(loaded ? stdout : stderr, "{}", config::check_report(loaded));
  return loaded ? 0 : 1;
}

int config_show(const settings_options& settings) {
  const auto loaded = settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return 1;
  }
  fmt::print("{}", config::show_report(*loaded));
  return 0;
}

} // namespace matricula::commands
