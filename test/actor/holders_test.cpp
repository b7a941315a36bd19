// VIDs by policy through power cuts, kills and races: never more than the policy allows, never a transaction twice, and
// a holder's row that says what the records say.
#include "storage/holders.hpp"
#include "test/actor/stage.hpp"

#include <gmock/gmock.h>

namespace matricula::actor_test {
namespace {

using actors::vid_action;
using identifiers::id_event;
using identifiers::id_state;
using identifiers::restore_action;
using identifiers::vid_state;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr milliseconds cool_off = 10s;

class a_holder : public ::testing::Test {
protected:
  static stage_options with_policies() {
    stage_options o;
    o.cool_off = cool_off;
    o.policies = {{"perpetual", {}, {}, 1, true, restore_action::revoked},
                  {"temporary", 30, 2, 5, false, restore_action::regenerate},
                  {"once", {}, 1, 1, true, restore_action::used},
                  {"three", {}, 3, 1, false, restore_action::regenerate}};
    return o;
  }
  a_holder() : s(with_policies()) {
    s.run();
    EXPECT_GE(s.level().fresh, 60u);
  }
  ~a_holder() override {
    s.run();
    EXPECT_THAT(s.verified(), IsEmpty());
    EXPECT_TRUE(s.counters().balanced());
  }
  std::string make(const std::string& policy, const std::string& key = {}) {
    const auto made = s.vids(vid_action::create, policy, {}, key);
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->of.vids.front().id : std::string{};
  }
  std::vector<vid_state> states() const {
    std::vector<vid_state> out;
    for (const auto& v : s.the_holder().vids) out.push_back(v.state_at(s.now()));
    return out;
  }
  std::size_t active(const char* policy) const { return s.the_holder().active(policy, s.now()); }

