#include "fixture.hpp"
#include "storage/id_ledger.hpp"
#include "storage/id_trail_verifier.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/unconfirmed.hpp"

#include <fmt/format.h>

namespace matricula::storage {
namespace {

using namespace identifiers;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const timestamp noon = at_ms(1'700'000'000'000);

/// Hands out counters in order and steps them, as the pool does, but with identifiers that are just numbers.
struct id_ledger_test : ::testing::Test {
  temporary_directory directory;
  id_partition part{id_shard("uin"), 3, lifecycle::uin};
  std::unique_ptr<store> open = make();
  pool_counters counters;
  timestamp now = noon;

  std::unique_ptr<store> make() {
    auto s = open_store(small_store(directory / "data"));
    batch setup(shard_id{0});
    put(setup, type_setup{"uin", 3, lifecycle::uin, "length=10", "00ff"});
    EXPECT_TRUE(commit(*s, setup));
    return s;
  }
  void write(pool_changes changes, std::string_view request = "request") {
    const auto rows = open->latest();
    auto ledger = id_ledger::resume(*rows, part);
    ASSERT_TRUE(ledger);
    batch b(part.shard);
    ASSERT_TRUE(ledger->put(b, changes, counters, {"tenant", request},
                            [&](column where, std::string_view key) { return rows->get(where, key); }));
    ASSERT_TRUE(commit(*open, b));
  }
  void issue(std::uint64_t count, const std::string& by = "clerk") {
    pool_changes changes;
    for (std::uint64_t i = 0; i < count; ++i) {
      id_record r;
      r.id = fmt::format("{:010}", counters.issued_to);
      r.assignment = 1;
      r.holder = "person";
      r.advance(now, id_state::issued, by);
      changes.records.emplace_back(counters.issued_to++, std::move(r));
      ++counters.walked_to;
      ++counters.issued;
    }
    write(std::move(changes));
  }
  void step(std::uint64_t counter, id_state to, const std::string& by = "clerk") {
    auto r = find_record(*open->latest(), part, counter).value().value();
    pool_changes changes;
    counters.count(r.state, -1);
    if (to == id_state::available)
      changes.released_slots.emplace_back(counters.released++, counter);
    else
      counters.count(to, 1);
    r.advance(now, to, by);
    changes.records.emplace_back(counter, std::move(r));
    write(std::move(changes));
  }
  std::vector<std::string> unconfirmed_now(timestamp before = timestamp::max()) {
    const auto page = unconfirmed::list(*open->latest(), part, std::nullopt, before, 1'000);
    EXPECT_TRUE(page) << page.error().message;
    std::vector<std::string> out;
    if (page)
      for (const auto& item : page->items) out.push_back(item.record.id);
    return out;
  }
  std::vector<std::string> trail(const id_trail::query& what, std::size_t limit = 1'000) {
    const auto page = id_trail::find(*open->latest(), part, what, {}, limit);
    EXPECT_TRUE(page) << page.error().message;
    std::vector<std::string> out;
    if (page)
      for (const auto& e : page->entries)
        out.push_back(
            fmt::format("{} {} {}>{} {}", e.seq, e.what.id, to_string(e.what.from), to_string(e.what.to), e.what.by));
    return out;
  }
  std::vector<std::string> problems() {
    open.reset();
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids;
    const id_trail_verifier journals;
    const verifier* const all[] = {&ids, &journals};
    const auto report = verify(small_store(directory / "data"), decoders, all);
    open = open_store(small_store(directory / "data"));
    std::vector<std::string> out;
    for (const auto& p : report.problems()) out.push_back(p.message);
    return out;
  }
  void damage(const std::function<void(batch&)>& how) {
    batch b(part.shard);
    how(b);
    ASSERT_TRUE(commit(*open, b));
  }
};

TEST_F(id_ledger_test, every_change_has_its_row_with_who_what_and_when) {
  issue(2);
  now += std::chrono::minutes(1);
  step(1, id_state::assigned, "registrar");
  step(0, id_state::available);
  EXPECT_THAT(trail({}), ElementsAre("3 0000000000 ISSUED>AVAILABLE clerk", "2 0000000001 ISSUED>ASSIGNED registrar",
                                     "1 0000000001 AVAILABLE>ISSUED clerk", "1 0000000000 AVAILABLE>ISSUED clerk"));
  const auto page = id_trail::find(*open->latest(), part, {}, {}, 1);
  const auto& e = page->entries.at(0);
  EXPECT_EQ(e.tenant, "tenant");
  EXPECT_EQ(e.request_id, "request");
  EXPECT_EQ(e.what.holder, "person");
  EXPECT_EQ(e.what.at, now);
  EXPECT_EQ(e.what.assignment, 1u);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(id_ledger_test, the_trail_is_filtered_by_identifier_principal_and_time) {
  issue(3, "anna");
  now += std::chrono::minutes(1);
  step(1, id_state::available, "bert");
  now += std::chrono::minutes(1);
  issue(1, "bert");
  EXPECT_THAT(trail({.counter = 1}),
              ElementsAre("2 0000000001 ISSUED>AVAILABLE bert", "1 0000000001 AVAILABLE>ISSUED anna"));
  EXPECT_THAT(trail({.principal = "bert"}),
              ElementsAre("3 0000000003 AVAILABLE>ISSUED bert", "2 0000000001 ISSUED>AVAILABLE bert"));
  EXPECT_THAT(trail({.from = noon + std::chrono::minutes(1), .to = noon + std::chrono::minutes(2)}), SizeIs(1));
  EXPECT_THAT(trail({.to = noon}), IsEmpty());
  EXPECT_THAT(trail({.counter = 7}), IsEmpty());
}

TEST_F(id_ledger_test, pages_of_the_trail_go_on_where_they_ended_even_within_a_row) {
  issue(5);
  issue(5);
  std::vector<std::string> seen;
  id_trail::cursor from;
  for (;;) {
    const auto page = id_trail::find(*open->latest(), part, {}, from, 3);
    ASSERT_TRUE(page);
    for (const auto& e : page->entries) seen.push_back(e.what.id);
    if (!page->next) break;
    from = *page->next;
  }
  EXPECT_THAT(seen, SizeIs(10));
  EXPECT_EQ(seen.front(), "0000000009");
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 10u);
}

TEST_F(id_ledger_test, a_page_reads_so_many_rows_and_no_more_even_when_nothing_matches) {
  for (std::size_t i = 0; i < id_trail::rows_max + 5; ++i) issue(1);
  const auto first = id_trail::find(*open->latest(), part, {.principal = "nobody"}, {}, 10);
  ASSERT_TRUE(first && first->next);
  EXPECT_THAT(first->entries, IsEmpty());
  EXPECT_EQ(first->next->seq, 5u);
  const auto second = id_trail::find(*open->latest(), part, {.principal = "nobody"}, *first->next, 10);
  EXPECT_FALSE(second->next);
}

TEST_F(id_ledger_test, unconfirmed_ones_are_listed_by_age_until_they_are_confirmed_or_returned) {
  issue(2);
  now += std::chrono::hours(1);
  issue(1);
  EXPECT_THAT(unconfirmed_now(), ElementsAre("0000000000", "0000000001", "0000000002"));
  EXPECT_THAT(unconfirmed_now(noon + std::chrono::hours(1)), ElementsAre("0000000000", "0000000001"));
  step(0, id_state::assigned);
  step(2, id_state::available);
  EXPECT_THAT(unconfirmed_now(), ElementsAre("0000000001"));
  step(1, id_state::assigned);
  EXPECT_THAT(unconfirmed_now(), IsEmpty());
  EXPECT_THAT(rows_of(*open->latest(), column::unconfirmed), IsEmpty());
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(id_ledger_test, a_thousand_of_one_write_share_few_rows_of_the_index) {
  issue(1'000);
  EXPECT_EQ(rows_of(*open->latest(), column::unconfirmed).size(), 16u);
  std::set<std::string> seen;
  std::optional<unconfirmed::cursor> after;
  for (int pages = 0; pages < 5; ++pages) {
    const auto page = unconfirmed::list(*open->latest(), part, after, timestamp::max(), 300);
    ASSERT_TRUE(page);
    for (const auto& item : page->items) EXPECT_TRUE(seen.insert(item.record.id).second);
    // A confirmation between pages takes away the place where the page ended.
    if (page->next) step(page->next->counter, id_state::assigned);
    after = page->next;
    if (!after) break;
  }
  EXPECT_EQ(seen.size(), 1'000u);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(id_ledger_test, a_single_issue_costs_about_a_hundred_bytes_of_trail) {
  issue(1, "registration-client");
  const auto key = journal::row_key(id_trail::chain_of(part), 1);
  const auto bytes = key.size() + open->latest()->get(column::journals, key)->value().size();
  EXPECT_LE(bytes, 100u);
}

TEST_F(id_ledger_test, a_trail_of_a_thousand_with_the_longest_texts_is_bounded) {
  id_trail::note note{std::string(64, 't'), std::string(64, 'r'), {}};
  for (std::uint64_t i = 0; i < 1'000; ++i)
    note.entries.push_back({UINT64_MAX / 2 + (i % 2) * (UINT64_MAX / 2 - i), std::string(32, '9'), UINT32_MAX,
                            id_state::available, id_state::issued, noon, std::string(64, 'p'), std::string(64, 'h'),
                            (std::uint64_t{1} << 42) - 1});
  const auto bytes = id_trail::encode(note, noon);
  EXPECT_LE(bytes.size() + journal::overhead_bytes_max, id_ledger::bytes_max(1'000));
  EXPECT_EQ(*id_trail::decode(bytes, noon), note);
}

TEST_F(id_ledger_test, entries_of_one_write_may_differ_in_time_principal_and_holder) {
  const id_trail::note note{
      "",
      "",
      {{9, "1", 1, id_state::available, id_state::issued, noon, "a", "x", 0},
       {3, "2", 2, id_state::issued, id_state::assigned, noon - std::chrono::hours(1), "b", "", 4}}};
  EXPECT_EQ(*id_trail::decode(id_trail::encode(note, noon), noon), note);
}

TEST_F(id_ledger_test, damage_of_the_trail_is_found) {
  issue(2);
  step(0, id_state::assigned);
  const auto chain = id_trail::chain_of(part);
  const auto whole = rows_of(*open->latest(), column::journals);
  const auto restore = [&] {
    damage([&](batch& b) {
      for (const auto& [key, value] : whole) b.put(column::journals, key, value);
    });
  };
  damage([&](batch& b) { b.erase(column::journals, journal::row_key(chain, 1)); });
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("row 1 is missing")));
  restore();
  damage([&](batch& b) {
    auto value = whole.at(journal::row_key(chain, 2));
    value[value.size() - 10] = static_cast<char>(value[value.size() - 10] ^ 4);
    b.put(column::journals, journal::row_key(chain, 2), value);
  });
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("row 2 was changed")));
  restore();
  EXPECT_THAT(problems(), IsEmpty());
}

TEST(id_trail_verifier, checks_the_trail_of_every_issuer_of_a_type) {
  temporary_directory directory;
  const auto issuers = id_partitions("badge", 5, lifecycle::uin, 3);
  const auto report = [&] {
    const id_trail_verifier journals;
    const verifier* const all[] = {&journals};
    row_decoders decoders;
    add_identifier_decoders(decoders);
    return verify(small_store(directory / "data"), decoders, all);
  };
  {
    const auto s = open_store(small_store(directory / "data"));
    batch setup(shard_id{0});
    put(setup, type_setup{"badge", 5, lifecycle::uin, "length=10", "00ff", 3});
    ASSERT_TRUE(commit(*s, setup));
    for (const auto& part : issuers) {
      auto ledger = id_ledger::resume(*s->latest(), part).value();
      pool_changes changes;
      id_record r;
      r.id = fmt::format("{:010}", part.issuer);
      r.assignment = 1;
      r.advance(noon, id_state::issued, "clerk");
      changes.records.emplace_back(part.issuer, r);
      batch b(part.shard);
      ASSERT_TRUE(ledger.put(b, changes, {.issued_to = 1, .walked_to = 1, .issued = 1}, {},
                             [&](column where, std::string_view key) { return s->latest()->get(where, key); }));
      ASSERT_TRUE(commit(*s, b));
    }
  }
  const auto good = report();
  EXPECT_TRUE(good.ok()) << good.to_json();
  EXPECT_EQ(good.counts().at("audit trail rows of type badge"), 3U);
  {
    const auto s = open_store(small_store(directory / "data"));
    const auto key = journal::row_key(id_trail::chain_of(issuers[1]), 1);
    auto value = rows_of(*s->latest(), column::journals).at(key);
    value[value.size() - 10] = static_cast<char>(value[value.size() - 10] ^ 4);
    batch b(issuers[1].shard);
    b.put(column::journals, key, value);
    ASSERT_TRUE(commit(*s, b));
  }
  const auto bad = report();
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(bad.problems().front().message,
              testing::AllOf(HasSubstr("type badge/1: "), HasSubstr("row 1 was changed")));
}

TEST_F(id_ledger_test, a_record_that_was_changed_behind_the_trail_is_found) {
  issue(2);
  auto r = find_record(*open->latest(), part, 1).value().value();
  r.history.back().by = "somebody else";
  damage([&](batch& b) { b.put(part.records(), part.record_key(1), encode(r)); });
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("the record's history does not have it")));
  r.journal_seq = 0;
  damage([&](batch& b) { b.put(part.records(), part.record_key(1), encode(r)); });
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("the record knows nothing of it")));
  r.journal_seq = 9;
  damage([&](batch& b) { b.put(part.records(), part.record_key(1), encode(r)); });
  EXPECT_THAT(problems(), testing::Contains(
                              HasSubstr("2 records name a latest row of the audit trail, 1 of these rows name them")));
}

TEST_F(id_ledger_test, an_index_that_does_not_agree_with_the_records_is_found) {
  issue(2);
  const auto rows = rows_of(*open->latest(), column::unconfirmed);
  damage([&](batch& b) { b.erase(column::unconfirmed, rows.begin()->first); });
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("the index of unconfirmed ones does not have it")));
}

