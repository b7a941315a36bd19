#include "test/sim/restore.hpp"

#include "storage/identifiers.hpp"
#include "storage/restored_store.hpp"
#include "test/sim/sim_store.hpp"

#include <algorithm>
#include <vector>

namespace matricula::sim {

using namespace identifiers;

namespace {

/// Skipping by number is a guess: it may be too much, never too little.
constexpr std::uint64_t skipped_too_many_max = 40;

/// By issuer; nothing of a type that has not started.
result<std::vector<std::uint64_t>> issued_to(const storage::store& in, const id_type& type) {
  const auto setups = storage::find_types(*in.latest());
  if (!setups) return std::unexpected(setups.error());
  std::vector<std::uint64_t> found;
  for (const auto& setup : *setups) {
    if (setup.name != type.name) continue;
    for (const auto& part : storage::id_partitions(setup.name, setup.number, setup.of, setup.issuers)) {
      const auto counters = storage::find_pool(*in.latest(), part);
      if (!counters) return std::unexpected(counters.error());
      found.push_back(counters->issued_to);
    }
  }
  return found;
}

} // namespace

result<std::uint64_t> settle_after_restore(std::shared_ptr<test::sim_disk> restored,
                                           std::shared_ptr<test::sim_disk> old, settled_by how, const sim_clock& time,
                                           random_source& random) {
  std::vector<std::vector<std::uint64_t>> starts;
  {
    test::sim_env env(std::move(old));
    const auto store = storage::store::open(sim_store_options(env, time, random));
    if (!store) return std::unexpected(store.error());
    for (const auto& t : sim_types()) {
      auto to = issued_to(**store, t.type);
      if (!to) return std::unexpected(to.error());
      starts.push_back(std::move(*to));
    }
  }
  test::sim_env env(std::move(restored));
  const auto store = storage::store::open(sim_store_options(env, time, random));
  if (!store) return std::unexpected(store.error());
  std::uint64_t retired = 0;
  for (std::size_t t = 0; t < sim_types().size(); ++t) {
    const auto& type = sim_types()[t].type;
    for (std::uint32_t issuer = 0; issuer < starts[t].size(); ++issuer) {
      auto start = starts[t][issuer];
      if (how == settled_by::skip)
        start = std::min(start + random.below(skipped_too_many_max), type.rules_of(issuer).end);
      const auto settled = storage::settle_restored(**store, type, start, issuer);
      // Of a type that had not started yet, nothing was issued.
      if (!settled && settled.error().code != errc::not_found) return std::unexpected(settled.error());
      if (settled) retired += settled->retired;
    }
  }
  return retired;
}

} // namespace matricula::sim
