// What each policy and each request does to a holder's VIDs: the table of MOSIP's VID service, row by row, and where
// this program promises more.
#include "domain/identifiers/holder.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace matricula::identifiers {
namespace {

constexpr auto on_revoked = restore_action::revoked;
constexpr auto on_used = restore_action::used;
constexpr auto regenerate = restore_action::regenerate;
using std::chrono::minutes;
const timestamp noon = timestamp{milliseconds{1'700'000'000'000}};

using enum vid_state;
using states = std::vector<vid_state>;

/// The shipped policies, and what MOSIP ships where it differs.
const vid_policies& policies() {
  constexpr std::uint32_t day = 24 * 60;
  static const vid_policies all({{"perpetual", {}, {}, 1, true, on_revoked},
                                 {"temporary", 30, 2, 5, false, regenerate},
                                 {"one_time_use", {}, 1, 5, false, regenerate},
                                 {"transactional", day, 1, 1, true, on_used},
                                 {"long_term", 365 * day, {}, 1, true, on_revoked},
                                 {"short_term", day, {}, 5, false, regenerate},
                                 {"mosip_one_time_use", {}, 2, 5, false, on_revoked},
                                 {"two_perpetual", {}, {}, 2, true, on_revoked}});
  return all;
}

/// A holder, and the plans for it carried out with identifiers that are numbers.
struct person {
  holder row{"h", {}};
  std::uint64_t made = 0;
  timestamp now = noon;

  void carry(const vid_plan& plan) {
    carry_out(plan, row);
    if (!plan.fresh) return;
    held_vid v;
    v.counter = ++made;
    v.id = std::to_string(made);
    v.assignment = 1;
    v.policy = plan.fresh->name;
    v.generated_at = now;
    if (plan.fresh->valid_for_minutes) v.expires_at = now + minutes(*plan.fresh->valid_for_minutes);
    v.transactions_left = plan.fresh->transactions_allowed;
    row.add(v);
  }
  std::optional<errc> carry(const result<vid_plan>& plan) {
    if (!plan) return plan.error().code;
    carry(*plan);
    return std::nullopt;
  }
  std::optional<errc> create(const char* policy) { return carry(plan_creation(row, *policies().find(policy), now)); }
  void create(const char* policy, int times) {
    for (int i = 0; i < times; ++i) EXPECT_EQ(create(policy), std::nullopt);
  }
  std::optional<errc> use(std::size_t place) { return carry(plan_use(row, place, policies(), now)); }
  void revoke(std::size_t place) { carry(plan_revocation(row, place, policies(), now)); }
  std::optional<errc> renew(std::size_t place) { return carry(plan_regeneration(row, place, policies(), now)); }
  std::vector<vid_state> now_in() const {
    std::vector<vid_state> out;
    for (const auto& v : row.vids) out.push_back(v.state_at(now));
    return out;
  }
  std::size_t active(const char* policy) const { return row.active(policy, now); }
};

TEST(creation, has_the_oldest_make_room_before_it_ends_what_is_overdue) {
  person p;
  p.create("perpetual", 1);
  for (std::uint64_t i = 0; i < vid_plan::ends_max; ++i) {
    held_vid v;
    v.counter = ++p.made;
    v.id = std::to_string(v.counter);
    v.assignment = 1;
    v.policy = "short_term";
    v.expires_at = noon - minutes(1);
    p.row.add(v);
  }
  const auto plan = plan_creation(p.row, *policies().find("perpetual"), noon);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->ends.size(), vid_plan::ends_max);
  EXPECT_EQ(plan->ends.front(), (vid_plan::ending{0, revoked}));
  EXPECT_EQ(plan->ends.at(1), (vid_plan::ending{1, expired}));
}

// -- each policy ------------------------------------------------------------------------------------------------------

struct of_policy {
  const char* name;
  std::size_t instances;
  std::optional<std::uint32_t> transactions;
  std::optional<std::uint32_t> valid_for;
  std::optional<vid_state> makes_room_as; ///< nothing: the limit is refused
};
void PrintTo(const of_policy& p, std::ostream* out) { *out << p.name; }
class each_policy : public ::testing::TestWithParam<of_policy> {};

