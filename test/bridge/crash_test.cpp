// Bridges in processes of their own, killed where it hurts, and a database that is killed and started again.
#include "test/bridge/bridge_world.hpp"
#include "test/support/node_process.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <random>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace matricula::test {
namespace {

using connectors::postgres::bridge_thread;
using connectors::postgres::read_doubts;

/// A bridge in a process of its own, ended with the object. The test program must have no thread when it is made.
class bridge_process {
public:
  struct settings {
    std::string generator = "counting"; ///< its name
    milliseconds lease{1'000};
    milliseconds latency{0}; ///< of the generator's answers
  };
  bridge_process(const bridge_world& world, const std::filesystem::path& calls, const counting_generator::plan& plan,
                 bool knows, std::function<void(bridge_moment)> at, std::uint64_t seed, const settings& own) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    try {
      counting_generator generator(calls, plan, knows);
      generator.latency = own.latency;
      seeded_random random(seed);
      system_clock time;
      auto with = world.options();
      with.at = std::move(at);
      with.time = &time;
      with.owner = fmt::format("process-{}", ::getpid());
      with.generator = own.generator;
      with.lease = own.lease;
      bridge b(with, generator, random);
      for (;;) {
        const auto idle = b.step();
        if (idle > 0ms) b.wait(idle);
      }
    } catch (...) {
      ::_exit(1);
    }
  }
  ~bridge_process() { kill(); }
  bridge_process(const bridge_process&) = delete;
  bridge_process& operator=(const bridge_process&) = delete;

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    (void)wait();
  }
  /// The signal that ended it; 0 when it ended otherwise.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  void thaw() const { ::kill(pid_, SIGCONT); }

private:
  pid_t pid_ = -1;
};

deed give(std::string_view /*request*/, std::size_t /*n*/) { return deed::give; }

struct crash_case {
  const char* name;
  bridge_moment at;
  bool knows;
  std::size_t consumed; ///< identifiers in the end
  std::int64_t doubts;  ///< calls listed
  int attempts;         ///< of the request task
};
void PrintTo(const crash_case& c, std::ostream* out) { *out << c.name; }
class killed : public testing::TestWithParam<crash_case> {};

TEST_P(killed, leaves_one_identifier_and_nothing_unreported) {
  const auto& given = GetParam();
  bridge_world world;
  const auto calls = world.files / "calls";
  const auto registrant = world.add_registrant();
  {
    bridge_process process(world, calls, give, given.knows,
                           [&](bridge_moment m) {
                             if (m == given.at) ::raise(SIGKILL);
                           },
                           1, {});
    ASSERT_EQ(process.wait(), SIGKILL);
  }
  counting_generator generator(calls, give, given.knows);
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
  EXPECT_EQ(world.request_of(registrant).attempts, given.attempts);
  EXPECT_EQ(world.request_of(registrant).error, "");
  EXPECT_EQ(world.update_of(registrant).status, "COMPLETED");
  const bool in_update = given.at == bridge_moment::before_update || given.at == bridge_moment::after_update;
  EXPECT_EQ(world.update_of(registrant).attempts, in_update ? 2 : 1);
  EXPECT_EQ(world.changed_identifiers(), 0);
  EXPECT_EQ(generator.consumed(), given.consumed);
  EXPECT_EQ(world.doubts(), given.doubts);
  EXPECT_EQ(generator.confirmed(), world.identifiers());
  EXPECT_EQ(
      world.number("SELECT count(*) FROM g2p_que_background_task WHERE worker_type = 'id_generation_update_worker'"),
      1);
}

