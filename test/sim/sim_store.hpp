/// How the simulated node opens its store, for whoever else opens it: no threads, everything from the seed.
#pragma once
#include "storage/store.hpp"
#include "test/sim/sim_clock.hpp"
#include "test/support/sim_disk.hpp"

namespace matricula::sim {

/// The environment, the clock and the source of random numbers must live as long as the store.
[[nodiscard]] inline storage::store_options sim_store_options(test::sim_env& env, const sim_clock& time,
                                                              random_source& random) {
  storage::store_options o;
  o.directory = "/node";
  o.env = &env;
  o.no_threads = true;
  o.while_stalled = [&env, &random] { return env.run_one(random); };
  o.now = [&time] { return time.wall(); };
  o.random = [&random] { return random.next(); };
  o.block_cache_bytes = std::size_t{1} << 20;
  // Never full by itself: how full a memtable is depends on the process. The simulation flushes.
  o.write_buffer_bytes = std::size_t{16} << 20;
  o.wal_bytes_max = std::size_t{64} << 20;
  return o;
}

} // namespace matricula::sim
