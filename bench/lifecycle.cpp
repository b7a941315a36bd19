#include "bench/lifecycle.hpp"

#include "bench/task_answers.hpp"
#include "test/support/node_process.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

namespace matricula::bench {

using std::chrono::steady_clock;

namespace {

constexpr std::size_t producers = 2, workers = 4;
constexpr std::size_t queued_at_once = 200;
constexpr std::size_t worked_at_once = 100;
/// Whoever queues waits when so many are not done: more than a worker type's index has in memory.
constexpr std::uint64_t open_max = 20'000;

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

} // namespace

double lifecycle::run(std::chrono::milliseconds duration, std::uint64_t tasks_max) {
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

test::http_answer lifecycle::send(test::http_client& client, const std::string& target, const std::string& body,
                                  int status, latencies& took) {
  const auto began = steady_clock::now();
  auto answer = client.send({.method = "POST", .target = target, .body = body});
  took.add(std::chrono::duration<double, std::milli>(steady_clock::now() - began).count());
  if (!answer || answer->status != status)
    throw std::runtime_error(target + ": " + (answer ? answer->body : "no answer"));
  return std::move(*answer);
}

void lifecycle::produce(steady_clock::time_point until, std::uint64_t tasks_max) {
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

void lifecycle::work(const std::string& name) {
  auto client = node_.client();
  const auto ask = R"({"worker":")" + name + R"(","count":)" + std::to_string(worked_at_once) + "}";
  const auto ask_and_wait = ask.substr(0, ask.size() - 1) + R"(,"wait_seconds":1})";
  for (bool idle = false; !over();) {
    const auto answer = send(client, "/v1/queues/noop/lease", idle ? ask_and_wait : ask, 200, seen_.leasing);
    const auto tasks = leased_tasks(answer.body);
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

bool lifecycle::over() {
  const std::lock_guard lock(mutex_);
  return stopped_ || (producers_done_ == producers && done_ >= queued_);
}

void lifecycle::guarded(const std::function<void()>& step) {
  try {
    step();
  } catch (const std::exception& e) {
    const std::lock_guard lock(mutex_);
    if (failure_.empty()) failure_ = e.what();
    stopped_ = true;
    room_.notify_all();
  }
}

} // namespace matricula::bench
