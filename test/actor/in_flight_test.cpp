// Requests whose actor dies, is replaced or is slower than they may wait: each has one answer and at most one effect.
#include "test/actor/stage.hpp"

namespace matricula::actor_test {
namespace {

using identifiers::id_event;
using identifiers::id_state;
using identifiers::lifecycle;

class a_request : public ::testing::Test {
protected:
  static stage_options cooling_off(lifecycle of) {
    stage_options o;
    o.of = of;
    o.cool_off = 1h;
    return o;
  }
  explicit a_request(lifecycle of = lifecycle::vid) : s(cooling_off(of)) {
    s.run();
    EXPECT_GE(s.level().fresh, 60u);
  }
  /// The identifier of an answer, and an expectation that the store holds exactly this one.
  std::string the_only_identifier(const stage::issue_cell& cell) {
    EXPECT_TRUE(cell->ready());
    if (!cell->ready() || !cell->value()) return {};
    const auto& ids = cell->value()->issued.ids;
    EXPECT_EQ(ids.size(), 1u);
    EXPECT_EQ(s.counters().issues_total, 1u);
    EXPECT_EQ(s.counters().assigned, 1u);
    EXPECT_TRUE(s.counters().balanced());
    const auto record = s.record(ids.front());
    EXPECT_TRUE(record);
    if (record) {
      EXPECT_EQ(record->assignment, 1u);
      EXPECT_EQ(record->state, id_state::assigned);
    }
    return ids.front();
  }
  void expect_nothing_issued() {
    EXPECT_EQ(s.counters().issues_total, 0u);
    EXPECT_EQ(s.counters().assigned, 0u);
    EXPECT_FALSE(s.remembers("k"));
  }
  void expect_answer_again(const std::string& id) {
    const auto again = s.issue({.key = "k"});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE(again->replayed);
    EXPECT_EQ(again->issued.ids, std::vector{id});
    EXPECT_EQ(s.counters().issues_total, 1u);
  }

