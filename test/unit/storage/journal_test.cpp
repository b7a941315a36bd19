#include "fixture.hpp"
#include "foundation/digest.hpp"
#include "storage/journal.hpp"

#include <fmt/format.h>

#include <functional>

namespace matricula::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr journal::chain here{{7}, 3};

struct journal_test : ::testing::Test {
  temporary_directory directory;
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));

  void append(std::initializer_list<std::string_view> contents, std::int64_t at = 1'000) {
    auto end = journal::writer::resume(*open->latest(), here);
    ASSERT_TRUE(end);
    batch b{here.shard};
    for (const auto content : contents) end->append(b, at_ms(at++), content);
    ASSERT_TRUE(commit(*open, b));
  }
  std::vector<std::string> up(std::uint64_t from) {
    std::vector<std::string> out;
    EXPECT_TRUE(journal::walk_up(*open->latest(), here, from, [&](const journal::row& r) {
      out.push_back(fmt::format("{} {} {}", r.seq, to_unix_ms(r.at), r.content));
      return true;
    }));
    return out;
  }
  std::string check() {
    return journal::check(*open->latest(), here, [](const journal::row&) { return true; }).value_or("holds");
  }
  std::string value_of(std::uint64_t seq) {
    return open->latest()->get(column::journals, journal::row_key(here, seq)).value().value();
  }
  void damage(const std::function<void(batch&)>& how) {
    batch b{here.shard};
    how(b);
    ASSERT_TRUE(commit(*open, b));
  }
  std::uint64_t drop(std::int64_t before_ms, std::size_t rows_max) {
    batch b{here.shard};
    const auto cut = journal::trim(*open->latest(), b, here, at_ms(before_ms), rows_max);
    EXPECT_TRUE(cut);
    if (!b.empty()) {
      EXPECT_TRUE(commit(*open, b));
    }
    return cut ? cut->rows : 0;
  }
};

TEST_F(journal_test, an_empty_journal_holds_and_ends_at_zero) {
  EXPECT_EQ(check(), "holds");
  const auto tip = journal::find_tip(*open->latest(), here);
  EXPECT_EQ(tip->seq, 0u);
  EXPECT_EQ(tip->hash, std::string(32, '\0'));
}

