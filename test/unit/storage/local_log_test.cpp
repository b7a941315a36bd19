#include "storage/local_log.hpp"
#include "storage/log_writer.hpp"
#include "test/support/faulty_file_system.hpp"
#include "test/unit/storage/fixture.hpp"

#include <future>
#include <thread>

namespace matricula::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr shard_id seven{7};

class local_log_test : public testing::Test {
protected:
  local_log_test() { reopen({}); }

  void reopen(local_log_options o, rocksdb::Env* env = nullptr) {
    log_.reset();
    store_.reset();
    auto so = small_store(dir_ / "store");
    so.env = env;
    store_ = open_store(so);
    o.now = [this] { return now_; };
    o.fatal = [this](std::string why) { fatal_.push_back(std::move(why)); };
    log_ = std::make_unique<local_log>(*store_, std::move(o));
  }

  tenure acquire(std::string_view partition, shard_id shard = seven) {
    tenure got;
    log_->acquire(shard, partition, [&](result<tenure> t) noexcept { got = *t; });
    (void)log_->write_group();
    return got;
  }

  void append(const tenure& t, std::uint64_t row) {
    auto what = one_row(t.shard, row);
    auto room = log_->reserve(t, what.bytes());
    ASSERT_TRUE(room) << room.error().message;
    log_->append(std::move(*room), std::move(what), [this, row](verdict v, position p) noexcept {
      settled_.emplace_back(row, v);
      positions_.push_back(p);
    });
  }

  temporary_directory dir_;
  timestamp now_ = at_ms(5'000'000);
  std::vector<std::string> fatal_;
  std::vector<std::pair<std::uint64_t, verdict>> settled_;
  std::vector<position> positions_;
  std::unique_ptr<store> store_;
  std::unique_ptr<local_log> log_;
};

TEST_F(local_log_test, writes_everything_that_arrived_as_one_group_and_completes_it_in_order) {
  const auto t = acquire("pool");
  const auto before = log_->stats().groups.load();
  for (std::uint64_t n = 1; n <= 100; ++n) append(t, n);
  EXPECT_TRUE(settled_.empty()) << "nothing is answered before it is durable";
  EXPECT_TRUE(log_->write_group());
  EXPECT_EQ(log_->stats().groups.load(), before + 1);
  ASSERT_EQ(settled_.size(), 100u);
  for (std::uint64_t n = 1; n <= 100; ++n) EXPECT_EQ(settled_[n - 1], std::pair(n, verdict::durable));
  EXPECT_TRUE(std::ranges::is_sorted(positions_));
  EXPECT_EQ(std::ranges::adjacent_find(positions_), positions_.end()) << "positions are all different";
  EXPECT_EQ(missing_rows(*store_->latest(), 1, 100), std::vector<std::uint64_t>{});
  EXPECT_FALSE(log_->write_group()) << "there is nothing left";
}

TEST_F(local_log_test, shows_an_append_to_whoever_reads_in_its_completion) {
  const auto t = acquire("pool");
  auto what = one_row(seven, 1);
  auto room = log_->reserve(t, what.bytes());
  bool seen = false;
  log_->append(std::move(*room), std::move(what), [&](verdict, position p) noexcept {
    const auto rows = log_->read(seven, p);
    seen = rows && missing_rows(**rows, 1, 1).empty();
  });
  (void)log_->write_group();
  EXPECT_TRUE(seen);
}

TEST_F(local_log_test, refuses_to_read_at_a_position_that_nobody_was_told) {
  const auto rows = log_->read(seven, position{~0ull});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, errc::unavailable);
}

TEST_F(local_log_test, ends_a_group_at_the_limit_of_bytes_and_of_operations) {
  reopen({.group_bytes_max = 1});
  auto t = acquire("pool");
  append(t, 1);
  append(t, 2);
  EXPECT_TRUE(log_->write_group());
  EXPECT_THAT(settled_, ElementsAre(std::pair(1, verdict::durable)));
  EXPECT_TRUE(log_->write_group());
  EXPECT_EQ(settled_.size(), 2u);

  reopen({.group_operations_max = 3});
  t = acquire("pool");
  for (std::uint64_t n = 10; n < 15; ++n) append(t, n);
  EXPECT_TRUE(log_->write_group());
  EXPECT_EQ(settled_.size(), 5u);
  EXPECT_TRUE(log_->write_group());
  EXPECT_EQ(settled_.size(), 7u);
}

