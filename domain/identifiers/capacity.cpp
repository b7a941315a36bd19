#include "domain/identifiers/capacity.hpp"

#include "domain/identifiers/checksum.hpp"
#include "domain/identifiers/enumeration.hpp"
#include "foundation/error.hpp"

#include <cmath>

namespace matricula::identifiers {

std::optional<std::uint64_t> exact_capacity(const id_format& format, std::uint64_t raw_max) {
  if (raw_size(format) > raw_max) return std::nullopt;
  std::uint64_t count = 0;
  enumerate(format, [&count](std::string_view) { return ++count > 0; });
  return count;
}

capacity_estimate estimate_capacity(const id_format& format, random_source& random, std::uint64_t samples) {
  if (const auto exact = exact_capacity(format)) return {static_cast<double>(*exact), 0, true};
  require(samples > 0, "an estimate needs at least one sample");
  const auto first = first_symbols(format.rules, format.written_in);
  const auto any = symbols(format.written_in);
  const bool has_check = has_check_digit(format.rules, format.written_in);
  const auto body = format.length - (has_check ? 1 : 0);
  std::uint64_t valid = 0;
  std::string id;
  for (std::uint64_t i = 0; i < samples; ++i) {
    id.assign(1, first[random.below(first.size())]);
    while (id.size() < body) id.push_back(any[random.below(any.size())]);
    if (has_check) id.push_back(check_digit(id));
    if (accepts(format.rules, id)) ++valid;
  }
  const auto raw = static_cast<double>(raw_size(format));
  const auto share = static_cast<double>(valid) / static_cast<double>(samples);
  return {raw * share, raw * std::sqrt(share * (1 - share) / static_cast<double>(samples)), false};
}

} // namespace matricula::identifiers
