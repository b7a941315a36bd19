#include "domain/identifiers/profiles.hpp"
#include "fixture.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/restored_store.hpp"
#include "storage/type_keys.hpp"

namespace matricula::storage {
namespace {

using namespace identifiers;

permutation_key key_number(int n) {
  return permutation_key::from_bytes(std::string(31, 'm') + static_cast<char>('a' + n)).value();
}

/// A store whose type has issued 40 of 465 identifiers.
struct type_keys_test : ::testing::Test {
  type_keys_test() {
    type = make();
    open = open_store(small_store(directory / "data"));
    std::vector<id_type> types{type};
    const auto added = settle_types({}, types).value();
    type = types.front();
    batch setup(shard_id{0});
    put(setup, added.front());
    EXPECT_TRUE(commit(*open, setup));
    issue(40);
  }
  static id_type make(int key = 0) {
    type_options o;
    o.name = "farmer";
    o.profile = "openg2p";
    o.format = {alphabet::digits, 4, *find_profile("openg2p")};
    o.of = lifecycle::pool;
    o.limits = {20, 60};
    seeded_random random{1};
    return make_type(o, key_number(key), random).value();
  }
  [[nodiscard]] id_partition part() const { return {id_shard(type.name), type.number, type.rules.of}; }
  [[nodiscard]] pool_counters counters() const { return find_pool(*open->latest(), part()).value(); }
  [[nodiscard]] type_setup setup() const { return find_types(*open->latest()).value().front(); }

  /// As the pool does it, and 30 counters more are walked.
  void issue(std::size_t n) {
    auto c = counters();
    std::vector<candidate> found;
    const auto to = type.space->walk({.from = c.walked_to, .ids_max = n + 5}, found);
    // What was walked before is walked again by a pool that starts; here nothing is.
    ASSERT_EQ(c.issued_to, c.walked_to) << "the test issues once a key";
    pool p(type.rules, c);
    ASSERT_TRUE(p.accept({c.walked_to, to, found}));
    struct no_rows : pool_rows {
      result<std::optional<id_record>> record(std::uint64_t) override { return std::optional<id_record>{}; }
      result<std::uint64_t> released_at(std::uint64_t) override { return fail(errc::corrupt, "nothing"); }
    } rows;
    seeded_random random{5};
    const auto out =
        p.issue({.count = static_cast<std::uint32_t>(n), .by = "clerk"}, at_ms(1'700'000'000'000), random, rows);
    ASSERT_TRUE(out) << out.error().message;
    for (const auto& id : out->answer.ids) ASSERT_TRUE(issued.insert(id).second) << id << " twice";
    batch rows_written(part().shard);
    put_rows(rows_written, part(), out->changes, p.counters());
    ASSERT_TRUE(commit(*open, rows_written));
  }
  void expect_agreement(std::vector<permutation_key> keys) {
    open.reset();
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids({make()}, std::move(keys));
    const verifier* const all[] = {&ids};
    const auto report = verify(small_store(directory / "data"), decoders, all);
    EXPECT_TRUE(report.ok()) << report.to_json();
    open = open_store(small_store(directory / "data"));
  }
  [[nodiscard]] std::string settled(std::vector<permutation_key> keys) const {
    std::vector<id_type> types{make()};
    const auto stored = find_types(*open->latest()).value();
    if (const auto given = settle_keys(stored, types, keys); !given) return given.error().message;
    const auto done = settle_types(stored, types);
    return done ? "accepted" : done.error().message;
  }

  temporary_directory directory;
  std::unique_ptr<store> open;
  id_type type;
  std::set<std::string> issued;
};

} // namespace

TEST_F(type_keys_test, are_replaced_in_one_group_for_everything_that_was_not_issued) {
  const auto before = counters();
  ASSERT_GT(before.walked_to, before.issued_to);
  const auto groups = open->last_group().number;
  const std::vector keys{key_number(0), key_number(1)};
  const auto done = replace_key(*open, type, keys, key_number(1));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(open->last_group().number, groups + 1) << "a crash leaves either the old or the new key";
  EXPECT_EQ(done->from, before.issued_to);
  EXPECT_TRUE(done->old_needed);
  EXPECT_EQ(setup().key_fingerprint, key_number(1).derive("farmer").fingerprint());
  EXPECT_EQ(setup().past_keys, (std::vector<key_period>{{key_number(0).derive("farmer").fingerprint(), done->from}}));
  EXPECT_EQ(counters(), cut_at_issued(before));
  expect_agreement(keys);

  issue(100);
  const std::vector three{key_number(2), key_number(1), key_number(0)};
  ASSERT_TRUE(replace_key(*open, type, three, key_number(2)));
  issue(465 - 140);
  EXPECT_EQ(issued.size(), 465U) << "every identifier, each once";
  expect_agreement(three);
}

TEST_F(type_keys_test, are_found_among_those_that_are_given_in_any_order) {
  const std::vector keys{key_number(0), key_number(1)};
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(1)));
  EXPECT_EQ(settled({key_number(1), key_number(0)}), "accepted");
  EXPECT_EQ(settled({key_number(0), key_number(1)}), "accepted");
  EXPECT_EQ(settled({key_number(2), key_number(0), key_number(1)}), "accepted");
}

