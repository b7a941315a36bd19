// What is told when: first, at growing intervals, and when it is over; once for each subject; over restarts, and
// whatever the wall clock does.
#include "domain/alerts/alert_book.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace matricula::alerts {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr timestamp noon{1'700'000'000'000ms};

/// A book, and what it said, as "first queue_age/mail".
class a_book : public ::testing::Test {
protected:
  static rhythm usual() {
    rhythm r;
    r.repeat_first = 10min;
    r.repeat_most = 60min;
    r.quiet = 60s;
    r.lasts = 1h;
    r.kept = std::chrono::days{1};
    return r;
  }
  static finding wrong(std::string rule = "queue_age", std::string subject = "mail") {
    finding f;
    f.rule = std::move(rule);
    f.subject = std::move(subject);
    f.text = "Nobody works.";
    return f;
  }
  static finding right(std::string rule = "queue_age", std::string subject = "mail") {
    auto f = wrong(std::move(rule), std::move(subject));
    f.holds = false;
    return f;
  }
  void pass(milliseconds by) {
    now.wall += by;
    now.steady += by;
  }
  /// Takes what is found, and what it makes the book say.
  std::vector<std::string> take(const finding& f) {
    book.take(f, now);
    return said();
  }
  std::vector<std::string> look() {
    book.look(now);
    return said();
  }
  std::vector<std::string> said() {
    std::vector<std::string> out;
    auto news = book.take_news();
    for (const auto& [n, sinks] : news.notices)
      out.push_back(fmt::format("{} {}/{}", to_string(n.kind), n.about.rule, n.about.subject));
    for (const auto id : news.changed) {
      if (const auto* a = book.find(id))
        rows[id] = encode(*a);
      else
        rows.erase(id);
    }
    return out;
  }
  /// As after a restart: what was written, and nothing else.
  std::vector<std::string> restart(std::vector<std::string> sinks = {"log"}) {
    std::vector<alert> known;
    for (const auto& [id, row] : rows) known.push_back(decode_alert(row).value());
    const auto next = book.next_id();
    book = alert_book(usual(), std::move(sinks));
    book.load(std::move(known), next, now);
    return said();
  }
  void settle_all() {
    for (const auto& [id, a] : book.all())
      for (const auto kind : {notice_kind::first, notice_kind::recovery}) book.settled(id, "log", kind);
    (void)said();
  }
  /// Minutes at which something was said, while what is wrong stays so for `how_long`.
  std::vector<std::string> watch(milliseconds how_long, const finding& f) {
    std::vector<std::string> out;
    const auto from = now.steady;
    for (milliseconds at{0}; at <= how_long; at += 10s, pass(10s)) {
      for (const auto& one : take(f))
        out.push_back(fmt::format("{} {}", std::chrono::floor<std::chrono::minutes>(now.steady - from).count(),
                                  one.substr(0, one.find(' '))));
      EXPECT_THAT(look(), IsEmpty()) << "what take has said, look says again";
    }
    return out;
  }

  moment now{noon, 5h};
  alert_book book{usual(), {"log"}};
  std::map<std::uint64_t, std::string> rows;
};

TEST_F(a_book, tells_first_then_at_growing_intervals_up_to_the_longest) {
  EXPECT_THAT(watch(6h, wrong()), ElementsAre("0 first", "10 repeat", "30 repeat", "70 repeat", "130 repeat",
                                              "190 repeat", "250 repeat", "310 repeat"));
  EXPECT_EQ(book.all().size(), 1U);
  EXPECT_EQ(book.all().begin()->second.told, 8U);
}

