#include "bench/latencies.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "bench/task_nodes.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace matricula::bench {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t producers = 2;
constexpr std::size_t lines_at_once = 500;
/// Producers wait when so many are not confirmed: more than a worker type's index has in memory.
constexpr std::uint64_t open_max = 12'000;
constexpr double rate_asked = 3'000;
constexpr milliseconds look_every{50};
constexpr std::chrono::seconds stuck_after{30};

double confirmed_on(test::http_client& node) {
  return metric(node, R"(matricula_tasks{state="COMPLETED",worker_type="id_generation_update_worker"})");
}

/// Totals of a node; the difference of two is what became of the registrants between them.
struct totals {
  double requests_tried = 0, issued = 0, available = 0, syncs = 0;
};

totals totals_of(test::http_client& node) {
  return {.requests_tried =
              metric(node, R"(matricula_tasks_attempts_total{worker_type="id_generation_request_worker"})"),
          .issued = metric(node, R"(matricula_ids_issues{type="uin"})"),
          .available = metric(node, R"(matricula_ids_available{type="uin"})"),
          .syncs = metric(node, "matricula_storage_groups")};
}

/// Creates registrants in bulk, each with a reference, until the time is over, and watches them until all are
/// confirmed.
class registration {
public:
  /// @param label tells the references of this run from those of others on the same node.
  registration(const test::node_process& node, latencies& creating, std::string label)
      : node_(node), creating_(creating), label_(std::move(label)) {}

  /// The rate, from the first request to the look that saw the last one confirmed. Throws std::runtime_error when the
  /// node refuses any of them, or confirms no more.
  [[nodiscard]] double run(milliseconds duration) {
    auto client = node_.client();
    const auto before = confirmed_on(client);
    const auto began = steady_clock::now();
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < producers; ++i)
      threads.emplace_back([this, until = began + duration] { guarded([&] { produce(until); }); });
    guarded([&] { watch(client, before); });
    threads.clear();
    if (!failure_.empty()) throw std::runtime_error("registrants: " + failure_);
    return static_cast<double>(confirmed_) / std::chrono::duration<double>(last_confirmed_ - began).count();
  }
  [[nodiscard]] std::uint64_t confirmed() const noexcept { return confirmed_; }

private:
  void produce(steady_clock::time_point until) {
    auto client = node_.client();
    while (const auto first = next(until)) create(client, *first);
    const std::lock_guard lock(mutex_);
    ++producers_done_;
  }

  /// Until all are confirmed.
  void watch(test::http_client& client, double before) {
    for (last_confirmed_ = steady_clock::now();; std::this_thread::sleep_for(look_every)) {
      const auto confirmed = static_cast<std::uint64_t>(confirmed_on(client) - before);
      const auto now = steady_clock::now();
      const std::lock_guard lock(mutex_);
      if (confirmed > confirmed_) last_confirmed_ = now;
      confirmed_ = confirmed;
      room_.notify_all();
      if (!failure_.empty() || (producers_done_ == producers && confirmed_ >= created_)) return;
      if (now - last_confirmed_ > stuck_after) throw std::runtime_error("no more of them are confirmed");
    }
  }

  void guarded(const std::function<void()>& step) {
    try {
      step();
    } catch (const std::exception& e) {
      const std::lock_guard lock(mutex_);
      if (failure_.empty()) failure_ = e.what();
      room_.notify_all();
    }
  }

  /// The number of the first registrant of the next request; nothing when there is to be none.
  std::optional<std::uint64_t> next(steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return created_ - confirmed_ < open_max || !failure_.empty(); });
    if (!failure_.empty() || steady_clock::now() >= until) return std::nullopt;
    return std::exchange(created_, created_ + lines_at_once);
  }

  void create(test::http_client& client, std::uint64_t first) {
    std::string body;
    for (std::size_t i = 0; i < lines_at_once; ++i)
      body += R"({"kind":"individual","reference":")" + label_ + std::to_string(first + i) + "\"}\n";
    const auto began = steady_clock::now();
    const auto answer = client.send({.method = "POST",
                                     .target = "/v1/registrants/bulk",
                                     .body = std::move(body),
                                     .content_type = "application/x-ndjson"});
    creating_.add(std::chrono::duration<double, std::milli>(steady_clock::now() - began).count());
    const auto all_new = "\"created\":" + std::to_string(lines_at_once) + ",";
    if (!answer || answer->status != 200 || !answer->body.contains(all_new))
      throw std::runtime_error("not all were created: " + (answer ? answer->body : "no answer"));
  }

  const test::node_process& node_;
  latencies& creating_;
  std::string label_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t created_ = 0, confirmed_ = 0;
  std::size_t producers_done_ = 0;
  steady_clock::time_point last_confirmed_;
  std::string failure_;
};

/// One of the two stores, over all its slices.
struct side {
  latencies creating = {};
  process_cost cost = {};
  totals passed = {};
  double registrants = 0;

  double measure(const test::node_process& node, milliseconds slice, const std::string& label) {
    auto metrics = node.client();
    const auto from = totals_of(metrics);
    const auto before = cost_of(node.pid());
    registration all(node, creating, label);
    const auto rate = all.run(slice);
    cost += cost_of(node.pid()) - before;
    const auto to = totals_of(metrics);
    passed.requests_tried += to.requests_tried - from.requests_tried;
    passed.issued += to.issued - from.issued;
    passed.available += to.available - from.available;
    passed.syncs += to.syncs - from.syncs;
    registrants += static_cast<double>(all.confirmed());
    return rate;
  }
};

void add(report& to, side& s, const std::string& name, const std::vector<double>& rates) {
  const auto for_each = [&](double total) { return total / s.registrants; };
  to.add({name + ": registrants confirmed", median(rates), "/s", 0, target{bound::at_least, rate_asked}});
  to.add({name + ": to create 500, p99", s.creating.quantile(0.99), "ms", 1});
  to.add({name + ": CPU of the node, 1,000 registrants", for_each(s.cost.cpu_seconds) * 1000, "s", 4});
  to.add({name + ": syncs, 1,000 registrants", for_each(s.passed.syncs) * 1000, "", 1});
  to.add({name + ": attempts to get an ID, a registrant", for_each(s.passed.requests_tried), "", 3});
  to.add({name + ": IDs issued, a registrant", for_each(s.passed.issued), "", 3});
  // What the pool lost or won in level was not found in this time.
  to.add({name + ": IDs found meanwhile, a registrant", for_each(s.passed.issued + s.passed.available), "", 3});
}

} // namespace

void registrants(const filled_node& filled, const std::filesystem::path& folder, const extent& how_long, report& to) {
  side empty, many;
  std::size_t slice = 0;
  const auto rates = in_turns(filled, folder, "registrants", how_long.task_slices,
                              [&](const test::node_process& node, store_of which) {
                                return (which == store_of::empty ? empty : many)
                                    .measure(node, how_long.task_slice, "person-" + std::to_string(slice++) + "-");
                              });
  to.begin("Registrants to ID to confirmed, made in bulk over HTTP: 2 producers, own pool and workers");
  add_ratio(to, "registrants", rates);
  add(to, empty, "empty", rates.empty);
  add(to, many, "many", rates.many);
  to.add({"many: finished tasks before", static_cast<double>(filled.tasks()), ""});
  to.note(spread_of(rates, how_long.task_slice) + "; " + filled.filled());
}

} // namespace matricula::bench
