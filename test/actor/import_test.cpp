// Imports into a pool that is at work: while a refill is under way, across restarts and power cuts.
#include "test/actor/door_of_a_stage.hpp"
#include "test/actor/stage.hpp"

#include <algorithm>

namespace matricula::actor_test {
namespace {

using identifiers::import_verdict;

/// A type of some 4,000 identifiers, of which a walk finds about a thousand.
stage_options small_type() {
  stage_options o;
  o.of = identifiers::lifecycle::uin;
  o.length = 5;
  o.limits = {.refill_below = 200, .fill_to = 400};
  return o;
}

class an_import : public ::testing::Test {
protected:
  an_import() {
    s.run();
    (void)s.type().type.space->walk({}, all_);
  }
  [[nodiscard]] std::string nth(std::size_t n) const { return std::string(all_.at(n).id.view()); }
  /// Issues everything that is left.
  std::set<std::string> drain() {
    std::set<std::string> out;
    std::uint32_t count = 64;
    for (int refusals = 0; refusals < 1'000;) {
      const auto some = s.issue({.count = count});
      if (some) {
        for (const auto& id : some->issued.ids) EXPECT_TRUE(out.insert(id).second) << id << " twice";
        continue;
      }
      ++refusals;
      if (some.error().code == errc::exhausted) return out;
      if (some.error().code == errc::invalid_argument)
        count = std::max(count / 4, 1U); // fewer are left
      else
        s.pass(100ms);
    }
    ADD_FAILURE() << "it is never used up";
    return out;
  }
  void expect_never_issued(const std::vector<std::string>& imported, std::size_t issued_before = 0) {
    const auto issued = drain();
    for (const auto& id : imported) EXPECT_FALSE(issued.contains(id)) << id << " was imported and issued";
    EXPECT_EQ(issued.size() + imported.size() + issued_before, all_.size());
    EXPECT_TRUE(s.counters().balanced());
    EXPECT_EQ(s.counters().imported, imported.size());
    EXPECT_EQ(s.counters().used(), all_.size());
  }
  static bool accepted(const result<std::vector<import_verdict>>& answer, std::size_t count) {
    return answer && std::cmp_equal(std::ranges::count(*answer, import_verdict::accepted), count);
  }

