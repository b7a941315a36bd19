// A type with several issuers: each has a class of counters of its own, and one that has none left borrows.
#include "test/actor/door_of_a_stage.hpp"
#include "test/actor/stage.hpp"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace matricula::actor_test {
namespace {

using identifiers::id_event;
using identifiers::id_state;
using identifiers::lifecycle;
using identifiers::pool_counters;

constexpr std::uint32_t issuers = 3;

class issuers_of_a_type : public ::testing::Test {
protected:
  static stage_options of(lifecycle life, std::size_t length = 3) {
    stage_options o;
    o.of = life;
    o.length = length;
    o.issuers = issuers;
    o.limits = {6, 18};
    return o;
  }
  explicit issuers_of_a_type(lifecycle life = lifecycle::pool) : s(of(life)) { s.run(); }

  /// Identifiers of the type, counted one by one.
  [[nodiscard]] std::uint64_t capacity() const {
    std::vector<identifiers::candidate> all;
    (void)s.type().type.space->walk({}, all);
    return all.size();
  }
  [[nodiscard]] pool_counters total() const {
    const std::vector<pool_counters> all{s.counters(0), s.counters(1), s.counters(2)};
    return identifiers::sum(all);
  }
  /// A key that the issuer answers for.
  [[nodiscard]] std::string key_of(std::uint32_t issuer, std::string_view name) const {
    for (int i = 0;; ++i) {
      auto key = fmt::format("{}.{}", name, i);
      auto reference = key;
      reference.resize(16, '.');
      if (storage::issuer_of_key(reference, issuers) == issuer) return key;
    }
  }
  /// Every identifier was handed out to this test once.
  void note(const std::string& id) { EXPECT_TRUE(held.insert(id).second) << id << " was handed out twice"; }
  /// Issues at the issuer until it has nothing of its own left.
  void empty(std::uint32_t issuer) {
    for (;;) {
      const auto level = s.issuer(issuer).level->get();
      if (level.fresh + level.released == 0 && level.held_to >= level.end) return;
      const auto one = s.issue({.issuer = issuer});
      ASSERT_TRUE(one) << one.error().message;
      note(one->issued.ids.front());
    }
  }
  /// Asks until the answer is not that it comes in a moment. At most some seconds of the stage's time.
  result<actors::issue_answer> issue_patiently(const asked& what) {
    for (int i = 0;; ++i) {
      const auto cell = s.send_issue(what);
      for (int wait = 0; wait < 200 && !cell->ready(); ++wait) s.pass(20ms);
      if (!cell->ready()) return fail(errc::internal, "there is no answer");
      if (cell->value() || cell->value().error().code != errc::refilling || i == 20) return cell->value();
      s.pass(500ms);
    }
  }
  /// Takes everything that is left, by keyed and other requests at all issuers, until all say that there is nothing.
  void drain() {
    std::set<std::uint32_t> done;
    for (std::uint32_t n = 0; done.size() < issuers; ++n) {
      const auto issuer = n % issuers;
      asked what{.issuer = issuer};
      if (n % 2 == 0) what.key = key_of(issuer, fmt::format("d{}", n));
      const auto answer = issue_patiently(what);
      if (answer) {
        note(answer->issued.ids.front());
        continue;
      }
      ASSERT_EQ(answer.error().code, errc::exhausted) << answer.error().message;
      done.insert(issuer);
    }
  }
  /// All identifiers are handed out, each once, and the stores agree.
  void expect_drained() {
    EXPECT_EQ(held.size(), capacity());
    EXPECT_EQ(total().available(), 0u);
    EXPECT_EQ(total().in_transit, 0u);
    EXPECT_EQ(total().issued, capacity());
    EXPECT_EQ(s.verify(), "");
  }

