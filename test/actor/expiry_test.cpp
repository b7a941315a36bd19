// What ends by itself: to the millisecond, once, and never because a clock or an actor went wrong.
#include "test/actor/stage.hpp"

namespace matricula::actor_test {
namespace {

using actors::expiry_answer;
using identifiers::id_event;
using identifiers::id_state;
using identifiers::reuse_policy;

stage_options with_cool_off(milliseconds cool_off, reuse_policy reuse = reuse_policy::random) {
  stage_options o;
  o.cool_off = cool_off;
  o.reuse = reuse;
  return o;
}

/// Hands out all there are, of a type so short that this is possible.
std::vector<std::string> issue_everything(stage& s, std::optional<timestamp> expires_at) {
  std::vector<std::string> out;
  for (;;) {
    const auto answer = s.issue({.expires_at = expires_at});
    if (!answer) {
      EXPECT_TRUE(answer.error().code == errc::exhausted) << answer.error().message;
      return out;
    }
    out.push_back(answer->issued.ids.front());
  }
}

TEST(an_identifier, expires_at_its_time_and_not_a_millisecond_before) {
  stage s{with_cool_off(700ms)};
  s.run();
  const auto end = s.now() + 10s;
  const auto id = s.issue_one({.expires_at = end});

  s.pass(10s - 1ms);
  ASSERT_EQ(s.now(), end - 1ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 0, 0}));
  EXPECT_EQ(s.record(id)->state, id_state::assigned);

  s.pass(1ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{1, 0, 0}));
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  EXPECT_EQ(s.record(id)->ended_at, end);
  EXPECT_EQ(s.counters().cooling, 1u);
}

TEST(an_identifier, may_end_in_the_moment_of_its_issue_but_not_before) {
  stage s{with_cool_off(700ms)};
  s.run();
  const auto now = s.now();
  const auto before = s.issue({.expires_at = now - 1ms});
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, errc::invalid_argument);
  ASSERT_EQ(s.now(), now);
  const auto id = s.issue_one({.expires_at = now});
  EXPECT_EQ(s.record(id)->expires_at, now);
  EXPECT_EQ(s.expire().value(), (expiry_answer{1, 0, 0}));
  EXPECT_EQ(s.record(id)->state, id_state::expired);
}

TEST(an_identifier, is_released_when_its_cool_off_is_over_and_not_a_millisecond_before) {
  stage s{with_cool_off(700ms)};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 10s});
  s.pass(10s);
  ASSERT_EQ(s.expire().value(), (expiry_answer{1, 0, 0}));

  s.pass(699ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 0, 0}));
  EXPECT_EQ(s.record(id)->state, id_state::expired);

  s.pass(1ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 1, 0}));
  EXPECT_EQ(s.record(id)->state, id_state::available);
  EXPECT_EQ(s.counters().released, 1u);
  EXPECT_TRUE(s.counters().balanced());
}

TEST(an_identifier, cools_off_from_its_end_and_not_from_when_somebody_looked) {
  stage s{with_cool_off(700ms)};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 10s});
  s.pass(11s);
  EXPECT_EQ(s.expire().value(), (expiry_answer{1, 1, 0})) << "both were due";
  EXPECT_EQ(s.record(id)->state, id_state::available);
}

TEST(an_identifier, that_was_revoked_cools_off_from_then_and_does_not_expire_as_well) {
  stage s{with_cool_off(700ms)};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 1s});
  s.pass(500ms);
  ASSERT_TRUE(s.change(id, id_event::revoke, 1));
  s.pass(699ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 0, 0})) << "its expiry, due by now, finds it revoked";
  s.pass(1ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 1, 0}));
}

TEST(an_identifier, that_was_released_is_handed_out_again_under_a_new_assignment) {
  auto options = with_cool_off(700ms);
  options.length = 3;
  stage s{options};
  s.run();
  const auto all = issue_everything(s, std::nullopt);
  ASSERT_GT(all.size(), 10u);
  ASSERT_TRUE(s.change(all[3], id_event::revoke, 1));
  EXPECT_EQ(refusal(s.issue({})), errc::refilling) << "it cools off";
  s.pass(700ms);
  ASSERT_EQ(s.expire().value(), (expiry_answer{0, 1, 0}));

  const auto again = s.issue({});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->issued.ids, std::vector{all[3]});
  EXPECT_EQ(again->issued.assignments, std::vector<std::uint32_t>{2});
  EXPECT_EQ(refusal(s.change(all[3], id_event::revoke, 1)), errc::stale_assignment);
  EXPECT_EQ(refusal(s.issue({})), errc::exhausted);
}

