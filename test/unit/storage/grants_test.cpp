#include "domain/identifiers/profiles.hpp"
#include "fixture.hpp"
#include "storage/grants.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/restored_store.hpp"

namespace matricula::storage {
namespace {

using namespace identifiers;

const timestamp noon = at_ms(1'700'000'000'000);
constexpr std::uint32_t issuers = 3;

id_type three_issuers(std::uint32_t of = issuers) {
  seeded_random random(1);
  auto type = make_type({.name = "badge",
                         .profile = "mosip-uin",
                         .format = {alphabet::digits, 4, *find_profile("mosip-uin")},
                         .of = lifecycle::uin,
                         .limits = {1, 10},
                         .issuers = of},
                        *permutation_key::from_bytes(std::string(32, 'k')), random);
  if (!type) require(false, type.error().message);
  return std::move(*type);
}

/// A store with a type of three issuers. Issuer 0 has given two identifiers to issuer 1, which has issued one of them,
/// and one that is on its way to issuer 2; issuer 1 has given one of its own to issuer 0, which gave it back.
struct grants_world {
  grants_world() {
    type.number = 5;
    parts = id_partitions(type);
    for (std::uint32_t i = 0; i < issuers; ++i) {
      const auto rules = type.rules_of(i);
      (void)type.space->walk({i, UINT64_MAX, issuers}, of_class[i]);
      for (std::size_t n = 0; n < of_class[i].size(); ++n) (n < 4 ? used[i] : fresh[i]).push_back(of_class[i][n]);
      c[i].issued_to = rules.walks.index(used[i].back().counter) + 1;
      c[i].walked_to = rules.end;
      c[i].fresh = fresh[i].size();
      c[i].filtered = rules.end - of_class[i].size();
    }
  }
  id_record record_of(const candidate& id, id_state state, std::uint32_t granted_to = 0) const {
    id_record r;
    r.id = std::string(id.id.view());
    r.state = state;
    r.granted_to = granted_to;
    if (state == id_state::issued) {
      r.state = id_state::available;
      ++r.assignment;
      r.advance(noon, id_state::issued, "clerk");
    }
    return r;
  }
  void put_record(std::uint32_t at, const candidate& id, id_state state, std::uint32_t granted_to = 0) {
    rows[at].push_back({id.counter, record_of(id, state, granted_to)});
    c[at].count(state, 1);
    if (!issuing_class{at, issuers}.holds(id.counter)) ++c[at].borrowed;
    if (state == id_state::available) released[at].push_back(id.counter);
  }
  void fill(const std::function<void(std::vector<batch>&)>& damage = [](std::vector<batch>&) {}) {
    for (std::uint32_t i = 1; i < issuers; ++i)
      for (const auto& id : used[i])
        if (i != 1 || id.counter != used[1][0].counter) put_record(i, id, id_state::issued);
    put_record(0, used[0][0], id_state::granted, 1);
    put_record(0, used[0][1], id_state::granted, 1);
    put_record(0, used[0][2], id_state::granted, 2);
    put_record(0, used[0][3], id_state::issued);
    put_record(1, used[0][0], id_state::issued);
    put_record(1, used[0][1], id_state::available);
    put_record(1, used[1][0], id_state::available);
    put_record(0, used[1][0], id_state::granted, 1);
    c[0].in_transit = 1;

    std::vector<batch> batches;
    for (std::uint32_t i = 0; i < issuers; ++i) {
      batch b(parts[i].shard);
      pool_changes changes;
      for (const auto& [counter, record] : rows[i]) changes.records.emplace_back(counter, record);
      for (std::size_t n = 0; n < released[i].size(); ++n) changes.released_slots.emplace_back(n, released[i][n]);
      put_rows(b, parts[i], changes, c[i]);
      batches.push_back(std::move(b));
    }
    const auto available = [&](const candidate& id) {
      return granted_id{id.counter, record_of(id, id_state::available)};
    };
    batches[0].put(column::pools, given_key(parts[0], 1), encode(given_grant{2, {}}));
    batches[1].put(column::pools, taken_key(parts[1], 0), encode_taken_grant(2));
    batches[0].put(column::pools, given_key(parts[0], 2), encode(given_grant{1, {available(used[0][2])}}));
    damage(batches);

    auto open = open_store(small_store(directory / "data"));
    batch setup(shard_id{0});
    put(setup, type_setup{type.name, type.number, lifecycle::uin, describe_space(type), type.key_fingerprint, issuers});
    ASSERT_TRUE(commit(*open, setup));
    for (const auto& b : batches) ASSERT_TRUE(commit(*open, b));
  }
  verify_report verify_now() {
    row_decoders decoders;
    add_identifier_decoders(decoders);
    const identifiers_verifier ids({type});
    const verifier* const all[] = {&ids};
    return verify(small_store(directory / "data"), decoders, all);
  }
  static std::string problems_of(const verify_report& r) {
    std::string all;
    for (const auto& p : r.problems()) all += p.message + "\n";
    return all;
  }

