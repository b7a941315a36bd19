#include "foundation/digest.hpp"
#include "test/support/sim_disk.hpp"
#include "test/unit/storage/fixture.hpp"

namespace matricula::storage {
namespace {

using test::sim_disk;
using test::sim_env;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view directory = "/store";

store_options on(sim_env& env) {
  auto o = small_store(std::string(directory));
  o.env = &env;
  o.no_threads = true;
  return o;
}

/// A node's life on a simulated disk: as many rows as asked, and background work by chance.
class life {
public:
  life(std::shared_ptr<sim_disk> disk, random_source& random) : env_(std::move(disk)), random_(random) {
    auto o = on(env_);
    o.random = [&] { return random_.next(); };
    o.while_stalled = [this] { return env_.run_one(random_); };
    store_ = open_store(o);
  }
  void write(std::uint64_t first, std::uint64_t last) {
    for (auto n = first; n <= last; ++n) {
      ASSERT_TRUE(commit(*store_, one_row({7}, n)));
      if (random_.below(10) == 0) (void)env_.run_one(random_);
      const bool flushed = random_.below(200) != 0 || store_->flush();
      EXPECT_TRUE(flushed);
    }
  }
  [[nodiscard]] sim_env& env() noexcept { return env_; }
  [[nodiscard]] store& opened() noexcept { return *store_; }

private:
  sim_env env_;
  random_source& random_;
  std::unique_ptr<store> store_;
};

TEST(sim_disk, keeps_every_acknowledged_row_over_power_cuts) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    seeded_random random{seed};
    auto disk = std::make_shared<sim_disk>();
    std::uint64_t acknowledged = 0;
    for (int cuts = 0; cuts < 3; ++cuts) {
      life now{disk, random};
      ASSERT_THAT(missing_rows(*now.opened().latest(), 1, acknowledged), IsEmpty()) << "seed " << seed;
      const auto more = 1 + random.below(300);
      now.write(acknowledged + 1, acknowledged + more);
      acknowledged += more;
      disk = disk->power_cut(random);
    }
  }
}

TEST(sim_disk, loses_rows_that_were_not_synced_and_the_store_says_so_or_has_lost_its_mark_too) {
  int refused = 0;
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    seeded_random random{seed};
    auto disk = std::make_shared<sim_disk>();
    {
      life now{disk, random};
      now.write(1, 50);
      disk->lie_about_syncs(true);
      now.write(51, 100);
      disk = disk->power_cut(random);
    }
    sim_env env{disk};
    const auto opened = store::open(on(env));
    if (!opened) {
      EXPECT_EQ(opened.error().code, errc::corrupt);
      ++refused;
      continue;
    }
    if (!missing_rows(*(*opened)->latest(), 1, 100).empty()) ++lost;
  }
  EXPECT_GT(refused, 0) << "the mark outlived the rows: the loss is told";
  EXPECT_GT(lost, 5) << "a disk that lies about syncs loses rows, and a simulation finds that";
}

TEST(sim_disk, gives_the_same_disk_for_the_same_seed) {
  const auto run = [](std::uint64_t seed) {
    seeded_random random{seed};
    auto disk = std::make_shared<sim_disk>();
    {
      life now{disk, random};
      now.write(1, 300);
      disk = disk->power_cut(random);
    }
    std::string all;
    for (const auto& name : disk->names()) {
      // RocksDB puts an identity of its own into every table: of the same length, but not from the seed.
      const auto bytes = disk->contents(name);
      all += name + " " + std::to_string(bytes.size()) + " ";
      if (name.ends_with(".log") || name.ends_with("MARK")) all += sha256(bytes);
    }
    return all;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(sim_disk, undoes_an_overwrite_that_was_not_synced_or_keeps_it) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    seeded_random random{seed};
    auto disk = std::make_shared<sim_disk>();
    sim_env env{disk};
    ASSERT_TRUE(env.CreateDirIfMissing("/d").ok());
    std::unique_ptr<rocksdb::WritableFile> made;
    ASSERT_TRUE(env.NewWritableFile("/d/f", &made, {}).ok());
    ASSERT_TRUE(made->Append("first").ok());
    ASSERT_TRUE(made->Sync().ok());
    std::unique_ptr<rocksdb::Directory> parent;
    ASSERT_TRUE(env.NewDirectory("/d", &parent).ok());
    ASSERT_TRUE(parent->Fsync().ok());
    std::unique_ptr<rocksdb::RandomRWFile> file;
    ASSERT_TRUE(env.NewRandomRWFile("/d/f", &file, {}).ok());
    ASSERT_TRUE(file->Write(0, "other").ok());
    EXPECT_EQ(disk->contents("/d/f"), "other");
    seen.insert(disk->power_cut(random)->contents("/d/f"));
  }
  EXPECT_THAT(seen, testing::UnorderedElementsAre("first", "other"));
}