  stage s;
};

// -- the pool is killed -----------------------------------------------------------------------------------------------

TEST_F(a_request, is_answered_once_it_is_durable_though_its_pool_was_killed_meanwhile) {
  const auto cell = s.send_issue({.key = "k"});
  ASSERT_TRUE(s.step("pool"));
  s.kill("pool");
  s.run_actors();
  EXPECT_FALSE(cell->ready()) << "nothing is durable yet";
  s.run();
  const auto id = the_only_identifier(cell);
  expect_answer_again(id);
}

TEST_F(a_request, that_its_pool_had_not_read_when_it_was_killed_is_answered_by_the_successor) {
  const auto cell = s.send_issue({.key = "k"});
  s.kill("pool");
  s.run();
  const auto id = the_only_identifier(cell);
  expect_answer_again(id);
}

TEST_F(a_request, outlives_pools_that_are_killed_while_they_load) {
  const auto cell = s.send_issue({.key = "k"});
  for (int i = 0; i < 3; ++i) {
    s.kill("pool");
    s.run_actors();
  }
  EXPECT_FALSE(cell->ready());
  s.run();
  const auto id = the_only_identifier(cell);
  expect_answer_again(id);
}

TEST_F(a_request, repeated_while_its_killed_pool_still_writes_gets_the_same_identifier) {
  const auto first = s.send_issue({.key = "k"});
  ASSERT_TRUE(s.step("pool"));
  s.kill("pool");
  const auto second = s.send_issue({.key = "k"});
  s.run_actors();
  EXPECT_FALSE(second->ready()) << "the successor may not answer before it knows how the first one ended";
  s.run();
  const auto id = the_only_identifier(first);
  ASSERT_TRUE(second->ready() && second->value());
  EXPECT_TRUE(second->value()->replayed);
  EXPECT_EQ(second->value()->issued.ids, std::vector{id});
}

TEST_F(a_request, to_a_stopped_pool_is_refused_and_its_key_still_works_when_the_pool_is_back) {
  s.command("pool", runtime::actor_command::stop);
  s.run();
  const auto cell = s.send_issue({.key = "k"});
  s.run();
  EXPECT_EQ(refusal(cell), errc::unavailable);
  expect_nothing_issued();
  s.command("pool", runtime::actor_command::start);
  s.run();
  const auto again = s.send_issue({.key = "k"});
  s.run();
  EXPECT_FALSE(the_only_identifier(again).empty());
  EXPECT_FALSE(again->value()->replayed);
}

TEST_F(a_request, that_was_not_durable_when_the_power_failed_has_an_unknown_outcome_and_is_done_once_when_repeated) {
  const auto cell = s.send_issue({.key = "k"});
  ASSERT_TRUE(s.step("pool"));
  s.power_cut();
  EXPECT_EQ(refusal(cell), errc::outcome_unknown);
  s.run();
  expect_nothing_issued();
  const auto again = s.send_issue({.key = "k"});
  s.run();
  const auto id = the_only_identifier(again);
  expect_answer_again(id);
}

TEST_F(a_request, that_was_answered_before_the_power_failed_is_answered_the_same_afterwards) {
  const auto cell = s.send_issue({.key = "k"});
  s.run();
  const auto id = the_only_identifier(cell);
  s.power_cut();
  s.run();
  expect_answer_again(id);
}

// -- the same key -----------------------------------------------------------------------------------------------------

TEST_F(a_request, with_the_key_of_one_that_still_runs_is_told_so_at_once) {
  const auto first = s.send_issue({.key = "k"});
  ASSERT_TRUE(s.step("pool"));
  const auto second = s.send_issue({.key = "k"});
  const auto other = s.send_issue({.key = "k", .what = "something else"});
  s.run_actors();
  ASSERT_FALSE(first->ready());
  ASSERT_EQ(refusal(second), errc::idempotency_running);
  EXPECT_GT(second->value().error().retry_after, 0ms);
  s.run();
  EXPECT_EQ(refusal(other), errc::idempotency_mismatch);
  const auto id = the_only_identifier(first);
  expect_answer_again(id);
}

TEST_F(a_request, with_the_key_of_another_one_is_refused) {
  const auto id = s.issue_one({.key = "k"});
  EXPECT_EQ(refusal(s.issue({.key = "k", .what = "something else"})), errc::idempotency_mismatch);
  expect_answer_again(id);
}

TEST_F(a_request, repeated_after_its_identifier_was_revoked_is_told_that_the_assignment_ended) {
  const auto id = s.issue_one({.key = "k"});
  ASSERT_TRUE(s.change(id, id_event::revoke));
  EXPECT_EQ(refusal(s.issue({.key = "k"})), errc::assignment_ended);
  EXPECT_EQ(s.counters().issues_total, 1u);
}

TEST_F(a_request, repeated_while_the_revocation_is_on_its_way_is_told_only_when_that_is_durable) {
  const auto id = s.issue_one({.key = "k"});
  const auto revoked = s.send_change(id, id_event::revoke, 1);
  ASSERT_TRUE(s.step("pool"));
  const auto again = s.send_issue({.key = "k"});
  s.run_actors();
  EXPECT_FALSE(revoked->ready());
  EXPECT_FALSE(again->ready());
  s.run();
  EXPECT_TRUE(revoked->value());
  EXPECT_EQ(refusal(again), errc::assignment_ended);
}

struct a_uin_request : a_request {
  a_uin_request() : a_request(lifecycle::uin) {}
};

TEST_F(a_uin_request, repeated_after_its_identifier_was_returned_is_told_that_the_assignment_ended) {
  const auto id = s.issue_one({.key = "k"});
  ASSERT_TRUE(s.change(id, id_event::give_back, 1));
  EXPECT_EQ(refusal(s.issue({.key = "k"})), errc::assignment_ended);
  EXPECT_EQ(s.counters().issues_total, 1u);
}

TEST_F(a_uin_request, repeated_after_its_identifier_was_confirmed_still_gets_it) {
  const auto id = s.issue_one({.key = "k"});
  ASSERT_TRUE(s.change(id, id_event::confirm, 1));
  expect_answer_again(id);
}

// -- deadlines --------------------------------------------------------------------------------------------------------

TEST_F(a_request, whose_deadline_passed_before_its_handler_began_has_no_effect) {
  const auto cell = s.send_issue({.key = "k", .deadline = s.monotonic() + 5ms});
  s.advance(5ms);
  s.run();
  EXPECT_EQ(refusal(cell), errc::deadline_exceeded);
  expect_nothing_issued();
  EXPECT_FALSE(s.issue({.key = "k"})->replayed) << "the key was not used up";
}

TEST_F(a_request, is_carried_out_until_the_last_moment_of_its_deadline) {
  const auto cell = s.send_issue({.key = "k", .deadline = s.monotonic() + 5ms});
  s.advance(4ms);
  s.run();
  EXPECT_FALSE(the_only_identifier(cell).empty());
}

TEST_F(a_request, to_revoke_has_no_effect_after_its_deadline) {
  const auto id = s.issue_one({});
  const auto before = s.record(id);
  const auto cell = s.send_change(id, id_event::revoke, 1, s.monotonic() + 5ms);
  s.advance(5ms);
  s.run();
  EXPECT_EQ(refusal(cell), errc::deadline_exceeded);
  EXPECT_EQ(s.record(id), before);
}

TEST_F(a_request, whose_deadline_passes_while_its_pool_restarts_has_no_effect) {
  const auto cell = s.send_issue({.key = "k", .deadline = s.monotonic() + 5ms});
  s.kill("pool");
  s.advance(5ms);
  s.run();
  EXPECT_EQ(refusal(cell), errc::deadline_exceeded);
  expect_nothing_issued();
}

// -- two incarnations -------------------------------------------------------------------------------------------------

TEST_F(a_request, that_was_decided_by_a_pool_without_the_tenure_is_not_written) {
  const auto granted = s.acquire_tenure_of_pool();
  const auto cell = s.send_issue({.key = "k"});
  ASSERT_TRUE(s.step("pool"));
  EXPECT_FALSE(cell->ready());
  ASSERT_TRUE(s.write_group());
  ASSERT_TRUE(granted->has_value() && (*granted)->has_value());
  EXPECT_EQ(refusal(cell), errc::unavailable);
  EXPECT_EQ(s.log_stats().fenced, 1u);
  expect_nothing_issued();
}

TEST_F(a_request, decided_before_the_tenure_was_taken_away_is_written_before_it_is_granted) {
  const auto cell = s.send_issue({.key = "k"});
  ASSERT_TRUE(s.step("pool"));
  const auto granted = s.acquire_tenure_of_pool();
  EXPECT_FALSE(granted->has_value()) << "the successor must not read before this write has settled";
  ASSERT_TRUE(s.write_group());
  EXPECT_TRUE(granted->has_value());
  EXPECT_FALSE(the_only_identifier(cell).empty());
  EXPECT_EQ(s.log_stats().fenced, 0u);
}

TEST_F(a_request, decided_before_the_tenure_was_taken_away_is_waited_for_even_behind_others) {
  const auto first = s.send_issue({});
  const auto second = s.send_issue({});
  ASSERT_TRUE(s.step("pool"));
  ASSERT_TRUE(s.step("pool"));
  const auto granted = s.acquire_tenure_of_pool();
  ASSERT_TRUE(s.write_group(1));
  EXPECT_TRUE(first->ready());
  EXPECT_FALSE(second->ready());
  EXPECT_FALSE(granted->has_value()) << "half of the predecessor's writes are no state to read";
  ASSERT_TRUE(s.write_group(1));
  EXPECT_TRUE(second->ready() && second->value());
  EXPECT_TRUE(granted->has_value());
}

// A pool that finds out while it leaves a message for its successor must really end, or nobody ever answers.
TEST_F(a_request, that_finds_its_pool_fenced_waits_for_the_successor) {
  (void)s.acquire_tenure_of_pool();
  const auto fenced = s.send_issue({.key = "fenced"});
  s.run();
  ASSERT_EQ(refusal(fenced), errc::unavailable);
  const auto generation = s.look("pool").generation;
  const auto id = s.send_issue({.key = "k"});
  const auto another = s.send_issue({});
  s.pass(1s);
  EXPECT_EQ(s.look("pool").generation, generation + 1);
  EXPECT_EQ(s.look("pool").state, runtime::actor_state::running);
  ASSERT_TRUE(id->ready() && another->ready());
  EXPECT_TRUE(id->value());
  EXPECT_TRUE(another->value());
  EXPECT_EQ(s.counters().issues_total, 2u);
  EXPECT_FALSE(s.remembers("fenced"));
}

TEST_F(a_request, of_any_kind_is_left_to_the_successor_of_a_fenced_pool) {
  const auto id = s.issue_one({.expires_at = s.now() + 1s});
  const auto other = s.issue_one({});
  s.pass(2s);
  (void)s.acquire_tenure_of_pool();
  const auto fenced = s.send_issue({});
  s.run();
  ASSERT_EQ(refusal(fenced), errc::unavailable);
  const auto revoked = s.send_change(other, id_event::revoke, 1);
  const auto expired = s.send_expire();
  s.pass(1s);
  ASSERT_TRUE(revoked->ready() && revoked->value());
  ASSERT_TRUE(expired->ready() && expired->value());
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  EXPECT_EQ(s.record(other)->state, id_state::expired);
  EXPECT_TRUE(s.counters().balanced());
}

} // namespace
} // namespace matricula::actor_test