  temporary_directory directory;
  id_type type = three_issuers();
  std::vector<id_partition> parts;
  std::vector<candidate> of_class[issuers], used[issuers], fresh[issuers];
  pool_counters c[issuers];
  std::vector<granted_id> rows[issuers];
  std::vector<std::uint64_t> released[issuers];
};
struct grants_test : ::testing::Test, grants_world {};

TEST_F(grants_test, rows_come_back_as_they_were_put) {
  fill();
  const auto open = open_store(small_store(directory / "data"));
  const auto now = open->latest();
  EXPECT_EQ(find_given(*now, parts[0], 1).value().number, 2u);
  EXPECT_EQ(find_given(*now, parts[0], 2).value().ids.front().counter, used[0][2].counter);
  EXPECT_EQ(find_given(*now, parts[1], 2).value().number, 0u);
  EXPECT_EQ(find_taken(*now, parts[1], 0).value(), 2u);
  EXPECT_EQ(find_taken(*now, parts[0], 1).value(), 0u);
}

TEST_F(grants_test, an_identifier_is_found_where_it_is_now) {
  fill();
  const auto open = open_store(small_store(directory / "data"));
  const auto owner = [&](const candidate& id) { return find_owner(*open->latest(), parts, id.counter).value(); };
  EXPECT_EQ(owner(used[0][0]).issuer, 1u);
  EXPECT_EQ(owner(used[0][0]).record->state, id_state::issued);
  EXPECT_EQ(owner(used[0][1]).issuer, 1u);
  EXPECT_FALSE(owner(used[0][1]).record) << "borrowed, and never issued";
  EXPECT_EQ(owner(used[0][2]).issuer, 0u) << "on its way";
  EXPECT_EQ(owner(used[0][3]).issuer, 0u);
  EXPECT_EQ(owner(used[1][0]).issuer, 1u) << "it came home";
  EXPECT_EQ(owner(fresh[2][0]).issuer, 2u);
  EXPECT_FALSE(owner(fresh[2][0]).record);
}

TEST_F(grants_test, verify_finds_nothing_in_a_good_store) {
  fill();
  EXPECT_EQ(problems_of(verify_now()), "");
}

TEST_F(grants_test, verify_finds_each_disagreement) {
  struct one_damage {
    const char* what;
    std::function<void(grants_world&, std::vector<batch>&)> plant;
    const char* expected;
  };
  const std::vector<one_damage> damages{
      {"two owners",
       [](grants_world& t, std::vector<batch>& b) {
         b[0].put(column::uins, t.parts[0].record_key(t.used[0][0].counter),
                  encode(t.record_of(t.used[0][0], id_state::issued)));
       },
       "belongs to two issuers"},
      {"no owner",
       [](grants_world& t, std::vector<batch>& b) {
         b[0].put(column::pools, given_key(t.parts[0], 2), encode(given_grant{1, {}}));
       },
       "does not end at one owner"},
      {"taken, and its number forgotten",
       [](grants_world& t, std::vector<batch>& b) {
         b[0].put(column::pools, given_key(t.parts[0], 1),
                  encode(given_grant{3, {{t.used[0][0].counter, t.record_of(t.used[0][0], id_state::available)}}}));
       },
       "is on its way and has arrived"},
      {"a grant from the future",
       [](grants_world& t, std::vector<batch>& b) {
         b[1].put(column::pools, taken_key(t.parts[1], 0), encode_taken_grant(3));
       },
       "took grant 3"},
      {"a wrong number of those on their way",
       [](grants_world& t, std::vector<batch>& b) {
         auto wrong = t.c[0];
         wrong.in_transit = 2;
         b[0].put(column::pools, t.parts[0].pool_key(), encode(wrong));
       },
       "in transit"},
      {"a wrong number of borrowed ones",
       [](grants_world& t, std::vector<batch>& b) {
         auto wrong = t.c[1];
         ++wrong.borrowed;
         ++wrong.filtered;
         b[1].put(column::pools, t.parts[1].pool_key(), encode(wrong));
       },
       "borrowed: the counter says 3"},
      {"given to the wrong one",
       [](grants_world& t, std::vector<batch>& b) {
         b[0].put(column::uins, t.parts[0].record_key(t.used[0][0].counter),
                  encode(t.record_of(t.used[0][0], id_state::granted, 2)));
       },
       "does not end at one owner"},
  };
  for (const auto& d : damages) {
    SCOPED_TRACE(d.what);
    grants_world world;
    world.fill([&](std::vector<batch>& b) { d.plant(world, b); });
    const auto said = problems_of(world.verify_now());
    EXPECT_NE(said.find(d.expected), std::string::npos) << said;
  }
}

TEST_F(grants_test, every_row_can_be_read_by_people) {
  fill();
  const auto open = open_store(small_store(directory / "data"));
  int grants = 0;
  for (const auto& [key, value] : rows_of(*open->latest(), column::pools)) {
    const auto text = describe_id_row(column::pools, key, value);
    ASSERT_TRUE(text) << text.error().message;
    if (text->find("_issuer") != std::string::npos) ++grants;
    for (std::size_t n = 0; n < value.size(); ++n) (void)describe_id_row(column::pools, key, value.substr(0, n));
    for (std::size_t n = 3; n < key.size(); ++n) (void)describe_id_row(column::pools, key.substr(0, n), value);
  }
  EXPECT_EQ(grants, 3);
}

TEST_F(grants_test, a_settled_restore_hands_out_nothing_that_was_lent_or_on_its_way) {
  fill();
  auto open = open_store(small_store(directory / "data"));
  std::uint64_t retired = 0;
  for (std::uint32_t i = 0; i < issuers; ++i) {
    const auto start_at = type.rules_of(i).walks.index(fresh[i][2].counter);
    const auto done = settle_restored(*open, type, start_at, i);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->starts_at, start_at);
    retired += done->retired;
    const auto now = find_pool(*open->latest(), parts[i]).value();
    EXPECT_TRUE(now.balanced());
    EXPECT_EQ(now.in_transit, 0u);
    EXPECT_EQ(now.released, 0u);
    EXPECT_EQ(now.fresh, fresh[i].size() - 2);
    EXPECT_GE(now.reuse_from, 1u);
    EXPECT_TRUE(settle_restored(*open, type, start_at, i)) << "again";
  }
  EXPECT_EQ(retired, 3u);
  EXPECT_EQ(find_owner(*open->latest(), parts, used[0][2].counter)->record->state, id_state::retired);
  open.reset();
  EXPECT_EQ(problems_of(verify_now()), "");
}

TEST(issuers_of_a_type, have_numbers_of_their_own_and_cannot_be_changed) {
  std::vector<id_type> types{three_issuers()};
  const auto added = settle_types({}, types);
  ASSERT_TRUE(added);
  EXPECT_EQ(added->front().issuers, 3u);
  std::vector<id_type> another{three_issuers(1)};
  another.front().name = "second";
  const auto second = settle_types(*added, another);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->front().number, 4) << "behind the three issuers of the first";
  std::set<std::uint16_t> numbers;
  for (const auto& part : id_partitions(types.front())) EXPECT_TRUE(numbers.insert(part.number).second);