TEST(an_identifier, that_is_never_used_again_is_retired_when_its_cool_off_is_over) {
  auto options = with_cool_off(700ms, reuse_policy::never);
  options.length = 3;
  stage s{options};
  s.run();
  const auto end = s.now() + 1s;
  const auto all = issue_everything(s, end);
  s.pass(1s);
  ASSERT_EQ(s.expire().value(), (expiry_answer{all.size(), 0, 0}));
  s.pass(699ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 0, 0}));
  s.pass(1ms);
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 0, all.size()}));
  EXPECT_EQ(s.record(all.front())->state, id_state::retired);
  EXPECT_EQ(s.counters().retired, all.size());
  EXPECT_EQ(refusal(s.issue({})), errc::exhausted);
}

TEST(an_identifier, expires_on_schedule_without_anybody_asking) {
  auto options = with_cool_off(5s);
  options.expirer_schedule = "*/10 * * * * *";
  stage s{options};
  s.run();
  s.pass(10s - s.now().time_since_epoch() % 10s);
  const auto id = s.issue_one({.expires_at = s.now() + 10s});
  s.pass(10s - 1ms);
  EXPECT_EQ(s.record(id)->state, id_state::assigned);
  s.pass(1ms);
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  s.pass(10s - 1ms);
  EXPECT_EQ(s.record(id)->state, id_state::expired) << "nobody looked since";
  s.pass(1ms);
  EXPECT_EQ(s.record(id)->state, id_state::available);
}

// -- clocks and races -------------------------------------------------------------------------------------------------

// On an idle node nobody asks for the time, so that the run itself is the first to see the jump.
TEST(the_expirer, that_is_the_first_to_see_the_clock_jump_expires_nothing) {
  stage s{with_cool_off(700ms)};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 90min});
  s.pass(100ms);
  s.jump(2h);
  EXPECT_EQ(refusal(s.expire()), errc::unavailable);
  EXPECT_EQ(s.record(id)->state, id_state::assigned);

  s.decisions().trust();
  EXPECT_EQ(s.expire().value().expired, 1u) << "an operator confirmed the time";
}

// The row of an identifier that is on its way into the index may be due before the first row that the expirer finds.
TEST(the_expirer, does_not_pass_over_an_expiry_that_was_not_durable_yet_when_it_ran) {
  stage s{with_cool_off(1h)};
  s.run();
  const auto begin = s.now();
  const auto late = s.issue_one({.expires_at = begin + 100ms});
  s.advance(40ms);
  const auto early = s.send_issue({.expires_at = begin + 50ms});
  ASSERT_TRUE(s.step("pool"));
  s.advance(60ms);
  const auto run = s.send_expire();
  ASSERT_TRUE(s.step("expirer"));
  ASSERT_TRUE(s.step("pool")) << "it takes the floor that the expirer found";
  s.run();
  ASSERT_TRUE(early->ready() && early->value());
  ASSERT_TRUE(run->ready() && run->value());
  ASSERT_EQ(s.record(late)->state, id_state::expired);

  (void)s.expire();
  EXPECT_EQ(s.record(early->value()->issued.ids.front())->state, id_state::expired);
  EXPECT_EQ(s.counters().cooling, 2u);
}

TEST(the_expirer, that_was_killed_has_told_its_caller_and_the_next_run_does_the_rest_once) {
  stage s{with_cool_off(1h)};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 1s});
  s.pass(1s);
  const auto run = s.send_expire();
  ASSERT_TRUE(s.step("expirer"));
  s.kill("expirer");
  s.run();
  EXPECT_EQ(refusal(run), errc::unavailable);
  EXPECT_EQ(s.record(id)->state, id_state::expired) << "the pool had its order";
  EXPECT_EQ(s.expire().value(), (expiry_answer{0, 0, 0}));
  EXPECT_EQ(s.counters().cooling, 1u);
}

