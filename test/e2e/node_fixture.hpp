/// One node for all tests of a suite. Tests that stop or spoil theirs start their own.
#pragma once
#include "test/e2e/api_client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace matricula::test {

/// The shipped types with small pools, VIDs that are free again after a second, and types small enough to be drained.
[[nodiscard]] inline node_options small_world() {
  node_options options;
  options.config = R"(
[identifiers.types.vid]
cool_off_seconds = 1
[identifiers.types.four_digits]
length = 4
profile = "openg2p"
lifecycle = "pool"
[identifiers.types.four_digit_uin]
length = 4
profile = "openg2p"
lifecycle = "uin"
)";
  options.sets = small_pools();
  options.sets.emplace_back("quotas.misses_per_min=0"); // tests ask for a lot that is not there
  return options;
}

/// Stops refills of a type and issues what is in its pool, so that it is being refilled for ever.
inline void run_dry(api_client& client, const std::string& type) {
  const auto checker = "/v1/actors/root/domain/identifiers/" + type + "/checker/stop";
  ASSERT_EQ(client.post(checker, {{"reason", "a test"}}).status, 200);
  ASSERT_TRUE(eventually([&] {
    const auto left = client.get("/v1/ids/" + type)().at("available").get<unsigned>();
    if (left > 0) static_cast<void>(client.post("/v1/ids/" + type, {{"count", std::min(left, 1000U)}}));
    return left == 0;
  }));
}

class node_test : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>(small_world());
    node_->start();
  }
  static void TearDownTestSuite() { node_.reset(); }
  void TearDown() override {
    if (HasFailure() && node_) std::fprintf(stderr, "%s\n", node_->log_tail().c_str());
  }

  static node_process& node() { return *node_; }
  api_client client_ = api_client(*node_);

private:
  static inline std::unique_ptr<node_process> node_;
};

} // namespace matricula::test