  stage s;
};

TEST_F(a_holder, has_a_vid_whose_record_and_row_and_answer_agree) {
  const auto made = s.vids(vid_action::create, "temporary");
  ASSERT_TRUE(made) << made.error().message;
  const auto& vid = made->of.vids.front();
  EXPECT_EQ(made->of.name, "the holder");
  EXPECT_EQ(vid.expires_at, s.now() + 30min);
  EXPECT_EQ(vid.transactions_left, 2u);
  EXPECT_THAT(s.the_holder().vids, ElementsAre(vid));
  const auto record = s.record(vid.id);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, id_state::assigned);
  EXPECT_EQ(record->holder, "the holder");
  EXPECT_EQ(record->expires_at, vid.expires_at);
  EXPECT_TRUE(record->of_policy);
}

TEST_F(a_holder, whose_oldest_vid_makes_room_has_it_cooling_off_in_the_same_batch) {
  const auto first = make("perpetual");
  const auto batches = s.log_stats().batches.load();
  const auto second = make("perpetual");
  EXPECT_EQ(s.log_stats().batches, batches + 1);
  EXPECT_THAT(states(), ElementsAre(vid_state::revoked, vid_state::active));
  EXPECT_EQ(s.record(first)->state, id_state::expired);
  EXPECT_EQ(s.record(second)->state, id_state::assigned);
}

TEST_F(a_holder, of_two_creations_at_once_keeps_one_active) {
  const auto first = s.send_vids(vid_action::create, "perpetual");
  const auto second = s.send_vids(vid_action::create, "perpetual");
  ASSERT_TRUE(s.step("pool"));
  ASSERT_TRUE(s.step("pool"));
  EXPECT_FALSE(first->ready() || second->ready()) << "nothing is durable yet";
  s.run();
  ASSERT_TRUE(first->value() && second->value());
  EXPECT_EQ(active("perpetual"), 1u);
  EXPECT_EQ(second->value()->of.vids.back().id, first->value()->of.vids.front().id) << "it made room for the second";
}

TEST_F(a_holder, gets_no_more_instances_however_many_requests_are_decided_before_one_is_durable) {
  std::vector<stage::vid_cell> cells;
  for (int i = 0; i < 20; ++i) cells.push_back(s.send_vids(vid_action::create, "temporary"));
  s.run_actors();
  s.run();
  const auto met = std::ranges::count_if(cells, [](const auto& c) { return c->value().has_value(); });
  EXPECT_EQ(met, 5);
  EXPECT_EQ(active("temporary"), 5u);
  for (const auto& c : cells) EXPECT_TRUE(c->value() || refusal(c) == errc::conflict);
}

TEST_F(a_holder, spends_no_transaction_twice_however_many_uses_are_decided_before_one_is_durable) {
  const auto id = make("three");
  std::vector<stage::vid_cell> cells;
  for (int i = 0; i < 10; ++i) cells.push_back(s.send_vids(vid_action::use, "", id));
  s.run_actors();
  s.run();
  std::vector<std::uint32_t> left;
  for (const auto& c : cells)
    if (c->value()) left.push_back(*c->value()->of.vids.front().transactions_left);
  EXPECT_THAT(left, ElementsAre(2u, 1u, 0u));
  EXPECT_EQ(refusal(cells.back()), errc::assignment_ended);
  EXPECT_EQ(s.record(id)->state, id_state::expired) << "what is used up ends in the pool too";
}

TEST_F(a_holder, gets_a_fresh_vid_with_the_answer_to_the_last_use) {
  const auto id = make("once");
  const auto used = s.vids(vid_action::use, "", id);
  ASSERT_TRUE(used) << used.error().message;
  ASSERT_EQ(used->of.vids.size(), 2u);
  EXPECT_EQ(used->of.vids[0].state, vid_state::used);
  EXPECT_EQ(used->of.vids[1].state, vid_state::active);
  EXPECT_EQ(s.the_holder().vids, used->of.vids);
}

// -- power cuts, kills ------------------------------------------------------------------------------------------------

TEST_F(a_holder, has_nothing_of_what_was_decided_but_not_durable_when_the_power_failed) {
  const auto id = make("three");
  const auto used = s.send_vids(vid_action::use, "", id, "use");
  const auto made = s.send_vids(vid_action::create, "perpetual", {}, "make");
  ASSERT_TRUE(s.step("pool") && s.step("pool"));
  s.power_cut();
  EXPECT_EQ(refusal(used), errc::outcome_unknown);
  EXPECT_EQ(refusal(made), errc::outcome_unknown);
  s.run();
  ASSERT_EQ(s.the_holder().vids.size(), 1u);
  EXPECT_EQ(s.the_holder().vids.front().transactions_left, 3u);
  EXPECT_FALSE(s.vids(vid_action::use, "", id, "use")->replayed);
  EXPECT_FALSE(s.vids(vid_action::create, "perpetual", {}, "make")->replayed);
  EXPECT_EQ(s.the_holder().vids.front().transactions_left, 2u) << "once";
}

TEST_F(a_holder, has_everything_that_was_answered_when_the_power_fails) {
  const auto id = make("three", "make");
  ASSERT_TRUE(s.vids(vid_action::use, "", id, "use"));
  s.power_cut();
  s.run();
  EXPECT_EQ(s.the_holder().vids.front().transactions_left, 2u);
  const auto again = s.vids(vid_action::use, "", id, "use");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->of.vids.front().transactions_left, 2u);
  EXPECT_TRUE(s.vids(vid_action::create, "three", {}, "make")->replayed);
  EXPECT_EQ(s.the_holder().vids.size(), 1u);
}

TEST_F(a_holder, is_answered_once_it_is_durable_though_the_pool_was_killed_meanwhile) {
  const auto made = s.send_vids(vid_action::create, "perpetual");
  ASSERT_TRUE(s.step("pool"));
  s.kill("pool");
  const auto another = s.send_vids(vid_action::create, "perpetual");
  s.run_actors();
  EXPECT_FALSE(made->ready());
  s.run();
  ASSERT_TRUE(made->ready() && made->value());
  ASSERT_TRUE(another->ready() && another->value());
  EXPECT_EQ(active("perpetual"), 1u) << "the successor knew of the first one";
}

