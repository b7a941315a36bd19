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
constexpr std::array<std::size_t, 4> loop_counts{1, 2, 3, 4};
constexpr std::size_t rounds = 3;

std::shared_ptr<test::node_process> start_node(const std::filesystem::path& folder, std::size_t loops) {
  auto sets = little_to_count(test::small_pools()); // nothing is issued: the node should be ready at once
  sets.push_back("server.event_loops=" + std::to_string(loops));
  auto node = std::make_shared<test::node_process>(test::node_options{
      .sets = std::move(sets), .arguments = {"--bench-route"}, .data = folder / ("constant-" + std::to_string(loops))});
  node->start();
  wait_until_counted(*node);
  return node;
}
} // namespace

std::string constant_request(const test::node_process& node) { return post_text("/bench/constant", node.token()); }

std::vector<constant_node> search_best_constant(const std::filesystem::path& folder,
                                                std::span<const std::size_t> connections,
                                                std::chrono::milliseconds slice) {
  std::vector<constant_node> all;
  for (const auto loops : loop_counts) {
    const auto node = start_node(folder, loops);
    for (const auto n : connections) all.push_back({loops, n, node, std::make_unique<load_generator>(node->port(), n)});
  }
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
