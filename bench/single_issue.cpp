#include "bench/constant_nodes.hpp"
#include "bench/load_generator.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "test/support/node_process.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace matricula::bench {

namespace {

/// Writes share a sync with those that come meanwhile, so that the rate hangs on how many clients ask at once. What is
/// asked of it is asked with many; few are measured beside them.
constexpr std::array<std::size_t, 2> connections{64, 512};
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
  std::vector<double> ratios = {}; ///< to the constant's rate of the same turn
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

void add_durable(report& to, side& s, const std::string& name, const asked_of_side& asked) {
  add_side(to, s, name, asked);
  to.add({name + ": syncs, 1,000 acknowledged writes",
          s.syncs * 1000 / std::max(1.0, static_cast<double>(s.all.accepted)), "", 1});
  to.add({name + ": not answered 2xx", static_cast<double>(s.all.refused + s.all.broken), ""});
}

std::string text_of(const constant_node& c) {
  char text[80];
  std::snprintf(text, sizeof text, "%zu with %zu: %.0f/s", c.event_loops, c.connections, median(c.rates));
  return text;
}

std::string text_of_search(const std::vector<constant_node>& searched) {
  std::string text = "constant, event loops with connections:";
  for (const auto& c : searched) text += (&c == &searched.front() ? " " : ", ") + text_of(c);
  return text;
}

std::string text_of_noise(const side& constant, std::span<const double> ratios, const extent& how_long) {
  const auto middle = median(constant.rates);
  const auto [least, most] = std::ranges::minmax(constant.rates);
  const auto [worst, best] = std::ranges::minmax(ratios);
  char text[160];
  std::snprintf(text, sizeof text,
                "%zu slices a side of %lld ms; ratios %.3f to %.3f; noise: constant %.2f to %.2f of its median",
                how_long.slice_pairs, static_cast<long long>(how_long.slice.count()), worst, best, least / middle,
                most / middle);
  return text;
}

} // namespace

void single_issue(test::node_process& node, const std::filesystem::path& folder, const extent& how_long, report& to) {
  const auto searched = search_best_constant(folder, connections, how_long.search_slice);
  const auto& best = searched.front();
  const auto issue = post_text("/v1/ids/uin", node.token());
  load_generator of_few(node.port(), connections.front()), of_many(node.port(), connections.back());
  side constant{*best.node, constant_request(*best.node), *best.load};
  side few{node, issue, of_few}, many{node, issue, of_many};
  auto constant_metrics = best.node->client();
  auto durable_metrics = node.client();
  for (auto* s : {&constant, &few, &many}) (void)s->load.run(s->request, how_long.slice / 2); // warms up
  for (std::size_t i = 0; i < how_long.slice_pairs; ++i) {
    run_slice(constant, constant_metrics, how_long);
    for (auto* s : {&many, &few}) {
      run_slice(*s, durable_metrics, how_long);
      s->ratios.push_back(s->rates.back() / constant.rates.back());
    }
  }

  const bool fast_machine = median(constant.rates) >= constant_rate_for_that;
  const auto many_name = std::to_string(connections.back()), few_name = std::to_string(connections.front());
  to.begin("One identifier a request, " + many_name + " and " + few_name + " connections, beside a constant handler");
  to.add({many_name + ": durable / constant, median of the slices", median(many.ratios), "", 3,
          target{bound::at_least, ratio_asked}});
  add_durable(to, many, many_name,
              {fast_machine ? std::optional(target{bound::at_least, rate_asked}) : std::nullopt,
               target{bound::below, p99_ms_asked}});
  to.add({few_name + ": durable / constant, median of the slices", median(few.ratios), "", 3});
  add_durable(to, few, few_name, {});
  add_side(to, constant, "constant", {});
  to.add({"constant: not answered 2xx", static_cast<double>(constant.all.refused + constant.all.broken), ""});
  if (!fast_machine) to.note("no rate is asked of the durable one: the constant handler does less than 18,000/s");
  to.note(text_of_noise(constant, many.ratios, how_long));
  to.note(text_of_search(searched));
  auto& d = to.details()["single_issue"];
  d["ratios"] = many.ratios;
  d["ratios_of_few"] = few.ratios;
  d["durable_rates"] = many.rates;
  d["durable_rates_of_few"] = few.rates;
  d["constant_rates"] = constant.rates;
  for (const auto& c : searched)
    d["constant_by_loops_and_connections"].push_back({c.event_loops, c.connections, c.rates});
  if (few.all.accepted == 0 || many.all.accepted == 0 || constant.all.accepted == 0)
    throw std::runtime_error("the node accepted no request");
}

} // namespace matricula::bench
