#include "bench/constant_nodes.hpp"
#include "bench/load_generator.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "test/support/node_process.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace matricula::bench {

namespace {

constexpr std::size_t connections = 64;
constexpr double ratio_asked = 0.60;
constexpr double p99_ms_asked = 60;
/// The rate is asked for where the machine is fast enough for it: where the constant handler does so much.
constexpr double rate_asked = 10'000;
constexpr double constant_rate_for_that = 18'000;

/// One of the two sides, over all its slices.
struct side {
  test::node_process& node;
  std::string request;
  load_generator& load;
  load_result all = {};
  process_cost cost = {};
  std::vector<double> rates = {};
  double syncs = 0;

  [[nodiscard]] double answers() const { return static_cast<double>(all.accepted + all.refused); }
  [[nodiscard]] double per_thousand(double total) const { return answers() > 0 ? total * 1000 / answers() : 0; }
};

void run_slice(side& s, test::http_client& metrics, const extent& how_long) {
  const auto syncs_before = metric(metrics, "matricula_storage_groups");
  const auto before = cost_of(s.node.pid());
  const auto seen = s.load.run(s.request, how_long.slice);
  s.cost += cost_of(s.node.pid()) - before;
  s.syncs += metric(metrics, "matricula_storage_groups") - syncs_before;
  s.rates.push_back(seen.rate());
  s.all.add(seen);
}

struct asked_of_side {
  std::optional<target> rate;
  std::optional<target> p99;
};

void add_side(report& to, side& s, const std::string& name, const asked_of_side& asked) {
  to.add({name + ": requests", median(s.rates), "/s", 0, asked.rate});
  to.add({name + ": p50", s.all.quantile_ms(0.50), "ms", 2});
  to.add({name + ": p99", s.all.quantile_ms(0.99), "ms", 2, asked.p99});
  to.add({name + ": CPU of the node, 1,000 requests", s.per_thousand(s.cost.cpu_seconds), "s", 4});
  to.add({name + ": context switches, 1,000 requests", s.per_thousand(static_cast<double>(s.cost.context_switches)), "",
          0});
}

std::string text_of_search(const std::vector<constant_node>& searched) {
  std::string text = "constant by threads:";
  auto by_threads = std::vector<const constant_node*>();
  for (const auto& c : searched) by_threads.push_back(&c);
  std::ranges::sort(by_threads, {}, &constant_node::threads);
  for (const auto* c : by_threads) {
    char one[64];
    std::snprintf(one, sizeof one, " %zu: %.0f/s%s", c->threads, median(c->rates), c == by_threads.back() ? "" : ",");
    text += one;
  }
  return text;
}

} // namespace

void single_issue(test::node_process& node, const std::filesystem::path& folder, const extent& how_long, report& to) {
  const auto searched = search_best_threads(folder, connections, how_long.thread_slice);
  const auto& best = searched.front();
  load_generator load(node.port(), connections);
  side constant{*best.node, constant_request(*best.node), *best.load};
  side durable{node, post_text("/v1/ids/uin", node.token()), load};
  auto constant_metrics = best.node->client();
  auto durable_metrics = node.client();
  for (auto* s : {&constant, &durable}) (void)s->load.run(s->request, how_long.slice / 2); // warms up
  std::vector<double> ratios;
  for (std::size_t i = 0; i < how_long.slice_pairs; ++i) {
    run_slice(constant, constant_metrics, how_long);
    run_slice(durable, durable_metrics, how_long);
    ratios.push_back(durable.rates.back() / constant.rates.back());
  }

  const auto middle = median(constant.rates);
  const bool fast_machine = middle >= constant_rate_for_that;
  to.begin("One identifier a request, 64 connections, beside a constant handler");
  to.add({"durable / constant, median of the slices", median(ratios), "", 3, target{bound::at_least, ratio_asked}});
  add_side(to, durable, "durable",
           {fast_machine ? std::optional(target{bound::at_least, rate_asked}) : std::nullopt,
            target{bound::below, p99_ms_asked}});
  to.add({"durable: syncs, 1,000 acknowledged writes",
          durable.syncs * 1000 / std::max(1.0, static_cast<double>(durable.all.accepted)), "", 1});
  to.add({"durable: not answered 2xx", static_cast<double>(durable.all.refused + durable.all.broken), ""});
  to.add({"constant: threads of its node, the best of some", static_cast<double>(best.threads), ""});
  add_side(to, constant, "constant", {});
  to.add({"constant: not answered 2xx", static_cast<double>(constant.all.refused + constant.all.broken), ""});
  if (!fast_machine) to.note("no rate is asked of the durable one: the constant handler does less than 18,000/s");
  const auto [least, most] = std::ranges::minmax(constant.rates);
  const auto [worst, best_ratio] = std::ranges::minmax(ratios);
  char text[160];
  std::snprintf(text, sizeof text,
                "%zu slices a side of %lld ms; ratios %.3f to %.3f; noise: constant %.2f to %.2f of its median",
                how_long.slice_pairs, static_cast<long long>(how_long.slice.count()), worst, best_ratio, least / middle,
                most / middle);
  to.note(text);
  to.note(text_of_search(searched));
  auto& d = to.details()["single_issue"];
  d["ratios"] = ratios;
  d["durable_rates"] = durable.rates;
  d["constant_rates"] = constant.rates;
  d["noise"] = {least / middle, most / middle};
  for (const auto& c : searched) d["constant_by_threads"][std::to_string(c.threads)] = c.rates;
  if (durable.all.accepted == 0 || constant.all.accepted == 0) throw std::runtime_error("the node accepted no request");
}

} // namespace matricula::bench