// -- races with other ways to end -------------------------------------------------------------------------------------

TEST_F(a_holder, has_a_use_refused_that_comes_after_a_revocation_on_its_way) {
  const auto id = make("three");
  const auto revoked = s.send_change(id, id_event::revoke, 1);
  const auto used = s.send_vids(vid_action::use, "", id);
  ASSERT_TRUE(s.step("pool") && s.step("pool"));
  EXPECT_FALSE(used->ready()) << "its refusal rests on a write that is not durable";
  s.run();
  EXPECT_TRUE(revoked->value());
  EXPECT_EQ(refusal(used), errc::assignment_ended);
  EXPECT_EQ(s.the_holder().vids.front().transactions_left, 3u);
}

TEST_F(a_holder, has_a_use_counted_that_comes_before_a_revocation) {
  const auto id = make("three");
  const auto used = s.send_vids(vid_action::use, "", id);
  const auto revoked = s.send_change(id, id_event::revoke, 1);
  s.run();
  EXPECT_TRUE(used->value() && revoked->value());
  EXPECT_EQ(s.the_holder().vids.front().transactions_left, 2u);
  EXPECT_THAT(states(), ElementsAre(vid_state::revoked));
}

TEST_F(a_holder, gets_a_fresh_vid_for_one_that_is_revoked_by_its_number_alone) {
  const auto id = make("perpetual");
  const auto revoked = s.change(id, id_event::revoke);
  ASSERT_TRUE(revoked) << revoked.error().message;
  EXPECT_EQ(revoked->id, id);
  EXPECT_EQ(revoked->state, id_state::expired);
  EXPECT_THAT(states(), ElementsAre(vid_state::revoked, vid_state::active));
  EXPECT_TRUE(s.change(id, id_event::revoke, 1)) << "repeating it is no error";
  EXPECT_THAT(states(), ElementsAre(vid_state::revoked, vid_state::active)) << "and changes nothing";
  EXPECT_EQ(refusal(s.change(id, id_event::revoke, 7)), errc::stale_assignment);
}

TEST_F(a_holder, whose_plain_vids_are_none_of_a_policy) {
  const auto plain = s.issue_one({});
  EXPECT_EQ(refusal(s.vids(vid_action::use, "", plain)), errc::not_found);
  ASSERT_TRUE(s.change(plain, id_event::revoke));
  EXPECT_THAT(s.the_holder().vids, IsEmpty());
}

// -- time -------------------------------------------------------------------------------------------------------------

TEST_F(a_holder, has_a_revoked_vid_held_for_its_cool_off_to_the_millisecond) {
  const auto id = make("temporary");
  ASSERT_TRUE(s.vids(vid_action::revoke, "", id));
  s.advance(cool_off - 1ms);
  ASSERT_TRUE(s.expire());
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  EXPECT_THAT(states(), ElementsAre(vid_state::revoked));
  s.advance(1ms);
  ASSERT_TRUE(s.expire());
  EXPECT_EQ(s.record(id)->state, id_state::available);
  EXPECT_THAT(s.the_holder().vids, IsEmpty()) << "it leaves the holder's row with its cool-off";
}

TEST_F(a_holder, has_an_expired_vid_to_the_millisecond_before_the_expirer_and_after_it) {
  const auto id = make("temporary");
  s.advance(30min - 1ms);
  EXPECT_TRUE(s.vids(vid_action::use, "", id));
  s.advance(1ms);
  EXPECT_EQ(refusal(s.vids(vid_action::use, "", id)), errc::assignment_ended);
  EXPECT_THAT(states(), ElementsAre(vid_state::expired));
  EXPECT_EQ(s.record(id)->state, id_state::assigned) << "nobody has come round yet";
  ASSERT_EQ(s.expire()->expired, 1u);
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  EXPECT_EQ(s.the_holder().vids.front().state, vid_state::expired);
}

