#include "fixture.hpp"
#include "storage/capacities.hpp"
#include "storage/identifiers_verifier.hpp"

namespace matricula::storage {
namespace {

using namespace identifiers;

const timestamp noon = at_ms(1'700'000'000'000);

struct capacities_test : ::testing::Test {
  temporary_directory directory;
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));
};

TEST_F(capacities_test, of_a_space_are_kept_by_what_it_is) {
  batch b(shard_id{0});
  put_capacity(b, "length=10", {58'106'898, 0, true});
  put_capacity(b, "length=16", {9.1e12, 1.5e9, false});
  ASSERT_TRUE(commit(*open, b));
  const auto now = open->latest();
  const auto counted = find_capacity(*now, "length=10").value().value();
  EXPECT_EQ(counted.value, 58'106'898);
  EXPECT_TRUE(counted.exact);
  const auto estimated = find_capacity(*now, "length=16").value().value();
  EXPECT_EQ(estimated.standard_error, 1.5e9);
  EXPECT_FALSE(estimated.exact);
  EXPECT_FALSE(find_capacity(*now, "length=12").value()) << "another space was never counted";
}

TEST_F(capacities_test, remember_the_use_of_a_type) {
  type_usage usage;
  usage.warned = 80;
  usage.history.note(noon, 17);
  batch b(shard_id{0});
  put_usage(b, "uin", usage);
  ASSERT_TRUE(commit(*open, b));
  EXPECT_EQ(find_usage(*open->latest(), "uin").value(), usage);
  EXPECT_FALSE(find_usage(*open->latest(), "vid").value());
}

TEST_F(capacities_test, can_be_read_by_people_and_damage_is_told) {
  batch b(shard_id{0});
  put_capacity(b, "length=10", {58'106'898, 0, true});
  put_usage(b, "uin", {});
  ASSERT_TRUE(commit(*open, b));
  row_decoders decoders;
  add_identifier_decoders(decoders);
  std::vector<std::string> shown;
  for (const auto& [key, value] : rows_of(*open->latest(), column::meta)) {
    if (!is_capacity_key(key)) continue;
    shown.push_back(decoders.of(column::meta)(key, value).value());
    for (std::size_t n = 0; n < value.size(); ++n) EXPECT_FALSE(describe_capacity_row(key, value.substr(0, n)));
  }
  EXPECT_EQ(shown.size(), 2U);
  EXPECT_THAT(shown, testing::Contains(testing::HasSubstr(R"("value":58106898,"standard_error":0,"exact":true)")));
  EXPECT_THAT(shown, testing::Contains(testing::HasSubstr(R"("usage_of":"uin","warned_percent":0)")));
}

} // namespace
} // namespace matricula::storage
