#include "domain/identifiers/pool.hpp"
#include "foundation/bytes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace matricula::identifiers {
namespace {

using std::chrono::hours;
const timestamp noon = timestamp{milliseconds{1'700'000'000'000}};
constexpr milliseconds keep_keys = std::chrono::days{30};

/// A pool and the rows that a store would hold, over identifiers "v<counter>" where every third counter is valid.
struct world : pool_rows {
  explicit world(pool_rules rules) : rules_(rules), pool_(rules, {}) {}

  result<std::optional<id_record>> record(std::uint64_t counter) override {
    const auto i = records.find(counter);
    return i == records.end() ? std::optional<id_record>{} : std::optional(i->second);
  }
  result<std::uint64_t> released_at(std::uint64_t slot) override {
    if (!released.contains(slot)) return fail(errc::corrupt, "no such slot");
    return released.at(slot);
  }
  result<std::optional<std::uint64_t>> imported_at(std::string_view) override { return std::optional<std::uint64_t>{}; }
  static std::vector<candidate> valid_in(std::uint64_t from, std::uint64_t to) {
    std::vector<candidate> found;
    for (auto c = from; c < to; ++c)
      if (c % 3 == 0) found.push_back({c, id_text("v" + std::to_string(c))});
    return found;
  }
  bool propose(std::uint64_t from, std::uint64_t to) { return pool_.accept({from, to, valid_in(from, to)}); }

  void write(const pool_changes& changes) {
    for (const auto& [counter, record] : changes.records) {
      EXPECT_EQ(decode_id_record(encode(record)).value(), record);
      records[counter] = record;
    }
    for (const auto& [slot, counter] : changes.released_slots) released[slot] = counter;
    for (const auto& row : changes.due_removed) EXPECT_EQ(std::erase(due, row), 1u);
    for (const auto& row : changes.due_added) due.push_back(row);
    check();
  }
  /// The counters equal what a recount of the rows gives.
  void check() {
    const auto& c = pool_.counters();
    EXPECT_TRUE(c.balanced());
    std::map<id_state, std::uint64_t> states;
    for (const auto& [_, r] : records) ++states[r.state];
    EXPECT_EQ(c.issued, states[id_state::issued] + states[id_state::taken]);
    EXPECT_EQ(c.assigned, states[id_state::assigned]);
    EXPECT_EQ(c.cooling, states[id_state::expired]);
    EXPECT_EQ(c.retired, states[id_state::retired]);
    EXPECT_EQ(c.released, states[id_state::available]);
    std::set<std::uint64_t> listed;
    for (std::uint64_t slot = 0; slot < c.released; ++slot) {
      EXPECT_TRUE(listed.insert(released.at(slot)).second) << "twice in the released list";
      EXPECT_EQ(records.at(released.at(slot)).state, id_state::available);
    }
  }
  result<issued_ids> issue(issue_request request, timestamp now = noon) {
    if (request.by.empty()) request.by = "clerk";
    auto out = pool_.issue(request, now, random, *this);
    if (!out) return std::unexpected(out.error());
    write(out->changes);
    return out->answer;
  }
  result<pool::step_outcome> step(std::uint64_t counter, id_event event, std::optional<std::uint32_t> assignment = {},
                                  timestamp now = noon) {
    auto out = pool_.step(counter, event, assignment, "clerk", now, keep_keys, *this);
    if (out) write(out->changes);
    return out;
  }
  pool::due_outcome run_due(timestamp now) {
    pool::due_outcome sum;
    for (bool more = true; more;) {
      more = false;
      for (const auto& row : std::vector(due))
        if (row.at <= now && row.kind != due_kind::purge) {
          auto out = pool_.apply_due(row, now, keep_keys, *this);
          write(out->changes);
          sum.expired += out->expired, sum.released += out->released, sum.retired += out->retired;
          more = true;
          break;
        }
    }
    return sum;
  }
  static std::uint64_t counter_of(const std::string& id) { return std::stoull(id.substr(1)); }

