#include "domain/identifiers/permutation.hpp"
#include "foundation/digest.hpp"
#include "foundation/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace matricula::identifiers {
namespace {

permutation_key key_of(char first = 0) {
  std::string raw;
  for (char i = 0; i < 32; ++i) raw.push_back(static_cast<char>(first + i));
  return permutation_key::from_bytes(raw).value();
}

std::string hex(const permutation_key& key) {
  return to_hex({reinterpret_cast<const char*>(key.bytes().data()), key.bytes().size()});
}

constexpr uint128 ten_to(int exponent) {
  uint128 power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

std::vector<uint128> all_numbers(const permutation& p) {
  std::vector<std::uint64_t> counters(static_cast<std::size_t>(p.size()));
  std::iota(counters.begin(), counters.end(), 0);
  std::vector<uint128> numbers(counters.size());
  p.forward(counters, numbers);
  return numbers;
}

TEST(permutation, is_a_bijection_of_small_domains_of_any_shape) {
  for (const halves sizes : {halves{1, 1}, {8, 1}, {1, 9}, {2, 2}, {3, 5}, {80, 10}, {7, 11}, {256, 1}, {800, 1000}}) {
    const permutation p(key_of(), "small", sizes);
    auto numbers = all_numbers(p);
    std::ranges::sort(numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      ASSERT_TRUE(numbers[i] == i) << sizes.high << " x " << sizes.low << " at " << i;
  }
}

TEST(permutation, is_undone_by_its_inverse) {
  seeded_random random(7);
  constexpr std::uint64_t most = ~std::uint64_t{0};
  for (const halves sizes : {halves{80'000, 10'000},
                             {80'000'000, 10'000'000},
                             {10'000'000'000'000'000, 1'000'000'000'000'000},
                             {most, most},
                             {most, 2}}) {
    const permutation p(key_of(), "large", sizes);
    for (int i = 0; i < 300; ++i) {
      const auto x = (static_cast<uint128>(random.next()) << 64 | random.next()) % p.size();
      const auto y = p.forward(x);
      ASSERT_TRUE(y < p.size());
      ASSERT_TRUE(p.inverse(y) == x);
    }
    for (const uint128 edge : {uint128{0}, p.size() - 1}) EXPECT_TRUE(p.inverse(p.forward(edge)) == edge);
  }
}

// Computed by a separate program in another language from the construction's description, with the AES of OpenSSL's
// command line. A change here means that every store in the field would hand out its identifiers a second time.
TEST(permutation, gives_the_same_numbers_for_ever) {
  const permutation p(key_of(), "uin", {80'000, 10'000});
  EXPECT_TRUE(p.forward(0) == 293'216'269);
  EXPECT_TRUE(p.forward(1) == 681'241'384);
  EXPECT_TRUE(p.forward(2) == 584'329'737);
  EXPECT_TRUE(p.forward(799'999'999) == 201'433'892);
  const permutation big(key_of(), "long", {10'000'000'000'000'000, 1'000'000'000'000'000});
  EXPECT_TRUE(big.size() == ten_to(31));
  EXPECT_TRUE(big.forward(0) == 3'714'526'934'465ULL * ten_to(18) + 995'012'811'734'032'153ULL);
  EXPECT_TRUE(big.forward(ten_to(31) - 1) == 1'282'775'542'516ULL * ten_to(18) + 580'599'083'046'523'535ULL);
}

TEST(permutation, gives_the_same_numbers_one_by_one_in_batches_and_in_strides) {
  const permutation p(key_of(), "batches", {800, 1000});
  std::vector<std::uint64_t> counters;
  for (const std::uint64_t stride : {1, 3, 999, 1000, 1001, 2500}) {
    constexpr std::uint64_t first = 99'998;
    const auto count = std::min<std::size_t>(600, (800'000 - first - 1) / stride + 1);
    std::vector<halves> strided(count);
    p.forward(first, stride, strided);
    counters.clear();
    for (std::size_t i = 0; i < count; ++i) counters.push_back(first + i * stride);
    std::vector<uint128> batch(count);
    p.forward(counters, batch);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(batch[i] == strided[i].high * 1000 + strided[i].low) << stride << ' ' << i;
      ASSERT_TRUE(batch[i] == p.forward(counters[i])) << stride << ' ' << i;
    }
  }
}

TEST(permutation, differs_with_the_key_the_tweak_and_the_split) {
  std::vector<std::vector<uint128>> shuffles;
  shuffles.push_back(all_numbers(permutation(key_of(0), "uin", {80, 100})));
  shuffles.push_back(all_numbers(permutation(key_of(1), "uin", {80, 100})));
  shuffles.push_back(all_numbers(permutation(key_of(0), "vid", {80, 100})));
  shuffles.push_back(all_numbers(permutation(key_of(0), "", {80, 100})));
  shuffles.push_back(all_numbers(permutation(key_of(0), "uin", {100, 80})));
  for (std::size_t a = 0; a < shuffles.size(); ++a)
    for (std::size_t b = a + 1; b < shuffles.size(); ++b) {
      std::size_t same = 0;
      for (std::size_t i = 0; i < 8000; ++i) same += shuffles[a][i] == shuffles[b][i] ? 1 : 0;
      EXPECT_LT(same, 12U) << a << ' ' << b; // unrelated shuffles agree in one place on average
    }
}

TEST(permutation, leaves_no_pattern_between_neighbours) {
  const permutation p(key_of(), "neighbours", {80'000, 10'000});
  std::vector<halves> numbers(10'000);
  p.forward(0, 1, numbers);
  std::set<std::uint64_t> steps;
  std::size_t rising = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    const auto before = numbers[i - 1].high * 10'000 + numbers[i - 1].low;
    const auto after = numbers[i].high * 10'000 + numbers[i].low;
    steps.insert(after - before);
    rising += after > before ? 1 : 0;
  }
  EXPECT_GT(steps.size(), 9'900U);
  EXPECT_NEAR(static_cast<double>(rising), 5'000, 250);
}

TEST(permutation, may_be_used_by_several_threads) {
  const permutation p(key_of(), "threads", {800, 1000});
  const auto expected = all_numbers(p);
  std::vector<std::vector<uint128>> seen(3);
  {
    std::vector<std::jthread> threads;
    for (auto& numbers : seen) threads.emplace_back([&] { numbers = all_numbers(p); });
  }
  for (const auto& numbers : seen) EXPECT_TRUE(numbers == expected);
}

TEST(permutation_death_test, ends_the_process_when_asked_about_a_number_outside) {
  const permutation p(key_of(), "outside", {8, 10});
  EXPECT_DEATH((void)p.forward(uint128{80}), "outside");
  EXPECT_DEATH((void)p.inverse(80), "outside");
}

TEST(permutation_key, has_thirty_two_bytes) {
  for (const std::size_t size : {0U, 16U, 31U, 33U, 64U}) {
    const auto key = permutation_key::from_bytes(std::string(size, 'k'));
    ASSERT_FALSE(key) << size;
    EXPECT_EQ(key.error().code, errc::invalid_argument);
  }
  EXPECT_TRUE(permutation_key::from_bytes(std::string(32, '\0')));
}

TEST(permutation_key, has_the_documented_fingerprint_and_derivation) {
  EXPECT_EQ(key_of().fingerprint(), "b1cb027efaab5c957f01121d6211c3a5");
  EXPECT_NE(key_of(1).fingerprint(), key_of().fingerprint());
  EXPECT_EQ(hex(key_of().derive("uin")), "1b41229028975283be981d6b1662f08f280cb1429dc1cc6203dff2baddf4bc40");
  EXPECT_NE(hex(key_of().derive("vid")), hex(key_of().derive("uin")));
  EXPECT_NE(hex(key_of(1).derive("uin")), hex(key_of().derive("uin")));
}

} // namespace
} // namespace matricula::identifiers
