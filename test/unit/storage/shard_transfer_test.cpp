#include "foundation/random.hpp"
#include "storage/shard_transfer.hpp"
#include "test/unit/storage/fixture.hpp"

namespace matricula::storage {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr shard_id seven{7};

class shard_transfer_test : public testing::Test {
protected:
  shard_transfer_test() : from_(open_store(small_store(dir_ / "from"))), to_(open_store(small_store(dir_ / "to"))) {
    seeded_random random{3};
    for (std::uint64_t n = 0; n < 3'000;) {
      batch b{seven};
      for (int i = 0; i < 100; ++i, ++n)
        b.put(static_cast<column>(1 + n % 10), row_key(seven, n), std::string(random.below(600), static_cast<char>(n)));
      EXPECT_TRUE(commit(*from_, b));
    }
    EXPECT_TRUE(commit(*from_, one_row({6}, 1)));
    EXPECT_TRUE(commit(*from_, one_row({8}, 1)));
  }
  /// The rows of shard 7, by column and key.
  static std::map<std::string, std::string> shard_rows(const store& s) {
    std::map<std::string, std::string> out;
    for (std::size_t c = 0; c < column_count; ++c)
      for (auto& [key, value] : rows_of(*s.latest(), static_cast<column>(c)))
        if (key.front() == 7) out.emplace(std::to_string(c) + key, value);
    return out;
  }
  result<void> exported() { return export_shard(*from_->snapshot(), seven, 9, dir_ / "shard"); }
  result<void> imported() { return import_shard(*to_, seven, dir_ / "shard", at_ms(1)); }
  temporary_directory dir_;
  std::unique_ptr<store> from_;
  std::unique_ptr<store> to_;
};

TEST_F(shard_transfer_test, moves_every_row_of_the_shard_and_no_other) {
  ASSERT_TRUE(exported());
  const auto moved = imported();
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(shard_rows(*to_), shard_rows(*from_));
  EXPECT_EQ(shard_rows(*to_).size(), 3'000u);
  EXPECT_THAT(missing_rows(*to_->latest(), 0, 0), testing::ElementsAre(0));
  EXPECT_FALSE(to_->latest()->get(column::uins, row_key({6}, 1))->has_value());
}

TEST_F(shard_transfer_test, moves_an_empty_shard) {
  ASSERT_TRUE(export_shard(*from_->snapshot(), {9}, 9, dir_ / "nothing"));
  EXPECT_TRUE(import_shard(*to_, {9}, dir_ / "nothing", at_ms(1)));
}

TEST_F(shard_transfer_test, goes_through_the_commit_log) {
  local_log from{*from_, {.now = [] { return at_ms(1); }}};
  local_log to{*to_, {.now = [] { return at_ms(1); }}};
  ASSERT_TRUE(from.export_shard(seven, dir_ / "shard"));
  const auto at = to.import_shard(seven, dir_ / "shard");
  ASSERT_TRUE(at);
  EXPECT_EQ(shard_rows(*to_), shard_rows(*from_));
  EXPECT_TRUE(to.read(seven, *at));
}

TEST_F(shard_transfer_test, wants_an_empty_directory_and_a_shard_without_rows) {
  ASSERT_TRUE(exported());
  EXPECT_EQ(exported().error().code, errc::conflict);
  ASSERT_TRUE(imported());
  EXPECT_THAT(imported().error().message, HasSubstr("shard 7 has rows"));
}

TEST_F(shard_transfer_test, refuses_the_file_of_another_shard) {
  ASSERT_TRUE(export_shard(*from_->snapshot(), {6}, 9, dir_ / "shard"));
  std::filesystem::rename(dir_ / "shard/shard-06.rows", dir_ / "shard/shard-07.rows");
  EXPECT_THAT(imported().error().message, HasSubstr("holds shard 6, not shard 7"));
}

TEST_F(shard_transfer_test, refuses_a_file_that_was_changed_or_cut_off_and_writes_nothing) {
  ASSERT_TRUE(exported());
  const auto path = dir_ / "shard/shard-07.rows";
  const auto good = read_bytes(path);
  const auto before = to_->last_group();
  for (std::size_t at = 0; at < good.size(); at += good.size() / 40) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    write_bytes(path, bad);
    EXPECT_EQ(imported().error().code, errc::corrupt) << "changed at " << at;
    write_bytes(path, std::string_view(good).substr(0, at));
    EXPECT_EQ(imported().error().code, errc::corrupt) << "cut off at " << at;
  }
  write_bytes(path, good + good);
  EXPECT_EQ(imported().error().code, errc::corrupt) << "something after the end";
  EXPECT_EQ(to_->last_group(), before);
}

TEST_F(shard_transfer_test, begins_again_after_an_import_that_was_cut_off) {
  ASSERT_TRUE(exported());
  batch half{seven};
  half.put(column::meta, import_marker_key(seven), "");
  half.put(column::uins, row_key(seven, 999'999), "written by the first attempt");
  ASSERT_TRUE(commit(*to_, half));
  EXPECT_THAT(export_shard(*to_->snapshot(), seven, 1, dir_ / "half").error().message,
              HasSubstr("imported only in part"));
  ASSERT_TRUE(imported());
  EXPECT_EQ(shard_rows(*to_), shard_rows(*from_));
}

} // namespace
} // namespace matricula::storage
