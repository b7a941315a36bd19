#include "domain/identifiers/enumeration.hpp"
#include "domain/identifiers/profiles.hpp"
#include "domain/identifiers/rotation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace matricula::identifiers {
namespace {

permutation_key key_number(int n) {
  return permutation_key::from_bytes(std::string(31, 'k') + static_cast<char>('a' + n)).value();
}

/// A type of 4 digits: 800 raw numbers, 465 identifiers.
id_type small_type(lifecycle of = lifecycle::uin) {
  seeded_random random{1};
  type_options o;
  o.name = "farmer";
  o.profile = "openg2p";
  o.format = {alphabet::digits, 4, *find_profile("openg2p")};
  o.of = of;
  o.limits = {20, 60};
  return make_type(o, key_number(0), random).value();
}

std::set<std::string> every_identifier(const id_type& type) {
  std::set<std::string> all;
  enumerate(type.space->format(), [&](std::string_view id) { return all.emplace(id).second; });
  return all;
}

std::vector<candidate> walk(const identifier_space& space, walk_order order) {
  std::vector<candidate> found;
  (void)space.walk(order, found);
  return found;
}

/// A pool and its rows, with the keys of its type.
struct rotating_pool : pool_rows {
  explicit rotating_pool(id_type t) : type(std::move(t)), held(type.rules, {}) {}

  result<std::optional<id_record>> record(std::uint64_t counter) override {
    const auto i = records.find(counter);
    return i == records.end() ? std::optional<id_record>{} : std::optional(i->second);
  }
  result<std::uint64_t> released_at(std::uint64_t slot) override { return released.at(slot); }

  void write(const pool_changes& changes) {
    for (const auto& [counter, record] : changes.records) records[counter] = record;
    for (const auto& [slot, counter] : changes.released_slots) released[slot] = counter;
    ASSERT_TRUE(held.counters().balanced());
  }
  /// False when the type is used up.
  bool issue() {
    for (;;) {
      auto out = held.issue({.count = 1, .by = "clerk"}, timestamp{milliseconds{1}}, random, *this);
      if (!out && out.error().code == errc::refilling && held.held_to() < type.rules.end) {
        const auto to = std::min(type.rules.end, held.held_to() + 50);
        EXPECT_TRUE(held.accept({held.held_to(), to, walk(*type.space, {held.held_to(), to})}));
        continue;
      }
      if (!out) {
        EXPECT_EQ(out.error().code, errc::exhausted) << out.error().message;
        return false;
      }
      write(out->changes);
      const auto& id = out->answer.ids.front();
      EXPECT_EQ(records.at(static_cast<std::uint64_t>(type.space->counter_of(id).value())).id, id);
      issued.insert(id);
      return true;
    }
  }
  void rotate(const permutation_key& to) {
    const auto cut = held.counters().issued_to;
    if (cut > type.space->present_key_from()) past.push_back({present, cut});
    present = to;
    ASSERT_TRUE(give_keys(type, past, present));
    held = pool(type.rules, cut_at_issued(held.counters()));
    EXPECT_TRUE(held.counters().balanced());
    EXPECT_EQ(held.counters().walked_to, cut);
    EXPECT_EQ(held.counters().fresh, 0U);
  }

  id_type type;
  std::vector<past_key> past;
  permutation_key present = key_number(0).derive("farmer");
  pool held;
  seeded_random random{3};
  std::map<std::uint64_t, id_record> records;
  std::map<std::uint64_t, std::uint64_t> released;
  std::multiset<std::string> issued;
};

} // namespace

TEST(rotation, leaves_every_identifier_issued_exactly_once_wherever_the_key_is_replaced) {
  const auto all = every_identifier(small_type());
  ASSERT_EQ(all.size(), 465U);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    seeded_random random{seed};
    rotating_pool world{small_type()};
    std::set<std::size_t> at;
    for (std::uint64_t n = seed % 4; n > 0; --n) at.insert(random.below(470));
    int key = 0;
    while (true) {
      if (at.contains(world.issued.size())) {
        at.erase(world.issued.size());
        world.rotate(key_number(++key));
      }
      if (!world.issue()) break;
    }
    EXPECT_EQ(world.issued.size(), all.size()) << "exact capacity";
    EXPECT_TRUE(std::ranges::equal(std::set(world.issued.begin(), world.issued.end()), all));
    EXPECT_TRUE(world.held.exhausted());
    // What was issued under any key is found under its counter, whatever came later.
    for (const auto& [counter, record] : world.records) {
      EXPECT_EQ(world.type.space->counter_of(record.id), uint128{counter});
      ASSERT_TRUE(world.type.space->id_of(counter));
      EXPECT_EQ(world.type.space->id_of(counter)->view(), record.id);
    }
  }
}

