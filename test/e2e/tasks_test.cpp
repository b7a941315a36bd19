// The queue of tasks over HTTP, as programs that queue, workers that run elsewhere and operators use it.
#include "test/e2e/task_world.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <future>
#include <set>
#include <thread>
#include <vector>

namespace matricula::test {

using nlohmann::json;
using testing::ElementsAre;

namespace {
constexpr const char* queue_path = "/v1/actors/root/domain/tasks/queue";

class tasks : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>(
        task_world({"basic",  "unique",    "failing", "patient",    "hopeless", "lapsing", "lively", "twice",
                    "chain",  "cancelled", "redone",  "redone_too", "paused",   "polled",  "urgent", "timed",
                    "listed", "batched",   "audited", "measured",   "paged",    "reported"},
                   "[tasks.types.blocked]\nmax_attempts = 5\nbackoff_first_ms = 3600000\nbackoff_max_ms = 3600000\n"
                   "[tasks.types.narrow]\nrunning_max = 2\n[tasks.types.slow]\nstarts_per_s = 3\n"
                   "[tasks.types.off]\nenabled = false\n"));
    node_->start();
  }
  static void TearDownTestSuite() { node_.reset(); }
  void TearDown() override {
    EXPECT_FALSE(node_->logged("http.failed")) << node_->log_tail();
    EXPECT_FALSE(node_->logged("unreadable_row")) << node_->log_tail();
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_->log_tail().c_str());
  }

  /// Waits until so many workers wait for tasks of the type.
  void until_workers_wait(const std::string& type, unsigned count) {
    ASSERT_TRUE(eventually([&] {
      const auto self = node_client_.http().get(queue_path)().at("self");
      return self.at("types").at(type).at("workers_waiting") == count;
    }));
  }

  static inline std::unique_ptr<node_process> node_;
  task_client node_client_ = task_client(*node_);
};

std::vector<std::uint64_t> ids_of(const json& items) {
  std::vector<std::uint64_t> ids;
  for (const auto& item : items) ids.push_back(item.at("id").get<std::uint64_t>());
  return ids;
}
} // namespace

TEST_F(tasks, go_from_queued_to_leased_to_completed) {
  auto& c = node_client_;
  const auto queued =
      c.enqueue("basic", {{"form", 4711}, {"tags", json::array({"a", nullptr, 1.5, std::string("\xc3\xa9\0b", 4)})}});
  EXPECT_EQ(queued.at("task_status"), "PENDING");
  EXPECT_EQ(queued.at("number_of_attempts"), 0);
  EXPECT_EQ(queued.at("max_attempts"), 5);
  EXPECT_EQ(queued.at("priority"), 4);
  EXPECT_EQ(queued.at("queued_by"), "tester");

  const auto leased = c.lease_one("basic", {{"worker", "mail-1"}});
  EXPECT_EQ(leased.at("id"), queued.at("id"));
  EXPECT_EQ(leased.at("worker_payload"), queued.at("worker_payload"));
  EXPECT_EQ(leased.at("task_status"), "RUNNING");
  EXPECT_EQ(leased.at("number_of_attempts"), 1);
  EXPECT_EQ(leased.at("lease").at("worker"), "mail-1");
  const auto running = c.look(queued);
  EXPECT_EQ(running.at("task_status"), "RUNNING");
  EXPECT_EQ(running.at("lease"), leased.at("lease"));
  EXPECT_FALSE(running.contains("token")) << "whoever may look could end the task";

  const auto done = task_client::expect(c.complete(leased, {{"result", {{"sent", true}}}}), 200);
  EXPECT_EQ(done.at("task_status"), "COMPLETED");
  EXPECT_EQ(done.at("result"), json::object({{"sent", true}}));
  EXPECT_TRUE(done.contains("finished_at"));
  EXPECT_FALSE(done.contains("lease"));
  ASSERT_EQ(done.at("history").size(), 1U);
  EXPECT_EQ(done.at("history").at(0).at("outcome"), "done");
  EXPECT_EQ(done.at("history").at(0).at("worker"), "mail-1");
  EXPECT_EQ(c.look(queued), done);
  EXPECT_EQ(c.lease("basic"), json::array());
}

