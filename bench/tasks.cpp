#include "bench/lifecycle.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "bench/task_nodes.hpp"

namespace matricula::bench {

namespace {

constexpr double rate_asked = 10'000;

/// One of the two stores, over all its slices.
struct side {
  lifecycle_waits seen = {};
  process_cost cost = {};
  double syncs = 0, tasks = 0;

  double measure(const test::node_process& node, std::chrono::milliseconds slice) {
    auto metrics = node.client();
    const auto syncs_before = metric(metrics, "matricula_storage_groups");
    const auto before = cost_of(node.pid());
    lifecycle all(node, seen);
    const auto rate = all.run(slice);
    cost += cost_of(node.pid()) - before;
    syncs += metric(metrics, "matricula_storage_groups") - syncs_before;
    tasks += static_cast<double>(all.done());
    return rate;
  }
};

void add(report& to, side& s, const std::string& name, const std::vector<double>& rates) {
  to.add({name + ": tasks", median(rates), "/s", 0, target{bound::at_least, rate_asked}});
  to.add({name + ": to queue 200, p99", s.seen.queueing.quantile(0.99), "ms", 1});
  to.add({name + ": to lease 100, p99", s.seen.leasing.quantile(0.99), "ms", 1});
  to.add({name + ": to report 100, p99", s.seen.reporting.quantile(0.99), "ms", 1});
  to.add({name + ": CPU of the node, 1,000 tasks", s.cost.cpu_seconds * 1000 / s.tasks, "s", 4});
  to.add({name + ": syncs, 1,000 tasks", s.syncs * 1000 / s.tasks, "", 1});
}

} // namespace

void tasks(const filled_node& filled, const std::filesystem::path& folder, const extent& how_long, report& to) {
  side empty, many;
  const auto rates =
      in_turns(filled, folder, "tasks", how_long.task_slices, [&](const test::node_process& node, store_of which) {
        return (which == store_of::empty ? empty : many).measure(node, how_long.task_slice);
      });
  to.begin("Tasks from queued to completed over HTTP: 2 producers, 4 workers, in batches");
  add_ratio(to, "tasks", rates);
  add(to, empty, "empty", rates.empty);
  add(to, many, "many", rates.many);
  to.add({"many: finished tasks before", static_cast<double>(filled.tasks()), ""});
  to.add({"many: resident memory", static_cast<double>(resident_bytes(filled.process().pid())) / (1 << 20), "MiB"});
  to.note(spread_of(rates, how_long.task_slice) + "; " + filled.filled());
}

} // namespace matricula::bench
