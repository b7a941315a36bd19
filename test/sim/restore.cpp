#include "test/sim/restore.hpp"

#include "storage/identifiers.hpp"
#include "storage/restored_store.hpp"
#include "test/sim/sim_store.hpp"

#include <vector>

namespace matricula::sim {

using namespace identifiers;

namespace {

/// Skipping by number is a guess: it may be too much, never too little.
constexpr std::uint64_t skipped_too_many_max = 4;

result<std::uint64_t> issued_to(const storage::store& in, const id_type& type) {
  const auto setups = storage::find_types(*in.latest());
  if (!setups) return std::unexpected(setups.error());
  for (const auto& setup : *setups) {
    if (setup.name != type.name) continue;
    const auto counters = storage::find_pool(*in.latest(), {storage::id_shard(setup.name), setup.number, setup.of});
    if (!counters) return std::unexpected(counters.error());
    return counters->issued_to;
  }
  return 0;
}

} // namespace

result<std::uint64_t> settle_after_restore(std::shared_ptr<test::sim_disk> restored,
                                           std::shared_ptr<test::sim_disk> old, settled_by how, const sim_clock& time,
                                           random_source& random) {
  std::vector<std::uint64_t> starts;
  {
    test::sim_env env(std::move(old));
    const auto store = storage::store::open(sim_store_options(env, time, random));
    if (!store) return std::unexpected(store.error());
    for (const auto& t : sim_types()) {
      const auto to = issued_to(**store, t.type);
      if (!to) return std::unexpected(to.error());
      starts.push_back(*to);
    }
  }
  test::sim_env env(std::move(restored));
  const auto store = storage::store::open(sim_store_options(env, time, random));
  if (!store) return std::unexpected(store.error());
  std::uint64_t retired = 0;
  for (std::size_t t = 0; t < sim_types().size(); ++t) {
    const auto& [type, valid] = sim_types()[t];
    if (how == settled_by::skip) {
      const auto place = sim_types()[t].valid_below(starts[t]) + random.below(skipped_too_many_max);
      starts[t] = place == 0 ? 0 : place > valid.size() ? type.rules.end : valid[place - 1] + 1;
    }
    const auto settled = storage::settle_restored(**store, type, starts[t]);
    // Of a type that had not started yet, nothing was issued.
    if (!settled && settled.error().code != errc::not_found) return std::unexpected(settled.error());
    if (settled) retired += settled->retired;
  }
  return retired;
}

} // namespace matricula::sim
