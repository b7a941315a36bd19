// Rows of imported identifiers: found by their text, checked against each other, kept out of what a restore passes
// over.
#include "domain/identifiers/profiles.hpp"
#include "fixture.hpp"
#include "storage/id_ledger.hpp"
#include "storage/id_trail_verifier.hpp"
#include "storage/identifiers.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/restored_store.hpp"

#include <fmt/format.h>

namespace matricula::storage {
namespace {

using namespace identifiers;

const timestamp noon = at_ms(1'700'000'000'000);
constexpr std::uint64_t walked_to = 500;

/// A store with a type of 465 identifiers of which 500 of 800 counters are walked, none issued, and the valid ones
/// number 3 and 5 imported, beside one that breaks the rules.
struct imports_test : ::testing::Test {
  imports_test() {
    type_options o;
    o.name = "farmer";
    o.profile = "openg2p";
    o.format = {alphabet::digits, 4, *find_profile("openg2p")};
    o.of = lifecycle::uin;
    o.limits = {20, 60};
    seeded_random random{1};
    type = make_type(o, *permutation_key::from_bytes("0123456789abcdef0123456789abcdef"), random).value();
    type.number = 3;
    part = {id_shard(type.name), type.number, type.rules.of};
    (void)type.space->walk({0, walked_to}, walked);
  }
  void fill(const std::function<void(batch&)>& damage = [](batch&) {}) {
    std::filesystem::remove_all(directory / "data");
    open = open_store(small_store(directory / "data"));
    batch setup(shard_id{0});
    put(setup, type_setup{type.name, type.number, type.rules.of, describe_space(type), type.key_fingerprint});
    ASSERT_TRUE(commit(*open, setup));
    pool now(type.rules, {});
    ASSERT_TRUE(now.accept({0, walked_to, walked}));
    struct : pool_rows {
      result<std::optional<id_record>> record(std::uint64_t) override { return std::nullopt; }
      result<std::uint64_t> released_at(std::uint64_t) override { return fail(errc::corrupt, "nothing is released"); }
      result<std::optional<std::uint64_t>> imported_at(std::string_view) override { return std::nullopt; }
    } nothing;
    std::vector<import_row> loaded(3);
    loaded[0] = {id(3), walked.at(3).counter, false, id_state::issued, {}, {}, ""};
    loaded[1] = {id(5), walked.at(5).counter, false, id_state::assigned, {}, {}, "holder"};
    loaded[2] = {"OLD-1", std::nullopt, true, id_state::issued, {}, {}, ""};
    const auto out = now.import(loaded, noon, nothing).value();
    batch rows(part.shard);
    auto ledger = id_ledger::resume(*open->latest(), part).value();
    auto changes = out.changes;
    ASSERT_TRUE(ledger.put(rows, changes, now.counters(), {},
                           [&](column where, std::string_view key) { return open->latest()->get(where, key); }));
    damage(rows);
    ASSERT_TRUE(commit(*open, rows));
  }
  /// The rows of a store, to a pool.
  struct import_rows : pool_rows {
    import_rows(const store& of, const id_partition& at) : in(of), part(at) {}
    result<std::optional<id_record>> record(std::uint64_t counter) override {
      return find_record(*in.latest(), part, counter);
    }
    result<std::uint64_t> released_at(std::uint64_t) override { return fail(errc::corrupt, "nothing is drawn"); }
    result<std::optional<std::uint64_t>> imported_at(std::string_view text) override {
      return find_import(*in.latest(), part, text);
    }
    const store& in;
    const id_partition& part;
  };
  [[nodiscard]] std::string id(std::size_t n) const { return std::string(walked.at(n).id.view()); }
  [[nodiscard]] pool_counters counters() const { return find_pool(*open->latest(), part).value(); }
  verify_report verify_now() {
    open.reset();
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids({type});
    const id_trail_verifier journals;
    const verifier* const all[] = {&ids, &journals};
    return verify(small_store(directory / "data"), decoders, all);
  }