  stage s{small_type()};
  std::vector<identifiers::candidate> all_;
};

TEST_F(an_import, is_durable_before_it_is_answered) {
  const auto cell = s.send_import({nth(0)});
  s.run_actors();
  EXPECT_FALSE(cell->ready());
  EXPECT_FALSE(s.place(nth(0))->record);
  s.run();
  ASSERT_TRUE(cell->ready() && cell->value());
  EXPECT_TRUE(s.place(nth(0))->record);
  s.power_cut();
  s.run();
  EXPECT_EQ(s.place(nth(0))->record->state, identifiers::id_state::assigned);
}

TEST_F(an_import, of_what_an_unsettled_import_loads_waits_for_it) {
  const auto first = s.send_import({nth(0)});
  const auto second = s.send_import({nth(0)});
  s.run_actors();
  EXPECT_FALSE(second->ready()) << "its answer rests on a write that may still be lost";
  s.run();
  EXPECT_EQ(second->value()->verdicts, std::vector{import_verdict::duplicate});
}

TEST_F(an_import, of_what_is_in_the_pool_and_of_what_is_not_yet_walked_is_never_issued) {
  std::vector<std::string> imported;
  for (std::size_t i = 0; i < all_.size(); i += 9) imported.push_back(nth(i));
  ASSERT_LT(s.level().held_to, all_.back().counter) << "something is left to walk";
  ASSERT_TRUE(accepted(s.import(imported), imported.size()));
  expect_never_issued(imported);
}

TEST_F(an_import, of_what_a_walker_has_found_already_does_not_reach_the_pool) {
  // The pool is low; a walk is done and lies before the pool while the import overtakes it.
  while (s.level().fresh > 250) ASSERT_TRUE(s.issue({.count = 10}));
  const auto held_to = s.level().held_to;
  const auto issued_before = s.counters().issues_total;
  std::vector<std::string> imported;
  for (const auto& c : all_)
    if (c.counter >= held_to && imported.size() < identifiers::import_rows_max) imported.emplace_back(c.id.view());
  ASSERT_EQ(imported.size(), identifiers::import_rows_max);
  const auto issue = s.send_issue({.count = 100});
  s.run_actors_but({"walker1", "walker2"});
  ASSERT_TRUE(s.step("walker1"));
  const auto cell = s.send_import(imported);
  s.run();
  ASSERT_TRUE(cell->ready() && cell->value());
  EXPECT_TRUE(issue->ready() && issue->value());
  expect_never_issued(imported, issued_before + 100);
}

TEST_F(an_import, before_a_restart_keeps_the_counters_when_the_pool_is_walked_again) {
  const auto in_pool = s.counters();
  ASSERT_TRUE(accepted(s.import({nth(1), nth(5)}), 2));
  EXPECT_EQ(s.counters().fresh, in_pool.fresh - 2);
  EXPECT_EQ(s.counters().filtered, in_pool.filtered + 2);
  s.power_cut();
  s.run();
  EXPECT_EQ(s.counters().fresh, in_pool.fresh - 2);
  EXPECT_EQ(s.level().fresh, in_pool.fresh - 2) << "what is in memory is what is counted";
  ASSERT_TRUE(accepted(s.import({nth(2)}), 1));
  s.kill("pool");
  ASSERT_TRUE(accepted(s.import({nth(3)}), 1)) << "in the interval, but not in the memory of the new one";
  expect_never_issued({nth(1), nth(2), nth(3), nth(5)});
}

TEST_F(an_import, is_answered_by_the_next_incarnation_when_the_pool_is_killed) {
  const auto cell = s.send_import({nth(0), nth(1)});
  s.kill("pool");
  s.run();
  ASSERT_TRUE(cell->ready() && cell->value());
  EXPECT_TRUE(accepted(s.import({nth(0), nth(1), nth(2)}), 1)) << "two are loaded already";
}

TEST_F(an_import, that_is_too_late_does_nothing) {
  auto cell = std::make_shared<runtime::reply_cell<actors::import_answer>>(nullptr);
  actors::import_ids message;
  message.context = {"client", s.monotonic().count()};
  message.rows.resize(1);
  message.rows.front().id = nth(0);
  message.reply = runtime::reply_to<actors::import_answer>(cell);
  caf::anon_send(s.type().pool.address(), std::move(message));
  s.run();
  EXPECT_EQ(refusal(cell), errc::deadline_exceeded);
  EXPECT_EQ(s.counters().imported, 0U);
}

TEST_F(an_import, of_an_identifier_that_was_issued_here_is_a_conflict_and_that_of_a_foreign_one_is_kept_apart) {
  const auto issued = s.issue_one({});
  const auto answer = s.import({issued, "OLD-1"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, (std::vector{import_verdict::conflict, import_verdict::accepted}));
  EXPECT_EQ(s.place(issued)->record->state, identifiers::id_state::issued);
  EXPECT_TRUE(s.place("OLD-1")->record->foreign);
  EXPECT_EQ(s.counters().imported_foreign, 1U);
}

TEST_F(an_import, that_is_given_back_is_issued_again_and_its_key_answered_again) {
  // One that is ISSUED, so that it can be given back.
  actors::import_ids message;
  auto cell = std::make_shared<runtime::reply_cell<actors::import_answer>>(nullptr);
  message.context = {"client", 0};
  identifiers::import_row row;
  row.id = nth(0);
  row.counter = all_.front().counter;
  row.state = identifiers::id_state::issued;
  message.rows = {row};
  message.reply = runtime::reply_to<actors::import_answer>(cell);
  caf::anon_send(s.type().pool.address(), std::move(message));
  s.run();
  ASSERT_TRUE(cell->ready() && cell->value());
  (void)drain();
  auto changed = std::make_shared<runtime::reply_cell<identifiers::id_record>>(nullptr);
  actors::change_id back;
  back.context = {"client", 0};
  back.counter = s.place(nth(0))->counter;
  back.event = static_cast<std::uint8_t>(identifiers::id_event::give_back);
  back.reply = runtime::reply_to<identifiers::id_record>(changed);
  caf::anon_send(s.type().pool.address(), std::move(back));
  s.run();
  ASSERT_TRUE(changed->ready() && changed->value());
  EXPECT_EQ(s.issue_one({.key = "k"}), nth(0));
  const auto again = s.issue({.key = "k"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->issued.ids, std::vector{nth(0)});
  EXPECT_EQ(again->issued.assignments, std::vector{2U});
}

TEST_F(an_import, of_what_was_issued_here_and_given_back_is_never_issued_again) {
  const auto one = s.issue_one({}), two = s.issue_one({});
  ASSERT_TRUE(s.change(one, identifiers::id_event::give_back));
  ASSERT_TRUE(s.change(two, identifiers::id_event::give_back));
  ASSERT_TRUE(accepted(s.import({one}), 1));
  EXPECT_EQ(s.place(one)->record->state, identifiers::id_state::assigned);
  EXPECT_EQ(s.counters().released, 1U);
  s.power_cut();
  s.run();
  const auto again = s.import({one});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->front(), import_verdict::duplicate);
  const auto issued = drain();
  EXPECT_FALSE(issued.contains(one));
  EXPECT_TRUE(issued.contains(two));
  EXPECT_EQ(issued.size() + 1, all_.size());
  EXPECT_EQ(s.verify(), "");
}

/// The longest identifiers and holders there are, none of which has anything in common with another one.
std::vector<identifiers::import_row> rows_of_their_own(std::size_t count, timestamp now) {
  std::vector<identifiers::import_row> rows;
  for (std::size_t i = 0; i < count; ++i) {
    identifiers::import_row row;
    row.id = std::string(identifiers::import_id_bytes_max - 4, 'X') + std::to_string(1'000 + i);
    row.foreign = true;
    row.state = identifiers::id_state::expired;
    row.issued_at = now - std::chrono::hours(2'000 + i);
    row.expires_at = now - std::chrono::hours(1 + i);
    row.holder = std::string(60, 'h') + std::to_string(1'000 + i);
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(an_import_of_vids, that_have_nothing_in_common_keeps_the_room_that_was_taken_for_it) {
  stage s{stage_options{}};
  s.run();
  // About as many as one write holds.
  const auto rows = rows_of_their_own(250, s.now());
  const auto cell = std::make_shared<runtime::reply_cell<actors::import_answer>>(nullptr);
  actors::import_ids message;
  message.context = {"client", 0};
  message.rows = rows;
  message.reply = runtime::reply_to<actors::import_answer>(cell);
  caf::anon_send(s.type().pool.address(), std::move(message));
  s.run();
  ASSERT_TRUE(cell->ready());
  ASSERT_TRUE(cell->value()) << cell->value().error().message;
  EXPECT_EQ(cell->value()->verdicts, std::vector(rows.size(), import_verdict::accepted));
  EXPECT_EQ(s.verify(), "");
}

TEST(an_import_of_vids, that_do_not_fit_into_one_write_is_done_in_several) {
  stage s{stage_options{}};
  s.run();
  const door_of_a_stage door(s);
  const auto batches = s.log_stats().batches.load();
  const auto verdicts = door.import(rows_of_their_own(1'000, s.now()));
  ASSERT_TRUE(verdicts) << verdicts.error().message;
  EXPECT_EQ(*verdicts, std::vector(1'000, import_verdict::accepted));
  EXPECT_GE(s.log_stats().batches, batches + 4);
  EXPECT_EQ(s.counters().imported, 1'000U);
  EXPECT_EQ(s.verify(), "");
}

} // namespace
} // namespace matricula::actor_test