TEST_F(journal_test, gives_its_rows_back_in_order_from_both_ends) {
  append({"a", "b"});
  append({"c"}, 5'000);
  EXPECT_THAT(up(2), ElementsAre("2 1001 b", "3 5000 c"));
  std::string down;
  ASSERT_TRUE(journal::walk_down(*open->latest(), here, 2, [&](const journal::row& r) {
    down += r.content;
    return true;
  }));
  EXPECT_EQ(down, "ba");
  EXPECT_EQ(check(), "holds");
}

TEST_F(journal_test, its_hash_is_that_of_the_hash_before_the_key_and_the_row) {
  append({"first"});
  const auto value = value_of(1);
  const auto body = value.substr(0, value.size() - 8);
  const auto expected = sha256(std::string(32, '\0') + journal::row_key(here, 1) + body);
  EXPECT_EQ(to_hex(journal::find_tip(*open->latest(), here)->hash), to_hex(expected));
}

TEST_F(journal_test, its_times_never_run_backwards) {
  append({"a"}, 9'000);
  append({"b"}, 4'000);
  EXPECT_THAT(up(1), ElementsAre("1 9000 a", "2 9000 b"));
}

TEST_F(journal_test, finds_the_first_row_of_a_time) {
  append({"a", "b", "c"}, 1'000); // at 1000, 1001, 1002
  append({"d"}, 2'000);
  const auto first = [&](std::int64_t at) { return *journal::first_not_before(*open->latest(), here, at_ms(at)); };
  EXPECT_EQ(first(0), 1u);
  EXPECT_EQ(first(1'001), 2u);
  EXPECT_EQ(first(1'500), 4u);
  EXPECT_EQ(first(2'001), 5u);
}

TEST_F(journal_test, every_damage_is_found_with_the_row_where_it_is) {
  append({"one", "two", "three", "four"});
  struct planted {
    const char* what;
    std::function<void(batch&)> how;
    const char* found;
  };
  const auto put = [](batch& b, std::uint64_t seq, std::string_view value) {
    b.put(column::journals, journal::row_key(here, seq), value);
  };
  const auto whole = rows_of(*open->latest(), column::journals);
  const planted cases[] = {
      {"a byte changed",
       [&](batch& b) {
         auto v = value_of(2);
         v[4] = static_cast<char>(v[4] ^ 1);
         put(b, 2, v);
       },
       "row 2 was changed"},
      {"a row in another's place",
       [&](batch& b) {
         const auto two = value_of(2), three = value_of(3);
         put(b, 2, three);
         put(b, 3, two);
       },
       "row 2 was changed"},
      {"a row removed", [&](batch& b) { b.erase(column::journals, journal::row_key(here, 3)); }, "row 3 is missing"},
      {"the last row removed", [&](batch& b) { b.erase(column::journals, journal::row_key(here, 4)); },
       "its last row is 3, but 4 rows were written"},
      {"the first row removed", [&](batch& b) { b.erase(column::journals, journal::row_key(here, 1)); },
       "row 1 is missing"},
      {"a row added", [&](batch& b) { put(b, 5, value_of(4)); }, "row 5 was changed"},
  };
  for (const auto& c : cases) {
    damage(c.how);
    EXPECT_THAT(check(), HasSubstr(c.found)) << c.what;
    damage([&](batch& b) {
      for (std::uint64_t seq = 1; seq < 6; ++seq) b.erase(column::journals, journal::row_key(here, seq));
      for (const auto& [key, value] : whole) b.put(column::journals, key, value);
    });
    ASSERT_EQ(check(), "holds") << c.what;
  }
}

TEST_F(journal_test, a_chain_rewritten_from_some_row_on_has_another_end) {
  append({"one", "two", "three"});
  const auto kept_elsewhere = journal::find_tip(*open->latest(), here)->hash;
  damage([&](batch& b) {
    for (const auto& [key, value] : rows_of(*open->latest(), column::journals)) b.erase(column::journals, key);
  });
  append({"one", "2", "three"});
  EXPECT_EQ(check(), "holds") << "whoever owns the disk can write another chain";
  EXPECT_NE(journal::find_tip(*open->latest(), here)->hash, kept_elsewhere) << "but not one with the same end";
}

TEST_F(journal_test, what_is_left_after_dropping_the_oldest_rows_still_holds) {
  append({"a", "b", "c", "d"}, 1'000); // at 1000 to 1003
  EXPECT_EQ(drop(1'002, 1), 1u) << "some at a time";
  EXPECT_EQ(drop(1'002, 500), 1u);
  EXPECT_EQ(drop(1'002, 500), 0u);
  EXPECT_EQ(check(), "holds");
  EXPECT_THAT(up(0), ElementsAre("3 1002 c", "4 1003 d"));
  EXPECT_EQ(journal::find_beginning(*open->latest(), here)->first, 3u);
  EXPECT_EQ(*journal::first_not_before(*open->latest(), here, at_ms(0)), 3u);
  append({"e"}, 1'004);
  EXPECT_EQ(check(), "holds");
  EXPECT_EQ(drop(10'000, 500), 3u) << "even all of them";
  append({"f"}, 11'000);
  EXPECT_EQ(check(), "holds");
  EXPECT_THAT(up(0), ElementsAre("6 11000 f"));
}

TEST_F(journal_test, nothing_is_dropped_that_does_not_follow_from_what_was_before) {
  append({"a", "b"});
  damage([&](batch& b) {
    auto v = value_of(1);
    v[4] = static_cast<char>(v[4] ^ 1);
    b.put(column::journals, journal::row_key(here, 1), v);
  });
  batch b{here.shard};
  const auto cut = journal::trim(*open->latest(), b, here, at_ms(10'000), 500);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, errc::corrupt);
  EXPECT_THAT(cut.error().message, HasSubstr("row 1 does not follow"));
}

} // namespace
} // namespace matricula::storage
