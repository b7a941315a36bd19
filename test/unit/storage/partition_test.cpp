#include "fixture.hpp"
#include "storage/notebook.hpp"
#include "storage/partition.hpp"

namespace matricula::storage {
namespace {

constexpr shard_id seven{7};

struct partition_test : ::testing::Test {
  temporary_directory directory;
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));
  std::unique_ptr<local_log> log = make_log();

  std::unique_ptr<local_log> make_log() {
    local_log_options o;
    o.now = [] { return at_ms(5'000); };
    return std::make_unique<local_log>(*open, std::move(o));
  }
  tenure acquire(std::string_view partition = "p") {
    std::optional<tenure> got;
    log->acquire(seven, partition, [&](result<tenure> t) noexcept { got = *t; });
    while (log->write_group()) {
    }
    EXPECT_TRUE(got.has_value());
    return got.value_or(tenure{});
  }
  void write(partition& p, std::string_view value, std::vector<verdict>* verdicts = nullptr) {
    batch b(seven);
    b.put(column::uins, row_key(seven, 1), value);
    auto room = p.reserve(b.bytes());
    ASSERT_TRUE(room) << room.error().message;
    p.write(std::move(*room), std::move(b), [verdicts](verdict v) noexcept {
      if (verdicts) verdicts->push_back(v);
    });
  }
  static std::string read(partition& p) {
    const auto value = p.get(column::uins, row_key(seven, 1));
    return value && *value ? **value : "(none)";
  }
};

TEST_F(partition_test, shows_its_own_writes_before_they_have_settled) {
  partition p(*log, acquire());
  write(p, "first");
  EXPECT_EQ(read(p), "first");
  EXPECT_FALSE(*(*p.durable())->get(column::uins, row_key(seven, 1))) << "not durable yet";
  write(p, "second");
  EXPECT_EQ(read(p), "second");
  ASSERT_TRUE(log->write_group(1));
  EXPECT_EQ(read(p), "second") << "the first write settled; the second still counts";
  EXPECT_EQ(p.unsettled(), 1u);
  ASSERT_TRUE(log->write_group());
  EXPECT_EQ(read(p), "second");
  EXPECT_EQ(p.unsettled(), 0u);
}

// Reads and settlements between the writes in every order of them: what is read is always what was written last.
TEST_F(partition_test, shows_the_last_write_whatever_was_read_and_settled_before) {
  constexpr unsigned steps = 5;
  for (unsigned choices = 0; choices < 1U << (2 * steps); ++choices) {
    partition p(*log, acquire());
    std::string last = std::to_string(choices);
    write(p, last);
    for (unsigned step = 0; step < steps; ++step) {
      switch (choices >> (2 * step) & 3U) {
      case 0:
        write(p, last = std::to_string(choices) + "/" + std::to_string(step));
        break;
      case 1:
        ASSERT_EQ(read(p), last) << choices << ", step " << step;
        break;
      case 2:
        (void)log->write_group(1);
        break;
      default: {
        // Another row's write, which shares nothing with it.
        batch b(seven);
        b.put(column::uins, row_key(seven, 2), "other");
        auto room = p.reserve(b.bytes());
        ASSERT_TRUE(room);
        p.write(std::move(*room), std::move(b), [](verdict) noexcept {});
      }
      }
    }
    ASSERT_EQ(read(p), last) << choices;
    while (log->write_group()) {
    }
    ASSERT_EQ(read(p), last) << choices << ", all settled";
  }
}

TEST_F(partition_test, an_erased_row_is_gone_before_the_erasure_has_settled) {
  partition p(*log, acquire());
  write(p, "here");
  ASSERT_TRUE(log->write_group());
  batch b(seven);
  b.erase(column::uins, row_key(seven, 1));
  auto room = p.reserve(b.bytes());
  ASSERT_TRUE(room);
  p.write(std::move(*room), std::move(b), [](verdict) noexcept {});
  EXPECT_EQ(read(p), "(none)");
}

TEST_F(partition_test, what_rests_on_a_write_waits_for_it) {
  partition p(*log, acquire());
  std::vector<int> order;
  p.after_settled([&](verdict) noexcept { order.push_back(0); });
  EXPECT_EQ(order, (std::vector<int>{0})) << "nothing to wait for";
  std::vector<verdict> verdicts;
  write(p, "a", &verdicts);
  p.after_settled([&](verdict v) noexcept { order.push_back(v == verdict::durable && verdicts.size() == 1 ? 1 : -1); });
  write(p, "b", &verdicts);
  p.after_settled([&](verdict v) noexcept { order.push_back(v == verdict::durable && verdicts.size() == 2 ? 2 : -2); });
  EXPECT_EQ(order.size(), 1u);
  ASSERT_TRUE(log->write_group(1));
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  ASSERT_TRUE(log->write_group());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST_F(partition_test, a_fenced_writer_learns_that_its_memory_is_not_the_store) {
  partition before(*log, acquire());
  partition after(*log, acquire());
  std::vector<verdict> verdicts;
  batch b(seven);
  b.put(column::uins, row_key(seven, 1), "late");
  if (auto room = before.reserve(b.bytes())) {
    before.write(std::move(*room), std::move(b), [&](verdict v) noexcept { verdicts.push_back(v); });
    while (log->write_group()) {
    }
    ASSERT_EQ(verdicts, (std::vector<verdict>{verdict::fenced}));
    EXPECT_FALSE(before.trustworthy());
  }
  EXPECT_TRUE(after.trustworthy());
  EXPECT_EQ(read(after), "(none)");
}

TEST_F(partition_test, a_notebook_writes_one_note_after_the_other_and_each_sees_the_earlier_ones) {
  notebook notes(*log, seven, "notes");
  std::vector<std::string> seen;
  int settled = 0;
  for (int i = 0; i < 5; ++i)
    notes.write(
        [&](const view& rows, batch& to) -> result<void> {
          const auto row = rows.get(column::audit, row_key(seven, 9));
          seen.push_back(row && *row ? **row : "");
          to.put(column::audit, row_key(seven, 9), seen.back() + "x");
          return {};
        },
        [&](result<void> how) noexcept { settled += how ? 1 : 0; });
  while (log->write_group()) {
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"", "x", "xx", "xxx", "xxxx"}));
  EXPECT_EQ(settled, 5);
}

TEST_F(partition_test, a_note_that_its_composer_refuses_is_not_written_and_the_next_one_is) {
  notebook notes(*log, seven, "notes");
  std::vector<bool> outcomes;
  const auto note = [&](bool good) {
    notes.write(
        [good](const view&, batch& to) -> result<void> {
          if (!good) return fail(errc::not_found, "no such row");
          to.put(column::audit, row_key(seven, 1), "kept");
          return {};
        },
        [&](result<void> how) noexcept { outcomes.push_back(how.has_value()); });
  };
  note(false), note(true);
  while (log->write_group()) {
  }
  EXPECT_EQ(outcomes, (std::vector<bool>{false, true}));
}

TEST_F(partition_test, a_notebook_that_ends_answers_what_waits) {
  std::optional<errc> code;
  {
    notebook notes(*log, seven, "notes");
    notes.write([](const view&,
                   batch& to) -> result<void> { return to.put(column::audit, row_key(seven, 1), "x"), result<void>{}; },
                [](result<void>) noexcept {});
    notes.write([](const view&, batch&) -> result<void> { return {}; },
                [&](result<void> how) noexcept { code = how ? std::nullopt : std::optional(how.error().code); });
  }
  EXPECT_EQ(code, errc::unavailable);
  while (log->write_group()) {
  }
}

} // namespace
} // namespace matricula::storage
