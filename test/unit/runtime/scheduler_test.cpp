#include "runtime/scheduler.hpp"
#include "world.hpp"

#include <deque>

namespace runtime_test {
namespace {

using matricula::decision_clock;
using matricula::timestamp;

/// Completes at once, or when the test says so.
struct fake_memory final : schedule_memory {
  last_runs kept;
  bool fails = false;
  bool late = false;
  std::deque<std::function<void()>> pending;
  void load(std::function<void(matricula::result<last_runs>)> done) override {
    if (fails) return done(matricula::fail(errc::io, "the disk is gone"));
    done(kept);
  }
  void remember(const std::string& job, timestamp last_run,
                std::function<void(matricula::result<void>)> done) override {
    auto finish = [this, job, last_run, done = std::move(done)] {
      if (fails) return done(matricula::fail(errc::io, "the disk is gone"));
      kept[job] = last_run;
      done({});
    };
    if (late)
      pending.emplace_back(std::move(finish));
    else
      finish();
  }
};

class schedules : public world {
protected:
  /// The clock of the world starts at 2027-01-15T08:00:01Z.
  void begin(const std::string& cron, missed_run on_missed) {
    clock_for_decisions_ = std::make_shared<decision_clock>(clock_, timestamp{});
    auto when = cron_expression::parse(cron);
    ASSERT_TRUE(when);
    target_ = slot_ref::make(sys_);
    auto receiver = spec("w");
    receiver.slot = target_;
    scheduled_job job{"job", *when, on_missed, target_.address(), [this](const scheduled_run& run) {
                        runs_.push_back(run);
                        return caf::make_message(add_order{static_cast<int>(runs_.size()), {}, {}});
                      }};
    scheduler_options options{memory_, clock_for_decisions_, {job}};
    start({.backoff_min = 100ms, .backoff_max = 100ms}, {receiver, child_of<scheduler>("cron", "scheduler", options)});
  }
  /// Ends the node's actors, as a stop of the process does; the memory stays.
  void shut_down() {
    caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
    root_ = nullptr;
    run();
    target_ = {};
    runs_.clear();
  }
  std::vector<std::string> times() const {
    std::vector<std::string> out;
    for (const auto& run : runs_)
      out.push_back(matricula::to_rfc3339(run.scheduled_for).substr(11, 8) + (run.caught_up ? " late" : ""));
    return out;
  }

  std::shared_ptr<fake_memory> memory_ = std::make_shared<fake_memory>();
  std::shared_ptr<decision_clock> clock_for_decisions_;
  slot_ref target_;
  std::vector<scheduled_run> runs_;
};

TEST_F(schedules, sends_its_message_when_the_time_has_come) {
  begin("0 * * * *", missed_run::skip);
  for (int i = 0; i < 60; ++i) advance(59s);
  EXPECT_EQ(times(), lines{});
  advance(58s);
  EXPECT_EQ(times(), lines{});
  advance(1s);
  EXPECT_EQ(times(), lines{"09:00:00"});
  EXPECT_EQ(journal_->of("w adds"), lines{"w adds 1"});
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), (lines{"09:00:00", "10:00:00"}));
  EXPECT_EQ(matricula::to_rfc3339(memory_->kept["job"]).substr(11, 8), "10:00:00");
}

TEST_F(schedules, a_first_start_has_missed_nothing) {
  begin("0 7 * * *", missed_run::catch_up);
  EXPECT_EQ(times(), lines{});
  ASSERT_TRUE(memory_->kept.contains("job"));
}

TEST_F(schedules, what_was_missed_while_down_is_caught_up_once) {
  begin("0 * * * *", missed_run::catch_up);
  shut_down();
  clock_.advance(5h + 10min);
  begin("0 * * * *", missed_run::catch_up);
  EXPECT_EQ(times(), lines{"13:00:00 late"});
  ASSERT_EQ(runs_.size(), 1u);
  shut_down();
  begin("0 * * * *", missed_run::catch_up);
  EXPECT_EQ(times(), lines{});
}

TEST_F(schedules, what_was_missed_while_down_is_skipped_when_so_configured) {
  begin("0 * * * *", missed_run::skip);
  shut_down();
  clock_.advance(5h + 10min);
  begin("0 * * * *", missed_run::skip);
  EXPECT_EQ(times(), lines{});
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), lines{"14:00:00"});
}

