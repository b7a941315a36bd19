/// Nodes that answer a constant, each with another number of threads, to find the number that suits that best.
#pragma once
#include "bench/load_generator.hpp"
#include "test/support/node_process.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

namespace matricula::bench {

/// One of them with its load.
struct constant_node {
  std::size_t threads;
  std::unique_ptr<test::node_process> node;
  std::unique_ptr<load_generator> load;
  std::vector<double> rates = {}; ///< answers per second in the rounds of the search

  /// Starts it and connects. Throws std::runtime_error.
  constant_node(const std::filesystem::path& folder, std::size_t thread_count, std::size_t connections);
};

/// Starts a node for each number of threads and lets them take turns; the fastest comes first, the others have ended.
/// @param folder what they write goes there.
/// @param slice how long each is measured in a round.
/// Throws std::runtime_error.
[[nodiscard]] std::vector<constant_node> search_best_threads(const std::filesystem::path& folder,
                                                             std::size_t connections, std::chrono::milliseconds slice);

[[nodiscard]] std::string constant_request(const test::node_process& node);

} // namespace matricula::bench
