// OpenG2P's own beat and workers beside the bridge: their statements, at the moments where they do most harm.
#include "test/bridge/bridge_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <utility>

namespace matricula::test {
namespace {

using connectors::postgres::read_doubts;

deed give(std::string_view /*request*/, std::size_t /*n*/) { return deed::give; }

/// What OpenG2P's celery runs, statement by statement.
class celery {
public:
  explicit celery(bridge_world& world) : world_(world) {}

  /// One tick: every PENDING task below three attempts is sent again.
  void beat() {
    world_.sql(
        "UPDATE g2p_que_background_task SET number_of_attempts = number_of_attempts + 1, queued_datetime = now() AT "
        "TIME ZONE 'UTC', last_attempt_datetime = now() AT TIME ZONE 'UTC' WHERE task_status = 'PENDING' AND "
        "number_of_attempts < 3");
  }
  /// The worker's first commit: whatever was there is overwritten.
  void give_identifier(std::int64_t registrant, const std::string& identifier) {
    world_.sql(fmt::format("UPDATE res_partner SET unique_id = '{}' WHERE id = {}", identifier, registrant));
  }
  /// Its second: the task is not looked at before.
  void complete(std::int64_t registrant) {
    world_.sql(fmt::format(
        "UPDATE g2p_que_background_task SET task_status = 'COMPLETED', number_of_attempts = number_of_attempts + 1, "
        "last_attempt_datetime = now() AT TIME ZONE 'UTC', last_attempt_error_code = NULL WHERE worker_type = "
        "'id_generation_request_worker' AND worker_payload->>'registrant_id' = '{0}'; INSERT INTO "
        "g2p_que_background_task (worker_type, worker_payload) VALUES ('id_generation_update_worker', "
        "'{{\"registrant_id\": {0}}}')",
        registrant));
  }
  void fail(std::int64_t registrant) {
    world_.sql(fmt::format(
        "UPDATE g2p_que_background_task SET task_status = 'FAILED', number_of_attempts = number_of_attempts + 1, "
        "last_attempt_error_code = 'NoneType object is not subscriptable' WHERE worker_type = "
        "'id_generation_request_worker' AND worker_payload->>'registrant_id' = '{}'",
        registrant));
  }

private:
  bridge_world& world_;
};

struct beside_celery : testing::Test {
  bridge_world world;
  counting_generator generator{world.files / "calls", give};
  celery other{world};
};

TEST_F(beside_celery, gives_way_to_an_identifier_that_came_during_its_call) {
  const auto registrant = world.add_registrant();
  generator.on_issue = [&] {
    other.give_identifier(registrant, "1000000001");
    other.complete(registrant);
  };
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.identifier_of(registrant), "1000000001");
  EXPECT_EQ(world.changed_identifiers(), 0);
  EXPECT_EQ(world.request_of(registrant).attempts, 1) << "what the other counted stays";
  const auto listed = read_doubts(world.options().database, 0, 10);
  ASSERT_TRUE(listed && listed->size() == 1U);
  EXPECT_EQ(listed->front().identifier, "4000000001") << "consumed, and at nobody";
  EXPECT_EQ(listed->front().reason, "Another worker gave the registrant an identifier first.");
  EXPECT_GE(b.report().did.seen_others, 1U);
  EXPECT_EQ(generator.confirmed(), std::set<std::string>{"1000000001"});
}

TEST_F(beside_celery, finishes_what_a_worker_left_between_its_two_commits) {
  const auto registrant = world.add_registrant();
  other.give_identifier(registrant, "1000000001");
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.identifier_of(registrant), "1000000001");
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.update_of(registrant).status, "COMPLETED");
  EXPECT_EQ(generator.calls(), 0U);
  EXPECT_EQ(generator.confirmed(), std::set<std::string>{"1000000001"});
}

