#include "bench/load_generator.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "foundation/clock.hpp"
#include "test/support/node_process.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

namespace matricula::bench {

namespace {

using std::chrono::steady_clock;

constexpr std::uint64_t batch_max = 1'000;
constexpr std::uint64_t due_each_run = 1'000;
/// The due ones are strewn over the store: so many at a time are issued while it is filled.
constexpr std::uint64_t due_at_a_time = 5;
constexpr std::size_t connections = 20;
constexpr std::uint64_t steps_with_due = due_each_run / due_at_a_time;
/// Before those, to see how long a step takes.
constexpr std::uint64_t steps_without_due = 15;
constexpr std::uint64_t steps = steps_with_due + steps_without_due;
/// What a step may take in the end, of what it took in the beginning.
constexpr double slower_later = 1.6;
constexpr std::chrono::seconds spare{4};
constexpr double ratio_asked = 1.5;
constexpr std::chrono::milliseconds between_runs{1'500};
constexpr std::size_t pairs_least = 3;

/// A node and what was measured of it.
struct store {
  test::node_process node;
  std::unique_ptr<load_generator> load;
  std::uint64_t assigned_a_step;
  std::vector<double> milliseconds = {};
  std::vector<double> cpu_milliseconds = {};

  store(std::filesystem::path data, std::uint64_t assigned);

  [[nodiscard]] std::string request(const std::string& body) const {
    return post_text("/v1/ids/vid", node.token(), body);
  }

  /// One of the steps: a share of the assigned ones, with some of each later run's due ones among them.
  void fill_step(std::span<const timestamp> due) const {
    const auto batches = (assigned_a_step + batch_max - 1) / batch_max;
    std::vector<std::string> requests(
        batches, request(R"({"expires_in_days":3650,"count":)" + std::to_string(assigned_a_step / batches) + "}"));
    for (const auto at : due)
      requests.resize(requests.size() + due_at_a_time, request(R"({"expires_at":")" + to_rfc3339(at) + "\"}"));
    if (load->run_all(requests).broken > 0)
      throw std::runtime_error("the node dropped connections while its store was filled");
  }

  /// How many the expirer ended; notes how long it took.
  std::uint64_t run_expirer() {
    auto client = node.client();
    client.set_timeout(std::chrono::minutes(2));
    const auto before = cost_of(node.pid());
    const auto began = steady_clock::now();
    const auto answer = client.send({.method = "POST", .target = "/v1/ids/vid/expire-due"});
    const std::chrono::duration<double, std::milli> taken = steady_clock::now() - began;
    const auto cost = cost_of(node.pid()) - before;
    if (!answer || answer->status != 200)
      throw std::runtime_error("the expirer did not run: " + (answer ? answer->body : "no answer"));
    milliseconds.push_back(taken.count());
    cpu_milliseconds.push_back(cost.cpu_seconds * 1000);
    return nlohmann::json::parse(answer->body).at("expired").get<std::uint64_t>();
  }

  /// Identifiers that stay assigned all the time.
  [[nodiscard]] double assigned() const { return static_cast<double>(assigned_a_step * steps); }

  void forget_last() {
    milliseconds.pop_back();
    cpu_milliseconds.pop_back();
  }
};

test::node_options options_of(std::filesystem::path data) {
  auto sets = little_to_count(test::small_pools());
  // Batches of a thousand are to find enough; the expirer runs only when it is told to.
  for (const char* set : {"identifiers.types.vid.pool_min=50000", "identifiers.types.vid.pool_target=100000",
                          "identifiers.expirer_schedule=0 0 29 2 *", "identifiers.expirer_on_missed=skip"})
    sets.emplace_back(set);
  return {.sets = std::move(sets), .data = std::move(data)};
}

store::store(std::filesystem::path data, std::uint64_t assigned)
    : node(options_of(std::move(data))), assigned_a_step((assigned + steps - 1) / steps) {
  node.start();
  wait_until_counted(node);
  load = std::make_unique<load_generator>(node.port(), connections);
}

} // namespace

void expirer(const std::filesystem::path& folder, const extent& how_long, report& to) {
  store few(folder / "few", how_long.assigned_few);
  store many(folder / "many", how_long.assigned_many);

  // The first steps tell how long all will take. The due ones come due when that is over, with some time to spare, a
  // thousand after the other.
  const auto began = steady_clock::now();
  const std::vector<timestamp> far_away(how_long.expirer_runs, system_clock{}.wall() + std::chrono::years(10));
  for (std::uint64_t i = 0; i < steps_without_due; ++i) {
    few.fill_step(far_away);
    many.fill_step(far_away);
  }
  const std::chrono::duration<double> so_far = steady_clock::now() - began;
  const auto first_due =
      system_clock{}.wall() + spare +
      std::chrono::duration_cast<milliseconds>(so_far * (slower_later * steps_with_due / steps_without_due));
  std::vector<timestamp> due;
  for (std::size_t i = 0; i < how_long.expirer_runs; ++i) due.push_back(first_due + i * between_runs);
  for (std::uint64_t i = 0; i < steps_with_due; ++i) {
    few.fill_step(due);
    many.fill_step(due);
    if (system_clock{}.wall() > first_due - std::chrono::seconds(1))
      throw std::runtime_error("filling the store became too slow for its identifiers to come due afterwards; run "
                               "again when less else runs on the machine");
  }
  const std::chrono::duration<double> filled = steady_clock::now() - began;

  std::vector<double> ratios;
  std::size_t unequal = 0;
  for (const auto at : due) {
    std::this_thread::sleep_for(at + milliseconds{50} - system_clock{}.wall());
    const bool few_first = ratios.size() % 2 == 0;
    const auto first = (few_first ? few : many).run_expirer();
    const auto second = (few_first ? many : few).run_expirer();
    if (first == due_each_run && second == due_each_run) {
      ratios.push_back(many.milliseconds.back() / few.milliseconds.back());
    } else {
      // Filling took longer than it was thought to, and two thousands were due at once.
      ++unequal;
      few.forget_last();
      many.forget_last();
    }
  }
  if (ratios.size() < pairs_least)
    throw std::runtime_error("the larger store was not filled when its identifiers came due; run again");

  to.begin("Expirer: a run with 1,000 due, strewn among few or many assigned VIDs");
  to.add({"many / few, median of the pairs", median(ratios), "", 2, target{bound::at_most, ratio_asked}});
  struct names {
    const store& of;
    const char* name;
  };
  for (const auto& [of, name] : {names{many, "many"}, {few, "few"}}) {
    const std::string before = name;
    to.add({before + ": assigned", of.assigned(), ""});
    to.add({before + ": a run", median(of.milliseconds), "ms", 1});
    to.add({before + ": CPU of the node", median(of.cpu_milliseconds), "ms", 1});
    to.add({before + ": resident memory", static_cast<double>(resident_bytes(of.node.pid())) / (1 << 20), "MiB"});
  }
  const auto [least, most] = std::ranges::minmax(ratios);
  char text[160];
  std::snprintf(text, sizeof text, "%zu pairs in turn, %zu left out; ratios %.2f to %.2f; filled in %.0f s",
                ratios.size(), unequal, least, most, filled.count());
  to.note(text);
  auto& d = to.details()["expirer"];
  d["ratios"] = ratios;
  d["few_ms"] = few.milliseconds;
  d["many_ms"] = many.milliseconds;
}

} // namespace matricula::bench
