#include "domain/tasks/task.hpp"
#include "foundation/random.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace matricula::tasks {
namespace {

const timestamp noon{milliseconds{1'700'000'000'000}};
const retry_policy policy{.tries_max = 3, .backoff_first = milliseconds{1'000}, .backoff_max = milliseconds{4'000}};

struct world {
  seeded_random random{1};
  std::uint64_t next_token = 7;

  static task fresh(std::uint32_t tries_max = 3) {
    task t;
    t.id = 1;
    t.worker_type = "work";
    t.payload = "{}";
    t.queued_at = t.due_at = noon;
    t.tries_max = tries_max;
    return t;
  }
  lease begin(task& t, timestamp at = noon) {
    begin_try(t, at);
    return {next_token++, "w", at, at + milliseconds{30'000}};
  }
  void try_once(task& t, const outcome& how, timestamp at = noon) {
    const auto held = begin(t, at);
    end_try(t, held, how, at + milliseconds{5}, policy, random);
  }
};

TEST(a_task, ends_as_its_try_ended) {
  struct {
    outcome_kind how;
    task_state state;
    std::uint32_t tries_max, tries;
  } const cases[] = {
      {outcome_kind::done, task_state::completed, 1, 1},   {outcome_kind::permanent, task_state::failed, 5, 1},
      {outcome_kind::transient, task_state::failed, 1, 1}, {outcome_kind::transient, task_state::pending, 2, 1},
      {outcome_kind::lost, task_state::failed, 1, 1},      {outcome_kind::lost, task_state::pending, 2, 1},
      {outcome_kind::not_yet, task_state::pending, 1, 0},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(to_string(c.how));
    world w;
    auto t = w.fresh(c.tries_max);
    w.try_once(t, {c.how, "said", {}});
    EXPECT_EQ(t.state, c.state);
    EXPECT_EQ(t.tries, c.tries);
    EXPECT_EQ(t.finished_at, is_final(c.state) ? std::optional(noon + milliseconds{5}) : std::nullopt);
    EXPECT_EQ(t.last_try_at, noon);
    ASSERT_EQ(t.history.size(), 1U);
    const bool good = c.how == outcome_kind::done;
    EXPECT_EQ(t.history[0], (attempt{1, 7, noon, noon + milliseconds{5}, c.how, "w", good ? "" : "said"}));
    EXPECT_EQ(t.last_error, good ? "" : "said");
    EXPECT_EQ(t.result, good ? "said" : "");
  }
}

TEST(a_task, fails_with_the_last_try_of_its_budget) {
  for (const std::uint32_t budget : {1U, 4U, 5U, 10U}) {
    world w;
    auto t = w.fresh(budget);
    std::uint32_t real = 0;
    while (t.state == task_state::pending) {
      w.try_once(t, {outcome_kind::not_yet, "empty", {}});
      w.try_once(t, {real++ % 2 == 0 ? outcome_kind::transient : outcome_kind::lost, "no", {}});
    }
    EXPECT_EQ(real, budget);
    EXPECT_EQ(t.tries, budget);
    EXPECT_EQ(t.state, task_state::failed);
  }
}

TEST(a_task, is_due_when_the_policy_or_the_worker_says) {
  world w;
  for (int i = 0; i < 200; ++i) {
    auto t = w.fresh();
    w.try_once(t, {outcome_kind::transient, "", {}});
    EXPECT_GE(t.due_at, noon + milliseconds{5});
    EXPECT_LE(t.due_at, noon + milliseconds{1'005});
    auto later = w.fresh();
    w.try_once(later, {outcome_kind::not_yet, "", {}});
    EXPECT_GE(later.due_at, noon + milliseconds{505});
    EXPECT_LE(later.due_at, noon + milliseconds{1'505});
  }
  for (const auto kind : {outcome_kind::transient, outcome_kind::not_yet}) {
    auto t = w.fresh();
    w.try_once(t, {kind, "", milliseconds{77'000}});
    EXPECT_EQ(t.due_at, noon + milliseconds{77'005});
  }
}

TEST(a_task, waits_after_a_manual_retry_as_after_its_first_failures) {
  world w;
  auto t = w.fresh(8);
  while (t.state == task_state::pending) w.try_once(t, {outcome_kind::transient, "", {}});
  ASSERT_EQ(t.tries, 8U);
  for (int i = 0; i < 200; ++i) {
    auto again = t;
    ASSERT_TRUE(retry(again, 5, noon));
    w.try_once(again, {outcome_kind::transient, "", {}});
    EXPECT_LE(again.due_at, noon + milliseconds{1'005});
  }
}

TEST(a_task, keeps_its_latest_tries_with_their_tokens_and_what_a_person_can_read) {
  world w;
  auto t = w.fresh(100);
  for (std::uint32_t i = 0; i < 30; ++i) w.try_once(t, {outcome_kind::transient, std::to_string(i), {}});
  ASSERT_EQ(t.history.size(), task::history_max);
  EXPECT_EQ(t.history.front().number, 11U);
  EXPECT_EQ(t.history.front().token, 17U);
  EXPECT_EQ(t.history.back().number, 30U);
  EXPECT_EQ(t.history.back().token, 36U);
  EXPECT_EQ(t.last_error, "29");
  // Two bytes a character, and no half of one is kept.
  std::string umlauts = "x";
  while (umlauts.size() < 2 * task::error_bytes_max) umlauts += "\xC3\xBC";
  w.try_once(t, {outcome_kind::transient, umlauts, {}});
  EXPECT_EQ(t.last_error, umlauts.substr(0, task::error_bytes_max - 1));
  w.try_once(t, {outcome_kind::transient, std::string(2 * task::error_bytes_max, '\x80'), {}});
  EXPECT_TRUE(t.last_error.empty()) << "not a character anywhere";
}

TEST(a_task, remembers_what_failed_however_long_it_waits_afterwards) {
  world w;
  auto t = w.fresh(100);
  for (int i = 0; i < 25; ++i) w.try_once(t, {outcome_kind::transient, "no", {}});
  for (int i = 0; i < 50; ++i) w.try_once(t, {outcome_kind::not_yet, "empty", {}});
  ASSERT_EQ(t.history.size(), task::history_max);
  EXPECT_EQ(t.history.front().number, 7U);
  EXPECT_EQ(t.history.back().ended, outcome_kind::not_yet);
  EXPECT_EQ(t.history.back().token, 7U + 74U) << "the latest";
  EXPECT_EQ(t.history[task::history_max - 2].ended, outcome_kind::transient);
  EXPECT_EQ(t.tries, 25U);
}

TEST(a_task, waits_longer_for_what_is_not_there_each_time_in_a_row) {
  world w;
  auto t = w.fresh(100);
  const auto pause = [&] {
    w.try_once(t, {outcome_kind::not_yet, "empty", {}});
    return t.due_at - noon - milliseconds{5};
  };
  for (const int mean_ms : {1'000, 2'000, 4'000, 4'000, 4'000}) {
    const auto waits = pause();
    EXPECT_GE(waits, milliseconds{mean_ms / 2});
    EXPECT_LE(waits, milliseconds{mean_ms / 2 * 3}) << "up to the cap of the policy";
  }
  w.try_once(t, {outcome_kind::transient, "no", {}});
  EXPECT_LE(pause(), milliseconds{1'500}) << "something happened: anew";
}

TEST(a_task, stands_in_the_queue_of_its_type_or_of_its_lane) {
  auto t = world::fresh();
  EXPECT_EQ(queue_of(t), "work");
  EXPECT_TRUE(is_of(t, "work"));
  t.lane = "far";
  EXPECT_EQ(queue_of(t), "work.far");
  EXPECT_TRUE(is_of(t, "work") && is_of(t, "work.far"));
  EXPECT_FALSE(is_of(t, "far") || is_of(t, "work.fa"));
  EXPECT_EQ(worker_type_of("work.far"), "work");
  EXPECT_EQ(worker_type_of("work"), "work");
  EXPECT_TRUE(is_lane("work.far"));
  EXPECT_FALSE(is_lane("work"));
}

TEST(a_task, forgets_its_last_error_when_it_is_done) {
  world w;
  auto t = w.fresh();
  w.try_once(t, {outcome_kind::transient, "no", {}});
  w.try_once(t, {outcome_kind::done, "", {}});
  EXPECT_EQ(t.last_error, "");
  EXPECT_EQ(t.history.front().error, "no");
}

TEST(a_task, is_cancelled_and_tried_again_in_some_states_only) {
  for (const auto state :
       {task_state::pending, task_state::running, task_state::completed, task_state::failed, task_state::cancelled}) {
    SCOPED_TRACE(to_string(state));
    auto t = world::fresh();
    t.state = state;
    t.tries = 3;
    if (is_final(state)) t.finished_at = noon;
    auto other = t;
    const auto before = t;
    const lease held{7, "w", noon, noon + milliseconds{30}};
    EXPECT_EQ(cancel(t, state == task_state::running ? &held : nullptr, noon + milliseconds{9}), !is_final(state));
    if (is_final(state)) {
      EXPECT_EQ(t, before);
    } else {
      EXPECT_EQ(t.state, task_state::cancelled);
      EXPECT_EQ(t.tries, 3U);
      ASSERT_EQ(t.history.size(), state == task_state::running ? 1U : 0U);
      if (state == task_state::running) {
        EXPECT_EQ(t.history[0], (attempt{3, 7, noon, noon + milliseconds{9}, outcome_kind::cancelled, "w", ""}));
      }
      EXPECT_EQ(t.finished_at, noon + milliseconds{9});
    }
    const bool again = state == task_state::failed || state == task_state::cancelled;
    EXPECT_EQ(retry(other, 5, noon + milliseconds{9}), again);
    if (!again) {
      EXPECT_EQ(other, before);
    } else {
      EXPECT_EQ(other.state, task_state::pending);
      EXPECT_EQ(other.finished_at, std::nullopt);
      EXPECT_EQ(other.due_at, noon + milliseconds{9});
      EXPECT_EQ(other.tries, 3U);
      EXPECT_EQ(other.tries_max, 8U);
      EXPECT_EQ(other.tries_before, 3U);
    }
  }
}

using a_task_that_runs_DeathTest = ::testing::Test;
TEST_F(a_task_that_runs_DeathTest, is_not_begun_again_and_one_that_does_not_run_is_not_ended) {
  world w;
  auto t = w.fresh();
  EXPECT_DEATH(end_try(t, {}, {}, noon, policy, w.random), "only a running task's try ends");
  (void)w.begin(t);
  EXPECT_DEATH(begin_try(t, noon), "only a task that waits is begun");
}

TEST(the_words_for_states_and_outcomes, are_read_as_they_are_written_in_any_case) {
  for (const auto s :
       {task_state::pending, task_state::running, task_state::completed, task_state::failed, task_state::cancelled})
    EXPECT_EQ(parse_task_state(to_string(s)), s);
  for (const auto k : {outcome_kind::done, outcome_kind::transient, outcome_kind::permanent, outcome_kind::not_yet,
                       outcome_kind::lost, outcome_kind::cancelled})
    EXPECT_EQ(parse_outcome_kind(to_string(k)), k);
  EXPECT_EQ(parse_task_state("pending"), task_state::pending);
  EXPECT_EQ(parse_outcome_kind("NOT_YET"), outcome_kind::not_yet);
  for (const auto word : {"", "UNKNOWN", "PENDIN", "PENDINGS"}) {
    EXPECT_EQ(parse_task_state(word), std::nullopt) << word;
    EXPECT_EQ(parse_outcome_kind(word), std::nullopt) << word;
  }
  EXPECT_EQ(to_string(task_state{0}), "UNKNOWN");
  EXPECT_EQ(to_string(static_cast<task_state>(99)), "UNKNOWN");
  EXPECT_EQ(to_string(static_cast<outcome_kind>(99)), "unknown");
}

// -- rows -------------------------------------------------------------------------------------------------------------

std::vector<task> various() {
  std::vector<task> all(1);
  all.front().id = 1;
  all.front().queued_at = all.front().due_at = noon;
  world w;
  auto t = w.fresh();
  t.id = UINT64_MAX;
  t.payload = std::string(task::payload_bytes_max, 'p');
  t.unique_key = std::string("\0\xff key", 6);
  t.queued_by = "somebody";
  t.priority = 9;
  t.rank = 1'700'000'090'000;
  all.push_back(t);
  t.payload = "{}";
  for (const auto kind : {outcome_kind::transient, outcome_kind::not_yet, outcome_kind::lost, outcome_kind::done}) {
    w.try_once(t, {kind, "text", {}});
    all.push_back(t);
  }
  auto failed = w.fresh();
  w.try_once(failed, {outcome_kind::permanent, "never", {}});
  all.push_back(failed);
  failed.lane = "far";
  all.push_back(failed);
  auto running = w.fresh();
  (void)w.begin(running);
  all.push_back(running);
  auto cancelled = w.fresh();
  (void)cancel(cancelled, nullptr, noon);
  all.push_back(cancelled);
  auto interrupted = w.fresh();
  const auto held = w.begin(interrupted);
  (void)cancel(interrupted, &held, noon);
  all.push_back(interrupted);
  (void)retry(interrupted, 3, noon);
  all.push_back(interrupted);
  return all;
}

TEST(the_row_of_a_task, is_read_as_it_was_written) {
  for (const auto& t : various()) {
    const auto read = decode_task(encode(t));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, t);
  }
}

TEST(the_row_of_a_task, is_refused_when_it_is_cut_or_too_long) {
  for (const auto& t : various()) {
    const auto bytes = encode(t);
    if (bytes.size() > 2'000) continue;
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto read = decode_task(bytes.substr(0, n));
      ASSERT_FALSE(read) << n;
      EXPECT_EQ(read.error().code, errc::corrupt);
    }
    EXPECT_FALSE(decode_task(bytes + '\0'));
  }
}

TEST(the_row_of_a_task, is_refused_when_a_value_is_impossible) {
  world w;
  auto t = w.fresh();
  w.try_once(t, {outcome_kind::permanent, "never", {}});
  const auto good = encode(t);
  ASSERT_TRUE(decode_task(good));
  const auto with = [&](std::size_t at, int byte) {
    auto bytes = good;
    bytes[at] = static_cast<char>(byte);
    return decode_task(bytes).has_value();
  };
  EXPECT_FALSE(with(0, 2)) << "another version";
  EXPECT_FALSE(with(1, 0));
  EXPECT_FALSE(with(1, 6)) << "no such state";
  EXPECT_FALSE(with(1, 1)) << "it waits and has ended";
  EXPECT_FALSE(with(2, 10)) << "no such priority";
  EXPECT_FALSE(with(3, 7)) << "an unknown bit";
  auto waiting = w.fresh();
  auto bytes = encode(waiting);
  bytes[1] = static_cast<char>(task_state::completed);
  EXPECT_FALSE(decode_task(bytes)) << "it has ended and nobody knows when";
  auto long_history = w.fresh();
  long_history.history.resize(task::history_max + 1);
  EXPECT_FALSE(decode_task(encode(long_history)));
  auto strange = w.fresh();
  strange.history = {{1, 1, noon, noon, static_cast<outcome_kind>(7), "w", ""}};
  EXPECT_FALSE(decode_task(encode(strange)));
  auto miscounted = w.fresh();
  miscounted.tries_before = 1;
  EXPECT_FALSE(decode_task(encode(miscounted))) << "more tries before a retry than there were at all";
}

TEST(the_row_of_a_task, never_ends_the_program_whatever_it_holds) {
  seeded_random random(3);
  const auto all = various();
  std::size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = encode(all[2 + random.below(all.size() - 2)]).substr(0, 600);
    for (auto changes = 1 + random.below(3); changes > 0; --changes)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    const auto t = decode_task(bytes);
    if (!t) {
      EXPECT_EQ(t.error().code, errc::corrupt);
      continue;
    }
    ++read;
    EXPECT_EQ(decode_task(encode(*t)).value(), *t);
  }
  EXPECT_GT(read, 0U);
}

TEST(the_row_of_a_lease, is_read_as_it_was_written_and_refused_otherwise) {
  const lease l{99, "worker", noon, noon + milliseconds{30'000}};
  const auto bytes = encode(l);
  EXPECT_EQ(decode_lease(bytes).value(), l);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_lease(bytes.substr(0, n))) << n;
  EXPECT_FALSE(decode_lease(bytes + "x"));
  auto other = bytes;
  other[0] = 2;
  EXPECT_FALSE(decode_lease(other));
}

TEST(a_task, has_been_put_off_since_its_attempts_began_to_end_with_not_yet) {
  task t;
  t.queued_at = noon;
  const auto tried = [&](outcome_kind how) {
    attempt a;
    a.ended = how;
    a.ended_at = noon + std::chrono::minutes(t.history.size() + 1);
    t.history.push_back(a);
  };
  EXPECT_FALSE(put_off_since(t));
  tried(outcome_kind::not_yet);
  tried(outcome_kind::transient);
  EXPECT_FALSE(put_off_since(t));
  tried(outcome_kind::not_yet);
  tried(outcome_kind::not_yet);
  EXPECT_EQ(put_off_since(t), noon + std::chrono::minutes(3));
  t.history.assign(task::history_max, t.history.back());
  EXPECT_EQ(put_off_since(t), noon) << "those before are not kept";
}

} // namespace
} // namespace matricula::tasks
