#include "bench/load_generator.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "test/support/node_process.hpp"

#include <algorithm>
#include <cstdio>

namespace matricula::bench {

namespace {

constexpr std::size_t connections = 64;
constexpr double ratio_asked = 0.50;

/// One of the two sides, over all its slices.
struct side {
  std::string request;
  load_result all = {};
  process_cost cost = {};
  std::vector<double> rates;
  double syncs = 0;

  [[nodiscard]] double answers() const { return static_cast<double>(all.accepted + all.refused); }
  [[nodiscard]] double per_thousand(double total) const { return answers() > 0 ? total * 1000 / answers() : 0; }
};

void run_slice(test::node_process& node, load_generator& load, test::http_client& metrics, const extent& how_long,
               side& s) {
  const auto syncs_before = metric(metrics, "matricula_storage_groups");
  const auto before = cost_of(node.pid());
  const auto seen = load.run(s.request, how_long.slice);
  s.cost += cost_of(node.pid()) - before;
  s.syncs += metric(metrics, "matricula_storage_groups") - syncs_before;
  s.rates.push_back(seen.rate());
  s.all.add(seen);
}

void add_side(report& to, side& s, const char* rate, const char* p50, const char* p99, const char* cpu,
              const char* switches) {
  to.add({rate, median(s.rates), "/s"});
  to.add({p50, s.all.quantile_ms(0.50), "ms", 2});
  to.add({p99, s.all.quantile_ms(0.99), "ms", 2});
  to.add({cpu, s.per_thousand(s.cost.cpu_seconds), "s", 4});
  to.add({switches, s.per_thousand(static_cast<double>(s.cost.context_switches)), "", 0});
}

} // namespace

void single_issue(test::node_process& node, const extent& how_long, report& to) {
  side constant{post_text("/bench/constant", node.token())};
  side durable{post_text("/v1/ids/uin", node.token())};
  auto metrics = node.client();
  load_generator load(node.port(), connections);
  for (const auto* s : {&constant, &durable}) (void)load.run(s->request, how_long.slice / 2); // warms up
  std::vector<double> ratios;
  for (std::size_t i = 0; i < how_long.slice_pairs; ++i) {
    run_slice(node, load, metrics, how_long, constant);
    run_slice(node, load, metrics, how_long, durable);
    ratios.push_back(durable.rates.back() / constant.rates.back());
  }

  to.begin("One identifier a request, 64 connections, beside a constant handler");
  to.add({"durable / constant, median of the slices", median(ratios), "", 3, target{bound::at_least, ratio_asked}});
  add_side(to, durable, "durable: requests", "durable: p50", "durable: p99", "durable: CPU of the node, 1,000 requests",
           "durable: context switches, 1,000 requests");
  to.add({"durable: syncs, 1,000 acknowledged writes",
          durable.syncs * 1000 / std::max(1.0, static_cast<double>(durable.all.accepted)), "", 1});
  to.add({"durable: not answered 2xx", static_cast<double>(durable.all.refused + durable.all.broken), ""});
  add_side(to, constant, "constant: requests", "constant: p50", "constant: p99",
           "constant: CPU of the node, 1,000 requests", "constant: context switches, 1,000 requests");
  to.add({"constant: not answered 2xx", static_cast<double>(constant.all.refused + constant.all.broken), ""});
  const auto [least, most] = std::ranges::minmax(constant.rates);
  const auto [worst, best] = std::ranges::minmax(ratios);
  const auto middle = median(constant.rates);
  char text[160];
  std::snprintf(text, sizeof text,
                "%zu slices a side of %lld ms; ratios %.3f to %.3f; noise: constant %.2f to %.2f of its median",
                how_long.slice_pairs, static_cast<long long>(how_long.slice.count()), worst, best, least / middle,
                most / middle);
  to.note(text);
  auto& d = to.details()["single_issue"];
  d["ratios"] = ratios;
  d["durable_rates"] = durable.rates;
  d["constant_rates"] = constant.rates;
  d["noise"] = {least / middle, most / middle};
  if (durable.all.accepted == 0 || constant.all.accepted == 0) throw std::runtime_error("the node accepted no request");
}

} // namespace matricula::bench
