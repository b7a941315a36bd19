#include "domain/tasks/index_window.hpp"
#include "foundation/random.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace matricula::tasks {
namespace {

/// An index with its only writer: what it has written, of which a part shows in what is read.
struct index_on_disk {
  struct write {
    std::uint64_t ticket;
    index_place row;
    bool added;
  };
  std::set<index_place> all;     ///< as it will be
  std::set<index_place> durable; ///< as it is read
  std::vector<write> on_the_way;
  std::uint64_t ticket = 0;

  void apply(std::set<index_place>& to, const write& w) const {
    if (w.added)
      to.insert(w.row);
    else
      to.erase(w.row);
  }
  void change(index_window& window, index_place row, bool add) {
    const write w{ticket, row, add};
    apply(all, w);
    on_the_way.push_back(w);
    if (add)
      window.add(row, ticket);
    else
      window.erase(row, ticket);
  }
  /// Writes become durable in order; whether the writer has noticed is another matter.
  void settle(std::uint64_t up_to) {
    while (!on_the_way.empty() && on_the_way.front().ticket <= up_to) {
      apply(durable, on_the_way.front());
      on_the_way.erase(on_the_way.begin());
    }
  }
  void feed(index_window& window) const {
    std::vector<index_place> rows;
    for (auto i = durable.lower_bound(window.from()); i != durable.end() && rows.size() < window.rows_max(); ++i)
      rows.push_back(*i);
    window.feed(rows);
  }
};

TEST(a_window_on_an_index, knows_the_first_row_or_that_it_must_read) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    seeded_random random(seed);
    index_window window(1 + random.below(6));
    index_on_disk disk;
    for (std::uint64_t i = 0, n = random.below(20); i < n; ++i) {
      const index_place row{random.below(50), i};
      disk.all.insert(row);
      disk.durable.insert(row);
    }
    std::uint64_t noticed = 0;
    for (int step = 0; step < 400; ++step) {
      switch (random.below(6)) {
      case 0:
      case 1: // some rows come, in one write; now and then one before all others
        ++disk.ticket;
        for (auto n = 1 + random.below(3); n > 0; --n) disk.change(window, {random.below(60), random.below(100)}, true);
        break;
      case 2: // the first ones go, as they are worked off
        ++disk.ticket;
        for (auto n = 1 + random.below(3); n > 0; --n)
          if (const auto first = window.first()) disk.change(window, *first, false);
        break;
      case 3: // any one goes, or one that is not there
        ++disk.ticket;
        if (!disk.all.empty() && random.below(4) != 0)
          disk.change(window, *std::next(disk.all.begin(), static_cast<std::ptrdiff_t>(random.below(disk.all.size()))),
                      false);
        else
          disk.change(window, {random.below(60), random.below(100)}, false);
        break;
      case 4: // some become durable, and the writer notices some of these
        disk.settle(disk.ticket - random.below(std::min<std::uint64_t>(disk.ticket, 5) + 1));
        if (!disk.on_the_way.empty())
          noticed = std::max(noticed, std::min(disk.ticket, disk.on_the_way.front().ticket - 1));
        else
          noticed = disk.ticket;
        if (random.below(3) == 0) noticed -= std::min<std::uint64_t>(noticed, 1);
        window.settled(noticed);
        break;
      default:
        // Now and then it is read afresh when nothing is on the way.
        if (disk.on_the_way.empty() && random.below(4) == 0) window.forget(random.below(2) == 0);
        if (window.hungry()) disk.feed(window);
      }
      ASSERT_LE(window.size(), window.rows_max());
      if (!disk.all.empty()) {
        ASSERT_LE(window.from(), *disk.all.begin()) << "it would not be read";
      }
      const auto first = window.first();
      if (first) {
        ASSERT_FALSE(disk.all.empty());
        ASSERT_EQ(*first, *disk.all.begin()) << "step " << step;
      } else if (!window.hungry()) {
        ASSERT_TRUE(disk.all.empty()) << "step " << step << ": it says that there is none";
      }
      if (window.complete()) {
        ASSERT_EQ(window.size(), disk.all.size());
      }
    }
    // When everything shows, reading finds all, in order.
    disk.settle(disk.ticket);
    window.settled(disk.ticket);
    ++disk.ticket;
    while (!disk.all.empty()) {
      if (window.hungry()) disk.feed(window);
      ASSERT_EQ(window.first(), *disk.all.begin());
      disk.change(window, *disk.all.begin(), false);
      disk.settle(disk.ticket);
      window.settled(disk.ticket++);
    }
    if (window.hungry()) disk.feed(window);
    EXPECT_TRUE(window.complete());
    EXPECT_FALSE(window.first());
  }
}

TEST(a_window_on_an_index, begins_hungry_and_reads_from_the_beginning) {
  const index_window window(3);
  EXPECT_TRUE(window.hungry());
  EXPECT_EQ(window.from(), index_place{});
  EXPECT_FALSE(window.first());
}

TEST(a_window_on_an_index, is_read_afresh_from_where_it_began_or_from_the_beginning) {
  index_window window(2);
  window.feed(std::vector<index_place>{{5, 1}, {6, 2}});
  window.forget(false);
  EXPECT_TRUE(window.hungry());
  EXPECT_EQ(window.from(), (index_place{5, 1}));
  window.forget(true);
  EXPECT_EQ(window.from(), index_place{});
}

TEST(a_window_on_an_index, reads_on_from_where_it_has_erased) {
  index_window window(2);
  window.feed(std::vector<index_place>{{5, 1}, {6, 2}});
  EXPECT_FALSE(window.complete());
  window.erase({5, 1}, 1);
  window.erase({6, 2}, 1);
  EXPECT_TRUE(window.hungry());
  EXPECT_EQ(window.from(), (index_place{6, 2})) << "not over all that was before";
  window.feed(std::vector<index_place>{{6, 2}, {7, 3}}); // the write does not show yet
  EXPECT_EQ(window.first(), (index_place{7, 3}));
}

} // namespace
} // namespace matricula::tasks