  temporary_directory directory;
  id_type type;
  id_partition part;
  std::vector<candidate> walked;
  std::unique_ptr<store> open;
};

TEST_F(imports_test, are_found_by_their_text) {
  fill();
  const auto find = [&](std::string_view text, bool imports_exist = true) {
    return find_place(*open->latest(), std::span(&part, 1), type, text, imports_exist).value();
  };
  EXPECT_EQ(find(id(3))->counter, import_base);
  EXPECT_EQ(find(id(3))->record->state, id_state::issued);
  EXPECT_EQ(find(id(5))->record->holder, "holder");
  EXPECT_EQ(find("OLD-1")->counter, import_base + 2);
  EXPECT_EQ(find(id(4))->counter, walked.at(4).counter);
  EXPECT_FALSE(find(id(4))->record) << "never issued";
  EXPECT_FALSE(find("OLD-2"));
  EXPECT_FALSE(find(""));
  EXPECT_FALSE(find(std::string(1'000, '7')));
  EXPECT_FALSE(find(std::string("a\0b", 3)));
  EXPECT_FALSE(find("OLD-1", false)) << "nobody looks where nothing was imported";
  EXPECT_TRUE(verify_now().ok());
}

TEST_F(imports_test, can_be_read_by_people) {
  fill();
  std::vector<std::string> shown;
  for (const auto& [key, value] : rows_of(*open->latest(), column::pools)) {
    const auto text = describe_id_row(column::pools, key, value);
    ASSERT_TRUE(text) << text.error().message;
    shown.push_back(*text);
    for (std::size_t n = 0; n < value.size(); ++n)
      EXPECT_FALSE(describe_id_row(column::pools, key, value.substr(0, n)));
  }
  EXPECT_THAT(shown, testing::Contains(testing::HasSubstr(R"("imported":"OLD-1","counter":9223372036854775810)")));
  EXPECT_THAT(shown, testing::Contains(testing::HasSubstr(R"("imported":3,"imported_foreign":1)")));
}

TEST_F(imports_test, are_checked_against_each_other) {
  const auto no_longer = [&](id_record r, auto change) {
    change(r);
    return encode(r);
  };
  const auto record = [&](const char* text, bool foreign) {
    id_record r;
    r.id = text;
    r.foreign = foreign;
    r.assignment = 1;
    r.advance(noon, id_state::issued, "import");
    return r;
  };
  struct damage {
    const char* what;
    std::function<void(batch&)> plant;
    const char* expected;
  };
  const damage damages[] = {
      {"no index row", [&](batch& b) { b.erase(column::pools, part.import_key(id(3))); }, "does not lead to it"},
      {"an index row that leads elsewhere",
       [&](batch& b) { b.put(column::pools, part.import_key(id(3)), std::string("\x01")); }, "does not lead to it"},
      {"an index row of nobody", [&](batch& b) { b.put(column::pools, part.import_key("X"), std::string("\x01")); },
       "imported, by the index"},
      {"an index row that leads to another's record",
       [&](batch& b) { b.put(column::pools, part.import_key(id(3)), std::string("\x01")); },
       "the index leads to counter 9223372036854775809, which holds something else"},
      {"no record", [&](batch& b) { b.erase(part.records(), part.record_key(import_base)); }, "imported: the counter"},
      {"a record beyond the slots",
       [&](batch& b) { b.put(part.records(), part.record_key(import_base + 9), encode(record("OLD-9", true))); },
       "never issued"},
      {"a valid one that is called foreign",
       [&](batch& b) {
         b.put(part.records(), part.record_key(import_base),
               no_longer(record(id(3).c_str(), false), [](id_record& r) { r.foreign = true; }));
       },
       "whether it breaks the rules"},
      {"one that was issued here too",
       [&](batch& b) {
         b.put(part.records(), part.record_key(walked.at(3).counter), encode(record(id(3).c_str(), false)));
       },
       "two records"},
  };
  for (const auto& d : damages) {
    SCOPED_TRACE(d.what);
    fill(d.plant);
    const auto report = verify_now();
    EXPECT_TRUE(std::ranges::any_of(report.problems(), [&](const problem& p) {
      return p.message.find(d.expected) != std::string::npos;
    })) << report.to_json();
  }
}

TEST_F(imports_test, are_none_of_what_a_restore_passes_over) {
  fill();
  const auto before = counters();
  const auto to = walked.at(6).counter; // past both imported ones
  const auto settled = settle_restored(*open, type, to);
  ASSERT_TRUE(settled) << settled.error().message;
  const auto after = counters();
  EXPECT_TRUE(after.balanced());
  EXPECT_EQ(after.granted, 4U) << "six valid ones, of which two were imported";
  EXPECT_EQ(after.fresh, before.fresh - 4);
  EXPECT_TRUE(verify_now().ok());
}

struct longest {
  const char* what;
  lifecycle of;
  id_state state;
  bool expires;
  std::size_t id_bytes;
  std::size_t holder_bytes;
};
void PrintTo(const longest& l, std::ostream* out) { *out << l.what; }

class the_room_for_an_import : public ::testing::TestWithParam<longest> {};

TEST_P(the_room_for_an_import, is_enough_for_rows_that_have_nothing_in_common) {
  const auto& [what, of, state, expires, id_bytes, holder_bytes] = GetParam();
  const id_partition part{{7}, 65'535, of};
  pool_rules rules;
  rules.of = of;
  // The largest numbers that there may be.
  pool_counters counters;
  counters.imported = counters.imported_foreign = counters.issues_total = UINT64_MAX >> 2;
  counters.assigned = counters.issued = counters.cooling = UINT64_MAX >> 3;
  counters.due_floor = noon;
  pool now(rules, counters);
  struct : pool_rows {
    result<std::optional<id_record>> record(std::uint64_t) override { return std::nullopt; }
    result<std::uint64_t> released_at(std::uint64_t) override { return fail(errc::corrupt, "nothing is released"); }
  } nothing;
  const auto longest_time = at_ms(253'402'300'799'000); // the end of the year 9999
  for (const std::size_t count : {1, 2, 150, 500}) {
    std::vector<import_row> rows;
    for (std::size_t i = 0; i < count; ++i) {
      import_row row;
      row.id = fmt::format("{:0>{}}", i, id_bytes);
      row.foreign = true;
      row.state = state;
      row.issued_at = noon - milliseconds{static_cast<std::int64_t>(i) * 1'000'000'000};
      if (expires) row.expires_at = (state == id_state::expired ? noon : longest_time) - milliseconds{i * 1'001};
      row.holder = std::string(holder_bytes, 'h') + fmt::format("{:04}", i);
      rows.push_back(std::move(row));
    }
    temporary_directory directory;
    const auto open = open_store(small_store(directory / "data"));
    auto ledger = id_ledger::resume(*open->latest(), part);
    ASSERT_TRUE(ledger);
    auto out = now.import(rows, noon, nothing);
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(out->changes.records.size(), count);
    batch b(part.shard);
    ASSERT_TRUE(
        ledger->put(b, out->changes, now.counters(), {std::string(64, 't'), std::string(64, 'r')},
                    [](column, std::string_view) -> result<std::optional<std::string>> { return std::nullopt; }));
    std::size_t room = id_ledger::import_bytes_beside;
    for (const auto& row : rows) room += id_ledger::import_bytes(row);
    EXPECT_LE(b.bytes(), room) << count;
    EXPECT_TRUE(count < 100 || b.bytes() * 2 > room) << "not much more than is needed: " << b.bytes() << " of " << room;
    EXPECT_LE(b.operations(), batch::operations_max);
  }
}

INSTANTIATE_TEST_SUITE_P(
    of, the_room_for_an_import,
    ::testing::Values(longest{"assigned_uins", lifecycle::uin, id_state::assigned, false, 64, 60},
                      longest{"issued_uins", lifecycle::uin, id_state::issued, false, 64, 60},
                      longest{"perpetual_vids", lifecycle::vid, id_state::assigned, false, 64, 60},
                      longest{"vids_that_expire", lifecycle::vid, id_state::assigned, true, 64, 60},
                      longest{"expired_vids", lifecycle::vid, id_state::expired, true, 64, 60},
                      longest{"short_expired_vids", lifecycle::vid, id_state::expired, true, 16, 60},
                      longest{"vids_that_ended_before_their_time", lifecycle::vid, id_state::expired, false, 64, 60},
                      longest{"taken_ones", lifecycle::pool, id_state::taken, false, 64, 60}),
    [](const auto& one) { return one.param.what; });

TEST_F(imports_test, of_released_identifiers_fit_with_the_longest_histories) {
  // Every record has the most that one can have; import_released_bytes_max bounds how many come along.
  struct : pool_rows {
    result<std::optional<id_record>> record(std::uint64_t counter) override {
      id_record r;
      r.id = fmt::format("{:032}", counter);
      r.assignment = UINT32_MAX - 1;
      r.holder = std::string(64, 'h');
      r.journal_seq = (std::uint64_t{1} << 42) - 1;
      for (std::size_t i = 0; i < id_record::history_max + 2; ++i)
        r.advance(noon, i % 2 == 0 ? id_state::issued : id_state::available, std::string(64, 'p'));
      r.unrecorded = {};
      return std::optional(r);
    }
    result<std::uint64_t> released_at(std::uint64_t slot) override { return slot; }
  } stored;
  pool_rules rules;
  rules.of = lifecycle::uin;
  rules.end = 1'000;
  pool now(rules, {.issued_to = 1'000, .walked_to = 1'000, .released = 1'000});
  std::vector<import_row> rows;
  std::size_t room = id_ledger::import_bytes_beside + import_released_bytes_max;
  for (std::uint64_t i = 0; i < import_rows_max; ++i) {
    import_row row{fmt::format("{:032}", i), i, false, id_state::issued, {}, {}, fmt::format("{:064}", i)};
    room += id_ledger::import_bytes(row);
    rows.push_back(std::move(row));
  }
  fill();
  auto ledger = id_ledger::resume(*open->latest(), part);
  auto out = now.import(rows, noon, stored).value();
  const auto loaded = static_cast<std::size_t>(std::ranges::count(out.verdicts, import_verdict::accepted));
  EXPECT_GT(loaded, 10U);
  EXPECT_EQ(loaded + static_cast<std::size_t>(std::ranges::count(out.verdicts, import_verdict::in_pool)), rows.size());
  batch b(part.shard);
  ASSERT_TRUE(ledger->put(b, out.changes, now.counters(), {},
                          [](column, std::string_view) -> result<std::optional<std::string>> { return std::nullopt; }));
  EXPECT_LE(b.bytes(), room);
  EXPECT_TRUE(b.fits());
  // The same with what only these rows were given room for: nothing is left over for the others to hide it.
  std::size_t of_loaded = id_ledger::import_bytes_beside + import_released_bytes_max;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (out.verdicts[i] == import_verdict::accepted) of_loaded += id_ledger::import_bytes(rows[i]);
  EXPECT_LE(b.bytes(), of_loaded);
}

TEST_F(imports_test, are_none_of_those_that_the_lost_node_may_have_issued) {
  fill();
  // Of the valid ones number 3 and 5 were imported: it issued 0, 1, 2, 4, 6 and so on.
  EXPECT_EQ(index_after(*open, type, 0).value(), 0U);
  EXPECT_EQ(index_after(*open, type, 3).value(), walked.at(2).counter + 1);
  EXPECT_EQ(index_after(*open, type, 4).value(), walked.at(4).counter + 1);
  EXPECT_EQ(index_after(*open, type, 5).value(), walked.at(6).counter + 1);
  std::vector<candidate> all;
  (void)type.space->walk({}, all);
  EXPECT_EQ(index_after(*open, type, all.size() - 2).value(), all.back().counter + 1);
  EXPECT_EQ(index_after(*open, type, UINT64_MAX).value(), type.rules.end);
  ASSERT_TRUE(settle_restored(*open, type, walked.at(4).counter + 1));
  EXPECT_EQ(index_after(*open, type, 1).value(), walked.at(6).counter + 1) << "it counts from where the type stands";
  auto other = type;
  other.name = "household";
  EXPECT_EQ(index_after(*open, other, 1).error().code, errc::not_found);
}

TEST_F(imports_test, are_retired_when_they_end_in_a_restored_store_even_those_that_are_imported_after_it) {
  fill();
  ASSERT_TRUE(settle_restored(*open, type, 0));
  pool now(type.rules, counters());
  import_rows rows{*open, part};
  std::vector<import_row> again(1);
  again[0] = {id(7), walked.at(7).counter, false, id_state::issued, {}, {}, ""};
  const auto out = now.import(again, noon, rows).value();
  ASSERT_EQ(out.verdicts.front(), import_verdict::accepted);
  batch loaded(part.shard);
  put_rows(loaded, part, out.changes, now.counters());
  ASSERT_TRUE(commit(*open, loaded));
  for (const auto slot : {import_base, import_base + 3}) {
    const auto ended =
        now.step(slot, id_event::give_back, std::nullopt, "clerk", noon, std::chrono::hours(1), rows).value();
    EXPECT_EQ(ended.record.state, id_state::retired)
        << "before the restore it may have been returned and issued to somebody else: " << slot - import_base;
  }
}

TEST_F(imports_test, of_the_lost_node_are_taken_over_with_what_became_of_them) {
  fill();
  open.reset();
  copy_directory(directory / "data", directory / "lost");
  open = open_store(small_store(directory / "data"));
  std::vector<std::string> ids;
  {
    // Five hundred and more, so that they take several groups.
    auto lost = open_store(small_store(directory / "lost"));
    pool now(type.rules, counters());
    import_rows rows{*lost, part};
    const auto write = [&](pool_changes changes) {
      auto ledger = id_ledger::resume(*lost->latest(), part).value();
      batch b(part.shard);
      ASSERT_TRUE(ledger.put(b, changes, now.counters(), {},
                             [&](column where, std::string_view key) { return lost->latest()->get(where, key); }));
      ASSERT_TRUE(commit(*lost, b));
    };
    for (int n = 0; n < 700; ++n) ids.push_back("OLD-9" + std::to_string(n));
    ids.push_back(id(8));
    for (std::size_t from = 0; from < ids.size(); from += 100) {
      std::vector<import_row> loaded;
      for (auto i = from; i < std::min(from + 100, ids.size()); ++i) {
        const bool own = ids[i] == id(8);
        loaded.push_back({ids[i],
                          own ? std::optional(walked.at(8).counter) : std::nullopt,
                          !own,
                          id_state::issued,
                          {},
                          {},
                          "person"});
      }
      write(now.import(loaded, noon, rows).value().changes);
    }
    const auto last = import_base + counters().imported + ids.size() - 1;
    write(now.step(last, id_event::give_back, std::nullopt, "clerk", noon, std::chrono::hours(1), rows)->changes);
    EXPECT_EQ(find_record(*lost->latest(), part, last)->value().state, id_state::available) << "and waits for reuse";
    write(now.step(last - 1, id_event::confirm, std::nullopt, "clerk", noon, std::chrono::hours(1), rows)->changes);
  }
  auto read_only = small_store(directory / "lost");
  read_only.read_only = true;
  const auto lost = open_store(read_only);
  const auto before = counters();
  EXPECT_EQ(copy_imports(*open, type, *lost->latest(), std::span(&part, 1)).value(), ids.size());
  const auto copied = counters();
  EXPECT_EQ(copied.imported, before.imported + ids.size());
  EXPECT_EQ(copied.imported_foreign, before.imported_foreign + ids.size() - 1);
  EXPECT_EQ(copied.fresh, before.fresh - 1);
  EXPECT_TRUE(copied.balanced());
  EXPECT_EQ(copy_imports(*open, type, *lost->latest(), std::span(&part, 1)).value(), 0U) << "again";
  EXPECT_EQ(counters(), copied);
  ASSERT_TRUE(settle_restored(*open, type, walked.at(9).counter));
  const auto state_of = [&](const std::string& text) {
    return find_place(*open->latest(), std::span(&part, 1), type, text, true).value()->record->state;
  };
  EXPECT_EQ(state_of(ids.front()), id_state::issued);
  EXPECT_EQ(state_of(ids[ids.size() - 2]), id_state::assigned);
  EXPECT_EQ(state_of(id(8)), id_state::retired) << "somebody else may have it";
  EXPECT_TRUE(verify_now().ok()) << verify_now().to_json();
}

} // namespace
} // namespace matricula::storage
