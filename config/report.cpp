#include "config/report.hpp"

#include "config/effective.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::config {
namespace {

std::string counted(std::size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string change_lines(const std::vector<changed_setting>& changes, std::string_view when) {
  std::string out;
  for (const auto& c : changes)
    out += fmt::format("{}: {} -> {} ({})\n", c.key, c.before.empty() ? "not set" : c.before,
                       c.after.empty() ? "not set" : c.after, when);
  return out;
}

} // namespace

std::string problem_report(const std::vector<problem>& problems) {
  std::string out;
  for (const auto& p : problems) out += to_string(p) + "\n";
  return out + fmt::format("settings refused: {}\n", counted(problems.size(), "problem", "problems"));
}

std::string check_report(const load_result& outcome) {
  if (!outcome) return problem_report(outcome.error());
  const auto types =
      std::ranges::count_if(outcome->values.identifiers.types, [](const auto& named) { return named.second.enabled; });
  return fmt::format("settings accepted: {} beside the defaults, {}\n",
                     counted(outcome->origins.size(), "value", "values"),
                     counted(static_cast<std::size_t>(types), "identifier type", "identifier types"));
}

std::string show_report(const loaded& now) { return to_toml(now); }

std::string reload_report(const reload_plan& plan) {
  if (plan.now.empty() && plan.restart.empty()) return "nothing changed\n";
  return change_lines(plan.now, "in effect") + change_lines(plan.restart, "after a restart");
}

} // namespace matricula::config