  pool_rules rules_;
  pool pool_;
  seeded_random random{7};
  std::map<std::uint64_t, id_record> records;
  std::map<std::uint64_t, std::uint64_t> released;
  std::vector<due_row> due;
};

pool_rules rules_of(lifecycle l, std::uint64_t end = 300, reuse_policy reuse = reuse_policy::random) {
  return {l, reuse, hours{24}, end, 1.0 / 3};
}

TEST(pool, hands_out_every_identifier_once_and_is_then_exhausted) {
  world w{rules_of(lifecycle::pool)};
  ASSERT_TRUE(w.propose(0, 150));
  ASSERT_TRUE(w.propose(150, 300));
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(w.issue({}).value().ids.at(0)).second);
  EXPECT_TRUE(w.pool_.exhausted());
  EXPECT_EQ(w.issue({}).error().code, errc::exhausted);
  EXPECT_EQ(w.pool_.counters().filtered, 200u);
}

TEST(pool, takes_a_proposal_only_from_where_it_stands) {
  world w{rules_of(lifecycle::pool)};
  EXPECT_FALSE(w.propose(3, 10)) << "a gap";
  ASSERT_TRUE(w.propose(0, 30));
  EXPECT_FALSE(w.propose(0, 30)) << "twice";
  EXPECT_FALSE(w.propose(30, 30)) << "empty";
  EXPECT_FALSE(w.propose(30, 301)) << "beyond the end";
  EXPECT_EQ(w.pool_.counters().fresh, 10u);
}

TEST(pool, walking_again_after_a_restart_changes_no_counter) {
  world w{rules_of(lifecycle::uin)};
  ASSERT_TRUE(w.propose(0, 90));
  for (int i = 0; i < 10; ++i) (void)w.issue({}).value();
  const auto before = w.pool_.counters();
  w.pool_ = pool(w.rules_, before);
  EXPECT_EQ(w.issue({}).error().code, errc::refilling) << "nothing in memory yet";
  EXPECT_EQ(w.pool_.held_to(), before.issued_to);
  ASSERT_TRUE(w.propose(before.issued_to, 60));
  EXPECT_EQ(w.pool_.counters(), before);
  ASSERT_TRUE(w.propose(60, 120));
  EXPECT_EQ(w.pool_.counters().walked_to, 120u);
  EXPECT_EQ(w.pool_.counters().fresh, before.fresh + 10);
  w.check();
  EXPECT_EQ(w.issue({}).value().ids.at(0), "v30");
}

TEST(pool, a_batch_is_all_or_none) {
  world w{rules_of(lifecycle::pool)};
  ASSERT_TRUE(w.propose(0, 30));
  const auto before = w.pool_.counters();
  EXPECT_EQ(w.issue({.count = 11}).error().code, errc::refilling);
  EXPECT_EQ(w.pool_.counters(), before);
  EXPECT_EQ(w.issue({.count = 10}).value().ids.size(), 10u);
}

TEST(pool, more_than_are_left_is_refused_with_the_number) {
  world w{rules_of(lifecycle::pool, 30)};
  ASSERT_TRUE(w.propose(0, 30));
  const auto refused = w.issue({.count = 11});
  EXPECT_EQ(refused.error().code, errc::invalid_argument);
  EXPECT_NE(refused.error().message.find("10 identifiers"), std::string::npos) << refused.error().message;
}