TEST_F(tasks, of_one_unique_key_are_one_however_many_ask_at_once) {
  constexpr int clients = 50;
  std::vector<std::future<api_answer>> answers;
  for (int i = 0; i < clients; ++i)
    answers.push_back(std::async(std::launch::async, [] {
      api_client client(*node_);
      return client.post("/v1/tasks",
                         {{"worker_type", "unique"}, {"worker_payload", {{"n", 1}}}, {"unique_key", "form-1"}});
    }));
  std::set<std::uint64_t> ids;
  int created = 0;
  for (auto& one : answers) {
    const auto answer = one.get();
    EXPECT_TRUE(answer.status == 201 || answer.status == 200) << answer.shown();
    created += answer.status == 201;
    ids.insert(answer().at("id").get<std::uint64_t>());
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(node_client_.queue("unique").at("pending"), 1);
  // Also when the task has ended, and never across worker types.
  ASSERT_EQ(node_client_.complete(node_client_.lease_one("unique")).status, 200);
  const auto later = node_client_.http().post(
      "/v1/tasks", {{"worker_type", "unique"}, {"worker_payload", {{"n", 2}}}, {"unique_key", "form-1"}});
  EXPECT_EQ(later.status, 200) << later.shown();
  EXPECT_EQ(later().at("task_status"), "COMPLETED");
  EXPECT_EQ(later().at("worker_payload"), json::object({{"n", 1}}));
  EXPECT_FALSE(ids.contains(task_client::id_of(node_client_.enqueue("basic", {}, {{"unique_key", "form-1"}}))));
  ASSERT_EQ(node_client_.complete(node_client_.lease_one("basic")).status, 200);
}

TEST_F(tasks, fail_after_exactly_as_many_attempts_as_they_have) {
  auto& c = node_client_;
  for (const unsigned most : {1U, 4U, 5U, 10U}) {
    SCOPED_TRACE(most);
    auto task = c.enqueue("failing", {}, most == 5 ? json::object() : json::object({{"max_attempts", most}}));
    unsigned attempts = 0;
    do {
      const auto leased = c.lease_one("failing");
      ++attempts;
      EXPECT_EQ(leased.at("number_of_attempts"), attempts);
      task = task_client::expect(c.fail(leased, {{"error", "try " + std::to_string(attempts)}}), 200);
      ASSERT_LE(attempts, most);
    } while (task.at("task_status") == "PENDING");
    EXPECT_EQ(attempts, most);
    EXPECT_EQ(task.at("task_status"), "FAILED");
    EXPECT_EQ(task.at("number_of_attempts"), most);
    EXPECT_EQ(task.at("last_attempt_error_code"), "try " + std::to_string(most));
    EXPECT_EQ(task.at("history").size(), most);
    EXPECT_EQ(c.lease("failing"), json::array());
  }
}

TEST_F(tasks, that_cannot_be_done_yet_lose_no_attempt) {
  auto& c = node_client_;
  const auto task = c.enqueue("patient", {}, {{"max_attempts", 1}});
  for (int i = 0; i < 25; ++i) {
    const auto answer = c.fail(c.lease_one("patient"), {{"kind", "not_yet"}, {"error", "the pool is empty"}});
    ASSERT_EQ(answer.status, 200);
    ASSERT_EQ(answer().at("task_status"), "PENDING") << answer.shown();
    ASSERT_EQ(answer().at("number_of_attempts"), 0);
  }
  EXPECT_EQ(c.look(task).at("history").size(), 20U) << "the latest ones";
  const auto done = task_client::expect(c.complete(c.lease_one("patient")), 200);
  EXPECT_EQ(done.at("number_of_attempts"), 1);
  EXPECT_FALSE(done.contains("last_attempt_error_code"));
}

TEST_F(tasks, that_can_never_be_done_fail_at_once) {
  auto& c = node_client_;
  const auto task = c.enqueue("hopeless");
  const auto failed = task_client::expect(
      c.fail(c.lease_one("hopeless"), {{"kind", "permanent"}, {"error", "no such\nregistrant"}}), 200);
  EXPECT_EQ(failed.at("task_status"), "FAILED");
  EXPECT_EQ(failed.at("number_of_attempts"), 1);
  EXPECT_EQ(failed.at("last_attempt_error_code"), "no such\nregistrant");
  EXPECT_EQ(c.lease("hopeless"), json::array());
  // A later attempt may be asked for by hand, and has the whole budget again.
  const auto again = task_client::expect(c.act(task, "retry"), 200);
  EXPECT_EQ(again.at("task_status"), "PENDING");
  EXPECT_EQ(again.at("max_attempts"), 6);
  const auto late = task_client::expect(
      c.fail(c.lease_one("hopeless"), {{"error", std::string(1'500, 'x')}, {"retry_in_seconds", 3'600}}), 200);
  EXPECT_EQ(late.at("task_status"), "PENDING");
  EXPECT_EQ(late.at("last_attempt_error_code"), std::string(1'000, 'x'));
  EXPECT_GT(late.at("due_at").get<std::string>(), from_now(std::chrono::minutes(59)));
}

TEST_F(tasks, of_a_silent_worker_go_to_another_one_and_the_late_one_is_refused) {
  auto& c = node_client_;
  const auto task = c.enqueue("lapsing");
  const auto lost = c.lease_one("lapsing", {{"worker", "frozen"}, {"lease_seconds", 1}});
  const auto taken = c.lease_one("lapsing", {{"worker", "lively"}});
  EXPECT_EQ(taken.at("id"), task.at("id"));
  EXPECT_GT(taken.at("token").get<std::uint64_t>(), lost.at("token").get<std::uint64_t>());
  EXPECT_EQ(taken.at("number_of_attempts"), 2);
  ASSERT_EQ(taken.at("history").size(), 1U);
  EXPECT_EQ(taken.at("history").at(0).at("outcome"), "lost");
  EXPECT_EQ(taken.at("history").at(0).at("worker"), "frozen");

  for (const auto& answer :
       {c.complete(lost, {{"result", "late"}}), c.fail(lost), c.fail(lost, {{"kind", "permanent"}}),
        c.act(lost, "heartbeat", {{"token", lost.at("token")}})}) {
    EXPECT_EQ(answer.status, 409) << answer.shown();
    EXPECT_EQ(answer.code(), "lease_lost");
  }
  EXPECT_EQ(c.look(task).at("lease").at("worker"), "lively");
  const auto done = task_client::expect(c.complete(taken, {{"result", "in time"}}), 200);
  EXPECT_EQ(done.at("result"), "in time");
  EXPECT_TRUE(node_->logged("tasks.lease_lapsed"));
}

TEST_F(tasks, are_kept_by_a_worker_that_is_heard_of) {
  auto& c = node_client_;
  c.enqueue("lively");
  c.enqueue("lively");
  const auto both = c.lease("lively", {{"count", 2}, {"lease_seconds", 2}});
  ASSERT_EQ(both.size(), 2U);
  const auto renewed = c.act(both.at(0), "heartbeat", {{"token", both.at(0).at("token")}, {"lease_seconds", 60}});
  ASSERT_EQ(renewed.status, 200) << renewed.shown();
  EXPECT_GT(renewed().at("until").get<std::string>(), from_now(std::chrono::seconds(50)));
  // When the second one is to be had again, the first lease of the first one would be over, too.
  EXPECT_EQ(c.lease_one("lively").at("id"), both.at(1).at("id"));
  const auto kept = c.look(both.at(0));
  EXPECT_EQ(kept.at("task_status"), "RUNNING");
  EXPECT_EQ(kept.at("number_of_attempts"), 1);
  EXPECT_EQ(c.complete(both.at(0)).status, 200);
}

TEST_F(tasks, give_the_same_answer_when_their_end_is_reported_twice) {
  auto& c = node_client_;
  c.enqueue("twice");
  const auto leased = c.lease_one("twice");
  const auto once = c.complete(leased, {{"result", 7}});
  const auto again = c.complete(leased, {{"result", 8}});
  EXPECT_EQ(once.status, 200);
  EXPECT_EQ(again.status, 200) << again.shown();
  EXPECT_EQ(again.body, once.body);
  EXPECT_EQ(c.fail(leased).code(), "lease_lost") << "it was something else";

  c.enqueue("twice", {}, {{"max_attempts", 1}});
  const auto second = c.lease_one("twice");
  const auto failed = c.fail(second);
  EXPECT_EQ(c.fail(second).body, failed.body);
  EXPECT_EQ(c.fail(second, {{"kind", "permanent"}}).code(), "lease_lost");
  auto made_up = second;
  made_up["token"] = second.at("token").get<std::uint64_t>() + 1'000;
  EXPECT_EQ(c.complete(made_up).code(), "lease_lost");
  made_up["id"] = 999'999'999;
  EXPECT_EQ(c.complete(made_up).code(), "lease_lost");
}

TEST_F(tasks, queue_what_follows_them_in_the_same_write_and_once) {
  auto& c = node_client_;
  c.enqueue("chain", {{"step", 1}});
  const auto first = c.lease_one("chain");
  const json next = {{"worker_type", "chain"}, {"worker_payload", {{"step", 2}}}};
  const json then = {{"then", json::array({next})}};
  const auto done = c.complete(first, then);
  ASSERT_EQ(done.status, 200) << done.shown();
  EXPECT_EQ(c.complete(first, then).status, 200);
  const auto second = c.lease_one("chain");
  EXPECT_EQ(second.at("worker_payload").at("step"), 2);
  EXPECT_EQ(c.lease("chain"), json::array()) << "queued twice";
  const json off = {{"worker_type", "off"}, {"worker_payload", json::object()}};
  const json unknown = {{"then", json::array({off})}};
  EXPECT_EQ(c.complete(second, unknown).status, 422);
  EXPECT_EQ(c.look(second).at("task_status"), "RUNNING");
  // Who has lost the task queues nothing.
  ASSERT_EQ(c.act(second, "cancel").status, 200);
  EXPECT_EQ(c.complete(second, then).code(), "lease_lost");
  EXPECT_EQ(c.lease("chain"), json::array());
}

TEST_F(tasks, are_cancelled_while_they_wait_and_while_they_run) {
  auto& c = node_client_;
  const auto waiting = c.enqueue("cancelled", {}, {{"due_at", from_now(std::chrono::hours(1))}});
  const auto ready = c.enqueue("cancelled");
  const auto running = c.lease_one("cancelled");
  ASSERT_EQ(running.at("id"), ready.at("id"));
  for (const auto& task : {waiting, ready, c.enqueue("cancelled")}) {
    const auto cancelled = task_client::expect(c.act(task, "cancel", {{"reason", "not needed"}}), 200);
    EXPECT_EQ(cancelled.at("task_status"), "CANCELLED");
    const auto again = c.act(task, "cancel");
    EXPECT_EQ(again.status, 409) << again.shown();
    EXPECT_EQ(again.code(), "conflict");
  }
  EXPECT_EQ(c.complete(running).code(), "lease_lost");
  EXPECT_EQ(c.lease("cancelled"), json::array());
  const auto counts = c.queue("cancelled");
  EXPECT_EQ(counts.at("cancelled"), 3);
  EXPECT_EQ(counts.at("pending"), 0);
  EXPECT_EQ(counts.at("running"), 0);

  EXPECT_EQ(c.act(waiting, "retry").status, 200);
  EXPECT_EQ(c.lease_one("cancelled").at("id"), waiting.at("id")) << "due at once";
  const auto not_ended = c.act(waiting, "retry");
  EXPECT_EQ(not_ended.status, 409) << not_ended.shown();
  for (const char* what : {"cancel", "retry"})
    for (const char* id : {"0", "999999999", "x", "-1", "1.5", "18446744073709551616"})
      EXPECT_EQ(c.http().post(std::string("/v1/tasks/") + id + "/" + what).status, 404) << id;
}

TEST_F(tasks, that_failed_are_tried_again_by_type_and_error) {
  auto& c = node_client_;
  const auto fail_some = [&](const std::string& type, const std::string& error, int count) {
    for (int i = 0; i < count; ++i) {
      c.enqueue(type);
      ASSERT_EQ(c.fail(c.lease_one(type), {{"kind", "permanent"}, {"error", error}}).status, 200);
    }
  };
  fail_some("redone", "HTTP 503 from the mail server", 3);
  fail_some("redone", "HTTP 404", 2);
  fail_some("redone_too", "HTTP 503", 1);
  const auto retry = [&](const json& what) {
    return task_client::expect(c.http().post("/v1/tasks/retry", what), 200).at("retried");
  };
  EXPECT_EQ(retry({{"worker_type", "redone"}, {"error", "HTTP 5"}, {"limit", 2}}), 2);
  EXPECT_EQ(retry({{"worker_type", "redone"}, {"error", "HTTP 5"}}), 1);
  EXPECT_EQ(retry({{"worker_type", "redone"}, {"error", "HTTP 5"}}), 0);
  EXPECT_EQ(retry({{"worker_type", "nobody"}}), 0);
  EXPECT_EQ(c.queue("redone").at("failed"), 2);
  EXPECT_EQ(c.queue("redone_too").at("failed"), 1);
  EXPECT_EQ(c.lease("redone", {{"count", 10}}).size(), 3U);
  EXPECT_EQ(retry({{"error", "HTTP "}, {"reason", "all is well again"}}), 3) << "of every type";
}

TEST_F(tasks, that_failed_are_tried_again_page_after_page) {
  auto& c = node_client_;
  for (int i = 0; i < 5; ++i) c.enqueue("paged");
  for (const auto& one : c.lease("paged", {{"count", 5}})) ASSERT_EQ(c.fail(one, {{"kind", "permanent"}}).status, 200);
  int retried = 0;
  json next;
  for (int pages = 0; pages == 0 || !next.is_null(); ++pages) {
    ASSERT_LT(pages, 10);
    json ask = {{"worker_type", "paged"}, {"limit", 2}};
    if (!next.is_null()) ask["cursor"] = next;
    const auto page = task_client::expect(c.http().post("/v1/tasks/retry", ask), 200);
    retried += page.at("retried").get<int>();
    next = page.value("next_cursor", json());
  }
  EXPECT_EQ(retried, 5);
}

TEST_F(tasks, are_reported_as_done_many_at_once) {
  auto& c = node_client_;
  auto list = json::array();
  for (int i = 0; i < 100; ++i) list.push_back({{"worker_type", "reported"}, {"worker_payload", json::object()}});
  ASSERT_EQ(c.http().post("/v1/tasks", {{"tasks", list}}).status, 201);
  const auto leased = c.lease("reported", {{"count", 100}});
  ASSERT_EQ(leased.size(), 100U);
  auto items = json::array();
  for (const auto& one : leased)
    items.push_back({{"id", one.at("id")}, {"token", one.at("token")}, {"result", {{"n", one.at("id")}}}});
  items[7]["token"] = 1'000'000;
  for (int times = 0; times < 2; ++times) {
    const auto answer = task_client::expect(c.http().post("/v1/tasks/complete", {{"items", items}}), 200).at("items");
    ASSERT_EQ(answer.size(), 100U);
    for (std::size_t i = 0; i < answer.size(); ++i) {
      EXPECT_EQ(answer[i].at("id"), items[i].at("id"));
      if (i == 7) {
        EXPECT_EQ(answer[i].at("error").at("code"), "lease_lost");
      } else {
        EXPECT_EQ(answer[i].at("task_status"), "COMPLETED");
      }
    }
  }
  EXPECT_EQ(c.queue("reported").at("completed"), 99);
  EXPECT_EQ(c.look(leased.at(3)).at("result"), json({{"n", leased.at(3).at("id")}}));
}

TEST_F(tasks, that_failed_by_the_thousand_are_all_tried_again_in_one_request) {
  auto& c = node_client_;
  constexpr std::size_t count = 1'500;
  for (std::size_t done = 0; done < count; done += 500) {
    auto list = json::array();
    for (int i = 0; i < 500; ++i)
      list.push_back({{"worker_type", "measured"}, {"worker_payload", json::object()}, {"max_attempts", 1}});
    ASSERT_EQ(c.http().post("/v1/tasks", {{"tasks", list}}).status, 201);
  }
  for (std::size_t failed = 0; failed < count;)
    for (const auto& one : c.lease("measured", {{"count", 100}, {"wait_seconds", 4}})) {
      ASSERT_EQ(c.fail(one, {{"error", "down"}}).status, 200);
      ++failed;
    }
  EXPECT_EQ(c.queue("measured").at("failed"), count);
  const auto answer = c.http().post("/v1/tasks/retry", {{"worker_type", "measured"}, {"limit", 10'000}});
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("retried"), count);
  EXPECT_EQ(c.queue("measured").at("pending"), count);
  EXPECT_EQ(c.queue("measured").at("failed"), 0);
  // What the numbers of the node say is what the queue says.
  const auto numbers = c.http().get("/metrics").body;
  for (const auto* line : {"matricula_tasks{state=\"PENDING\",worker_type=\"measured\"} 1500\n",
                           "matricula_tasks{state=\"FAILED\",worker_type=\"measured\"} 0\n",
                           "matricula_tasks_queued_total{worker_type=\"measured\"} 1500\n",
                           "matricula_tasks_attempts_total{worker_type=\"measured\"} 1500\n",
                           "matricula_tasks_paused{worker_type=\"measured\"} 0\n",
                           "matricula_tasks_next_ready_age_seconds{worker_type=\"basic\"} 0\n"})
    EXPECT_THAT(numbers, testing::HasSubstr(line));
  EXPECT_THAT(numbers, testing::ContainsRegex(
                           "matricula_tasks_next_ready_age_seconds\\{worker_type=\"measured\"\\} [0-9.]*[1-9]"));
  EXPECT_THAT(numbers, testing::ContainsRegex(
                           "matricula_tasks_next_queued_age_seconds\\{worker_type=\"measured\"\\} [0-9.]*[1-9]"));
}

TEST_F(tasks, wait_while_their_queue_is_paused) {
  auto& c = node_client_;
  const auto paused = task_client::expect(c.http().post("/v1/queues/paused/pause", {{"reason", "repairs"}}), 200);
  EXPECT_EQ(paused, json::object({{"worker_type", "paused"}, {"paused", true}}));
  EXPECT_TRUE(c.queue("paused").at("paused"));
  const auto task = c.enqueue("paused");
  EXPECT_EQ(c.lease("paused"), json::array());
  auto worker = std::async(std::launch::async, [] { return task_client(*node_).lease_one("paused"); });
  until_workers_wait("paused", 1);
  EXPECT_EQ(c.look(task).at("task_status"), "PENDING");
  EXPECT_EQ(c.http().post("/v1/queues/paused/resume").status, 200);
  EXPECT_EQ(worker.get().at("id"), task.at("id"));
  EXPECT_FALSE(c.queue("paused").at("paused"));
  EXPECT_EQ(c.http().post("/v1/queues/nobody/pause").status, 404);
  EXPECT_EQ(c.http().post("/v1/queues/off/resume").status, 404);
}

TEST_F(tasks, reach_a_worker_that_waits_within_a_moment) {
  using std::chrono::steady_clock;
  auto& c = node_client_;
  // Nothing comes: the wait ends by itself and in time.
  const auto began = steady_clock::now();
  EXPECT_EQ(c.lease("polled", {{"wait_seconds", 1}}), json::array());
  EXPECT_GE(steady_clock::now() - began, std::chrono::milliseconds(990));
  constexpr std::size_t rounds = 20;
  std::vector<steady_clock::duration> took;
  while (took.size() < rounds) {
    auto worker = std::async(std::launch::async, [] {
      auto item = task_client(*node_).lease("polled", {{"wait_seconds", 60}});
      return std::pair(std::move(item), steady_clock::now());
    });
    until_workers_wait("polled", 1);
    const auto queued_at = steady_clock::now();
    const auto task = c.enqueue("polled");
    const auto [items, had_at] = worker.get();
    ASSERT_EQ(ids_of(items), ids_of(json::array({task})));
    took.push_back(had_at - queued_at);
  }
  // Of a queue that looked now and then, few would come so soon; of this one most do, on a machine that is busy, too.
  std::ranges::sort(took);
  EXPECT_LT(took[rounds / 4], std::chrono::milliseconds(50));
}

TEST_F(tasks, start_within_a_second_behind_ten_thousand_that_are_blocked_and_ten_thousand_that_failed) {
  using std::chrono::steady_clock;
  auto& c = node_client_;
  constexpr unsigned many = 10'000, of_a_list = 500, of_a_lease = 100;
  for (unsigned i = 0; i < 2 * many; i += of_a_list) {
    json one = {{"worker_type", "blocked"}, {"worker_payload", json::object()}};
    if (i < many) one["max_attempts"] = 1;
    ASSERT_EQ(c.http().post("/v1/tasks", {{"tasks", json(of_a_list, one)}}).status, 201);
  }
  // A worker that dies with all of them: what has no attempt left FAILED, the others wait for a time within an hour.
  for (unsigned i = 0; i < 2 * many; i += of_a_lease)
    ASSERT_EQ(c.lease("blocked", {{"count", of_a_lease}, {"lease_seconds", 1}}).size(), of_a_lease);
  ASSERT_TRUE(eventually([&] {
    const auto now = c.queue("blocked");
    return now.at("failed") == many && now.at("running") == 0;
  }));
  std::vector<steady_clock::duration> took;
  for (int round = 0; round < 5; ++round) {
    const auto began = steady_clock::now();
    const auto id = task_client::id_of(c.enqueue("blocked"));
    // The few others whose wait is over come with it.
    std::vector<std::uint64_t> leased;
    while (std::ranges::find(leased, id) == leased.end() && steady_clock::now() - began < std::chrono::seconds(10))
      leased = ids_of(c.lease("blocked", {{"count", of_a_lease}, {"lease_seconds", 600}, {"wait_seconds", 4}}));
    EXPECT_NE(std::ranges::find(leased, id), leased.end());
    took.push_back(steady_clock::now() - began);
  }
  std::ranges::sort(took);
  EXPECT_LT(took[took.size() / 2], std::chrono::seconds(1)) << "most of them";
  EXPECT_GE(c.queue("blocked").at("pending").get<unsigned>(), many - 1'000) << "they are still there";
}

TEST_F(tasks, that_are_more_urgent_go_first) {
  auto& c = node_client_;
  const auto least = c.enqueue("urgent", {}, {{"priority", 9}});
  const auto usual = c.enqueue("urgent");
  const auto first = c.enqueue("urgent", {}, {{"priority", 0}});
  const auto usual_too = c.enqueue("urgent", {}, {{"priority", 4}});
  EXPECT_EQ(ids_of(c.lease("urgent", {{"count", 10}})), ids_of(json::array({first, usual, usual_too, least})));
}

TEST_F(tasks, are_not_begun_before_they_are_due) {
  auto& c = node_client_;
  const auto due = from_now(std::chrono::milliseconds(1'200));
  const auto task = c.enqueue("timed", {}, {{"due_at", due}, {"priority", 0}});
  EXPECT_EQ(task.at("due_at"), due);
  EXPECT_EQ(c.lease("timed"), json::array());
  const auto leased = c.lease_one("timed");
  EXPECT_EQ(leased.at("id"), task.at("id"));
  EXPECT_GE(leased.at("lease").at("granted_at").get<std::string>(), due);
  EXPECT_LE(leased.at("lease").at("granted_at").get<std::string>(), from_now(std::chrono::seconds(0)));
  // Far ahead is no time that has passed.
  c.enqueue("timed", {}, {{"due_at", "9999-12-31T23:59:59.999Z"}});
  EXPECT_EQ(c.lease("timed"), json::array());
  // A time that has passed is now.
  const auto past = c.enqueue("timed", {}, {{"due_at", "2001-01-01T00:00:00Z"}});
  EXPECT_EQ(past.at("due_at"), past.at("queued_datetime"));
  EXPECT_EQ(c.lease_one("timed").at("id"), past.at("id"));
}

TEST_F(tasks, are_listed_by_state_and_type_in_pages) {
  auto& c = node_client_;
  std::vector<std::uint64_t> pending, running, completed, failed, cancelled, all;
  for (int i = 0; i < 15; ++i) all.push_back(task_client::id_of(c.enqueue("listed", {{"i", i}})));
  for (const auto& one : c.lease("listed", {{"count", 12}})) {
    const auto id = one.at("id").get<std::uint64_t>();
    switch (id % 4) {
    case 0:
      ASSERT_EQ(c.complete(one).status, 200);
      completed.insert(completed.begin(), id);
      break;
    case 1:
      ASSERT_EQ(c.fail(one, {{"kind", "permanent"}}).status, 200);
      failed.insert(failed.begin(), id);
      break;
    case 2:
      ASSERT_EQ(c.act(one, "cancel").status, 200);
      cancelled.insert(cancelled.begin(), id);
      break;
    default:
      running.push_back(id);
    }
  }
  pending.assign(all.begin() + 12, all.end());
  pending.push_back(task_client::id_of(c.enqueue("listed", {}, {{"due_at", from_now(std::chrono::hours(1))}})));
  all.push_back(pending.back());
  std::ranges::reverse(all);

  const auto list = [&](const std::string& filter, unsigned limit) {
    std::vector<std::uint64_t> ids;
    std::string cursor;
    do {
      const auto page = task_client::expect(
          c.http().get("/v1/tasks?worker_type=listed" + filter + "&limit=" + std::to_string(limit) + cursor), 200);
      EXPECT_LE(page.at("items").size(), limit);
      std::ranges::copy(ids_of(page.at("items")), std::back_inserter(ids));
      cursor = page.contains("next_cursor") ? "&cursor=" + page.at("next_cursor").get<std::string>() : "";
    } while (!cursor.empty() && ids.size() < 100);
    return ids;
  };
  for (const unsigned limit : {1U, 3U, 100U}) {
    SCOPED_TRACE(limit);
    EXPECT_EQ(list("&status=PENDING", limit), pending);
    EXPECT_EQ(list("&status=running", limit), running);
    EXPECT_EQ(list("&status=COMPLETED", limit), completed);
    EXPECT_EQ(list("&status=FAILED", limit), failed);
    EXPECT_EQ(list("&status=CANCELLED", limit), cancelled);
    EXPECT_EQ(list("", limit), all);
  }
  EXPECT_EQ(c.http().get("/v1/tasks?worker_type=nobody&status=PENDING")().at("items"), json::array());
  for (const auto* target :
       {"/v1/tasks?status=DONE", "/v1/tasks?status=", "/v1/tasks?limit=0", "/v1/tasks?limit=1001", "/v1/tasks?state=x",
        "/v1/tasks?cursor=x", "/v1/tasks?cursor=0.zz", "/v1/tasks?cursor=99.00", "/v1/tasks?cursor=0.",
        "/v1/tasks?cursor=99999999999999999999.00", "/v1/tasks?status=RUNNING&cursor=-1.00"}) {
    const auto answer = c.http().get(target);
    if (std::string_view(target).ends_with("cursor=0.")) {
      EXPECT_EQ(answer.status, 200) << "the beginning";
      continue;
    }
    EXPECT_EQ(answer.status, 400) << target << answer.shown();
  }
}

TEST_F(tasks, come_in_lists_all_or_none) {
  auto& c = node_client_;
  auto list = json::array();
  for (int i = 0; i < 500; ++i)
    list.push_back({{"worker_type", "batched"}, {"worker_payload", {{"i", i}}}, {"unique_key", std::to_string(i / 2)}});
  const auto answer = c.http().post("/v1/tasks", {{"tasks", list}});
  ASSERT_EQ(answer.status, 201) << answer.shown();
  const auto& items = answer().at("items");
  ASSERT_EQ(items.size(), 500U);
  for (std::size_t i = 0; i < items.size(); i += 2) {
    EXPECT_FALSE(items.at(i).at("existed")) << i;
    EXPECT_TRUE(items.at(i + 1).at("existed")) << i;
    EXPECT_EQ(items.at(i).at("id"), items.at(i + 1).at("id"));
  }
  EXPECT_EQ(c.queue("batched").at("pending"), 250);

  list.at(499)["worker_type"] = "off";
  for (int i = 0; i < 499; ++i) list.at(static_cast<std::size_t>(i)).erase("unique_key");
  const auto refused = c.http().post("/v1/tasks", {{"tasks", list}});
  EXPECT_EQ(refused.status, 422) << refused.shown();
  EXPECT_THAT(refused.body, testing::HasSubstr("tasks[499].worker_type"));
  auto large = json::array();
  for (int i = 0; i < 5; ++i)
    large.push_back({{"worker_type", "batched"}, {"worker_payload", {{"x", std::string(60'000, 'x')}}}});
  EXPECT_EQ(c.http().post("/v1/tasks", {{"tasks", large}}).status, 413);
  EXPECT_EQ(c.queue("batched").at("pending"), 250);
}

TEST_F(tasks, are_begun_no_faster_than_their_type_allows) {
  auto& c = node_client_;
  for (int i = 0; i < 10; ++i) {
    c.enqueue("narrow");
    c.enqueue("slow");
  }
  const auto two = c.lease("narrow", {{"count", 100}});
  EXPECT_EQ(two.size(), 2U);
  EXPECT_EQ(c.lease("narrow", {{"count", 100}}), json::array());
  auto worker =
      std::async(std::launch::async, [] { return task_client(*node_).lease_one("narrow", {{"count", 100}}); });
  until_workers_wait("narrow", 1);
  ASSERT_EQ(c.complete(two.at(0)).status, 200);
  EXPECT_NE(worker.get().at("id"), two.at(1).at("id"));
  EXPECT_EQ(c.queue("narrow").at("running"), 2);

  const auto began = std::chrono::steady_clock::now();
  std::size_t leased = 0;
  while (leased < 8) leased += c.lease("slow", {{"count", 100}, {"wait_seconds", 4}}).size();
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1'600)) << "three, then three a second";
}

TEST_F(tasks, are_changed_by_operators_on_record) {
  auto& c = node_client_;
  const auto id = std::to_string(c.enqueue("audited").at("id").get<int>());
  ASSERT_EQ(c.http().post("/v1/tasks/" + id + "/cancel", {{"reason", "a mistake"}}).status, 200);
  ASSERT_EQ(c.http().post("/v1/tasks/" + id + "/retry").status, 200);
  ASSERT_EQ(c.http().post("/v1/tasks/retry", {{"worker_type", "audited"}}).status, 200);
  ASSERT_EQ(c.http().post("/v1/queues/audited/pause", {{"reason", "repairs"}}).status, 200);
  ASSERT_EQ(c.http().post("/v1/queues/audited/resume").status, 200);
  std::vector<std::string> acts;
  const auto trail = c.http().get("/v1/audit?limit=5")();
  for (const auto& one : trail.at("items"))
    acts.push_back(one.at("action").get<std::string>() + " " + one.at("target").get<std::string>() + " " +
                   one.value("reason", ""));
  EXPECT_THAT(acts, ElementsAre("queue.resume audited ", "queue.pause audited repairs", "task.retry_failed audited ",
                                "task.retry " + id + " ", "task.cancel " + id + " a mistake"));
}

TEST(tasks_of_registrants, that_need_a_unique_id_are_not_completed_in_a_list) {
  node_process node(task_world({}, "[tasks.types.id_generation_request_worker]\nworkers = 0\n"));
  node.start();
  task_client c(node);
  ASSERT_EQ(c.http().post("/v1/registrants", {{"kind", "individual"}}).status, 201);
  c.enqueue("example");
  const auto of_registrant = c.lease_one("id_generation_request_worker"), plain = c.lease_one("example");
  const auto item = [](const json& leased) { return json{{"id", leased.at("id")}, {"token", leased.at("token")}}; };
  const auto answer = c.http().post("/v1/tasks/complete", {{"items", {item(of_registrant), item(plain)}}});
  ASSERT_EQ(answer.status, 200) << answer.shown();
  const auto& items = answer().at("items");
  EXPECT_EQ(items.at(0).at("error").at("code"), "invalid_argument");
  EXPECT_THAT(items.at(0).at("error").at("detail").get<std::string>(), testing::HasSubstr("unique_id"));
  EXPECT_EQ(items.at(1).at("task_status"), "COMPLETED") << "it is judged by itself";
  EXPECT_EQ(c.look(of_registrant).at("task_status"), "RUNNING") << "its lease holds";
  EXPECT_EQ(c.complete(of_registrant, {{"unique_id", "5164721753"}}).status, 200);
}

TEST_F(tasks, have_a_queue_that_comes_back_when_it_is_killed) {
  auto& c = node_client_;
  const auto task = c.enqueue("basic");
  const auto leased = c.lease_one("basic");
  const auto ready = c.enqueue("basic");
  ASSERT_EQ(c.http().post(std::string(queue_path) + "/kill", {{"reason", "a test"}}).status, 200);
  const auto renewed = c.act(leased, "heartbeat", {{"token", leased.at("token")}});
  EXPECT_EQ(renewed.status, 200) << renewed.shown();
  EXPECT_EQ(c.complete(leased).status, 200);
  EXPECT_EQ(c.lease_one("basic").at("id"), ready.at("id"));
  EXPECT_EQ(c.look(task).at("task_status"), "COMPLETED");
}

} // namespace matricula::test
