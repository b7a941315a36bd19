// What kills a refill must not kill the pool: no request comes in these tests after the fault, and yet it fills up.
#include "test/actor/stage.hpp"

namespace matricula::actor_test {
namespace {

constexpr milliseconds lease{2'000};
constexpr std::uint64_t fill_to = 5'000;

/// Each walk finds about a thousand identifiers, so that a refill takes several.
class a_refill : public ::testing::Test {
protected:
  static stage_options options() {
    stage_options o;
    o.limits = {.refill_below = 4'000, .fill_to = fill_to};
    o.cast.refill_lease = lease;
    o.cast.restarts_are_told = false;
    return o;
  }
  /// Nearly everything is handed out; the checker has been told and has done nothing yet.
  void fall_low() {
    s.run();
    ASSERT_GE(s.level().fresh, fill_to);
    while (s.level().fresh > 300) {
      const auto count = std::min<std::uint64_t>(900, s.level().fresh - 200);
      const auto cell = s.send_issue({.count = static_cast<std::uint32_t>(count)});
      s.run_actors_but({"checker", "populator"});
      while (s.write_group()) s.run_actors_but({"checker", "populator"});
      ASSERT_TRUE(cell->ready() && cell->value());
    }
    ASSERT_TRUE(s.has_work("checker"));
    issues_ = s.counters().issues_total;
  }
  /// The checker has ordered; the order waits for the populator.
  void order() {
    fall_low();
    ASSERT_TRUE(s.step("checker"));
    ASSERT_TRUE(s.has_work("populator"));
  }
  /// The populator has sent its walkers out; none has walked.
  void begin() {
    order();
    ASSERT_TRUE(s.step("populator"));
    ASSERT_TRUE(s.has_work("walker1"));
    ASSERT_TRUE(s.has_work("walker2"));
  }
  /// The first range that was walked is in the pool.
  void propose_one() {
    begin();
    ASSERT_TRUE(s.step("walker1"));
    const auto before = s.level().fresh;
    ASSERT_TRUE(s.step("populator"));
    ASSERT_TRUE(s.step("pool"));
    ASSERT_GT(s.level().fresh, before);
    ASSERT_LT(s.level().fresh, options().limits.refill_below);
  }
  /// Everything that can go on by itself has, and the pool is as low as before.
  void expect_stuck() {
    s.run();
    EXPECT_LT(s.level().fresh, options().limits.refill_below) << "the fault did no harm, so this test shows nothing";
  }
  void expect_full_after(milliseconds wait) {
    s.pass(wait);
    EXPECT_GE(s.level().fresh, fill_to);
    EXPECT_EQ(s.counters().issues_total, issues_) << "nobody asked for anything";
    EXPECT_TRUE(s.counters().balanced());
    EXPECT_TRUE(s.issue({.count = 900}));
  }

  stage s{options()};
  std::uint64_t issues_ = 0;
};

TEST_F(a_refill, is_carried_out_by_the_successor_of_a_populator_killed_before_it_read_the_order) {
  order();
  s.kill("populator");
  expect_full_after(0ms);
}

TEST_F(a_refill, is_ordered_again_when_the_populator_was_killed_before_anything_was_walked) {
  begin();
  s.kill("populator");
  expect_stuck();
  expect_full_after(lease + 100ms);
}

TEST_F(a_refill, is_ordered_again_when_the_populator_was_killed_in_the_middle_of_its_walk) {
  begin();
  ASSERT_TRUE(s.step("walker2"));
  s.kill("populator");
  expect_stuck();
  expect_full_after(lease + 100ms);
}

TEST_F(a_refill, is_ordered_again_when_the_populator_was_killed_after_it_proposed_and_before_it_was_done) {
  propose_one();
  s.kill("populator");
  expect_stuck();
  expect_full_after(lease + 100ms);
}

TEST_F(a_refill, is_not_ordered_again_before_the_lease_of_its_order_has_lapsed) {
  begin();
  s.kill("populator");
  s.pass(lease - 1ms);
  expect_stuck();
  expect_full_after(2ms);
}

// The lease is renewed by progress. The timer that was set for the first lease must not be the last one.
TEST_F(a_refill, is_ordered_again_when_it_stops_after_progress_has_renewed_the_lease) {
  begin();
  s.advance(1'000ms);
  ASSERT_TRUE(s.step("walker1"));
  ASSERT_TRUE(s.step("populator"));
  ASSERT_TRUE(s.step("pool"));
  ASSERT_TRUE(s.step("checker")) << "the pool told of its progress";
  s.kill("populator");
  s.pass(lease - 1ms);
  expect_stuck();
  expect_full_after(2ms);
}

TEST_F(a_refill, survives_the_death_of_the_checker_while_its_order_is_out) {
  begin();
  s.kill("checker");
  expect_full_after(0ms);
}

TEST_F(a_refill, survives_the_death_of_the_checker_and_of_the_populator_with_its_order) {
  begin();
  s.kill("populator");
  s.kill("checker");
  expect_full_after(0ms);
}

TEST_F(a_refill, survives_the_death_of_the_pool_while_the_order_is_out) {
  begin();
  s.kill("pool");
  s.run_actors();
  EXPECT_GT(s.look("pool").depth, 0) << "what was proposed to the loading pool waits until it has loaded";
  expect_full_after(100ms);
}

TEST_F(a_refill, survives_the_death_of_the_pool_before_it_ever_had_anything) {
  while (!s.has_work("populator") && s.level().end == 0) {
    s.run_actors_but({"populator"});
    (void)s.write_group();
  }
  s.run_actors_but({"populator"});
  ASSERT_TRUE(s.step("populator"));
  s.kill("pool");
  s.run_actors();
  expect_full_after(100ms);
}

TEST_F(a_refill, is_ordered_again_when_a_walker_was_killed_with_its_range) {
  begin();
  s.kill("walker1");
  ASSERT_TRUE(s.step("walker1")) << "the range that it had not read is walked by its successor";
  ASSERT_TRUE(s.step("populator"));
  expect_full_after(lease + 100ms);
}

TEST_F(a_refill, survives_the_death_of_every_actor_of_its_type) {
  begin();
  s.kill("");
  expect_full_after(lease + 100ms);
}

TEST_F(a_refill, survives_the_loss_of_power) {
  propose_one();
  s.power_cut();
  expect_full_after(lease + 100ms);
}

TEST_F(a_refill, survives_a_crash_that_comes_again_and_again) {
  order();
  for (int i = 0; i < 5; ++i) {
    while (!s.has_work("populator")) s.pass(20ms);
    s.run_actors_but({"populator", "walker1", "walker2"});
    while (s.has_work("populator")) (void)s.step("populator");
    s.kill("populator");
  }
  expect_stuck();
  expect_full_after(lease + 100ms);
}

/// As in a node: nobody waits for a lease when it is known that the order was lost.
class a_refill_that_is_known_to_be_lost : public a_refill {
protected:
  a_refill_that_is_known_to_be_lost()
      : told_{[] {
          auto o = options();
          o.cast.restarts_are_told = true;
          return o;
        }()} {}
  stage told_;
};

TEST_F(a_refill_that_is_known_to_be_lost, is_ordered_again_at_once) {
  told_.run();
  while (told_.level().fresh > 300) {
    const auto cell = told_.send_issue({.count = 200});
    told_.run_actors_but({"checker", "populator"});
    while (told_.write_group()) told_.run_actors_but({"checker", "populator"});
    ASSERT_TRUE(cell->ready() && cell->value());
  }
  ASSERT_TRUE(told_.step("checker"));
  ASSERT_TRUE(told_.step("populator"));
  ASSERT_TRUE(told_.has_work("walker1"));
  told_.kill("populator");
  told_.run();
  EXPECT_GE(told_.level().fresh, fill_to) << "without any time passing";
}

// Between its two limits a pool is let be: what is lost of a refill there is made up for at the next fall.
TEST_F(a_refill, cut_short_above_the_lower_limit_goes_on_when_the_pool_falls_below_it_again) {
  begin();
  while (s.level().fresh < options().limits.refill_below) {
    s.run_actors_but({"populator"});
    ASSERT_TRUE(s.step("populator"));
    s.run_actors_but({"populator", "walker1", "walker2"});
  }
  s.kill("populator");
  s.pass(2 * lease);
  const auto left = s.level().fresh;
  if (left < fill_to) {
    ASSERT_GE(left, options().limits.refill_below);
    ASSERT_TRUE(s.issue({.count = static_cast<std::uint32_t>(left - options().limits.refill_below + 1)}));
  }
  EXPECT_GE(s.level().fresh, fill_to);
}

} // namespace
} // namespace matricula::actor_test
