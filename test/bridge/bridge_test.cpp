// The bridge alone with OpenG2P's tables: what becomes of a task, and of its columns.
#include "test/bridge/bridge_world.hpp"
#include "test/support/node_process.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

namespace matricula::test {
namespace {

using connectors::postgres::bridge_thread;
using connectors::postgres::read_doubts;
using testing::HasSubstr;

counting_generator::plan always(deed what) {
  return [what](std::string_view, std::size_t) { return what; };
}

class every_generation : public testing::TestWithParam<generation> {};
INSTANTIATE_TEST_SUITE_P(table, every_generation, testing::ValuesIn(all_generations()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(every_generation, gives_each_registrant_one_identifier_and_confirms_it) {
  bridge_world world(GetParam());
  counting_generator generator(world.files / "calls", always(deed::give));
  std::vector<std::int64_t> registrants;
  for (int i = 0; i < 40; ++i) registrants.push_back(world.add_registrant());
  auto& b = world.make_bridge(generator);
  // In the older table the second step begins as PENDING only when the first is done.
  ASSERT_TRUE(world.run_until(b, [&] { return generator.confirmed().size() == 40 && world.pending() == 0; }));

  EXPECT_EQ(world.identifiers().size(), 40U);
  EXPECT_EQ(generator.calls(), 40U);
  EXPECT_EQ(generator.confirmed(), world.identifiers());
  for (const auto r : registrants) {
    const auto request = world.request_of(r), update = world.update_of(r);
    EXPECT_EQ(request.status, "COMPLETED");
    EXPECT_EQ(request.attempts, 1);
    EXPECT_EQ(request.error, "");
    EXPECT_NE(request.attempted, "");
    EXPECT_EQ(update.status, "COMPLETED");
    EXPECT_EQ(update.attempts, 1);
    EXPECT_EQ(update.error, "");
  }
  EXPECT_EQ(world.number("SELECT count(*) FROM matricula.bridge_try"), 0);
  EXPECT_EQ(b.report().did.identifiers_given, 40U);
  EXPECT_EQ(b.report().did.tasks_completed, 80U);
}

TEST_P(every_generation, fails_a_task_after_exactly_the_tries_that_are_set) {
  bridge_world world(GetParam());
  for (const std::uint32_t tries : {1U, 4U, 5U, 10U}) {
    counting_generator generator(world.files / fmt::format("calls-{}", tries), always(deed::fail));
    const auto registrant = world.add_registrant();
    auto with = world.options();
    with.retry.tries_max = tries;
    ASSERT_TRUE(world.run_until_done(world.make_bridge(generator, with)));
    const auto task = world.request_of(registrant);
    EXPECT_EQ(task.status, "FAILED");
    EXPECT_EQ(task.attempts, static_cast<int>(tries));
    EXPECT_EQ(task.error, "The generator cannot be reached.");
    EXPECT_EQ(generator.calls(), tries);
    EXPECT_EQ(world.identifier_of(registrant), "");
  }
}

TEST_P(every_generation, tries_the_second_step_again_and_fails_it_alone) {
  bridge_world world(GetParam());
  counting_generator generator(world.files / "calls", always(deed::give));
  int confirms = 0;
  generator.confirm_plan = [&] { return ++confirms, deed::fail; };
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(
      world.run_until(world.make_bridge(generator), [&] { return world.update_of(registrant).status == "FAILED"; }));
  EXPECT_EQ(confirms, 5);
  EXPECT_EQ(world.update_of(registrant).attempts, 5);
  EXPECT_EQ(world.update_of(registrant).error, "The generator cannot be reached.");
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_NE(world.identifier_of(registrant), "");
}

TEST(bridge, fails_at_once_what_the_generator_refuses) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::refuse));
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.request_of(registrant).status, "FAILED");
  EXPECT_EQ(world.request_of(registrant).attempts, 1);
  EXPECT_EQ(world.request_of(registrant).error, "KER-UIG-006: the generator is not set up.");
  EXPECT_EQ(generator.calls(), 1U);
}

