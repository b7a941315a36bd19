#include "domain/identifiers/capacity.hpp"

#include "domain/identifiers/checksum.hpp"
#include "domain/identifiers/enumeration.hpp"
#include "foundation/error.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace matricula::identifiers {
namespace {

/// One random walk from the first symbol to a whole identifier, choosing evenly among the symbols that break no rule
/// yet. The product of the numbers of choices (0 when it ends early) has the number of valid identifiers as its mean.
double probe(const id_format& format, random_source& random) {
  const bool has_check = has_check_digit(format.rules, format.written_in);
  const auto body = format.length - (has_check ? 1 : 0);
  const auto first = first_symbols(format.rules, format.written_in);
  double weight = 1;
  std::string id;
  std::string open;
  while (id.size() < body) {
    const std::string_view choices = id.empty() ? std::string_view(first) : symbols(format.written_in);
    open.clear();
    for (const char symbol : choices) {
      id.push_back(symbol);
      if (accepts_part(format.rules, id)) open.push_back(symbol);
      id.pop_back();
    }
    if (open.empty()) return 0;
    weight *= static_cast<double>(open.size());
    id.push_back(open[random.below(open.size())]);
  }
  if (has_check) id.push_back(check_digit(id));
  return accepts(format.rules, id) ? weight : 0;
}

} // namespace

std::optional<std::uint64_t> exact_capacity(const id_format& format, std::uint64_t raw_max) {
  if (raw_size(format) > raw_max) return std::nullopt;
  std::uint64_t count = 0;
  enumerate(format, [&count](std::string_view) { return ++count > 0; });
  return count;
}

capacity_estimate estimate_capacity(const id_format& format, random_source& random, std::uint64_t probes) {
  if (const auto exact = exact_capacity(format)) return {static_cast<double>(*exact), 0, true};
  require(probes > 1, "an estimate needs at least two probes");
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < probes; ++i) {
    const auto weight = probe(format, random);
    sum += weight;
    squares += weight * weight;
  }
  const auto n = static_cast<double>(probes);
  const auto mean = sum / n;
  const auto variance = std::max(0.0, (squares / n - mean * mean) * n / (n - 1));
  return {mean, std::sqrt(variance / n), false};
}

} // namespace matricula::identifiers