TEST(pool, a_uin_is_confirmed_and_one_that_is_returned_is_handed_out_again_under_a_new_assignment) {
  world w{rules_of(lifecycle::uin, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  EXPECT_EQ(w.issue({}).value().assignments, std::vector<std::uint32_t>{1});
  EXPECT_EQ(w.step(0, id_event::give_back, 1).value().record.state, id_state::available);
  const auto again = w.issue({}).value();
  EXPECT_EQ(again.ids, std::vector<std::string>{"v0"});
  EXPECT_EQ(again.assignments, std::vector<std::uint32_t>{2});
  EXPECT_EQ(w.step(0, id_event::confirm, 1).error().code, errc::stale_assignment);
  EXPECT_EQ(w.step(0, id_event::confirm, 2).value().record.state, id_state::assigned);
  EXPECT_FALSE(w.step(0, id_event::confirm, 2).value().changed) << "confirmed already: the same answer";
  EXPECT_EQ(w.step(0, id_event::give_back, 2).error().code, errc::conflict);
  EXPECT_EQ(w.records.at(0).history.size(), 4u);
}

TEST(pool, a_returned_identifier_cannot_be_returned_again_without_saying_which_assignment_is_meant) {
  world w{rules_of(lifecycle::uin, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  (void)w.issue({}).value();
  (void)w.step(0, id_event::give_back).value();
  EXPECT_EQ(w.step(0, id_event::give_back).error().code, errc::conflict);
  EXPECT_FALSE(w.step(0, id_event::give_back, 1).value().changed) << "a client that retries gets its answer";
}

TEST(pool, lifecycles_refuse_what_they_do_not_know) {
  for (const auto& [l, event] : {std::pair{lifecycle::pool, id_event::confirm},
                                 {lifecycle::pool, id_event::give_back},
                                 {lifecycle::pool, id_event::revoke},
                                 {lifecycle::uin, id_event::revoke},
                                 {lifecycle::vid, id_event::confirm},
                                 {lifecycle::vid, id_event::give_back}}) {
    world w{rules_of(l, 3)};
    ASSERT_TRUE(w.propose(0, 3));
    (void)w.issue({}).value();
    EXPECT_EQ(w.step(0, event).error().code, errc::conflict) << to_string(l) << " " << to_string(event);
  }
  world w{rules_of(lifecycle::uin, 3)};
  EXPECT_EQ(w.step(0, id_event::confirm).error().code, errc::not_found);
}

TEST(pool, a_vid_expires_cools_off_to_the_millisecond_and_returns) {
  world w{rules_of(lifecycle::vid, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  const auto expiry = noon + hours{1};
  (void)w.issue({.expires_at = expiry}).value();
  EXPECT_EQ(w.run_due(expiry - milliseconds{1}).expired, 0u);
  EXPECT_EQ(w.run_due(expiry).expired, 1u);
  EXPECT_EQ(w.records.at(0).state, id_state::expired);
  EXPECT_EQ(w.issue({}).error().code, errc::refilling) << "cooling off: not gone for good";
  EXPECT_EQ(w.run_due(expiry + hours{24} - milliseconds{1}).released, 0u);
  EXPECT_EQ(w.run_due(expiry + hours{24}).released, 1u);
  EXPECT_EQ(w.issue({}).value().assignments.at(0), 2u);
}

TEST(pool, a_late_expirer_counts_the_cool_off_from_the_expiry_and_not_from_its_run) {
  world w{rules_of(lifecycle::vid, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  (void)w.issue({.expires_at = noon + hours{1}}).value();
  const auto done = w.run_due(noon + hours{1} + hours{24});
  EXPECT_EQ(done.expired, 1u);
  EXPECT_EQ(done.released, 1u);
}

TEST(pool, a_revoked_vid_is_not_expired_again_and_its_old_due_row_does_not_touch_the_next_assignment) {
  world w{rules_of(lifecycle::vid, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  const auto expiry = noon + std::chrono::days{10};
  (void)w.issue({.expires_at = expiry}).value();
  EXPECT_EQ(w.step(0, id_event::revoke, 1).value().record.state, id_state::expired);
  EXPECT_FALSE(w.step(0, id_event::revoke, 1).value().changed);
  EXPECT_EQ(w.run_due(noon + hours{24}).released, 1u);
  (void)w.issue({}, noon + hours{25}).value(); // perpetual, to somebody else
  EXPECT_EQ(w.step(0, id_event::revoke, 1).error().code, errc::stale_assignment);
  EXPECT_EQ(w.run_due(expiry + hours{1}).expired, 0u);
  EXPECT_EQ(w.records.at(0).state, id_state::assigned);
}

TEST(pool, what_was_in_a_restored_backup_is_retired_when_it_ends) {
  for (const auto l : {lifecycle::uin, lifecycle::vid}) {
    world w{rules_of(l, 9)};
    ASSERT_TRUE(w.propose(0, 9));
    (void)w.issue({}).value(); // counter 0
    auto restored = w.pool_.counters();
    restored.reuse_from = restored.issued_to;
    w.pool_ = pool(w.rules_, restored);
    ASSERT_TRUE(w.propose(1, 9));
    (void)w.issue({}).value(); // counter 3
    for (const std::uint64_t counter : {0, 3}) {
      const auto ended = w.step(counter, l == lifecycle::uin ? id_event::give_back : id_event::revoke, 1);
      ASSERT_TRUE(ended);
    }
    (void)w.run_due(noon + hours{24});
    EXPECT_EQ(w.records.at(0).state, id_state::retired) << "it may be somebody else's by now";
    EXPECT_EQ(w.records.at(3).state, id_state::available);
    const auto again = w.step(0, l == lifecycle::uin ? id_event::give_back : id_event::revoke, 1);
    EXPECT_EQ(again.has_value() && !again->changed, l == lifecycle::uin) << "a client that asks again gets its answer";
    w.check();
  }
}

TEST(pool_counters, of_the_first_version_of_the_row_are_read) {
  byte_writer old;
  old.u8(1);
  for (std::uint64_t n = 1; n <= 11; ++n) old.varint(n);
  old.varint(to_unix_ms(noon));
  const auto read = decode_pool_counters(old.str());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->issued_to, 1u);
  EXPECT_EQ(read->issues_total, 11u);
  EXPECT_EQ(read->due_floor, noon);
  EXPECT_EQ(read->reuse_from, 0u);
}

TEST(pool, without_reuse_a_vid_is_retired_for_good) {
  world w{rules_of(lifecycle::vid, 3, reuse_policy::never)};
  ASSERT_TRUE(w.propose(0, 3));
  (void)w.issue({.expires_at = noon + hours{1}}).value();
  EXPECT_EQ(w.run_due(noon + hours{48}).retired, 1u);
  EXPECT_EQ(w.issue({}).error().code, errc::exhausted);
}

TEST(pool, a_released_identifier_comes_back_at_a_random_time_and_not_at_once) {
  world w{rules_of(lifecycle::uin, 3'000)};
  ASSERT_TRUE(w.propose(0, 3'000));
  for (int i = 0; i < 10; ++i) (void)w.issue({}).value();
  for (std::uint64_t c = 0; c < 30; c += 3) (void)w.step(c, id_event::give_back).value();
  // 10 released among 1,000: of 100 draws about one is a released one.
  int reused = 0;
  for (int i = 0; i < 100; ++i) reused += w.issue({}).value().assignments.at(0) > 1 ? 1 : 0;
  EXPECT_LE(reused, 6);
  for (int i = 0; i < 900; ++i) reused += w.issue({}).value().assignments.at(0) > 1 ? 1 : 0;
  EXPECT_EQ(reused, 10) << "all of them in the end";
  EXPECT_TRUE(w.pool_.exhausted());
}

TEST(pool, batches_mix_released_and_fresh_ones_without_repeating_any) {
  world w{rules_of(lifecycle::uin, 3'000)};
  ASSERT_TRUE(w.propose(0, 3'000));
  for (int i = 0; i < 5; ++i) (void)w.issue({.count = 100}).value();
  for (std::uint64_t c = 0; c < 1'500; c += 3) (void)w.step(c, id_event::give_back).value();
  std::set<std::string> seen;
  for (int i = 0; i < 10; ++i) {
    const auto answer = w.issue({.count = 100}).value();
    for (const auto& id : answer.ids) EXPECT_TRUE(seen.insert(id).second);
  }
  EXPECT_EQ(seen.size(), 1'000u);
}

TEST(pool, a_batch_of_the_largest_size_with_long_names_fits_into_one_write) {
  world w{rules_of(lifecycle::vid, 9'000)};
  ASSERT_TRUE(w.propose(0, 9'000));
  auto out = w.pool_.issue({.count = 1'000,
                            .expires_at = noon + hours{1},
                            .holder = std::string(64, 'h'),
                            .by = std::string(64, 'p'),
                            .idempotency_ref = std::string(16, 'k')},
                           noon, w.random, w);
  ASSERT_TRUE(out.has_value());
  std::size_t bytes = encode(out->answer).size();
  for (const auto& [_, r] : out->changes.records) bytes += encode(r).size() + 15;
  EXPECT_EQ(out->changes.due_added.size(), 1u) << "one due row for the whole batch";
  EXPECT_LT(bytes, 250u * 1024);
}

/// Released identifiers with `events` events each, by principals with long names.
world released_ones(std::uint64_t count, int events) {
  world w{rules_of(lifecycle::uin, count * 3)};
  EXPECT_TRUE(w.propose(0, count * 3));
  while (w.pool_.counters().fresh > 0)
    (void)w.issue({.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(w.pool_.counters().fresh, 1'000))});
  for (auto& [_, r] : w.records)
    while (r.history.size() + 1 < static_cast<std::size_t>(events))
      r.advance(noon, id_state::issued, std::string(64, 'p'));
  for (std::uint64_t c = 0; c < count; ++c) EXPECT_TRUE(w.step(c * 3, id_event::give_back));
  return w;
}

TEST(pool, a_batch_of_released_ones_with_long_histories_fits_into_one_write_or_is_refused_with_a_number_that_fits) {
  for (const int events : {1, 4, 12, 32}) {
    auto w = released_ones(1'000, events);
    issue_request asked{.count = 900,
                        .holder = std::string(64, 'h'),
                        .by = std::string(64, 'p'),
                        .idempotency_ref = std::string(16, 'k')};
    auto out = w.pool_.issue(asked, noon, w.random, w);
    if (!out) {
      ASSERT_EQ(out.error().code, errc::invalid_argument) << events;
      asked.count =
          static_cast<std::uint32_t>(std::stoul(out.error().message.substr(out.error().message.rfind("most") + 5)));
      EXPECT_GE(asked.count, 50u) << events;
      EXPECT_EQ(w.pool_.counters().released, 1'000u) << "a refusal changes nothing";
      out = w.pool_.issue(asked, noon, w.random, w);
    }
    ASSERT_TRUE(out.has_value()) << events << ": " << out.error().message;
    std::size_t bytes = encode(out->answer).size();
    for (const auto& [_, r] : out->changes.records) bytes += encode(r).size() + 16;
    bytes += out->changes.released_slots.size() * 24;
    EXPECT_LT(bytes, 254u * 1024) << events;
  }
}

TEST(pool, a_cool_off_that_was_made_longer_meanwhile_is_waited_for) {
  world w{rules_of(lifecycle::vid, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  (void)w.issue({.expires_at = noon + hours{1}}).value();
  EXPECT_EQ(w.run_due(noon + hours{1}).expired, 1u);
  auto longer = w.rules_;
  longer.cool_off = hours{240};
  w.pool_ = pool(longer, w.pool_.counters());
  EXPECT_EQ(w.run_due(noon + hours{1} + hours{240} - milliseconds{1}).released, 0u);
  EXPECT_EQ(w.run_due(noon + hours{1} + hours{240}).released, 1u);
}

TEST(pool, an_ended_assignment_lets_its_idempotency_record_go_after_the_retention) {
  world w{rules_of(lifecycle::uin, 3)};
  ASSERT_TRUE(w.propose(0, 3));
  (void)w.issue({.idempotency_ref = std::string(16, 'k')}).value();
  (void)w.step(0, id_event::give_back).value();
  ASSERT_EQ(w.due.size(), 1u);
  EXPECT_EQ(w.due[0].kind, due_kind::purge);
  EXPECT_EQ(w.due[0].at, noon + keep_keys);
}

TEST(over_by, is_the_end_of_the_present_assignment_and_nothing_while_it_is_held) {
  id_record vid;
  vid.assignment = 1;
  vid.advance(noon, id_state::assigned, "p");
  EXPECT_EQ(over_by(vid, 1), std::nullopt) << "it is held";
  EXPECT_EQ(over_by(vid, 2), std::nullopt) << "there was no such assignment yet";
  vid.ended_at = noon + hours{1}; // it expired before the expirer came
  vid.advance(noon + hours{3}, id_state::expired, "expirer");
  EXPECT_EQ(over_by(vid, 1), noon + hours{1});

  id_record uin;
  uin.assignment = 1;
  uin.advance(noon, id_state::issued, "p");
  uin.advance(noon + hours{2}, id_state::available, "p");
  EXPECT_EQ(over_by(uin, 1), noon + hours{2}) << "it was given back";
}

TEST(over_by, is_the_next_issue_of_an_identifier_that_was_handed_on) {
  id_record r;
  for (int n = 1; n <= 4; ++n) {
    r.assignment = static_cast<std::uint32_t>(n);
    r.advance(noon + hours{10 * n}, id_state::issued, "p");
    if (n < 4) r.advance(noon + hours{10 * n + 1}, id_state::available, "p");
  }
  EXPECT_EQ(over_by(r, 1), noon + hours{20});
  EXPECT_EQ(over_by(r, 2), noon + hours{30});
  EXPECT_EQ(over_by(r, 3), noon + hours{40});
  EXPECT_EQ(over_by(r, 4), std::nullopt);
}

TEST(over_by, is_never_too_early_when_events_were_dropped) {
  id_record r;
  for (int n = 1; n <= 40; ++n) {
    r.assignment = static_cast<std::uint32_t>(n);
    r.advance(noon + hours{10 * n}, id_state::issued, "p");
    r.advance(noon + hours{10 * n + 1}, id_state::available, "p");
  }
  ASSERT_GT(r.history_dropped, 0u);
  const auto oldest_known = r.history[1].at;
  for (int n = 1; n < 40; ++n) {
    const auto over = over_by(r, static_cast<std::uint32_t>(n));
    ASSERT_TRUE(over.has_value()) << n;
    EXPECT_GE(*over, noon + hours{10 * n + 1}) << "assignment " << n;
    EXPECT_EQ(*over, std::max(noon + hours{10 * (n + 1)}, oldest_known)) << "assignment " << n;
  }
}

TEST(pool_policy, orders_a_refill_below_the_threshold_and_never_past_the_end) {
  struct row {
    const char* what;
    pool_level level;
    std::optional<refill_order> expected;
  };
  const pool_limits limits{100, 500};
  for (const auto& r :
       {row{"full", {500, 0, 10, 1000, 0}, {}}, row{"at the threshold", {100, 0, 10, 1000, 0}, {}},
        row{"below", {99, 0, 10, 1000, 0}, refill_order{10, 401}}, row{"all walked", {0, 0, 1000, 1000, 0}, {}},
        row{"a large request", {100, 0, 10, 1000, 800}, refill_order{10, 700}},
        row{"empty at start", {0, 0, 0, 1000, 0}, refill_order{0, 500}}}) {
    const auto got = next_refill(r.level, limits);
    ASSERT_EQ(got.has_value(), r.expected.has_value()) << r.what;
    if (got) {
      EXPECT_EQ(got->from, r.expected->from) << r.what;
      EXPECT_EQ(got->count, r.expected->count) << r.what;
    }
  }
}

TEST(id_record, damaged_bytes_are_refused) {
  id_record r;
  r.id = "5164721753769035";
  r.advance(noon, id_state::assigned, "clerk");
  const auto bytes = encode(r);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_id_record(bytes.substr(0, n)).has_value()) << n;
  EXPECT_FALSE(decode_id_record(bytes + "x").has_value());
  EXPECT_FALSE(decode_id_record(std::string(300, '\xff')).has_value());
}

TEST(id_record, keeps_the_first_and_the_latest_of_a_long_history) {
  id_record r;
  for (int i = 0; i < 100; ++i)
    r.advance(noon + milliseconds{i}, i % 2 ? id_state::available : id_state::issued, "clerk");
  EXPECT_EQ(r.history.size(), id_record::history_max);
  EXPECT_EQ(r.history.front().at, noon);
  EXPECT_EQ(r.history.back().at, noon + milliseconds{99});
  EXPECT_EQ(r.history_dropped, 100 - id_record::history_max);
}

TEST(pool, ends_an_identifier_whose_time_is_over_as_the_expirer_would_and_no_other) {
  world w{rules_of(lifecycle::vid)};
  ASSERT_TRUE(w.propose(0, 30));
  const auto id = w.issue({.expires_at = noon + hours{1}, .of_policy = true}).value().ids.at(0);
  const auto counter = world::counter_of(id);
  EXPECT_TRUE(w.records.at(counter).of_policy);
  const auto early = w.pool_.expire(counter, "clerk", noon + hours{1} - milliseconds{1}, keep_keys, w);
  ASSERT_TRUE(early);
  EXPECT_FALSE(early->changed);
  const auto ended = w.pool_.expire(counter, "clerk", noon + hours{2}, keep_keys, w);
  ASSERT_TRUE(ended && ended->changed);
  w.write(ended->changes);
  EXPECT_EQ(w.records.at(counter).state, id_state::expired);
  EXPECT_EQ(w.records.at(counter).ended_at, noon + hours{1}) << "its cool-off counts from its end";
  EXPECT_FALSE(w.pool_.expire(counter, "clerk", noon + hours{3}, keep_keys, w)->changed) << "once";
  EXPECT_EQ(w.run_due(noon + hours{25}).released, 1u);
  const auto perpetual = world::counter_of(w.issue({}).value().ids.at(0));
  EXPECT_FALSE(w.records.at(perpetual).of_policy);
  EXPECT_FALSE(w.pool_.expire(perpetual, "clerk", noon + hours{999}, keep_keys, w)->changed);
  EXPECT_EQ(w.pool_.expire(999, "clerk", noon, keep_keys, w).error().code, errc::not_found);
}

} // namespace
} // namespace matricula::identifiers
