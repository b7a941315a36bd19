#include "foundation/random.hpp"
#include "storage/batch.hpp"
#include "storage/net_operations.hpp"
#include "test/unit/storage/fixture.hpp"

namespace matricula::storage {
namespace {

constexpr shard_id shard{7};

std::string name_of(std::size_t i) { return key_builder{shard}.u64(i).str(); }

/// What is left when a group's operations are carried out one after the other; nothing: erased.
using rows = std::map<std::pair<column, std::string>, std::optional<std::string>>;

rows carried_out(std::span<const net_operations::operation> operations, bool all) {
  rows out;
  for (const auto& o : operations)
    if (all || !o.superseded)
      out[{o.where, std::string(o.key)}] = o.put ? std::optional<std::string>(o.value) : std::nullopt;
  return out;
}

TEST(net_operations, leave_of_each_row_the_last_operation) {
  batch first{shard}, second{shard};
  first.put(column::pools, name_of(1), "one");
  first.put(column::uins, name_of(1), "in another column");
  first.put(column::pools, name_of(2), "gone");
  second.put(column::pools, name_of(1), "two");
  second.erase(column::pools, name_of(2));
  const std::array encoded{first.encoded(), second.encoded()};
  net_operations net;
  ASSERT_TRUE(net.assign(encoded));
  std::vector<bool> superseded;
  std::string bytes;
  for (const auto& o : net.all()) {
    superseded.push_back(o.superseded);
    bytes += o.encoded;
  }
  EXPECT_THAT(superseded, testing::ElementsAre(true, false, true, false, false));
  EXPECT_EQ(bytes, std::string(first.encoded()) + std::string(second.encoded()))
      << "each operation's bytes, and none between them";
  EXPECT_THAT(carried_out(net.all(), false), testing::ContainerEq(carried_out(net.all(), true)));
}

TEST(net_operations, come_to_the_same_as_all_of_them_for_random_groups) {
  seeded_random random(20'261'122);
  net_operations net;
  for (int round = 0; round < 300; ++round) {
    std::vector<batch> batches;
    const auto count = random.next() % 40;
    for (std::uint64_t i = 0; i < count; ++i) {
      batch b{shard};
      for (auto n = random.next() % 6; n-- > 0;) {
        const auto where = random.next() % 2 ? column::pools : column::uins;
        const auto key = name_of(random.next() % 30);
        if (random.next() % 4 == 0)
          b.erase(where, key);
        else
          b.put(where, key, std::string(random.next() % 300, static_cast<char>('a' + random.next() % 26)));
      }
      batches.push_back(std::move(b));
    }
    std::vector<std::string_view> encoded;
    for (const auto& b : batches) encoded.push_back(b.encoded());
    ASSERT_TRUE(net.assign(encoded));
    const auto left = carried_out(net.all(), false);
    ASSERT_EQ(left, carried_out(net.all(), true)) << "round " << round;
    const auto kept = std::ranges::count(net.all(), false, &net_operations::operation::superseded);
    ASSERT_EQ(static_cast<std::size_t>(kept), left.size()) << "one operation for each row, round " << round;
  }
}

TEST(net_operations, refuse_malformed_bytes) {
  batch b{shard};
  b.put(column::pools, name_of(1), "one");
  const auto cut_short = b.encoded().substr(0, b.encoded().size() - 1);
  const std::array encoded{cut_short};
  EXPECT_FALSE(net_operations{}.assign(encoded));
}

/// What is hashed into the chain is what the log holds, so that a restart finds the chain whole.
TEST(net_operations, are_what_the_chain_is_made_of) {
  const temporary_directory folder;
  {
    const auto s = open_store(small_store(folder / "store"));
    for (int i = 0; i < 20; ++i) {
      batch first{shard}, second{shard};
      first.put(column::pools, name_of(1), "before " + std::to_string(i));
      first.put(column::uins, row_key(shard, static_cast<std::uint64_t>(i)), "row");
      second.put(column::pools, name_of(1), "after " + std::to_string(i));
      const std::array<const batch*, 2> group{&first, &second};
      ASSERT_TRUE(s->commit(group, at_ms(1'000'000 + i)));
    }
  }
  const auto s = open_store(small_store(folder / "store"));
  ASSERT_TRUE(s);
  EXPECT_GE(s->groups_chained(), 20U) << "groups of the log whose chain was compared";
  const auto left = s->latest()->get(column::pools, name_of(1));
  ASSERT_TRUE(left && *left);
  EXPECT_EQ(**left, "after 19");
}

} // namespace
} // namespace matricula::storage