// Before the call nothing was consumed, but nobody can know that: the call is listed all the same.
INSTANTIATE_TEST_SUITE_P(at, killed,
                         testing::Values(crash_case{"before_call", bridge_moment::before_call, false, 1, 1, 2},
                                         crash_case{"after_call", bridge_moment::after_call, false, 2, 1, 2},
                                         crash_case{"after_saving", bridge_moment::after_saving, false, 1, 0, 1},
                                         crash_case{"after_completing", bridge_moment::after_completing, false, 1, 0,
                                                    1},
                                         crash_case{"before_update", bridge_moment::before_update, false, 1, 0, 1},
                                         crash_case{"after_update", bridge_moment::after_update, false, 1, 0, 1},
                                         crash_case{"before_call_known", bridge_moment::before_call, true, 1, 0, 2},
                                         crash_case{"after_call_known", bridge_moment::after_call, true, 1, 0, 2},
                                         crash_case{"after_saving_known", bridge_moment::after_saving, true, 1, 0, 1}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(bridges, lists_a_call_although_its_task_went_away) {
  bridge_world world;
  const auto calls = world.files / "calls";
  const auto registrant = world.add_registrant();
  {
    bridge_process process(world, calls, give, false,
                           [](bridge_moment m) {
                             if (m == bridge_moment::after_call) ::raise(SIGKILL);
                           },
                           1, {});
    ASSERT_EQ(process.wait(), SIGKILL);
  }
  world.sql("DELETE FROM g2p_que_background_task");
  counting_generator generator(calls, give);
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(b, [&] { return b.report().connected && world.doubts() == 1; }));
  EXPECT_EQ(read_doubts(world.options().database, 0, 10)->front().registrant, registrant);
}

TEST(bridges, that_freeze_past_their_lease_give_nothing_twice) {
  bridge_world world;
  const auto calls = world.files / "calls";
  const auto registrant = world.add_registrant();
  bridge_process process(world, calls, give, false,
                         [](bridge_moment m) {
                           if (m == bridge_moment::after_call) ::raise(SIGSTOP);
                         },
                         1, {});
  counting_generator generator(calls, give);
  ASSERT_TRUE(eventually([&] { return generator.consumed() == 1; }));
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.identifier_of(registrant), "4000000002");
  process.thaw();
  // The answer of the first is written beside its call, and goes nowhere else.
  ASSERT_TRUE(eventually([&] {
    const auto listed = read_doubts(world.options().database, 0, 10);
    return listed && listed->size() == 1 && listed->front().identifier == "4000000001";
  }));
  EXPECT_EQ(world.identifier_of(registrant), "4000000002");
  EXPECT_EQ(world.changed_identifiers(), 0);
  EXPECT_EQ(world.request_of(registrant).status, "COMPLETED");
}

// Two nodes, each with a pool of its own: neither knows what the other was asked.
TEST(bridges, list_a_call_of_another_pool_although_each_knows_its_own_requests) {
  bridge_world world;
  const auto registrant = world.add_registrant();
  {
    bridge_process process(world, world.files / "calls of a", give, true,
                           [](bridge_moment m) {
                             if (m == bridge_moment::after_call) ::raise(SIGKILL);
                           },
                           1, {.generator = "local/a"});
    ASSERT_EQ(process.wait(), SIGKILL);
  }
  counting_generator generator(world.files / "calls of b", give, true);
  generator.name = [](std::size_t n) { return std::to_string(5'000'000'000 + n); };
  auto with = world.options();
  with.generator = "local/b";
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator, with)));
  EXPECT_EQ(world.identifier_of(registrant), "5000000001");
  const auto listed = read_doubts(world.options().database, 0, 10);
  ASSERT_TRUE(listed && listed->size() == 1U);
  EXPECT_EQ(listed->front().generator, "local/a");
  EXPECT_EQ(listed->front().registrant, registrant);
  EXPECT_EQ(listed->front().identifier, "") << "nobody here can know it";
}

struct storm {
  const char* name;
  generation made;
  bool knows;
  int registrants;
};
void PrintTo(const storm& s, std::ostream* out) { *out << s.name; }
class storms : public testing::TestWithParam<storm> {};

