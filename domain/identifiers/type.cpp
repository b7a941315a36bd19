#include "domain/identifiers/type.hpp"

#include "domain/identifiers/profiles.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace matricula::identifiers {

bool is_type_name(std::string_view name) noexcept {
  return name.size() >= 2 && name.size() <= 64 && name[0] >= 'a' && name[0] <= 'z' &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

result<id_type> make_type(const type_options& o, const permutation_key& master, random_source& random) {
  const auto wrong = [&](std::string_view what) {
    return fail(errc::invalid_argument, fmt::format("identifier type '{}': {}", o.name, what));
  };
  if (!is_type_name(o.name)) return wrong("a name is a lower-case letter, then 1 to 63 of a-z, 0-9 and _.");
  if (const auto ok = validate(o.format.rules, o.format.written_in, o.format.length); !ok)
    return wrong(ok.error().message);
  if (o.limits.refill_below < 1 || o.limits.fill_to < o.limits.refill_below)
    return wrong("pool_min must be at least 1, and pool_target at least pool_min.");
  if (o.cool_off < milliseconds{0}) return wrong("the cool-off cannot be negative.");
  if (o.populator_workers < 1) return wrong("at least one populator worker is needed.");
  if (o.issuers < 1 || o.issuers > issuers_max)
    return wrong(fmt::format("it can have 1 to {} issuing shards.", issuers_max));

  const auto key = master.derive(o.name);
  auto space = identifier_space::make(o.format, key, o.name);
  if (!space) return wrong(space.error().message);
  id_type type;
  type.name = o.name;
  type.profile = o.profile;
  type.space = std::make_shared<const identifier_space>(std::move(*space));
  // Quick enough for the start of a node: some 50 ms a type, for a standard error of about half a per cent.
  constexpr std::uint64_t probes = 20'000;
  type.capacity = estimate_capacity(o.format, random, probes);
  // Above are the slots of imported identifiers. Nobody walks so far.
  type.rules = {o.of, o.reuse, o.cool_off, std::min(type.space->counter_end(), import_base),
                type.capacity.value / static_cast<double>(type.space->domain_size())};
  type.limits = o.limits;
  type.populator_workers = o.populator_workers;
  type.key_fingerprint = key.fingerprint();
  type.issuers = o.issuers;
  return type;
}

std::string describe_space(const id_type& type) {
  const auto& f = type.space->format();
  const auto& r = f.rules;
  return fmt::format("length={} alphabet={} not_start_with=[{}] sequence={}{} repeating={}:{} block={} even={}{} "
                     "digits={} reverse={}{} "
                     "restricted=[{}] cyclic={} check_digit={}",
                     f.length, to_string(f.written_in), fmt::join(r.not_start_with, ","), r.sequence_limit,
                     r.sequence_wraps ? "w" : "", r.repeating_limit, static_cast<int>(r.repeating),
                     r.repeating_block_limit, r.conjugative_even_digits_limit, r.zero_counts_as_even ? "z" : "",
                     r.digits_limit, r.reverse_digits_limit, r.groups_may_overlap ? "o" : "",
                     fmt::join(r.restricted_numbers, ","), r.cyclic_numbers, r.check_digit);
}

} // namespace matricula::identifiers
