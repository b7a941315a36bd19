/// What is measured. Each scenario adds its part to the report; all throw std::runtime_error when the node fails.
#pragma once
#include "bench/report.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace matricula::test {
class node_process;
}

namespace matricula::bench {

class filled_node;

/// How long to measure.
struct extent {
  std::chrono::milliseconds slice{1'000};
  std::size_t slice_pairs = 12;
  std::chrono::milliseconds search_slice{400}; ///< of the search for what suits the constant handler best
  std::chrono::milliseconds batches{10'000};
  std::uint64_t store_identifiers = 5'000'000;
  std::uint64_t assigned_few = 50'000; ///< in the smaller store of the expirer
  std::uint64_t assigned_many = 5'000'000;
  std::size_t expirer_runs = 7;
  std::chrono::milliseconds generation{150}; ///< a slice of it
  std::chrono::milliseconds raw_syncs{1'000};
  std::uint64_t finished_tasks = 1'000'000; ///< in the larger store of tasks and registrants
  std::chrono::milliseconds task_slice{3'000};
  std::size_t task_slices = 5;
  std::size_t idle_samples = 500;
};

/// What a load of batches asks for.
struct batch_load {
  std::string_view type;      ///< in the route
  std::string_view described; ///< for people
  double rate_asked = 0;      ///< identifiers a second
};

/// One identifier a request, beside a constant handler behind the same middleware, in slices that take turns. The
/// constant handler is a node of its own, with the numbers of event loops and of connections that suit it best.
/// @param folder where those nodes keep what they write.
void single_issue(test::node_process& node, const std::filesystem::path& folder, const extent& how_long, report& to);
/// A thousand identifiers a request, while the pool is refilled.
void batch_issue(test::node_process& node, const batch_load& of, const extent& how_long, report& to);
/// Fills the store, kills the node with a full log, and starts it again.
void restart(test::node_process& node, const extent& how_long, report& to);
/// Runs of the expirer with a thousand due identifiers, in a small store and in a large one.
/// @param folder where the two nodes keep what they write.
void expirer(const std::filesystem::path& folder, const extent& how_long, report& to);
/// Tasks from queued to completed, on an empty store and on one with many finished ones.
/// @param folder where the nodes with empty stores keep what they write.
void tasks(const filled_node& filled, const std::filesystem::path& folder, const extent& how_long, report& to);
/// Registrants from created to confirmed, with IDs of the node's own pool, on the same two stores.
/// @param folder where the nodes with empty stores keep what they write.
void registrants(const filled_node& filled, const std::filesystem::path& folder, const extent& how_long, report& to);
/// Single tasks and registrants while nothing else is to be done: until a worker has the task, or the registrant its
/// ID.
/// @param folder where the node keeps what it writes.
void idle(const std::filesystem::path& folder, const extent& how_long, report& to);
/// Finding identifiers alone, on one processor.
void generation(const extent& how_long, report& to);
/// What the disk does without any of us.
void raw_syncs(const std::filesystem::path& folder, const extent& how_long, report& to);

} // namespace matricula::bench
