#include "connectors/stop_signal.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace matricula::connectors {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

TEST(stop_signal, ends_every_wait_once_it_is_raised) {
  stop_signal stop;
  EXPECT_FALSE(stop.raised());
  EXPECT_FALSE(stop.wait(steady_clock::now())) << "the time is over";
  std::thread other([&] { stop.raise(); });
  EXPECT_TRUE(stop.wait(steady_clock::now() + 1h));
  other.join();
  EXPECT_TRUE(stop.raised());
  EXPECT_TRUE(stop.wait(steady_clock::now() - 1h)) << "it stays raised";
  EXPECT_EQ(wait_for(-1, 0, steady_clock::now() + 1h, stop), waited::stopped);
}

} // namespace
} // namespace matricula::connectors
