/// The whole node below the HTTP front under thousands of seeds, and proof that the harness finds what is wrong.
/// MATRICULA_SIM_SEEDS: how many seeds; MATRICULA_SIM_SEED and MATRICULA_SIM_BUG: replay one, with the node's own log.
#include "test/sim/worker.hpp"

#include <climits>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
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

/// The bug shows within so many seeds, and as what people would suffer from: no other finding counts.
void expect_found(planted_bug bug, symptom as) {
  const auto report = run_seeds(1, seeds_for_a_bug, bug, as);
  EXPECT_GT(report.first_seed_with_symptom, 0U)
      << to_string(bug) << " did not show as " << to_string(as) << "; what was found:\n"
      << report.to_text();
  fmt::print("{} shows as {}: {}\n", to_string(bug), to_string(as), report.symptom_text);
  if (report.crashes > 0) fmt::print("  before that {} seeds ended their process\n", report.crashes);
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
  const auto report = run_seeds(1, seeds, planted_bug::none);
  fmt::print("{}", report.to_text());
  EXPECT_EQ(report.violating_seeds, 0U) << report.to_text();
  EXPECT_EQ(report[counter::seeds], seeds);
  EXPECT_GE(report[counter::steps], seeds * steps_min);
  EXPECT_GE(report[counter::power_cuts], seeds * power_cuts_min);
  if (seeds < seeds_for_a_bug) return;
  // Nothing is proven by faults that no longer happen, or by clients that get no answers.
  for (std::size_t i = 0; i < counters; ++i) {
    const auto what = static_cast<counter>(i);
    if (what == counter::violations) continue;
    EXPECT_GE(report[what] * 20, seeds) << to_string(what);
  }
  EXPECT_GE(report[counter::acknowledged] * 10, report[counter::requests] * 4);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(report.seconds, 600.0 * static_cast<double>(std::max(seeds, seeds_default)) / seeds_default);
#endif
}

TEST(sim, finds_a_planted_bug_no_tenure_before_reload_as_an_identifier_issued_twice) {
  expect_found(planted_bug::no_tenure, symptom::handed_out_twice);
}
TEST(sim, finds_a_planted_bug_no_sync_as_a_start_that_the_mark_of_the_log_refuses) {
  expect_found(planted_bug::no_sync, symptom::start_refused);
}
TEST(sim, finds_a_planted_bug_no_sync_as_acknowledged_answers_lost_once_an_operator_accepts_that) {
  expect_found(planted_bug::no_sync, symptom::acknowledged_lost);
}
TEST(sim, finds_a_planted_bug_idempotency_row_in_a_batch_of_its_own_as_another_answer_for_the_same_key) {
  expect_found(planted_bug::idempotency_apart, symptom::key_answered_twice);
}
TEST(sim, finds_a_planted_bug_idempotency_row_in_a_batch_of_its_own_as_a_forgotten_key) {
  expect_found(planted_bug::idempotency_apart, symptom::key_forgotten);
}
TEST(sim, finds_a_planted_bug_reply_before_write_as_an_acknowledged_answer_missing_from_the_store) {
  expect_found(planted_bug::reply_before_write, symptom::acknowledged_lost);
}
TEST(sim, finds_a_planted_bug_missing_index_key_as_what_the_verifier_says) {
  expect_found(planted_bug::missing_index_key, symptom::verifier_missed_index);
}
TEST(sim, finds_a_planted_bug_missing_index_key_as_an_expiry_that_never_happens) {
  expect_found(planted_bug::missing_index_key, symptom::never_expired);
}
TEST(sim, finds_a_planted_bug_expiry_off_by_one_as_an_identifier_that_expires_early) {
  expect_found(planted_bug::expiry_off_by_one, symptom::expired_early);
}
TEST(sim, finds_a_planted_bug_lost_refill_order_as_a_pool_that_stays_dead) {
  expect_found(planted_bug::lost_refill_order, symptom::pool_dead);
}
TEST(sim, finds_a_planted_bug_early_purge_as_a_key_forgotten_before_its_retention_is_over) {
  expect_found(planted_bug::early_purge, symptom::key_forgotten);
}
TEST(sim, finds_a_planted_bug_time_that_goes_back_at_a_restart) {
  expect_found(planted_bug::time_goes_back, symptom::time_went_back);
}
TEST(sim, finds_a_planted_bug_clock_that_is_always_trusted_as_expiry_after_a_jump) {
  expect_found(planted_bug::trusting_clock, symptom::expired_while_suspect);
}
TEST(sim, finds_a_planted_bug_dead_letter_that_is_not_written) {
  expect_found(planted_bug::unkept_letter, symptom::letter_lost);
}
TEST(sim, finds_a_planted_bug_replay_that_is_not_written_down_as_a_message_sent_twice) {
  expect_found(planted_bug::unmarked_replay, symptom::letter_replayed_again);
}
TEST(sim, finds_a_planted_bug_schedule_that_forgets_as_a_run_made_twice) {
  expect_found(planted_bug::forgotten_run, symptom::run_repeated);
}
TEST(sim, finds_a_planted_bug_restore_that_nobody_settled_as_an_identifier_issued_again) {
  expect_found(planted_bug::unsettled_restore, symptom::issued_again_after_restore);
}
TEST(sim, finds_a_planted_bug_restore_that_nobody_settled_as_a_number_of_a_task_given_again) {
  expect_found(planted_bug::unsettled_restore, symptom::number_given_again);
}
TEST(sim, finds_a_planted_bug_policy_count_that_is_not_atomic_as_more_than_the_policy_allows) {
  expect_found(planted_bug::count_apart, symptom::policy_exceeded);
}
TEST(sim, finds_a_planted_bug_taker_that_forgets_its_grants_as_one_taken_twice) {
  expect_found(planted_bug::forgotten_grant, symptom::granted_twice);
}

