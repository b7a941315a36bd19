#include "bench/constant_nodes.hpp"

#include "bench/observation.hpp"
#include "bench/report.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <string>
#include <utility>

namespace matricula::bench {

namespace {
/// From fewer than a small machine has processors to more than there are connections.
constexpr std::array<std::size_t, 6> thread_counts{2, 4, 8, 16, 32, 72};
constexpr std::size_t rounds = 3;

test::node_options options_of(const std::filesystem::path& folder, std::size_t threads) {
  auto sets = little_to_count(test::small_pools()); // nothing is issued: the node should be ready at once
  sets.push_back("server.threads=" + std::to_string(threads));
  return {.sets = std::move(sets),
          .arguments = {"--bench-route"},
          .data = folder / ("constant-" + std::to_string(threads))};
}
} // namespace

constant_node::constant_node(const std::filesystem::path& folder, std::size_t thread_count, std::size_t connections)
    : threads(thread_count), node(std::make_unique<test::node_process>(options_of(folder, thread_count))) {
  node->start();
  wait_until_counted(*node);
  load = std::make_unique<load_generator>(node->port(), connections);
}

std::string constant_request(const test::node_process& node) { return post_text("/bench/constant", node.token()); }

std::vector<constant_node> search_best_threads(const std::filesystem::path& folder, std::size_t connections,
                                               std::chrono::milliseconds slice) {
  std::vector<constant_node> all;
  for (const auto threads : thread_counts) all.emplace_back(folder, threads, connections);
  for (auto& c : all) (void)c.load->run(constant_request(*c.node), slice); // warms up
  for (std::size_t i = 0; i < rounds; ++i)
    for (auto& c : all) c.rates.push_back(c.load->run(constant_request(*c.node), slice).rate());
  std::ranges::sort(all, std::greater{}, [](const constant_node& c) { return median(c.rates); });
  for (auto& c : std::span(all).subspan(1)) {
    c.load.reset();
    c.node.reset();
  }
  return all;
}

} // namespace matricula::bench