TEST_P(each_policy, gives_what_it_says_and_never_more_at_once) {
  const auto& [name, instances, transactions, valid_for, makes_room_as] = GetParam();
  person p;
  p.create(name, static_cast<int>(instances));
  const auto& first = p.row.vids.front();
  EXPECT_EQ(first.state, active);
  EXPECT_EQ(first.transactions_left, transactions);
  EXPECT_EQ(first.expires_at, valid_for ? std::optional(noon + minutes(*valid_for)) : std::nullopt);
  EXPECT_EQ(p.create(name), makes_room_as ? std::nullopt : std::optional(errc::conflict));
  EXPECT_EQ(p.active(name), instances);
  EXPECT_EQ(p.row.vids.front().state, makes_room_as.value_or(active)) << "the oldest makes room, or nobody";
  EXPECT_EQ(p.row.vids.back().state, active);
}

TEST_P(each_policy, makes_a_vid_used_by_its_last_transaction_and_no_earlier) {
  const auto& [name, instances, transactions, valid_for, makes_room_as] = GetParam();
  person p;
  p.create(name, 1);
  for (std::uint32_t i = 0; i < transactions.value_or(10); ++i) EXPECT_EQ(p.use(0), std::nullopt) << i;
  EXPECT_EQ(p.row.vids.front().state, transactions ? used : active);
  EXPECT_EQ(p.row.vids.front().transactions_left, transactions ? std::optional(0u) : std::nullopt);
  EXPECT_EQ(p.use(0), transactions ? std::optional(errc::assignment_ended) : std::nullopt);
  EXPECT_EQ(p.row.vids.size(), makes_room_as == used ? 2u : 1u) << "a fresh one comes where the policy says so";
}

TEST_P(each_policy, replaces_a_revoked_vid_where_it_says_so) {
  const auto& [name, instances, transactions, valid_for, makes_room_as] = GetParam();
  person p;
  p.create(name, 1);
  p.revoke(0);
  EXPECT_EQ(p.row.vids.front().state, revoked);
  EXPECT_EQ(p.active(name), makes_room_as == revoked ? 1u : 0u);
}

TEST_P(each_policy, lets_a_vid_be_regenerated_unless_it_replaces_by_itself) {
  const auto& [name, instances, transactions, valid_for, makes_room_as] = GetParam();
  person p;
  p.create(name, 1);
  EXPECT_EQ(p.renew(0), makes_room_as ? std::optional(errc::conflict) : std::nullopt);
  EXPECT_EQ(p.now_in(), makes_room_as ? states{active} : (states{invalidated, active}));
}