TEST(rotation, hands_returned_identifiers_of_the_old_key_out_again) {
  rotating_pool world{small_type()};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(world.issue());
  const auto returned = world.records.begin()->first;
  const auto stepped = world.held.step(returned, id_event::give_back, std::nullopt, "clerk", timestamp{milliseconds{2}},
                                       milliseconds{1}, world);
  ASSERT_TRUE(stepped);
  world.write(stepped->changes);
  world.rotate(key_number(1));
  while (world.issue()) {
  }
  EXPECT_EQ(world.issued.size(), 466U);
  EXPECT_EQ(world.records.at(returned).assignment, 2U);
}

TEST(rotation, draws_what_comes_with_the_new_key_alone) {
  auto type = small_type();
  const auto foretold = walk(*type.space, {300, 400});
  const std::vector<past_key> past{{key_number(0).derive("farmer"), 300}};
  ASSERT_TRUE(give_keys(type, past, key_number(1).derive("farmer")));
  EXPECT_EQ(type.space->present_key_from(), 300U);
  EXPECT_EQ(type.rules.end, 300U + 800U);
  EXPECT_EQ(type.past_keys, (std::vector<key_period>{{past[0].key.fingerprint(), 300}}));
  EXPECT_EQ(type.key_fingerprint, key_number(1).derive("farmer").fingerprint());
  const auto drawn = walk(*type.space, {300, 400});
  EXPECT_FALSE(std::ranges::equal(drawn, foretold));
  for (const auto& c : drawn) EXPECT_EQ(type.space->id_of(c.counter), c.id);
}

TEST(rotation, walks_across_keys_in_any_stride_and_chunk) {
  auto type = small_type();
  const std::vector<past_key> past{{key_number(0).derive("farmer"), 101}, {key_number(1).derive("farmer"), 333}};
  ASSERT_TRUE(give_keys(type, past, key_number(2).derive("farmer")));
  const auto whole = walk(*type.space, {});
  EXPECT_EQ(whole.size(), 465U);
  std::vector<candidate> in_chunks;
  for (std::uint64_t from = 0; from < type.rules.end; from += 7)
    std::ranges::copy(walk(*type.space, {from, std::min(from + 7, type.rules.end)}), std::back_inserter(in_chunks));
  EXPECT_EQ(in_chunks, whole);
  std::vector<candidate> by_stride;
  for (std::uint64_t from = 0; from < 3; ++from)
    std::ranges::copy(walk(*type.space, {.from = from, .stride = 3}), std::back_inserter(by_stride));
  std::ranges::sort(by_stride, {}, &candidate::counter);
  EXPECT_EQ(by_stride, whole);
}

TEST(rotation, is_refused_where_counters_would_run_out) {
  auto type = small_type();
  const auto before = type.space;
  const auto key = key_number(0).derive("farmer");
  const auto refused = [&](std::vector<past_key> past) { return !give_keys(type, past, key); };
  EXPECT_TRUE(refused({{key, 0}})) << "a key without a counter";
  EXPECT_TRUE(refused({{key, 801}})) << "more counters than numbers";
  EXPECT_TRUE(refused({{key, 400}, {key, 400}}));
  EXPECT_TRUE(refused({{key, 400}, {key, 300}}));
  EXPECT_EQ(type.space, before) << "a refusal changes nothing";

  const id_format wide{alphabet::digits, 19, *find_profile("strict")};
  const auto close = identifier_space::counters_max - 1'000'000'000;
  const auto full = identifier_space::make(wide, key, "wide").value();
  ASSERT_LT(full.domain_size(), uint128{identifier_space::counters_max});
  EXPECT_TRUE(identifier_space::make(wide, std::vector<past_key>{{key, 1'000}}, key, "wide"));
  const auto too_far = std::min<uint128>(full.domain_size(), close);
  const auto made = identifier_space::make(
      wide,
      std::vector<past_key>{{key, static_cast<std::uint64_t>(too_far)},
                            {key, static_cast<std::uint64_t>(2 * too_far)}, // not beyond its numbers
                            {key, static_cast<std::uint64_t>(3 * too_far)}},
      key, "wide");
  if (4 * too_far > identifier_space::counters_max) {
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find("63 bits"), std::string::npos) << made.error().message;
  }
  const id_format endless{alphabet::digits, 32, *find_profile("strict")};
  const auto space = identifier_space::make(endless, std::vector<past_key>{{key, 5'000}}, key, "endless");
  ASSERT_TRUE(space) << "a space above all counters never ends, whatever the key";
  EXPECT_EQ(space->present_key_from(), 5'000U);
}

TEST(a_cut, forgets_what_was_walked_and_not_issued) {
  const pool_counters c{
      .issued_to = 60, .walked_to = 500, .filtered = 200, .fresh = 260, .released = 2, .issued = 35, .granted = 3};
  ASSERT_TRUE(c.balanced());
  const auto cut = cut_at_issued(c);
  EXPECT_TRUE(cut.balanced());
  EXPECT_EQ(cut.walked_to, 60U);
  EXPECT_EQ(cut.fresh, 0U);
  EXPECT_EQ(cut.filtered, 20U);
  EXPECT_EQ(cut.released, 2U);
  EXPECT_EQ(cut_at_issued(cut), cut);
}

} // namespace matricula::identifiers