TEST_F(a_book, tells_the_recovery_once_it_was_quiet_long_enough) {
  EXPECT_THAT(take(wrong()), ElementsAre("first queue_age/mail"));
  pass(5min);
  EXPECT_THAT(take(right()), IsEmpty());
  const auto ended = now.wall;
  pass(59s);
  EXPECT_THAT(take(right()), IsEmpty());
  pass(1s);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/mail")) << "also when nobody says it again";
  EXPECT_EQ(book.find(1)->ended_at, ended) << "when it became right, not when that was told";
  pass(1h);
  EXPECT_THAT(take(right()), IsEmpty());
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(a_book, keeps_rules_and_subjects_apart_and_tells_each_once) {
  EXPECT_THAT(take(wrong("queue_age", "a")), ElementsAre("first queue_age/a"));
  EXPECT_THAT(take(wrong("queue_age", "a")), IsEmpty());
  EXPECT_THAT(take(wrong("queue_age", "b")), ElementsAre("first queue_age/b"));
  EXPECT_THAT(take(wrong("tasks_failed", "a")), ElementsAre("first tasks_failed/a"));
  take(right("queue_age", "a"));
  pass(2min);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/a"));
}

TEST_F(a_book, takes_what_comes_and_goes_for_one_alert) {
  std::vector<std::string> all;
  const auto add = [&](std::vector<std::string> more) { all.insert(all.end(), more.begin(), more.end()); };
  for (int i = 0; i < 40; ++i) { // 20 minutes of it
    add(take(wrong()));
    pass(15s);
    add(take(right()));
    pass(15s);
  }
  EXPECT_THAT(all, ElementsAre("first queue_age/mail", "repeat queue_age/mail"));
  EXPECT_EQ(book.find(1)->returns, 39U);
  pass(1min);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/mail"));
}

TEST_F(a_book, tells_nothing_while_it_is_away) {
  take(wrong());
  pass(9min + 50s);
  EXPECT_THAT(take(right()), IsEmpty());
  pass(30s);
  EXPECT_THAT(look(), IsEmpty()) << "the repeat was due, and it is right at present";
  EXPECT_THAT(take(wrong()), ElementsAre("repeat queue_age/mail"));
}

TEST_F(a_book, gives_what_comes_back_after_the_recovery_a_number_of_its_own) {
  take(wrong());
  take(right());
  pass(1min);
  look();
  EXPECT_THAT(take(wrong()), ElementsAre("first queue_age/mail"));
  EXPECT_EQ(book.find(2)->told, 1U) << "its intervals begin anew";
}

TEST_F(a_book, waits_where_something_must_last) {
  auto f = wrong("pool_low", "uin");
  f.after = 60s;
  EXPECT_THAT(take(f), IsEmpty());
  EXPECT_THAT(book.all(), IsEmpty());
  pass(30s);
  EXPECT_THAT(take(right("pool_low", "uin")), IsEmpty());
  pass(2min);
  EXPECT_THAT(look(), IsEmpty()) << "it never was an alert, so there is no recovery";
  const auto since = now.wall;
  EXPECT_THAT(take(f), IsEmpty());
  pass(60s);
  EXPECT_THAT(look(), ElementsAre("first pool_low/uin"));
  EXPECT_EQ(book.find(1)->since, since) << "since it was found, not since it was told";
}

TEST_F(a_book, takes_the_quiet_time_of_the_rule) {
  auto f = wrong();
  f.quiet = 15min;
  take(f);
  auto over = right();
  over.quiet = 15min;
  take(over);
  pass(14min);
  EXPECT_THAT(take(over), IsEmpty());
  pass(1min);
  EXPECT_THAT(take(over), ElementsAre("recovery queue_age/mail"));
}

TEST_F(a_book, ends_what_nobody_speaks_of_and_says_that_it_is_that) {
  take(wrong());
  pass(59min);
  EXPECT_THAT(look(), ElementsAre("repeat queue_age/mail"));
  pass(1min);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/mail"));
  EXPECT_TRUE(book.find(1)->unheard);
  auto event = wrong("runtime_alarm", "stuck");
  event.lasts = 5min;
  take(event);
  pass(5min);
  EXPECT_THAT(look(), ElementsAre("recovery runtime_alarm/stuck"));
}

// -- acknowledged -----------------------------------------------------------------------------------------------------

TEST_F(a_book, is_quiet_about_what_was_acknowledged_until_it_is_over) {
  take(wrong());
  pass(1min);
  const auto quiet = book.acknowledge(1, "default/operator", now);
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->acknowledged_by, "default/operator");
  EXPECT_EQ(quiet->acknowledged_at, now.wall);
  EXPECT_THAT(watch(5h, wrong()), IsEmpty());
  take(right());
  pass(1min);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/mail"));
  EXPECT_THAT(take(wrong()), ElementsAre("first queue_age/mail")) << "another time, another alert";
  pass(10min);
  EXPECT_THAT(take(wrong()), ElementsAre("repeat queue_age/mail"));
}