  stage s;
  std::set<std::string> held;
};

TEST_F(issuers_of_a_type, hand_out_the_counters_of_their_own_class) {
  for (std::uint32_t issuer = 0; issuer < issuers; ++issuer)
    for (int i = 0; i < 5; ++i) {
      const auto id = s.issue_one({.issuer = issuer});
      EXPECT_EQ(static_cast<std::uint64_t>(*s.type().type.space->counter_of(id)) % issuers, issuer);
      EXPECT_EQ(s.owner_of(id).issuer, issuer);
      note(id);
    }
  EXPECT_EQ(s.counters(1).issued, 5u);
  EXPECT_EQ(s.verify(), "");
}

TEST_F(issuers_of_a_type, have_a_tree_of_their_own_each) {
  for (const auto* who : {"0/pool", "1/checker", "2/expirer", "2/walker1"})
    EXPECT_TRUE(s.registry().find(s.path(who))) << who;
}

TEST_F(issuers_of_a_type, are_drained_to_exactly_the_capacity_of_the_type) {
  drain();
  expect_drained();
}

TEST_F(issuers_of_a_type, lend_to_the_one_that_is_dry_and_must_answer_for_a_key) {
  empty(0);
  const auto key = key_of(0, "k");
  const auto answer = s.issue({.key = key});
  ASSERT_TRUE(answer) << answer.error().message;
  const auto id = answer->issued.ids.front();
  note(id);
  EXPECT_EQ(s.owner_of(id).issuer, 0u);
  const auto counter = static_cast<std::uint64_t>(*s.type().type.space->counter_of(id));
  EXPECT_NE(counter % issuers, 0u);
  EXPECT_GT(s.counters(0).borrowed, 0u);
  EXPECT_TRUE(s.issue({.key = key})->replayed);
  EXPECT_EQ(total().in_transit, 0u) << "the giver heard that it has arrived";
  EXPECT_EQ(s.verify(), "");
  drain();
  expect_drained();
}

TEST_F(issuers_of_a_type, gather_a_batch_that_is_more_than_any_of_them_has) {
  empty(2);
  const auto left = static_cast<std::uint32_t>(capacity() - held.size());
  const auto too_many = issue_patiently({.count = left + 1, .issuer = 2});
  EXPECT_EQ(refusal(too_many), errc::invalid_argument);
  const auto all = issue_patiently({.count = left, .issuer = 2});
  ASSERT_TRUE(all) << all.error().message;
  for (const auto& id : all->issued.ids) note(id);
  EXPECT_EQ(refusal(issue_patiently({.issuer = 1})), errc::exhausted);
  expect_drained();
}

TEST_F(issuers_of_a_type, that_need_each_others_both_come_to_their_end) {
  empty(0);
  const auto left = static_cast<std::uint32_t>(capacity() - held.size());
  const auto first = s.send_issue({.count = left / 2 + 1, .issuer = 1});
  const auto second = s.send_issue({.count = left / 2 + 1, .issuer = 2});
  s.pass(3s);
  ASSERT_TRUE(first->ready());
  ASSERT_TRUE(second->ready());
  ASSERT_TRUE(first->value()) << "the lower one gathers first: " << first->value().error().message;
  EXPECT_FALSE(second->value());
  for (const auto& id : first->value()->issued.ids) note(id);
  drain();
  expect_drained();
}

TEST_F(issuers_of_a_type, whose_giver_does_not_answer_say_that_it_comes_in_a_moment) {
  empty(0);
  s.command("1/pool", runtime::actor_command::stop);
  s.command("2/pool", runtime::actor_command::stop);
  s.run();
  const auto cell = s.send_issue({.key = key_of(0, "k")});
  s.pass(2s);
  EXPECT_EQ(refusal(cell), errc::refilling);
  ASSERT_TRUE(cell->value().error().retry_after);
  s.command("1/pool", runtime::actor_command::start);
  s.command("2/pool", runtime::actor_command::start);
  s.run();
  EXPECT_TRUE(issue_patiently({.key = key_of(0, "k")}));
}

// -- every moment of a grant ------------------------------------------------------------------------------------------

/// Up to the moment before the first borrowing.
class a_grant : public issuers_of_a_type {
protected:
  void begin() {
    empty(0);
    empty(1);
    s.run();
    cell_ = s.send_issue({.key = key_of(0, "borrower")});
  }
  /// The request has one effect, whatever happened to it; the rest is handed out to the last.
  void expect_all_well(int steps) {
    SCOPED_TRACE(fmt::format("after {} steps", steps));
    s.pass(1s);
    const auto answer = issue_patiently({.key = key_of(0, "borrower")});
    ASSERT_TRUE(answer) << answer.error().message;
    if (cell_ && cell_->ready() && cell_->value()) {
      EXPECT_EQ(cell_->value()->issued.ids, answer->issued.ids);
    }
    note(answer->issued.ids.front());
    drain();
    s.pass(2s);
    expect_drained();
  }
  stage::issue_cell cell_;
};

/// What is done to the stage after so many little steps of a borrowing; each world is a new one.
class every_moment_of_a_grant : public a_grant {
protected:
  /// False when the borrowing is over before so many steps.
  bool survives(int steps, const std::function<void(stage&)>& fault) {
    begin();
    for (int i = 0; i < steps; ++i)
      if (!s.little_step()) return false;
    fault(s);
    expect_all_well(steps);
    return true;
  }

public:
  void TestBody() override {}
  static void check(const std::function<void(stage&)>& fault, int steps_at_least) {
    int steps = 0;
    for (; steps < 400; ++steps) {
      every_moment_of_a_grant world;
      if (!world.survives(steps, fault)) break;
      if (::testing::Test::HasFailure()) FAIL() << "after " << steps << " steps";
    }
    EXPECT_GE(steps, steps_at_least) << "a borrowing takes more steps than that";
    EXPECT_LT(steps, 400) << "it comes to an end";
  }
};

TEST(a_loss_of_power, at_any_moment_of_a_grant_loses_and_doubles_nothing) {
  every_moment_of_a_grant::check([](stage& s) { s.power_cut(); }, 6);
}

TEST(the_giver_killed, at_any_moment_of_a_grant_loses_and_doubles_nothing) {
  every_moment_of_a_grant::check([](stage& s) { s.kill("2/pool"); }, 6);
}

TEST(the_taker_killed, at_any_moment_of_a_grant_loses_and_doubles_nothing) {
  every_moment_of_a_grant::check([](stage& s) { s.kill("0/pool"); }, 6);
}

TEST_F(a_grant, that_comes_twice_is_taken_once) {
  begin();
  // All of it but the giver's part: what was sent is sent again as long as nobody tells the giver that it has arrived.
  while (s.has_work("0/pool") && s.step("0/pool")) {
  }
  ASSERT_TRUE(s.has_work("2/pool"));
  while (s.step("2/pool")) {
  }
  while (s.write_group()) {
  }
  s.run_actors_but({"2/pool"});
  while (s.write_group()) {
  }
  s.run_actors_but({"2/pool"});
  ASSERT_TRUE(cell_->ready() && cell_->value());
  const auto before = s.counters(0);
  EXPECT_GT(s.counters(2).in_transit, 0u);
  // The giver dies with the message that it has arrived.
  s.kill("2/pool");
  s.kill("2/pool");
  s.pass(1s);
  EXPECT_EQ(s.counters(0).borrowed, before.borrowed);
  EXPECT_EQ(s.counters(0).handovers, before.handovers);
  EXPECT_EQ(s.counters(2).in_transit, 0u);
  expect_all_well(0);
}

// -- what becomes of a borrowed identifier ----------------------------------------------------------------------------

class a_borrowed_uin : public issuers_of_a_type {
protected:
  a_borrowed_uin() : issuers_of_a_type(lifecycle::uin) {
    empty(0);
    const auto answer = s.issue({.key = key_of(0, "k")});
    EXPECT_TRUE(answer);
    if (answer) id = answer->issued.ids.front();
    home = static_cast<std::uint32_t>(static_cast<std::uint64_t>(*s.type().type.space->counter_of(id)) % issuers);
  }
  std::string id;
  std::uint32_t home = 0;
};

TEST_F(a_borrowed_uin, is_confirmed_by_its_taker) {
  const auto record = s.change(id, id_event::confirm);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->state, id_state::assigned);
  EXPECT_EQ(s.counters(0).assigned, 1u);
  EXPECT_EQ(s.counters(home).assigned, 0u);
}

