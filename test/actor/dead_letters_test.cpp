// Messages that crash their actor: refused when they keep doing it, kept whole, and done again once, even by the next
// process.
#include "runtime/message_codec.hpp"
#include "runtime/message_types.hpp"
#include "test/actor/stage.hpp"

#include <caf/make_message.hpp>
#include <caf/send.hpp>

#include <algorithm>

namespace matricula::actor_test {
namespace {

using actors::apply_due;
using actors::change_id;
using identifiers::due_kind;
using identifiers::id_event;
using identifiers::id_state;

/// An identifier that is due, and whose record nobody can read without crashing: a bug that a later version mends.
class with_a_trap : public ::testing::Test {
protected:
  static stage_options options() {
    stage_options o;
    o.cool_off = 1h;
    return o;
  }
  with_a_trap() {
    s.run();
    id = s.issue_one({.expires_at = s.now() + 1s});
    s.pass(1s);
    s.trap(id);
  }
  /// What the expirer would send for the identifier.
  [[nodiscard]] apply_due due_order(std::uint64_t run) const {
    const auto row = s.due_rows().front();
    const auto at_ms = row.at.time_since_epoch().count();
    return {run, at_ms, at_ms, static_cast<std::uint8_t>(row.kind), identifiers::encode_due_value(row), at_ms};
  }
  void send(const apply_due& order) {
    caf::anon_send(s.type().pool.address(), order);
    s.pass(1s);
  }
  template <class T>
  T content_of(const actors::kept_letter& kept) {
    auto message = runtime::decode_message(s.system(), kept.letter.payload);
    EXPECT_TRUE(message) << message.error().message;
    if (!message || !message->match_elements<T>()) {
      ADD_FAILURE() << "the letter holds another message";
      return {};
    }
    return message->get_as<T>(0);
  }

  stage s{options()};
  std::string id;
};

// -- the message is refused -------------------------------------------------------------------------------------------

using a_message_that_crashes_the_pool = with_a_trap;

TEST_F(a_message_that_crashes_the_pool, is_refused_after_the_third_time_while_others_are_served) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    send(due_order(i));
    EXPECT_EQ(s.look("pool").crashes, i);
  }
  EXPECT_EQ(s.alarms(), std::vector{"poisonous_type " + s.path("pool")});
  send(due_order(4));
  EXPECT_EQ(s.look("pool").crashes, 3u);
  EXPECT_EQ(s.look("pool").poisonous, 1u);
  EXPECT_EQ(s.letters().size(), 3u);
  EXPECT_TRUE(s.issue({})) << "requests are of another type";
}

TEST_F(a_message_that_crashes_the_pool, is_let_in_again_after_a_minute) {
  for (std::uint64_t i = 1; i <= 3; ++i) send(due_order(i));
  s.pass(57s);
  send(due_order(4));
  EXPECT_EQ(s.look("pool").crashes, 3u);
  s.pass(2s);
  send(due_order(5));
  EXPECT_EQ(s.look("pool").crashes, 4u);
}

TEST_F(a_message_that_crashes_the_pool, costs_no_request_that_waits_beside_it) {
  const auto before = s.send_issue({.key = "before"});
  caf::anon_send(s.type().pool.address(), due_order(1));
  const auto behind = s.send_issue({.key = "behind"});
  s.pass(1s);
  EXPECT_EQ(s.look("pool").crashes, 1u);
  ASSERT_TRUE(before->ready() && behind->ready());
  EXPECT_TRUE(before->value());
  EXPECT_TRUE(behind->value());
  EXPECT_EQ(s.counters().issues_total, 3u);
}

TEST_F(a_message_that_crashes_the_pool, is_kept_with_its_whole_content) {
  const auto generation = s.look("pool").generation;
  const auto at = s.now();
  const auto sent = due_order(42);
  send(sent);
  const auto letters = s.letters();
  ASSERT_EQ(letters.size(), 1u);
  const auto& letter = letters.front().letter;
  EXPECT_EQ(letter.actor_path, s.path("pool"));
  EXPECT_EQ(letter.generation, generation);
  EXPECT_EQ(letter.at, at);
  EXPECT_TRUE(letter.replayable);
  EXPECT_FALSE(letters.front().replayed);
  EXPECT_EQ(letter.reason, "a trapped row was read");
  const auto content = content_of<apply_due>(letters.front());
  EXPECT_EQ(content.run, 42u);
  EXPECT_EQ(content.up_to_ms, sent.up_to_ms);
  EXPECT_EQ(content.at_ms, sent.at_ms);
  EXPECT_EQ(content.kind, sent.kind);
  EXPECT_EQ(content.value, sent.value);
  EXPECT_EQ(content.floor_ms, sent.floor_ms);
}

// -- and done again ---------------------------------------------------------------------------------------------------

class a_dead_letter : public with_a_trap {
protected:
  void SetUp() override {
    (void)s.send_expire();
    s.run();
    ASSERT_EQ(s.letters().size(), 1u);
  }
  void expect_expired_once() {
    s.run();
    const auto record = s.record(id);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->state, id_state::expired);
    EXPECT_EQ(record->history.size(), 2u) << "issued, expired";
    EXPECT_EQ(s.counters().cooling, 1u);
    EXPECT_EQ(s.counters().assigned, 0u);
    EXPECT_TRUE(s.counters().balanced());
    const auto due = s.due_rows();
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due.front().kind, due_kind::release);
  }
  [[nodiscard]] std::size_t orders_read() const {
    const auto types = s.recent_types("pool");
    return static_cast<std::size_t>(
        std::ranges::count_if(types, [](const std::string& t) { return t.ends_with("apply_due"); }));
  }
};

