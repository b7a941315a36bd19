#include "domain/identifiers/profiles.hpp"
#include "fixture.hpp"
#include "storage/identifiers.hpp"
#include "storage/identifiers_verifier.hpp"

namespace matricula::storage {
namespace {

using namespace identifiers;

const timestamp noon = at_ms(1'700'000'000'000);

/// A store with one vid type: 10 counters walked, 6 valid, one perpetual, one that expires, one cooling off, one back.
struct id_rows_test : ::testing::Test {
  temporary_directory directory;
  id_partition part{id_shard("vid"), 3, lifecycle::vid};

  static id_record record(std::string id, id_state last, std::optional<timestamp> expires = {}) {
    id_record r;
    r.id = std::move(id);
    r.assignment = 1;
    r.expires_at = expires;
    r.advance(noon, id_state::assigned, "clerk");
    if (last == id_state::expired || last == id_state::available) {
      r.ended_at = noon;
      r.advance(noon, id_state::expired, "clerk");
    }
    if (last == id_state::available) r.advance(noon, id_state::available, "expirer");
    return r;
  }
  void fill(const std::function<void(batch&)>& damage = [](batch&) {}) {
    auto open = open_store(small_store(directory / "data"));
    batch setup(shard_id{0});
    put(setup, type_setup{"vid", 3, lifecycle::vid, "length=16", "00ff"});
    ASSERT_TRUE(commit(*open, setup));
    pool_changes changes;
    const auto later = noon + std::chrono::hours(24);
    changes.records = {{0, record("1111", id_state::assigned)},
                       {2, record("2222", id_state::assigned, later)},
                       {3, record("3333", id_state::expired)},
                       {5, record("5555", id_state::available)}};
    changes.released_slots = {{0, 5}};
    changes.due_added = {{later, due_kind::expire, {{2, 1}}, {}}, {later, due_kind::release, {{3, 1}}, {}}};
    pool_counters c{.issued_to = 6,
                    .walked_to = 10,
                    .filtered = 4,
                    .fresh = 2,
                    .released = 1,
                    .assigned = 2,
                    .cooling = 1,
                    .issues_total = 4};
    batch rows(part.shard);
    put_rows(rows, part, changes, c);
    damage(rows);
    ASSERT_TRUE(commit(*open, rows));
  }
  verify_report verify_now() {
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids;
    const verifier* const all[] = {&ids};
    return verify(small_store(directory / "data"), decoders, all);
  }
  static std::string first_problem(const verify_report& r) {
    return r.problems().empty() ? "(none)" : r.problems().front().message;
  }
};

TEST_F(id_rows_test, rows_come_back_as_they_were_put) {
  fill();
  const auto open = open_store(small_store(directory / "data"));
  const auto now = open->latest();
  EXPECT_EQ(find_record(*now, part, 2).value().value().id, "2222");
  EXPECT_FALSE(find_record(*now, part, 1).value().has_value());
  EXPECT_EQ(find_pool(*now, part).value().walked_to, 10u);
  const auto later = noon + std::chrono::hours(24);
  EXPECT_TRUE(find_due(*now, part, timestamp{}, later - milliseconds{1}, 10).value().empty());
  EXPECT_EQ(find_due(*now, part, timestamp{}, later, 10).value().size(), 2u);
  EXPECT_EQ(find_due(*now, part, timestamp{}, later, 1).value().size(), 1u);
  std::vector<std::uint64_t> counters;
  ASSERT_TRUE(
      walk_records(*now, part, 2, [&](std::uint64_t c, const id_record&) { return counters.push_back(c), true; }));
  EXPECT_EQ(counters, (std::vector<std::uint64_t>{2, 3, 5}));
}

TEST_F(id_rows_test, verify_finds_nothing_in_a_good_store) {
  fill();
  const auto report = verify_now();
  EXPECT_TRUE(report.ok()) << first_problem(report);
}

TEST_F(id_rows_test, verify_finds_each_disagreement) {
  struct damage {
    const char* what;
    std::function<void(batch&, const id_partition&)> plant;
    const char* expected;
  };
  const auto later = noon + std::chrono::hours(24);
  const std::vector<damage> damages{
      {"a lost record", [](batch& b, const id_partition& p) { b.erase(p.records(), p.record_key(0)); },
       "assigned: the counter says 2"},
      {"a record out of nowhere",
       [](batch& b, const id_partition& p) {
         b.put(p.records(), p.record_key(8), encode(record("8888", id_state::assigned)));
       },
       "never issued"},
      {"an identifier twice",
       [](batch& b, const id_partition& p) {
         b.put(p.records(), p.record_key(0), encode(record("2222", id_state::assigned)));
       },
       "two records"},
      {"no due row for an expiry",
       [&](batch& b, const id_partition& p) {
         b.erase(column::due, p.due_key({later, due_kind::expire, {{2, 1}}, {}}));
       },
       "expires, but the due index"},
      {"no due row for a release",
       [&](batch& b, const id_partition& p) {
         b.erase(column::due, p.due_key({later, due_kind::release, {{3, 1}}, {}}));
       },
       "never releases it"},
      {"a hole in the released list",
       [](batch& b, const id_partition& p) { b.erase(column::released, p.released_key(0)); }, "has no place 0"},
      {"a released identifier that is in use",
       [](batch& b, const id_partition& p) { b.put(column::released, p.released_key(0), std::string("\x02")); },
       "not available"},
      {"a wrong counter",
       [](batch& b, const id_partition& p) {
         b.put(column::pools, p.pool_key(),
               encode(pool_counters{.issued_to = 6,
                                    .walked_to = 10,
                                    .filtered = 3,
                                    .fresh = 2,
                                    .released = 1,
                                    .issued = 1,
                                    .assigned = 2,
                                    .cooling = 1}));
       },
       "issued: the counter says 1"},
      {"an unbalanced equation",
       [](batch& b, const id_partition& p) {
         b.put(column::pools, p.pool_key(),
               encode(pool_counters{.issued_to = 6,
                                    .walked_to = 11,
                                    .filtered = 4,
                                    .fresh = 2,
                                    .released = 1,
                                    .assigned = 2,
                                    .cooling = 1}));
       },
       "is not the sum"},
      {"a record that does not decode",
       [](batch& b, const id_partition& p) { b.put(p.records(), p.record_key(0), "\x01garbage"); },
       "identifier record"},
      {"a due row before the floor",
       [](batch& b, const id_partition& p) {
         pool_counters c{
             .issued_to = 6, .walked_to = 10, .filtered = 4, .fresh = 2, .released = 1, .assigned = 2, .cooling = 1};
         c.due_floor = noon + std::chrono::hours(48);
         b.put(column::pools, p.pool_key(), encode(c));
       },
       "before the floor"},
  };
  for (const auto& d : damages) {
    SCOPED_TRACE(d.what);
    std::filesystem::remove_all(directory / "data");
    fill([&](batch& b) { d.plant(b, part); });
    const auto report = verify_now();
    EXPECT_FALSE(report.ok());
    EXPECT_TRUE(std::ranges::any_of(report.problems(), [&](const problem& p) {
      return p.message.find(d.expected) != std::string::npos;
    })) << first_problem(report);
  }
}

TEST_F(id_rows_test, every_row_can_be_read_by_people) {
  fill();
  const auto open = open_store(small_store(directory / "data"));
  for (const auto c : {column::vids, column::pools, column::released, column::due})
    for (const auto& [key, value] : rows_of(*open->latest(), c)) {
      const auto text = describe_id_row(c, key, value);
      ASSERT_TRUE(text) << text.error().message;
      EXPECT_EQ(text->front(), '{');
      for (std::size_t n = 0; n < value.size(); ++n) (void)describe_id_row(c, key, value.substr(0, n));
    }
}

TEST(settle_types, gives_numbers_once_and_refuses_what_would_issue_twice) {
  const auto raw = std::string(32, 'k');
  seeded_random random(1);
  const auto make = [&](std::string key, std::size_t length, lifecycle of) {
    return *make_type({.name = "uin",
                       .profile = "mosip-uin",
                       .format = {alphabet::digits, length, *find_profile("mosip-uin")},
                       .of = of,
                       .limits = {1, 10}},
                      *permutation_key::from_bytes(key), random);
  };
  std::vector<id_type> types{make(raw, 6, lifecycle::uin)};
  const auto added = settle_types({}, types);
  ASSERT_TRUE(added);
  ASSERT_EQ(added->size(), 1u);
  EXPECT_EQ(types[0].number, 1);
  EXPECT_TRUE(settle_types(*added, types)->empty()) << "known already";

  const auto refused = [&](id_type changed) {
    std::vector<id_type> now{std::move(changed)};
    const auto settled = settle_types(*added, now);
    return settled ? std::string("accepted") : settled.error().message;
  };
  EXPECT_NE(refused(make(std::string(32, 'x'), 6, lifecycle::uin)).find("fingerprint"), std::string::npos);
  EXPECT_NE(refused(make(raw, 7, lifecycle::uin)).find("length"), std::string::npos);
  EXPECT_NE(refused(make(raw, 6, lifecycle::pool)).find("lifecycle"), std::string::npos);
}

} // namespace
} // namespace matricula::storage