TEST_F(a_borrowed_uin, that_is_returned_stays_with_its_taker_and_is_handed_out_again) {
  ASSERT_TRUE(s.change(id, id_event::give_back, 1));
  EXPECT_EQ(s.owner_of(id).issuer, 0u);
  EXPECT_EQ(refusal(s.issue({.key = key_of(0, "k")})), errc::assignment_ended);
  bool again = false;
  for (int i = 0; i < 400 && !again; ++i) {
    const auto one = issue_patiently({.issuer = 0});
    if (!one) break;
    again = one->issued.ids.front() == id;
    if (again) {
      EXPECT_EQ(one->issued.assignments.front(), 2u);
    }
  }
  EXPECT_TRUE(again);
  EXPECT_EQ(refusal(s.change(id, id_event::give_back, 1)), errc::stale_assignment);
  EXPECT_EQ(s.verify(), "");
}

TEST_F(a_borrowed_uin, that_is_returned_may_be_borrowed_by_a_third_one_and_come_home) {
  empty(0);
  empty(1);
  empty(2);
  ASSERT_TRUE(s.change(id, id_event::give_back, 1));
  std::uint32_t assignment = 1;
  for (const auto issuer : {1u, 2u, 0u, home, 1u}) {
    SCOPED_TRACE(fmt::format("at issuer {}", issuer));
    const auto one = issue_patiently({.issuer = issuer});
    ASSERT_TRUE(one) << one.error().message;
    ASSERT_EQ(one->issued.ids.front(), id) << "there is no other left";
    EXPECT_EQ(one->issued.assignments.front(), ++assignment);
    s.pass(1s);
    EXPECT_EQ(s.owner_of(id).issuer, issuer);
    EXPECT_EQ(s.verify(), "");
    EXPECT_EQ(refusal(s.change(id, id_event::give_back, assignment - 1)), errc::stale_assignment);
    const auto returned = s.change(id, id_event::give_back, assignment);
    ASSERT_TRUE(returned) << returned.error().message;
    EXPECT_EQ(s.change(id, id_event::give_back, assignment)->state, id_state::available) << "again";
    EXPECT_EQ(s.owner_of(id).record->history.size(), 2u * assignment) << "its whole life went with it";
  }
}

