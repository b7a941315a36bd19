// Beside a working pool: capacity, rate and warnings survive a restart.
#include "actors/identifiers/capacity_keeper.hpp"
#include "test/actor/stage.hpp"

#include <future>

namespace matricula::actor_test {
namespace {

using actors::capacity_keeper;
using actors::capacity_report;

/// 4,000 identifiers of a type; the log is driven by whoever waits for it.
class a_capacity_keeper : public ::testing::Test {
protected:
  static stage_options options() {
    stage_options o;
    o.of = identifiers::lifecycle::uin;
    o.length = 5;
    o.limits = {.refill_below = 200, .fill_to = 400};
    return o;
  }
  void open() {
    notes_ = std::make_unique<storage::notebook>(s.log(), storage::shard_id{0}, "capacities");
    s.run();
    keeper_ = std::make_unique<capacity_keeper>(
        std::vector{s.shared_type()}, *notes_, std::vector<std::uint32_t>{80, 95},
        [this](const identifiers::id_type& type, std::uint32_t percent, const capacity_report&) {
          warned_.push_back(type.name + " " + std::to_string(percent));
        });
    ASSERT_TRUE(keeper_->load());
  }
  void sample() {
    auto done = std::async(std::launch::async, [&] { return keeper_->sample(); });
    s.write_until([&] { return done.wait_for(0s) == std::future_status::ready; });
    const auto sampled = done.get();
    EXPECT_TRUE(sampled) << sampled.error().message;
  }
  [[nodiscard]] capacity_report report() const { return keeper_->report(s.type().type).value(); }
  void issue(std::uint32_t count) {
    for (std::uint32_t done = 0; done < count; done += 100) {
      auto issued = s.issue({.count = 100});
      for (int waits = 0; !issued && waits < 100; ++waits) {
        s.pass(100ms);
        issued = s.issue({.count = 100});
      }
      ASSERT_TRUE(issued) << done << " of " << count << ": " << issued.error().message;
    }
  }

  stage s{options()};
  std::unique_ptr<storage::notebook> notes_;
  std::unique_ptr<capacity_keeper> keeper_;
  std::vector<std::string> warned_;
};

TEST_F(a_capacity_keeper, forecasts_by_the_rate_of_use_and_leaves_imports_out_of_it) {
  s.run();
  open();
  EXPECT_TRUE(report().capacity.exact);
  EXPECT_FALSE(keeper_->refine_one()) << "a small space was counted at once";
  sample();
  EXPECT_FALSE(report().per_second_of_hour);
  issue(600);
  std::vector<identifiers::candidate> all;
  (void)s.type().type.space->walk({}, all);
  ASSERT_TRUE(s.import({std::string(all.back().id.view())}));
  s.pass(10min);
  sample();
  const auto now = report();
  EXPECT_EQ(now.used, 601U);
  EXPECT_NEAR(now.per_second_of_hour.value(), 1.0, 0.02);
  EXPECT_NEAR(now.outlook.days_to_exhaustion.value(), now.outlook.remaining / now.per_second_of_day.value() / 86'400,
              1e-9);
  EXPECT_TRUE(warned_.empty());
}

TEST_F(a_capacity_keeper, warns_once_a_threshold_also_across_restarts_and_keeps_the_rate) {
  s.run();
  open();
  const auto capacity = static_cast<std::uint32_t>(report().capacity.value);
  sample();
  issue(capacity * 81 / 100);
  s.pass(2min);
  sample();
  EXPECT_EQ(warned_, std::vector<std::string>{s.type().type.name + " 80"});
  sample();
  EXPECT_EQ(warned_.size(), 1U);
  const auto before = report();
  EXPECT_EQ(before.outlook.warning, 80U);
  keeper_.reset();
  notes_.reset();
  s.power_cut();
  s.run();
  open();
  const auto after = report();
  EXPECT_EQ(after.outlook.warning, 80U) << "as a state";
  EXPECT_NEAR(after.per_second_of_hour.value(), before.per_second_of_hour.value(),
              before.per_second_of_hour.value() / 2);
  sample();
  EXPECT_EQ(warned_.size(), 1U) << "and not as news";
  issue(capacity * 14 / 100);
  sample();
  EXPECT_EQ(warned_.back(), s.type().type.name + " 95");
  EXPECT_EQ(warned_.size(), 2U);
}

TEST_F(a_capacity_keeper, stops_in_the_middle_of_an_estimate) {
  notes_ = std::make_unique<storage::notebook>(s.log(), storage::shard_id{0}, "capacities");
  s.run();
  const auto cx = std::make_shared<actors::type_context>(s.type());
  cx->type.capacity.exact = false;
  // The estimate begins, and at once somebody stops it; it would take hours.
  cx->make_random = [this] {
    keeper_->stop();
    return std::make_unique<seeded_random>(1);
  };
  actors::capacity_options options;
  options.count_up_to = 0;
  options.probes = 1'000'000'000'000;
  const std::vector<std::shared_ptr<const actors::type_context>> types{cx};
  keeper_ = std::make_unique<capacity_keeper>(types, *notes_, std::vector<std::uint32_t>{80}, nullptr, options);
  EXPECT_FALSE(keeper_->refine_one());
}

} // namespace
} // namespace matricula::actor_test