TEST_P(each_policy, ends_a_vid_with_its_time_to_the_millisecond) {
  const auto& [name, instances, transactions, valid_for, makes_room_as] = GetParam();
  person p;
  p.create(name, static_cast<int>(instances));
  p.now = noon + minutes(valid_for.value_or(60 * 24 * 36'525)) - milliseconds{1};
  EXPECT_EQ(p.active(name), instances);
  p.now += milliseconds{1};
  EXPECT_EQ(p.active(name), valid_for ? 0u : instances);
  if (!valid_for) return;
  EXPECT_EQ(p.use(0), errc::assignment_ended);
  EXPECT_EQ(p.create(name), std::nullopt) << "one that is over leaves room, though no expirer has come round";
  EXPECT_EQ(p.active(name), 1u);
  EXPECT_EQ(p.row.vids.front().state, expired);
}

INSTANTIATE_TEST_SUITE_P(
    named, each_policy,
    ::testing::Values(of_policy{"perpetual", 1, {}, {}, revoked}, of_policy{"temporary", 5, 2, 30, {}},
                      of_policy{"one_time_use", 5, 1, {}, {}}, of_policy{"transactional", 1, 1, 1'440, used},
                      of_policy{"long_term", 1, {}, 525'600, revoked}, of_policy{"short_term", 5, {}, 1'440, {}},
                      of_policy{"mosip_one_time_use", 5, 2, {}, {}}, of_policy{"two_perpetual", 2, {}, {}, revoked}),
    [](const auto& one) { return one.param.name; });

// -- rows of the table ------------------------------------------------------------------------------------------------

TEST(a_holder, retires_the_oldest_and_not_the_newest) {
  person p;
  p.create("two_perpetual", 3);
  EXPECT_EQ(p.now_in(), (states{revoked, active, active}));
  p.create("two_perpetual", 1);
  EXPECT_EQ(p.now_in(), (states{revoked, revoked, active, active}));
}

TEST(a_holder, counts_each_policy_apart) {
  person p;
  p.create("temporary", 5);
  p.create("perpetual", 1);
  EXPECT_EQ(p.create("temporary"), errc::conflict);
  EXPECT_EQ(p.now_in(), states(6, active));
}

TEST(a_holder, retires_as_many_as_a_lowered_limit_asks_for) {
  person p;
  p.create("two_perpetual", 2);
  const vid_policy lowered{"two_perpetual", {}, {}, 1, true, on_revoked};
  p.carry(plan_creation(p.row, lowered, noon));
  EXPECT_EQ(p.now_in(), (states{revoked, revoked, active}));
}

TEST(a_holder, gets_no_fresh_one_for_an_end_beyond_a_lowered_limit) {
  person p;
  p.create("two_perpetual", 2);
  const vid_policies lowered({{"two_perpetual", {}, {}, 1, true, on_revoked}});
  p.carry(plan_revocation(p.row, 0, lowered, noon));
  EXPECT_EQ(p.now_in(), (states{revoked, active}));
}

TEST(a_holder, has_nothing_revoked_twice) {
  person p;
  p.create("temporary", 1);
  p.revoke(0);
  EXPECT_TRUE(plan_revocation(p.row, 0, policies(), noon).empty());
}

TEST(a_holder, gets_no_fresh_one_for_a_deactivated_vid_that_is_revoked) {
  person p;
  p.create("perpetual", 1);
  p.carry(plan_deactivation(p.row, noon));
  p.revoke(0);
  EXPECT_EQ(p.now_in(), (states{revoked}));
}

TEST(a_holder, has_no_active_vid_once_they_are_deactivated_and_all_again_after_that) {
  person p;
  p.create("temporary", 3);
  p.revoke(1);
  p.carry(plan_deactivation(p.row, noon));
  EXPECT_EQ(p.now_in(), (states{deactivated, revoked, deactivated}));
  EXPECT_EQ(p.use(0), errc::conflict);
  EXPECT_EQ(p.renew(0), errc::conflict);
  EXPECT_TRUE(plan_deactivation(p.row, noon).empty());
  p.carry(plan_reactivation(p.row, policies(), noon));
  EXPECT_EQ(p.now_in(), (states{active, revoked, active}));
  EXPECT_TRUE(plan_reactivation(p.row, policies(), noon).empty());
}

TEST(a_holder, never_has_more_active_than_allowed_by_way_of_deactivation) {
  person p;
  p.create("temporary", 5);
  p.carry(plan_deactivation(p.row, noon));
  p.create("temporary", 2);
  p.carry(plan_reactivation(p.row, policies(), noon));
  EXPECT_EQ(p.active("temporary"), 5u);
  EXPECT_EQ(p.now_in(), (states{deactivated, deactivated, active, active, active, active, active}))
      << "the latest come back first";
}

TEST(a_holder, has_deactivated_vids_that_expire_all_the_same) {
  person p;
  p.create("temporary", 1);
  p.carry(plan_deactivation(p.row, noon));
  p.now = noon + minutes(30);
  EXPECT_EQ(p.now_in(), (states{expired}));
  EXPECT_TRUE(plan_reactivation(p.row, policies(), p.now).empty());
}

TEST(a_holder, can_have_ended_vids_regenerated_but_not_beyond_the_limit) {
  person p;
  p.create("temporary", 5);
  p.revoke(0);
  p.create("temporary", 1);
  EXPECT_EQ(p.renew(0), errc::conflict) << "five are active";
  p.revoke(1);
  EXPECT_EQ(p.renew(0), std::nullopt);
  EXPECT_EQ(p.active("temporary"), 5u);
  EXPECT_EQ(p.row.vids.front().state, invalidated);
  EXPECT_EQ(p.renew(0), errc::conflict) << "once";
}

TEST(a_holder, can_have_used_and_expired_vids_regenerated) {
  person p;
  p.create("temporary", 2);
  EXPECT_EQ(p.use(0), std::nullopt);
  EXPECT_EQ(p.use(0), std::nullopt);
  EXPECT_EQ(p.renew(0), std::nullopt);
  p.now = noon + minutes(30);
  EXPECT_EQ(p.renew(1), std::nullopt);
  EXPECT_EQ(p.row.vids[0].state, invalidated);
  EXPECT_EQ(p.row.vids[1].state, invalidated);
  EXPECT_EQ(p.active("temporary"), 1u);
}

TEST(a_holder, keeps_vids_of_a_policy_that_is_gone_and_gets_no_more_of_them) {
  person p;
  p.create("temporary", 1);
  p.create("perpetual", 1);
  const vid_policies none;
  EXPECT_EQ(p.carry(plan_use(p.row, 0, none, noon)), std::nullopt);
  EXPECT_EQ(p.carry(plan_regeneration(p.row, 0, none, noon)), errc::conflict);
  p.carry(plan_revocation(p.row, 1, none, noon));
  EXPECT_EQ(p.now_in(), (states{active, revoked}));
  p.carry(plan_deactivation(p.row, noon));
  p.carry(plan_reactivation(p.row, none, noon));
  EXPECT_EQ(p.now_in(), (states{active, revoked}));
}

// -- bounds and bytes -------------------------------------------------------------------------------------------------

TEST(a_holder, has_so_many_open_vids_at_most) {
  person p;
  for (int i = 0; p.row.vids.size() < holder::open_max; ++i) {
    ASSERT_EQ(p.create("temporary"), std::nullopt);
    if (i % 5 == 4) p.carry(plan_deactivation(p.row, noon));
  }
  p.carry(plan_deactivation(p.row, noon));
  EXPECT_EQ(p.create("temporary"), errc::conflict);
  EXPECT_EQ(p.create("perpetual"), errc::conflict);
  p.revoke(0);
  EXPECT_EQ(p.create("perpetual"), std::nullopt);
}

TEST(a_holder, keeps_so_many_ended_vids_and_every_open_one) {
  person p;
  p.create("perpetual", 1);
  for (std::size_t i = 0; i < holder::ended_max + 10; ++i) {
    p.create("temporary", 1);
    p.revoke(p.row.vids.size() - 1);
  }
  p.row.prune();
  EXPECT_EQ(p.row.vids.size(), holder::ended_max + 1);
  EXPECT_EQ(p.row.vids.front().policy, "perpetual");
  EXPECT_EQ(p.row.vids[1].counter, 12u) << "the oldest have left";
}

TEST(a_holder, ends_only_so_many_at_once_that_their_records_fit_into_a_batch) {
  person p;
  for (std::size_t i = 0; i < 60; ++i) {
    p.create("temporary", 1);
    p.carry(plan_deactivation(p.row, noon));
  }
  p.now = noon + minutes(30);
  const auto plan = plan_creation(p.row, *policies().find("temporary"), p.now);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->ends.size(), vid_plan::ends_max);
}

TEST(a_holder, is_written_and_read_the_same) {
  person p;
  for (const auto& policy : policies().all()) p.create(policy.name.c_str(), 1);
  p.revoke(0);
  p.carry(plan_deactivation(p.row, noon));
  const auto again = decode_holder(encode(p.row));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, p.row);
}

TEST(a_holder, of_the_most_and_the_longest_fits_into_the_room_that_is_taken_for_it) {
  holder h{std::string(holder::name_bytes_max, 'n'), {}};
  for (std::size_t i = 0; i < holder::open_max + holder::ended_max; ++i)
    h.vids.push_back({std::string(32, '9'), UINT64_MAX >> 1, UINT32_MAX, std::string(32, 'p'), deactivated,
                      timestamp{std::chrono::days{365'000}}, timestamp{std::chrono::days{365'000}},
                      vid_policy::transactions_max});
  EXPECT_LE(encode(h).size(), holder::bytes_max);
}

TEST(a_holder, that_was_damaged_is_refused) {
  person p;
  p.create("temporary", 2);
  const auto bytes = encode(p.row);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(decode_holder(std::string_view(bytes).substr(0, n)).error().code, errc::corrupt) << n;
  EXPECT_FALSE(decode_holder(bytes + "x"));
  auto other_version = bytes;
  other_version[0] = 9;
  EXPECT_FALSE(decode_holder(other_version));
}

} // namespace
} // namespace matricula::identifiers