TEST_F(local_log_test, grants_a_tenure_only_after_the_predecessors_appends_have_settled) {
  const auto first = acquire("pool");
  append(first, 1);
  append(first, 2);
  std::optional<tenure> second;
  log_->acquire(seven, "pool", [&](result<tenure> t) noexcept {
    second = *t;
    EXPECT_EQ(settled_.size(), 2u);
  });
  EXPECT_TRUE(log_->write_group(1));
  EXPECT_FALSE(second) << "one append is still in flight";
  EXPECT_TRUE(log_->write_group(1));
  ASSERT_TRUE(second);
  EXPECT_GT(second->token, first.token);
}

TEST_F(local_log_test, fences_what_the_predecessor_appends_after_its_successor_asked) {
  const auto first = acquire("pool");
  auto late = one_row(seven, 3);
  auto room = log_->reserve(first, late.bytes());
  append(first, 1);
  const auto second = acquire("pool");
  log_->append(std::move(*room), std::move(late),
               [this](verdict v, position) noexcept { settled_.emplace_back(3, v); });
  append(second, 4);
  (void)log_->write_group();
  EXPECT_THAT(settled_, ElementsAre(std::pair(1, verdict::durable), std::pair(3, verdict::fenced),
                                    std::pair(4, verdict::durable)));
  EXPECT_THAT(missing_rows(*store_->latest(), 1, 4), ElementsAre(2, 3));
}

TEST_F(local_log_test, keeps_partitions_and_shards_apart) {
  const auto one = acquire("pool one");
  (void)acquire("pool two");
  (void)acquire("pool one", {8});
  append(one, 1);
  (void)log_->write_group();
  EXPECT_THAT(settled_, ElementsAre(std::pair(1, verdict::durable)));
}

TEST_F(local_log_test, fences_a_tenure_that_was_never_granted_here) {
  append({seven, hash64("nobody asked"), 1}, 1);
  (void)log_->write_group();
  EXPECT_THAT(settled_, ElementsAre(std::pair(1, verdict::fenced)));
}

TEST_F(local_log_test, grants_greater_tokens_after_a_restart) {
  std::uint64_t greatest = 0;
  for (int restart = 0; restart < 3; ++restart) {
    for (int i = 0; i < 5; ++i) {
      const auto t = acquire("pool");
      EXPECT_GT(t.token, greatest);
      greatest = t.token;
    }
    reopen({});
  }
}

TEST_F(local_log_test, gives_positions_that_go_on_after_a_restart) {
  append(acquire("pool"), 1);
  (void)log_->write_group();
  const auto before = positions_.back();
  reopen({});
  append(acquire("pool"), 2);
  (void)log_->write_group();
  EXPECT_GT(positions_.back(), before);
}

TEST_F(local_log_test, refuses_at_its_bounds_and_has_room_again_for_dropped_and_settled_permits) {
  reopen({.queue_bytes_max = 300, .queue_batches_max = 3});
  const auto t = acquire("pool");
  {
    std::vector<permit> held;
    for (int i = 0; i < 3; ++i) held.push_back(std::move(*log_->reserve(t, 10)));
    const auto refused = log_->reserve(t, 10);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::overloaded);
    EXPECT_TRUE(refused.error().retry_after.has_value());
  }
  EXPECT_EQ(log_->reserve(t, 301).error().code, errc::overloaded);
  EXPECT_TRUE(log_->reserve(t, 300)) << "dropped permits gave their room back";
  append(t, 1);
  append(t, 2);
  append(t, 3);
  EXPECT_FALSE(log_->reserve(t, 10));
  (void)log_->write_group();
  EXPECT_TRUE(log_->reserve(t, 300)) << "settled appends gave their room back";
  EXPECT_EQ(log_->stats().refused_overloaded.load(), 3u);
  EXPECT_EQ(log_->stats().queue_bytes.load(), 0u);
}