TEST(bridge, tries_a_failed_task_from_the_beginning_when_a_person_makes_it_pending_again) {
  bridge_world world;
  bool works = false;
  counting_generator generator(world.files / "calls",
                               [&](std::string_view, std::size_t) { return works ? deed::give : deed::fail; });
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until_done(b));
  ASSERT_EQ(world.request_of(registrant).status, "FAILED");
  works = true;
  world.sql("UPDATE g2p_que_background_task SET task_status = 'PENDING'");
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.request_of(registrant).attempts, 6);
  EXPECT_EQ(world.request_of(registrant).error, "");
}

TEST(bridge, works_what_openg2ps_own_beat_has_given_up) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  // The beat stops at three, and nothing ever makes such a row FAILED.
  world.sql("UPDATE g2p_que_background_task SET number_of_attempts = 4");
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.request_of(registrant).attempts, 5);
}

TEST(bridge, counts_no_try_while_the_pool_is_empty_and_asks_seldom) {
  bridge_world world;
  bool empty = true;
  counting_generator generator(world.files / "calls",
                               [&](std::string_view, std::size_t) { return empty ? deed::have_none : deed::give; });
  world.add_registrants(200);
  auto with = world.options();
  with.retry.not_yet = 50ms;
  auto& b = world.make_bridge(generator, with);
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().did.none_available >= 5; }));
  EXPECT_LT(generator.calls(), 20U) << "each of the 200 asks";
  EXPECT_EQ(world.number("SELECT sum(number_of_attempts) FROM g2p_que_background_task"), 0);
  EXPECT_EQ(world.pending(), 200);
  empty = false;
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.identifiers().size(), 200U);
  EXPECT_EQ(world.number("SELECT max(number_of_attempts) FROM g2p_que_background_task"), 1);
}

TEST(bridge, lists_a_call_without_an_answer_and_calls_again) {
  bridge_world world;
  counting_generator generator(world.files / "calls", [](std::string_view, std::size_t n) {
    return n == 1 ? deed::give_late : n == 2 ? deed::be_silent : deed::give;
  });
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.request_of(registrant).attempts, 3);
  EXPECT_EQ(generator.consumed(), 2U);

  const auto listed = read_doubts(world.options().database, 0, 10);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 2U);
  const auto& first = listed->front();
  EXPECT_EQ(first.registrant, registrant);
  EXPECT_EQ(first.generator, "counting");
  EXPECT_THAT(first.owner, HasSubstr("openg2p-"));
  EXPECT_THAT(first.called_at, testing::MatchesRegex("20..-..-..T..:..:..\\....Z"));
  EXPECT_EQ(first.reason, "The generator did not answer in 5 s.");
  EXPECT_EQ(first.identifier, "");
  ASSERT_EQ(read_doubts(world.options().database, first.call_number, 10)->size(), 1U);
  EXPECT_EQ(b.report().did.doubts_listed, 2U);
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().in_doubt == 2; }));
}

TEST(bridge, repeats_a_call_without_an_answer_where_the_generator_knows_it_again) {
  bridge_world world;
  counting_generator generator(
      world.files / "calls", [](std::string_view, std::size_t n) { return n < 3 ? deed::give_late : deed::give; },
      true);
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(generator.calls(), 3U);
  EXPECT_EQ(generator.consumed(), 1U);
  EXPECT_EQ(generator.lines().front().request, fmt::format("g2p:{}", registrant));
  EXPECT_EQ(world.doubts(), 0);
}

TEST(bridge, never_overwrites_an_identifier) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  world.sql("UPDATE res_partner SET unique_id = '1234567890'");
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.identifier_of(registrant), "1234567890");
  EXPECT_EQ(generator.calls(), 0U);
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(generator.confirmed(), std::set<std::string>{"1234567890"}) << "whoever gave it may not have confirmed it";
}

