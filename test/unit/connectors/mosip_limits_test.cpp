#include "connectors/mosip_limits.hpp"

#include <gtest/gtest.h>

namespace matricula::connectors {
namespace {

/// The values that mosip-config ships, in the words of its files.
properties mosip_config() {
  return {{"mosip.kernel.uin.min-unused-threshold", "${mosip.kernel.uin.min.unused.threshold.override:200000}"},
          {"mosip.kernel.uin.uins-to-generate", "500000"},
          {"mosip.kernel.vid.min-unused-threshold", "${mosip.kernel.vid.min.unused.threshold.override:100000}"},
          {"mosip.kernel.vid.vids-to-generate", "200000"},
          {"mosip.kernel.vid.time-to-release-after-expiry", "5"},
          {"mosip.kernel.prid.min-unused-threshold", "1000"},
          {"mosip.kernel.prid.prids-to-generate", "2000"},
          {"mosip.kernel.vid.pool-population-timeout", "10000000"}};
}

} // namespace

TEST(mosip_limits, are_read_from_what_mosip_ships) {
  mosip_limits limits;
  EXPECT_TRUE(limits.take(mosip_config()).empty());
  EXPECT_EQ(limits.limits(), (limits_of_types{{"uin", {200'000, 500'000, {}}},
                                              {"vid", {100'000, 300'000, 5 * 86'400}},
                                              {"prid", {1'000, 3'000, {}}}}));
}

TEST(mosip_limits, obey_overrides_and_the_older_name_of_the_days) {
  auto all = mosip_config();
  all["mosip.kernel.uin.min.unused.threshold.override"] = "10";
  all["mosip.kernel.vid.min.unused.threshold.override"] = "20";
  all.erase("mosip.kernel.vid.time-to-release-after-expiry");
  all["mosip.kernel.vid.time-to-renew-after-expiry"] = "7";
  mosip_limits limits;
  EXPECT_TRUE(limits.take(all).empty());
  EXPECT_EQ(limits.limits().at("uin").pool_min, 10U);
  EXPECT_EQ(limits.limits().at("vid").pool_min, 20U);
  EXPECT_EQ(limits.limits().at("vid").cool_off_seconds, 7U * 86'400);
  all["mosip.kernel.vid.time-to-release-after-expiry"] = "5";
  EXPECT_TRUE(limits.take(all).empty());
  EXPECT_EQ(limits.limits().at("vid").cool_off_seconds, 5U * 86'400) << "the newer name wins";
}

TEST(mosip_limits, never_aim_below_the_threshold) {
  mosip_limits limits;
  EXPECT_TRUE(
      limits.take({{"mosip.kernel.uin.min-unused-threshold", "100000"}, {"mosip.kernel.uin.uins-to-generate", "2000"}})
          .empty());
  EXPECT_EQ(limits.limits().at("uin"), (type_limits{100'000, 100'000, {}}));
}

TEST(mosip_limits, refuse_bad_values_one_by_one_and_keep_the_last_good_ones) {
  mosip_limits limits;
  EXPECT_TRUE(limits.take(mosip_config()).empty());
  const std::string too_long(5000, '9');
  for (const std::string bad : {"", "x", "0", "-1", "1.5", "10000001", "99999999999999999999", "5 5", "${nothing}",
                                "1e3", "0x10", too_long.c_str()}) {
    SCOPED_TRACE(bad.substr(0, 40));
    auto all = mosip_config();
    all["mosip.kernel.uin.uins-to-generate"] = bad;
    all["mosip.kernel.prid.min-unused-threshold"] = "1500";
    const auto refused = limits.take(all);
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_TRUE(refused[0].starts_with("mosip.kernel.uin.uins-to-generate: ")) << refused[0];
    EXPECT_NE(refused[0].find("from 1 to 10000000"), std::string::npos) << refused[0];
    EXPECT_NE(refused[0].find("last good"), std::string::npos) << refused[0];
    EXPECT_LT(refused[0].size(), 300U);
    EXPECT_EQ(limits.limits().at("uin").pool_target, 500'000U);
    EXPECT_EQ(limits.limits().at("prid").pool_min, 1'500U) << "the others are taken over";
  }
  mosip_limits fresh;
  const auto refused = fresh.take({{"mosip.kernel.vid.time-to-release-after-expiry", "3651"}});
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_NE(refused[0].find("of the settings stays"), std::string::npos) << refused[0];
  EXPECT_TRUE(fresh.limits().empty());
}

TEST(mosip_limits, that_are_gone_mean_nothing_again) {
  mosip_limits limits;
  EXPECT_TRUE(limits.take(mosip_config()).empty());
  EXPECT_TRUE(limits.take({{"mosip.kernel.vid.vids-to-generate", "50"}}).empty());
  EXPECT_EQ(limits.limits(), (limits_of_types{{"vid", {{}, 50, {}}}}));
}

TEST(kept_values, come_back_as_they_were_written) {
  mosip_limits limits;
  EXPECT_TRUE(limits.take(mosip_config()).empty());
  const auto text = to_text(limits.good(), 1'700'000'000'123);
  const auto back = kept_values_from(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->values, limits.good());
  EXPECT_EQ(back->taken_at_ms, 1'700'000'000'123);
  EXPECT_EQ(mosip_limits(back->values).limits(), limits.limits());
}

TEST(kept_values, are_refused_when_they_are_malformed) {
  const auto good = to_text({{"mosip.kernel.uin.uins-to-generate", 5}}, 1);
  ASSERT_TRUE(kept_values_from(good));
  for (const std::string& bad :
       {std::string(), std::string("x\n"), good.substr(0, good.size() - 1), good + "\n", good + "unknown 5\n",
        good + "mosip.kernel.uin.uins-to-generate 5\n", std::string("matricula-config-server 1 \n"),
        std::string("matricula-config-server 1 x\n"), std::string("matricula-config-server 2 1\n"),
        to_text({{"mosip.kernel.uin.uins-to-generate", 0}}, 1)})
    EXPECT_EQ(kept_values_from(bad).error().code, errc::corrupt) << bad;
}

} // namespace matricula::connectors
