// What was acknowledged of tasks is true after SIGKILL and a restart, also one with other settings.
#include "test/e2e/task_world.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace matricula::test {

using nlohmann::json;

namespace {
/// What `matricula verify` says of a stopped node.
finished_command verify(const node_process& node) {
  return run_command({matricula_binary(), "verify", "--data", node.data().string(), "--set",
                      "identifiers.key_file=" + node.key_file().string(), "--config", node.config_file().string()});
}

void expect_sound(node_process& node) {
  EXPECT_EQ(node.stop(), 0);
  const auto verified = verify(node);
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  EXPECT_THAT(verified.output, testing::HasSubstr("  tasks\n"));
}
} // namespace

TEST(task_queue, has_everything_that_was_acknowledged_after_it_was_killed) {
  node_process node(task_world({"kept", "held", "dropped"}));
  node.start();
  task_client before(node);
  before.enqueue("held");
  before.enqueue("dropped");
  const auto held = before.lease_one("held", {{"worker", "steady"}, {"lease_seconds", 600}});
  const auto dropped = before.lease_one("dropped", {{"worker", "gone"}, {"lease_seconds", 2}});
  ASSERT_EQ(before.http().post("/v1/queues/kept/pause").status, 200);

  // Clients queue and workers work until the connection breaks.
  std::mutex guard;
  std::set<std::uint64_t> queued;
  std::atomic<bool> killed{false};
  std::vector<std::thread> clients;
  for (int t = 0; t < 8; ++t)
    clients.emplace_back([&, t] {
      http_client client = node.client();
      for (int i = 0; !killed; ++i) {
        const json body = {{"worker_type", "kept"},
                           {"worker_payload", {{"thread", t}, {"i", i}}},
                           {"unique_key", std::to_string(t) + "/" + std::to_string(i)}};
        const auto answer = client.send({.method = "POST", .target = "/v1/tasks", .body = body.dump()});
        if (!answer) return;
        if (answer->status != 201) continue;
        const std::lock_guard hold(guard);
        queued.insert(json::parse(answer->body).at("id").get<std::uint64_t>());
      }
    });
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard hold(guard);
    return queued.size() >= 400;
  }));
  node.kill();
  killed = true;
  for (auto& one : clients) one.join();

  node.start();
  task_client after(node);
  EXPECT_TRUE(after.queue("kept").at("paused")) << "paused is durable, too";
  EXPECT_TRUE(eventually([&] { return after.queue("kept").contains("next_due_at"); })) << "known though nobody asks";
  ASSERT_EQ(after.http().post("/v1/queues/kept/resume").status, 200);
  // A worker whose lease still holds goes on; one that is gone loses its task.
  EXPECT_EQ(after.look(held).at("task_status"), "RUNNING");
  EXPECT_EQ(after.complete(held, {{"result", 1}}).status, 200);
  const auto again = after.lease_one("dropped", {{"worker", "another"}});
  EXPECT_EQ(again.at("id"), dropped.at("id"));
  EXPECT_EQ(again.at("number_of_attempts"), 2);
  EXPECT_GT(again.at("token").get<std::uint64_t>(), dropped.at("token").get<std::uint64_t>());
  EXPECT_EQ(after.complete(dropped).code(), "lease_lost");

  std::set<std::uint64_t> leased;
  for (;;) {
    const auto items = after.lease("kept", {{"count", 100}, {"wait_seconds", 1}});
    if (items.empty()) break;
    for (const auto& one : items) {
      EXPECT_TRUE(leased.insert(one.at("id").get<std::uint64_t>()).second) << one << " twice";
      EXPECT_EQ(after.complete(one).status, 200);
    }
  }
  EXPECT_TRUE(std::ranges::includes(leased, queued)) << leased.size() << " of " << queued.size();
  EXPECT_LE(leased.size(), queued.size() + 8) << "one in flight for each client";
  // What was queued before is found by its key.
  const auto known = after.http().post(
      "/v1/tasks", {{"worker_type", "kept"}, {"worker_payload", json::object()}, {"unique_key", "0/0"}});
  EXPECT_EQ(known.status, 200) << known.shown();
  EXPECT_EQ(known().at("task_status"), "COMPLETED");
  expect_sound(node);
}

TEST(task_queue, stays_sound_when_its_settings_change) {
  node_process node(task_world({"mail", "print"}));
  node.start();
  json ready, removed;
  {
    task_client c(node);
    ready = c.enqueue("mail", {}, {{"priority", 9}});
    c.enqueue("mail", {}, {{"priority", 9}, {"due_at", from_now(std::chrono::milliseconds(300))}});
    removed = c.enqueue("print");
    c.enqueue("print");
    (void)c.lease_one("print", {{"lease_seconds", 1}});
  }
  EXPECT_EQ(node.stop(), 0);
  node.write_config("[tasks]\nageing_seconds = 3600\n[tasks.types.mail]\n");
  node.start();
  task_client c(node);
  // It stands where it stood, or cancelling would leave its place in the index.
  EXPECT_EQ(c.act(ready, "cancel").status, 200);
  EXPECT_EQ(c.lease_one("mail").at("priority"), 9);
  // The tasks of a type that is gone stay, and can be cancelled.
  EXPECT_FALSE(c.queue("print").at("configured"));
  EXPECT_EQ(c.http().post("/v1/queues/print/lease", {{"worker", "w"}}).status, 404);
  EXPECT_TRUE(eventually([&] { return c.queue("print").at("running") == 0; })) << "its worker is forgotten";
  EXPECT_EQ(c.queue("print").at("pending"), 2);
  EXPECT_EQ(c.act(removed, "cancel").status, 200);
  EXPECT_FALSE(node.logged("unreadable_row")) << node.log_tail();
  expect_sound(node);
  const auto rows = run_command({matricula_binary(), "inspect-store", "task_index", "--data", node.data().string(),
                                 "--set", "identifiers.key_file=" + node.key_file().string()});
  EXPECT_EQ(rows.status, 0) << rows.errors;
  EXPECT_THAT(rows.output, testing::HasSubstr("\"worker_type\":\"print\""));
}

TEST(task_queue, forgets_what_has_ended_but_not_its_unique_key) {
  node_process node(task_world({"brief"}, "[tasks]\ncompleted_retention_hours = 0\n"));
  node.start();
  task_client c(node);
  const auto done = c.enqueue("brief", {}, {{"unique_key", "only once"}});
  const auto failed = c.enqueue("brief");
  ASSERT_EQ(c.complete(c.lease_one("brief")).status, 200);
  ASSERT_EQ(c.fail(c.lease_one("brief"), {{"kind", "permanent"}}).status, 200);
  EXPECT_TRUE(
      eventually([&] { return c.http().get(task_client::path(done)).status == 404; }, std::chrono::seconds(30)));
  EXPECT_EQ(c.queue("brief").at("purged_total"), 1);
  EXPECT_EQ(c.queue("brief").at("completed"), 0);
  EXPECT_EQ(c.look(failed).at("task_status"), "FAILED") << "that is kept longer";
  const auto again = c.http().post(
      "/v1/tasks", {{"worker_type", "brief"}, {"worker_payload", json::object()}, {"unique_key", "only once"}});
  EXPECT_EQ(again.status, 200) << again.shown();
  EXPECT_EQ(again().at("purged"), true);
  EXPECT_EQ(again().at("id"), done.at("id"));
  EXPECT_EQ(c.lease("brief"), json::array());
  expect_sound(node);
}

} // namespace matricula::test