TEST(bridge, takes_an_empty_identifier_for_none) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  world.sql("UPDATE res_partner SET unique_id = ''");
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_NE(world.identifier_of(registrant), "");
}

TEST(bridge, calls_once_for_a_registrant_with_two_tasks) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  for (int i = 0; i < 3; ++i)
    world.add_task("id_generation_request_worker", fmt::format("'{{\"registrant_id\": \"{}\"}}'", registrant));
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(generator.calls(), 1U);
  EXPECT_EQ(
      world.number("SELECT count(*) FROM g2p_que_background_task WHERE worker_type = 'id_generation_update_worker'"),
      1);
  EXPECT_EQ(world.number("SELECT count(*) FROM g2p_que_background_task WHERE task_status = 'COMPLETED'"), 5);
}

TEST(bridge, gives_the_same_identifier_to_a_registrant_that_has_lost_it) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until_done(b));
  const auto identifier = world.identifier_of(registrant);
  world.sql("UPDATE res_partner SET unique_id = NULL");
  world.add_task("id_generation_request_worker", fmt::format("'{{\"registrant_id\": {}}}'", registrant));
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.identifier_of(registrant), identifier);
  EXPECT_EQ(generator.calls(), 1U);
}

struct bad_task {
  const char* name;
  const char* worker_type;
  const char* payload;
  const char* error;
};
void PrintTo(const bad_task& t, std::ostream* out) { *out << t.name; }
class bad_tasks : public testing::TestWithParam<bad_task> {};

TEST_P(bad_tasks, fail_at_once_with_a_reason) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto id = world.add_task(GetParam().worker_type, GetParam().payload);
  const auto good = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  const auto task = world.task(id);
  EXPECT_EQ(task.status, "FAILED");
  EXPECT_EQ(task.attempts, 1);
  EXPECT_EQ(task.error, GetParam().error);
  EXPECT_NE(task.attempted, "");
  EXPECT_NE(world.identifier_of(good), "") << "the next task is worked all the same";
  EXPECT_EQ(generator.calls(), 1U);
}

constexpr const char* request_type = "id_generation_request_worker";
INSTANTIATE_TEST_SUITE_P(
    table, bad_tasks,
    testing::Values(bad_task{"null", request_type, "'null'",
                             "The task has no worker_payload; expected {\"registrant_id\": 123}."},
                    bad_task{"a_list", request_type, "'[123]'",
                             "worker_payload is no JSON object; expected {\"registrant_id\": 123}."},
                    bad_task{"another_key", request_type, "'{\"partner\": 123}'",
                             "worker_payload has no registrant_id; expected {\"registrant_id\": 123}."},
                    bad_task{"a_word", request_type, "'{\"registrant_id\": \"12a\"}'",
                             "registrant_id in worker_payload is no positive whole number."},
                    bad_task{"a_fraction", request_type, "'{\"registrant_id\": 1.5}'",
                             "registrant_id in worker_payload is no positive whole number."},
                    bad_task{"negative", request_type, "'{\"registrant_id\": -1}'",
                             "registrant_id in worker_payload is no positive whole number."},
                    bad_task{"nobody", request_type, "'{\"registrant_id\": 777}'", "There is no registrant 777."},
                    bad_task{"beyond_the_column", request_type, "'{\"registrant_id\": 9000000000000000000}'",
                             "There is no registrant 9000000000000000000."},
                    bad_task{"update_of_nobody", "id_generation_update_worker", "'{\"registrant_id\": 777}'",
                             "There is no registrant 777."}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(bridge, reads_a_payload_column_of_plain_text) {
  bridge_world world;
  world.sql(
      "ALTER TABLE g2p_que_background_task ALTER COLUMN worker_payload TYPE text, ALTER COLUMN worker_payload DROP "
      "NOT NULL");
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto broken = world.add_task(request_type, "'{\"registrant_id\": 1'");
  const auto missing = world.add_task(request_type, "NULL");
  const auto registrant = world.number("INSERT INTO res_partner (name) VALUES ('A. Person') RETURNING id");
  const auto good = world.add_task(request_type, fmt::format("'{{\"registrant_id\": {}}}'", registrant));
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.task(broken).error, "worker_payload is no valid JSON; expected {\"registrant_id\": 123}.");
  EXPECT_EQ(world.task(missing).error, "The task has no worker_payload; expected {\"registrant_id\": 123}.");
  EXPECT_EQ(world.task(good).status, "COMPLETED");
}

TEST(bridge, cuts_an_error_to_what_the_column_holds) {
  bridge_world world;
  world.sql("ALTER TABLE g2p_que_background_task ALTER COLUMN last_attempt_error_code TYPE varchar(13)");
  counting_generator generator(world.files / "calls", always(deed::refuse));
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.request_of(registrant).error, "KER-UIG-006: ");
}