  for (const auto other : {1u, 2u, 4u}) {
    std::vector<id_type> changed{three_issuers(other)};
    const auto refused = settle_types(*added, changed);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("issuing_shards = 3, not"), std::string::npos) << refused.error().message;
  }
}

TEST(issuers_of_a_type, are_kept_in_its_setup_and_old_ones_have_one) {
  temporary_directory directory;
  const auto open = open_store(small_store(directory / "data"));
  batch setups(shard_id{0});
  put(setups, type_setup{"many", 1, lifecycle::uin, "length=16", "00ff", 64});
  put(setups, type_setup{"one", 65, lifecycle::uin, "length=16", "00ff", 1});
  ASSERT_TRUE(commit(*open, setups));
  const auto found = find_types(*open->latest()).value();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].issuers, 64u);
  EXPECT_EQ(found[1].issuers, 1u);
  for (const auto& [key, value] : rows_of(*open->latest(), column::meta))
    if (is_type_key(key)) {
      EXPECT_EQ(value.front(), key.ends_with("one") ? '\x01' : '\x02') << "one issuer is written as ever";
    }
}

TEST(issuers_of_a_type, are_at_most_as_many_as_there_are_shards) {
  seeded_random random(1);
  for (const auto wrong : {0u, 65u}) {
    const auto made = make_type({.name = "badge",
                                 .profile = "mosip-uin",
                                 .format = {alphabet::digits, 4, *find_profile("mosip-uin")},
                                 .limits = {1, 10},
                                 .issuers = wrong},
                                *permutation_key::from_bytes(std::string(32, 'k')), random);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find("1 to 64 issuing shards"), std::string::npos);
  }
}

TEST(issuer_of_key, is_the_same_for_ever) {
  EXPECT_EQ(issuer_of_key("anything", 1), 0u);
  std::map<std::uint32_t, int> spread;
  for (int i = 0; i < 400; ++i) ++spread[issuer_of_key("key " + std::to_string(i), 4)];
  for (const auto& [issuer, count] : spread) EXPECT_GT(count, 50) << issuer;
  EXPECT_EQ(issuer_of_key("0123456789abcdef", 4), issuer_of_key("0123456789abcdef", 4));
  EXPECT_EQ(issuer_of_key("a", 64), hash64("a") % 64);
}

} // namespace
} // namespace matricula::storage
