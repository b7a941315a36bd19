#include "bench/load_generator.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "test/support/node_process.hpp"

#include <stdexcept>
#include <string>

namespace matricula::bench {

namespace {
constexpr std::size_t connections = 8;
constexpr double batch = 1'000;
} // namespace

void batch_issue(test::node_process& node, const batch_load& of, const extent& how_long, report& to) {
  const auto request = post_text("/v1/ids/" + std::string(of.type), node.token(), R"({"count":1000})");
  auto metrics = node.client();
  load_generator load(node.port(), connections);
  const auto syncs_before = metric(metrics, "matricula_storage_groups");
  const auto before = cost_of(node.pid());
  auto seen = load.run(request, how_long.batches);
  const auto cost = cost_of(node.pid()) - before;
  const auto syncs = metric(metrics, "matricula_storage_groups") - syncs_before;
  if (seen.accepted == 0) throw std::runtime_error("the node accepted no batch of type " + std::string(of.type));

  const auto issued = static_cast<double>(seen.accepted) * batch;
  to.begin("Batches of 1,000 " + std::string(of.described) + ", 8 connections, refills included");
  to.add({"durable identifiers", issued / seen.seconds, "/s", 0, target{bound::at_least, of.rate_asked}});
  to.add({"for", seen.seconds, "s", 1});
  to.add({"batches: p50", seen.quantile_ms(0.50), "ms", 1});
  to.add({"batches: p99", seen.quantile_ms(0.99), "ms", 1});
  to.add({"batches refused", static_cast<double>(seen.refused + seen.broken), ""});
  to.add({"CPU of the node, 1,000 identifiers", cost.cpu_seconds * 1000 / issued, "s", 4});
  to.add({"syncs, 1,000 batches", syncs * 1000 / static_cast<double>(seen.accepted), "", 1});
}

} // namespace matricula::bench
