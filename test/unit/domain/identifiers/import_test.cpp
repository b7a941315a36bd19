// A pool that takes in identifiers issued elsewhere, over a real small space.
#include "domain/identifiers/import.hpp"
#include "domain/identifiers/import_claim.hpp"
#include "domain/identifiers/profiles.hpp"
#include "foundation/bytes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace matricula::identifiers {
namespace {

using std::chrono::hours;
const timestamp noon = timestamp{milliseconds{1'700'000'000'000}};

id_type small_type(lifecycle of, reuse_policy reuse = reuse_policy::random) {
  type_options o;
  o.name = "farmer";
  o.profile = "openg2p";
  o.format = {alphabet::digits, 4, *find_profile("openg2p")};
  o.of = of;
  o.reuse = reuse;
  o.cool_off = hours{24};
  o.limits = {20, 60};
  seeded_random random{1};
  return make_type(o, *permutation_key::from_bytes("0123456789abcdef0123456789abcdef"), random).value();
}

/// A pool with the rows that a store would hold.
struct importing_pool : pool_rows {
  explicit importing_pool(lifecycle of, reuse_policy reuse = reuse_policy::random)
      : type(small_type(of, reuse)), now_(pool(type.rules, {})) {}

  result<std::optional<id_record>> record(std::uint64_t counter) override {
    const auto i = records.find(counter);
    return i == records.end() ? std::optional<id_record>{} : std::optional(i->second);
  }
  result<std::uint64_t> released_at(std::uint64_t slot) override { return released.at(slot); }
  result<std::optional<std::uint64_t>> imported_at(std::string_view id) override {
    const auto i = index.find(std::string(id));
    return i == index.end() ? std::optional<std::uint64_t>{} : std::optional(i->second);
  }

  /// Walks the next counters as the populator does, without what was imported.
  void walk_to(std::uint64_t to) {
    pool_proposal p{now_.held_to(), to, {}};
    (void)type.space->walk({p.from, to}, p.found);
    std::erase_if(p.found, [&](const candidate& c) { return index.contains(std::string(c.id.view())); });
    ASSERT_TRUE(now_.accept(std::move(p)));
    EXPECT_TRUE(now_.counters().balanced());
  }
  void restart() { now_ = pool(type.rules, now_.counters()); }

  import_verdict load(const std::string& id, id_state state, import_row row = {}) {
    row.id = id;
    row.state = state;
    if (const auto counter = type.space->counter_of(id)) row.counter = static_cast<std::uint64_t>(*counter);
    row.foreign = !row.counter;
    auto out = now_.import(std::vector{row}, noon, *this);
    write(out->changes);
    return out->verdicts.at(0);
  }
  result<std::string> issue_one() {
    auto out = now_.issue({.by = "clerk"}, noon, random, *this);
    if (!out) return std::unexpected(out.error());
    write(out->changes);
    return out->answer.ids.at(0);
  }
  result<pool::step_outcome> step(std::uint64_t counter, id_event event, timestamp at = noon) {
    auto out = now_.step(counter, event, {}, "clerk", at, hours{1}, *this);
    if (out) write(out->changes);
    return out;
  }
  void run_due(timestamp at) {
    for (bool more = true; more;) {
      more = false;
      for (const auto& row : std::vector(due))
        if (row.at <= at && row.kind != due_kind::purge) {
          write(now_.apply_due(row, at, hours{1}, *this)->changes);
          more = true;
          break;
        }
    }
  }
  void write(const pool_changes& changes) {
    for (const auto& [counter, r] : changes.records) records[counter] = r;
    for (const auto& [slot, counter] : changes.released_slots) released[slot] = counter;
    for (const auto& row : changes.due_removed) EXPECT_EQ(std::erase(due, row), 1U);
    for (const auto& row : changes.due_added) due.push_back(row);
    for (const auto& [id, counter] : changes.imported) EXPECT_TRUE(index.emplace(id, counter).second) << id;
    check();
  }
  void check() {
    const auto& c = now_.counters();
    EXPECT_TRUE(c.balanced());
    std::map<id_state, std::uint64_t> states;
    std::uint64_t foreign = 0;
    for (const auto& [counter, r] : records) {
      ++states[r.state];
      foreign += r.foreign ? 1 : 0;
      EXPECT_EQ(decode_id_record(encode(r)).value(), r);
    }
    EXPECT_EQ(c.issued, states[id_state::issued] + states[id_state::taken]);
    EXPECT_EQ(c.assigned, states[id_state::assigned]);
    EXPECT_EQ(c.cooling, states[id_state::expired]);
    EXPECT_EQ(c.retired, states[id_state::retired]);
    EXPECT_EQ(c.released, states[id_state::available]);
    EXPECT_EQ(c.imported, index.size());
    EXPECT_EQ(c.imported_foreign, foreign);
    EXPECT_EQ(decode_pool_counters(encode(c)).value(), c);
  }
  /// Every identifier of the type, in the order of counters.
  [[nodiscard]] std::vector<candidate> all() const {
    std::vector<candidate> found;
    (void)type.space->walk({}, found);
    return found;
  }
  [[nodiscard]] std::string nth(std::size_t n) const { return std::string(all().at(n).id.view()); }

