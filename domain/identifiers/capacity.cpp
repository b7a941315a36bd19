#include "domain/identifiers/capacity.hpp"

#include "domain/identifiers/valid_count.hpp"
#include "foundation/error.hpp"

#include <algorithm>
#include <cmath>

namespace matricula::identifiers {
std::optional<std::uint64_t> exact_capacity(const id_format& format, std::uint64_t raw_max) {
  if (raw_size(format) > raw_max) return std::nullopt;
  return count_valid(format);
}

capacity_estimate estimate_capacity(const id_format& format, random_source& random, std::uint64_t probes) {
  if (const auto exact = exact_capacity(format)) return {static_cast<double>(*exact), 0, true};
  require(probes > 1, "an estimate needs at least two probes");
  const auto [sum, squares] = probe_valid(format, random, probes);
  const auto n = static_cast<double>(probes);
  const auto mean = sum / n;
  const auto variance = std::max(0.0, (squares / n - mean * mean) * n / (n - 1));
  return {mean, std::sqrt(variance / n), false};
}

} // namespace matricula::identifiers
