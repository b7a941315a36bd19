// The alerts: what is found is told once, when it is durable, and again when it is due; over kills, power cuts and a
// store that takes no writes.
#include "actors/messages.hpp"
#include "storage/alerts.hpp"
#include "test/actor/stage.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

namespace matricula::actor_test {
namespace {

using alerts::notice;
using alerts::notice_kind;
using alerts::reading;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Writes down what it is offered; outlives the node's lives.
class written_down final : public actors::alert_sink {
public:
  explicit written_down(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept override { return name_; }
  void offer(notice n) noexcept override { offered_.push_back(std::move(n)); }
  alerts::sink_line::state state() const override { return state_; }
  std::vector<notice> take() { return std::exchange(offered_, {}); }
  alerts::sink_line::state state_;

private:
  std::string name_;
  std::vector<notice> offered_;
};

class alerts_of_a_stage : public ::testing::Test {
protected:
  static constexpr std::string_view path = "root/domain/alerts";
  using numbers = std::map<std::string, double>;

  alerts_of_a_stage() : s(options(log_, mail_, levels_)) { s.run(); }
  void TearDown() override {
    s.fill_disk(false);
    s.pass(1s);
    storage::verify_report report;
    storage::alerts_verifier().check(*s.durable(), report);
    for (const auto& problem : report.problems()) ADD_FAILURE() << problem.message;
  }

  static stage_options options(const std::shared_ptr<written_down>& log, const std::shared_ptr<written_down>& mail,
                               const std::shared_ptr<numbers>& levels) {
    actors::alerts_context cx;
    cx.rhythm.repeat_first = 10min;
    cx.rhythm.quiet = 60s;
    cx.beat = 10s;
    cx.rules = {{.name = "too_high", .reads = "level", .holds = alerts::above(10), .text = [](const reading& r) {
                   return fmt::format("{} is at {}.", r.subject, r.value);
                 }}};
    cx.sources = {[levels](std::vector<reading>& to) {
      for (const auto& [subject, value] : *levels) to.push_back({"level", subject, value});
    }};
    cx.sinks = {log, mail};
    stage_options o;
    o.alerts = std::move(cx);
    return o;
  }

  /// What a sink was offered, as "first too_high/tank".
  static std::vector<std::string> offered(written_down& sink) {
    std::vector<std::string> out;
    for (const auto& n : sink.take())
      out.push_back(fmt::format("{} {}/{}", to_string(n.kind), n.about.rule, n.about.subject));
    return out;
  }
  std::vector<std::string> told() { return offered(*log_); }
  /// In leaps of both clocks: timers ring in between.
  void later(milliseconds by) {
    for (; by > 10s; by -= 10s) {
      s.advance(10s);
      s.run();
    }
    s.advance(by);
    s.run();
  }
  void observe(std::string rule, std::string subject, bool holds, std::string text = "It is.") {
    actors::observe_condition m;
    m.rule = std::move(rule);
    m.subject = std::move(subject);
    m.holds = holds;
    m.text = std::move(text);
    caf::anon_send(s.alerts()->alerts_slot.address(), std::move(m));
  }
  void settled(std::uint64_t id, notice_kind kind, const std::string& sink) {
    caf::anon_send(s.alerts()->alerts_slot.address(),
                   actors::notice_settled{id, static_cast<std::uint8_t>(kind), sink});
    s.run();
  }
  using cell = std::shared_ptr<runtime::reply_cell<alerts::alert>>;
  cell acknowledge(std::uint64_t id) {
    auto answer = std::make_shared<runtime::reply_cell<alerts::alert>>(nullptr);
    actors::acknowledge_alert m;
    m.context.principal = "operator";
    m.context.tenant = "default";
    m.id = id;
    m.reply = runtime::reply_to<alerts::alert>(answer);
    caf::anon_send(s.alerts()->alerts_slot.address(), std::move(m));
    return answer;
  }
  std::vector<alerts::alert> rows() const {
    return storage::find_alerts(*s.durable(), storage::alerts_of_node()).value().all;
  }

