// The audit trail and the change that it tells of are there together or not at all; what nobody confirms goes back.
#include "actors/journal_keeper.hpp"
#include "storage/id_trail.hpp"
#include "storage/id_trail_verifier.hpp"
#include "storage/unconfirmed.hpp"
#include "test/actor/stage.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

namespace matricula::actor_test {
namespace {

using identifiers::id_event;
using identifiers::id_state;
using identifiers::lifecycle;
namespace id_trail = storage::id_trail;

stage_options uins(milliseconds lease = milliseconds{0}) {
  stage_options o;
  o.of = lifecycle::uin;
  o.unconfirmed_lease = lease;
  return o;
}

/// Newest first.
std::vector<std::string> trail(const stage& s) {
  const auto page = id_trail::find(*s.durable(), s.type().part, {}, {}, 1'000);
  std::vector<std::string> out;
  EXPECT_TRUE(page);
  if (page)
    for (const auto& e : page->entries)
      out.push_back(fmt::format("{} {} {} by {}", e.what.id, e.what.assignment, to_string(e.what.to), e.what.by));
  return out;
}

std::vector<std::string> unconfirmed(const stage& s) {
  const auto page = storage::unconfirmed::list(*s.durable(), s.type().part, std::nullopt, timestamp::max(), 1'000);
  std::vector<std::string> out;
  EXPECT_TRUE(page);
  if (page)
    for (const auto& item : page->items) out.push_back(item.record.id);
  return out;
}

/// In one leap, which both clocks make.
void later(stage& s, milliseconds by) {
  s.advance(by);
  s.run();
}

std::string chain_of(const stage& s) {
  return storage::journal::check(*s.durable(), id_trail::chain_of(s.type().part),
                                 [](const storage::journal::row&) { return true; })
      .value_or("holds");
}

TEST(the_audit_trail, has_each_step_with_whoever_took_it) {
  stage s{uins()};
  s.run();
  const auto id = s.issue_one({});
  ASSERT_TRUE(s.change(id, id_event::confirm));
  ASSERT_TRUE(s.change(id, id_event::confirm)) << "asked again, it changes nothing and leaves no row";
  const auto steps = trail(s);
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_TRUE(steps[0].starts_with(id + " 1 ASSIGNED by ")) << steps[0];
  EXPECT_TRUE(steps[1].starts_with(id + " 1 ISSUED by ")) << steps[1];
  EXPECT_EQ(chain_of(s), "holds");
}

TEST(the_audit_trail, has_what_the_expirer_did) {
  stage s{stage_options{.cool_off = 700ms}};
  s.run();
  const auto id = s.issue_one({.expires_at = s.now() + 10s});
  later(s, 11s);
  ASSERT_TRUE(s.expire());
  const auto steps = trail(s);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0], id + " 1 AVAILABLE by expirer");
  EXPECT_EQ(steps[1], id + " 1 EXPIRED by expirer");
  EXPECT_EQ(chain_of(s), "holds");
}

TEST(the_audit_trail, is_lost_together_with_a_change_that_was_not_durable) {
  stage s{uins()};
  s.run();
  const auto id = s.issue_one({});
  const auto confirmed = s.send_change(id, id_event::confirm, 0);
  const auto issued = s.send_issue({.count = 3});
  s.run_actors(); // written to the log, but not to the disk
  s.power_cut();
  s.run();
  EXPECT_EQ(s.record(id)->state, id_state::issued);
  EXPECT_EQ(trail(s).size(), 1u);
  EXPECT_EQ(unconfirmed(s), std::vector{id});
  ASSERT_TRUE(s.change(id, id_event::confirm));
  EXPECT_EQ(trail(s).size(), 2u);
  EXPECT_EQ(chain_of(s), "holds") << "the next incarnation goes on from what is durable";
}

TEST(the_audit_trail, goes_on_after_a_pool_was_killed_with_a_write_on_its_way) {
  stage s{uins()};
  s.run();
  const auto first = s.send_issue({.count = 2});
  s.run_actors();
  s.kill("pool");
  s.run();
  ASSERT_TRUE(first->ready() && first->value());
  (void)s.issue_one({});
  EXPECT_EQ(trail(s).size(), 3u);
  EXPECT_EQ(chain_of(s), "holds");
}

TEST(the_audit_trail, leaves_room_for_a_thousand_of_the_longest_in_one_write) {
  struct longest {
    lifecycle of;
    std::size_t length;
  };
  for (const auto [of, length] : {longest{lifecycle::uin, 10}, longest{lifecycle::vid, 16}}) {
    stage s{[&] {
      stage_options o;
      o.of = of;
      o.length = length;
      o.limits = {1'500, 3'000};
      return o;
    }()};
    s.run();
    const auto cell = std::make_shared<runtime::reply_cell<actors::issue_answer>>(nullptr);
    actors::issue_ids all;
    all.trace.request_id = std::string(64, 'r');
    all.context = {std::string(64, 'p'), 0, std::string(64, 't')};
    all.count = 1'000;
    all.holder = std::string(64, 'h');
    if (of == lifecycle::vid) all.expires_at_ms = (s.now() + 24h).time_since_epoch().count();
    all.idempotency_ref = std::string(16, 'k');
    all.fingerprint = std::string(32, 'f');
    all.reply = runtime::reply_to<actors::issue_answer>(cell);
    const auto before = s.log_stats().bytes.load();
    caf::anon_send(s.type().pool.address(), std::move(all));
    s.run();
    ASSERT_TRUE(cell->ready());
    ASSERT_TRUE(cell->value()) << cell->value().error().message;
    EXPECT_LT(s.log_stats().bytes.load() - before, 256u * 1024);
    RecordProperty(fmt::format("batch_bytes_{}", length), static_cast<int>(s.log_stats().bytes.load() - before));
    EXPECT_EQ(trail(s).size(), 1'000u);
    EXPECT_EQ(chain_of(s), "holds");
  }
}

TEST(unconfirmed_identifiers, are_taken_back_when_their_lease_is_over_and_not_a_millisecond_before) {
  stage s{uins(24h)};
  s.run();
  const auto kept = s.issue_one({});
  const auto lost = s.issue_one({.key = "of the lost one"});
  ASSERT_TRUE(s.change(kept, id_event::confirm));
  later(s, 24h);
  auto run = s.expire();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->reclaimed, 0u);
  later(s, 1ms);
  const auto fresh = s.issue_one({});
  run = s.expire();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->reclaimed, 1u);
  EXPECT_EQ(s.record(lost)->state, id_state::available);
  EXPECT_EQ(s.record(lost)->history.back().by, "expirer");
  EXPECT_EQ(s.record(kept)->state, id_state::assigned);
  EXPECT_EQ(unconfirmed(s), std::vector{fresh});
  EXPECT_EQ(refusal(s.issue({.key = "of the lost one"})), errc::assignment_ended);
  EXPECT_EQ(refusal(s.change(lost, id_event::confirm, 1)), errc::conflict);
  EXPECT_TRUE(s.counters().balanced());
}

TEST(unconfirmed_identifiers, are_never_taken_back_by_themselves_without_a_lease) {
  stage s{uins()};
  s.run();
  const auto id = s.issue_one({});
  later(s, 24h * 400);
  ASSERT_TRUE(s.expire());
  ASSERT_TRUE(s.expire());
  EXPECT_EQ(s.record(id)->state, id_state::issued);
  EXPECT_EQ(unconfirmed(s), std::vector{id});
}

TEST(unconfirmed_identifiers, are_found_from_where_the_oldest_stands_and_not_from_the_beginning) {
  stage s{uins()};
  s.run();
  const auto floor = [&s] { return *storage::unconfirmed::find_floor(*s.durable(), s.type().part); };
  const auto first = s.issue_one({});
  later(s, 30min);
  const auto at = s.now();
  const auto second = s.issue_one({});
  ASSERT_TRUE(s.change(first, id_event::confirm));
  later(s, 30min);
  ASSERT_TRUE(s.expire());
  EXPECT_EQ(floor(), at);
  ASSERT_TRUE(s.change(second, id_event::confirm));
  ASSERT_TRUE(s.expire());
  EXPECT_GT(floor(), at);
  EXPECT_LE(floor(), s.now());
  const auto third = s.issue_one({});
  EXPECT_EQ(unconfirmed(s), std::vector{third});
}

TEST(unconfirmed_identifiers, go_back_in_bounded_steps_however_many_they_are) {
  stage s{[] {
    auto o = uins(1h);
    o.limits = {2'000, 4'000};
    return o;
  }()};
  s.run();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(s.issue({.count = 1'000}));
  for (int i = 0; i < 200; ++i) (void)s.issue_one({});
  later(s, 2h);
  const auto run = s.expire();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->reclaimed, 3'200u);
  EXPECT_TRUE(unconfirmed(s).empty());
  EXPECT_EQ(s.counters().released, 3'200u);
  EXPECT_EQ(chain_of(s), "holds");
}

TEST(unconfirmed_identifiers, are_taken_back_to_the_end_even_when_the_power_fails_between) {
  stage s{[] {
    auto o = uins(1h);
    o.limits = {2'000, 4'000};
    return o;
  }()};
  s.run();
  ASSERT_TRUE(s.issue({.count = 1'000}));
  later(s, 2h);
  const auto run = s.send_expire();
  s.run_actors();
  (void)s.write_group(3);
  s.power_cut();
  s.run();
  const auto left = unconfirmed(s).size();
  EXPECT_EQ(s.counters().released, 1'000u - left) << "what is in the index is what is ISSUED";
  ASSERT_TRUE(s.expire());
  EXPECT_TRUE(unconfirmed(s).empty());
  EXPECT_EQ(s.counters().released, 1'000u);
  EXPECT_EQ(chain_of(s), "holds");
}

TEST(unconfirmed_identifiers, whose_rows_of_the_index_are_long_are_taken_back_a_few_at_a_time) {
  stage s{uins()};
  s.run();
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i) {
    ids.push_back(s.issue_one({}));
    // As if it had been issued with 999 others whose counters lie far apart.
    const auto counter = static_cast<std::uint64_t>(*s.type().type.space->counter_of(ids.back()));
    const auto where = storage::unconfirmed::place_of(counter, *s.record(ids.back()));
    std::vector<identifiers::due_entry> entries;
    for (std::uint64_t n = 0; n < identifiers::due_row::entries_max; ++n) entries.push_back({counter + (n << 50), 1});
    s.overwrite(storage::column::unconfirmed, storage::unconfirmed::key_of(s.type().part, *where),
                storage::unconfirmed::encode(entries));
  }
  std::vector<std::string> back;
  for (int i = 0; i < 30 && back.size() < ids.size(); ++i) {
    std::vector<std::string> left(ids.begin() + static_cast<std::ptrdiff_t>(back.size()), ids.end());
    const auto cell = s.send_reclaim(left, s.now() + 1ms);
    s.run();
    ASSERT_TRUE(cell->ready() && cell->value());
    ASSERT_FALSE(cell->value()->ids.empty()) << "every request comes further";
    back.insert(back.end(), cell->value()->ids.begin(), cell->value()->ids.end());
  }
  EXPECT_EQ(back, ids);
  EXPECT_EQ(s.counters().released, ids.size());
}

TEST(unconfirmed_identifiers, that_are_imported_while_the_expirer_looks_are_not_passed_over) {
  stage s{uins()};
  s.run();
  const auto issued = s.issue_one({});
  later(s, 30min);
  const auto import = [&](const std::string& id, timestamp issued_at) {
    const auto cell = std::make_shared<runtime::reply_cell<actors::import_answer>>(nullptr);
    actors::import_ids message;
    message.context = {"client", 0};
    message.rows.resize(1);
    message.rows.front().id = id;
    message.rows.front().foreign = true;
    message.rows.front().state = id_state::issued;
    message.rows.front().issued_at = issued_at;
    message.reply = runtime::reply_to<actors::import_answer>(cell);
    caf::anon_send(s.type().pool.address(), std::move(message));
  };
  import("OLD-1", s.now() - std::chrono::hours(24 * 365));
  const auto run = s.send_expire();
  ASSERT_TRUE(s.step("expirer"));
  ASSERT_TRUE(s.has_work("pool")) << "the import, and the floor that the expirer saw";
  s.run();
  ASSERT_TRUE(run->ready() && run->value());
  EXPECT_EQ(unconfirmed(s), (std::vector<std::string>{"OLD-1", issued}));
  ASSERT_TRUE(s.expire()) << "and the next run knows of it";
  EXPECT_EQ(unconfirmed(s), (std::vector<std::string>{"OLD-1", issued}));
}

TEST(unconfirmed_identifiers, that_are_named_are_taken_back_unless_they_were_confirmed_meanwhile) {
  stage s{uins()};
  s.run();
  const auto one = s.issue_one({});
  const auto two = s.issue_one({});
  const auto confirmed = s.send_change(two, id_event::confirm, 1);
  const auto cell = s.send_reclaim({one, two, one}, s.now() + 1ms);
  s.run();
  ASSERT_TRUE(cell->ready() && cell->value());
  EXPECT_EQ(cell->value()->ids, std::vector{one});
  EXPECT_EQ(trail(s).front(), one + " 1 AVAILABLE by operator");
  EXPECT_EQ(s.record(two)->state, id_state::assigned);
  const auto again = s.send_reclaim({one, two}, s.now() + 1ms);
  s.run();
  ASSERT_TRUE(again->ready() && again->value());
  EXPECT_TRUE(again->value()->ids.empty());
  EXPECT_EQ(s.counters().released, 1u);
}

TEST(the_journal_keeper, drops_what_is_past_its_retention_and_the_rest_still_holds) {
  stage* where = nullptr;
  auto options = uins();
  runtime::child_spec keeper;
  caf::actor started;
  keeper.id = "keeper";
  keeper.kind = "journal_keeper";
  keeper.start = [&where, &started](caf::local_actor& parent, runtime::child_context context) -> caf::actor {
    actors::journal_keeper_options o;
    o.log = &where->log();
    o.time = &where->decisions();
    o.retention = std::chrono::days(1);
    o.chains = {id_trail::chain_of(where->type().part)};
    return started = parent.spawn<actors::journal_keeper>(std::move(context), o);
  };
  options.helpers.push_back(std::move(keeper));
  stage s{std::move(options)};
  where = &s;
  s.run();
  for (int i = 0; i < 5; ++i) (void)s.issue_one({});
  later(s, 30min);
  const auto young = s.issue_one({});
  later(s, 24h - 10min);
  caf::anon_send(started, actors::trim_journals{});
  started = nullptr;
  s.run();
  const auto steps = trail(s);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_TRUE(steps[0].starts_with(young));
  EXPECT_EQ(chain_of(s), "holds");
  (void)s.issue_one({});
  EXPECT_EQ(chain_of(s), "holds");
  storage::verify_report report;
  storage::id_trail_verifier{}.check(*s.durable(), report);
  EXPECT_TRUE(report.ok()) << report.to_json();
}

} // namespace
} // namespace matricula::actor_test
