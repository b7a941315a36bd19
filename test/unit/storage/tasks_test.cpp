#include "fixture.hpp"
#include "foundation/bytes.hpp"
#include "storage/task_list.hpp"
#include "storage/tasks.hpp"

#include <fmt/format.h>

namespace matricula::storage {
namespace {

using namespace tasks;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const timestamp noon = at_ms(1'700'000'000'000);
const std::string payload = "{}";

/// Tasks of two types in every state, as the queue writes them.
struct task_rows_test : ::testing::Test {
  temporary_directory directory;
  task_partition part = tasks_of_node();
  std::unique_ptr<store> open = open_store(small_store(directory / "data"));
  std::map<std::string, queue_counts> counts;
  task_numbers numbers;
  std::map<std::uint64_t, task> all;

  task make(const std::string& type, const std::string& key = {}) {
    task t;
    t.id = numbers.next_id++;
    t.worker_type = worker_type_of(type);
    if (is_lane(type)) t.lane = type.substr(type.find('.') + 1);
    t.payload = payload;
    t.unique_key = key;
    t.queued_at = t.due_at = noon;
    t.tries_max = 3;
    ++counts[type].queued_total;
    return t;
  }
  void count(const task& t, task_state as) { ++counts[queue_of(t)].of(as); }
  void put_row(batch& rows, const task& t) {
    rows.put(column::tasks, part.task_key(t.id), encode(t));
    if (!t.unique_key.empty())
      rows.put(column::task_index, part.unique_key(t.worker_type, t.unique_key), byte_writer{}.varint(t.id).str());
    all[t.id] = t;
  }
  std::uint64_t add_ready(const std::string& type, std::uint8_t priority = 4, const std::string& key = {}) {
    auto t = make(type, key);
    t.priority = priority;
    t.rank = rank_of(t, milliseconds{10'000});
    batch rows(part.shard);
    put_row(rows, t);
    rows.put(column::task_index, part.ready_key(type, t.rank, t.id), {});
    count(t, task_state::pending);
    finish(rows);
    return t.id;
  }
  std::uint64_t add_waiting(const std::string& type, milliseconds in) {
    auto t = make(type);
    t.due_at = noon + in;
    batch rows(part.shard);
    put_row(rows, t);
    rows.put(column::task_index, part.waiting_key(type, t.due_at, t.id), {});
    count(t, task_state::pending);
    finish(rows);
    return t.id;
  }
  std::uint64_t add_running(const std::string& type) {
    auto t = make(type);
    const lease held{numbers.next_token++, "w", noon, noon + milliseconds{30'000}};
    batch rows(part.shard);
    put_row(rows, t);
    rows.put(column::task_index, part.running_key(type, t.id), encode(held));
    count(t, task_state::running);
    finish(rows);
    return t.id;
  }
  std::uint64_t add_ended(const std::string& type, task_state state, milliseconds at) {
    auto t = make(type);
    t.state = state;
    t.finished_at = noon + at;
    batch rows(part.shard);
    put_row(rows, t);
    rows.put(column::task_index, part.ended_key(state, *t.finished_at, t.id), {});
    count(t, state);
    finish(rows);
    return t.id;
  }
  void finish(batch& rows) {
    for (const auto& [type, c] : counts) rows.put(column::task_index, part.queue_key(type), encode(c));
    put_numbers(rows, part, numbers);
    ASSERT_TRUE(commit(*open, rows));
  }
  void put(column where, const std::string& key, const std::string& value) {
    batch rows(part.shard);
    rows.put(where, key, value);
    ASSERT_TRUE(commit(*open, rows));
  }
  void erase(column where, const std::string& key) {
    batch rows(part.shard);
    rows.erase(where, key);
    ASSERT_TRUE(commit(*open, rows));
  }
  [[nodiscard]] std::vector<std::string> problems() const {
    verify_report report;
    tasks_verifier().check(*open->snapshot(), report);
    std::vector<std::string> out;
    for (const auto& p : report.problems()) out.push_back(p.message);
    return out;
  }
  /// The numbers of all pages, each of which holds at most `limit`.
  std::vector<std::uint64_t> list(std::optional<task_state> state, const std::string& type, std::size_t limit) {
    const auto v = open->snapshot();
    std::vector<std::uint64_t> out;
    std::string cursor;
    for (int pages = 0; pages < 100; ++pages) {
      const auto page = list_tasks(*v, part, {state, type, find_queues(*v, part).value()}, cursor, limit);
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return out;
      EXPECT_LE(page->items.size(), limit);
      for (const auto& item : page->items) out.push_back(item.task.id);
      if (!page->next) return out;
      cursor = *page->next;
    }
    ADD_FAILURE() << "the list never ends";
    return out;
  }
};

TEST_F(task_rows_test, have_keys_that_sort_as_what_they_stand_for) {
  const std::vector sorted{part.ready_key("a", 0, 9),
                           part.ready_key("a", 1, 0),
                           part.ready_key("a", 1, 1),
                           part.ready_key("a", 256, 0),
                           part.ready_key("ab", 0, 0),
                           part.ready_key("b", 0, 0),
                           part.waiting_key("a", noon, 2),
                           part.waiting_key("a", noon + milliseconds{1}, 1),
                           part.waiting_key("b", at_ms(0), 0),
                           part.running_key("a", 1),
                           part.running_key("a", 256),
                           part.running_key("b", 0),
                           part.ended_key(task_state::completed, noon, 1),
                           part.ended_key(task_state::completed, noon + milliseconds{1}, 0),
                           part.ended_key(task_state::failed, at_ms(0), 0),
                           part.ended_key(task_state::cancelled, at_ms(0), 0),
                           part.unique_key("a", "k"),
                           part.queue_key("a"),
                           part.queue_key("ab"),
                           part.next_key()};
  EXPECT_TRUE(std::ranges::is_sorted(sorted));
  EXPECT_TRUE(std::ranges::adjacent_find(sorted) == sorted.end());
  EXPECT_LT(part.task_key(255), part.task_key(256));
  for (const auto& key : sorted) EXPECT_EQ(static_cast<std::uint8_t>(key.front()), part.shard.value);
  EXPECT_EQ(part.unique_key("a", "a name").find("a name"), std::string::npos) << "keys may be personal";
  const std::string longest(64, 'x');
  EXPECT_LT(part.ready_key(longest, 1, 1).size(), 128U);
  EXPECT_LT(part.unique_key(longest, std::string(128, 'k')).size(), 128U);
}

TEST_F(task_rows_test, rank_by_time_and_a_little_by_priority) {
  task t;
  t.due_at = noon;
  t.priority = 0;
  const auto first = rank_of(t, milliseconds{10'000});
  t.priority = 3;
  EXPECT_EQ(rank_of(t, milliseconds{10'000}), first + 30'000);
  EXPECT_EQ(rank_of(t, milliseconds{0}), first);
}

TEST_F(task_rows_test, are_found_as_what_they_are) {
  const auto ready = add_ready("work"), waiting = add_waiting("work", milliseconds{50}), running = add_running("work");
  const auto other = add_ready("other");
  const auto failed = add_ended("work", task_state::failed, milliseconds{1});
  const auto later = add_ended("other", task_state::failed, milliseconds{2});
  const auto v = open->snapshot();
  const auto found = find_task(*v, part, running).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->task.state, task_state::running);
  EXPECT_EQ(found->task.tries, 1U);
  EXPECT_EQ(found->held->token, 1U);
  EXPECT_EQ(find_task_row(reader_of(*v), part, running).value()->state, task_state::pending);
  EXPECT_EQ(find_task(*v, part, ready).value()->task, all[ready]);
  EXPECT_FALSE(find_task(*v, part, 99).value());
  const auto rank = rank_of(all[ready], milliseconds{10'000});
  EXPECT_THAT(find_ready(*v, part, "work", {}, 10).value(), ElementsAre(place_in_index{rank, ready}));
  EXPECT_THAT(find_ready(*v, part, "work", {rank, ready + 1}, 10).value(), IsEmpty());
  EXPECT_THAT(find_ready(*v, part, "wor", {}, 10).value(), IsEmpty());
  EXPECT_EQ(find_ready(*v, part, "other", {}, 10).value().front().id, other);
  EXPECT_THAT(find_waiting(*v, part, "work", {}, 10).value(),
              ElementsAre(place_in_index{to_unix_ms(noon) + 50, waiting}));
  ASSERT_EQ(find_running(*v, part, "work").value().size(), 1U);
  EXPECT_THAT(find_running(*v, part, "other").value(), IsEmpty());
  const place_in_index a{to_unix_ms(noon) + 1, failed}, b{to_unix_ms(noon) + 2, later};
  EXPECT_THAT(find_ended(*v, part, task_state::failed, {}, 10).value(), ElementsAre(b, a));
  EXPECT_THAT(find_ended(*v, part, task_state::failed, b, 10).value(), ElementsAre(a));
  EXPECT_THAT(find_ended(*v, part, task_state::failed, {}, 1).value(), ElementsAre(b));
  EXPECT_THAT(find_ended_first(*v, part, task_state::failed, {}, 10).value(), ElementsAre(a, b));
  EXPECT_THAT(find_ended_first(*v, part, task_state::failed, b, 10).value(), ElementsAre(b));
  EXPECT_THAT(find_ended_first(*v, part, task_state::completed, {}, 10).value(), IsEmpty());
  EXPECT_THAT(find_queues(*v, part).value(), ElementsAre("other", "work"));
  EXPECT_EQ(find_queue(*v, part, "work").value(), counts["work"]);
  EXPECT_EQ(find_queue(*v, part, "none").value(), queue_counts{});
  EXPECT_EQ(find_numbers(*v, part).value().next_id, numbers.next_id);
  EXPECT_EQ(find_numbers(*v, part).value().next_token, 2U);
}

TEST_F(task_rows_test, of_a_new_store_begin_with_number_one) {
  const auto n = find_numbers(*open->snapshot(), part).value();
  EXPECT_EQ(n.next_id, 1U);
  EXPECT_EQ(n.next_token, 1U);
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(list({}, "", 10), IsEmpty());
  EXPECT_THAT(list(task_state::pending, "", 10), IsEmpty());
}

TEST_F(task_rows_test, that_are_damaged_are_errors) {
  const auto id = add_running("work");
  put(column::task_index, part.next_key(), "");
  EXPECT_EQ(find_numbers(*open->snapshot(), part).error().code, errc::corrupt);
  put(column::task_index, part.next_key(), byte_writer{}.varint(0).varint(1).str());
  EXPECT_EQ(find_numbers(*open->snapshot(), part).error().code, errc::corrupt);
  put(column::task_index, part.queue_key("work"), "?");
  EXPECT_EQ(find_queue(*open->snapshot(), part, "work").error().code, errc::corrupt);
  put(column::task_index, part.running_key("work", id), "?");
  EXPECT_EQ(find_running(*open->snapshot(), part, "work").error().code, errc::corrupt);
  EXPECT_EQ(find_task(*open->snapshot(), part, id).error().code, errc::corrupt);
  const auto short_key = part.running_key("v", 0).substr(0, 5);
  put(column::task_index, short_key, encode(lease{}));
  EXPECT_EQ(find_running(*open->snapshot(), part, "v").error().code, errc::corrupt);
  EXPECT_EQ(list_tasks(*open->snapshot(), part, {task_state::running, "v", {"v"}}, "", 10).error().code, errc::corrupt);
  put(column::tasks, part.task_key(id), "?");
  EXPECT_EQ(find_task(*open->snapshot(), part, id).error().code, errc::corrupt);
}

TEST_F(task_rows_test, are_listed_page_by_page_for_every_state_and_type) {
  std::map<std::pair<task_state, std::string>, std::vector<std::uint64_t>> expected;
  std::vector<std::uint64_t> of_type[2];
  for (int round = 0; round < 7; ++round) {
    for (const std::string type : {"other", "work"}) {
      auto& of_this = of_type[type == "work" ? 1 : 0];
      of_this.push_back(add_running(type));
      expected[{task_state::running, type}].push_back(of_this.back());
      for (const auto state : {task_state::completed, task_state::failed, task_state::cancelled}) {
        of_this.push_back(add_ended(type, state, milliseconds{round * 10 + (type == "work" ? 1 : 0)}));
        expected[{state, type}].insert(expected[{state, type}].begin(), of_this.back());
      }
      of_this.push_back(add_ready(type));
      expected[{task_state::pending, type}].push_back(of_this.back());
    }
  }
  for (int round = 0; round < 4; ++round)
    for (const std::string type : {"other", "work"}) {
      of_type[type == "work" ? 1 : 0].push_back(add_waiting(type, milliseconds{1'000 + round}));
      expected[{task_state::pending, type}].push_back(of_type[type == "work" ? 1 : 0].back());
    }
  for (const std::size_t limit : {1U, 2U, 3U, 5U, 100U}) {
    SCOPED_TRACE(limit);
    for (const auto& [what, ids] : expected) EXPECT_EQ(list(what.first, what.second, limit), ids) << what.second;
    for (const auto state : {task_state::pending, task_state::running}) {
      auto both = expected[{state, "other"}];
      both.insert(both.end(), expected[{state, "work"}].begin(), expected[{state, "work"}].end());
      EXPECT_EQ(list(state, "", limit), both) << to_string(state);
    }
    for (const auto state : {task_state::completed, task_state::failed, task_state::cancelled}) {
      std::vector<std::uint64_t> merged; // the latest first, of both types
      for (std::size_t i = 0; i < 7; ++i) {
        merged.push_back(expected[{state, "work"}][i]);
        merged.push_back(expected[{state, "other"}][i]);
      }
      EXPECT_EQ(list(state, "", limit), merged) << to_string(state);
    }
    std::vector<std::uint64_t> every;
    for (auto id = numbers.next_id - 1; id > 0; --id) every.push_back(id);
    EXPECT_EQ(list({}, "", limit), every);
    std::ranges::reverse(every);
    for (int t = 0; t < 2; ++t) {
      auto newest_first = of_type[t];
      std::ranges::reverse(newest_first);
      EXPECT_EQ(list({}, t == 1 ? "work" : "other", limit), newest_first);
    }
  }
  EXPECT_THAT(list(task_state::pending, "unheard_of", 10), IsEmpty());
  EXPECT_THAT(list({}, "unheard_of", 10), IsEmpty());
}

TEST_F(task_rows_test, in_a_lane_are_a_queue_of_their_own_and_of_their_worker_type) {
  const auto plain = add_ready("work"), in_lane = add_ready("work.far", 4, "key"), other = add_ready("workers");
  const auto waiting = add_waiting("work.far", milliseconds{5}), running = add_running("work.far");
  const auto ended = add_ended("work.far", task_state::failed, milliseconds{1});
  const auto v = open->snapshot();
  EXPECT_EQ(find_ready(*v, part, "work", {}, 10).value().size(), 1U);
  EXPECT_EQ(find_ready(*v, part, "work.far", {}, 10).value().front().id, in_lane);
  EXPECT_EQ(find_task(*v, part, running).value()->task.state, task_state::running);
  EXPECT_EQ(find_task(*v, part, running).value()->task.lane, "far");
  EXPECT_THAT(list(task_state::pending, "work", 1), ElementsAre(plain, in_lane, waiting));
  EXPECT_THAT(list(task_state::pending, "work.far", 1), ElementsAre(in_lane, waiting));
  EXPECT_THAT(list(task_state::running, "work", 1), ElementsAre(running));
  EXPECT_THAT(list(task_state::failed, "work.far", 1), ElementsAre(ended));
  EXPECT_THAT(list({}, "work", 10), ElementsAre(ended, running, waiting, in_lane, plain));
  EXPECT_THAT(list({}, "workers", 10), ElementsAre(other));
  EXPECT_THAT(problems(), IsEmpty());
  const std::string longest = std::string(28, 'x') + '.' + std::string(64, 'y');
  EXPECT_LT(part.ready_key(longest, 1, 1).size(), 128U);
}

TEST_F(task_rows_test, are_not_listed_for_a_cursor_that_is_none) {
  (void)add_ready("work");
  for (const auto cursor :
       {"x", "1", "0.zz", "7.00", "0.0", "-1.00", "0.0000000000000000000000000000000000", "99999999999999999999.00"}) {
    const auto page = list_tasks(*open->snapshot(), part, {task_state::pending, "", {"work"}}, cursor, 10);
    ASSERT_FALSE(page) << cursor;
    EXPECT_EQ(page.error().code, errc::invalid_argument) << cursor;
  }
}

// -- what verify says -------------------------------------------------------------------------------------------------

TEST_F(task_rows_test, that_agree_have_no_problems) {
  (void)add_ready("work", 4, "key");
  (void)add_waiting("work", milliseconds{1});
  (void)add_running("other");
  (void)add_ended("work", task_state::completed, milliseconds{1});
  (void)add_ended("work", task_state::failed, milliseconds{1});
  (void)add_ended("other", task_state::cancelled, milliseconds{1});
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(task_rows_test, that_do_not_agree_are_each_a_problem_of_its_own) {
  const auto ready = add_ready("work", 4, "key"), waiting = add_waiting("work", milliseconds{5});
  const auto running = add_running("work");
  const auto ended = add_ended("work", task_state::failed, milliseconds{1});
  const auto rank = rank_of(all[ready], milliseconds{10'000});
  const auto row = [&](std::uint64_t id) { return part.task_key(id); };
  const auto index = column::task_index;
  struct damage {
    const char* what;
    column where;
    std::string key;
    std::optional<std::string> value; ///< nothing: the row goes
    const char* says;
  };
  auto ended_otherwise = all[ended];
  ended_otherwise.state = task_state::completed;
  auto ended_later = all[ended];
  ended_later.finished_at = noon + milliseconds{2};
  auto due_later = all[waiting];
  due_later.due_at = noon + milliseconds{6};
  auto of_other = all[ready];
  of_other.worker_type = "other";
  auto of_other_rank = all[ready];
  ++of_other_rank.rank;
  auto stored_running = all[running];
  stored_running.state = task_state::running;
  auto wrong = counts["work"], unbalanced = counts["work"];
  --wrong.of(task_state::pending);
  ++wrong.of(task_state::failed);
  ++unbalanced.queued_total;
  const std::vector<damage> damages{
      {"no task for ready", column::tasks, row(ready), {}, "names task"},
      {"no task for ended", column::tasks, row(ended), {}, "names task"},
      {"no ready row", index, part.ready_key("work", rank, ready), {}, "is to be done and does not stand"},
      {"no waiting row", index, part.waiting_key("work", all[waiting].due_at, waiting), {}, "is to be done and does"},
      {"no lease", index, part.running_key("work", running), {}, "is to be done and does not stand"},
      {"no ended row", index, part.ended_key(task_state::failed, noon + milliseconds{1}, ended), {}, "has ended and"},
      {"no unique row", index, part.unique_key("work", "key"), {}, "not the one that its unique key names"},
      {"another unique row", index, part.unique_key("work", "key"), byte_writer{}.varint(77).str(), "unique key"},
      {"another outcome", column::tasks, row(ended), encode(ended_otherwise), "stands in the index as ended"},
      {"another end", column::tasks, row(ended), encode(ended_later), "stands in the index as ended"},
      {"another time", column::tasks, row(waiting), encode(due_later), "for another time"},
      {"another type", column::tasks, row(ready), encode(of_other), "index of another worker type"},
      {"another rank", column::tasks, row(ready), encode(of_other_rank), "at another rank"},
      {"stored as running", column::tasks, row(running), encode(stored_running), "stands in the index as running"},
      {"another number", column::tasks, row(ready), encode(all[waiting]), "under another number"},
      {"ready twice", index, part.ready_key("work", rank + 1, ready), "", "more than once"},
      {"ready and running", index, part.ready_key("work", rank, running), "", "more than once"},
      {"ended and ready", index, part.ready_key("work", rank, ended), "", "stands in the index as ready"},
      {"wrong counters", index, part.queue_key("work"), encode(wrong), "the counters of worker type work say"},
      {"counters apart", index, part.queue_key("work"), encode(unbalanced), "do not add up"},
      {"no counters", index, part.queue_key("work"), {}, "has tasks and no counters"},
      {"numbers again", index, part.next_key(), byte_writer{}.varint(2).varint(9).str(), "given out before"},
      {"tokens again", index, part.next_key(), byte_writer{}.varint(99).varint(1).str(), "given out before"},
      {"no numbers", index, part.next_key(), {}, "given out before"},
  };
  for (const auto& d : damages) {
    const auto before = open->snapshot()->get(d.where, d.key).value();
    if (d.value)
      put(d.where, d.key, *d.value);
    else
      erase(d.where, d.key);
    EXPECT_THAT(problems(), ::testing::Contains(HasSubstr(d.says))) << d.what;
    if (before)
      put(d.where, d.key, *before);
    else
      erase(d.where, d.key);
    ASSERT_THAT(problems(), IsEmpty()) << "after " << d.what;
  }
}

TEST_F(task_rows_test, are_shown_by_the_tools_without_what_is_in_them) {
  const auto id = add_ready("work", 4, "somebody's key");
  (void)add_waiting("work", milliseconds{5});
  (void)add_running("work");
  (void)add_ended("work", task_state::failed, milliseconds{1});
  row_decoders decoders;
  add_task_decoders(decoders);
  std::string shown;
  for (const auto where : {column::tasks, column::task_index})
    for (const auto& [key, value] : rows_of(*open->snapshot(), where)) {
      const auto line = decoders.of(where)(key, value);
      ASSERT_TRUE(line) << line.error().message;
      shown += *line + "\n";
    }
  for (const auto* word : {R"("index":"ready")", R"("index":"waiting")", R"("index":"running")", R"("index":"ended")",
                           R"("index":"unique")", R"("index":"queue")", R"("index":"next")", R"("state":"FAILED")",
                           R"("payload_bytes":2)", R"("worker":"w")"})
    EXPECT_THAT(shown, HasSubstr(word));
  EXPECT_EQ(shown.find("somebody"), std::string::npos);
  EXPECT_FALSE(decoders.of(column::tasks)(part.task_key(id), "?"));
  EXPECT_FALSE(decoders.of(column::task_index)("\x01?", ""));
  for (const auto& key :
       {part.queue_key("work"), part.next_key(), part.unique_key("work", "k"), part.running_key("work", 1)})
    EXPECT_FALSE(decoders.of(column::task_index)(key, "")) << "a row without its value";
}

} // namespace
} // namespace matricula::storage