TEST_F(a_book, stays_quiet_about_it_after_a_restart) {
  take(wrong());
  ASSERT_TRUE(book.acknowledge(1, "o", now));
  settle_all();
  EXPECT_THAT(restart(), IsEmpty());
  EXPECT_THAT(watch(3h, wrong()), IsEmpty());
}

TEST_F(a_book, acknowledges_once_and_nothing_that_is_over_or_was_never_there) {
  take(wrong());
  const auto first = book.acknowledge(1, "a", now).value();
  pass(1min);
  EXPECT_EQ(book.acknowledge(1, "b", now).value(), first) << "the first one stays";
  take(wrong("other"));
  take(right("other"));
  pass(1min);
  look();
  EXPECT_EQ(book.acknowledge(2, "a", now).error().code, errc::conflict);
  EXPECT_EQ(book.acknowledge(3, "a", now).error().code, errc::not_found);
}

// -- restarts and clocks ----------------------------------------------------------------------------------------------

TEST_F(a_book, neither_forgets_nor_repeats_early_after_a_restart) {
  take(wrong());
  pass(10min);
  EXPECT_THAT(take(wrong()), ElementsAre("repeat queue_age/mail"));
  settle_all();
  pass(5min);
  now.steady = 1s; // another process, another monotonic clock
  EXPECT_THAT(restart(), IsEmpty());
  EXPECT_THAT(take(wrong()), IsEmpty()) << "it is known";
  EXPECT_THAT(watch(16min, wrong()), ElementsAre("15 repeat")) << "20 minutes after the last, 5 of them before";
  EXPECT_EQ(book.find(1)->told, 3U);
}

TEST_F(a_book, tells_at_once_what_came_due_while_the_node_was_down) {
  take(wrong());
  settle_all();
  pass(2h);
  restart();
  EXPECT_THAT(take(wrong()), ElementsAre("repeat queue_age/mail"));
  EXPECT_THAT(take(wrong()), IsEmpty()) << "one for all that were missed";
}

TEST_F(a_book, tells_the_recovery_of_what_became_right_while_the_node_was_down) {
  take(wrong());
  settle_all();
  pass(2h);
  restart();
  EXPECT_THAT(take(right()), IsEmpty());
  pass(1min);
  EXPECT_THAT(take(right()), ElementsAre("recovery queue_age/mail"));
}

TEST_F(a_book, waits_no_longer_than_the_interval_when_the_clock_was_set_back_during_a_restart) {
  take(wrong());
  settle_all();
  now.wall -= std::chrono::days{3};
  now.steady = 0s;
  EXPECT_THAT(restart(), IsEmpty());
  EXPECT_THAT(watch(11min, wrong()), ElementsAre("10 repeat"));
}

TEST_F(a_book, keeps_its_intervals_whatever_the_wall_clock_does) {
  take(wrong());
  settle_all();
  now.wall += std::chrono::days{30};
  EXPECT_THAT(look(), IsEmpty());
  now.wall -= std::chrono::days{60};
  EXPECT_THAT(watch(11min, wrong()), ElementsAre("10 repeat"));
  now.wall -= std::chrono::days{60};
  take(right());
  pass(1min);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/mail"));
  EXPECT_GE(*book.find(1)->ended_at, book.find(1)->since) << "nothing ends before it began";
}

TEST_F(a_book, never_gives_a_number_twice) {
  take(wrong());
  take(right());
  pass(1min);
  look();
  rows.clear(); // forgotten as too old
  restart();
  take(wrong());
  EXPECT_EQ(book.all().begin()->first, 2U);
}

TEST_F(a_book, survives_two_open_rows_of_the_same) {
  alert one;
  one.id = 1;
  one.rule = "queue_age";
  one.subject = "mail";
  one.since = one.told_at = one.next_due = noon;
  one.told = 1;
  auto two = one;
  two.id = 2;
  book.load({one, two}, 3, now);
  EXPECT_TRUE(book.find(1)->ended_at.has_value());
  EXPECT_FALSE(book.find(2)->ended_at.has_value());
  (void)said();
  EXPECT_THAT(take(right()), IsEmpty());
  pass(1min);
  EXPECT_THAT(look(), ElementsAre("recovery queue_age/mail"));
}

// -- what sinks have not taken ----------------------------------------------------------------------------------------