TEST_F(id_ledger_test, a_store_of_before_there_was_an_index_gets_one_when_it_is_opened) {
  open.reset();
  auto older = small_store(directory / "older");
  older.format = 1;
  older.migrations = {};
  {
    const auto s = open_store(older);
    batch b(part.shard), setup(shard_id{0});
    put(setup, type_setup{"uin", 3, lifecycle::uin, "length=10", "00ff"});
    ASSERT_TRUE(commit(*s, setup));
    pool_changes changes;
    for (std::uint64_t i = 0; i < 3; ++i) {
      id_record r;
      r.id = fmt::format("{:010}", i);
      r.assignment = 1;
      r.advance(noon, id_state::issued, "clerk");
      if (i == 1) r.advance(noon, id_state::assigned, "clerk");
      changes.records.emplace_back(i, r);
    }
    counters = {.issued_to = 3, .walked_to = 3, .issued = 2, .assigned = 1};
    put_rows(b, part, changes, counters);
    ASSERT_TRUE(commit(*s, b));
  }
  open = open_store(small_store(directory / "older"));
  EXPECT_THAT(unconfirmed_now(), ElementsAre("0000000000", "0000000002"));
  step(0, id_state::assigned);
  EXPECT_THAT(unconfirmed_now(), ElementsAre("0000000002"));
  EXPECT_THAT(trail({.counter = 0}), ElementsAre("1 0000000000 ISSUED>ASSIGNED clerk"));
  open.reset();
  const id_trail_verifier journals;
  const verifier* const all[] = {&journals};
  row_decoders decoders;
  add_identifier_decoders(decoders);
  const auto report = verify(small_store(directory / "older"), decoders, all);
  EXPECT_TRUE(report.ok()) << report.to_json();
}