TEST_F(local_log_test, gives_room_back_before_it_completes_so_that_who_is_answered_can_write_again) {
  reopen({.queue_batches_max = 1});
  const auto t = acquire("pool");
  auto what = one_row(seven, 1);
  auto room = log_->reserve(t, what.bytes());
  bool had_room = false;
  log_->append(std::move(*room), std::move(what),
               [&](verdict, position) noexcept { had_room = log_->reserve(t, 10).has_value(); });
  (void)log_->write_group();
  EXPECT_TRUE(had_room);
}

TEST_F(local_log_test, refuses_a_batch_over_the_limit_of_every_engine) {
  const auto refused = log_->reserve(acquire("pool"), batch::bytes_max + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::invalid_argument);
}

TEST_F(local_log_test, calls_its_hooks_around_the_completions_of_a_group) {
  std::vector<std::string> seen;
  reopen({.before_completions = [&] { seen.push_back("before"); },
          .after_completions = [&] { seen.push_back("after"); },
          .wrote = [&](const group_info& g) { seen.push_back("wrote " + std::to_string(g.batches)); }});
  const auto t = acquire("pool");
  for (int i = 0; i < 2; ++i) {
    auto what = one_row(seven, 1);
    auto room = log_->reserve(t, what.bytes());
    log_->append(std::move(*room), std::move(what), [&](verdict, position) noexcept { seen.push_back("settled"); });
  }
  (void)log_->write_group();
  EXPECT_THAT(seen, ElementsAre("before", "settled", "settled", "after", "wrote 2"));
}

TEST_F(local_log_test, syncs_once_a_group) {
  const auto faulty = test::make_faulty_env();
  reopen({}, faulty.env);
  const auto t = acquire("pool");
  const auto before = faulty.faults->wal_syncs.load();
  for (int group = 0; group < 10; ++group) {
    for (std::uint64_t n = 0; n < 20; ++n) append(t, n);
    (void)log_->write_group();
  }
  EXPECT_EQ(faulty.faults->wal_syncs.load() - before, 10u);
}

struct failing_disk_test : local_log_test {
  void fail_one_group(std::atomic<bool> test::disk_faults::* fault) {
    const auto faulty = test::make_faulty_env();
    reopen({}, faulty.env);
    const auto t = acquire("pool");
    append(t, 1);
    (void)log_->write_group();
    (*faulty.faults).*fault = true;
    append(t, 2);
    append(t, 3);
    auto room_before = log_->reserve(t, 100);
    EXPECT_TRUE(log_->write_group(1));
    EXPECT_THAT(settled_, ElementsAre(std::pair(1, verdict::durable), std::pair(2, verdict::unknown),
                                      std::pair(3, verdict::unknown)))
        << "the group and the queue behind it";
    EXPECT_EQ(fatal_.size(), 1u);

    // The disk works again, but nobody may find out: the handle is not touched any more.
    (*faulty.faults).*fault = false;
    const auto appends = faulty.faults->wal_appends.load();
    const auto syncs = faulty.faults->wal_syncs.load();
    log_->append(std::move(*room_before), one_row(seven, 4),
                 [this](verdict v, position) noexcept { settled_.emplace_back(4, v); });
    EXPECT_TRUE(log_->write_group());
    EXPECT_EQ(settled_.back(), std::pair(std::uint64_t{4}, verdict::unknown));
    const auto refused = log_->reserve(t, 10);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::unavailable);
    std::optional<errc> granted;
    log_->acquire(seven, "pool", [&](result<tenure> got) noexcept { granted = got.error().code; });
    (void)log_->write_group();
    EXPECT_EQ(granted, errc::unavailable);
    EXPECT_EQ(log_->read(seven).error().code, errc::unavailable);
    EXPECT_EQ(store_->latest()->get(column::uins, row_key(seven, 1)).error().code, errc::unavailable);
    EXPECT_EQ(faulty.faults->wal_appends.load(), appends);
    EXPECT_EQ(faulty.faults->wal_syncs.load(), syncs);
    EXPECT_EQ(fatal_.size(), 1u) << "told once";

    // The process ends; the next one finds every acknowledged row.
    copy_directory(dir_ / "store", dir_ / "after");
    const auto next = open_store(small_store(dir_ / "after"));
    ASSERT_TRUE(next);
    EXPECT_EQ(missing_rows(*next->latest(), 1, 1), std::vector<std::uint64_t>{});
  }
};

