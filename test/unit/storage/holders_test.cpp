#include "fixture.hpp"
#include "storage/holders.hpp"

namespace matricula::storage {
namespace {

using namespace identifiers;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const timestamp noon = at_ms(1'700'000'000'000);

/// A holder with an active VID and one that was revoked and cools off, as their records say.
struct holder_rows_test : ::testing::Test {
  temporary_directory directory;
  id_partition part{{9}, 3, lifecycle::vid};
  holder ada{"ada",
             {{"1111", 5, 1, "temporary", vid_state::revoked, noon, {}, 2},
              {"2222", 8, 2, "perpetual", vid_state::active, noon, noon + std::chrono::hours(1), {}}}};
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));

  static id_record record_of(const holder& h, const held_vid& v) {
    id_record r;
    r.id = v.id;
    r.state = v.open() ? id_state::assigned : id_state::expired;
    r.assignment = v.assignment;
    r.expires_at = v.expires_at;
    r.holder = h.name;
    r.of_policy = true;
    return r;
  }
  void SetUp() override {
    batch rows(part.shard);
    for (const auto& v : ada.vids) rows.put(column::vids, part.record_key(v.counter), encode(record_of(ada, v)));
    put(rows, part, ada);
    ASSERT_TRUE(commit(*open, rows));
  }
  void write(const holder& h) {
    batch rows(part.shard);
    put(rows, part, h);
    ASSERT_TRUE(commit(*open, rows));
  }
  void write(std::uint64_t counter, const id_record& r) {
    batch rows(part.shard);
    rows.put(column::vids, part.record_key(counter), encode(r));
    ASSERT_TRUE(commit(*open, rows));
  }
  std::vector<std::string> problems() const {
    verify_report report;
    holders_verifier().check(*open->snapshot(), report);
    std::vector<std::string> out;
    for (const auto& p : report.problems()) out.push_back(p.message);
    return out;
  }
};

TEST_F(holder_rows_test, are_found_by_the_name_and_by_the_number_of_a_vid) {
  EXPECT_EQ(find_holder(*open->snapshot(), part, "ada").value(), ada);
  EXPECT_EQ(find_holder(*open->snapshot(), part, "ben").value(), (holder{"ben", {}}));
  const auto found = find_vid(*open->snapshot(), part, 8).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->of, ada);
  EXPECT_EQ(found->place, 1u);
  EXPECT_FALSE(find_vid(*open->snapshot(), part, 6).value()) << "never issued";
}

TEST_F(holder_rows_test, go_with_their_last_vid) {
  write({"ada", {}});
  EXPECT_THAT(rows_of(*open->snapshot(), column::holders), IsEmpty());
}

TEST_F(holder_rows_test, have_keys_that_do_not_tell_the_name) {
  const auto rows = rows_of(*open->snapshot(), column::holders);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.begin()->first.find("ada"), std::string::npos);
  EXPECT_EQ(rows.begin()->first.front(), '\x09') << "beside the records of their VIDs";
}

TEST_F(holder_rows_test, that_agree_with_the_records_are_without_problems) { EXPECT_THAT(problems(), IsEmpty()); }

TEST_F(holder_rows_test, that_list_what_the_records_say_otherwise_are_problems) {
  struct damage {
    const char* what;
    void (*to)(id_record&);
    const char* says;
  };
  const damage all[] = {
      {"it ended", [](id_record& r) { r.state = id_state::expired; }, "its record says that it has ended"},
      {"another assignment", [](id_record& r) { ++r.assignment; }, "its record says that it has ended"},
      {"another holder", [](id_record& r) { r.holder = "ben"; }, "another holder's"},
      {"no policy", [](id_record& r) { r.of_policy = false; }, "another holder's"},
      {"another identifier", [](id_record& r) { r.id = "3333"; }, "another identifier or expiry"},
      {"another expiry", [](id_record& r) { r.expires_at = noon; }, "another identifier or expiry"}};
  for (const auto& d : all) {
    auto r = record_of(ada, ada.vids[1]);
    d.to(r);
    write(8, r);
    const auto found = problems();
    ASSERT_FALSE(found.empty()) << d.what;
    EXPECT_THAT(found.front(), HasSubstr(d.says)) << d.what;
  }
}

TEST_F(holder_rows_test, that_lack_a_vid_of_theirs_or_keep_one_too_long_are_problems) {
  auto without = ada;
  without.vids.pop_back();
  write(without);
  EXPECT_THAT(problems(),
              ElementsAre(HasSubstr("counter 8 (assignment 2) was made by a policy and is in no holder's")));
  write(ada);
  auto released = record_of(ada, ada.vids[0]);
  released.state = id_state::available;
  write(5, released);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("its cool-off is over")));
}

TEST_F(holder_rows_test, that_list_a_vid_twice_are_problems) {
  auto twice = ada;
  twice.vids.push_back(ada.vids[1]);
  write(twice);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("counter 8 (assignment 2) is listed twice")));
}

TEST_F(holder_rows_test, are_shown_to_people) {
  row_decoders decoders;
  add_holder_decoder(decoders);
  std::vector<std::string> lines;
  ASSERT_TRUE(inspect(*open->snapshot(), {.where = column::holders}, decoders,
                      [&](std::string_view line) { lines.emplace_back(line); }));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines.front(), HasSubstr(R"("type":3,"holder":"ada")"));
  EXPECT_THAT(lines.front(), HasSubstr(R"("policy":"temporary","state":"REVOKED")"));
  EXPECT_THAT(lines.front(), HasSubstr(R"("transactions_left":2)"));
}

} // namespace
} // namespace matricula::storage
