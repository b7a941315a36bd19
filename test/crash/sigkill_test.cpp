// A real node, killed while many clients write to it, and started again: every acknowledged answer still holds, and no
// identifier was handed out twice. (SIGKILL keeps what the kernel has; that it was synced as well is proven elsewhere.)
#include "test/crash/ledger.hpp"
#include "test/crash/writers.hpp"
#include "test/support/node_process.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

namespace matricula::test {

namespace {
std::uint64_t first_seed() {
  if (const char* named = std::getenv("MATRICULA_CRASH_SEED")) return std::strtoull(named, nullptr, 10);
  return std::random_device{}();
}

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < 20; ++i) text += all[i] + "\n";
  return text + std::to_string(all.size()) + " in all";
}

/// Nothing but what a client may be told when the pool is behind or the node goes down.
void expect_only_refills(const writers& clients) {
  for (const auto& [code, count] : clients.refused())
    EXPECT_TRUE(code == "refilling" || code == "overloaded") << code << " " << count << " times";
}

class cycles : public ::testing::TestWithParam<int> {};
} // namespace

TEST_P(cycles, of_kill_and_restart_keep_every_acknowledged_answer) {
  constexpr std::size_t writes_before_kill = 500;
  const auto seed = first_seed() % 1'000'000;
  std::cout << "MATRICULA_CRASH_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  node_process node({.sets = small_pools()});
  ledger told;
  std::size_t unanswered = 0;
  for (int cycle = 0; cycle < 10; ++cycle) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " cycle " + std::to_string(cycle));
    node.start();
    const auto lies = told.check(node.port(), node.token(), 4, 100);
    ASSERT_TRUE(lies.empty()) << lines(lies) << "\n" << node.log_tail();
    const auto target = told.writes() + writes_before_kill + random() % 500;
    writers clients(
        node, told,
        {.threads = static_cast<unsigned>(16 + random() % 49), .seed = seed + static_cast<unsigned>(cycle)});
    const bool reached =
        eventually([&] { return told.writes() >= target || !node.running(); }, std::chrono::seconds(60));
    EXPECT_TRUE(node.running()) << node.log_tail();
    node.kill();
    clients.join();
    ASSERT_TRUE(reached) << "too slow: " << told.writes() << " of " << target << "\n" << node.log_tail();
    EXPECT_GT(clients.unanswered(), 0U) << "the kill came when nobody was writing";
    unanswered += clients.unanswered();
    expect_only_refills(clients);
  }
  node.start();
  const auto lies = told.check(node.port(), node.token(), 4, told.identifiers());
  EXPECT_TRUE(lies.empty()) << lines(lies);
  EXPECT_EQ(node.stop(), 0);
  const auto verified = run_command({matricula_binary(), "verify", "--data", node.data().string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  std::cout << told.writes() << " acknowledged writes, " << told.identifiers() << " identifiers, " << unanswered
            << " requests cut off in 10 kills\n";
}
// Five programs' worth, so that they can run side by side: 50 cycles.
INSTANTIATE_TEST_SUITE_P(ten, cycles, ::testing::Range(0, 5));

TEST(sigkill, amid_200_000_issues_by_64_clients_loses_none_and_doubles_none) {
  constexpr std::size_t issues = 200'000;
  std::vector<std::string> sets = small_pools();
  sets.emplace_back("identifiers.types.uin.pool_min=20000");
  sets.emplace_back("identifiers.types.uin.pool_target=100000");
  node_process node({.sets = sets});
  ledger told;
  node.start();
  {
    writers clients(node, told, {.threads = 64, .issues = issues});
    ASSERT_TRUE(eventually([&] { return told.identifiers() >= issues / 2; }, std::chrono::seconds(120)));
    node.kill();
    clients.join();
    EXPECT_GT(clients.unanswered(), 0U);
    expect_only_refills(clients);
  }
  const auto before = told.identifiers();
  node.start();
  auto lies = told.check(node.port(), node.token(), 8, 0);
  EXPECT_TRUE(lies.empty()) << lines(lies);
  {
    writers clients(node, told, {.threads = 64, .issues = issues - before});
    clients.join();
    EXPECT_EQ(clients.unanswered(), 0U) << node.log_tail();
    expect_only_refills(clients);
  }
  EXPECT_EQ(told.identifiers(), issues);
  lies = told.check(node.port(), node.token(), 8, before);
  EXPECT_TRUE(lies.empty()) << lines(lies);
  std::cout << before << " identifiers before the kill, " << told.identifiers() << " in all\n";
}

} // namespace matricula::test
