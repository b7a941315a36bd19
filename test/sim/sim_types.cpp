#include "test/sim/sim_types.hpp"

#include "domain/identifiers/profiles.hpp"

#include <algorithm>

namespace matricula::sim {

using namespace identifiers;

namespace {

sim_type make(std::string name, std::string_view profile, std::size_t length, lifecycle of, reuse_policy reuse,
              milliseconds cool_off, pool_limits limits, std::uint32_t issuers = 1) {
  const auto key = permutation_key::from_bytes("0123456789abcdef0123456789abcdef");
  require(key.has_value(), "the simulation's key is a key");
  type_options o;
  o.name = std::move(name);
  o.profile = profile;
  o.format = {alphabet::digits, length, *find_profile(profile)};
  o.of = of;
  o.reuse = reuse;
  o.cool_off = cool_off;
  o.limits = limits;
  o.issuers = issuers;
  seeded_random random{1};
  auto type = make_type(o, *key, random);
  if (!type) require(false, type.error().message);
  sim_type out{.type = std::move(*type), .valid = {}};
  std::vector<candidate> all;
  (void)out.type.space->walk({}, all);
  for (const auto& c : all) out.valid.push_back(c.counter);
  return out;
}

} // namespace

std::uint64_t sim_type::valid_below(std::uint64_t end, std::uint32_t issuer) const {
  const issuing_class walks{issuer, type.issuers};
  return static_cast<std::uint64_t>(std::ranges::count_if(
      valid, [&](std::uint64_t counter) { return walks.holds(counter) && walks.index(counter) < end; }));
}

const std::vector<sim_type>& sim_types() {
  static const std::vector<sim_type> all = [] {
    std::vector<sim_type> types;
    types.push_back(make("uin", "openg2p", 5, lifecycle::uin, reuse_policy::random, {}, {40, 120}));
    types.push_back(make("vid", "mosip-vid", 3, lifecycle::vid, reuse_policy::random, milliseconds{700}, {8, 16}));
    types.push_back(make("pass", "mosip-vid", 4, lifecycle::vid, reuse_policy::never, milliseconds{300}, {20, 60}));
    types.push_back(make("farmer", "openg2p", 4, lifecycle::pool, reuse_policy::random, {}, {20, 60}));
    types.push_back(make("badge", "mosip-vid", 3, lifecycle::uin, reuse_policy::random, {}, {6, 18}, 3));
    types.push_back(make("alias", "mosip-vid", 4, lifecycle::vid, reuse_policy::random, milliseconds{400}, {10, 30}));
    types.back().of_holders = true;
    return types;
  }();
  return all;
}

std::size_t plain_types() { return sim_types().size() - 1; }

} // namespace matricula::sim