TEST_F(failing_disk_test, answers_unknown_after_a_failed_sync_and_never_touches_the_store_again) {
  fail_one_group(&test::disk_faults::fail_sync);
}

TEST_F(failing_disk_test, answers_unknown_after_a_failed_write_and_never_touches_the_store_again) {
  fail_one_group(&test::disk_faults::fail_append);
}

TEST_F(local_log_test, refuses_writes_on_a_nearly_full_disk_and_reads_on) {
  std::uint64_t free = 1'000'000;
  disk_guard guard{{.directory = dir_ / "store",
                    .min_free_bytes = 1'000,
                    .ballast_bytes = 0,
                    .free_bytes = [&](const std::string&) -> result<std::uint64_t> { return free; }}};
  reopen({.groups_between_disk_checks = 1, .guard = &guard});
  const auto t = acquire("pool");
  append(t, 1);
  free = 999;
  append(t, 2);
  (void)log_->write_group(); // what had room is still written, then the disk is looked at
  EXPECT_EQ(settled_.back(), std::pair(std::uint64_t{2}, verdict::durable));
  const auto refused = log_->reserve(t, 10);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::storage_full);
  EXPECT_TRUE(refused.error().retry_after.has_value());
  EXPECT_EQ(missing_rows(**log_->read(seven), 1, 2), std::vector<std::uint64_t>{});
  free = 1'100;
  log_->check_disk();
  EXPECT_FALSE(log_->reserve(t, 10)) << "full ends an eighth above the bound";
  free = 1'125;
  log_->check_disk();
  EXPECT_TRUE(log_->reserve(t, 10));
}

TEST_F(local_log_test, completes_what_is_left_when_it_is_destroyed) {
  append(acquire("pool"), 1);
  log_.reset();
  EXPECT_THAT(settled_, ElementsAre(std::pair(1, verdict::unknown)));
}

TEST_F(local_log_test, writes_what_is_queued_before_its_thread_stops) {
  const auto t = acquire("pool");
  {
    const log_writer writer{*log_};
    for (std::uint64_t n = 1; n <= 1'000; ++n) append(t, n);
  }
  EXPECT_EQ(settled_.size(), 1'000u);
  EXPECT_EQ(missing_rows(*store_->latest(), 1, 1'000), std::vector<std::uint64_t>{});
  EXPECT_EQ(log_->reserve(t, 1).error().code, errc::unavailable);
}

TEST_F(local_log_test, keeps_each_writers_order_when_many_threads_append) {
  constexpr std::uint64_t writers = 4;
  constexpr std::uint64_t each = 500;
  std::vector<std::vector<std::uint64_t>> order(writers);
  {
    const log_writer driver{*log_};
    std::vector<std::jthread> threads;
    for (std::uint64_t w = 0; w < writers; ++w)
      threads.emplace_back([&, w] {
        std::promise<tenure> promised;
        const shard_id shard{static_cast<std::uint8_t>(w)};
        log_->acquire(shard, "partition", [&](result<tenure> t) noexcept { promised.set_value(*t); });
        const auto t = promised.get_future().get();
        for (std::uint64_t n = 0; n < each; ++n) {
          auto what = one_row(shard, n);
          auto room = log_->reserve(t, what.bytes());
          ASSERT_TRUE(room);
          log_->append(std::move(*room), std::move(what), [&order, w, n](verdict v, position) noexcept {
            if (v == verdict::durable) order[w].push_back(n);
          });
        }
      });
  }
  for (const auto& o : order) {
    EXPECT_EQ(o.size(), each);
    EXPECT_TRUE(std::ranges::is_sorted(o));
  }
}

TEST_F(local_log_test, keeps_the_time_of_groups_from_stepping_back) {
  const auto t = acquire("pool");
  append(t, 1);
  (void)log_->write_group();
  now_ = at_ms(4'000'000);
  append(t, 2);
  (void)log_->write_group();
  EXPECT_EQ(store_->last_durable_time(), at_ms(5'000'000));
  reopen({});
  EXPECT_EQ(store_->last_durable_time(), at_ms(5'000'000));
}

} // namespace
} // namespace matricula::storage
