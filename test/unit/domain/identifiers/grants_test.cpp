#include "domain/identifiers/grants.hpp"
#include "domain/identifiers/issuing_class.hpp"
#include "domain/identifiers/pool.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace matricula::identifiers {
namespace {

const timestamp noon = timestamp{milliseconds{1'700'000'000'000}};
constexpr std::uint64_t counters_of_type = 90;
constexpr std::uint32_t issuers = 3;

/// One issuer and the rows that its store would hold, over identifiers "v<counter>" where every second one is valid.
struct issuer : pool_rows {
  explicit issuer(std::uint32_t number) : pool_(rules_of(number), {}) {}

  static pool_rules rules_of(std::uint32_t number) {
    pool_rules rules{lifecycle::uin, reuse_policy::random, milliseconds{0}, 0, 0.5};
    rules.walks = {number, issuers};
    rules.end = rules.walks.indexes(counters_of_type);
    return rules;
  }
  result<std::optional<id_record>> record(std::uint64_t counter) override {
    const auto i = records.find(counter);
    return i == records.end() ? std::optional<id_record>{} : std::optional(i->second);
  }
  result<std::uint64_t> released_at(std::uint64_t slot) override {
    if (!released.contains(slot)) return fail(errc::corrupt, "no such slot");
    return released.at(slot);
  }
  bool walk(std::uint64_t from, std::uint64_t to) {
    std::vector<candidate> found;
    for (auto i = from; i < to; ++i)
      if (const auto c = pool_.rules().walks.counter(i); c % 2 == 0)
        found.push_back({c, id_text("v" + std::to_string(c))});
    return pool_.accept({from, to, found});
  }
  void walk_all() { ASSERT_TRUE(walk(0, pool_.rules().end)); }
  void write(const pool_changes& changes) {
    for (const auto& [counter, record] : changes.records) {
      EXPECT_EQ(decode_id_record(encode(record)).value(), record);
      records[counter] = record;
    }
    for (const auto& [slot, counter] : changes.released_slots) released[slot] = counter;
    const auto& c = pool_.counters();
    EXPECT_TRUE(c.balanced());
    std::map<id_state, std::uint64_t> states;
    std::uint64_t borrowed = 0;
    for (const auto& [counter, r] : records) {
      ++states[r.state];
      if (!pool_.rules().walks.holds(counter)) ++borrowed;
    }
    EXPECT_EQ(c.granted, states[id_state::granted]);
    EXPECT_EQ(c.released, states[id_state::available]);
    EXPECT_EQ(c.issued, states[id_state::issued]);
    EXPECT_EQ(c.borrowed, borrowed);
  }
  std::vector<granted_id> give(std::uint32_t taker, std::uint64_t wanted) {
    auto out = pool_.grant(taker, wanted, random, *this);
    EXPECT_TRUE(out) << out.error().message;
    if (!out) return {};
    write(out->changes);
    return out->ids;
  }
  result<void> take(const std::vector<granted_id>& ids) {
    auto changes = pool_.take(ids, *this);
    if (!changes) return std::unexpected(changes.error());
    write(*changes);
    return {};
  }
  result<issued_ids> issue(std::uint32_t count = 1) {
    issue_request request;
    request.count = count;
    request.by = "clerk";
    auto out = pool_.issue(request, noon, random, *this);
    if (!out) return std::unexpected(out.error());
    write(out->changes);
    return out->answer;
  }
  result<pool::step_outcome> step(std::uint64_t counter, id_event event, std::optional<std::uint32_t> assignment = {}) {
    auto out = pool_.step(counter, event, assignment, "clerk", noon, milliseconds{1}, *this);
    if (out) write(out->changes);
    return out;
  }

