/// Nodes that answer a constant, each with another number of event loops, the threads that do all of that work, and as
/// many or as few clients as the durable side has: to find what suits that best.
#pragma once
#include "bench/load_generator.hpp"
#include "test/support/node_process.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace matricula::bench {

/// One of them with a load.
struct constant_node {
  std::size_t event_loops;
  std::size_t connections;
  std::shared_ptr<test::node_process> node; ///< that of the other loads with as many loops, too
  std::unique_ptr<load_generator> load;
  std::vector<double> rates = {}; ///< answers per second in the rounds of the search
};

/// Starts a node for each number of event loops and lets all of them take turns with each number of connections; the
/// fastest comes first, the others have ended.
/// @param folder what they write goes there.
/// @param slice how long each is measured in a round.
/// Throws std::runtime_error.
[[nodiscard]] std::vector<constant_node> search_best_constant(const std::filesystem::path& folder,
                                                              std::span<const std::size_t> connections,
                                                              std::chrono::milliseconds slice);

[[nodiscard]] std::string constant_request(const test::node_process& node);

} // namespace matricula::bench
