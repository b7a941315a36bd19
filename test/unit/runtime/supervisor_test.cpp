#include "runtime/watchdog.hpp"
#include "world.hpp"

#include <caf/event_based_actor.hpp>

#include <set>

namespace runtime_test {
namespace {

// -- the table: each strategy with each way to fail -----------------------------------------------

enum class fault { throws, killed, start_fails, constructor_fails, stuck };

struct row {
  strategy how;
  fault what;
  lines events;          ///< after the first start: who ends and who starts, in order
  milliseconds downtime; ///< before that, nobody starts
};

std::string name_of(const ::testing::TestParamInfo<row>& info) {
  static const std::map<strategy, std::string> strategies{{strategy::one_for_one, "one_for_one"},
                                                          {strategy::rest_for_one, "rest_for_one"},
                                                          {strategy::one_for_all, "one_for_all"}};
  static const std::map<fault, std::string> faults{{fault::throws, "throws"},
                                                   {fault::killed, "killed"},
                                                   {fault::start_fails, "start_fails"},
                                                   {fault::constructor_fails, "constructor_fails"},
                                                   {fault::stuck, "stuck"}};
  return strategies.at(info.param.how) + "_" + faults.at(info.param.what);
}

class supervision : public world, public ::testing::WithParamInterface<row> {
protected:
  lines events() const {
    lines out;
    for (const auto& line : journal_->lines)
      if (line.ends_with(" starts") || line.ends_with(" ends")) out.push_back(line);
    return out;
  }
};

// The jitter of backoff_min = backoff_max is cut at the cap, so that 100 ms is 100 ms or a little less.
constexpr auto waits = 100ms;

TEST_P(supervision, restarts_the_right_actors_in_order_and_keeps_what_waits) {
  const auto& [how, what, expected, downtime] = GetParam();
  supervisor_options options;
  options.how = how;
  options.backoff_min = options.backoff_max = waits;
  if (what == fault::start_fails) journal_->failing_starts["b"] = 1;
  if (what == fault::constructor_fails) journal_->failing_constructors["b"] = 1;
  start(options, {spec("a"), spec("b"), spec("c")});
  const auto b = at("root/b");
  const auto c = at("root/c");
  watchdog dog{shared_, {.stuck_after = 5s, .stuck_after_max = 60s}};

  if (what == fault::start_fails || what == fault::constructor_fails) {
    for (const int x : {3, 4, 5}) caf::anon_send(b, x);
    caf::anon_send(c, 7);
    run();
  } else {
    EXPECT_EQ(events(), (lines{"a starts", "b starts", "c starts"}));
    journal_->lines.clear();
    if (what == fault::throws)
      for (const int x : {-1, 3, 4}) caf::anon_send(b, x);
    if (what == fault::killed) {
      // Ahead of what waits: 3 and 4 are for the next incarnation.
      actors_->command("root/b", actor_command::kill, {});
      for (const int x : {3, 4}) caf::anon_send(b, x);
    }
    if (what == fault::stuck) {
      journal_->when_poked = [&] {
        clock_.advance(4'999ms);
        dog.check();
        EXPECT_EQ(alarms_, lines{});
        clock_.advance(1ms);
        dog.check();
        dog.check();
        EXPECT_TRUE(look("root/b").stuck);
        EXPECT_EQ(look("root/b").busy_with, "runtime_test::poke_order");
        EXPECT_EQ(look("root/b").busy_for, 5s);
        EXPECT_EQ(fatal_, lines{});
        clock_.advance(55s);
        dog.check();
        dog.check();
        EXPECT_EQ(fatal_.size(), 1u);
      };
      caf::anon_send(b, poke_order{});
      for (const int x : {3, 4}) caf::anon_send(b, x);
    }
    run();
    caf::anon_send(b, 5);
    caf::anon_send(c, 7);
    run();
  }
  if (downtime > 0ms) {
    EXPECT_EQ(journal_->of("b starts"), lines{});
    EXPECT_EQ(look("root/b").state, actor_state::backing_off);
    EXPECT_EQ(look("root/b").depth, 3);
    advance(downtime);
  }
  EXPECT_EQ(events(), expected);
  EXPECT_EQ(journal_->of("b "), (what == fault::stuck ? lines{"b 3", "b 4", "b 5"} : [&] {
              lines all = what == fault::throws || what == fault::killed ? lines{"b ends"} : lines{};
              all.insert(all.end(), {"b starts", "b 3", "b 4", "b 5"});
              if (what == fault::start_fails) all.insert(all.begin(), "b ends");
              return all;
            }()));
  EXPECT_EQ(journal_->lines.size() - journal_->of("a").size() - journal_->of("b").size() - journal_->of("c").size(),
            0u);
  const auto sevens = journal_->of("c 7");
  EXPECT_EQ(sevens.size(), 1u);
  for (const auto* path : {"root/a", "root/b", "root/c"}) {
    EXPECT_EQ(look(path).state, actor_state::running) << path;
    EXPECT_EQ(look(path).depth, 0) << path;
    EXPECT_EQ(look(path).rejected, 0u) << path;
  }
  const bool failure = what == fault::throws || what == fault::start_fails || what == fault::constructor_fails;
  EXPECT_EQ(look("root/b").restarts, failure ? 1u : 0u);
  EXPECT_EQ(alarms_, (what == fault::stuck ? lines{"stuck_actor root/b"} : lines{}));
  EXPECT_EQ(letters_.all.size(), what == fault::throws ? 1u : 0u);
  if (what == fault::stuck) {
    dog.check();
    EXPECT_FALSE(actors_->stats("root/b")->stuck);
  } else {
    EXPECT_EQ(fatal_, lines{});
  }
}

INSTANTIATE_TEST_SUITE_P(
    table, supervision,
    ::testing::Values(
        row{strategy::one_for_one, fault::throws, {"b ends", "b starts"}, waits},
        row{strategy::rest_for_one, fault::throws, {"b ends", "c ends", "b starts", "c starts"}, waits},
        row{strategy::one_for_all,
            fault::throws,
            {"b ends", "c ends", "a ends", "a starts", "b starts", "c starts"},
            waits},
        row{strategy::one_for_one, fault::killed, {"b ends", "b starts"}, 0ms},
        row{strategy::rest_for_one, fault::killed, {"b ends", "c ends", "b starts", "c starts"}, 0ms},
        row{strategy::one_for_all,
            fault::killed,
            {"b ends", "c ends", "a ends", "a starts", "b starts", "c starts"},
            0ms},
        row{strategy::one_for_one, fault::start_fails, {"a starts", "b ends", "c starts", "b starts"}, waits},
        row{strategy::rest_for_one,
            fault::start_fails,
            {"a starts", "b ends", "c starts", "c ends", "b starts", "c starts"},
            waits},
        row{strategy::one_for_all,
            fault::start_fails,
            {"a starts", "b ends", "c starts", "c ends", "a ends", "a starts", "b starts", "c starts"},
            waits},
        row{strategy::one_for_one, fault::constructor_fails, {"a starts", "c starts", "b starts"}, waits},
        row{strategy::rest_for_one, fault::constructor_fails, {"a starts", "b starts", "c starts"}, waits},
        row{strategy::one_for_all,
            fault::constructor_fails,
            {"a starts", "a ends", "a starts", "b starts", "c starts"},
            waits},
        // CAF cannot end a handler: nobody restarts, the watchdog tells.
        row{strategy::one_for_one, fault::stuck, {}, 0ms}, row{strategy::rest_for_one, fault::stuck, {}, 0ms},
        row{strategy::one_for_all, fault::stuck, {}, 0ms}),
    name_of);

// -- what becomes of messages ---------------------------------------------------------------------

TEST_F(world, what_waits_survives_a_crash_in_order_and_the_poison_becomes_a_dead_letter) {
  start({.backoff_min = 100ms, .backoff_max = 100ms}, {spec("a")});
  const auto a = at("root/a");
  for (const int x : {1, 2, -1, 3, 4}) caf::anon_send(a, x);
  run();
  EXPECT_EQ(journal_->lines, (lines{"a starts", "a 1", "a 2", "a ends"}));
  caf::anon_send(a, 5);
  advance(79ms);
  EXPECT_EQ(journal_->lines.size(), 4u);
  advance(21ms);
  EXPECT_EQ(journal_->lines, (lines{"a starts", "a 1", "a 2", "a ends", "a starts", "a 3", "a 4", "a 5"}));
  ASSERT_EQ(letters_.all.size(), 1u);
  EXPECT_EQ(letters_.all[0].actor_path, "root/a");
  EXPECT_EQ(letters_.all[0].reason, "poison -1");
  EXPECT_EQ(letters_.all[0].message_type, "@i32");
  EXPECT_EQ(look("root/a").last_reason, "std::runtime_error while handling @i32")
      << "not what(): it may quote the message";
}

TEST_F(world, a_request_that_waits_is_answered_by_the_next_incarnation) {
  start({.backoff_min = 100ms, .backoff_max = 100ms}, {spec("a")});
  const auto a = at("root/a");
  int got = 0;
  as_client([&](caf::event_based_actor* self) {
    self->send(a, -1);
    self->request(a, 10s, 7).then([&](int x) { got = x; });
  });
  run();
  EXPECT_EQ(got, 0);
  advance(100ms);
  EXPECT_EQ(got, 7);
}

TEST_F(world, whoever_waits_for_a_reply_hears_at_once_that_the_actor_crashed_on_it) {
  start({}, {spec("a")});
  auto cell = std::make_shared<reply_cell<int>>(nullptr);
  caf::anon_send(at("root/a"), ask_order{-1, reply_to<int>{cell}});
  run();
  ASSERT_TRUE(cell->ready());
  ASSERT_FALSE(cell->value());
  EXPECT_EQ(cell->value().error().code, errc::unavailable);
}

TEST_F(world, messages_to_itself_die_with_an_incarnation) {
  class ticking : public supervised_actor {
  public:
    ticking(caf::actor_config& cfg, child_context context, std::shared_ptr<journal> to)
        : supervised_actor(cfg, std::move(context)), to_(std::move(to)) {}
    caf::behavior make_behavior() override {
      for (int i = 0; i < 3; ++i) send(this, std::string{"tick"});
      return {[this](const std::string& text) { to_->lines.push_back(text + std::to_string(generation())); },
              [this](int) {
                send(this, std::string{"late"});
                throw std::runtime_error("poison");
              }};
    }
    std::shared_ptr<journal> to_;
  };
  auto child = child_of<ticking>("a", "ticking", journal_);
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {std::move(child)});
  EXPECT_EQ(journal_->lines, (lines{"tick1", "tick1", "tick1"}));
  caf::anon_send(at("root/a"), 1);
  run();
  advance(1ms);
  caf::anon_send(at("root/a"), 1);
  run();
  advance(2ms);
  EXPECT_EQ(journal_->lines.size(), 9u);
}

// -- back-off and escalation ----------------------------------------------------------------------

TEST_F(world, back_off_doubles_up_to_its_cap_and_starts_anew_after_health) {
  supervisor_options options;
  options.backoff_min = 100ms;
  options.backoff_max = 1'000ms;
  options.healthy_after = 10s;
  options.restarts_max = 1'000;
  start(options, {spec("a")});
  journal_->failing_starts["a"] = 5;
  caf::anon_send(at("root/a"), -1);
  run();
  const auto expect_wait = [&](milliseconds plain, milliseconds at_most) {
    const auto wait = std::chrono::ceil<milliseconds>(look("root/a").next_retry_in);
    EXPECT_GE(wait, plain * 8 / 10);
    EXPECT_LE(wait, at_most);
    EXPECT_EQ(look("root/a").state, actor_state::backing_off);
    advance(wait);
  };
  expect_wait(100ms, 120ms);
  expect_wait(200ms, 240ms);
  expect_wait(400ms, 480ms);
  expect_wait(800ms, 960ms);
  expect_wait(1'000ms, 1'000ms);
  expect_wait(1'000ms, 1'000ms);
  ASSERT_EQ(look("root/a").state, actor_state::running);
  EXPECT_EQ(look("root/a").restarts, 6u);
  EXPECT_EQ(look("root/a").generation, 7u);
  advance(10s);
  caf::anon_send(at("root/a"), -1);
  run();
  expect_wait(100ms, 120ms);
  EXPECT_EQ(look("root/a").state, actor_state::running);
}

TEST_F(world, waits_of_actors_that_fell_together_differ) {
  std::vector<child_spec> children;
  for (char id = 'a'; id <= 'h'; ++id) children.push_back(spec(std::string(1, id)));
  start({.restarts_max = 100, .backoff_min = 1'000ms}, std::move(children));
  std::set<std::int64_t> waits_ms;
  for (char id = 'a'; id <= 'h'; ++id) {
    caf::anon_send(at("root/" + std::string(1, id)), -1);
    run();
    waits_ms.insert(std::chrono::floor<milliseconds>(look("root/" + std::string(1, id)).next_retry_in).count());
  }
  EXPECT_GE(waits_ms.size(), 7u);
}

TEST_F(world, too_many_restarts_end_the_root_after_all_its_children) {
  bool all_ended = false;
  shared_->on_fatal = [&](std::string_view why) {
    fatal_.emplace_back(why);
    all_ended = journal_->of("b ends").size() == 1;
  };
  start({.restarts_max = 2, .backoff_min = 100ms, .backoff_max = 100ms}, {spec("a"), spec("b")});
  journal_->failing_starts["a"] = 100;
  caf::anon_send(at("root/a"), -1);
  run();
  advance(100ms);
  EXPECT_EQ(fatal_, lines{});
  advance(100ms);
  ASSERT_EQ(fatal_.size(), 1u);
  EXPECT_NE(fatal_[0].find("the start failed"), std::string::npos) << fatal_[0];
  EXPECT_EQ(alarms_, lines{"escalated root"});
  EXPECT_TRUE(all_ended);
  EXPECT_EQ(look("root").state, actor_state::stopped);
  EXPECT_EQ(look("root/b").state, actor_state::stopped);
}

TEST_F(world, failures_outside_of_the_window_do_not_add_up) {
  start({.restarts_max = 1, .restart_window = 10s, .backoff_min = 1ms, .backoff_max = 1ms}, {spec("a")});
  for (int i = 0; i < 5; ++i) {
    caf::anon_send(at("root/a"), -1);
    run();
    advance(31s);
  }
  EXPECT_EQ(fatal_, lines{});
  EXPECT_EQ(look("root/a").restarts, 5u);
}

TEST_F(world, a_subtree_that_gives_up_is_restarted_by_its_parent_and_keeps_its_addresses) {
  supervisor_options inner{.restarts_max = 0, .backoff_min = 10ms, .backoff_max = 10ms};
  start({.restarts_max = 1, .backoff_min = 100ms, .backoff_max = 100ms},
        {subtree("sub", inner, {spec("a"), spec("b")}), spec("c")});
  const auto a = at("root/sub/a");
  const auto b = at("root/sub/b");
  caf::anon_send(a, -1);
  run();
  EXPECT_EQ(look("root/sub").state, actor_state::backing_off);
  EXPECT_EQ(journal_->of("b "), (lines{"b starts", "b ends"}));
  // While its supervisor is down nobody waits in vain.
  auto cell = std::make_shared<reply_cell<int>>(nullptr);
  caf::anon_send(b, ask_order{1, reply_to<int>{cell}});
  ASSERT_TRUE(cell->ready());
  EXPECT_EQ(cell->value().error().code, errc::unavailable);
  advance(100ms);
  caf::anon_send(b, 1);
  run();
  EXPECT_EQ(journal_->of("b ").back(), "b 1");
  EXPECT_EQ(look("root/sub/b").generation, 2u);
  EXPECT_EQ(fatal_, lines{});
  // The second time is one too many for the root.
  caf::anon_send(a, -1);
  run();
  advance(100ms);
  EXPECT_EQ(fatal_.size(), 1u);
  EXPECT_EQ(journal_->lines.back(), "c ends");
}

TEST_F(world, two_children_of_one_id_are_fatal_at_the_start) {
  start({}, {spec("a"), spec("a")});
  ASSERT_EQ(fatal_.size(), 1u);
  EXPECT_NE(fatal_[0].find("two children with the id a"), std::string::npos);
  EXPECT_EQ(journal_->lines, lines{});
}

// -- no orphans -----------------------------------------------------------------------------------

TEST_F(world, a_supervisor_that_gives_up_waits_for_a_slow_child) {
  supervisor_options inner{.restarts_max = 0};
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {subtree("sub", inner, {spec("a"), spec("b")})});
  for (int i = 1; i <= 5; ++i) caf::anon_send(at("root/sub/b"), i);
  caf::actor slow;
  for (auto* job : sched_.jobs) slow = caf::actor_cast<caf::actor>(static_cast<caf::scheduled_actor*>(job));
  caf::anon_send(at("root/sub/a"), -1);
  run_all_but({slow});
  clock_.advance(1s);
  sched_.advance_time(1s);
  run_all_but({slow});
  EXPECT_EQ(look("root/sub").generation, 1u);
  slow = nullptr;
  run();
  advance(1s);
  EXPECT_EQ(look("root/sub").generation, 2u);
  EXPECT_EQ(journal_->of("b starts").size(), 2u);
}

TEST_F(world, killing_a_supervisor_kills_its_children_first) {
  start({}, {subtree("sub", {}, {spec("a"), spec("b")})});
  journal_->lines.clear();
  const auto answer = order("root/sub", actor_command::kill);
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, 2u);
  EXPECT_EQ(journal_->lines, (lines{"b ends", "a ends", "a starts", "b starts"}));
  EXPECT_EQ(look("root/sub").restarts, 0u);
}

TEST_F(world, a_child_whose_supervisor_is_gone_stops) {
  auto boss = sys_.spawn<client>(nullptr);
  child_context context;
  context.path = "lone/x";
  context.supervisor = boss.address();
  context.stats = std::make_shared<actor_stats>();
  context.shared = shared_;
  auto child = sys_.spawn<worker>(context, journal_);
  run();
  for (int i = 0; i < 5; ++i) caf::anon_send(child, i);
  caf::anon_send_exit(boss, caf::exit_reason::kill);
  sched_.prioritize(boss);
  run();
  EXPECT_EQ(journal_->lines.front(), "x starts");
  EXPECT_EQ(journal_->lines.back(), "x ends");
  child = nullptr;
  boss = nullptr;
}

// -- stopping -------------------------------------------------------------------------------------

TEST_F(world, an_ordered_stop_drains_and_ends_the_last_started_first) {
  start({}, {spec("a"), subtree("sub", {}, {spec("b"), spec("c")}), spec("d")});
  journal_->lines.clear();
  for (const auto* path : {"root/a", "root/sub/b", "root/sub/c", "root/d"})
    for (const int x : {1, 2}) caf::anon_send(at(path), x);
  const auto d = at("root/d");
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  run();
  lines ends;
  for (const auto& line : journal_->lines)
    if (line.ends_with("ends")) ends.push_back(line);
  EXPECT_EQ(ends, (lines{"d ends", "c ends", "b ends", "a ends"}));
  for (const auto* id : {"a ", "b ", "c ", "d "})
    EXPECT_EQ(journal_->of(id), (lines{id + std::string{"1"}, id + std::string{"2"}, id + std::string{"ends"}}));
  EXPECT_EQ(fatal_, lines{});
  auto cell = std::make_shared<reply_cell<int>>(nullptr);
  caf::anon_send(d, ask_order{1, reply_to<int>{cell}});
  EXPECT_TRUE(cell->ready());
  root_ = nullptr;
}

TEST_F(world, a_child_that_does_not_stop_is_killed_and_at_last_reported_while_its_elders_live) {
  start({.stop_grace = 2s, .kill_grace = 3s}, {spec("a"), spec("b")});
  caf::anon_send(at("root/b"), 1);
  auto stubborn = caf::actor_cast<caf::actor>(static_cast<caf::scheduled_actor*>(sched_.jobs.front()));
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  run_all_but({stubborn});
  const auto wait = [&](milliseconds by) {
    clock_.advance(by);
    sched_.advance_time(by);
    run_all_but({stubborn});
  };
  wait(2s);
  EXPECT_EQ(fatal_, lines{});
  wait(2'999ms);
  EXPECT_EQ(fatal_, lines{});
  wait(1ms);
  ASSERT_EQ(fatal_.size(), 1u);
  EXPECT_EQ(alarms_, lines{"child_does_not_stop root/b"});
  EXPECT_EQ(journal_->of("a ends"), lines{});
  stubborn = nullptr;
  run();
  EXPECT_EQ(journal_->of("a ends").size(), 1u);
  root_ = nullptr;
}

// -- operators ------------------------------------------------------------------------------------

TEST_F(world, restarts_and_kills_by_an_operator_count_for_nothing) {
  start({.restarts_max = 0}, {spec("a"), spec("b")});
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto restarted = order("root/a", i % 2 == 0 ? actor_command::restart : actor_command::kill);
    ASSERT_TRUE(restarted);
    EXPECT_EQ(*restarted, i + 2);
  }
  EXPECT_EQ(fatal_, lines{});
  EXPECT_EQ(look("root/a").restarts, 0u);
  EXPECT_EQ(look("root/b").generation, 1u);
}

TEST_F(world, a_stopped_actor_refuses_until_it_is_started) {
  start({}, {spec("a")});
  const auto a = at("root/a");
  caf::anon_send(a, 1);
  ASSERT_TRUE(order("root/a", actor_command::stop));
  EXPECT_EQ(journal_->lines, (lines{"a starts", "a 1", "a ends"}));
  EXPECT_EQ(look("root/a").state, actor_state::stopped);
  caf::error refused;
  as_client([&](caf::event_based_actor* self) {
    self->request(a, 10s, 2).then([](int) {}, [&](caf::error& e) { refused = e; });
  });
  run();
  EXPECT_TRUE(refused);
  EXPECT_EQ(look("root/a").rejected, 1u);
  EXPECT_EQ(order("root/a", actor_command::kill).error().code, errc::conflict);
  const auto started = order("root/a", actor_command::start);
  ASSERT_TRUE(started);
  EXPECT_EQ(*started, 2u);
  caf::anon_send(a, 3);
  run();
  EXPECT_EQ(journal_->lines.back(), "a 3");
  EXPECT_EQ(order("root/a", actor_command::start).error().code, errc::conflict);
}

TEST_F(world, a_stop_during_back_off_keeps_it_stopped_and_a_restart_ends_the_wait) {
  start({.backoff_min = 1'000ms}, {spec("a"), spec("b")});
  for (const auto* path : {"root/a", "root/b"}) caf::anon_send(at(path), -1);
  run();
  EXPECT_TRUE(order("root/a", actor_command::stop));
  EXPECT_TRUE(order("root/b", actor_command::restart));
  EXPECT_EQ(look("root/b").state, actor_state::running);
  advance(60s);
  EXPECT_EQ(look("root/a").state, actor_state::stopped);
  EXPECT_EQ(look("root/b").generation, 2u);
}

TEST_F(world, commands_for_the_root_and_for_unknown_paths_are_refused) {
  start({}, {spec("a")});
  EXPECT_EQ(order("root", actor_command::restart).error().code, errc::conflict);
  EXPECT_EQ(order("root/nobody", actor_command::restart).error().code, errc::not_found);
}

TEST_F(world, the_policy_decides_who_comes_back) {
  auto permanent = spec("p");
  auto transient = spec("t");
  transient.policy = restart_policy::transient;
  auto temporary = spec("x");
  temporary.policy = restart_policy::temporary;
  class leaving : public worker {
  public:
    using worker::worker;
    caf::behavior make_behavior() override {
      return {[this](int x) {
        if (x < 0) throw std::runtime_error("poison");
        quit();
      }};
    }
  };
  auto leaves_permanent = child_of<leaving>("lp", "leaving", journal_);
  auto leaves_transient = child_of<leaving>("lt", "leaving", journal_);
  leaves_transient.policy = restart_policy::transient;
  start({.backoff_min = 1ms, .backoff_max = 1ms},
        {permanent, transient, temporary, leaves_permanent, leaves_transient});
  for (const auto* id : {"p", "t", "x"}) caf::anon_send(at(std::string{"root/"} + id), -1);
  for (const auto* id : {"lp", "lt"}) caf::anon_send(at(std::string{"root/"} + id), 1);
  run();
  advance(10ms);
  std::map<std::string, actor_state> states;
  for (const auto& actor : actors_->list()) states[actor.path] = actor.state;
  EXPECT_EQ(states["root/p"], actor_state::running);
  EXPECT_EQ(states["root/t"], actor_state::running);
  EXPECT_EQ(states["root/x"], actor_state::stopped);
  EXPECT_EQ(states["root/lp"], actor_state::running);
  EXPECT_EQ(states["root/lt"], actor_state::stopped);
}

} // namespace
} // namespace runtime_test