TEST_F(a_holder, has_its_expired_vids_ended_by_the_next_creation_when_the_expirer_has_not_come_round) {
  const auto id = make("temporary");
  const auto end = s.now() + 30min;
  s.advance(31min);
  (void)make("temporary");
  EXPECT_EQ(s.record(id)->state, id_state::expired);
  EXPECT_EQ(s.record(id)->ended_at, end) << "its cool-off counts from its end";
  ASSERT_TRUE(s.expire());
  EXPECT_THAT(states(), ElementsAre(vid_state::active)) << "that was long ago";
}

TEST_F(a_holder, has_an_expired_vid_renewed_until_its_cool_off_is_over) {
  const auto id = make("temporary");
  s.advance(30min);
  const auto renewed = s.vids(vid_action::regenerate, "", id);
  ASSERT_TRUE(renewed) << renewed.error().message;
  EXPECT_EQ(renewed->of.vids[0].state, vid_state::active);
  EXPECT_EQ(renewed->of.vids[1].state, vid_state::invalidated);
  EXPECT_EQ(renewed->of.vids[1].id, id);
  s.advance(cool_off);
  ASSERT_TRUE(s.expire());
  EXPECT_EQ(refusal(s.vids(vid_action::regenerate, "", id)), errc::not_found);
}

// -- all of a holder --------------------------------------------------------------------------------------------------

TEST_F(a_holder, has_all_vids_deactivated_and_reactivated_and_none_ended_by_it) {
  const auto id = make("three");
  (void)make("perpetual");
  ASSERT_TRUE(s.vids(vid_action::deactivate, ""));
  EXPECT_THAT(states(), ElementsAre(vid_state::deactivated, vid_state::deactivated));
  EXPECT_EQ(refusal(s.vids(vid_action::use, "", id)), errc::conflict);
  EXPECT_EQ(s.record(id)->state, id_state::assigned);
  const auto batches = s.log_stats().batches.load();
  ASSERT_TRUE(s.vids(vid_action::deactivate, ""));
  EXPECT_EQ(s.log_stats().batches, batches) << "nothing to write";
  ASSERT_TRUE(s.vids(vid_action::reactivate, ""));
  EXPECT_THAT(states(), ElementsAre(vid_state::active, vid_state::active));
}

TEST_F(a_holder, that_nobody_knows_has_nothing_to_deactivate) {
  EXPECT_EQ(refusal(s.vids(vid_action::deactivate, "")), errc::not_found);
  EXPECT_EQ(refusal(s.vids(vid_action::create, "no such policy")), errc::invalid_argument);
}

// -- keys -------------------------------------------------------------------------------------------------------------

TEST_F(a_holder, whose_key_still_runs_is_told_so_at_once) {
  const auto first = s.send_vids(vid_action::create, "three", {}, "k");
  ASSERT_TRUE(s.step("pool"));
  const auto second = s.send_vids(vid_action::create, "three", {}, "k");
  const auto other = s.send_vids(vid_action::create, "perpetual", {}, "k");
  s.run_actors();
  EXPECT_EQ(refusal(second), errc::idempotency_running);
  s.run();
  EXPECT_EQ(refusal(other), errc::idempotency_mismatch);
  EXPECT_TRUE(first->value());
  EXPECT_EQ(s.the_holder().vids.size(), 1u);
}

TEST_F(a_holder, whose_vid_has_ended_is_not_given_it_again_by_its_key) {
  const auto id = make("three", "k");
  ASSERT_TRUE(s.vids(vid_action::revoke, "", id));
  EXPECT_EQ(refusal(s.vids(vid_action::create, "three", {}, "k")), errc::assignment_ended);
  EXPECT_EQ(refusal(s.issue({.key = "k"})), errc::idempotency_mismatch) << "nor by another kind of request";
}

TEST_F(a_holder, whose_last_use_is_repeated_spends_nothing_of_the_fresh_one) {
  const auto id = make("once");
  const auto first = s.vids(vid_action::use, "", id, "k");
  ASSERT_TRUE(first);
  const auto again = s.vids(vid_action::use, "", id, "k");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->of, first->of);
  EXPECT_EQ(active("once"), 1u);
}

