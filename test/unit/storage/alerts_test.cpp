#include "fixture.hpp"
#include "storage/alerts.hpp"

namespace matricula::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

alerts::alert open_alert(std::uint64_t id, std::string subject) {
  alerts::alert a;
  a.id = id;
  a.rule = "queue_age";
  a.subject = std::move(subject);
  a.text = "Nobody works.";
  a.since = a.told_at = a.next_due = at_ms(1'700'000'000'000);
  a.told = 1;
  return a;
}

struct alert_rows_test : ::testing::Test {
  temporary_directory directory;
  alert_partition part = alerts_of_node();
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));

  void put(const alerts::alert& a, std::uint64_t under = 0) {
    batch b(part.shard);
    b.put(column::alerts, part.alert_key(under == 0 ? a.id : under), encode(a));
    ASSERT_TRUE(commit(*open, b));
  }
  void put_next(std::uint64_t next) {
    batch b(part.shard);
    put_next_alert_id(b, part, next);
    ASSERT_TRUE(commit(*open, b));
  }
  std::vector<std::string> verified() const {
    verify_report report;
    alerts_verifier().check(*open->snapshot(), report);
    std::vector<std::string> out;
    for (const auto& problem : report.problems()) out.push_back(problem.message);
    return out;
  }
};

TEST_F(alert_rows_test, are_found_by_number) {
  EXPECT_EQ(find_alerts(*open->snapshot(), part)->next_id, 1U);
  put(open_alert(2, "b"));
  put(open_alert(1, "a"));
  put_next(9);
  const auto found = find_alerts(*open->snapshot(), part);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->all.size(), 2U);
  EXPECT_EQ(found->all[0], open_alert(1, "a"));
  EXPECT_EQ(found->all[1], open_alert(2, "b"));
  EXPECT_EQ(found->next_id, 9U);
  EXPECT_EQ(found->unreadable, 0U);
  EXPECT_THAT(verified(), IsEmpty());
}

TEST_F(alert_rows_test, that_do_not_decode_are_passed_over_and_their_numbers_are_not_given_again) {
  put(open_alert(1, "a"));
  batch b(part.shard);
  b.put(column::alerts, part.alert_key(5), "damaged");
  b.put(column::alerts, part.next_key(), "damaged");
  ASSERT_TRUE(commit(*open, b));
  const auto found = find_alerts(*open->snapshot(), part);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->all.size(), 1U);
  EXPECT_EQ(found->unreadable, 2U);
  EXPECT_EQ(found->next_id, 6U);
}

TEST_F(alert_rows_test, are_checked) {
  put(open_alert(1, "a"));
  put(open_alert(2, "a"));
  put(open_alert(3, "b"), 4);
  put_next(2);
  EXPECT_THAT(verified(), ::testing::UnorderedElementsAre(HasSubstr("alerts 1 and 2 are open for the same"),
                                                          HasSubstr("alert 3 stands under another number"),
                                                          HasSubstr("was given out before")));
}

TEST_F(alert_rows_test, are_shown_by_tools) {
  auto a = open_alert(1, "mail\r\n\"x\"");
  a.ended_at = a.since;
  row_decoders decoders;
  add_alert_decoder(decoders);
  const auto& decode = decoders.of(column::alerts);
  const auto shown = decode(part.alert_key(1), encode(a));
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_THAT(*shown, HasSubstr(R"("rule":"queue_age")"));
  EXPECT_THAT(*shown, HasSubstr(R"("ended_at":"2023-11-14T22:13:20.000Z")"));
  EXPECT_FALSE(decode(part.alert_key(1), "x"));
  EXPECT_FALSE(decode("x", encode(a)));
  EXPECT_FALSE(decode(part.next_key(), ""));
}

} // namespace
} // namespace matricula::storage