TEST_P(storms, leave_each_registrant_with_one_identifier) {
  const auto registrants = static_cast<std::size_t>(GetParam().registrants);
  bridge_world world(GetParam().made);
  const bool knows = GetParam().knows;
  const auto calls = world.files / "calls";
  // Of a hundred calls: ten fail, two have nobody to hear the answer, two get none, three find the pool empty.
  const auto plan = [random = std::make_shared<std::mt19937>(::testing::UnitTest::GetInstance()->random_seed())](
                        std::string_view, std::size_t n) {
    if (n > 3) return deed::give; // so that no task fails for good, also when its bridges are killed
    const auto dice = (*random)() % 100;
    return dice < 10   ? deed::fail
           : dice < 12 ? deed::give_late
           : dice < 14 ? deed::be_silent
           : dice < 17 ? deed::have_none
                       : deed::give;
  };
  world.add_registrants(GetParam().registrants);
  if (registrants > 1'000) // as docs/bridge.md says
    world.sql("CREATE INDEX todo ON g2p_que_background_task (task_status, id) WHERE task_status IN ('PENDING', "
              "'FAILED')");

  counting_generator generator(calls, give, knows);
  std::mt19937 random(7);
  std::uint64_t seed = 1;
  std::vector<std::unique_ptr<bridge_process>> processes;
  // A call that still runs is not taken for one that nobody makes any more, however busy the machine is.
  const bridge_process::settings own{.lease = 5s, .latency = 1ms};
  const auto begin_one = [&] {
    return std::make_unique<bridge_process>(world, calls, plan, knows, nullptr, ++seed, own);
  };
  processes.push_back(begin_one());
  processes.push_back(begin_one());
  std::size_t kills = 0, restarts = 0;
  // Each time the work is a fourteenth further on, one of the two dies, or the database.
  for (int part = 1; part <= 14; ++part) {
    const auto until = static_cast<std::size_t>(part) * registrants / 15;
    ASSERT_TRUE(eventually([&] { return generator.consumed() >= until; }, 60s)) << generator.consumed();
    if (part % 5 == 0) {
      if (part == 5)
        world.server.kill();
      else
        world.server.stop();
      world.server.start();
      ++restarts;
    } else {
      const auto which = random() % 2;
      processes.erase(processes.begin() + static_cast<std::ptrdiff_t>(which));
      processes.push_back(begin_one());
      ++kills;
    }
  }
  ASSERT_TRUE(eventually([&] { return world.pending() == 0; }, 90s)) << world.pending() << " tasks are not done";
  processes.clear();

  EXPECT_EQ(kills, 12U);
  EXPECT_EQ(restarts, 2U);
  const auto held = world.identifiers();
  EXPECT_EQ(held.size(), registrants);
  EXPECT_EQ(world.changed_identifiers(), 0);
  EXPECT_TRUE(std::ranges::includes(generator.confirmed(), held));

  // What the generator itself has counted.
  std::set<std::string> consumed;
  std::map<std::string, std::size_t> unused_of; ///< by request
  std::size_t unused = 0, silent = 0;
  for (const auto& line : generator.lines()) {
    if (line.what == 'S') ++silent;
    if (line.what != 'I') continue;
    EXPECT_TRUE(consumed.insert(line.id).second) << line.id;
    if (held.contains(line.id)) continue;
    ++unused;
    ++unused_of[line.request];
  }
  EXPECT_TRUE(std::ranges::includes(consumed, held)) << "nobody has an identifier from elsewhere";
  EXPECT_EQ(consumed.size(), registrants + unused);

  const auto listed = read_doubts(world.options().database, 0, 10'000);
  ASSERT_TRUE(listed);
  if (knows) {
    EXPECT_EQ(unused, 0U);
    EXPECT_TRUE(listed->empty());
    return;
  }
  // Each identifier that nobody has is that of a listed call of its own, and each call that was not answered is listed.
  std::map<std::string, std::size_t> listed_for;
  for (const auto& one : *listed) ++listed_for[fmt::format("g2p:{}", one.registrant)];
  for (const auto& [request, number] : unused_of) EXPECT_LE(number, listed_for[request]) << request;
  ASSERT_GE(listed->size(), unused + silent);
  // What is listed besides was in flight when its process was killed, or kept for a database that was away, and had no
  // effect: nobody can know that.
  EXPECT_LE(listed->size() - unused - silent, kills + 2 * restarts);
}

INSTANTIATE_TEST_SUITE_P(table, storms,
                         testing::Values(storm{"background_task", newest, false, 10'000},
                                         storm{"background_task_known", newest, true, 1'000},
                                         storm{"id_generation_ref_id",
                                               {"id_generation_ref_id", table_kind::id_generation, "ref_id"},
                                               false,
                                               1'000}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(bridges, stores_an_answer_that_came_while_the_database_was_away) {
  bridge_world world;
  counting_generator generator(world.files / "calls", give);
  const auto registrant = world.add_registrant();
  int calls = 0;
  generator.on_issue = [&] {
    if (++calls == 1) world.server.kill();
  };
  auto& b = world.make_bridge(generator);
  ASSERT_TRUE(world.run_until(b, [&] { return calls == 1; }));
  EXPECT_FALSE(b.report().connected);
  world.server.start();
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
  EXPECT_EQ(generator.consumed(), 1U);
  EXPECT_EQ(world.doubts(), 0);
  EXPECT_EQ(world.request_of(registrant).attempts, 1);
  EXPECT_EQ(b.report().did.connections_lost, 1U);
}

TEST(bridges, count_a_failed_try_once_although_the_database_was_away) {
  bridge_world world;
  int calls = 0;
  counting_generator generator(world.files / "calls", [&](std::string_view, std::size_t) {
    if (++calls % 2 == 1) world.server.kill();
    return deed::fail;
  });
  const auto registrant = world.add_registrant();
  auto& b = world.make_bridge(generator);
  for (int round = 1; round <= 5; ++round) {
    ASSERT_TRUE(world.run_until(b, [&] { return calls >= round; }));
    if (!b.report().connected) world.server.start();
  }
  ASSERT_TRUE(world.run_until_done(b));
  EXPECT_EQ(world.request_of(registrant).status, "FAILED");
  EXPECT_EQ(world.request_of(registrant).attempts, 5);
  EXPECT_EQ(generator.calls(), 5U);
}

TEST(bridges, stop_at_once_while_there_is_no_database) {
  bridge_world world;
  counting_generator generator(world.files / "calls", give);
  bridge_thread running(world.options(), generator);
  ASSERT_TRUE(eventually([&] { return running.report().connected; }));
  world.server.kill();
  ASSERT_TRUE(eventually([&] { return !running.report().connected; }));
  const auto begun = std::chrono::steady_clock::now();
  running.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  EXPECT_FALSE(running.report().problem.empty());
}

TEST(bridges, stop_when_they_are_cut_off_though_the_database_does_not_answer) {
  bridge_world world;
  world.sql("CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3600); RETURN new; "
            "END $$; CREATE TRIGGER sleep BEFORE UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION sleep()");
  counting_generator generator(world.files / "calls", give);
  const auto registrant = world.add_registrant();
  auto with = world.options();
  with.database.statement_at_most = 1h;
  bridge_thread running(with, generator);
  ASSERT_TRUE(eventually([&] { return generator.calls() == 1; }));
  ASSERT_TRUE(eventually(
      [&] { return world.number("SELECT count(*) FROM matricula.bridge_call WHERE state = 'answered'") == 1; }));
  running.ask_to_stop();
  EXPECT_FALSE(running.wait_until_ended(std::chrono::steady_clock::now() + 100ms)) << "it gives the identifier";
  running.cut();
  ASSERT_TRUE(running.wait_until_ended(std::chrono::steady_clock::now() + 20s));
  running.stop();
  world.server.kill(); // with the statement that sleeps
  world.server.start();
  world.sql("SELECT 1"); // over a new connection
  world.sql("DROP TRIGGER sleep ON res_partner");
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator)));
  EXPECT_EQ(world.identifier_of(registrant), "4000000001");
  EXPECT_EQ(generator.calls(), 1U);
}

TEST(bridges, that_stop_give_back_what_they_have_not_begun) {
  bridge_world world;
  counting_generator generator(world.files / "calls", give);
  world.add_registrants(50);
  auto with = world.options();
  with.lease = 1h;
  auto& first = world.make_bridge(generator, with);
  generator.on_issue = [&] { first.stop(); };
  (void)first.step();
  first.release();
  EXPECT_EQ(generator.calls(), 1U) << "the call that it was at is finished, no other begins";
  EXPECT_EQ(world.identifiers().size(), 1U);
  generator.on_issue = [] {};
  ASSERT_TRUE(world.run_until_done(world.make_bridge(generator, with))) << "claims of an hour would stand in the way";
  EXPECT_EQ(world.identifiers().size(), 50U);
}

TEST(bridges, share_the_work_and_call_once_for_each_registrant) {
  bridge_world world;
  counting_generator generator(world.files / "calls", give);
  world.add_registrants(300);
  // Three tasks for each: Odoo's own check for duplicates is not to be relied on.
  world.sql("INSERT INTO g2p_que_background_task (worker_type, worker_payload) SELECT worker_type, worker_payload FROM "
            "g2p_que_background_task, generate_series(1, 2)");
  {
    std::vector<std::unique_ptr<bridge_thread>> all;
    for (int i = 0; i < 4; ++i) all.push_back(std::make_unique<bridge_thread>(world.options(), generator));
    ASSERT_TRUE(eventually([&] { return world.pending() == 0; }, 60s)) << world.pending();
    std::size_t working = 0;
    for (const auto& one : all) working += one->report().did.identifiers_given > 0 ? 1 : 0;
    EXPECT_GE(working, 2U);
  }
  EXPECT_EQ(generator.calls(), 300U);
  EXPECT_EQ(world.identifiers().size(), 300U);
  EXPECT_EQ(world.doubts(), 0);
  EXPECT_EQ(
      world.number("SELECT count(*) FROM g2p_que_background_task WHERE worker_type = 'id_generation_update_worker'"),
      300);
}

} // namespace
} // namespace matricula::test
