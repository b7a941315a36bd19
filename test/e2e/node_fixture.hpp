/// One node for all tests of a suite. Tests that stop or spoil theirs start their own.
#pragma once
#include "test/e2e/api_client.hpp"

#include <gtest/gtest.h>

#include <memory>

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
  return options;
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
