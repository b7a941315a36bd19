#include "storage/mark_file.hpp"
#include "storage/store.hpp"
#include "test/unit/storage/fixture.hpp"

#include <rocksdb/env.h>

namespace matricula::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class store_test : public testing::Test {
protected:
  [[nodiscard]] store_options options() const { return small_store(dir_ / "store"); }
  [[nodiscard]] error refusal(store_options o) const {
    const auto opened = store::open(std::move(o));
    if (opened) {
      ADD_FAILURE() << "the store opened";
      return {};
    }
    return opened.error();
  }
  temporary_directory dir_;
};

TEST_F(store_test, keeps_what_was_committed_and_its_own_identity) {
  std::string id;
  group_record last;
  {
    const auto s = open_store(options());
    id = s->node_id();
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(s->incarnation(), 1u);
    commit_rows(*s, 1, 50);
    batch b{{7}};
    b.erase(column::uins, row_key({7}, 20));
    ASSERT_TRUE(commit(*s, b));
    last = s->last_group();
    EXPECT_EQ(last.number, 52u) << "the group that opened it, 50 rows and an erasure";
  }
  const auto s = open_store(options());
  EXPECT_EQ(s->node_id(), id);
  EXPECT_EQ(s->incarnation(), 2u);
  EXPECT_EQ(s->last_group().number, last.number + 1);
  EXPECT_EQ(s->last_durable_time(), last.at) << "time never steps back, even when the clock does";
  EXPECT_THAT(missing_rows(*s->latest(), 1, 50), ElementsAre(20));
}

TEST_F(store_test, shows_one_moment_in_a_snapshot_and_the_present_in_the_latest_view) {
  const auto s = open_store(options());
  commit_rows(*s, 1, 1);
  const auto then = s->snapshot();
  const auto now = s->latest();
  commit_rows(*s, 2, 2);
  EXPECT_THAT(missing_rows(*then, 1, 2), ElementsAre(2));
  EXPECT_THAT(missing_rows(*now, 1, 2), IsEmpty());
}

TEST_F(store_test, walks_a_range_in_both_directions) {
  const auto s = open_store(options());
  commit_rows(*s, 1, 9);
  const auto lower = row_key({7}, 3);
  const auto upper = row_key({7}, 6);
  std::vector<std::string> keys;
  const auto take = [&](std::string_view k, std::string_view) {
    keys.emplace_back(k);
    return keys.size() % 3 != 0;
  };
  ASSERT_TRUE(s->latest()->walk(column::uins, lower, upper, take));
  ASSERT_TRUE(s->latest()->walk_back(column::uins, lower, upper, take));
  EXPECT_THAT(keys, ElementsAre(row_key({7}, 3), row_key({7}, 4), row_key({7}, 5), row_key({7}, 5), row_key({7}, 4),
                                row_key({7}, 3)));
}

TEST_F(store_test, is_open_only_once) {
  const auto s = open_store(options());
  const auto e = refusal(options());
  EXPECT_EQ(e.code, errc::conflict);
  EXPECT_THAT(e.message, HasSubstr("in use by another process"));
}

TEST_F(store_test, gives_its_lock_back_after_a_refusal) {
  open_store(options());
  auto newer = options();
  newer.format = 0;
  EXPECT_EQ(refusal(newer).code, errc::unsupported);
  EXPECT_TRUE(store::open(options()));
}

TEST_F(store_test, refuses_a_newer_format_and_says_what_to_do) {
  auto newer = options();
  newer.format = current_format + 1;
  open_store(newer);
  const auto before = files_in(dir_ / "store");
  const auto e = refusal(options());
  EXPECT_EQ(e.code, errc::unsupported);
  EXPECT_THAT(e.message, HasSubstr("has format 3 and this build reads formats up to 2: start a newer build"));
  EXPECT_EQ(files_in(dir_ / "store"), before);
}

TEST_F(store_test, migrates_an_older_format_step_by_step_and_repeats_a_step_that_failed) {
  {
    auto older = options();
    older.format = 1;
    const auto s = open_store(older);
    commit_rows(*s, 1, 3);
  }
  auto reading = options();
  reading.read_only = true;
  EXPECT_THAT(refusal(reading).message, HasSubstr("has format 1, which a node brings to 2 when it starts"));
  auto newer = options();
  newer.format = 3;
  int attempts = 0;
  newer.migrations = {
      {2, "values in upper case",
       [&](const view& before, const std::function<result<void>(const batch&)>& write) -> result<void> {
         if (++attempts == 1) return fail(errc::io, "injected");
         batch b{{7}};
         const auto value = before.get(column::uins, row_key({7}, 2));
         b.put(column::uins, row_key({7}, 2), **value + " in format 2");
         return write(b);
       }},
      {3, "one row less", [](const view&, const std::function<result<void>(const batch&)>& write) -> result<void> {
         batch b{{7}};
         b.erase(column::uins, row_key({7}, 3));
         return write(b);
       }}};
  EXPECT_THAT(refusal(newer).message, HasSubstr("the step to store format 2 (values in upper case) failed: injected"));
  {
    const auto s = open_store(newer);
    EXPECT_EQ(s->format(), 3u);
    EXPECT_EQ(*s->latest()->get(column::uins, row_key({7}, 2)), row_value(2) + " in format 2");
    EXPECT_THAT(missing_rows(*s->latest(), 1, 3), ElementsAre(2, 3));
  }
  open_store(newer);
  EXPECT_EQ(attempts, 2) << "a step that is done is not run again";
}

