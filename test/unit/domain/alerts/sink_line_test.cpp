#include "domain/alerts/sink_line.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace matricula::alerts {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

notice about(std::uint64_t id, notice_kind kind, std::uint32_t told = 1) {
  notice n;
  n.kind = kind;
  n.about.id = id;
  n.about.told = told;
  return n;
}
constexpr auto first = notice_kind::first;
constexpr auto repeat = notice_kind::repeat;
constexpr auto recovery = notice_kind::recovery;

const delivery failed{delivery::outcome::failed, "It is down."};
const delivery refused{delivery::outcome::refused, "Never."};

class a_line : public ::testing::Test {
protected:
  /// Everything that waits, in its order.
  std::vector<std::string> drain() {
    std::vector<std::string> out;
    while (const auto* n = line.begin(now)) {
      out.push_back(fmt::format("{} {} {}", n->about.id, to_string(n->kind), n->about.told));
      line.settle({}, now, random);
    }
    return out;
  }
  sink_line line{5, {.backoff_first = 1s, .backoff_max = 300s}};
  seeded_random random{3};
  std::chrono::nanoseconds now{1h};
};

TEST_F(a_line, gives_in_the_order_of_coming) {
  line.add(about(1, first));
  line.add(about(2, first));
  line.add(about(1, recovery));
  EXPECT_THAT(drain(), ElementsAre("1 first 1", "2 first 1", "1 recovery 1"));
  EXPECT_EQ(line.now().sent, 3U);
  EXPECT_FALSE(line.next_at());
}

TEST_F(a_line, lets_a_later_notice_take_the_place_of_a_repeat) {
  line.add(about(1, first));
  line.add(about(1, repeat, 2));
  line.add(about(2, repeat, 2));
  line.add(about(1, repeat, 3));
  line.add(about(2, recovery, 2));
  EXPECT_THAT(drain(), ElementsAre("1 first 1", "1 repeat 3", "2 recovery 2"));
}

TEST_F(a_line, takes_a_first_notice_and_a_recovery_once) {
  line.add(about(1, first));
  (void)line.begin(now);
  line.add(about(1, first));
  line.add(about(1, recovery));
  line.add(about(1, recovery));
  line.add(about(1, first));
  EXPECT_THAT(drain(), ElementsAre("1 first 1", "1 recovery 1"));
}

TEST_F(a_line, drops_the_oldest_repeats_first_then_stories_that_are_over) {
  line.add(about(1, first));
  line.add(about(1, recovery));
  line.add(about(2, first));
  line.add(about(3, repeat, 2));
  line.add(about(4, repeat, 2));
  line.add(about(5, first));
  EXPECT_EQ(line.now().dropped, 1U) << "the repeat of 3";
  line.add(about(6, first));
  EXPECT_EQ(line.now().dropped, 2U) << "the repeat of 4";
  EXPECT_THAT(line.take_dropped(), IsEmpty()) << "nobody is owed a repeat";
  line.add(about(7, first));
  const auto gone = line.take_dropped();
  ASSERT_EQ(gone.size(), 2U);
  EXPECT_EQ(gone[0].about.id, 1U);
  EXPECT_EQ(gone[0].kind, first);
  EXPECT_EQ(gone[1].kind, recovery);
  line.add(about(8, first));
  line.add(about(9, first));
  EXPECT_EQ(line.now().waiting, 6U) << "what is open is never dropped";
  EXPECT_THAT(drain(), ElementsAre("2 first 1", "5 first 1", "6 first 1", "7 first 1", "8 first 1", "9 first 1"));
}

TEST_F(a_line, leaves_what_is_on_its_way_alone) {
  line.add(about(1, repeat, 2));
  ASSERT_NE(line.begin(now), nullptr);
  line.add(about(1, repeat, 3));
  for (std::uint64_t id = 2; id < 10; ++id) line.add(about(id, first));
  const auto* front = line.begin(now);
  ASSERT_NE(front, nullptr);
  EXPECT_EQ(front->about.told, 2U);
  line.settle({}, now, random);
  EXPECT_EQ(drain().front(), "2 first 1");
}

TEST_F(a_line, tries_again_after_a_growing_random_time_with_a_cap) {
  line.add(about(1, first));
  std::chrono::nanoseconds longest{0};
  for (int failures = 1; failures <= 40; ++failures) {
    ASSERT_NE(line.begin(now), nullptr) << failures;
    line.settle(failed, now, random);
    const auto at = *line.next_at();
    const auto most = std::min<std::chrono::nanoseconds>(1s * (1LL << std::min(failures - 1, 20)), 300s);
    EXPECT_LE(at - now, most) << failures;
    EXPECT_GE(at, now);
    if (at > now) {
      EXPECT_EQ(line.begin(now), nullptr) << "not before its time";
    }
    longest = std::max(longest, at - now);
    now = at;
  }
  EXPECT_GT(longest, 100s) << "the jitter is full, not none";
  EXPECT_EQ(line.now().failed, 40U);
  EXPECT_EQ(line.now().failures_in_a_row, 40U);
  EXPECT_THAT(drain(), ElementsAre("1 first 1")) << "it is never given up";
  EXPECT_EQ(line.now().failures_in_a_row, 0U);
}

TEST_F(a_line, remembers_since_when_it_fails) {
  line.add(about(1, first));
  (void)line.begin(now);
  line.settle(failed, now, random);
  const auto since = now;
  now += 1h;
  (void)line.begin(now);
  line.settle(failed, now, random);
  EXPECT_EQ(line.now().failing_since, since);
}

TEST_F(a_line, passes_over_what_is_refused_for_good) {
  line.add(about(1, first));
  line.add(about(2, first));
  (void)line.begin(now);
  line.settle(refused, now, random);
  EXPECT_THAT(drain(), ElementsAre("2 first 1"));
  EXPECT_EQ(line.now().refused, 1U);
}

TEST_F(a_line, counts_refusals_as_failures_until_something_is_passed_on) {
  for (std::uint64_t id = 1; id <= 3; ++id) line.add(about(id, first));
  const auto since = now;
  for (int n = 1; n <= 2; ++n) {
    ASSERT_NE(line.begin(now), nullptr);
    line.settle(refused, now, random);
    now += 40s;
  }
  EXPECT_EQ(line.now().failures_in_a_row, 2U);
  EXPECT_EQ(line.now().failing_since, since);
  EXPECT_THAT(drain(), ElementsAre("3 first 1")) << "without a pause";
  EXPECT_EQ(line.now().failures_in_a_row, 0U);
}

TEST_F(a_line, tells_the_end_of_what_it_is_telling_the_beginning_of) {
  line.add(about(1, first));
  ASSERT_NE(line.begin(now), nullptr);
  line.add(about(1, recovery));
  for (std::uint64_t id = 2; id <= 20; ++id) line.add(about(id, first));
  line.settle({}, now, random);
  EXPECT_THAT(drain(), testing::Contains("1 recovery 1"));
  EXPECT_TRUE(line.take_dropped().empty());
}

} // namespace
} // namespace matricula::alerts