TEST(bridge, leaves_other_worker_types_alone) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto other = world.add_task("send_letter_worker", "'{}'");
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(b, [&] { return world.update_of(registrant).status == "COMPLETED"; }));
  EXPECT_EQ(world.task(other).status, "PENDING");
  EXPECT_EQ(world.task(other).attempts, 0);
}

TEST(bridge, fails_other_worker_types_when_told_to) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto other = world.add_task("send_letter_worker", "'{}'");
  const auto registrant = world.add_registrant();
  auto with = world.options();
  with.refuse_unknown_types = true;
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator, with)));
  EXPECT_EQ(world.task(other).status, "FAILED");
  EXPECT_EQ(world.task(other).attempts, 1);
  EXPECT_EQ(world.task(other).error,
            "The worker_type is neither id_generation_request_worker nor id_generation_update_worker.");
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
}

TEST(bridge, gives_no_identifier_that_another_registrant_has) {
  for (const bool constraint : {true, false}) {
    bridge_world world;
    if (!constraint) world.sql("ALTER TABLE res_partner DROP CONSTRAINT res_partner_uniq");
    counting_generator generator(world.files / "calls", always(deed::give));
    const auto other =
        world.number("INSERT INTO res_partner (name, unique_id) VALUES ('B. Person', '4000000001') RETURNING id");
    const auto registrant = world.add_registrant();
    auto& b = world.make_bridge(generator);
    ASSERT_TRUE(world.run_until_done(b));
    EXPECT_EQ(world.identifier_of(other), "4000000001");
    EXPECT_EQ(world.identifier_of(registrant), "4000000002");
    EXPECT_EQ(world.request_of(registrant).attempts, 2);
    const auto listed = read_doubts(world.options().database, 0, 10);
    ASSERT_TRUE(listed && listed->size() == 1U);
    EXPECT_EQ(listed->front().identifier, "4000000001");
    EXPECT_EQ(listed->front().reason, "The generator gave an identifier that another registrant has already.");
  }
}

TEST(bridge, asks_with_other_words_where_the_same_would_bring_the_same_identifier_again) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give), true);
  world.sql(
      "INSERT INTO res_partner (name, unique_id) VALUES ('B. Person', '4000000001'), ('C. Person', '4000000002')");
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.identifier_of(registrant), "4000000003");
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.request_of(registrant).attempts, 3);
  std::vector<std::string> requests;
  for (const auto& one : generator.lines())
    if (one.what == 'I') requests.push_back(one.request);
  EXPECT_THAT(requests, testing::ElementsAre(fmt::format("g2p:{}", registrant), fmt::format("g2p:{}/2", registrant),
                                             fmt::format("g2p:{}/3", registrant)));
  const auto listed = read_doubts(world.options().database, 0, 10);
  ASSERT_TRUE(listed && listed->size() == 2U);
  EXPECT_EQ(listed->front().identifier, "4000000001");
  EXPECT_EQ(listed->front().subject, "public.res_partner.unique_id");
}