TEST_F(store_test, reads_without_changing_anything_when_opened_read_only) {
  {
    const auto s = open_store(options());
    commit_rows(*s, 1, 10);
    copy_directory(dir_ / "store", dir_ / "copy");
  }
  auto ro = small_store(dir_ / "copy");
  ro.read_only = true;
  const auto before = files_in(dir_ / "copy");
  {
    const auto s = open_store(ro);
    EXPECT_THAT(missing_rows(*s->latest(), 1, 10), IsEmpty());
    EXPECT_EQ(commit(*s, one_row({7}, 1)).error().code, errc::conflict);
  }
  EXPECT_EQ(files_in(dir_ / "copy"), before);
}

TEST_F(store_test, refuses_a_directory_whose_current_file_is_gone) {
  {
    const auto s = open_store(options());
    commit_rows(*s, 1, 10);
  }
  std::filesystem::remove(dir_ / "store/CURRENT");
  std::filesystem::remove(dir_ / "store/MARK");
  const auto e = refusal(options());
  EXPECT_EQ(e.code, errc::corrupt);
  EXPECT_THAT(e.message, HasSubstr("its file CURRENT is missing"));
}

TEST_F(store_test, does_not_start_empty_where_the_mark_remembers_a_store) {
  {
    const auto s = open_store(options());
    commit_rows(*s, 1, 10);
  }
  for (const auto& [name, bytes] : files_in(dir_ / "store"))
    if (name != "MARK") std::filesystem::remove(dir_ / ("store/" + name));
  EXPECT_THAT(refusal(options()).message, HasSubstr("(11 groups, 1 to 11)"));
}

TEST_F(store_test, starts_with_an_emptied_or_torn_mark) {
  {
    const auto s = open_store(options());
    commit_rows(*s, 1, 10);
  }
  auto bytes = read_bytes(dir_ / "store/MARK");
  for (const auto& damaged : {std::string{}, std::string(bytes.size(), '\0'), std::string(5'000, 'x')}) {
    write_bytes(dir_ / "store/MARK", damaged);
    const auto s = open_store(options());
    ASSERT_TRUE(s);
    EXPECT_THAT(missing_rows(*s->latest(), 1, 10), IsEmpty());
  }
}

TEST_F(store_test, still_knows_the_mark_before_when_the_newest_one_is_torn) {
  open_store(options());
  std::optional<mark> whole = *mark_file::read(*rocksdb::Env::Default(), dir_ / "store");
  ASSERT_TRUE(whole);
  {
    const auto s = open_store(options());
    commit_rows(*s, 1, 10);
  }
  const auto newest = **mark_file::read(*rocksdb::Env::Default(), dir_ / "store");
  auto bytes = read_bytes(dir_ / "store/MARK");
  bytes[newest.number % 2 * 512 + 10] ^= 1;
  write_bytes(dir_ / "store/MARK", bytes);
  EXPECT_EQ((*mark_file::read(*rocksdb::Env::Default(), dir_ / "store"))->number, newest.number - 1);
}

TEST_F(store_test, refuses_a_chain_hash_that_is_not_the_marks) {
  group_record last;
  {
    const auto s = open_store(options());
    commit_rows(*s, 1, 10);
    last = s->last_group();
  }
  {
    auto marks = mark_file::open(*rocksdb::Env::Default(), dir_ / "store");
    ASSERT_TRUE((*marks)->write({last.number, std::string(32, 'x')}));
  }
  const auto e = refusal(options());
  EXPECT_EQ(e.code, errc::corrupt);
  EXPECT_THAT(e.message, HasSubstr("the chain hash of group 11"));
}

/// A store that was killed: some rows are in tables, most in the write-ahead log.
class killed_store_test : public store_test {
protected:
  static constexpr std::uint64_t rows = 3'000;
  killed_store_test() {
    const auto s = open_store(options());
    write(*s, 1, 500);
    EXPECT_TRUE(s->flush());
    write(*s, 501, rows);
    last_ = s->last_group().number;
    copy_directory(dir_ / "store", dir_ / "killed");
  }
  /// Groups of 20 rows over two columns.
  static void write(store& to, std::uint64_t first, std::uint64_t last) {
    for (auto n = first; n <= last;) {
      batch b{{7}};
      for (int i = 0; i < 20 && n <= last; ++i, ++n)
        b.put(n % 2 ? column::uins : column::vids, row_key({7}, n), row_value(n));
      ASSERT_TRUE(commit(to, b));
    }
  }
  [[nodiscard]] static std::uint64_t missing(const store& s) {
    std::uint64_t count = 0;
    const auto now = s.latest();
    for (std::uint64_t n = 1; n <= rows; ++n) {
      const auto row = now->get(n % 2 ? column::uins : column::vids, row_key({7}, n));
      if (!row || *row != row_value(n)) ++count;
    }
    return count;
  }
  [[nodiscard]] std::vector<std::string> logs() const {
    std::vector<std::string> out;
    for (const auto& [name, bytes] : files_in(dir_ / "killed"))
      if (name.ends_with(".log") && !bytes.empty()) out.push_back(dir_ / ("killed/" + name));
    return out;
  }
  std::uint64_t last_ = 0;
};

TEST_F(killed_store_test, has_every_acknowledged_row_after_it_is_started_again) {
  const auto s = open_store(small_store(dir_ / "killed"));
  ASSERT_TRUE(s);
  EXPECT_EQ(missing(*s), 0u);
}

TEST_F(killed_store_test, never_drops_an_acknowledged_row_silently_when_one_bit_of_its_log_flips) {
  const auto wals = logs();
  ASSERT_EQ(wals.size(), 1u);
  std::uint64_t refused = 0;
  std::uint64_t harmless = 0;
  for (const auto& wal : wals) {
    const auto good = read_bytes(wal);
    for (std::size_t at = 0; at < good.size(); at += 100) {
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << at / 100 % 8));
      write_bytes(wal, bad);
      const auto before = files_in(dir_ / "killed");
      const auto opened = store::open(small_store(dir_ / "killed"));
      if (!opened) {
        ++refused;
        EXPECT_EQ(opened.error().code, errc::corrupt);
        EXPECT_THAT(opened.error().message, HasSubstr("Nothing was changed. Keep a copy of the directory"));
        const auto after = files_in(dir_ / "killed");
        for (const auto& [name, bytes] : before) {
          ASSERT_TRUE(after.contains(name) && after.at(name) == bytes)
              << name << " was changed by the start that was refused, flip at " << at << " of " << wal;
        }
        write_bytes(wal, good);
        continue;
      }
      ++harmless;
      ASSERT_EQ(missing(**opened), 0u) << "rows were dropped silently, flip at " << at << " of " << wal;
      GTEST_FAIL() << "no byte of these logs is padding, but the flip at " << at << " of " << wal << " went unnoticed";
    }
  }
  EXPECT_GT(refused, 500u);
  EXPECT_EQ(harmless, 0u);
}