TEST_F(a_borrowed_uin, that_was_never_issued_is_imported_where_it_is_now) {
  note(id);
  std::vector<identifiers::candidate> all;
  (void)s.type().type.space->walk({}, all);
  std::vector<identifiers::import_row> rows;
  const auto add = [&](const std::string& text, std::uint64_t counter) {
    identifiers::import_row row;
    row.id = text;
    row.counter = counter;
    row.state = id_state::assigned;
    rows.push_back(std::move(row));
  };
  for (const auto& c : all) {
    const auto text = std::string(c.id.view());
    const auto owned = s.owner_of(text);
    if (!owned.record && owned.issuer == 0 && c.counter % issuers != 0) add(text, c.counter);
  }
  const auto lent = rows.size();
  ASSERT_GT(lent, 0u) << "a grant brings more than was asked for";
  add(id, static_cast<std::uint64_t>(*s.type().type.space->counter_of(id)));
  const door_of_a_stage door(s, issuers);
  const auto verdicts = door.import(rows);
  ASSERT_TRUE(verdicts) << verdicts.error().message;
  for (std::size_t i = 0; i < lent; ++i) EXPECT_EQ((*verdicts)[i], identifiers::import_verdict::accepted) << rows[i].id;
  EXPECT_EQ(verdicts->back(), identifiers::import_verdict::conflict) << "somebody has it from here";
  EXPECT_EQ(door.import(rows)->front(), identifiers::import_verdict::duplicate);
  EXPECT_EQ(s.owner_of(rows.front().id).record->state, id_state::assigned);
  EXPECT_EQ(s.verify(), "");
  drain();
  for (std::size_t i = 0; i < lent; ++i) EXPECT_FALSE(held.contains(rows[i].id)) << "imported and issued";
  EXPECT_EQ(held.size() + lent, capacity());
}

class a_borrowed_vid : public issuers_of_a_type {
protected:
  a_borrowed_vid() : issuers_of_a_type(lifecycle::vid) {}
};

TEST_F(a_borrowed_vid, is_expired_and_released_by_its_taker) {
  empty(0);
  const auto answer = s.issue({.expires_at = s.now() + 1h, .key = key_of(0, "k")});
  ASSERT_TRUE(answer) << answer.error().message;
  const auto id = answer->issued.ids.front();
  s.advance(2h);
  const auto done = s.expire(); // of issuer 0
  ASSERT_TRUE(done);
  EXPECT_EQ(done->expired, 1u);
  EXPECT_EQ(s.owner_of(id).issuer, 0u);
  EXPECT_EQ(s.verify(), "");
}

TEST_F(a_borrowed_vid, that_never_was_issued_is_unknown_to_whoever_would_change_it) {
  empty(0);
  ASSERT_TRUE(s.issue({.key = key_of(0, "k")}));
  std::vector<identifiers::candidate> all;
  (void)s.type().type.space->walk({}, all);
  bool found = false;
  for (const auto& c : all) {
    const auto id = std::string(c.id.view());
    const auto owned = s.owner_of(id);
    if (owned.record || owned.issuer != 0 || c.counter % issuers == 0) continue;
    found = true;
    EXPECT_EQ(refusal(s.change(id, id_event::revoke)), errc::not_found);
  }
  EXPECT_TRUE(found) << "a grant brings more than was asked for";
}

} // namespace
} // namespace matricula::actor_test
