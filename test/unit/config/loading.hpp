/// Short ways to load settings in tests.
#pragma once
#include "config/family.hpp"
#include "config/load.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace matricula::config {

using variables = std::vector<std::pair<std::string, std::string>>;

inline load_result load_text(std::string text, variables environment = {}, std::vector<std::string> sets = {}) {
  return load(sources{file_text{"test.toml", std::move(text)}, std::move(environment), std::move(sets)});
}

inline std::string all_problems(const load_result& outcome) {
  if (outcome) return {};
  std::string out;
  for (const auto& p : outcome.error()) out += (out.empty() ? "" : "\n") + to_string(p);
  return out;
}

/// The settings, or a failed test with every problem and a stop.
inline loaded accepted(load_result outcome) {
  EXPECT_EQ(all_problems(outcome), "");
  return outcome ? std::move(*outcome) : loaded{defaults(), {}};
}

/// The defaults, and a member of every family: of some none is shipped.
inline settings one_of_each() {
  auto s = defaults();
  for (const auto& of : families()) of.add(s, of.example);
  return s;
}

/// A name for keys that need one, which `one_of_each` has.
inline std::string_view some_name(const setting& row) {
  const auto* of = family_of_row(row.key);
  return of == nullptr ? "" : of->example;
}

} // namespace matricula::config