TEST_F(killed_store_test, says_which_groups_are_missing_and_goes_on_only_when_exactly_they_are_given_up) {
  const auto wal = logs().back();
  const auto good = read_bytes(wal);
  write_bytes(wal, std::string_view(good).substr(0, good.size() / 2));
  auto o = small_store(dir_ / "killed");
  const auto e = refusal(o);
  EXPECT_THAT(e.message, HasSubstr("but group " + std::to_string(last_) + " was answered"));
  EXPECT_THAT(e.message, HasSubstr("accept_loss_up_to=" + std::to_string(last_)));
  EXPECT_THAT(e.message, HasSubstr("matricula restore"));
  o.accept_loss_up_to = last_ - 1;
  EXPECT_EQ(refusal(o).code, errc::corrupt);
  o.accept_loss_up_to = last_ + 1;
  EXPECT_EQ(refusal(o).code, errc::corrupt);
  o.accept_loss_up_to = last_;
  {
    const auto s = open_store(o);
    ASSERT_TRUE(s);
    EXPECT_GT(missing(*s), 0u);
    EXPECT_GT(s->last_group().number, last_) << "no number ever means two groups";
  }
  EXPECT_TRUE(open_store(small_store(dir_ / "killed"))) << "accepted once, it starts as before";
}

TEST_F(killed_store_test, is_refused_when_its_log_is_gone) {
  std::filesystem::remove(logs().front());
  EXPECT_EQ(refusal(small_store(dir_ / "killed")).code, errc::corrupt);
}

TEST_F(killed_store_test, has_written_what_it_recovered_again_when_it_is_open) {
  const auto old = logs().front();
  const auto s = open_store(small_store(dir_ / "killed"));
  ASSERT_TRUE(s);
  EXPECT_FALSE(std::filesystem::exists(old)) << "the old log may have been recovered from the page cache only";
  EXPECT_EQ(missing(*s), 0u);
}

TEST_F(killed_store_test, is_refused_when_a_table_file_is_gone) {
  for (const auto& [name, bytes] : files_in(dir_ / "killed")) {
    if (!name.ends_with(".sst")) continue;
    std::filesystem::remove(dir_ / ("killed/" + name));
    const auto e = refusal(small_store(dir_ / "killed"));
    EXPECT_EQ(e.code, errc::corrupt) << e.message;
    write_bytes(dir_ / ("killed/" + name), bytes);
  }
  EXPECT_TRUE(store::open(small_store(dir_ / "killed")));
}

TEST_F(killed_store_test, chains_every_group_in_its_logs) {
  const auto s = open_store(small_store(dir_ / "killed"));
  EXPECT_GE(s->groups_chained(), 120u);
}

} // namespace
} // namespace matricula::storage
