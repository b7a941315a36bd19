/// What is measured. Each scenario adds its part to the report; all throw std::runtime_error when the node fails.
#pragma once
#include "bench/report.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace matricula::test {
class node_process;
}

namespace matricula::bench {

/// How long to measure.
struct extent {
  std::chrono::milliseconds slice{1'000};
  std::size_t slice_pairs = 12;
  std::chrono::milliseconds batches{10'000};
  std::uint64_t store_identifiers = 5'000'000;
  std::chrono::milliseconds generation{1'000};
  std::chrono::milliseconds raw_syncs{1'000};
};

/// One identifier a request, beside a constant handler behind the same middleware, in slices that take turns.
void single_issue(test::node_process& node, const extent& how_long, report& to);
/// A thousand identifiers a request, while the pool is refilled.
void batch_issue(test::node_process& node, const extent& how_long, report& to);
/// Fills the store, kills the node with a full log, and starts it again.
void restart(test::node_process& node, const extent& how_long, report& to);
/// Finding identifiers alone, on one processor.
void generation(const extent& how_long, report& to);
/// What the disk does without any of us.
void raw_syncs(const std::filesystem::path& folder, const extent& how_long, report& to);

} // namespace matricula::bench
