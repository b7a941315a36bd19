#include "domain/alerts/rule.hpp"

#include <cmath>

namespace matricula::alerts {

std::function<std::optional<bool>(double, std::optional<double>)> above(double limit) {
  return [limit](double now, std::optional<double>) { return std::optional(now > limit); };
}

std::function<std::optional<bool>(double, std::optional<double>)> below(double limit) {
  return [limit](double now, std::optional<double>) { return std::optional(now < limit); };
}

std::function<std::optional<bool>(double, std::optional<double>)> grown() {
  return [](double now, std::optional<double> before) { return before ? std::optional(now > *before) : std::nullopt; };
}

std::vector<finding> rule_book::apply(std::span<const reading> now) {
  std::vector<finding> found;
  std::map<std::pair<std::string, std::string>, double> seen;
  for (const auto& r : now) {
    if (!std::isfinite(r.value)) continue;
    const auto before = before_.find({r.name, r.subject});
    const auto last = before == before_.end() ? std::nullopt : std::optional(before->second);
    for (const auto& one : rules_) {
      if (one.reads != r.name) continue;
      const auto holds = one.holds(r.value, last);
      if (!holds) continue;
      finding f{.rule = one.name, .subject = r.subject, .holds = *holds, .how = one.how};
      if (f.holds) f.text = one.text(r);
      f.after = one.after;
      f.quiet = one.quiet;
      found.push_back(std::move(f));
    }
    seen[{r.name, r.subject}] = r.value;
  }
  before_ = std::move(seen);
  return found;
}

} // namespace matricula::alerts