TEST_F(a_book, brings_what_a_sink_has_not_taken_again_after_a_restart) {
  take(wrong());
  EXPECT_THAT(restart(), ElementsAre("first queue_age/mail"));
  book.settled(1, "log", notice_kind::first);
  (void)said();
  EXPECT_THAT(restart(), IsEmpty());
  take(right());
  pass(1min);
  look();
  EXPECT_THAT(restart(), ElementsAre("recovery queue_age/mail"));
  book.settled(1, "log", notice_kind::recovery);
  (void)said();
  EXPECT_THAT(restart(), IsEmpty());
}

TEST_F(a_book, brings_both_when_neither_was_taken) {
  take(wrong());
  take(right());
  pass(1min);
  look();
  EXPECT_THAT(restart(), ElementsAre("first queue_age/mail", "recovery queue_age/mail"));
}

TEST_F(a_book, owes_nothing_to_a_sink_that_is_no_longer_there) {
  take(wrong());
  EXPECT_THAT(restart({"mail"}), IsEmpty());
  EXPECT_THAT(book.find(1)->debts, IsEmpty());
  take(right());
  pass(1min);
  look();
  EXPECT_THAT(book.find(1)->debts, ElementsAre(debt{"mail", false, true})) << "a new sink hears of the recovery";
}

TEST_F(a_book, is_not_confused_by_what_sinks_say) {
  take(wrong());
  book.settled(99, "log", notice_kind::first);
  book.settled(1, "nobody", notice_kind::first);
  book.settled(1, "log", notice_kind::recovery);
  book.settled(1, "log", notice_kind::repeat);
  EXPECT_THAT(book.find(1)->debts, ElementsAre(debt{"log", true, false}));
}

// -- bounds and hostile words -----------------------------------------------------------------------------------------

TEST_F(a_book, takes_no_more_alerts_than_its_bound_and_counts_the_rest) {
  for (std::size_t i = 0; i < alert_book::open_max + 10; ++i) book.take(wrong("r", std::to_string(i)), now);
  EXPECT_EQ(book.all().size(), alert_book::open_max);
  EXPECT_EQ(book.refused(), 10U);
  take(right("r", "0"));
  pass(1min);
  look();
  EXPECT_THAT(take(wrong("r", "late")), ElementsAre("first r/late")) << "there is room again";
}

TEST_F(a_book, forgets_what_is_long_over_but_never_what_is_open) {
  take(wrong("r", "open"));
  take(wrong("r", "old"));
  take(right("r", "old"));
  pass(1min);
  look();
  for (int hour = 0; hour < 24; ++hour) {
    pass(1h);
    take(wrong("r", "open"));
    look();
  }
  EXPECT_TRUE(book.find(1) != nullptr);
  EXPECT_TRUE(book.find(2) == nullptr);
  EXPECT_FALSE(rows.contains(2)) << "its row goes, too";
}

TEST_F(a_book, keeps_the_latest_of_what_is_over) {
  for (std::size_t i = 0; i < alert_book::ended_max + 5; ++i) {
    take(wrong());
    take(right());
    pass(1min);
    look();
  }
  EXPECT_EQ(book.all().size(), alert_book::ended_max);
  EXPECT_EQ(book.all().begin()->first, 6U);
  EXPECT_EQ(rows.size(), alert_book::ended_max);
}

TEST_F(a_book, makes_one_line_of_whatever_it_is_told) {
  auto f = wrong("queue_age\r\nX: y", std::string("m\0il\xff", 5));
  f.text = std::string(100'000, 'x') + "\r\n.\r\n";
  book.take(f, now);
  const auto& a = book.all().begin()->second;
  EXPECT_EQ(a.rule, "queue_age  X: y");
  EXPECT_EQ(a.subject, "m il\xEF\xBF\xBD");
  EXPECT_EQ(a.text, std::string(finding::text_bytes_max, 'x'));
}

TEST(intervals, double_up_to_the_longest) {
  rhythm r;
  r.repeat_first = 10min;
  r.repeat_most = 24h;
  EXPECT_EQ(interval_after(r, 1), 10min);
  EXPECT_EQ(interval_after(r, 2), 20min);
  EXPECT_EQ(interval_after(r, 8), 1'280min);
  EXPECT_EQ(interval_after(r, 9), 24h);
  EXPECT_EQ(interval_after(r, UINT32_MAX), 24h);
}

} // namespace
} // namespace matricula::alerts