TEST(bridge, gives_another_column_of_a_registrant_an_identifier_of_its_own) {
  bridge_world world;
  world.sql("ALTER TABLE res_partner ADD COLUMN ref_id varchar UNIQUE");
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  auto with = world.options();
  with.tables.id_column = "ref_id";
  with.tables.request_worker_type = "reference_request";
  with.tables.update_worker_type = "reference_update";
  world.add_task("reference_request", fmt::format("'{{\"registrant_id\": {}}}'", registrant));
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator, with)));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
  EXPECT_EQ(world.value("SELECT ref_id FROM res_partner"), "4000000002");
  EXPECT_EQ(generator.calls(), 2U);
  EXPECT_EQ(world.doubts(), 0);
}

TEST(bridge, forgets_nothing_of_another_bridge_over_the_same_table) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::fail));
  world.add_registrant();
  auto with = world.options();
  with.retry.backoff_first = with.retry.backoff_max = 1h;
  const auto tries = [&] { return world.value("SELECT tries FROM matricula.bridge_try WHERE NOT trying"); };
  ASSERT_TRUE(world.run_until(world.make_bridge(generator, with), [&] { return tries() == "1"; }));
  auto other = world.options();
  other.tables.request_worker_type = "reference_request";
  other.tables.update_worker_type = "reference_update";
  other.report_every = 1ms;
  auto& b = world.make_bridge(generator, other);
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().counted; }));
  EXPECT_EQ(tries(), "1");
}

TEST(bridge, takes_a_sequence_that_is_behind_for_no_identifier_that_is_taken) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  world.sql("INSERT INTO g2p_que_background_task (id, worker_type, worker_payload) SELECT max(id) + 1, 'other', '{}' "
            "FROM g2p_que_background_task");
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(b, [&] { return world.update_of(registrant).status == "COMPLETED"; }));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
  EXPECT_EQ(generator.calls(), 1U);
  EXPECT_EQ(world.doubts(), 0);
  EXPECT_EQ(world.request_of(registrant).attempts, 2);
  EXPECT_EQ(b.report().did.statements_refused, 1U);
}

TEST(bridge, keeps_the_databases_own_words_whole_in_any_language) {
  bridge_world world;
  world.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', 'x' || "
            "repeat('ж', 300); END $$; CREATE TRIGGER refuse BEFORE UPDATE ON res_partner FOR EACH ROW EXECUTE "
            "FUNCTION refuse()");
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.request_of(registrant).status, "FAILED");
  EXPECT_EQ(world.request_of(registrant).attempts, 5);
  EXPECT_THAT(world.request_of(registrant).error, testing::StartsWith("PostgreSQL refused the identifier: xжж"));
}

TEST(bridge, goes_on_with_other_tasks_when_what_became_of_one_cannot_be_written) {
  bridge_world world;
  const auto first = world.add_registrant(), second = world.add_registrant();
  world.sql(
      fmt::format("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not "
                  "this one'; END $$; CREATE TRIGGER refuse BEFORE UPDATE ON g2p_que_background_task FOR EACH ROW "
                  "WHEN (new.worker_payload->>'registrant_id' = '{}') EXECUTE FUNCTION refuse()",
                  first));
  counting_generator generator(world.files / "calls", [&](std::string_view request, std::size_t) {
    return request == fmt::format("g2p:{}", first) ? deed::fail : deed::give;
  });
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(b, [&] { return world.update_of(second).status == "COMPLETED"; }));
  ASSERT_TRUE(world.run_until(b, [&] {
    return world.number(
               "SELECT count(*) FROM matricula.bridge_try WHERE tries >= 1 AND NOT trying AND owner IS NULL") == 1;
  }));
  EXPECT_EQ(world.request_of(first).status, "PENDING");
  EXPECT_EQ(world.doubts(), 0);
  EXPECT_EQ(b.report().did.connections_lost, 0U);
}