  std::shared_ptr<written_down> log_ = std::make_shared<written_down>("log");
  std::shared_ptr<written_down> mail_ = std::make_shared<written_down>("mail");
  std::shared_ptr<numbers> levels_ = std::make_shared<numbers>();
  stage s;
};

TEST_F(alerts_of_a_stage, tell_every_sink_what_a_rule_finds_and_its_recovery) {
  (*levels_)["tank"] = 11;
  later(10s);
  EXPECT_THAT(told(), ElementsAre("first too_high/tank"));
  EXPECT_THAT(offered(*mail_), ElementsAre("first too_high/tank"));
  later(10min);
  EXPECT_THAT(told(), ElementsAre("repeat too_high/tank"));
  (*levels_)["tank"] = 10;
  later(80s);
  EXPECT_THAT(told(), ElementsAre("recovery too_high/tank"));
  ASSERT_EQ(rows().size(), 1U);
  EXPECT_TRUE(rows()[0].ended_at.has_value());
  EXPECT_EQ(rows()[0].text, "tank is at 11.");
}

TEST_F(alerts_of_a_stage, say_nothing_before_it_is_durable) {
  observe("down", "x", true);
  s.run_actors();
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(rows(), IsEmpty());
  s.run();
  EXPECT_THAT(told(), ElementsAre("first down/x"));
  EXPECT_EQ(rows().size(), 1U);
}

TEST_F(alerts_of_a_stage, take_what_others_observe_at_once_and_once) {
  for (int i = 0; i < 5; ++i) observe("down", "x", true);
  s.run();
  EXPECT_THAT(told(), ElementsAre("first down/x"));
  for (int i = 0; i < 5; ++i) observe("down", "x", false);
  s.run();
  later(70s);
  EXPECT_THAT(told(), ElementsAre("recovery down/x"));
}

TEST_F(alerts_of_a_stage, apply_rules_to_numbers_that_others_report) {
  EXPECT_TRUE(s.alerts()->numbers->set("level", "reported", 12));
  later(10s);
  EXPECT_THAT(told(), ElementsAre("first too_high/reported"));
  EXPECT_TRUE(s.alerts()->numbers->set("level", "reported", 0));
  later(80s);
  EXPECT_THAT(told(), ElementsAre("recovery too_high/reported"));
}

TEST_F(alerts_of_a_stage, neither_forget_nor_repeat_early_when_they_are_killed) {
  (*levels_)["tank"] = 11;
  later(10s);
  settled(1, notice_kind::first, "log");
  settled(1, notice_kind::first, "mail");
  EXPECT_THAT(told(), ElementsAre("first too_high/tank"));
  later(5min);
  s.kill(path);
  s.run();
  later(4min);
  EXPECT_THAT(told(), IsEmpty());
  later(1min + 10s);
  EXPECT_THAT(told(), ElementsAre("repeat too_high/tank"));
  EXPECT_EQ(rows().size(), 1U);
}

TEST_F(alerts_of_a_stage, neither_forget_nor_repeat_early_after_a_power_cut) {
  (*levels_)["tank"] = 11;
  later(10s);
  settled(1, notice_kind::first, "log");
  settled(1, notice_kind::first, "mail");
  (void)told();
  later(5min);
  s.power_cut();
  s.run();
  EXPECT_THAT(told(), IsEmpty());
  later(5min + 10s);
  EXPECT_THAT(told(), ElementsAre("repeat too_high/tank"));
  (*levels_)["tank"] = 0;
  later(80s);
  EXPECT_THAT(told(), ElementsAre("recovery too_high/tank"));
}

TEST_F(alerts_of_a_stage, bring_what_a_sink_has_not_taken_to_it_again_and_to_no_other) {
  observe("down", "x", true);
  s.run();
  settled(1, notice_kind::first, "log");
  (void)told();
  (void)mail_->take();
  s.power_cut();
  s.run();
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(offered(*mail_), ElementsAre("first down/x"));
  settled(1, notice_kind::first, "mail");
  s.power_cut();
  s.run();
  EXPECT_THAT(offered(*mail_), IsEmpty());
}

TEST_F(alerts_of_a_stage, are_quiet_about_what_was_acknowledged_also_after_a_power_cut) {
  (*levels_)["tank"] = 11;
  later(10s);
  settled(1, notice_kind::first, "log");
  settled(1, notice_kind::first, "mail");
  (void)told();
  const auto answer = acknowledge(1);
  s.run_actors();
  EXPECT_FALSE(answer->ready()) << "it is not durable yet";
  s.run();
  ASSERT_TRUE(answer->ready() && answer->value());
  EXPECT_EQ(answer->value()->acknowledged_by, "default/operator");
  s.power_cut();
  s.run();
  later(3h);
  EXPECT_THAT(told(), IsEmpty());
  (*levels_)["tank"] = 0;
  later(80s);
  EXPECT_THAT(told(), ElementsAre("recovery too_high/tank"));
}

TEST_F(alerts_of_a_stage, answer_an_acknowledgement_that_cannot_be) {
  const auto unknown = acknowledge(77);
  s.run();
  EXPECT_EQ(refusal(unknown), errc::not_found);
  observe("down", "x", true);
  s.run();
  s.fill_disk(true);
  const auto full = acknowledge(1);
  s.run();
  EXPECT_EQ(refusal(full), errc::storage_full);
  s.fill_disk(false);
  observe("down", "x", false);
  s.run();
  later(70s);
  const auto over = acknowledge(1);
  s.run();
  EXPECT_EQ(refusal(over), errc::conflict);
}

TEST_F(alerts_of_a_stage, tell_also_what_the_store_does_not_take_and_write_it_later) {
  s.fill_disk(true);
  observe("disk_full", "", true);
  s.run();
  EXPECT_THAT(told(), ElementsAre("first disk_full/")) << "an alarm about the store cannot wait for the store";
  EXPECT_THAT(rows(), IsEmpty());
  ASSERT_NE(s.alerts()->board->get(), nullptr);
  EXPECT_EQ(s.alerts()->board->get()->size(), 1U) << "and can be looked at";
  observe("disk_full", "", false);
  s.run();
  later(80s);
  EXPECT_THAT(told(), ElementsAre("recovery disk_full/"));
  s.fill_disk(false);
  later(10s);
  EXPECT_THAT(told(), IsEmpty()) << "writing it down is no news";
  ASSERT_EQ(rows().size(), 1U);
  EXPECT_TRUE(rows()[0].ended_at.has_value());
}

TEST_F(alerts_of_a_stage, go_on_with_rows_that_do_not_decode) {
  observe("down", "x", true);
  s.run();
  const auto part = storage::alerts_of_node();
  s.overwrite(storage::column::alerts, part.alert_key(1), "damaged");
  s.power_cut();
  s.run();
  EXPECT_THAT(s.alarms(), testing::Contains("unreadable_row root/domain/alerts"));
  (void)told();
  observe("down", "y", true);
  s.run();
  EXPECT_THAT(told(), ElementsAre("first down/y"));
  const auto found = storage::find_alerts(*s.durable(), part).value();
  EXPECT_EQ(found.unreadable, 1U);
  ASSERT_EQ(found.all.size(), 1U);
  EXPECT_EQ(found.all[0].id, 2U) << "a number that was seen is not given again";
}

TEST_F(alerts_of_a_stage, take_hostile_observations_as_one_line) {
  observe("down\r\nX: y", std::string(10'000, 'a') + "\xff", true, std::string(1'000'000, 'x') + "\r\n.\r\n");
  caf::anon_send(s.alerts()->alerts_slot.address(), actors::notice_settled{1, 200, "log"});
  s.run();
  const auto notices = log_->take();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].about.rule, "down  X: y");
  EXPECT_EQ(notices[0].about.subject.size(), alerts::finding::subject_bytes_max);
  EXPECT_EQ(notices[0].about.text.size(), alerts::finding::text_bytes_max);
}

TEST_F(alerts_of_a_stage, write_more_than_one_batch_takes) {
  for (int i = 0; i < 300; ++i) (*levels_)[fmt::format("tank {}", i)] = 11;
  later(10s);
  EXPECT_EQ(log_->take().size(), 300U);
  EXPECT_EQ(rows().size(), 300U);
}

TEST_F(alerts_of_a_stage, write_nothing_while_nothing_changes) {
  (*levels_)["tank"] = 11;
  later(10s);
  const auto before = s.log_stats().batches.load();
  (*levels_)["tank"] = 12;
  later(5min);
  EXPECT_EQ(s.log_stats().batches.load(), before);
}

} // namespace
} // namespace matricula::actor_test
