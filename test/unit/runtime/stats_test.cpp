#include "foundation/metrics.hpp"
#include "runtime/actor_stats.hpp"
#include "runtime/rates.hpp"
#include "runtime/registry.hpp"
#include "runtime/slot.hpp"
#include "runtime/telemetry.hpp"

#include <caf/actor_addr.hpp>
#include <gtest/gtest.h>

#include <string>

namespace {

using namespace matricula::runtime;
using namespace std::chrono_literals;

TEST(handler_times, a_quantile_is_at_most_a_quarter_too_high) {
  for (const nanoseconds t : {1us, 3us, 999us, 12'345us, 1'000'000us, 60'000'000us}) {
    handler_times times;
    for (int i = 0; i < 10; ++i) times.record(t);
    EXPECT_GE(times.quantile(0.99), t);
    EXPECT_LE(times.quantile(0.99), std::max<nanoseconds>(t + t / 4, 1024ns)) << t.count();
  }
}

TEST(handler_times, tells_the_median_from_the_slowest_hundredth) {
  handler_times times;
  for (int i = 0; i < 980; ++i) times.record(100us);
  for (int i = 0; i < 20; ++i) times.record(40ms);
  EXPECT_LT(times.quantile(0.50), 130us);
  EXPECT_LT(times.quantile(0.98), 130us);
  EXPECT_GE(times.quantile(0.99), 40ms);
  EXPECT_LT(times.quantile(0.99), 50ms);
  EXPECT_EQ(times.count(), 1'000u);
  EXPECT_EQ(times.total(), 98ms + 800ms);
}

TEST(handler_times, each_time_falls_into_the_bucket_that_bounds_it) {
  EXPECT_EQ(handler_times{}.quantile(0.99), 0ns);
  for (nanoseconds t = 1ns; t < 100s; t += t / 3 + 1ns) {
    const auto bucket = handler_times::bucket_of(t);
    EXPECT_LT(t, handler_times::upper_bound(bucket)) << t.count();
    if (bucket > 0) {
      EXPECT_GE(t, handler_times::upper_bound(bucket - 1)) << t.count();
    }
  }
  EXPECT_EQ(handler_times::bucket_of(24h), handler_times::buckets - 1);
  EXPECT_EQ(handler_times::bucket_of(-5ns), 0u);
}

TEST(rate_meter, needs_two_samples_and_forgets_after_a_minute) {
  rate_meter meter;
  EXPECT_EQ(meter.rates(1s, 5).over_1s, 0);
  meter.sample(1s, 0);
  for (int s = 2; s <= 200; ++s)
    meter.sample(std::chrono::seconds(s), static_cast<std::uint64_t>(s < 100 ? 1'000 * s : 99'000));
  EXPECT_EQ(meter.rates(200s, 99'000).over_60s, 0);
  EXPECT_EQ(meter.rates(201s, 99'060).over_1s, 60);
}

TEST(telemetry, publishes_what_actors_count_and_never_counts_twice) {
  const matricula::system_clock clock;
  registry actors{clock};
  matricula::metrics metrics;
  telemetry published{actors, metrics};
  const auto stats = actors.enroll("root/a", "worker", slot_ref{}, caf::actor_addr{});
  stats->state = actor_state::running;
  stats->depth = 3;
  stats->handled = 5;
  stats->rejected = 2;
  stats->poisonous = 1;
  for (int i = 0; i < 5; ++i) stats->times.record(3ms);
  published.publish();
  published.publish();
  stats->handled = 7;
  published.publish();
  const auto text = metrics.render();
  const std::string labels = R"({actor="root/a",kind="worker"} )";
  for (const auto& line :
       {"matricula_actor_mailbox_messages" + labels + "3\n", "matricula_actor_messages_total" + labels + "7\n",
        "matricula_actor_rejected_total" + labels + "3\n", "matricula_actor_running" + labels + "1\n",
        std::string{"matricula_actor_handler_seconds_count{kind=\"worker\"} 5\n"}})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

} // namespace