TEST_F(a_dead_letter, written_before_the_power_failed_is_replayed_after_it_once) {
  const auto before = s.letters().front();
  s.power_cut();
  s.mend();
  s.run();
  const auto letters = s.letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters.front().id, before.id);
  EXPECT_EQ(letters.front().letter.payload, before.letter.payload);
  EXPECT_EQ(letters.front().letter.reason, before.letter.reason);
  EXPECT_EQ(s.record(id)->state, id_state::assigned) << "nobody runs the expirer here but the letter";

  ASSERT_TRUE(s.replay(before.id));
  expect_expired_once();
  EXPECT_EQ(orders_read(), 1u);
  EXPECT_TRUE(s.letters().front().replayed);

  EXPECT_EQ(refusal(s.replay(before.id)), errc::conflict);
  s.run();
  EXPECT_EQ(orders_read(), 1u) << "it was not sent a second time";
  expect_expired_once();

  s.power_cut();
  s.run();
  EXPECT_TRUE(s.letters().front().replayed);
  EXPECT_EQ(refusal(s.replay(before.id)), errc::conflict) << "the next process knows of it too";
  s.run();
  EXPECT_EQ(orders_read(), 0u);
  expect_expired_once();
}

TEST_F(a_dead_letter, of_the_same_message_as_another_changes_nothing_more) {
  s.pass(6s); // the run's lease lapses, and the same row crashes the pool once more
  const auto letters = s.letters();
  ASSERT_EQ(letters.size(), 2u);
  s.power_cut();
  s.mend();
  for (const auto& letter : letters) ASSERT_TRUE(s.replay(letter.id));
  expect_expired_once();
  EXPECT_EQ(orders_read(), 2u);
}

TEST_F(a_dead_letter, whose_message_still_crashes_the_actor_makes_another_one) {
  const auto first = s.letters().front();
  s.power_cut();
  ASSERT_TRUE(s.replay(first.id));
  s.pass(1s);
  auto letters = s.letters();
  ASSERT_EQ(letters.size(), 2u);
  if (letters[0].id != first.id) std::swap(letters[0], letters[1]); // both are of the same millisecond
  EXPECT_TRUE(letters[0].replayed);
  EXPECT_FALSE(letters[1].replayed);
  EXPECT_EQ(letters[1].letter.payload, first.letter.payload);
  s.mend();
  ASSERT_TRUE(s.replay(letters[1].id));
  expect_expired_once();
}

// Its actor would drop it, and the letter could never be replayed again.
TEST_F(a_dead_letter, is_not_used_up_while_its_actor_refuses_messages_of_its_type) {
  s.pass(11s);
  ASSERT_EQ(s.look("pool").refused_types.size(), 1u);
  const auto letter = s.letters().front();
  EXPECT_EQ(refusal(s.replay(letter.id)), errc::unavailable);
  EXPECT_FALSE(s.letters().front().replayed);

  s.mend();
  s.command("pool", runtime::actor_command::restart); // the operator says that the fault is mended
  s.run();
  EXPECT_TRUE(s.replay(letter.id));
  expect_expired_once();
}

TEST_F(a_dead_letter, is_not_used_up_while_its_actor_is_stopped) {
  const auto letter = s.letters().front();
  s.mend();
  s.command("pool", runtime::actor_command::stop);
  s.run();
  EXPECT_EQ(refusal(s.replay(letter.id)), errc::unavailable);
  EXPECT_FALSE(s.letters().front().replayed);

  s.command("pool", runtime::actor_command::start);
  s.run();
  EXPECT_TRUE(s.replay(letter.id));
  expect_expired_once();
}

// -- which messages ---------------------------------------------------------------------------------------------------

TEST(replayable_messages, are_those_that_do_the_same_when_done_twice_and_no_requests) {
  stage s; // declares them
  const auto replayable = [](const auto& m) { return runtime::facts_of(caf::make_message(m).content()).replayable; };
  EXPECT_TRUE(replayable(actors::apply_due{}));
  EXPECT_TRUE(replayable(actors::run_expirer{}));
  EXPECT_FALSE(replayable(actors::issue_ids{}));
  EXPECT_FALSE(replayable(actors::change_id{}));
  EXPECT_FALSE(replayable(actors::refill{}));
  EXPECT_FALSE(replayable(actors::refill_done{}));
  EXPECT_FALSE(replayable(actors::walk{}));
  EXPECT_FALSE(replayable(actors::walked{}));
  EXPECT_FALSE(replayable(actors::propose{}));
  EXPECT_FALSE(replayable(actors::level_changed{}));
  EXPECT_FALSE(replayable(actors::due_applied{}));
  EXPECT_FALSE(replayable(actors::tick{}));
  EXPECT_FALSE(replayable(actors::lease_check{}));
  EXPECT_FALSE(replayable(actors::tenure_granted{}));
}

using a_request_that_crashes_the_pool = with_a_trap;

TEST_F(a_request_that_crashes_the_pool, is_answered_at_once_and_kept_but_never_replayed) {
  const auto cell = s.send_change(id, id_event::revoke, 1);
  s.run();
  EXPECT_EQ(refusal(cell), errc::unavailable);
  const auto letters = s.letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_FALSE(letters.front().letter.replayable);
  const auto content = content_of<change_id>(letters.front());
  EXPECT_EQ(content.context.principal, "client");
  EXPECT_EQ(content.event, static_cast<std::uint8_t>(id_event::revoke));
  EXPECT_EQ(content.assignment, 1u);

  s.mend();
  s.pass(1s);
  EXPECT_EQ(refusal(s.replay(letters.front().id)), errc::conflict);
  s.run();
  EXPECT_EQ(s.record(id)->state, id_state::assigned);
}

} // namespace
} // namespace matricula::actor_test