TEST(bridge, keeps_an_identifier_that_the_table_refuses) {
  bridge_world world;
  world.sql("ALTER TABLE res_partner ADD CONSTRAINT closed CHECK (unique_id IS NULL)");
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.request_of(registrant).status, "FAILED");
  EXPECT_THAT(world.request_of(registrant).error, HasSubstr("PostgreSQL refused the identifier: new row for relation"));
  EXPECT_EQ(generator.calls(), 1U) << "the answer is there, asking again would waste another";
  world.sql("ALTER TABLE res_partner DROP CONSTRAINT closed");
  world.sql("UPDATE g2p_que_background_task SET task_status = 'PENDING'");
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
}

TEST(bridge, waits_for_a_registrant_that_somebody_has_locked) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.add_registrant();
  auto with = world.options();
  with.database.lock_at_most = 50ms;
  auto& b = world.make_bridge(generator, with);
  world.sql("BEGIN");
  world.sql("UPDATE res_partner SET name = 'C. Person'");
  ASSERT_TRUE(world.run_until(b, [&] { return generator.calls() == 1; }));
  EXPECT_EQ(world.identifier_of(registrant), "") << "not while another has the row";
  world.sql("COMMIT");
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(generator.calls(), 1U);
  EXPECT_EQ(world.request_of(registrant).attempts, 1);
}

TEST(bridge, starts_a_new_task_at_once_when_it_is_notified) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  auto with = world.options();
  with.poll = 1h;
  bridge_thread running(with, generator);
  ASSERT_TRUE(eventually([&] { return running.report().connected; }));
  for (int i = 0; i < 5; ++i) {
    const auto registrant = world.add_registrant();
    ASSERT_TRUE(eventually([&] { return world.update_of(registrant).status == "COMPLETED"; }, 5s)) << i;
  }
}

TEST(bridge, finds_new_tasks_by_looking_where_it_may_not_make_a_trigger) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  {
    // Somebody who may makes the schema.
    auto& first = world.make_bridge(generator);
    ASSERT_TRUE(world.run_until(first, [&] { return first.report().connected; }));
  }
  world.sql("DROP TRIGGER matricula_bridge_wake ON g2p_que_background_task");
  world.make_user("matricula");
  auto with = world.options();
  with.database.connection = world.server.connection("matricula");
  bridge_thread running(with, generator);
  ASSERT_TRUE(eventually([&] { return running.report().connected; })) << running.report().problem;
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(eventually([&] { return world.update_of(registrant).status == "COMPLETED"; }))
      << running.report().problem;
  EXPECT_EQ(world.number("SELECT count(*) FROM pg_trigger WHERE tgname = 'matricula_bridge_wake'"), 0);
}

TEST(bridge, says_what_to_do_when_it_may_not_make_its_schema) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  world.sql("CREATE ROLE matricula LOGIN; GRANT SELECT ON g2p_que_background_task, res_partner TO matricula");
  auto with = world.options();
  with.database.connection = world.server.connection("matricula");
  auto& b = world.make_bridge(generator, with);
  (void)b.step();
  EXPECT_FALSE(b.report().connected);
  EXPECT_THAT(b.report().problem, HasSubstr("The schema matricula is not complete and cannot be made"));
  EXPECT_THAT(b.report().problem, HasSubstr("docs/bridge.md"));
  with.may_install = false;
  auto& c = world.make_bridge(generator, with);
  (void)c.step();
  EXPECT_THAT(c.report().problem, HasSubstr("A database administrator creates it once"));
}

struct lost_right {
  const char* name;
  const char* statement;
  const char* problem;
};
void PrintTo(const lost_right& r, std::ostream* out) { *out << r.name; }
class lost_rights : public testing::TestWithParam<lost_right> {};

