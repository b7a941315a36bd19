// Rows of imported identifiers: found by their text, checked against each other, kept out of what a restore passes
// over.
#include "domain/identifiers/profiles.hpp"
#include "fixture.hpp"
#include "storage/identifiers.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/restored_store.hpp"

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
    put_rows(rows, part, out.changes, now.counters());
    damage(rows);
    ASSERT_TRUE(commit(*open, rows));
  }
  [[nodiscard]] std::string id(std::size_t n) const { return std::string(walked.at(n).id.view()); }
  [[nodiscard]] pool_counters counters() const { return find_pool(*open->latest(), part).value(); }
  verify_report verify_now() {
    open.reset();
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids({type});
    const verifier* const all[] = {&ids};
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

TEST_F(imports_test, are_none_of_what_a_restore_passes_over_and_are_never_reused_after_it) {
  fill();
  const auto before = counters();
  const auto to = walked.at(6).counter; // past both imported ones
  const auto settled = settle_restored(*open, type, to);
  ASSERT_TRUE(settled) << settled.error().message;
  const auto after = counters();
  EXPECT_TRUE(after.balanced());
  EXPECT_EQ(after.granted, 4U) << "six valid ones, of which two were imported";
  EXPECT_EQ(after.fresh, before.fresh - 4);
  EXPECT_EQ(after.imported_reuse_from, 3U);
  EXPECT_TRUE(verify_now().ok());
}

} // namespace
} // namespace matricula::storage