TEST_F(id_ledger_test, a_search_for_the_oldest_begins_where_it_was_found_last) {
  issue(1);
  const auto rows = open->latest();
  auto ledger = id_ledger::resume(*rows, part);
  batch b(part.shard);
  ledger->raise_floor(b, noon + std::chrono::hours(1), 1);
  ASSERT_TRUE(commit(*open, b));
  EXPECT_THAT(unconfirmed_now(), IsEmpty()) << "the floor is believed";
  now = noon - std::chrono::hours(2);
  issue(1);
  EXPECT_THAT(unconfirmed_now(), SizeIs(2)) << "an issue from before it lowers it";
}

TEST_F(id_ledger_test, a_floor_does_not_pass_what_was_imported_since_somebody_looked) {
  issue(1); // row 1 of the trail; the look is taken here
  const auto rows = open->latest();
  const auto read = [&](column where, std::string_view key) { return rows->get(where, key); };
  auto ledger = id_ledger::resume(*rows, part);
  ASSERT_TRUE(ledger);
  const auto put_issued_at = [&](timestamp at, timestamp begun) {
    id_record r;
    r.id = fmt::format("{:010}", counters.issued_to);
    r.assignment = 1;
    r.advance(begun, id_state::issued, "import");
    pool_changes changes;
    changes.records.emplace_back(counters.issued_to++, std::move(r));
    if (at != begun) {
      id_record fresh;
      fresh.id = fmt::format("{:010}", counters.issued_to);
      fresh.assignment = 1;
      fresh.advance(at, id_state::issued, "clerk");
      changes.records.emplace_back(counters.issued_to++, std::move(fresh));
    }
    batch b(part.shard);
    ASSERT_TRUE(ledger->put(b, changes, counters, {}, read));
    ASSERT_TRUE(commit(*open, b));
  };
  const auto raise = [&](timestamp to, std::uint64_t seen) {
    batch b(part.shard);
    ledger->raise_floor(b, to, seen);
    EXPECT_TRUE(b.empty() || commit(*open, b));
    return unconfirmed::find_floor(*open->latest(), part).value();
  };
  using std::chrono::hours;
  put_issued_at(noon + hours(1), noon + hours(1));
  EXPECT_EQ(raise(noon - hours(9), 1), noon - hours(9)) << "what is issued now stands in nobody's way";
  put_issued_at(noon + hours(2), noon - hours(5)); // above the floor, but below what was seen to be the beginning
  EXPECT_EQ(raise(noon, 1), noon - hours(9)) << "it would hide the import";
  EXPECT_EQ(raise(noon, 2), noon - hours(9));
  EXPECT_THAT(unconfirmed_now(), SizeIs(4));
  EXPECT_EQ(raise(noon - hours(5), 3), noon - hours(5)) << "whoever has seen it knows";
  EXPECT_THAT(unconfirmed_now(), SizeIs(4));
  auto next = id_ledger::resume(*open->latest(), part);
  batch b(part.shard);
  next->raise_floor(b, noon, 2);
  EXPECT_TRUE(b.empty()) << "what a predecessor wrote may have been such";
}

} // namespace
} // namespace matricula::storage
