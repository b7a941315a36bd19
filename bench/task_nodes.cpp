#include "bench/task_nodes.hpp"

#include "bench/lifecycle.hpp"
#include "bench/observation.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace matricula::bench {

namespace {

constexpr double ratio_asked = 1.5;

test::node_options options_of(std::filesystem::path data) {
  std::vector<std::string> sets = {
      "tasks.types.noop.enabled=true",
      "identifiers.types.uin.pool_min=18000",
      "identifiers.types.uin.pool_target=20000",
      // Shorter than it is shipped: its capacity is counted in a moment.
      "identifiers.types.uin.length=8",
  };
  for (const char* type :
       {"vid", "prid", "social_id", "family_id", "farmer", "household", "tracking_id", "registration_number"})
    sets.push_back(std::string("identifiers.types.") + type + ".enabled=false");
  return {.sets = std::move(sets), .data = std::move(data)};
}

} // namespace

task_node::task_node(std::filesystem::path data) : node_(options_of(std::move(data))) {
  node_.start();
  wait_until_counted(node_);
}

filled_node::filled_node(std::filesystem::path data, std::uint64_t tasks) : node_(std::move(data)) {
  const auto began = std::chrono::steady_clock::now();
  lifecycle_waits ignored;
  lifecycle filling(node_.process(), ignored);
  const auto rate = filling.run(std::chrono::hours(1), tasks);
  tasks_ = filling.done();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - began;
  char text[80];
  std::snprintf(text, sizeof text, "filled in %.0f s, at %.0f/s", taken.count(), rate);
  filled_ = text;
}

std::vector<double> slice_rates::ratios() const {
  std::vector<double> out;
  for (std::size_t i = 0; i < empty.size(); ++i) out.push_back(empty[i] / many[i]);
  return out;
}

slice_rates in_turns(const filled_node& many, const std::filesystem::path& folder, const std::string& name,
                     std::size_t slices, const measured_slice& measure) {
  slice_rates rates;
  for (std::size_t i = 0; i < slices; ++i) {
    // A new one each time: what a slice has done would not be an empty store for the next.
    const task_node fresh(folder / (name + "-empty-" + std::to_string(i)));
    const auto on_empty = [&] { rates.empty.push_back(measure(fresh.process(), store_of::empty)); };
    const auto on_many = [&] { rates.many.push_back(measure(many.process(), store_of::many)); };
    if (i % 2 == 0) {
      on_empty();
      on_many();
    } else {
      on_many();
      on_empty();
    }
  }
  return rates;
}

void add_ratio(report& to, const std::string& name, const slice_rates& rates) {
  to.add({"an empty store / one with finished tasks, median", median(rates.ratios()), "", 2,
          target{bound::at_most, ratio_asked}});
  auto& d = to.details()[name];
  d["ratios"] = rates.ratios();
  d["empty_rates"] = rates.empty;
  d["many_rates"] = rates.many;
}

std::string spread_of(const slice_rates& rates, std::chrono::milliseconds slice) {
  const auto all = rates.ratios();
  const auto [least, most] = std::ranges::minmax(all);
  char text[120];
  std::snprintf(text, sizeof text, "%zu slices a side of %lld ms; ratios %.2f to %.2f", all.size(),
                static_cast<long long>(slice.count()), least, most);
  return text;
}

} // namespace matricula::bench