TEST_F(beside_celery, queues_no_second_confirmation_where_a_worker_has_queued_one) {
  const auto registrant = world.add_registrant();
  const auto longer = world.add_registrant() * 10 + 1; // its number begins with that of the first
  other.give_identifier(registrant, "1000000001");
  other.complete(registrant);
  world.add_task("id_generation_request_worker", fmt::format("'{{\"registrant_id\": {}}}'", registrant));
  world.add_task("id_generation_update_worker", fmt::format("'{{\"registrant_id\": {}}}'", longer));
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.number(fmt::format("SELECT count(*) FROM g2p_que_background_task WHERE worker_type = "
                                     "'id_generation_update_worker' AND worker_payload->>'registrant_id' = '{}'",
                                     registrant)),
            1);
}

TEST_F(beside_celery, sees_that_an_identifier_was_replaced_and_confirms_the_new_one) {
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  bool sent_before = true;
  generator.on_confirm = [&] {
    if (!std::exchange(sent_before, false)) return;
    // A message from before runs now.
    other.give_identifier(registrant, "1000000001");
    other.complete(registrant);
  };
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.identifier_of(registrant), "1000000001") << "no more can be done against an overwriting worker";
  EXPECT_EQ(world.changed_identifiers(), 1);
  EXPECT_EQ(b.report().did.overwritten, 1U);
  const auto listed = read_doubts(world.options().database, 0, 10);
  ASSERT_TRUE(listed && listed->size() == 1U);
  EXPECT_EQ(listed->front().identifier, "4000000001");
  EXPECT_EQ(listed->front().reason, "Another worker replaced the identifier after the registrant had it.");
  EXPECT_EQ(generator.confirmed(), (std::set<std::string>{"1000000001", "4000000001"}));
}

TEST_F(beside_celery, gives_the_identifier_and_leaves_the_word_of_a_worker_that_failed_the_task) {
  const auto registrant = world.add_registrant();
  generator.on_issue = [&] { other.fail(registrant); };
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(b, [&] { return world.update_of(registrant).status == "COMPLETED"; }));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
  EXPECT_EQ(world.request_of(registrant).status, "FAILED");
  EXPECT_EQ(world.request_of(registrant).error, "NoneType object is not subscriptable");
  EXPECT_GE(b.report().did.seen_others, 1U);
  EXPECT_EQ(world.doubts(), 0);
}

TEST_F(beside_celery, adds_to_the_attempts_that_the_beat_counts) {
  const auto registrant = world.add_registrant();
  generator.on_issue = [&] { other.beat(); };
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.request_of(registrant).attempts, 2) << "one of the beat, one of the bridge";
}

TEST_F(beside_celery, tells_of_a_beat_that_sends_what_it_has_claimed) {
  const auto registrant = world.add_registrant();
  int calls = 0;
  counting_generator failing(world.files / "failing", [&](std::string_view, std::size_t) {
    if (++calls == 1) other.beat();
    return deed::fail;
  });
  auto& b = world.make_bridge(failing);
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.request_of(registrant).status, "FAILED");
  EXPECT_EQ(failing.calls(), 5U) << "the beat's counting takes no try away";
  EXPECT_EQ(world.request_of(registrant).attempts, 6);
  EXPECT_GE(b.report().did.seen_others, 1U);
}

TEST_F(beside_celery, does_not_touch_a_task_that_was_completed_while_it_had_claimed_it) {
  const auto first = world.add_registrant(), second = world.add_registrant();
  generator.on_issue = [&] {
    if (!world.identifier_of(second).empty()) return;
    other.give_identifier(second, "1000000002");
    other.complete(second);
  };
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.identifier_of(first), "4000000001");
  EXPECT_EQ(world.identifier_of(second), "1000000002");
  EXPECT_EQ(world.request_of(second).attempts, 1);
  EXPECT_EQ(generator.calls(), 1U);
  EXPECT_EQ(world.doubts(), 0);
}

} // namespace
} // namespace matricula::test