TEST(sim, finds_a_planted_bug_reply_before_the_write_as_a_task_that_is_lost) {
  expect_found(planted_bug::reply_before_write, symptom::task_lost);
}
TEST(sim, finds_a_planted_bug_end_of_a_task_without_a_token_as_one_that_its_worker_did_not_reach) {
  expect_found(planted_bug::unfenced_end, symptom::ended_without_lease);
}
TEST(sim, finds_a_planted_bug_try_that_a_restart_counts_again_as_tries_that_never_were) {
  expect_found(planted_bug::tries_twice, symptom::tries_miscounted);
}
TEST(sim, finds_a_planted_bug_unique_key_behind_its_task_as_two_tasks_with_one_key) {
  expect_found(planted_bug::task_key_apart, symptom::key_doubled);
}
TEST(sim, finds_a_planted_bug_lapse_without_a_trace_as_a_try_that_nobody_counts) {
  expect_found(planted_bug::untold_lapse, symptom::tries_miscounted);
}
TEST(sim, finds_a_planted_bug_two_queues_without_tenure_as_a_task_leased_twice) {
  expect_found(planted_bug::no_tenure, symptom::leased_twice);
}
TEST(sim, finds_a_planted_bug_lease_that_is_not_written_as_a_task_that_two_workers_have) {
  expect_found(planted_bug::unwritten_lease, symptom::leased_twice);
}

TEST(sim, finds_a_planted_bug_call_that_is_not_written_down_as_an_identifier_that_nobody_has) {
  expect_found(planted_bug::unwritten_call, symptom::call_lost);
}
TEST(sim, finds_a_planted_bug_id_behind_the_end_of_its_task_as_a_registrant_without_one) {
  expect_found(planted_bug::id_apart, symptom::registrant_forgotten);
}

TEST(sim, finds_a_planted_bug_import_that_is_not_skipped_as_an_imported_identifier_that_is_issued) {
  expect_found(planted_bug::unskipped_import, symptom::import_issued);
}

} // namespace
} // namespace matricula::sim