TEST_F(type_keys_test, refuse_to_start_without_one_and_name_it) {
  const std::vector keys{key_number(0), key_number(1)};
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(1)));
  const auto old = key_number(0).derive("farmer").fingerprint(), present = key_number(1).derive("farmer").fingerprint();
  const auto without_old = settled({key_number(1)});
  EXPECT_NE(without_old.find("fingerprint " + old), std::string::npos) << without_old;
  EXPECT_NE(without_old.find("identifiers.previous_keys"), std::string::npos) << without_old;
  const auto without_new = settled({key_number(0)});
  EXPECT_NE(without_new.find("made with " + present), std::string::npos) << without_new;
}

TEST_F(type_keys_test, are_never_taken_twice) {
  const std::vector keys{key_number(0), key_number(1)};
  EXPECT_EQ(replace_key(*open, type, keys, key_number(0)).error().code, errc::conflict);
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(1)));
  issue(10);
  EXPECT_EQ(replace_key(*open, type, keys, key_number(0)).error().code, errc::conflict);
  EXPECT_EQ(replace_key(*open, type, keys, key_number(1)).error().code, errc::conflict);
}

TEST_F(type_keys_test, that_issued_nothing_leave_no_trace) {
  const std::vector keys{key_number(0), key_number(1), key_number(2)};
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(1)));
  const auto done = replace_key(*open, type, keys, key_number(2));
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->old_needed);
  EXPECT_EQ(setup().past_keys.size(), 1U);
  EXPECT_EQ(settled({key_number(2), key_number(0)}), "accepted") << "key 1 is not needed";
}

TEST_F(type_keys_test, of_a_setup_come_back_as_they_were_put) {
  const auto old = setup();
  EXPECT_TRUE(old.past_keys.empty());
  const std::vector keys{key_number(0), key_number(1)};
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(1)));
  std::string shown;
  ASSERT_TRUE(open->latest()->walk(column::meta, std::string("\0type/", 6), std::string("\0type0", 6),
                                   [&](std::string_view key, std::string_view value) {
                                     shown = describe_type_setup(key, value).value();
                                     return true;
                                   }));
  EXPECT_NE(shown.find(R"("past_keys":[{"key_fingerprint":")"), std::string::npos) << shown;
}

TEST_F(type_keys_test, follow_the_lost_node_after_a_restore) {
  // The backup is the store as it is; the lost node goes on from it.
  ASSERT_TRUE(open->checkpoint(directory / "backup"));
  const std::vector keys{key_number(2), key_number(1), key_number(0)};
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(1)));
  issue(50);
  ASSERT_TRUE(replace_key(*open, type, keys, key_number(2)));
  issue(60);
  const auto lost = setup();
  const auto lost_at = counters().issued_to;
  open = open_store(small_store(directory / "backup"));
  std::vector<id_type> types{make()};
  ASSERT_TRUE(settle_keys(find_types(*open->latest()).value(), types, keys));
  type = types.front();
  type.number = setup().number;

  const std::vector one{key_number(0)};
  auto unable = type;
  EXPECT_EQ(follow_keys(*open, unable, one, lost).error().code, errc::invalid_argument);
  ASSERT_TRUE(follow_keys(*open, type, keys, lost));
  EXPECT_EQ(setup(), lost);
  ASSERT_TRUE(settle_restored(*open, type, lost_at));
  EXPECT_EQ(counters().issued_to, lost_at);
  EXPECT_TRUE(counters().balanced());
  // The rest of the space comes, and nothing of what the lost node had issued.
  std::vector<candidate> rest;
  (void)type.space->walk({.from = lost_at}, rest);
  EXPECT_EQ(rest.size(), 465U - issued.size());
  for (const auto& c : rest) EXPECT_FALSE(issued.contains(std::string(c.id.view())));

  auto other = lost;
  other.past_keys.front().key_fingerprint = "ff";
  EXPECT_EQ(follow_keys(*open, type, keys, other).error().code, errc::conflict);
}

} // namespace matricula::storage
