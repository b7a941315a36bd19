#include "bench/latencies.hpp"
#include "bench/scenarios.hpp"
#include "bench/task_answers.hpp"
#include "bench/task_nodes.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

namespace matricula::bench {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr double start_asked_ms = 50;
constexpr std::chrono::seconds give_up_after{20};

std::string asked_of(test::http_client& client, const test::http_request& what, int status) {
  const auto answer = client.send(what);
  if (!answer || answer->status != status)
    throw std::runtime_error(what.target + ": " + (answer ? answer->body : "no answer"));
  return answer->body;
}

double ms_since(steady_clock::time_point began) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - began).count();
}

/// A remote worker that waits in a lease, says when it holds a task, and reports it done.
class waiting_worker {
public:
  explicit waiting_worker(const test::node_process& node) : thread_([this, &node] { work(node); }) {}
  ~waiting_worker() { stopping_ = true; }
  waiting_worker(const waiting_worker&) = delete;
  waiting_worker& operator=(const waiting_worker&) = delete;

  /// When it held the `n`th task. Throws std::runtime_error when that does not come about.
  [[nodiscard]] steady_clock::time_point held(std::size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, give_up_after, [&] { return held_ >= n || !failure_.empty(); });
    if (!failure_.empty()) throw std::runtime_error("idle: " + failure_);
    if (held_ < n) throw std::runtime_error("idle: a task was queued and no worker got it");
    return held_at_;
  }

private:
  void work(const test::node_process& node) {
    try {
      auto client = node.client();
      while (!stopping_) {
        const auto tasks = leased_tasks(asked_of(
            client,
            {.method = "POST", .target = "/v1/queues/noop/lease", .body = R"({"worker":"waiting","wait_seconds":1})"},
            200));
        if (tasks.empty()) continue;
        {
          const std::lock_guard lock(mutex_);
          held_at_ = steady_clock::now();
          ++held_;
          changed_.notify_all();
        }
        (void)asked_of(client,
                       {.method = "POST",
                        .target = "/v1/tasks/" + std::to_string(tasks.front().id) + "/complete",
                        .body = R"({"token":)" + std::to_string(tasks.front().token) + "}"},
                       200);
      }
    } catch (const std::exception& e) {
      const std::lock_guard lock(mutex_);
      failure_ = e.what();
      changed_.notify_all();
    }
  }

  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t held_ = 0;
  steady_clock::time_point held_at_;
  std::string failure_;
  std::jthread thread_; ///< last, so that it ends first
};

/// Between two: long enough that all is at rest again, and of no fixed length, so that no timer of the node fits it.
void pause(std::mt19937& random) {
  std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution(10'000, 30'000)(random)));
}

void measure_tasks(const test::node_process& node, std::size_t samples, latencies& answers, latencies& starts) {
  waiting_worker worker(node);
  auto client = node.client();
  std::mt19937 random(1);
  for (std::size_t i = 1; i <= samples; ++i) {
    pause(random);
    const auto began = steady_clock::now();
    (void)asked_of(client,
                   {.method = "POST",
                    .target = "/v1/tasks",
                    .body = R"({"worker_type":"noop","worker_payload":{"n":)" + std::to_string(i) + "}}"},
                   201);
    answers.add(ms_since(began));
    starts.add(std::chrono::duration<double, std::milli>(worker.held(i) - began).count());
  }
}

void measure_registrants(const test::node_process& node, std::size_t samples, latencies& ids) {
  auto client = node.client();
  std::mt19937 random(2);
  for (std::size_t i = 0; i < samples; ++i) {
    pause(random);
    const auto began = steady_clock::now();
    const auto created = asked_of(client,
                                  {.method = "POST",
                                   .target = "/v1/registrants",
                                   .body = R"({"kind":"individual","reference":"person-)" + std::to_string(i) + "\"}"},
                                  201);
    std::size_t at = 0;
    const auto id = number_after(created, R"("registrant_id":)", at);
    if (!id) throw std::runtime_error("idle: a registrant without a number: " + created);
    const auto target = "/v1/registrants/" + std::to_string(*id);
    while (!asked_of(client, {.target = target}, 200).contains("\"unique_id\":"))
      if (steady_clock::now() - began > give_up_after) throw std::runtime_error("idle: a registrant gets no ID");
    ids.add(ms_since(began));
  }
}

} // namespace

void idle(const std::filesystem::path& folder, const extent& how_long, report& to) {
  const task_node node(folder / "idle");
  latencies answers, starts, ids;
  measure_tasks(node.process(), how_long.idle_samples, answers, starts);
  measure_registrants(node.process(), how_long.idle_samples, ids);
  to.begin("One at a time while nothing else is to be done, from before the request is sent");
  to.add({"until a task is queued, p99", answers.quantile(0.99), "ms", 1});
  to.add({"until a worker that waited holds it, median", starts.quantile(0.5), "ms", 1});
  to.add({"until a worker that waited holds it, p99", starts.quantile(0.99), "ms", 1,
          target{bound::below, start_asked_ms}});
  to.add({"until a registrant has its ID, median", ids.quantile(0.5), "ms", 1});
  to.add({"until a registrant has its ID, p99", ids.quantile(0.99), "ms", 1, target{bound::below, start_asked_ms}});
  to.note(std::to_string(how_long.idle_samples) + " of each, 10 to 30 ms apart");
}

} // namespace matricula::bench