TEST(sim_disk, fails_every_call_after_the_one_it_was_told) {
  seeded_random random{1};
  auto disk = std::make_shared<sim_disk>();
  life now{disk, random};
  now.write(1, 5);
  disk->fail_after(0);
  EXPECT_FALSE(commit(now.opened(), one_row({7}, 6)));
  EXPECT_TRUE(now.opened().dead());
}

/// Two write-ahead logs at once, because a flush has begun and not ended: the older one is needed as much as the newer.
class two_logs_test : public testing::Test {
protected:
  static constexpr std::uint64_t rows = 1'200;
  two_logs_test() {
    {
      life now{disk_, random_};
      for (std::uint64_t n = 1; n <= rows; ++n) {
        EXPECT_TRUE(commit(now.opened(), one_row({7}, n)));
        const bool flushed = n != 700 || now.opened().flush();
        EXPECT_TRUE(flushed);
      }
      last_ = now.opened().last_group().number;
      disk_ = disk_->killed();
    }
    for (const auto& name : disk_->names())
      if (name.ends_with(".log") && !disk_->contents(name).empty()) logs_.push_back(name);
  }
  [[nodiscard]] static result<std::uint64_t> missing_after_start(std::shared_ptr<sim_disk> disk) {
    sim_env env{std::move(disk)};
    const auto opened = store::open(on(env));
    if (!opened) return std::unexpected(opened.error());
    return missing_rows(*(*opened)->latest(), 1, rows).size();
  }
  seeded_random random_{7};
  std::shared_ptr<sim_disk> disk_ = std::make_shared<sim_disk>();
  std::vector<std::string> logs_;
  std::uint64_t last_ = 0;
};

TEST_F(two_logs_test, start_with_every_row) {
  ASSERT_EQ(logs_.size(), 2u);
  const auto missing = missing_after_start(disk_->killed());
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_EQ(*missing, 0u);
}

TEST_F(two_logs_test, are_refused_with_one_bit_flipped_in_either_and_left_as_they_were) {
  std::uint64_t flips = 0;
  for (const auto& log : logs_) {
    const auto good = disk_->contents(log);
    for (std::size_t at = 0; at < good.size(); at += 100) {
      const auto disk = disk_->killed();
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << at / 100 % 8));
      disk->damage(log, bad);
      const auto writes = disk->writes();
      const auto names = disk->names();
      const auto missing = missing_after_start(disk);
      ASSERT_FALSE(missing) << "the flip at " << at << " of " << log << " went unnoticed; rows missing: " << *missing;
      EXPECT_EQ(missing.error().code, errc::corrupt);
      EXPECT_EQ(disk->writes(), writes);
      EXPECT_EQ(disk->names(), names);
      EXPECT_EQ(disk->contents(log), bad);
      ++flips;
    }
  }
  EXPECT_GT(flips, 1'000u);
}

TEST_F(two_logs_test, are_refused_when_either_is_missing) {
  for (const auto& log : logs_) {
    const auto disk = disk_->killed();
    sim_env env{disk};
    ASSERT_TRUE(env.DeleteFile(log).ok());
    const auto missing = missing_after_start(disk);
    ASSERT_FALSE(missing) << "rows missing: " << *missing;
    EXPECT_EQ(missing.error().code, errc::corrupt);
    EXPECT_THAT(missing.error().message, HasSubstr("accept_loss_up_to=" + std::to_string(last_)));
  }
}

TEST_F(two_logs_test, are_refused_when_either_is_cut_off_anywhere) {
  for (const auto& log : logs_) {
    const auto good = disk_->contents(log);
    for (std::size_t size = 0; size < good.size(); size += 997) {
      const auto disk = disk_->killed();
      disk->damage(log, good.substr(0, size));
      const auto missing = missing_after_start(disk);
      ASSERT_FALSE(missing) << "cut at " << size << " of " << log << "; rows missing: " << *missing;
      EXPECT_EQ(missing.error().code, errc::corrupt);
    }
  }
}

} // namespace
} // namespace matricula::storage