TEST(the_expirer, finishes_its_run_once_though_the_pool_was_killed_with_its_orders) {
  stage s{with_cool_off(1h)};
  s.run();
  const auto end = s.now() + 1s;
  for (int i = 0; i < 5; ++i) (void)s.issue_one({.expires_at = end});
  s.pass(1s);
  const auto run = s.send_expire();
  ASSERT_TRUE(s.step("expirer"));
  ASSERT_TRUE(s.step("pool"));
  s.kill("pool");
  s.pass(6s);
  ASSERT_TRUE(run->ready() && run->value());
  EXPECT_EQ(run->value()->expired, 5u);
  EXPECT_EQ(s.counters().cooling, 5u);
  EXPECT_EQ(s.counters().assigned, 0u);
}

TEST(the_expirer, walks_again_when_no_word_of_its_orders_comes_back) {
  stage s{with_cool_off(1h)};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 1s});
  s.pass(1s);
  s.command("pool", runtime::actor_command::stop);
  s.run();
  const auto run = s.send_expire();
  s.run();
  EXPECT_FALSE(run->ready());
  s.command("pool", runtime::actor_command::start);
  s.pass(6s);
  ASSERT_TRUE(run->ready() && run->value());
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  EXPECT_EQ(s.counters().cooling, 1u);
}

TEST(the_expirer, goes_round_an_identifier_whose_record_is_damaged) {
  stage s{with_cool_off(1h)};
  s.run();
  const auto end = s.now() + 1s;
  const auto damaged = s.issue_one({.expires_at = end});
  const auto whole = s.issue_one({.expires_at = end + 1ms});
  s.overwrite(s.type().part.records(), s.record_key(damaged), "damaged");
  s.pass(2s);
  EXPECT_EQ(s.expire().value(), (expiry_answer{1, 0, 0}));
  EXPECT_EQ(s.record(whole)->state, id_state::expired);
  EXPECT_EQ(s.alarms(), std::vector{"unreadable_row " + s.path("pool")});
  EXPECT_EQ(s.due_rows().size(), 2u) << "the damaged one's stays, for an operator";
}

// -- how long an answer is kept ---------------------------------------------------------------------------------------

TEST(a_kept_answer, stays_until_the_last_of_its_identifiers_has_been_gone_for_the_retention) {
  auto options = with_cool_off(1ms);
  options.cast.purge_after = 10s;
  stage s{options};
  s.run();
  const auto answer = s.issue({.count = 2, .key = "k"});
  ASSERT_TRUE(answer);
  ASSERT_TRUE(s.change(answer->issued.ids[0], id_event::revoke, 1));
  s.pass(9s);
  ASSERT_TRUE(s.change(answer->issued.ids[1], id_event::revoke, 1));
  s.pass(1s);
  ASSERT_TRUE(s.expire()) << "the retention of the first one is over";
  EXPECT_TRUE(s.remembers("k"));
  EXPECT_EQ(refusal(s.issue({.count = 2, .key = "k"})), errc::assignment_ended);

  s.pass(9s - 1ms);
  ASSERT_TRUE(s.expire());
  EXPECT_TRUE(s.remembers("k"));
  s.pass(1ms);
  ASSERT_TRUE(s.expire());
  EXPECT_FALSE(s.remembers("k"));
  EXPECT_TRUE(s.due_rows().empty());
}

TEST(a_kept_answer, stays_as_long_as_one_of_its_identifiers_is_in_its_callers_hands) {
  auto options = with_cool_off(1ms);
  options.cast.purge_after = 10s;
  stage s{options};
  s.run();
  const auto answer = s.issue({.count = 2, .key = "k"});
  ASSERT_TRUE(answer);
  ASSERT_TRUE(s.change(answer->issued.ids[0], id_event::revoke, 1));
  s.pass(30s);
  ASSERT_TRUE(s.expire());
  EXPECT_TRUE(s.remembers("k"));
  EXPECT_EQ(refusal(s.issue({.count = 2, .key = "k"})), errc::assignment_ended);
}

} // namespace
} // namespace matricula::actor_test
