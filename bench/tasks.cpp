#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "test/support/node_process.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace matricula::bench {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t producers = 2, workers = 4;
constexpr std::size_t queued_at_once = 200;
constexpr std::size_t worked_at_once = 100;
/// Whoever queues waits when so many are not done: more than a worker type's index has in memory.
constexpr std::uint64_t open_max = 20'000;
constexpr double rate_asked = 10'000;
constexpr double ratio_asked = 1.5;

struct leased {
  std::uint64_t id = 0, token = 0;
};

/// The number after `name`, from `at` on; moves `at` behind it.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name, std::size_t& at) {
  at = text.find(name, at);
  if (at == std::string_view::npos) return std::nullopt;
  at += name.size();
  std::uint64_t n = 0;
  if (std::from_chars(text.data() + at, text.data() + text.size(), n).ec != std::errc{}) return std::nullopt;
  return n;
}

/// The tasks of an answer of this node, which puts a task's token and id before all that its clients wrote. To parse
/// everything would take processor time from the node that is measured.
std::vector<leased> tasks_of(std::string_view body) {
  std::vector<leased> found;
  for (std::size_t at = 0;;) {
    const auto token = number_after(body, R"({"token":)", at);
    const auto id = token ? number_after(body, R"("id":)", at) : std::nullopt;
    if (!id) return found;
    found.push_back({*id, *token});
  }
}

std::string batch_of_tasks() {
  std::string body = R"({"tasks":[)";
  for (std::size_t i = 0; i < queued_at_once; ++i)
    body +=
        std::string(i == 0 ? "" : ",") + R"({"worker_type":"noop","worker_payload":{"n":)" + std::to_string(i) + "}}";
  return body + "]}";
}

std::string report_of(const std::vector<leased>& done) {
  std::string body = R"({"items":[)";
  for (const auto& one : done)
    body += std::string(&one == &done.front() ? "" : ",") + R"({"id":)" + std::to_string(one.id) + R"(,"token":)" +
            std::to_string(one.token) + "}";
  return body + "]}";
}

/// How long requests of one kind took, in milliseconds.
class latencies {
public:
  void add(double ms) {
    const std::lock_guard guard(mutex_);
    all_.push_back(ms);
  }
  double quantile(double q) {
    const std::lock_guard guard(mutex_);
    if (all_.empty()) return 0;
    std::ranges::sort(all_);
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(all_.size())));
    return all_[std::max<std::size_t>(rank, 1) - 1];
  }

private:
  std::mutex mutex_;
  std::vector<double> all_;
};

struct waits {
  latencies queueing, leasing, reporting;
};

/// Producers and remote workers, each with a connection of its own, from the first task to the last.
class lifecycle {
public:
  lifecycle(const test::node_process& node, waits& seen) : node_(node), seen_(seen) {}

  /// Queues and works for `duration`, or until so many are queued; then the rest is worked off. Returns the rate, from
  /// the first task that is queued to the last that is done.
  double run(std::chrono::milliseconds duration, std::uint64_t tasks_max = UINT64_MAX) {
    const auto began = steady_clock::now();
    const auto until = began + std::min<std::chrono::milliseconds>(duration, std::chrono::hours(1));
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < producers; ++i)
      threads.emplace_back([&] { guarded([&] { produce(until, tasks_max); }); });
    for (std::size_t i = 0; i < workers; ++i)
      threads.emplace_back([this, i] { guarded([&] { work("worker-" + std::to_string(i)); }); });
    threads.clear();
    if (!failure_.empty()) throw std::runtime_error("tasks: " + failure_);
    const std::chrono::duration<double> taken = last_done_ - began;
    return static_cast<double>(done_) / taken.count();
  }
  [[nodiscard]] std::uint64_t done() const noexcept { return done_; }

private:
  test::http_answer send(test::http_client& client, const std::string& target, const std::string& body, int status,
                         latencies& took) {
    const auto began = steady_clock::now();
    auto answer = client.send({.method = "POST", .target = target, .body = body});
    took.add(std::chrono::duration<double, std::milli>(steady_clock::now() - began).count());
    if (!answer || answer->status != status)
      throw std::runtime_error(target + ": " + (answer ? answer->body : "no answer"));
    return std::move(*answer);
  }

  void produce(steady_clock::time_point until, std::uint64_t tasks_max) {
    auto client = node_.client();
    const auto body = batch_of_tasks();
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return queued_ - done_ < open_max || stopped_; });
        if (stopped_ || steady_clock::now() >= until || queued_ >= tasks_max) break;
        queued_ += queued_at_once;
      }
      (void)send(client, "/v1/tasks", body, 201, seen_.queueing);
    }
    const std::lock_guard lock(mutex_);
    ++producers_done_;
  }

  void work(const std::string& name) {
    auto client = node_.client();
    const auto ask = R"({"worker":")" + name + R"(","count":)" + std::to_string(worked_at_once) + "}";
    const auto ask_and_wait = ask.substr(0, ask.size() - 1) + R"(,"wait_seconds":1})";
    for (bool idle = false; !over();) {
      const auto answer = send(client, "/v1/queues/noop/lease", idle ? ask_and_wait : ask, 200, seen_.leasing);
      const auto tasks = tasks_of(answer.body);
      idle = tasks.empty();
      if (idle) continue;
      const auto reported = send(client, "/v1/tasks/complete", report_of(tasks), 200, seen_.reporting);
      if (reported.body.contains("\"error\"")) throw std::runtime_error("not all was done: " + reported.body);
      const std::lock_guard lock(mutex_);
      done_ += tasks.size();
      last_done_ = steady_clock::now();
      room_.notify_all();
    }
  }

  bool over() {
    const std::lock_guard lock(mutex_);
    return stopped_ || (producers_done_ == producers && done_ >= queued_);
  }

  void guarded(const std::function<void()>& step) {
    try {
      step();
    } catch (const std::exception& e) {
      const std::lock_guard lock(mutex_);
      if (failure_.empty()) failure_ = e.what();
      stopped_ = true;
      room_.notify_all();
    }
  }

  const test::node_process& node_;
  waits& seen_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t queued_ = 0, done_ = 0;
  std::size_t producers_done_ = 0;
  steady_clock::time_point last_done_;
  bool stopped_ = false;
  std::string failure_;
};

