/// Counts the valid identifiers of a format, and probes how many there may be: by a walk through the tree of valid
/// parts that looks only at what the last symbol changes.
#pragma once
#include "domain/identifiers/rules.hpp"
#include "foundation/random.hpp"

#include <atomic>
#include <cstdint>
#include <optional>

namespace matricula::identifiers {

/// Every valid identifier, counted one by one: some 10 ns each. Nothing when `stop` becomes true meanwhile.
/// @pre `validate` accepts the format.
[[nodiscard]] std::optional<std::uint64_t> count_valid(const id_format& format,
                                                       const std::atomic<bool>* stop = nullptr);

struct probe_sums {
  double sum = 0;
  double squares = 0;
};
/// Random walks from the first symbol to a whole identifier, choosing evenly among the symbols that break no rule yet.
/// The product of the numbers of choices, 0 for a walk that ends early, has the number of valid identifiers as its
/// mean. Source: D. E. Knuth, "Estimating the Efficiency of Backtrack Programs" (1975). About 1 us a walk.
[[nodiscard]] probe_sums probe_valid(const id_format& format, random_source& random, std::uint64_t probes);

} // namespace matricula::identifiers
