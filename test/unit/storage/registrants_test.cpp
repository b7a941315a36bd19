#include "fixture.hpp"
#include "foundation/bytes.hpp"
#include "storage/registrants.hpp"

#include <functional>

namespace matricula::storage {
namespace {

using namespace registrants;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Two registrants, one with a confirmed ID, and a call in doubt, as the ledger writes them.
struct registrant_rows_test : ::testing::Test {
  temporary_directory directory;
  registrant_partition part = registrants_of(tasks_of_node());
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));

  void SetUp() override {
    batch rows(part.shard);
    registrant a;
    a.id = 1;
    a.kind = "individual";
    a.id_type = "uin";
    a.reference = "ref";
    a.tenant = "t";
    a.unique_id = "123";
    a.progress = id_progress::confirmed;
    put_registrant(rows, part, a);
    rows.put(column::registrants, part.data_key(1), "{}");
    put_number(rows, part.reference_key("t", "ref"), 1);
    put_number(rows, part.unique_id_key("123"), 1);
    registrant b;
    b.id = 2;
    b.kind = "individual";
    b.progress = id_progress::failed;
    put_registrant(rows, part, b);
    generator_call c;
    c.number = 1;
    c.registrant = 2;
    c.state = call_state::in_doubt;
    put_call(rows, part, c);
    rows.put(column::registrants, part.doubt_key(1), {});
    put_registrant_numbers(rows, part, {.next_id = 3, .next_call = 2, .in_doubt = 1, .created = 2});
    ASSERT_TRUE(commit(*open, rows));
  }
  std::vector<std::string> verified() {
    verify_report report;
    registrants_verifier().check(*open->snapshot(), report);
    std::vector<std::string> said;
    for (const auto& p : report.problems()) said.push_back(p.message);
    return said;
  }
  void change(const std::function<void(batch&)>& how) {
    batch rows(part.shard);
    how(rows);
    ASSERT_TRUE(commit(*open, rows));
  }
};

TEST_F(registrant_rows_test, agree_and_are_found) {
  EXPECT_THAT(verified(), IsEmpty());
  const auto view = open->snapshot();
  const auto rows = reader_of(*view);
  EXPECT_EQ(find_number(rows, part.reference_key("t", "ref")).value(), 1U);
  EXPECT_FALSE(find_number(rows, part.reference_key("other", "ref")).value()) << "of another tenant";
  EXPECT_EQ(find_registrant(rows, part, 1).value()->unique_id, "123");
  EXPECT_EQ(find_registrant_data(rows, part, 1).value(), "{}");
  EXPECT_EQ(find_registrant_data(rows, part, 2).value(), "");
  EXPECT_EQ(list_registrants(*view, part, 0, 1).value().size(), 1U);
  EXPECT_EQ(list_registrants(*view, part, 2, 9).value().front().id, 2U);
  EXPECT_EQ(list_calls(*view, part, true, 0, 9).value().size(), 1U);
  EXPECT_EQ(list_calls(*view, part, true, 2, 9).value().size(), 0U);
}

TEST_F(registrant_rows_test, of_which_one_is_wrong_are_told) {
  const auto told = [&](const char* what, const std::function<void(batch&)>& how) {
    open.reset();
    open = open_store(small_store(directory / what));
    SetUp();
    change(how);
    const auto said = verified();
    ASSERT_FALSE(said.empty()) << what;
    EXPECT_THAT(said, testing::Contains(HasSubstr(what)));
  };
  told("is not the one that its unique ID names", [&](batch& b) { put_number(b, part.unique_id_key("123"), 2); });
  told("is not the one that its reference names",
       [&](batch& b) { b.erase(column::registrants, part.reference_key("t", "ref")); });
  told("whose it is not", [&](batch& b) { put_number(b, part.unique_id_key("999"), 2); });
  told("who is not there", [&](batch& b) { b.put(column::registrants, part.data_key(9), "{}"); });
  told("the counter says 1", [&](batch& b) { b.erase(column::registrants, part.doubt_key(1)); });
  told("a call that is not its own", [&](batch& b) { put_number(b, part.call_key(1), 1); });
  told("was given out before",
       [&](batch& b) { put_registrant_numbers(b, part, {.next_id = 2, .next_call = 2, .in_doubt = 1, .created = 2}); });
  told("its task 0 is not to be done", [&](batch& b) {
    registrant r;
    r.id = 2;
    r.progress = id_progress::requested;
    put_registrant(b, part, r);
  });
}

TEST_F(registrant_rows_test, are_shown_without_what_they_say_of_people) {
  row_decoders decoders;
  add_registrant_decoder(decoders);
  std::string all;
  const auto n = inspect(*open->snapshot(), {.where = column::registrants}, decoders,
                         [&](std::string_view line) { all += std::string(line) + "\n"; });
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, 8U);
  EXPECT_THAT(all, HasSubstr(R"("id_progress":"confirmed")"));
  EXPECT_THAT(all, HasSubstr(R"("unique_id_bytes":3)"));
  EXPECT_THAT(all, testing::Not(HasSubstr("\"123\"")));
}

} // namespace
} // namespace matricula::storage