  pool pool_;
  seeded_random random{7};
  std::map<std::uint64_t, id_record> records;
  std::map<std::uint64_t, std::uint64_t> released;
};

std::uint64_t counter_in(const std::string& id) { return std::stoull(id.substr(1)); }

TEST(issuing_class, shares_all_counters_out_and_none_twice) {
  for (std::uint32_t of = 1; of <= 7; ++of)
    for (std::uint64_t end = 0; end < 30; ++end) {
      std::set<std::uint64_t> seen;
      for (std::uint32_t number = 0; number < of; ++number) {
        const issuing_class walks{number, of};
        for (std::uint64_t i = 0; i < walks.indexes(end); ++i) {
          const auto counter = walks.counter(i);
          EXPECT_LT(counter, end);
          EXPECT_TRUE(walks.holds(counter));
          EXPECT_EQ(walks.index(counter), i);
          EXPECT_TRUE(seen.insert(counter).second);
        }
      }
      EXPECT_EQ(seen.size(), end) << of << " issuers";
    }
}

TEST(issuing_class, does_not_overflow_at_the_end_of_the_largest_space) {
  constexpr auto end = UINT64_MAX;
  for (std::uint32_t number : {0u, 1u, 63u}) {
    const issuing_class walks{number, 64};
    const auto last = walks.counter(walks.indexes(end) - 1);
    EXPECT_LT(last, end);
    EXPECT_GE(last, end - 64);
    EXPECT_EQ(walks.index(last), walks.indexes(end) - 1);
  }
}

TEST(issuing_class, leaves_no_issuer_without_a_share_of_a_limit) {
  EXPECT_EQ((issuing_class{0, 1}).share(20'000), 20'000u);
  EXPECT_EQ((issuing_class{2, 3}).share(20'000), 6'667u);
  EXPECT_EQ((issuing_class{2, 64}).share(1), 1u);
}

TEST(an_issuer, walks_and_issues_its_own_class_only) {
  issuer one(1);
  one.walk_all();
  EXPECT_EQ(one.pool_.counters().walked_to, 30u);
  EXPECT_EQ(one.pool_.counters().fresh, 15u);
  std::set<std::string> seen;
  for (int i = 0; i < 15; ++i) {
    const auto id = one.issue().value().ids.front();
    EXPECT_EQ(counter_in(id) % issuers, 1u);
    EXPECT_TRUE(seen.insert(id).second);
  }
  EXPECT_TRUE(one.pool_.lacks(1));
}

TEST(an_issuer, that_starts_again_counts_nothing_twice) {
  issuer one(2);
  ASSERT_TRUE(one.walk(0, 20));
  (void)one.issue(3).value();
  const auto before = one.pool_.counters();
  one.pool_ = pool(issuer::rules_of(2), before);
  ASSERT_TRUE(one.walk(before.issued_to, 30));
  EXPECT_EQ(one.pool_.counters().walked_to, 30u);
  EXPECT_EQ(one.pool_.counters().fresh, before.fresh + 5);
  EXPECT_TRUE(one.pool_.counters().balanced());
}

TEST(an_issuer, that_starts_again_with_nothing_left_lacks_identifiers_before_it_has_walked_once_more) {
  issuer one(0);
  one.walk_all();
  (void)one.issue(15).value();
  one.pool_ = pool(issuer::rules_of(0), one.pool_.counters());
  EXPECT_LT(one.pool_.held_to(), one.pool_.rules().end);
  EXPECT_TRUE(one.pool_.lacks(1));
}

TEST(a_grant, gives_what_was_wanted_or_half_and_leaves_a_record_that_names_the_taker) {
  issuer giver(0);
  giver.walk_all();
  const auto half = giver.give(1, 1);
  EXPECT_EQ(half.size(), 8u) << "half of 15, rounded up";
  const auto rest = giver.give(2, 100);
  EXPECT_EQ(rest.size(), 7u);
  EXPECT_TRUE(giver.give(1, 1).empty());
  EXPECT_EQ(giver.pool_.counters().in_transit, 15u);
  EXPECT_EQ(giver.pool_.counters().handovers, 2u);
  for (const auto& id : rest) {
    EXPECT_EQ(id.record.state, id_state::available);
    EXPECT_EQ(giver.records.at(id.counter).state, id_state::granted);
    EXPECT_EQ(giver.records.at(id.counter).granted_to, 2u);
  }
  giver.pool_.grant_arrived(7);
  EXPECT_EQ(giver.pool_.counters().in_transit, 8u);
  EXPECT_TRUE(giver.pool_.lacks(1));
}

TEST(a_grant, makes_the_taker_hand_out_what_it_brings) {
  issuer giver(0), taker(1);
  giver.walk_all();
  taker.walk_all();
  (void)taker.issue(15).value();
  ASSERT_TRUE(taker.take(giver.give(1, 4)));
  EXPECT_EQ(taker.pool_.counters().borrowed, 8u);
  std::set<std::string> seen;
  for (int i = 0; i < 8; ++i) {
    const auto answer = taker.issue().value();
    EXPECT_EQ(counter_in(answer.ids.front()) % issuers, 0u);
    EXPECT_EQ(answer.assignments.front(), 1u);
    EXPECT_TRUE(seen.insert(answer.ids.front()).second);
  }
  EXPECT_TRUE(taker.pool_.lacks(1));
}

TEST(a_grant, of_a_released_identifier_takes_its_life_along) {
  issuer giver(0), taker(1);
  giver.walk_all();
  const auto ids = giver.issue(15).value().ids;
  const auto counter = counter_in(ids.front());
  ASSERT_TRUE(giver.step(counter, id_event::give_back));
  const auto given = giver.give(1, 1);
  ASSERT_EQ(given.size(), 1u);
  EXPECT_EQ(given.front().counter, counter);
  ASSERT_TRUE(taker.take(given));
  EXPECT_EQ(taker.records.at(counter).assignment, 1u);
  EXPECT_EQ(taker.records.at(counter).history.size(), 2u);
  // The giver still knows that its assignment is over, and answers who asks late.
  EXPECT_EQ(over_by(giver.records.at(counter), 1), noon);
  EXPECT_FALSE(giver.step(counter, id_event::give_back, 1)->changed);
  EXPECT_EQ(giver.step(counter, id_event::confirm).error().code, errc::conflict);
}

TEST(a_grant, that_brings_an_identifier_home_is_no_longer_given_away) {
  issuer giver(0), taker(1);
  giver.walk_all();
  (void)giver.issue(14).value();
  ASSERT_TRUE(taker.take(giver.give(1, 1)));
  const auto back = taker.give(0, 1);
  ASSERT_EQ(back.size(), 1u);
  ASSERT_TRUE(giver.take(back));
  EXPECT_EQ(giver.pool_.counters().granted, 0u);
  EXPECT_EQ(giver.pool_.counters().borrowed, 0u);
  EXPECT_EQ(giver.pool_.counters().released, 1u);
  EXPECT_EQ(taker.pool_.counters().borrowed, 1u) << "it has a record there";
  EXPECT_EQ(taker.pool_.counters().granted, 1u);
}

TEST(a_grant, of_what_the_taker_has_already_is_refused_and_changes_nothing) {
  issuer giver(0), taker(1);
  giver.walk_all();
  const auto given = giver.give(1, 1);
  ASSERT_TRUE(taker.take(given));
  const auto before = taker.pool_.counters();
  EXPECT_EQ(taker.take(given).error().code, errc::conflict);
  EXPECT_EQ(taker.pool_.counters(), before);
}

TEST(a_grant, ends_early_when_histories_are_long) {
  issuer giver(0);
  giver.walk_all();
  const auto ids = giver.issue(15).value().ids;
  for (const auto& id : ids) ASSERT_TRUE(giver.step(counter_in(id), id_event::give_back));
  for (auto& [_, record] : giver.records)
    for (int i = 0; i < 40; ++i) record.advance(noon, id_state::available, std::string(64, 'x'));
  for (const auto& [_, record] : giver.records) EXPECT_GT(record.size_estimate(), 2'000u);
  auto given = giver.give(1, 100);
  EXPECT_EQ(given.size(), 15u);
  EXPECT_LE(encode(std::span<const granted_id>(given)).size(), grant_bytes_max);
  issuer another(0);
  another.walk_all();
  auto huge = given.front().record;
  huge.state = id_state::available;
  another.pool_ = pool(issuer::rules_of(0), {.issued_to = 30, .walked_to = 30, .released = 30});
  for (std::uint64_t i = 0; i < 30; ++i) {
    another.records[i * issuers] = huge;
    another.released[i] = i * issuers;
  }
  given = another.give(1, 100);
  EXPECT_GT(given.size(), 10u);
  EXPECT_LT(given.size(), 30u);
  EXPECT_LE(encode(std::span<const granted_id>(given)).size(), grant_bytes_max);
}

TEST(a_borrowed_identifier, that_was_never_issued_is_not_found) {
  issuer giver(0), taker(1);
  giver.walk_all();
  const auto given = giver.give(1, 1);
  ASSERT_TRUE(taker.take(given));
  EXPECT_EQ(taker.step(given.front().counter, id_event::confirm).error().code, errc::not_found);
}

TEST(a_borrowed_identifier, is_retired_when_it_ends_after_a_restore) {
  issuer giver(0), taker(1);
  giver.walk_all();
  taker.walk_all();
  (void)taker.issue(15).value();
  ASSERT_TRUE(taker.take(giver.give(1, 1)));
  const auto counter = counter_in(taker.issue().value().ids.front());
  auto restored = taker.pool_.counters();
  restored.reuse_from = 1;
  taker.pool_ = pool(issuer::rules_of(1), restored);
  EXPECT_EQ(taker.step(counter, id_event::give_back)->record.state, id_state::retired);
}

TEST(what_can_be_lent, follows_from_what_the_others_have) {
  struct one_case {
    const char* what;
    pool_counters own;
    std::vector<pool_counters> others;
    std::uint64_t wanted;
    lending expected;
  };
  const pool_counters dry{.walked_to = 10};
  const std::vector<one_case> cases{
      {"another has some", dry, {{.walked_to = 10, .fresh = 1}, dry}, 1, lending::possible},
      {"another has released ones", dry, {{.walked_to = 10, .released = 1}, dry}, 1, lending::possible},
      {"another may find some", dry, {{.walked_to = 9}, dry}, 5, lending::possible},
      {"nobody has any", dry, {dry, dry}, 1, lending::exhausted},
      {"the last ones are on their way", dry, {{.walked_to = 10, .in_transit = 1}, dry}, 1, lending::arriving},
      {"one's own are on their way", {.walked_to = 10, .in_transit = 1}, {dry, dry}, 1, lending::arriving},
      {"something cools off", dry, {{.walked_to = 10, .cooling = 1}, dry}, 1, lending::cooling},
      {"there are fewer than that",
       {.walked_to = 10, .released = 1},
       {{.walked_to = 10, .fresh = 1}, dry},
       3,
       lending::too_few},
      {"all together have enough",
       {.walked_to = 10, .released = 1},
       {{.walked_to = 10, .fresh = 2}, dry},
       3,
       lending::possible},
  };
  const std::vector<std::uint64_t> ends{10, 10};
  for (const auto& c : cases) EXPECT_EQ(what_can_be_lent(c.own, c.others, ends, c.wanted), c.expected) << c.what;
}

TEST(granted_ids, come_back_from_their_bytes_and_damaged_ones_are_refused) {
  id_record used;
  used.id = "v4";
  used.assignment = 3;
  used.holder = "somebody";
  used.advance(noon, id_state::issued, "clerk");
  used.advance(noon, id_state::available, "clerk");
  id_record fresh;
  fresh.id = "v5";
  const given_grant grant{7, {{4, used}, {5, fresh}}};
  const auto bytes = encode(grant);
  EXPECT_EQ(decode_given_grant(bytes).value(), grant);
  EXPECT_EQ(decode_given_grant(encode(given_grant{7, {}})).value().number, 7u);
  EXPECT_EQ(decode_taken_grant(encode_taken_grant(300)).value(), 300u);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(decode_given_grant(bytes.substr(0, n)).error().code, errc::corrupt) << n;
  EXPECT_FALSE(decode_given_grant(bytes + "x"));
  EXPECT_FALSE(decode_taken_grant(encode_taken_grant(1) + "x"));
  EXPECT_FALSE(decode_taken_grant(""));
}

TEST(pool_counters, of_a_store_without_borrowing_are_still_read) {
  pool_counters c{.issued_to = 5, .walked_to = 9, .filtered = 4, .fresh = 3, .issued = 2};
  c.reuse_from = 3;
  const auto now = encode(c);
  EXPECT_EQ(decode_pool_counters(now).value(), c);
  auto before = now.substr(0, now.size() - 6);
  before.front() = '\x02';
  EXPECT_EQ(decode_pool_counters(before).value(), c);
  const std::vector<pool_counters> two{c, c};
  EXPECT_EQ(sum(two).fresh, 6u);
  EXPECT_TRUE(sum(two).balanced());
}

} // namespace
} // namespace matricula::identifiers
