#include "storage/keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace matricula::storage {
namespace {

TEST(keys, find_an_aggregates_shard_for_ever) {
  EXPECT_EQ(shard_of("uin").value, shard_of("uin").value);
  // SHA-256("abc") begins with ba7816bf8f01cfea.
  EXPECT_EQ(hash64("abc"), 0xba7816bf8f01cfeaULL);
  EXPECT_EQ(shard_of("abc").value, 0xeaU % 64);
}

TEST(keys, spread_aggregates_over_all_shards) {
  std::vector<int> hits(shard_count);
  for (int i = 0; i < 6'400; ++i) ++hits[shard_of("aggregate " + std::to_string(i)).value];
  EXPECT_GT(*std::ranges::min_element(hits), 50);
  EXPECT_LT(*std::ranges::max_element(hits), 160);
}

TEST(keys, are_read_back_part_by_part) {
  const std::string nasty("a\0b\0\0\xff\0", 7);
  const auto key =
      key_builder{{63}}.u8(200).u16(60'000).u32(4'000'000'000).u64(~0ull - 1).text(nasty).text("").fixed("xyz").str();
  key_reader in{key};
  EXPECT_EQ(in.shard().value, 63);
  EXPECT_EQ(in.u8(), 200);
  EXPECT_EQ(in.u16(), 60'000);
  EXPECT_EQ(in.u32(), 4'000'000'000);
  EXPECT_EQ(in.u64(), ~0ull - 1);
  EXPECT_EQ(in.text(), nasty);
  EXPECT_EQ(in.text(), "");
  EXPECT_EQ(in.fixed(3), "xyz");
  EXPECT_TRUE(in.done());
}

TEST(keys, sort_as_their_parts) {
  const std::vector<std::string> texts{
      "", std::string("\0", 1), std::string("\0a", 2), "a", std::string("a\0", 2), "ab", "b"};
  for (std::size_t i = 0; i + 1 < texts.size(); ++i)
    EXPECT_LT(key_builder{{1}}.text(texts[i]).u8(255).str(), key_builder{{1}}.text(texts[i + 1]).u8(0).str()) << i;
  EXPECT_LT(key_builder{{1}}.u64(255).str(), key_builder{{1}}.u64(256).str());
  EXPECT_LT(key_builder{{1}}.u64(~0ull).str(), key_builder{{2}}.u64(0).str());
}

TEST(keys, of_malformed_bytes_are_refused_at_every_length) {
  const auto key = key_builder{{1}}.u32(7).text(std::string("x\0y", 3)).str();
  for (std::size_t size = 0; size < key.size(); ++size) {
    key_reader in{std::string_view(key).substr(0, size)};
    (void)in.shard();
    (void)in.u32();
    EXPECT_EQ(in.text(), "");
    EXPECT_FALSE(in.done()) << size;
  }
  key_reader bad{std::string_view("\x01\x00\x07", 3)};
  (void)bad.shard();
  EXPECT_EQ(bad.text(), "");
  EXPECT_FALSE(bad.ok());
}

TEST(keys, have_an_upper_bound_for_each_prefix) {
  EXPECT_EQ(after_prefix("a"), "b");
  EXPECT_EQ(after_prefix("a\xff"), "b");
  EXPECT_EQ(after_prefix("\xff\xff"), "");
  EXPECT_EQ(after_prefix(std::string("\0", 1)), "\x01");
}

TEST(batch, carries_its_operations_as_bytes_in_order) {
  batch b{{7}};
  b.put(column::uins, "\x07key", "value");
  b.erase(column::vids, "\x07gone");
  EXPECT_EQ(b.operations(), 2u);
  EXPECT_EQ(b.bytes(), b.encoded().size());
  std::vector<std::string> seen;
  EXPECT_TRUE(batch::decode(
      b.encoded(),
      [&](column c, std::string_view k, std::string_view v) {
        seen.push_back("put " + std::string(column_names[static_cast<std::size_t>(c)]) + std::string(k.substr(1)) +
                       std::string(v));
      },
      [&](column c, std::string_view k) {
        seen.push_back("erase " + std::string(column_names[static_cast<std::size_t>(c)]) + std::string(k.substr(1)));
      }));
  EXPECT_THAT(seen, testing::ElementsAre("put uinskeyvalue", "erase vidsgone"));
}

TEST(batch, knows_when_it_is_over_the_limits_of_every_engine) {
  batch many{{7}};
  for (std::size_t i = 0; i < batch::operations_max; ++i) many.erase(column::uins, "\x07k");
  EXPECT_TRUE(many.fits());
  many.erase(column::uins, "\x07k");
  EXPECT_FALSE(many.fits());
  batch large{{7}};
  large.put(column::uins, "\x07k", std::string(batch::bytes_max, 'x'));
  EXPECT_FALSE(large.fits());
}

TEST(batch, does_not_decode_when_it_is_cut_off_or_names_an_unknown_column) {
  batch b{{7}};
  b.put(column::uins, "\x07key", "value");
  const auto nothing = [](auto&&...) {};
  for (std::size_t size = 1; size < b.bytes(); ++size)
    EXPECT_FALSE(batch::decode(b.encoded().substr(0, size), nothing, nothing)) << size;
  EXPECT_FALSE(batch::decode(std::string("\x01\x3f\x01k\x01v", 6), nothing, nothing));
  EXPECT_FALSE(batch::decode(std::string("\x03\x01\x01k", 4), nothing, nothing));
}

TEST(batch_death, ends_the_process_on_a_key_of_another_shard) {
  EXPECT_DEATH(batch({7}).put(column::uins, "\x08key", "value"), "a key starts with its batch's shard");
  EXPECT_DEATH(batch({7}).erase(column::uins, ""), "a key starts with its batch's shard");
}

} // namespace
} // namespace matricula::storage
