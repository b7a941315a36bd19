#include "domain/identifiers/capacity.hpp"
#include "domain/identifiers/generator.hpp"
#include "domain/identifiers/profiles.hpp"
#include "foundation/digest.hpp"
#include "foundation/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace matricula::identifiers {
namespace {

permutation_key test_key() { return permutation_key::from_bytes("the test key, of thirty-two byte").value(); }

identifier_space space_of(id_format format, std::string_view name = "test") {
  return identifier_space::make(std::move(format), test_key(), name).value();
}

identifier_space space_of(std::string_view profile, std::size_t length) {
  return space_of({alphabet::digits, length, find_profile(profile).value()});
}

std::vector<candidate> drain(const identifier_space& space) {
  std::vector<candidate> all;
  EXPECT_EQ(space.walk({}, all), space.counter_end());
  return all;
}

std::vector<std::string> sorted_ids(const std::vector<candidate>& found) {
  std::vector<std::string> ids;
  for (const auto& c : found) ids.emplace_back(c.id.view());
  std::ranges::sort(ids);
  return ids;
}

// --- An independent judge: digits as numbers, every rule spelled out from its definition, no early exits.
// -------------

/// The multiplication table of the dihedral group D5 and Verhoeff's permutation, as printed in textbooks.
int textbook_check_digit(const std::vector<int>& body) {
  static const char* table[] = {"0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
                                "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"};
  static const char* permuted[] = {"0123456789", "1576283094", "5803796142", "8916043527",
                                   "9453126870", "4286573901", "2793806415", "7046913258"};
  int sum = 0;
  for (std::size_t i = 0; i < body.size(); ++i)
    sum = table[sum][permuted[(i + 1) % 8][body[body.size() - 1 - i]] - '0'] - '0';
  for (int digit = 0; digit < 10; ++digit)
    if (table[sum][digit] == '0') return digit;
  return -1;
}

bool has_runs(const rule_set& r, const std::vector<int>& d) {
  const auto n = r.sequence_limit;
  for (std::size_t start = 0; n > 0 && start + n <= d.size(); ++start)
    for (const int step : {1, -1}) {
      bool run = true;
      for (std::size_t i = start + 1; i < start + n; ++i) {
        const int expected = d[i - 1] + step;
        run &= d[i] == (r.sequence_wraps ? (expected + 10) % 10 : expected);
      }
      if (run) return true;
    }
  return false;
}

bool has_repetition(const rule_set& r, const std::vector<int>& d) {
  if (r.repeating_limit == 0) return false;
  if (r.repeating == repeating_kind::in_a_row) {
    for (std::size_t i = 0; i + r.repeating_limit < d.size(); ++i)
      if (std::count(d.begin() + static_cast<long>(i), d.begin() + static_cast<long>(i + r.repeating_limit + 1),
                     d[i]) == static_cast<long>(r.repeating_limit) + 1)
        return true;
    return false;
  }
  const auto reach = r.repeating == repeating_kind::within_limit ? r.repeating_limit : r.repeating_limit - 1;
  for (std::size_t i = 0; i < d.size(); ++i)
    for (std::size_t j = i + 1; j < d.size(); ++j)
      if (d[i] == d[j] && j - i <= reach) return true;
  return false;
}

bool judge_accepts(const rule_set& r, const std::vector<int>& d) {
  std::string text;
  for (const int digit : d) text += static_cast<char>('0' + digit);
  bool broken = has_runs(r, d) || has_repetition(r, d);
  for (const auto& prefix : r.not_start_with) broken |= text.find(prefix) == 0;
  for (const auto& number : r.restricted_numbers) broken |= text.find(number) != std::string::npos;
  if (r.cyclic_numbers) broken |= text.find("142857") != std::string::npos;
  if (const auto n = r.repeating_block_limit; n > 0)
    for (std::size_t i = 0; i + n <= text.size(); ++i)
      broken |= text.find(text.substr(i, n), i + n) != std::string::npos;
  if (const auto n = r.conjugative_even_digits_limit; n > 0)
    for (std::size_t i = 0; i + n <= d.size(); ++i)
      broken |= std::all_of(d.begin() + static_cast<long>(i), d.begin() + static_cast<long>(i + n),
                            [&](int digit) { return digit % 2 == 0 && (digit != 0 || r.zero_counts_as_even); });
  const auto grouped = [&](std::size_t n) {
    return n > 0 && (r.groups_may_overlap ? text.size() > n : text.size() >= 2 * n);
  };
  if (const auto n = r.digits_limit; grouped(n)) broken |= text.substr(0, n) == text.substr(text.size() - n);
  const std::string mirrored(text.rbegin(), text.rend());
  if (const auto n = r.reverse_digits_limit; grouped(n)) broken |= text.substr(0, n) == mirrored.substr(0, n);
  return !broken;
}

std::vector<std::string> brute_force(const rule_set& rules, std::size_t length) {
  std::vector<std::string> valid;
  const std::size_t body = length - (rules.check_digit ? 1 : 0);
  std::vector<int> digits(body, 0);
  for (;;) {
    auto whole = digits;
    if (rules.check_digit) whole.push_back(textbook_check_digit(digits));
    if (judge_accepts(rules, whole)) {
      valid.emplace_back();
      for (const int digit : whole) valid.back() += static_cast<char>('0' + digit);
    }
    auto place = body;
    while (place > 0 && digits[place - 1] == 9) digits[--place] = 0;
    if (place == 0) return valid;
    ++digits[place - 1];
  }
}

rule_set random_rules(random_source& random) {
  const auto one_of = [&](std::initializer_list<unsigned> choices) {
    return *(choices.begin() + random.below(choices.size()));
  };
  const auto coin = [&] { return random.below(2) == 1; };
  const auto number = [&](std::uint64_t digits) {
    std::string text;
    for (std::uint64_t i = 0; i < digits; ++i) text += static_cast<char>('0' + random.below(10));
    return text;
  };
  rule_set r;
  for (auto n = random.below(4); n > 0; --n) r.not_start_with.push_back(number(1 + random.below(3)));
  for (auto n = random.below(4); n > 0; --n) r.restricted_numbers.push_back(number(2 + random.below(2)));
  r.sequence_limit = one_of({0, 2, 3, 4});
  r.sequence_wraps = coin();
  r.repeating = static_cast<repeating_kind>(random.below(3));
  r.repeating_limit = one_of({0, 2, 2, 3});
  r.repeating_block_limit = one_of({0, 1, 2, 2});
  r.conjugative_even_digits_limit = one_of({0, 2, 3});
  r.zero_counts_as_even = coin();
  r.digits_limit = one_of({0, 1, 2, 5});
  r.reverse_digits_limit = one_of({0, 1, 2, 5});
  r.groups_may_overlap = coin();
  r.cyclic_numbers = coin();
  r.check_digit = coin();
  return r;
}

// ----------------------------------------------------------------------------------------------------------------------

TEST(generator, drains_each_space_to_exactly_the_identifiers_that_exist) {
  struct space {
    std::string profile;
    std::size_t length;
    std::size_t count;
  };
  const space cases[] = {{"openg2p", 4, 465},     {"openg2p", 5, 3'723},    {"openg2p", 6, 29'593},
                         {"openg2p", 7, 231'359}, {"mosip-uin", 6, 22'268}, {"mosip-uin", 7, 161'750},
                         {"mosip-vid", 6, 25'799}};
  for (const auto& c : cases) {
    const auto space = space_of(c.profile, c.length);
    const auto ids = sorted_ids(drain(space));
    EXPECT_EQ(ids.size(), c.count) << c.profile << ' ' << c.length;
    EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end()) << "an identifier was handed out twice";
    for (std::size_t i = 0; i < ids.size(); i += 97) EXPECT_TRUE(space.failed_rules(ids[i]).empty()) << ids[i];
  }
}

TEST(generator, drains_random_rule_sets_to_what_brute_force_finds) {
  seeded_random random(2024);
  int tried = 0;
  while (tried < 10) {
    const auto rules = random_rules(random);
    const auto length = 4 + random.below(3);
    if (!validate(rules, alphabet::digits, length)) continue;
    ++tried;
    const auto expected = brute_force(rules, length);
    RecordProperty("identifiers_" + std::to_string(tried), static_cast<int>(expected.size()));
    EXPECT_EQ(sorted_ids(drain(space_of({alphabet::digits, length, rules}))), expected) << "rule set " << tried;
    EXPECT_EQ(exact_capacity({alphabet::digits, length, rules}), expected.size()) << "rule set " << tried;
  }
}

TEST(generator, drains_every_profile_to_what_brute_force_finds) {
  for (const auto name : profile_names())
    EXPECT_EQ(sorted_ids(drain(space_of(name, 5))), brute_force(find_profile(name).value(), 5)) << name;
}

TEST(generator, drains_a_space_of_letters_and_digits) {
  const id_format format{alphabet::letters_and_digits, 4, find_profile("strict").value()};
  const auto space = space_of(format);
  EXPECT_TRUE(space.domain_size() == 160'000);
  const auto ids = sorted_ids(drain(space));
  EXPECT_EQ(ids.size(), exact_capacity(format));
  EXPECT_GT(ids.size(), 100'000U);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

// Exact counts by first digit of all 58,106,898 identifiers of mosip-uin at 10 digits, printed once by a program that
// called enumerate() and counted first characters. The test after this one checks that counting at 7 digits.
TEST(generator, spreads_first_digits_as_the_valid_identifiers_do) {
  const std::map<char, double> exact{{'2', 7'115'488}, {'3', 7'420'461}, {'4', 7'119'844}, {'5', 7'419'348},
                                     {'6', 7'132'291}, {'7', 7'348'909}, {'8', 7'128'305}, {'9', 7'422'252}};
  const auto space = space_of("mosip-uin", 10);
  std::vector<candidate> found;
  space.walk({.ids_max = 100'000}, found);
  ASSERT_EQ(found.size(), 100'000U);
  std::map<char, double> seen;
  for (const auto& c : found) seen[c.id.view().front()] += 1;
  EXPECT_EQ(seen.size(), exact.size());
  for (const auto& [digit, count] : exact)
    EXPECT_NEAR(100 * seen[digit] / 100'000, 100 * count / 58'106'898, 0.6) << digit;
}

TEST(generator, hands_out_first_digits_in_exactly_their_shares_when_drained) {
  const auto first_digits = [](const std::vector<std::string>& ids) {
    std::map<char, int> counts;
    for (const auto& id : ids) ++counts[id.front()];
    return counts;
  };
  EXPECT_EQ(first_digits(sorted_ids(drain(space_of("mosip-uin", 7)))),
            first_digits(brute_force(find_profile("mosip-uin").value(), 7)));
}

TEST(generator, finds_the_counter_of_every_identifier_and_back) {
  const auto space = space_of("mosip-uin", 5);
  std::vector<bool> valid(static_cast<std::size_t>(space.counter_end()));
  for (const auto& c : drain(space)) {
    valid[c.counter] = true;
    ASSERT_TRUE(space.counter_of(c.id.view()) == c.counter);
    ASSERT_EQ(space.id_of(c.counter), c.id);
  }
  for (std::uint64_t counter = 0; counter < space.counter_end(); ++counter)
    ASSERT_EQ(space.id_of(counter).has_value(), valid[counter]) << counter;
  EXPECT_FALSE(space.id_of(space.domain_size()));
  EXPECT_FALSE(space.id_of(~uint128{0}));
}

TEST(generator, knows_no_counter_of_what_breaks_a_rule) {
  const auto space = space_of("mosip-uin", 10);
  EXPECT_TRUE(space.counter_of("2013023805"));
  for (const std::string id : {"", "2013023804", "3762342083", "0170492657", "201302380", "2A13023805",
                               "\xd9\xa7\xd9\xa1\xd9\xa2\xd9\xa1\xd9\xa7"})
    EXPECT_FALSE(space.counter_of(id)) << id;
  EXPECT_FALSE(space.counter_of(std::string(1 << 20, '2')));
}

TEST(generator, walks_the_same_identifiers_in_strides_and_in_pieces) {
  const auto space = space_of("openg2p", 6);
  const auto whole = drain(space);
  std::vector<candidate> strided;
  for (std::uint64_t issuer = 0; issuer < 3; ++issuer) {
    const auto before = strided.size();
    EXPECT_GE(space.walk({.from = issuer, .stride = 3}, strided), space.counter_end());
    for (auto i = before; i < strided.size(); ++i) ASSERT_EQ(strided[i].counter % 3, issuer);
  }
  std::ranges::sort(strided, {}, &candidate::counter);
  EXPECT_EQ(strided, whole);

  std::vector<candidate> pieces;
  std::uint64_t next = 0;
  seeded_random random(3);
  while (next < space.counter_end())
    next = space.walk({.from = next, .to = next + random.below(2'000), .ids_max = 1 + random.below(200)}, pieces);
  EXPECT_EQ(pieces, whole);
}

TEST(generator, stops_right_after_the_last_identifier_it_was_asked_for) {
  const auto space = space_of("mosip-uin", 10);
  std::vector<candidate> found;
  const auto next = space.walk({.from = 1'000, .ids_max = 7}, found);
  ASSERT_EQ(found.size(), 7U);
  EXPECT_EQ(next, found.back().counter + 1);
  EXPECT_EQ(space.walk({.from = 1'000, .to = next, .ids_max = 0}, found), 1'000U);
  EXPECT_EQ(space.walk({.from = 5, .to = 5}, found), 5U);
  EXPECT_EQ(found.size(), 7U);
}

TEST(generator, appends_to_what_is_already_there) {
  const auto space = space_of("openg2p", 4);
  std::vector<candidate> found(1);
  space.walk({.ids_max = 3}, found);
  EXPECT_EQ(found.size(), 4U);
}

TEST(generator, walks_to_the_very_end_of_a_domain_beyond_sixty_four_bits) {
  rule_set loose;
  loose.check_digit = true;
  const auto space = space_of({alphabet::digits, 32, loose});
  uint128 size = 1;
  for (int i = 0; i < 31; ++i) size *= 10;
  EXPECT_TRUE(space.domain_size() == size);
  constexpr auto end = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(space.counter_end(), end);
  std::vector<candidate> found;
  EXPECT_EQ(space.walk({.from = end - 10, .stride = 3}, found), end);
  EXPECT_EQ(found.size(), 4U);
  for (const auto& c : found) EXPECT_TRUE(space.counter_of(c.id.view()) == c.counter);
  const auto last = space.id_of(size - 1);
  ASSERT_TRUE(last);
  EXPECT_TRUE(space.counter_of(last->view()) == size - 1);
}

// Computed by a separate program in another language from the descriptions of the construction, of the textbook's check
// digit and of the rules. A change here means that every store in the field would hand out its identifiers a second
// time.
TEST(generator, hands_out_the_same_identifiers_in_the_same_order_for_ever) {
  struct order {
    std::string profile;
    std::size_t length;
    std::vector<std::pair<std::uint64_t, std::string>> first;
    std::string digest; ///< of the first 2,000, each as "counter identifier" and a line feed
  };
  const order cases[] = {
      {"mosip-uin",
       10,
       {{0, "4215718950"}, {2, "7852470571"}, {8, "3254835120"}},
       "950eb3556cf78d864067399e4961e36dc8e7643180e6e7a55d1d853f8d007d00"},
      {"mosip-vid",
       16,
       {{485, "8419309482596570"}, {520, "2549231269513487"}, {526, "6126820436524587"}},
       "8dbb7089eeb9be7b348bb0af19694a17554b460e14f2e7c14d2ae3c69ecb6794"},
      {"mosip-prid",
       10,
       {{0, "4215718950"}, {2, "7852470571"}, {8, "3254835120"}},
       "6a68b189d290f89be6eba12d410727ee0057addc427c5a2791d8e8c08941a401"},
      {"openg2p",
       12,
       {{23, "547141308797"}, {29, "352512164972"}, {30, "343983072196"}},
       "9ed07ea3ecab3798bf8482090b48411f287cc27ff9f370bb018b5537e995daea"},
  };
  for (const auto& c : cases) {
    std::vector<candidate> found;
    space_of(c.profile, c.length).walk({.ids_max = 2'000}, found);
    ASSERT_EQ(found.size(), 2'000U);
    std::string all;
    for (const auto& one : found)
      all.append(std::to_string(one.counter)).append(" ").append(one.id.view()).append("\n");
    EXPECT_EQ(to_hex(sha256(all)), c.digest) << c.profile;
    for (std::size_t i = 0; i < c.first.size(); ++i) {
      EXPECT_EQ(found[i].counter, c.first[i].first) << c.profile;
      EXPECT_EQ(found[i].id.view(), c.first[i].second) << c.profile;
    }
  }
}

TEST(generator, gives_each_type_and_key_an_order_of_its_own) {
  const id_format format{alphabet::digits, 10, find_profile("mosip-uin").value()};
  const auto first_ids = [](const identifier_space& space) {
    std::vector<candidate> found;
    space.walk({.ids_max = 100}, found);
    const auto ids = sorted_ids(found);
    return std::set(ids.begin(), ids.end());
  };
  const auto uin = first_ids(space_of(format, "uin"));
  EXPECT_EQ(uin, first_ids(space_of(format, "uin")));
  const auto other_key = permutation_key::from_bytes("another key, of thirty-two bytes").value();
  for (const auto& other : {first_ids(space_of(format, "social_id")),
                            first_ids(identifier_space::make(format, other_key, "uin").value())}) {
    std::vector<std::string> both;
    std::ranges::set_intersection(uin, other, std::back_inserter(both));
    EXPECT_TRUE(both.empty());
  }
}

TEST(generator, refuses_a_format_that_cannot_be_meant) {
  const auto space = identifier_space::make({alphabet::digits, 33, {}}, test_key(), "test");
  ASSERT_FALSE(space);
  EXPECT_EQ(space.error().code, errc::invalid_argument);
}

} // namespace
} // namespace matricula::identifiers