TEST_P(lost_rights, are_named_before_a_task_is_begun) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  auto& first = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(first, [&] { return first.report().connected; }));
  world.make_user("matricula");
  world.sql(GetParam().statement);
  world.add_registrant();
  auto with = world.options();
  with.database.connection = world.server.connection("matricula");
  auto& b = world.make_bridge(generator, with);
  (void)b.step();
  EXPECT_FALSE(b.report().connected);
  EXPECT_EQ(b.report().problem, GetParam().problem);
  EXPECT_EQ(generator.calls(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    table, lost_rights,
    testing::Values(lost_right{"identifier", "REVOKE UPDATE (unique_id) ON res_partner FROM matricula",
                               "The database user may not UPDATE the column unique_id of res_partner; docs/bridge.md "
                               "has the rights that it needs."},
                    lost_right{"queue", "REVOKE INSERT ON g2p_que_background_task FROM matricula",
                               "The database user may not INSERT the column worker_type of g2p_que_background_task; "
                               "docs/bridge.md has the rights that it needs."},
                    lost_right{"own_rows", "REVOKE DELETE ON matricula.bridge_try FROM matricula",
                               "The database user has not the right DELETE on matricula.bridge_try; docs/bridge.md has "
                               "the rights that it needs."}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(bridge, keeps_its_connection_while_the_database_refuses_what_it_asks_for) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  auto& first = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(first, [&] { return first.report().connected; }));
  first.release();
  world.make_user("matricula");
  auto with = world.options();
  with.database.connection = world.server.connection("matricula");
  with.report_every = 1ms;
  auto& b = world.make_bridge(generator, with);
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().counted; }));
  world.sql("REVOKE UPDATE ON g2p_que_background_task FROM matricula");
  const auto registrant = world.add_registrant();
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().did.statements_refused >= 3; }));
  EXPECT_THAT(b.report().problem, HasSubstr("permission denied"));
  EXPECT_TRUE(b.report().connected);
  // And what is only for its report keeps it from nothing.
  world.sql("REVOKE SELECT ON matricula.bridge_doubt FROM matricula; GRANT UPDATE ON g2p_que_background_task TO "
            "matricula");
  ASSERT_TRUE(world.run_until(b, [&] { return world.update_of(registrant).status == "COMPLETED"; }));
  EXPECT_EQ(b.report().problem, "");
  EXPECT_EQ(b.report().did.connections_lost, 0U);
}

TEST(bridge, says_which_table_or_column_is_not_there) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto problem_with = [&](auto change) {
    auto with = world.options();
    change(with.tables);
    auto& b = world.make_bridge(generator, with);
    (void)b.step();
    EXPECT_FALSE(b.report().connected);
    return b.report().problem;
  };
  EXPECT_THAT(problem_with([](auto& t) { t.tasks = "g2p_queue_background_task"; }),
              HasSubstr("There is no table g2p_queue_background_task"));
  EXPECT_THAT(problem_with([](auto& t) { t.registrants = "public.partner"; }),
              HasSubstr("There is no table public.partner"));
  EXPECT_EQ(problem_with([](auto& t) { t.id_column = "ref_id"; }), "The table res_partner has no column ref_id.");
  EXPECT_THAT(problem_with([](auto& t) { t.kind = table_kind::id_generation; }), HasSubstr("has no column"));
}

TEST(bridge, works_a_table_of_another_name_in_another_schema) {
  bridge_world world;
  world.sql("CREATE SCHEMA registry; ALTER TABLE g2p_que_background_task SET SCHEMA registry; "
            "ALTER TABLE registry.g2p_que_background_task RENAME TO g2p_que_background_tasks");
  counting_generator generator(world.files / "calls", always(deed::give));
  const auto registrant = world.number("INSERT INTO res_partner (name) VALUES ('A. Person') RETURNING id");
  world.sql(fmt::format("INSERT INTO registry.g2p_que_background_tasks (worker_type, worker_payload) VALUES "
                        "('id_generation_request_worker', '{{\"registrant_id\": {}}}')",
                        registrant));
  auto with = world.options();
  with.tables.tasks = "registry.g2p_que_background_tasks";
  ASSERT_TRUE(world.run_until(world.make_bridge(generator, with), [&] { return generator.confirmed().size() == 1; }));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
}

