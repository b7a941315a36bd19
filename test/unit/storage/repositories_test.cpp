#include "foundation/random.hpp"
#include "storage/audit.hpp"
#include "storage/dead_letters.hpp"
#include "storage/idempotency.hpp"
#include "storage/inspect.hpp"
#include "storage/schedules.hpp"
#include "test/unit/storage/fixture.hpp"

namespace matricula::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr shard_id three{3};

class repositories_test : public testing::Test {
protected:
  repositories_test() : store_(open_store(small_store(dir_ / "store"))), now_(store_->latest()) {}
  void commit_or_fail(const batch& b) {
    const auto written = commit(*store_, b);
    ASSERT_TRUE(written) << written.error().message;
  }
  std::string ulid(std::int64_t ms) { return make_ulid(ms, random_); }
  dead_letters::letter letter(std::int64_t ms, std::string reason = "exception") {
    return {.id = ulid(ms),
            .at = at_ms(ms),
            .actor = "identifiers/uin/pool",
            .reason = std::move(reason),
            .message_type = "issue",
            .summary = "issue of 3",
            .payload = std::string("\0\xff bytes", 8),
            .replayable = true,
            .trace = {"request-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
            .now = dead_letters::state::kept};
  }
  bool put(const dead_letters::letter& l, std::uint64_t cap = 10) {
    batch b{three};
    const auto kept = dead_letters::put(*now_, b, l, cap);
    EXPECT_TRUE(kept);
    commit_or_fail(b);
    return *kept;
  }
  seeded_random random_{1};
  temporary_directory dir_;
  std::unique_ptr<store> store_;
  std::shared_ptr<const view> now_;
};

idempotency::record sample_record() {
  return {.fingerprint = std::string(32, 'f'),
          .created_at = at_ms(1'000),
          .expires_at = at_ms(90'000),
          .ended = true,
          .kind = 17,
          .payload = std::string("answer\0", 7)};
}

TEST_F(repositories_test, keep_what_an_idempotency_key_was_answered_with) {
  const auto hash = idempotency::hash_of({"tenant", "principal", "issue", "key-1"});
  EXPECT_EQ(hash.size(), 16u);
  EXPECT_EQ(idempotency::find(*now_, three, hash)->has_value(), false);
  batch b{three};
  idempotency::put(b, hash, sample_record());
  commit_or_fail(b);
  EXPECT_EQ(**idempotency::find(*now_, three, hash), sample_record());
  batch gone{three};
  idempotency::erase(gone, hash);
  commit_or_fail(gone);
  EXPECT_EQ(idempotency::find(*now_, three, hash)->has_value(), false);
}

TEST(idempotency_hash, tells_owners_apart_whose_parts_run_together) {
  const std::set<std::string> hashes{
      idempotency::hash_of({"ab", "c", "issue", "k"}), idempotency::hash_of({"a", "bc", "issue", "k"}),
      idempotency::hash_of({"", "abc", "issue", "k"}), idempotency::hash_of({"ab", "c", "issuek", ""}),
      idempotency::hash_of({"ab", "c", "revoke", "k"})};
  EXPECT_EQ(hashes.size(), 5u);
}

TEST_F(repositories_test, keep_dead_letters_whole_over_a_restart) {
  const auto l = letter(5'000);
  EXPECT_TRUE(put(l));
  now_.reset();
  store_.reset();
  store_ = open_store(small_store(dir_ / "store"));
  now_ = store_->latest();
  EXPECT_EQ(**dead_letters::get(*now_, three, l.id), l);
  EXPECT_EQ(dead_letters::get(*now_, three, "no such id")->has_value(), false);
}

TEST_F(repositories_test, cap_dead_letters_per_actor_and_reason_and_count_the_rest) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(put(letter(i), 3), i < 3);
  EXPECT_TRUE(put(letter(9, "timeout"), 3)) << "another reason has room of its own";
  EXPECT_EQ(*dead_letters::count_of(*now_, three, "identifiers/uin/pool", "exception"), (dead_letters::count{3, 2}));
  const auto all = *dead_letters::list(*now_, three, "", 100);
  ASSERT_EQ(all.letters.size(), 4u);
  batch b{three};
  ASSERT_TRUE(dead_letters::erase(*now_, b, all.letters.front().id));
  commit_or_fail(b);
  EXPECT_TRUE(put(letter(20), 3)) << "an erased letter gives its room back";
}

TEST_F(repositories_test, forget_the_count_with_the_last_letter) {
  const auto l = letter(1);
  put(l);
  batch b{three};
  ASSERT_TRUE(dead_letters::erase(*now_, b, l.id));
  commit_or_fail(b);
  EXPECT_THAT(rows_of(*now_, column::dead_letters), IsEmpty());
  batch again{three};
  EXPECT_EQ(dead_letters::erase(*now_, again, l.id).error().code, errc::not_found);
}

TEST_F(repositories_test, list_dead_letters_page_by_page_the_oldest_first) {
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) {
    ids.push_back(ulid(1'000 * (i + 1)));
    auto l = letter(1'000 * (i + 1));
    l.id = ids.back();
    put(l);
  }
  std::vector<std::string> listed;
  std::string after;
  int pages = 0;
  do {
    const auto page = *dead_letters::list(*now_, three, after, 3);
    for (const auto& l : page.letters) listed.push_back(l.id);
    after = page.next;
    ++pages;
  } while (!after.empty());
  EXPECT_EQ(listed, ids);
  EXPECT_EQ(pages, 3);
}

TEST_F(repositories_test, let_a_letter_be_replayed_once_and_only_when_its_type_says_so) {
  const auto l = letter(1);
  auto fixed = letter(2);
  fixed.replayable = false;
  put(l);
  put(fixed);
  batch b{three};
  ASSERT_TRUE(dead_letters::mark_replayed(*now_, b, l.id));
  commit_or_fail(b);
  batch again{three};
  EXPECT_EQ(dead_letters::mark_replayed(*now_, again, l.id).error().code, errc::conflict);
  EXPECT_EQ(dead_letters::mark_replayed(*now_, again, fixed.id).error().code, errc::conflict);
  EXPECT_EQ(dead_letters::mark_replayed(*now_, again, ulid(9)).error().code, errc::not_found);
  EXPECT_TRUE(again.empty());
}

TEST_F(repositories_test, cut_off_a_payload_that_no_batch_could_hold_and_never_replay_it) {
  auto l = letter(1);
  l.payload.assign(batch::bytes_max, 'x');
  put(l);
  const auto kept = **dead_letters::get(*now_, three, l.id);
  EXPECT_EQ(kept.payload.size(), dead_letters::payload_bytes_max);
  EXPECT_FALSE(kept.replayable);
}

TEST_F(repositories_test, remember_when_each_schedule_last_ran) {
  const schedules::last_run expirer{"expirer", at_ms(60'000), at_ms(60'003), at_ms(60'100), schedules::outcome::done,
                                    4,         "12 due"};
  const schedules::last_run beat{"beat", at_ms(1), at_ms(2), std::nullopt, schedules::outcome::started, 1, ""};
  batch b{three};
  schedules::put(b, expirer);
  schedules::put(b, beat);
  commit_or_fail(b);
  EXPECT_EQ(**schedules::get(*now_, three, "expirer"), expirer);
  EXPECT_EQ(schedules::get(*now_, three, "none")->has_value(), false);
  EXPECT_THAT(*schedules::list(*now_, three), ElementsAre(beat, expirer));
  EXPECT_THAT(*schedules::list(*now_, {4}), IsEmpty());
}

TEST_F(repositories_test, list_who_did_what_the_newest_first) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(ulid(1'000 * (i + 1)));
    const audit::entry e{
        ids.back(), at_ms(1'000 * (i + 1)), "operator@example", "actor.kill", "identifiers/uin/pool", "stuck", "r"};
    batch b{audit::acts.shard};
    // The first two as they were kept before there were journals.
    if (i < 2)
      b.put(column::audit, audit::old_key(e.id), audit::encode_old(e));
    else
      ASSERT_TRUE(audit::append(*now_, b, e));
    commit_or_fail(b);
  }
  const auto first = *audit::list(*now_, "", 4);
  ASSERT_EQ(first.entries.size(), 4u);
  EXPECT_EQ(first.entries[0].id, ids[4]);
  EXPECT_EQ(first.entries[3].id, ids[1]);
  EXPECT_EQ(first.entries[0].who, "operator@example");
  const auto second = *audit::list(*now_, first.next, 4);
  ASSERT_EQ(second.entries.size(), 1u);
  EXPECT_EQ(second.entries[0].id, ids[0]);
  EXPECT_EQ(second.next, "");
  const auto among_the_chained = *audit::list(*now_, audit::list(*now_, "", 1)->next, 4);
  ASSERT_EQ(among_the_chained.entries.size(), 4u);
  EXPECT_EQ(among_the_chained.entries[0].id, ids[3]);
  EXPECT_EQ(among_the_chained.entries[3].id, ids[0]);
}

TEST_F(repositories_test, print_every_row_as_a_line_of_json_without_payloads) {
  batch b{three};
  idempotency::put(b, std::string(16, 'h'), sample_record());
  schedules::put(b, {"beat \"x\"", at_ms(1), at_ms(2), std::nullopt, schedules::outcome::started, 1, "caf\xc3\xa9"});
  b.put(column::audit, key_builder{three}.fixed(ulid(1)).str(),
        audit::encode_old({ulid(1), at_ms(1), "who", "config.set", "limits", "because", "r"}));
  auto secret = letter(1);
  secret.payload = "SECRET";
  ASSERT_TRUE(dead_letters::put(*now_, b, secret, 5));
  b.put(column::uins, row_key(three, 1), "unknown");
  commit_or_fail(b);
  std::string all;
  for (const auto c :
       {column::meta, column::idempotency, column::schedules, column::audit, column::dead_letters, column::uins})
    ASSERT_TRUE(inspect(*now_, {.where = c, .shard = std::nullopt, .rows_max = 100}, row_decoders{},
                        [&](std::string_view line) { all.append(line).push_back('\n'); }));
  EXPECT_THAT(all, HasSubstr(R"({"column":"meta","key":"ff67726f7570","row":{"name":"group","number":2,)"));
  EXPECT_THAT(
      all,
      HasSubstr(
          R"("created_at":"1970-01-01T00:00:01.000Z","expires_at":"1970-01-01T00:01:30.000Z","ended":true,"payload_bytes":7}})"));
  EXPECT_THAT(all, HasSubstr(R"("row":{"name":"beat \"x\"","due":"1970-01-01T00:00:00.001Z")"));
  EXPECT_THAT(all, HasSubstr(R"("message":"caf\u00c3\u00a9"})"));
  EXPECT_THAT(all, HasSubstr(R"("action":"config.set")"));
  EXPECT_THAT(all, HasSubstr(R"("kept":1,"dropped":0})"));
  EXPECT_THAT(all, HasSubstr(R"("value":"756e6b6e6f776e"})"));
  EXPECT_THAT(all, testing::Not(HasSubstr("undecodable")));
  EXPECT_THAT(all, testing::Not(HasSubstr("SECRET")));
}

TEST_F(repositories_test, print_no_more_rows_than_asked_and_only_of_the_shard_asked) {
  batch here{three};
  for (std::uint64_t n = 0; n < 10; ++n) here.put(column::uins, row_key(three, n), "x");
  commit_or_fail(here);
  commit_or_fail(one_row({4}, 1));
  const auto ignore = [](std::string_view) {};
  EXPECT_EQ(*inspect(*now_, {.where = column::uins, .shard = three, .rows_max = 4}, row_decoders{}, ignore), 4u);
  EXPECT_EQ(*inspect(*now_, {.where = column::uins, .shard = shard_id{4}, .rows_max = 100}, row_decoders{}, ignore),
            1u);
  EXPECT_EQ(column_named("dead_letters"), column::dead_letters);
  EXPECT_EQ(column_named("meta"), column::meta);
  EXPECT_EQ(column_named("nonsense"), std::nullopt);
}

/// Every decoder of the room, on one well-formed row each.
struct sample_row {
  column where;
  std::string key;
  std::string value;
};

std::vector<sample_row> sample_rows() {
  const std::string id(26, '0');
  dead_letters::letter l;
  l.id = id;
  l.actor = "a/b";
  l.payload = "bytes";
  return {{column::meta, std::string(group_key), encode(group_record{5, at_ms(9), std::string(32, 'c')})},
          {column::idempotency, idempotency::key_of(three, std::string(16, 'h')), idempotency::encode(sample_record())},
          {column::dead_letters, dead_letters::key_of(three, id), dead_letters::encode(l)},
          {column::dead_letters, dead_letters::count_key(three, "a", "r"),
           dead_letters::encode(dead_letters::count{300, 2})},
          {column::schedules, schedules::key_of(three, "beat"),
           schedules::encode({"beat", at_ms(1), at_ms(2), at_ms(3), schedules::outcome::failed, 1, "m"})},
          {column::audit, audit::old_key(id), audit::encode_old({id, at_ms(1), "w", "a", "t", "r", "q"})}};
}

TEST(decoders, read_their_own_rows_and_refuse_them_cut_off_or_with_bytes_after_them) {
  const row_decoders decoders;
  for (const auto& row : sample_rows()) {
    const auto& decode = decoders.of(row.where);
    ASSERT_TRUE(decode(row.key, row.value)) << column_names[static_cast<std::size_t>(row.where)];
    for (std::size_t size = 0; size < row.value.size(); ++size)
      EXPECT_FALSE(decode(row.key, std::string_view(row.value).substr(0, size))) << size;
    EXPECT_FALSE(decode(row.key, row.value + "x"));
    EXPECT_FALSE(decode("", row.value));
    auto newer = row.value;
    newer[0] = 99;
    EXPECT_FALSE(decode(row.key, newer)) << "a version that this build does not know";
  }
}

TEST(decoders, survive_hostile_bytes) {
  const row_decoders decoders;
  seeded_random random{42};
  for (int round = 0; round < 2'000; ++round)
    for (auto row : sample_rows()) {
      const auto& decode = decoders.of(row.where);
      for (auto* bytes : {&row.key, &row.value}) {
        auto changed = *bytes;
        if (round % 2 == 0)
          changed[random.below(changed.size())] = static_cast<char>(random.next());
        else
          for (auto& c : changed) c = static_cast<char>(random.next());
        const auto text = bytes == &row.key ? decode(changed, row.value) : decode(row.key, changed);
        EXPECT_EQ(text.value_or("").find('\n'), std::string::npos);
      }
    }
}

} // namespace
} // namespace matricula::storage