  id_type type;
  pool now_;
  seeded_random random{7};
  std::map<std::uint64_t, id_record> records;
  std::map<std::uint64_t, std::uint64_t> released;
  std::map<std::string, std::uint64_t> index;
  std::vector<due_row> due;
};

TEST(import, takes_identifiers_out_of_the_pool_and_out_of_what_will_be_walked) {
  importing_pool p{lifecycle::pool};
  const auto all = p.all();
  p.walk_to(400);
  std::set<std::string> imported;
  for (std::size_t i = 0; i < all.size(); i += 3) {
    imported.insert(std::string(all[i].id.view()));
    EXPECT_EQ(p.load(std::string(all[i].id.view()), id_state::taken), import_verdict::accepted);
  }
  p.walk_to(p.type.rules.end);
  std::set<std::string> issued;
  for (auto one = p.issue_one(); one; one = p.issue_one()) EXPECT_TRUE(issued.insert(*one).second);
  EXPECT_EQ(p.issue_one().error().code, errc::exhausted);
  for (const auto& id : imported) EXPECT_FALSE(issued.contains(id));
  EXPECT_EQ(issued.size() + imported.size(), all.size());
  EXPECT_EQ(p.now_.counters().used(), all.size());
  EXPECT_EQ(p.now_.counters().filtered, p.type.rules.end - issued.size());
}

TEST(import, gives_the_same_counters_when_the_interval_is_walked_again_after_a_restart) {
  importing_pool p{lifecycle::pool};
  p.walk_to(500);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(p.issue_one());
  EXPECT_EQ(p.load(p.nth(40), id_state::taken), import_verdict::accepted) << "in the pool";
  p.restart();
  EXPECT_EQ(p.load(p.nth(41), id_state::taken), import_verdict::accepted) << "in the pool, but not in memory";
  const auto before = p.now_.counters();
  p.walk_to(300);
  p.walk_to(500);
  EXPECT_EQ(p.now_.counters(), before);
  EXPECT_EQ(p.now_.level().fresh, before.fresh) << "what is in memory is what is counted";
  p.walk_to(p.type.rules.end);
  std::set<std::string> issued;
  for (auto one = p.issue_one(); one; one = p.issue_one()) issued.insert(*one);
  EXPECT_EQ(issued.size(), p.all().size() - 20 - 2);
}

TEST(import, leaves_what_was_issued_here_and_what_was_imported_before) {
  importing_pool p{lifecycle::uin};
  p.walk_to(400);
  const auto issued = p.issue_one().value();
  EXPECT_EQ(p.load(issued, id_state::assigned), import_verdict::conflict);
  EXPECT_EQ(p.records.at(p.all().front().counter).state, id_state::issued);

  const auto id = p.nth(7);
  EXPECT_EQ(p.load(id, id_state::issued, {.holder = "a"}), import_verdict::accepted);
  EXPECT_EQ(p.load(id, id_state::issued, {.holder = "a"}), import_verdict::duplicate);
  EXPECT_EQ(p.load(id, id_state::assigned, {.holder = "a"}), import_verdict::changed);
  EXPECT_EQ(p.load(id, id_state::issued, {.holder = "b"}), import_verdict::changed);
  EXPECT_EQ(p.records.at(import_base).holder, "a");
  // What happened to it here is no difference to what the file says.
  ASSERT_TRUE(p.step(import_base, id_event::confirm));
  EXPECT_EQ(p.load(id, id_state::issued, {.holder = "a"}), import_verdict::duplicate);
}

TEST(import, knows_an_identifier_that_comes_twice_in_one_batch) {
  importing_pool p{lifecycle::pool};
  import_row row;
  row.id = p.nth(3);
  row.state = id_state::taken;
  const auto out = p.now_.import(std::vector{row, row}, noon, p).value();
  EXPECT_EQ(out.verdicts, (std::vector{import_verdict::accepted, import_verdict::duplicate}));
  p.write(out.changes);
}

TEST(import, says_so_when_a_line_contradicts_another_one_of_the_same_batch) {
  importing_pool p{lifecycle::vid};
  import_row row;
  row.id = p.nth(3);
  row.counter = p.all().at(3).counter;
  row.state = id_state::assigned;
  row.holder = "a";
  row.expires_at = noon + hours{10};
  std::vector rows(5, row);
  rows[1].holder = "b";
  rows[2].state = id_state::expired;
  rows[3].expires_at.reset();
  const auto out = p.now_.import(rows, noon, p).value();
  using enum import_verdict;
  EXPECT_EQ(out.verdicts, (std::vector{accepted, changed, changed, changed, duplicate}));
  p.write(out.changes);
  EXPECT_EQ(p.records.at(import_base).holder, "a") << "the first one is loaded";
}

TEST(import, takes_what_was_issued_here_and_came_back_out_of_the_pool) {
  importing_pool p{lifecycle::uin};
  p.walk_to(p.type.rules.end);
  std::vector<std::string> issued;
  for (auto one = p.issue_one(); one; one = p.issue_one()) issued.push_back(*one);
  const auto counter_of = [&](const std::string& id) {
    return static_cast<std::uint64_t>(*p.type.space->counter_of(id));
  };
  // Some come back, and of these every other one is in use elsewhere.
  std::set<std::string> imported, left;
  for (std::size_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(p.step(counter_of(issued[i]), id_event::give_back));
    (i % 2 == 0 ? imported : left).insert(issued[i]);
  }
  const auto total = p.now_.counters().issues_total;
  std::vector<import_row> rows;
  for (const auto& id : imported) {
    import_row row;
    row.id = id;
    row.counter = counter_of(id);
    row.state = id_state::assigned;
    row.issued_at = noon - hours{1'000};
    row.holder = "elsewhere";
    rows.push_back(row);
  }
  const auto out = p.now_.import(rows, noon + hours{1}, p).value();
  EXPECT_EQ(out.verdicts, std::vector(rows.size(), import_verdict::accepted));
  p.write(out.changes);
  EXPECT_EQ(p.now_.counters().released, left.size());
  EXPECT_EQ(p.now_.counters().issues_total, total + imported.size());
  const auto& record = p.records.at(*rows.front().counter);
  EXPECT_EQ(record.state, id_state::assigned);
  EXPECT_EQ(record.assignment, 2U);
  EXPECT_EQ(record.holder, "elsewhere");
  EXPECT_EQ(record.history.back().by, import_name);
  EXPECT_EQ(record.history.back().at, noon) << "not before what happened to it here";
  EXPECT_EQ(p.now_.import(rows, noon + hours{2}, p).value().verdicts,
            std::vector(rows.size(), import_verdict::duplicate));
  rows.front().holder = "another";
  EXPECT_EQ(p.now_.import(rows, noon + hours{2}, p).value().verdicts.front(), import_verdict::changed);

  std::set<std::string> again;
  for (auto one = p.issue_one(); one; one = p.issue_one()) EXPECT_TRUE(again.insert(*one).second) << *one;
  EXPECT_EQ(again, left);
}

TEST(import, takes_a_released_vid_in_as_expired_and_releases_it_after_its_cool_off) {
  importing_pool p{lifecycle::vid};
  p.walk_to(p.type.rules.end);
  const auto id = p.issue_one().value();
  const auto counter = static_cast<std::uint64_t>(*p.type.space->counter_of(id));
  ASSERT_TRUE(p.step(counter, id_event::revoke));
  p.run_due(noon + hours{24});
  ASSERT_EQ(p.records.at(counter).state, id_state::available);
  import_row row{id, counter, false, id_state::expired, {}, noon + hours{30}, "elsewhere"};
  const auto out = p.now_.import(std::vector{row}, noon + hours{40}, p).value();
  EXPECT_EQ(out.verdicts.front(), import_verdict::accepted);
  p.write(out.changes);
  EXPECT_EQ(p.records.at(counter).state, id_state::expired);
  EXPECT_EQ(p.now_.import(std::vector{row}, noon + hours{41}, p).value().verdicts.front(), import_verdict::duplicate);
  p.run_due(noon + hours{54});
  EXPECT_EQ(p.records.at(counter).state, id_state::available);
  EXPECT_EQ(p.now_.counters().released, 1U);
}

/// So many released ones that one import does not look at all of them.
struct long_released_list : pool_rows {
  explicit long_released_list(std::uint64_t places) : type(small_type(lifecycle::uin)), now_(type.rules, {}) {
    auto c = now_.counters();
    c.issued_to = c.walked_to = type.rules.end;
    c.released = places;
    now_ = pool(type.rules, c);
  }
  result<std::optional<id_record>> record(std::uint64_t) override {
    id_record r;
    r.id = id;
    r.assignment = 1;
    r.advance(noon, id_state::issued, "clerk");
    r.advance(noon, id_state::available, "clerk");
    r.unrecorded = {};
    return std::optional(r);
  }
  result<std::uint64_t> released_at(std::uint64_t slot) override {
    ++looks;
    return slot == place ? counter : import_base + slot;
  }

  id_type type;
  pool now_;
  std::string id = "1";
  std::uint64_t counter = 5; ///< of the identifier
  std::uint64_t place = 10;
  std::uint64_t looks = 0;
};

TEST(import, looks_for_a_released_one_at_so_many_places_and_goes_on_with_the_next_import) {
  long_released_list p(2 * import_released_looks_max);
  const import_row row{p.id, p.counter, false, id_state::assigned, {}, {}, ""};
  p.place = import_released_looks_max + 10;
  EXPECT_EQ(p.now_.import(std::vector{row, row}, noon, p).value().verdicts,
            (std::vector{import_verdict::accepted, import_verdict::duplicate}));
  p = long_released_list(2 * import_released_looks_max);
  EXPECT_EQ(p.now_.import(std::vector{row, row}, noon, p).value().verdicts,
            (std::vector{import_verdict::in_pool, import_verdict::in_pool}));
  EXPECT_EQ(p.looks, import_released_looks_max);
  EXPECT_EQ(p.now_.counters().released, 2 * import_released_looks_max);
  EXPECT_EQ(p.now_.import(std::vector{row}, noon, p).value().verdicts.front(), import_verdict::accepted);
  EXPECT_EQ(p.now_.counters().released, 2 * import_released_looks_max - 1);
}

TEST(import, leaves_what_another_issuer_has_to_that_one) {
  importing_pool p{lifecycle::uin};
  p.walk_to(400);
  const auto granted = p.now_.grant(1, 2, p.random, p).value();
  p.write(granted.changes);
  const auto& given = granted.ids.front();
  EXPECT_EQ(p.load(given.record.id, id_state::assigned), import_verdict::elsewhere);

  // The taker: its class holds none of these counters.
  importing_pool q{lifecycle::uin};
  q.type.rules.walks = {1, 2};
  q.now_ = pool(q.type.rules, {});
  import_row row;
  row.id = given.record.id;
  row.state = id_state::assigned;
  row.counter = given.counter % 2 == 0 ? given.counter : given.counter + 1;
  auto lent = given;
  lent.counter = *row.counter;
  EXPECT_EQ(q.now_.import(std::vector{row}, noon, q).value().verdicts.front(), import_verdict::elsewhere)
      << "it is on its way";
  q.write(q.now_.take(std::vector{lent}, q).value());
  const auto out = q.now_.import(std::vector{row}, noon, q).value();
  EXPECT_EQ(out.verdicts.front(), import_verdict::accepted);
  q.write(out.changes);
  EXPECT_EQ(q.records.at(lent.counter).assignment, 1U);
  EXPECT_EQ(q.now_.counters().released, 0U);
  EXPECT_EQ(q.now_.import(std::vector{row}, noon, q).value().verdicts.front(), import_verdict::duplicate);
}

TEST(import, lets_a_released_identifier_be_handed_out_again_but_never_a_foreign_one) {
  importing_pool p{lifecycle::uin};
  p.walk_to(p.type.rules.end);
  while (p.issue_one()) {
  }
  EXPECT_EQ(p.load("OLD-1", id_state::issued), import_verdict::accepted);
  const auto given_back = p.step(import_base, id_event::give_back).value();
  EXPECT_EQ(given_back.record.state, id_state::retired);
  EXPECT_EQ(p.issue_one().error().code, errc::exhausted);
  EXPECT_EQ(p.now_.counters().used(), p.all().size()) << "it is none of the capacity";

  importing_pool q{lifecycle::uin};
  const auto id = q.nth(0);
  EXPECT_EQ(q.load(id, id_state::issued), import_verdict::accepted);
  q.walk_to(q.type.rules.end);
  while (q.issue_one()) {
  }
  ASSERT_TRUE(q.step(import_base, id_event::give_back));
  EXPECT_EQ(q.issue_one().value(), id);
  EXPECT_EQ(q.records.at(import_base).assignment, 2U);
}

TEST(import, ends_vids_when_their_time_comes_and_releases_them_after_the_cool_off) {
  importing_pool p{lifecycle::vid};
  EXPECT_EQ(p.load(p.nth(0), id_state::assigned, {.expires_at = noon + hours{10}}), import_verdict::accepted);
  EXPECT_EQ(p.load(p.nth(1), id_state::assigned, {.expires_at = noon - hours{10}}), import_verdict::accepted);
  EXPECT_EQ(p.load(p.nth(2), id_state::expired, {.expires_at = noon - hours{20}}), import_verdict::accepted);
  EXPECT_EQ(p.load(p.nth(3), id_state::expired, {.expires_at = noon + hours{20}}), import_verdict::accepted);
  EXPECT_EQ(p.load(p.nth(4), id_state::assigned), import_verdict::accepted);
  for (const auto& row : p.due) EXPECT_GE(row.at, noon) << "the expirer may have passed earlier times";
  EXPECT_EQ(p.records.at(import_base + 3).ended_at, noon) << "it was ended before its time";
  const auto states = [&] {
    std::vector<id_state> out;
    for (const auto& [counter, r] : p.records) out.push_back(r.state);
    return out;
  };
  using enum id_state;
  p.run_due(noon);
  EXPECT_EQ(states(), (std::vector{assigned, expired, expired, expired, assigned}));
  p.run_due(noon + hours{10});
  EXPECT_EQ(states(), (std::vector{expired, expired, available, expired, assigned}));
  p.run_due(noon + hours{24});
  EXPECT_EQ(states(), (std::vector{expired, available, available, available, assigned}));
  EXPECT_EQ(p.now_.counters().released, 3U);
}

TEST(import, after_a_restore_hands_out_nothing_that_was_imported_before_it_or_since) {
  importing_pool p{lifecycle::vid};
  EXPECT_EQ(p.load(p.nth(0), id_state::expired), import_verdict::accepted);
  auto restored = p.now_.counters();
  restored.imported_reuse_from = pool_counters::no_import_is_reused;
  EXPECT_EQ(decode_pool_counters(encode(restored)), restored);
  p.now_ = pool(p.type.rules, restored);
  EXPECT_EQ(p.load(p.nth(1), id_state::expired), import_verdict::accepted);
  p.run_due(noon + hours{24});
  EXPECT_EQ(p.records.at(import_base).state, id_state::retired);
  EXPECT_EQ(p.records.at(import_base + 1).state, id_state::retired)
      << "before the restore it may have been released and given to somebody else";
}

TEST(import, takes_over_what_the_lost_node_knew_of_what_it_had_imported) {
  importing_pool p{lifecycle::vid};
  p.walk_to(400);
  const auto one = [&](std::size_t n, std::vector<id_state> states) {
    import_copy c;
    c.record.id = p.nth(n);
    c.counter = static_cast<std::uint64_t>(*p.type.space->counter_of(p.nth(n)));
    c.record.assignment = 3;
    c.record.holder = "person";
    c.record.expires_at = noon + hours{1};
    c.record.idempotency_ref = std::string(16, 'k');
    c.record.of_policy = true;
    c.record.journal_seq = 17;
    for (const auto to : states) c.record.advance(noon - hours{1}, to, "somebody");
    if (states.back() == id_state::expired) c.record.ended_at = noon - hours{1};
    c.record.unrecorded = {};
    return c;
  };
  using enum id_state;
  import_copy foreign = one(4, {assigned, retired});
  foreign.record.id = "OLD-1";
  foreign.record.foreign = true;
  foreign.counter.reset();
  const auto fresh_before = p.now_.counters().fresh;
  auto changes = p.now_.take_over(
      {one(0, {assigned}), one(1, {assigned, expired}), one(2, {assigned, expired, available}), foreign}, "restore",
      noon);
  const auto& c = p.now_.counters();
  EXPECT_TRUE(c.balanced());
  EXPECT_EQ(c.imported, 4U);
  EXPECT_EQ(c.imported_foreign, 1U);
  EXPECT_EQ(c.fresh, fresh_before - 3) << "they lay in the pool";
  EXPECT_EQ(c.assigned, 1U);
  EXPECT_EQ(c.cooling, 1U);
  EXPECT_EQ(c.retired, 2U) << "one of them was waiting for reuse";
  ASSERT_EQ(changes.records.size(), 4U);
  for (std::size_t i = 0; i < changes.records.size(); ++i) {
    const auto& [counter, r] = changes.records[i];
    EXPECT_EQ(counter, import_base + i);
    EXPECT_EQ(r.assignment, 3U);
    EXPECT_EQ(r.holder, "person");
    EXPECT_EQ(r.idempotency_ref, "") << "its record is not there";
    EXPECT_FALSE(r.of_policy) << "nor its holder's list";
    EXPECT_EQ(r.journal_seq, 0U);
    EXPECT_EQ(r.unrecorded.count, r.history.size()) << "the audit trail gets all of it";
    EXPECT_EQ(changes.imported[i], std::pair(r.id, counter));
  }
  EXPECT_EQ(changes.records[2].second.history.back().at, noon);
  ASSERT_EQ(changes.due_added.size(), 2U);
  EXPECT_EQ(changes.due_added[0].kind, due_kind::expire);
  EXPECT_EQ(changes.due_added[0].at, noon + hours{1});
  EXPECT_EQ(changes.due_added[1].kind, due_kind::release);
  EXPECT_EQ(changes.due_added[1].at, noon + hours{23});
}

TEST(import, counts_what_was_not_there_in_rows_of_before) {
  byte_writer old;
  old.u8(2);
  for (std::uint64_t n = 1; n <= 11; ++n) old.varint(n);
  old.varint(to_unix_ms(noon)).varint(17);
  const auto read = decode_pool_counters(old.str());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->reuse_from, 17U);
  EXPECT_EQ(read->imported, 0U);
  EXPECT_EQ(read->imported_foreign, 0U);
}

struct claim_case {
  const char* what;
  lifecycle of;
  import_claim claim;
  const char* code; ///< empty: it is loaded
};

TEST(import_claims, are_judged_by_lifecycle_rules_and_times) {
  const auto valid = importing_pool(lifecycle::vid).nth(0);
  const auto with = [&](const char* state, std::optional<timestamp> issued = {},
                        std::optional<timestamp> expires = {}) {
    return import_claim{valid, state, issued, expires, "holder"};
  };
  const std::vector<claim_case> cases = {
      {"uin in use", lifecycle::uin, with(""), ""},
      {"uin issued", lifecycle::uin, with("ISSUED"), ""},
      {"uin expired", lifecycle::uin, with("EXPIRED"), "unknown_state"},
      {"uin taken", lifecycle::uin, with("TAKEN"), "unknown_state"},
      {"vid expired", lifecycle::vid, with("EXPIRED"), ""},
      {"vid issued", lifecycle::vid, with("ISSUED"), "unknown_state"},
      {"pool taken", lifecycle::pool, with("TAKEN"), ""},
      {"pool assigned", lifecycle::pool, with("ASSIGNED"), "unknown_state"},
      {"lower case", lifecycle::pool, with("taken"), "unknown_state"},
      {"unused", lifecycle::uin, with("UNUSED"), "not_in_use"},
      {"available", lifecycle::vid, with("AVAILABLE"), "not_in_use"},
      {"a uin that expires", lifecycle::uin, with("", {}, noon), "does_not_expire"},
      {"a vid that expired long ago", lifecycle::vid, with("", {}, noon - hours{1000}), ""},
      {"issued in the future", lifecycle::vid, with("", noon + milliseconds{1}), "wrong_time"},
      {"issued now", lifecycle::vid, with("", noon), ""},
      {"issued at the epoch", lifecycle::vid, with("", timestamp{}), "wrong_time"},
      {"ended before it began", lifecycle::vid, with("", noon, noon - hours{1}), "wrong_time"},
      {"no identifier", lifecycle::pool, {}, "malformed_id"},
      {"blanks", lifecycle::pool, {.id = "12 34"}, "malformed_id"},
      {"65 symbols", lifecycle::pool, {.id = std::string(65, '7')}, "malformed_id"},
      {"64 symbols", lifecycle::pool, {.id = std::string(64, '7')}, "breaks_rules"},
      {"another alphabet", lifecycle::pool, {.id = "a.b_c-D"}, "breaks_rules"},
      {"a wrong check digit", lifecycle::pool, {.id = "9999"}, "breaks_rules"},
  };
  for (const auto& [what, of, claim, code] : cases) {
    SCOPED_TRACE(what);
    const auto row = judge(small_type(of), claim, false, noon);
    EXPECT_EQ(row ? "" : row.error().code, code);
    if (!row) {
      EXPECT_GT(row.error().message.size(), 20U);
    }
    if (row) {
      EXPECT_TRUE(row->counter.has_value());
      EXPECT_FALSE(row->foreign);
    }
    // What breaks the rules is loaded when that is asked for, and nothing else is forgiven.
    const auto foreign = judge(small_type(of), claim, true, noon);
    EXPECT_EQ(foreign ? "" : foreign.error().code, std::string_view(code) == "breaks_rules" ? "" : code);
    if (std::string_view(code) == "breaks_rules" && foreign) {
      EXPECT_TRUE(foreign->foreign);
      EXPECT_FALSE(foreign->counter.has_value());
    }
  }
}

} // namespace
} // namespace matricula::identifiers
