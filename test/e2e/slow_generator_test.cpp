// A real node with a generator of another system that takes a second for each call, and many registrants that wait for
// it: those of other kinds get their IDs as if they were alone.
#include "test/e2e/task_world.hpp"
#include "test/support/fault_generator.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

namespace matricula::test {

using nlohmann::json;

namespace {

class a_slow_generator : public ::testing::Test {
protected:
  void TearDown() override {
    EXPECT_FALSE(node_.logged("unreadable_row"));
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }
  [[nodiscard]] node_options options() const {
    return task_world({"id_generation_request_worker", "id_generation_update_worker"},
                      "[generators.mosip]\nkind = \"mosip\"\nurl = \"" + other_.mosip_url() +
                          "\"\n[registrants.kinds.resident]\ngenerator = \"mosip\"\n");
  }
  static constexpr const char* lane = "id_generation_request_worker.mosip";
  fault_generator other_{{.latency = std::chrono::seconds(1)}};
  node_process node_{options()};
};

} // namespace

TEST_F(a_slow_generator, keeps_nobody_of_another_kind_waiting) {
  using std::chrono::steady_clock;
  node_.start();
  task_client client(node_);
  std::string lines;
  for (int i = 0; i < 1'000; ++i) lines += "{\"kind\":\"resident\"}\n";
  const auto answer = client.http().send(
      {.method = "POST", .target = "/v1/registrants/bulk", .body = lines, .content_type = "application/x-ndjson"});
  ASSERT_EQ(answer.status, 200) << answer.shown();
  ASSERT_TRUE(eventually([&] { return client.queue(lane).at("running") == 8; })) << "two for each of calls_max";
  std::vector<steady_clock::duration> took;
  for (int round = 0; round < 5; ++round) {
    const auto began = steady_clock::now();
    const auto ours = task_client::expect(client.http().post("/v1/registrants", {{"kind", "individual"}}), 201);
    const auto path = "/v1/registrants/" + std::to_string(ours.at("registrant_id").get<std::uint64_t>());
    ASSERT_TRUE(eventually([&] { return client.http().get(path)().at("id_state") == "confirmed"; }));
    took.push_back(steady_clock::now() - began);
  }
  std::ranges::sort(took);
  EXPECT_LT(took[took.size() / 2], std::chrono::seconds(1)) << "most of them";
  const auto theirs = client.queue(lane);
  EXPECT_GT(theirs.at("pending").get<int>(), 900) << "they wait";
  EXPECT_LT(theirs.at("attempts_total").get<int>(), 100) << "and nobody takes them up to give them back";
  // Operators see it in its own words.
  EXPECT_TRUE(theirs.contains("next_due_at") && theirs.contains("next_queued_at"));
  EXPECT_EQ(client.http().post(std::string("/v1/queues/") + lane + "/pause").status, 200);
  EXPECT_TRUE(client.queue(lane).at("paused"));
  EXPECT_FALSE(client.queue("id_generation_request_worker").at("paused"));
  const auto of_type =
      client.http().get("/v1/tasks?status=PENDING&limit=10&worker_type=id_generation_request_worker")();
  ASSERT_EQ(of_type.at("items").size(), 10U);
  EXPECT_EQ(of_type.at("items").at(0).at("worker_type"), "id_generation_request_worker");
  const auto in_lane = client.http().post("/v1/tasks", {{"worker_type", lane}, {"worker_payload", json::object()}});
  EXPECT_EQ(in_lane.status, 422) << in_lane.shown();
}

} // namespace matricula::test
