/// Rules: numbers that are read now and then, and what makes one of them an alert. A further rule is one more line in
/// the list that the node is given.
#pragma once
#include "domain/alerts/alert.hpp"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace matricula::alerts {

/// A number that somebody watches, of one subject.
struct reading {
  std::string name;    ///< "queue_age_seconds"
  std::string subject; ///< "id_generation"; empty: the node
  double value = 0;
};

struct rule {
  std::string name;  ///< of the alerts
  std::string reads; ///< the name of readings
  severity how = severity::warning;
  /// Whether it holds; nothing: that cannot be said yet. @param before the reading before, if there was one
  std::function<std::optional<bool>(double now, std::optional<double> before)> holds;
  std::function<std::string(const reading&)> text; ///< see finding::text
  milliseconds after{0};                           ///< it must hold for so long before anybody is told
  std::optional<milliseconds> quiet;               ///< over when it was away for so long; nothing: as the book has it
};

/// Conditions.
[[nodiscard]] std::function<std::optional<bool>(double, std::optional<double>)> above(double limit);
[[nodiscard]] std::function<std::optional<bool>(double, std::optional<double>)> below(double limit);
/// Grown since the reading before.
[[nodiscard]] std::function<std::optional<bool>(double, std::optional<double>)> grown();

/// Applies rules to readings, and remembers the readings before.
class rule_book {
public:
  explicit rule_book(std::vector<rule> rules) : rules_(std::move(rules)) {}
  /// What every rule says of every reading of its name. A reading that is no number is passed over.
  [[nodiscard]] std::vector<finding> apply(std::span<const reading> now);

private:
  std::vector<rule> rules_;
  std::map<std::pair<std::string, std::string>, double> before_;
};

} // namespace matricula::alerts
