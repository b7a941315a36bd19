#include "domain/identifiers/profiles.hpp"
#include "fixture.hpp"
#include "storage/identifiers.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/restored_store.hpp"

#include <set>

namespace matricula::storage {
namespace {

using namespace identifiers;

const timestamp noon = at_ms(1'700'000'000'000);

/// A store as a backup has it: a type of 465 identifiers, 60 of its 800 counters issued, 500 walked, two released.
struct restored_store_test : ::testing::Test {
  restored_store_test() {
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
    open = open_store(small_store(directory / "data"));
    fill();
  }

  void fill() {
    batch setup(shard_id{0});
    put(setup, type_setup{type.name, type.number, type.rules.of, describe_space(type), type.key_fingerprint});
    EXPECT_TRUE(commit(*open, setup));
    pool_changes changes;
    pool_counters c{.issued_to = issued_to, .walked_to = walked_to};
    for (const auto& found : walked) {
      if (found.counter >= issued_to) {
        ++c.fresh;
        continue;
      }
      id_record r;
      r.id = std::string(found.id.view());
      r.assignment = 1;
      r.advance(noon, id_state::issued, "clerk");
      if (c.released < 2) {
        r.advance(noon, id_state::available, "clerk");
        changes.released_slots.emplace_back(c.released++, found.counter);
      } else {
        ++c.issued;
      }
      ++c.issues_total;
      changes.records.emplace_back(found.counter, std::move(r));
    }
    c.filtered = walked_to - walked.size();
    batch rows(part.shard);
    put_rows(rows, part, changes, c);
    EXPECT_TRUE(commit(*open, rows));
  }
  [[nodiscard]] pool_counters counters() const { return find_pool(*open->latest(), part).value(); }
  [[nodiscard]] std::uint64_t valid_from(std::uint64_t from, std::uint64_t to) const {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(walked, [&](const candidate& c) { return c.counter >= from && c.counter < to; }));
  }
  void expect_agreement() {
    open.reset();
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids({type});
    const verifier* const all[] = {&ids};
    const auto report = verify(small_store(directory / "data"), decoders, all);
    EXPECT_TRUE(report.ok()) << report.to_json();
    open = open_store(small_store(directory / "data"));
  }

  static constexpr std::uint64_t issued_to = 60;
  static constexpr std::uint64_t walked_to = 500;
  temporary_directory directory;
  id_type type;
  id_partition part;
  std::vector<candidate> walked;
  std::unique_ptr<store> open;
};

TEST_F(restored_store_test, goes_on_inside_of_what_was_walked) {
  const auto before = counters();
  const auto done = settle_restored(*open, type, 200);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->starts_at, 200u);
  EXPECT_EQ(done->retired, 2u);
  const auto after = counters();
  EXPECT_EQ(after.issued_to, 200u);
  EXPECT_EQ(after.walked_to, walked_to);
  EXPECT_EQ(after.granted, valid_from(issued_to, 200));
  EXPECT_EQ(after.fresh, before.fresh - after.granted) << "no more than needed is given up";
  EXPECT_EQ(after.released, 0u);
  EXPECT_EQ(after.retired, 2u);
  EXPECT_EQ(after.reuse_from, 200u);
  EXPECT_TRUE(after.balanced());
  expect_agreement();
}

TEST_F(restored_store_test, goes_on_beyond_what_was_walked) {
  const auto done = settle_restored(*open, type, 700);
  ASSERT_TRUE(done) << done.error().message;
  const auto after = counters();
  EXPECT_EQ(after.issued_to, 700u);
  EXPECT_EQ(after.walked_to, 700u);
  EXPECT_EQ(after.fresh, 0u);
  EXPECT_TRUE(after.balanced());
  expect_agreement();
}

TEST_F(restored_store_test, never_goes_on_beyond_the_end_or_before_where_it_stands) {
  ASSERT_TRUE(settle_restored(*open, type, UINT64_MAX));
  EXPECT_EQ(counters().issued_to, type.rules.end);
  pool all(type.rules, counters());
  EXPECT_TRUE(all.exhausted());
  ASSERT_TRUE(settle_restored(*open, type, 10));
  EXPECT_EQ(counters().issued_to, type.rules.end);
  expect_agreement();
}