TEST_F(schedules, a_step_back_of_the_clock_runs_nothing_twice) {
  begin("0 * * * *", missed_run::catch_up);
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), lines{"09:00:00"});
  clock_.step_wall(-30min);
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), lines{"09:00:00"});
  for (int i = 0; i < 30; ++i) advance(60s);
  EXPECT_EQ(times(), (lines{"09:00:00", "10:00:00"}));
}

TEST_F(schedules, a_step_forth_within_reason_runs_the_job_once) {
  begin("*/10 * * * *", missed_run::catch_up);
  clock_.step_wall(50min);
  advance(10s);
  EXPECT_EQ(times(), lines{"08:50:00"});
  advance(10s);
  EXPECT_EQ(times().size(), 1u);
}

TEST_F(schedules, a_great_step_forth_holds_the_jobs_until_someone_trusts_the_clock) {
  begin("0 * * * *", missed_run::catch_up);
  clock_.step_wall(3h);
  advance(60s);
  advance(60s);
  EXPECT_EQ(times(), lines{});
  clock_for_decisions_->trust();
  advance(10s);
  EXPECT_EQ(times(), lines{"11:00:00 late"});
}

TEST_F(schedules, a_job_that_may_be_skipped_is_remembered_before_it_is_sent) {
  begin("0 * * * *", missed_run::skip);
  memory_->late = true;
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), lines{});
  ASSERT_EQ(memory_->pending.size(), 1u);
  memory_->pending.front()();
  memory_->pending.clear();
  run();
  EXPECT_EQ(times(), lines{"09:00:00"});
}

TEST_F(schedules, a_job_that_must_be_caught_up_is_sent_before_it_is_remembered) {
  begin("0 * * * *", missed_run::catch_up);
  memory_->late = true;
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), lines{"09:00:00"});
  memory_->pending.clear(); // the power went
  memory_->late = false;
  shut_down();
  begin("0 * * * *", missed_run::catch_up);
  EXPECT_EQ(times(), lines{"09:00:00"});
}

TEST_F(schedules, nothing_runs_before_the_last_runs_are_known) {
  memory_->fails = true;
  begin("* * * * *", missed_run::catch_up);
  EXPECT_EQ(look("root/cron").state, actor_state::backing_off);
  EXPECT_EQ(times(), lines{});
  memory_->fails = false;
  advance(100ms);
  EXPECT_EQ(look("root/cron").state, actor_state::running);
}

TEST_F(schedules, a_job_can_be_run_by_hand) {
  begin("0 * * * *", missed_run::skip);
  auto cell = std::make_shared<reply_cell<timestamp>>(nullptr);
  auto unknown = std::make_shared<reply_cell<timestamp>>(nullptr);
  caf::anon_send(at("root/cron"), run_job_now{"job", reply_to<timestamp>{cell}});
  caf::anon_send(at("root/cron"), run_job_now{"nonsense", reply_to<timestamp>{unknown}});
  run();
  ASSERT_TRUE(cell->ready());
  EXPECT_EQ(cell->value().value(), clock_.wall());
  ASSERT_EQ(runs_.size(), 1u);
  EXPECT_TRUE(runs_[0].by_hand);
  ASSERT_TRUE(unknown->ready());
  EXPECT_EQ(unknown->value().error().code, errc::not_found);
}

TEST_F(schedules, a_crash_of_the_scheduler_runs_nothing_twice) {
  begin("0 * * * *", missed_run::catch_up);
  for (int i = 0; i < 60; ++i) advance(60s);
  ASSERT_TRUE(order("root/cron", actor_command::kill));
  for (int i = 0; i < 60; ++i) advance(60s);
  EXPECT_EQ(times(), (lines{"09:00:00", "10:00:00"}));
}

TEST_F(schedules, shows_its_jobs) {
  begin("0 * * * *", missed_run::skip);
  auto cell = std::make_shared<reply_cell<std::string>>(nullptr);
  actors_->inspect("root/cron", reply_to<std::string>{cell});
  run();
  ASSERT_TRUE(cell->ready());
  EXPECT_NE(cell->value()->find(R"("next_run":"2027-01-15T09:00:00.000Z")"), std::string::npos) << *cell->value();
}

} // namespace
} // namespace runtime_test
