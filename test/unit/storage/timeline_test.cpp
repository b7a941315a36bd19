#include "fixture.hpp"
#include "storage/backup.hpp"
#include "storage/timeline.hpp"
#include "storage/verify.hpp"

namespace matricula::storage {
namespace {

TEST(timeline, is_the_node_s_until_another_one_begins_and_goes_into_backups) {
  temporary_directory directory;
  seeded_random random(1);
  auto open = open_store(small_store(directory / "data"));
  EXPECT_EQ(find_timeline(*open).value(), open->node_id());
  ASSERT_TRUE(begin_timeline(*open, random));
  const auto second = find_timeline(*open).value();
  EXPECT_EQ(second.size(), 32U);
  EXPECT_NE(second, open->node_id());
  ASSERT_TRUE(make_backup(*open, directory / "backup", at_ms(3'000'000)));
  ASSERT_TRUE(begin_timeline(*open, random));
  EXPECT_NE(find_timeline(*open).value(), second);
  ASSERT_TRUE(restore_backup(directory / "backup", directory / "restored"));
  EXPECT_EQ(find_timeline(*open_store(small_store(directory / "restored"))).value(), second)
      << "a backup is of the timeline that it was made in";
  open.reset();
  EXPECT_TRUE(verify(small_store(directory / "data"), row_decoders{}).ok());
}

TEST(timeline, can_be_read_by_people) {
  temporary_directory directory;
  seeded_random random(1);
  const auto open = open_store(small_store(directory / "data"));
  ASSERT_TRUE(begin_timeline(*open, random));
  std::vector<std::string> shown;
  for (const auto& [key, value] : rows_of(*open->latest(), column::meta))
    if (is_timeline_key(key)) shown.push_back(describe_timeline(value).value());
  EXPECT_THAT(shown, testing::ElementsAre(testing::StartsWith(R"({"name":"timeline","value":")")));
  for (const auto* wrong : {"", "00", "0123456789abcdef0123456789abcdeg"}) EXPECT_FALSE(describe_timeline(wrong));
}

} // namespace
} // namespace matricula::storage
