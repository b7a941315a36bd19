#include "foundation/random.hpp"
#include "storage/disk_guard.hpp"
#include "storage/local_log.hpp"
#include "test/unit/storage/fixture.hpp"

#include <sys/mount.h>
#include <unistd.h>

namespace matricula::storage {
namespace {

class disk_guard_test : public testing::Test {
protected:
  disk_guard_options options() {
    return {.directory = dir_ / ".",
            .min_free_bytes = 1'000,
            .ballast_bytes = 4'096,
            .free_bytes = [this](const std::string&) -> result<std::uint64_t> {
              if (broken_) return fail(errc::io, "injected");
              return free_;
            }};
  }
  temporary_directory dir_;
  std::uint64_t free_ = 1'000'000;
  bool broken_ = false;
};

TEST_F(disk_guard_test, takes_a_ballast_on_when_there_is_room_and_throws_it_off_at_the_next_start_without) {
  {
    disk_guard guard{options()};
    EXPECT_FALSE(guard.has_ballast());
    guard.check();
    EXPECT_TRUE(guard.has_ballast());
    EXPECT_EQ(std::filesystem::file_size(dir_ / "BALLAST"), 4'096u);
    free_ = 10;
    guard.check();
    EXPECT_TRUE(guard.full());
    EXPECT_TRUE(guard.has_ballast()) << "it is for recovery, not for running on";
  }
  disk_guard guard{options()};
  EXPECT_FALSE(guard.has_ballast());
  EXPECT_FALSE(std::filesystem::exists(dir_ / "BALLAST"));
  EXPECT_TRUE(guard.full()) << "until the next check sees the room";
  free_ = 2'000;
  guard.check();
  EXPECT_FALSE(guard.full());
  EXPECT_FALSE(guard.has_ballast()) << "there is room to run, but not for a ballast";
  free_ = 1'000'000;
  guard.check();
  EXPECT_TRUE(guard.has_ballast());
}

TEST_F(disk_guard_test, keeps_its_last_answer_when_the_file_system_gives_none) {
  disk_guard guard{options()};
  free_ = 10;
  guard.check();
  broken_ = true;
  guard.check();
  EXPECT_TRUE(guard.full());
}

TEST_F(disk_guard_test, asks_the_file_system_by_default) {
  auto o = options();
  o.free_bytes = nullptr;
  o.ballast_bytes = 0;
  disk_guard guard{o};
  EXPECT_GT(guard.free_bytes(), 0u);
  EXPECT_FALSE(guard.full());
}

/// A real file system of 24 MiB, where the kernel lets us mount one; the injected answers above hold everywhere.
class small_disk {
public:
  explicit small_disk(const std::string& at) : at_(at) {
    std::filesystem::create_directory(at_);
    mounted_ = ::geteuid() == 0 && ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=24m") == 0;
  }
  ~small_disk() {
    if (mounted_) (void)::umount2(at_.c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  [[nodiscard]] bool mounted() const noexcept { return mounted_; }

private:
  std::string at_;
  bool mounted_;
};

TEST_F(disk_guard_test, refuses_writes_on_a_real_full_disk_keeps_every_row_and_starts_again_there) {
  const small_disk disk{dir_ / "disk"};
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  const auto guarded = [&] {
    return disk_guard_options{
        .directory = dir_ / "disk", .min_free_bytes = 8 << 20, .ballast_bytes = 4 << 20, .free_bytes = {}};
  };
  std::uint64_t acknowledged = 0;
  {
    disk_guard guard{guarded()};
    guard.check();
    ASSERT_TRUE(guard.has_ballast());
    const auto s = open_store(small_store(dir_ / "disk/store"));
    local_log log{*s, {.groups_between_disk_checks = 1, .now = [] { return at_ms(1); }, .guard = &guard}};
    tenure t;
    log.acquire({7}, "p", [&](result<tenure> got) noexcept { t = *got; });
    (void)log.write_group();
    seeded_random random{1};
    error refused;
    for (std::uint64_t n = 1; n <= 10'000; ++n) {
      batch b{{7}};
      b.put(column::uins, row_key({7}, n), row_value(n));
      std::string noise(64 * 1024, '\0');
      for (auto& c : noise) c = static_cast<char>(random.next());
      b.put(column::vids, row_key({7}, n), noise);
      auto room = log.reserve(t, b.bytes());
      if (!room) {
        refused = room.error();
        break;
      }
      log.append(std::move(*room), std::move(b), [&](verdict v, position) noexcept {
        if (v == verdict::durable) acknowledged = n;
      });
      (void)log.write_group();
      ASSERT_EQ(acknowledged, n) << "refused too late: the write itself failed";
    }
    EXPECT_EQ(refused.code, errc::storage_full);
    EXPECT_GT(acknowledged, 50u);
    EXPECT_THAT(missing_rows(*s->latest(), 1, acknowledged), testing::IsEmpty()) << "reading goes on";
  }
  // Somebody else fills the disk to its last byte; the ballast makes room for recovery.
  {
    std::ofstream filler{dir_ / "disk/filler", std::ios::binary};
    const std::string block(64 * 1024, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  disk_guard guard{guarded()};
  EXPECT_FALSE(guard.has_ballast()) << "thrown off";
  EXPECT_TRUE(guard.full());
  const auto s = open_store(small_store(dir_ / "disk/store"));
  ASSERT_TRUE(s);
  EXPECT_THAT(missing_rows(*s->latest(), 1, acknowledged), testing::IsEmpty());
}

} // namespace
} // namespace matricula::storage
