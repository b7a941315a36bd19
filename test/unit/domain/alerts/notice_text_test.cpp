#include "domain/alerts/notice_text.hpp"

#include <gmock/gmock.h>

namespace matricula::alerts {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

notice a_notice(notice_kind kind) {
  notice n;
  n.kind = kind;
  auto& a = n.about;
  a.id = 7;
  a.rule = "queue_age";
  a.subject = "id_generation";
  a.text = "Nobody works.";
  a.since = timestamp{1'767'225'600'000ms}; // 2026-01-01T00:00:00.000Z
  a.told = kind == notice_kind::repeat ? 3 : 1;
  a.told_at = a.since + 26h + 30min;
  a.next_due = a.told_at + 40min;
  if (kind == notice_kind::recovery) a.ended_at = a.since + 75min;
  return n;
}

TEST(headlines, say_what_it_is_and_what_became_of_it) {
  EXPECT_EQ(headline(a_notice(notice_kind::first), ""), "[warning] queue_age (id_generation)");
  EXPECT_EQ(headline(a_notice(notice_kind::repeat), "node 1"),
            "[node 1 warning] queue_age (id_generation), for 1 d 2 h");
  EXPECT_EQ(headline(a_notice(notice_kind::recovery), ""),
            "[recovered] queue_age (id_generation): over, after 1 h 15 min");
  auto silent = a_notice(notice_kind::recovery);
  silent.about.unheard = true;
  silent.about.subject.clear();
  EXPECT_EQ(headline(silent, ""), "[recovered] queue_age: nobody reports it any more, after 1 h 15 min");
}

TEST(headlines, hold_no_line_end_of_the_nodes_name) {
  EXPECT_EQ(headline(a_notice(notice_kind::first), "a\r\nBcc: b"), "[a  Bcc: b warning] queue_age (id_generation)");
}

TEST(notices, say_everything_in_words) {
  EXPECT_EQ(in_words(a_notice(notice_kind::first), ""),
            "[warning] queue_age (id_generation)\n\nNobody works.\n\n"
            "Alert:     7\nRule:      queue_age\nSubject:   id_generation\nSeverity:  warning\n"
            "Since:     2026-01-01T00:00:00.000Z\nNotice:    1\n"
            "Next:      2026-01-02T03:10:00.000Z, unless it is over or acknowledged\n");
  const auto over = in_words(a_notice(notice_kind::recovery), "");
  EXPECT_THAT(over, HasSubstr("Over:      2026-01-01T01:15:00.000Z\n"));
  EXPECT_THAT(over, Not(HasSubstr("Next:")));
}

TEST(notices, are_json_whatever_they_hold) {
  auto n = a_notice(notice_kind::first);
  n.about.text = "a \"quoted\" back\\slash\r\n\x01 \xff";
  EXPECT_EQ(
      as_json(n, "n"),
      R"({"notice":"first","key":"alert-7-1767225600000-first","alert":7,"rule":"queue_age","subject":"id_generation",)"
      R"("severity":"warning","text":"a \"quoted\" back\\slash    )"
      "\xEF\xBF\xBD"
      R"(","since":"2026-01-01T00:00:00.000Z","notices":1,"node":"n"})");
  EXPECT_THAT(as_json(a_notice(notice_kind::recovery), ""),
              HasSubstr(R"("ended_at":"2026-01-01T01:15:00.000Z","unheard":false})"));
}

TEST(notices, have_a_key_of_their_own) {
  EXPECT_EQ(key_of(a_notice(notice_kind::first)), "alert-7-1767225600000-first");
  EXPECT_EQ(key_of(a_notice(notice_kind::repeat)), "alert-7-1767225600000-repeat-3");
  EXPECT_EQ(key_of(a_notice(notice_kind::recovery)), "alert-7-1767225600000-recovery");
  auto of_another_store = a_notice(notice_kind::first);
  of_another_store.about.since += 1ms;
  EXPECT_EQ(key_of(of_another_store), "alert-7-1767225600001-first");
}

} // namespace
} // namespace matricula::alerts