TEST_F(restored_store_test, done_again_changes_nothing) {
  ASSERT_TRUE(settle_restored(*open, type, 200));
  const auto once = counters();
  ASSERT_TRUE(settle_restored(*open, type, 200));
  EXPECT_EQ(counters(), once);
}

TEST_F(restored_store_test, retires_any_number_of_identifiers_with_the_longest_histories) {
  pool_counters c{.issued_to = walked_to, .walked_to = walked_to, .filtered = walked_to - walked.size()};
  c.released = c.issues_total = walked.size();
  for (std::size_t slot = 0; slot < walked.size();) {
    pool_changes changes;
    for (std::size_t n = 0; n < 50 && slot < walked.size(); ++n, ++slot) {
      id_record r;
      r.id = std::string(walked[slot].id.view());
      r.holder = std::string(64, 'h');
      r.idempotency_ref = std::string(16, 'k');
      for (std::size_t i = 0; i < id_record::history_max + 2; ++i)
        r.advance(noon, i % 2 == 0 ? id_state::issued : id_state::available, std::string(64, 'p'));
      changes.records.emplace_back(walked[slot].counter, std::move(r));
      changes.released_slots.emplace_back(slot, walked[slot].counter);
    }
    batch rows(part.shard);
    put_rows(rows, part, changes, c);
    ASSERT_TRUE(commit(*open, rows));
  }
  ASSERT_GT(walked.size(), 200u);
  const auto done = settle_restored(*open, type, 0);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->retired, walked.size());
  EXPECT_EQ(counters().released, 0u);
  expect_agreement();
}

TEST_F(restored_store_test, of_another_type_is_refused) {
  type.name = "household";
  EXPECT_EQ(settle_restored(*open, type, 200).error().code, errc::not_found);
}

TEST_F(restored_store_test, gives_tasks_and_leases_numbers_that_nobody_had) {
  const task_numbers lost{500, 900};
  EXPECT_EQ(settle_tasks(*open, lost).value(), lost);
  EXPECT_EQ(find_numbers(*open->latest(), tasks_of_node()).value(), lost);
  EXPECT_EQ(settle_tasks(*open, {400, 1'000}).value(), (task_numbers{500, 1'000})) << "never backwards";
  EXPECT_EQ(settle_tasks(*open, {}).value(), (task_numbers{500, 1'000}));
}

TEST(numbers_by_the_time_of_day, are_beyond_all_that_was_given_out_though_the_same_backup_is_restored_twice) {
  const timestamp first = noon + std::chrono::days{700};
  auto given = numbers_beyond(first);
  // A day of twenty thousand tasks a second, from the number on which the first restore went on.
  given.next_id += 86'400ULL * 20'000;
  given.next_token += 86'400ULL * 20'000;
  const auto second = numbers_beyond(first + std::chrono::days{1});
  EXPECT_GT(second.next_id, given.next_id);
  EXPECT_GT(second.next_token, given.next_token);
  EXPECT_LT(numbers_beyond(first + std::chrono::years{200}).next_id, std::uint64_t{1} << 53);
  EXPECT_EQ(numbers_beyond(timestamp{}), task_numbers{}) << "a clock that was never set promises nothing";
}

TEST(restored_mark, says_as_of_when_and_goes) {
  temporary_directory directory;
  const auto folder = directory / "data";
  std::filesystem::create_directory(folder);
  EXPECT_FALSE(restored_as_of(folder).value().has_value());
  ASSERT_TRUE(mark_restored(folder, {.at = noon}));
  EXPECT_EQ(restored_as_of(folder).value(), noon);
  ASSERT_TRUE(unmark_restored(folder));
  EXPECT_FALSE(restored_as_of(folder).value().has_value());
}

TEST(restored_mark, that_does_not_read_refuses_the_start) {
  temporary_directory directory;
  const auto folder = directory / "data";
  std::filesystem::create_directory(folder);
  for (const auto* text :
       {"", "matricula-restored 1\n", "matricula-restored 1\nas-of noon\n", "matricula-restored 2\n"}) {
    write_bytes(std::filesystem::path(folder) / "RESTORED.matricula", text);
    EXPECT_EQ(restored_as_of(folder).error().code, errc::corrupt) << text;
  }
}

} // namespace
} // namespace matricula::storage
