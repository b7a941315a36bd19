/// The whole node below the HTTP front under thousands of seeds, and proof that the harness finds what is wrong.
/// MATRICULA_SIM_SEEDS: how many seeds; MATRICULA_SIM_SEED and MATRICULA_SIM_BUG: replay one, with the node's own log.
#include "test/sim/worker.hpp"

#include <climits>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unistd.h>

namespace matricula::sim {
namespace {

constexpr std::uint64_t seeds_default = 2'000;
constexpr std::uint64_t seeds_for_a_bug = 100;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string self() {
  char path[PATH_MAX];
  const auto n = ::readlink("/proc/self/exe", path, sizeof(path));
  return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string{};
}

/// The line with the hash that another process prints for a seed.
std::string hash_in_another_process(std::uint64_t seed) {
  const auto command =
      fmt::format("MATRICULA_SIM_SEED={} '{}' --gtest_filter=sim.replays_a_seed 2>/dev/null", seed, self());
  const std::unique_ptr<FILE, int (*)(FILE*)> out(::popen(command.c_str(), "r"), ::pclose);
  std::string found;
  char line[512];
  while (out && std::fgets(line, sizeof(line), out.get()))
    if (std::string_view(line).starts_with("trace_hash ")) found = line;
  return found;
}

void expect_found(planted_bug bug) {
  const auto report = run_seeds(1, seeds_for_a_bug, bug, true);
  EXPECT_GT(report.violating_seeds, 0U) << to_string(bug) << " was not found";
  fmt::print("{}: first found by seed {}\n", to_string(bug), report.first_violating_seed);
  for (const auto& v : report.violations) fmt::print("  {}\n", v);
}

TEST(sim, replays_a_seed) {
  const auto seed = number_from("MATRICULA_SIM_SEED", 1);
  const char* name = std::getenv("MATRICULA_SIM_BUG");
  const auto bug = parse_planted_bug(name ? name : "none");
  ASSERT_TRUE(bug) << "MATRICULA_SIM_BUG names no planted bug: " << name;
  const auto report = run_seed(seed, *bug, true);
  for (std::size_t i = 0; i < counters; ++i)
    fmt::print("{} {}\n", to_string(static_cast<counter>(i)), report.counts[i]);
  fmt::print("trace_hash {:016x}\n", report.trace_hash);
  for (const auto& v : report.violations) fmt::print("violation: {}\n", v);
  EXPECT_TRUE(report.violations.empty());
}

TEST(sim, gives_the_same_trace_for_the_same_seed_in_two_processes) {
  std::string all;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto once = hash_in_another_process(seed);
    ASSERT_TRUE(once.starts_with("trace_hash ")) << "seed " << seed << " printed no hash";
    EXPECT_EQ(once, hash_in_another_process(seed)) << "seed " << seed;
    EXPECT_EQ(all.find(once), std::string::npos) << "another seed has the same trace";
    all += once;
  }
}

TEST(sim, finds_nothing_wrong_with_the_node) {
  const auto seeds = number_from("MATRICULA_SIM_SEEDS", seeds_default);
  const auto report = run_seeds(1, seeds, planted_bug::none, false);
  fmt::print("{}", report.to_text());
  EXPECT_EQ(report.violating_seeds, 0U) << report.to_text();
  EXPECT_EQ(report[counter::seeds], seeds);
  EXPECT_GE(report[counter::steps], seeds * steps_min);
  EXPECT_GE(report[counter::power_cuts], seeds * power_cuts_min);
}

TEST(sim, finds_a_planted_bug_no_tenure_before_reload) { expect_found(planted_bug::no_tenure); }
TEST(sim, finds_a_planted_bug_no_sync) { expect_found(planted_bug::no_sync); }
TEST(sim, finds_a_planted_bug_idempotency_row_in_a_batch_of_its_own) { expect_found(planted_bug::idempotency_apart); }
TEST(sim, finds_a_planted_bug_reply_before_write) { expect_found(planted_bug::reply_before_write); }
TEST(sim, finds_a_planted_bug_missing_index_key) { expect_found(planted_bug::missing_index_key); }
TEST(sim, finds_a_planted_bug_expiry_off_by_one) { expect_found(planted_bug::expiry_off_by_one); }
TEST(sim, finds_a_planted_bug_lost_refill_order) { expect_found(planted_bug::lost_refill_order); }

} // namespace
} // namespace matricula::sim
