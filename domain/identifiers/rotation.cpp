#include "domain/identifiers/rotation.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::identifiers {

result<void> give_keys(id_type& type, std::span<const past_key> past, const permutation_key& present) {
  auto space = identifier_space::make(type.space->format(), past, present, type.name);
  if (!space)
    return fail(errc::invalid_argument, fmt::format("identifier type '{}': {}.", type.name, space.error().message));
  // What a key still finds is what the ones before have left; its share of the numbers weighs reuse against fresh ones.
  const auto numbers = static_cast<double>(space->domain_size());
  double left = type.capacity.value;
  std::uint64_t from = 0;
  type.past_keys.clear();
  for (const auto& one : past) {
    left -= left * std::min(1.0, static_cast<double>(one.end - from) / numbers);
    from = one.end;
    type.past_keys.push_back({one.key.fingerprint(), one.end});
  }
  type.space = std::make_shared<const identifier_space>(std::move(*space));
  type.rules.end = std::min(type.space->counter_end(), identifier_space::counters_max);
  type.rules.valid_share = std::max(0.0, left) / numbers;
  type.key_fingerprint = present.fingerprint();
  return {};
}

pool_counters cut_at_issued(pool_counters counters) noexcept {
  const auto forgotten = counters.walked_to - counters.issued_to;
  counters.filtered -= forgotten - counters.fresh;
  counters.fresh = 0;
  counters.walked_to = counters.issued_to;
  return counters;
}

} // namespace matricula::identifiers