TEST(bridge, starts_a_new_task_within_a_second_behind_ten_thousand_that_fail) {
  bridge_world world;
  counting_generator generator(world.files / "calls", [](std::string_view request, std::size_t) {
    return std::stoll(std::string(request.substr(4))) <= 10'000 ? deed::fail : deed::give;
  });
  world.sql("INSERT INTO res_partner (name) SELECT 'A. Person' FROM generate_series(1, 10000); "
            "INSERT INTO g2p_que_background_task (worker_type, worker_payload) SELECT 'id_generation_request_worker', "
            "json_build_object('registrant_id', id) FROM res_partner");
  auto with = world.options();
  with.poll = 1'000ms;
  with.retry.tries_max = 1'000;
  auto& first = world.make_bridge(generator, with);
  // All have been tried and are due again, as after an outage.
  ASSERT_TRUE(world.run_until(first, [&] { return generator.calls() > 0; }));
  first.release();
  world.sql(
      "INSERT INTO matricula.bridge_try (task_table, step, task_id, due_at, tries) SELECT "
      "'public.g2p_que_background_task', 'request', id, now(), 1 FROM g2p_que_background_task ON CONFLICT DO NOTHING");
  bridge_thread running(with, generator);
  ASSERT_TRUE(eventually([&] { return running.report().did.tries_failed > 0; }));
  for (int i = 0; i < 5; ++i) {
    const auto registrant = world.add_registrant();
    EXPECT_TRUE(eventually([&] { return !world.identifier_of(registrant).empty(); }, 1'000ms)) << i;
  }
  EXPECT_EQ(world.identifiers().size(), 5U);
}

TEST(bridge, reports_what_there_is_to_do) {
  bridge_world world;
  bool works = false;
  counting_generator generator(world.files / "calls",
                               [&](std::string_view, std::size_t) { return works ? deed::give : deed::fail; });
  auto with = world.options();
  with.retry.tries_max = 1;
  with.report_every = 1ms;
  auto& b = world.make_bridge(generator, with);
  EXPECT_FALSE(b.report().counted) << "nobody knows";
  const auto failed = world.add_registrant();
  ASSERT_TRUE(world.run_until(b, [&] { return world.request_of(failed).status == "FAILED"; }));
  works = true;
  generator.confirm_plan = [] { return deed::have_none; };
  const auto registrant = world.add_registrant();
  world.sql("UPDATE g2p_que_background_task SET queued_datetime = (now() AT TIME ZONE 'UTC') - interval '90 s' WHERE "
            "task_status = 'PENDING'");
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().pending_updates == 1 && b.report().failed_requests == 1; }));
  EXPECT_EQ(world.update_of(registrant).status, "PENDING");
  world.sql("UPDATE g2p_que_background_task SET queued_datetime = (now() AT TIME ZONE 'UTC') - interval '90 s'");
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().oldest_pending_s >= 90; }));
  EXPECT_TRUE(b.report().counted);
  EXPECT_EQ(b.report().pending_requests, 0U);
  EXPECT_EQ(b.report().did.tries_failed, 1U);
}

TEST(bridge, leaves_no_rows_for_tasks_that_went_away) {
  bridge_world world;
  counting_generator generator(world.files / "calls", always(deed::fail));
  auto with = world.options();
  with.retry.backoff_first = with.retry.backoff_max = 1h;
  with.report_every = 1ms;
  world.add_registrants(20);
  auto& b = world.make_bridge(generator, with);
  ASSERT_TRUE(world.run_until(
      b, [&] { return world.number("SELECT count(*) FROM matricula.bridge_try WHERE NOT trying") == 20; }));
  world.sql("DELETE FROM g2p_que_background_task");
  ASSERT_TRUE(world.run_until(b, [&] { return world.number("SELECT count(*) FROM matricula.bridge_try") == 0; }));
}

} // namespace
} // namespace matricula::test
