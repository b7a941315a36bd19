// A failure that restarts do not mend goes up the tree and ends the process, which a service manager starts again.
#include "storage/store.hpp"
#include "test/support/node_process.hpp"

#include <gtest/gtest.h>

namespace matricula::test {

namespace {

/// Spoils the counters of every pool: no pool can load any more.
void spoil_the_counters(const std::filesystem::path& data) {
  storage::store_options open;
  open.directory = data;
  auto store = storage::store::open(std::move(open)).value();
  std::vector<std::string> keys;
  ASSERT_TRUE(store->latest()->walk(storage::column::pools, "", "\xff", [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  }));
  ASSERT_FALSE(keys.empty());
  for (const auto& key : keys) {
    storage::batch batch(storage::shard_id{static_cast<std::uint8_t>(key.front())});
    batch.put(storage::column::pools, key, "spoiled");
    const storage::batch* const group[] = {&batch};
    ASSERT_TRUE(store->commit(group, store->last_durable_time()));
  }
}

class escalation : public testing::Test {
protected:
  void SetUp() override {
    node_.start();
    ASSERT_EQ(node_.stop(), 0) << node_.log_tail();
    spoil_the_counters(node_.data());
  }
  node_process node_{{.sets = small_pools()}};
};

} // namespace

TEST_F(escalation, of_a_pool_that_can_never_load_ends_the_process_with_the_reason_in_the_log) {
  node_.options().sets.push_back("runtime.restart_intensity=0");
  (void)node_.launch();
  const auto status = node_.wait_for_end(std::chrono::seconds(30));
  ASSERT_TRUE(status.has_value()) << node_.log_tail();
  EXPECT_EQ(*status, 70) << "what a service manager restarts on: " << node_.log_tail();
  EXPECT_TRUE(node_.logged("runtime.fatal")) << node_.log_tail();
  EXPECT_TRUE(node_.logged("node.fatal")) << node_.log_tail();
  EXPECT_NE(node_.log().find("Too many restarts under root"), std::string::npos) << node_.log_tail();
}

TEST(readiness, goes_when_a_pool_that_served_stays_down_and_comes_back_with_it) {
  node_process node{{.sets = small_pools()}};
  node.start();
  auto http = node.client();
  const auto act = [&](const char* action) {
    const auto answer = http.send({.method = "POST",
                                   .target = std::string("/v1/actors/root/domain/identifiers/uin/pool/") + action,
                                   .body = R"({"reason":"test"})"});
    return answer ? answer->status : 0;
  };
  const auto ready = [&] {
    const auto answer = http.send({.target = "/readyz"});
    return answer ? answer->status : 0;
  };
  ASSERT_EQ(act("kill"), 200);
  EXPECT_EQ(ready(), 200) << "a restart is over in a moment";
  ASSERT_EQ(act("stop"), 200);
  EXPECT_TRUE(eventually([&] { return ready() == 503; }));
  ASSERT_EQ(act("start"), 200);
  EXPECT_TRUE(eventually([&] { return ready() == 200; }));
}

TEST_F(escalation, that_has_not_reached_the_top_leaves_a_node_that_says_it_is_not_ready) {
  node_.options().sets.push_back("runtime.restart_intensity=1000");
  ASSERT_TRUE(node_.launch()) << node_.log_tail();
  auto http = node_.client();
  const auto status_of = [&](const char* method, const char* target) {
    const auto answer = http.send({.method = method, .target = target, .headers = {{"X-Request-Timeout-Ms", "500"}}});
    return answer ? answer->status : 0;
  };
  ASSERT_TRUE(eventually([&] { return node_.log().find("the pool's counters") != std::string::npos; }))
      << node_.log_tail();
  EXPECT_EQ(status_of("GET", "/readyz"), 503);
  EXPECT_EQ(status_of("GET", "/healthz"), 200);
  EXPECT_EQ(status_of("POST", "/v1/ids/uin"), 503);
  EXPECT_TRUE(node_.running());
}

} // namespace matricula::test