TEST_F(a_holder, whose_use_left_no_fresh_vid_is_answered_the_same_for_the_whole_retention) {
  const auto id = make("three");
  ASSERT_TRUE(s.vids(vid_action::use, "", id, "k"));
  ASSERT_TRUE(s.vids(vid_action::revoke, "", id));
  s.advance(actors::id_cast_options{}.purge_after - 1ms);
  s.decisions().trust();
  ASSERT_TRUE(s.expire());
  EXPECT_TRUE(s.vids(vid_action::use, "", id, "k")->replayed);
  s.advance(1ms);
  ASSERT_TRUE(s.expire());
  EXPECT_FALSE(s.remembers("k"));
}

TEST_F(a_holder, whose_vid_was_made_under_a_key_has_it_remembered_while_it_lives_and_for_a_while) {
  const auto id = make("three", "k");
  s.advance(actors::id_cast_options{}.purge_after * 2);
  ASSERT_TRUE(s.expire());
  EXPECT_TRUE(s.remembers("k"));
  ASSERT_TRUE(s.vids(vid_action::revoke, "", id));
  s.advance(actors::id_cast_options{}.purge_after);
  ASSERT_TRUE(s.expire());
  EXPECT_FALSE(s.remembers("k"));
}

// -- several issuers --------------------------------------------------------------------------------------------------

class a_holder_of_a_dry_issuer : public ::testing::Test {
protected:
  static stage_options two_issuers() {
    stage_options o;
    o.cool_off = cool_off;
    o.length = 3;
    o.issuers = 2;
    o.limits = {6, 18};
    o.policies = {{"perpetual", {}, {}, 1, true, restore_action::revoked}};
    return o;
  }
  a_holder_of_a_dry_issuer() : s(two_issuers()) {
    s.run();
    const auto made = s.vids(vid_action::create, "perpetual");
    EXPECT_TRUE(made) << made.error().message;
    if (made) vid = made->of.vids.front().id;
    for (;;) {
      const auto level = s.level();
      if (level.fresh + level.released == 0 && level.held_to >= level.end) break;
      EXPECT_TRUE(s.issue({.issuer = 0}));
    }
  }
  void expect_restored() {
    ASSERT_EQ(s.the_holder().vids.size(), 2u) << "another issuer has identifiers";
    EXPECT_EQ(s.the_holder().vids[0].state, vid_state::revoked);
    EXPECT_EQ(s.the_holder().vids[1].state, vid_state::active);
    EXPECT_GT(s.counters(0).borrowed, 0u);
    EXPECT_EQ(s.verify(), "");
  }

  stage s;
  std::string vid;
};

TEST_F(a_holder_of_a_dry_issuer, gets_a_fresh_vid_of_another_one_for_one_that_is_revoked) {
  const auto revoked = s.vids(vid_action::revoke, "", vid);
  ASSERT_TRUE(revoked) << revoked.error().message;
  EXPECT_EQ(revoked->of.vids.size(), 2u);
  expect_restored();
}

TEST_F(a_holder_of_a_dry_issuer, gets_it_for_a_plain_revocation_too) {
  ASSERT_TRUE(s.change(vid, id_event::revoke));
  expect_restored();
}

// -- damage -----------------------------------------------------------------------------------------------------------

TEST_F(a_holder, whose_row_says_other_than_the_records_is_found_by_verify) {
  (void)make("three");
  const auto key = storage::holder_key(s.type().part, "the holder");
  const auto good = *s.row(storage::column::holders, key);
  auto of = s.the_holder();
  of.vids.front().assignment = 2;
  s.overwrite(storage::column::holders, key, encode(of));
  EXPECT_EQ(s.verified().size(), 2u) << "listed and not assigned, assigned and not listed";
  of.vids.clear();
  s.overwrite(storage::column::holders, key, encode(of));
  EXPECT_EQ(s.verified().size(), 1u);
  s.overwrite(storage::column::holders, key, good);
  EXPECT_THAT(s.verified(), IsEmpty());
}

} // namespace
} // namespace matricula::actor_test