test::node_options options_of(std::filesystem::path data) {
  // As little but tasks as there can be: a pool that is full at once, and no capacity that takes long to count.
  auto sets = test::small_pools();
  sets.emplace_back("tasks.types.noop.enabled=true");
  for (const char* type :
       {"uin", "vid", "prid", "social_id", "family_id", "household", "tracking_id", "registration_number"})
    sets.push_back(std::string("identifiers.types.") + type + ".enabled=false");
  return {.sets = std::move(sets), .data = std::move(data)};
}

/// One of the two stores, over all its slices.
struct side {
  waits seen = {};
  std::vector<double> rates = {};
  process_cost cost = {};
  double syncs = 0, tasks = 0;

  void measure(const test::node_process& node, std::chrono::milliseconds slice) {
    auto metrics = node.client();
    const auto syncs_before = metric(metrics, "matricula_storage_groups");
    const auto before = cost_of(node.pid());
    lifecycle all(node, seen);
    rates.push_back(all.run(slice));
    cost += cost_of(node.pid()) - before;
    syncs += metric(metrics, "matricula_storage_groups") - syncs_before;
    tasks += static_cast<double>(all.done());
  }
};

void add(report& to, side& s, const std::string& name) {
  to.add({name + ": tasks", median(s.rates), "/s", 0, target{bound::at_least, rate_asked}});
  to.add({name + ": to queue 200, p99", s.seen.queueing.quantile(0.99), "ms", 1});
  to.add({name + ": to lease 100, p99", s.seen.leasing.quantile(0.99), "ms", 1});
  to.add({name + ": to report 100, p99", s.seen.reporting.quantile(0.99), "ms", 1});
  to.add({name + ": CPU of the node, 1,000 tasks", s.cost.cpu_seconds * 1000 / s.tasks, "s", 4});
  to.add({name + ": syncs, 1,000 tasks", s.syncs * 1000 / s.tasks, "", 1});
}

} // namespace

void tasks(const std::filesystem::path& folder, const extent& how_long, report& to) {
  test::node_process full(options_of(folder / "tasks-full"));
  full.start();
  const auto began = steady_clock::now();
  waits ignored;
  lifecycle filling(full, ignored);
  const auto filled_at = filling.run(std::chrono::hours(1), how_long.finished_tasks);
  const std::chrono::duration<double> filled_in = steady_clock::now() - began;

  side empty, many;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < how_long.task_slices; ++i) {
    // A new one each time: what a slice has done would not be an empty store for the next.
    test::node_process fresh(options_of(folder / ("tasks-empty-" + std::to_string(i))));
    fresh.start();
    const auto measure_both = [&](side& first, test::node_process& at_first, side& second,
                                  test::node_process& at_second) {
      first.measure(at_first, how_long.task_slice);
      second.measure(at_second, how_long.task_slice);
    };
    if (i % 2 == 0)
      measure_both(empty, fresh, many, full);
    else
      measure_both(many, full, empty, fresh);
    ratios.push_back(empty.rates.back() / many.rates.back());
  }

  to.begin("Tasks from queued to completed over HTTP: 2 producers, 4 workers, in batches");
  to.add({"an empty store / one with finished tasks, median of the slices", median(ratios), "", 2,
          target{bound::at_most, ratio_asked}});
  add(to, empty, "empty");
  add(to, many, "many");
  to.add({"many: finished tasks before", static_cast<double>(filling.done()), ""});
  to.add({"many: resident memory", static_cast<double>(resident_bytes(full.pid())) / (1 << 20), "MiB"});
  const auto [least, most] = std::ranges::minmax(ratios);
  char text[160];
  std::snprintf(text, sizeof text, "%zu slices a side of %lld ms; ratios %.2f to %.2f; filled in %.0f s, at %.0f/s",
                how_long.task_slices, static_cast<long long>(how_long.task_slice.count()), least, most,
                filled_in.count(), filled_at);
  to.note(text);
  auto& d = to.details()["tasks"];
  d["ratios"] = ratios;
  d["empty_rates"] = empty.rates;
  d["many_rates"] = many.rates;
}

} // namespace matricula::bench
