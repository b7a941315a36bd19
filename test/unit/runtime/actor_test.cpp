#include "foundation/log.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/json_text.hpp"
#include "runtime/message_codec.hpp"
#include "runtime/watchdog.hpp"
#include "world.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

namespace runtime_test {
namespace {

using matricula::result;

// -- bounds ---------------------------------------------------------------------------------------

TEST_F(world, a_mailbox_is_bounded_and_counted) {
  auto child = spec("a");
  child.mailbox_messages_max = 4;
  start({}, {child});
  const auto a = at("root/a");
  for (int i = 0; i < 10; ++i) caf::anon_send(a, i);
  EXPECT_EQ(look("root/a").depth, 4);
  EXPECT_EQ(look("root/a").rejected, 6u);
  run();
  EXPECT_EQ(look("root/a").depth, 0);
  EXPECT_EQ(look("root/a").high_water, 4);
  EXPECT_EQ(look("root/a").handled, 4u);
  EXPECT_EQ(journal_->lines, (lines{"a starts", "a 0", "a 1", "a 2", "a 3"}));
}

TEST_F(world, beyond_the_bound_a_request_is_answered_and_a_reply_told) {
  auto child = spec("a");
  child.mailbox_messages_max = 1;
  start({}, {child});
  const auto a = at("root/a");
  caf::anon_send(a, 1);
  matricula::error refused;
  as_client([&](caf::event_based_actor* self) {
    self->request(a, 10s, 2).then([](int) {}, [&](caf::error& e) { refused = from_caf(e); });
  });
  auto cell = std::make_shared<reply_cell<int>>(nullptr);
  caf::anon_send(a, ask_order{1, reply_to<int>{cell}});
  ASSERT_TRUE(cell->ready());
  EXPECT_EQ(cell->value().error().code, errc::unavailable);
  sched_.prioritize(clients_.back());
  run();
  EXPECT_EQ(refused.code, errc::overloaded);
}

TEST_F(world, commands_and_inspection_pass_a_full_mailbox) {
  auto child = spec("a");
  child.mailbox_messages_max = 1;
  start({}, {child});
  for (int i = 0; i < 5; ++i) caf::anon_send(at("root/a"), i);
  auto cell = std::make_shared<reply_cell<std::string>>(nullptr);
  actors_->inspect("root/a", reply_to<std::string>{cell});
  run();
  ASSERT_TRUE(cell->ready());
  EXPECT_EQ(cell->value().value(), R"({"id":"a"})");
}

TEST_F(world, a_slot_buffers_up_to_its_bound_while_its_actor_restarts) {
  auto child = spec("a");
  child.slot_bounds.buffer_max = 8;
  start({.backoff_min = 100ms, .backoff_max = 100ms}, {child});
  const auto a = at("root/a");
  caf::anon_send(a, -1);
  for (int i = 0; i < 20; ++i) caf::anon_send(a, i);
  run();
  // What waited in the mailbox stays, beyond the bound; only newcomers are refused.
  EXPECT_EQ(look("root/a").depth, 20);
  for (int i = 20; i < 30; ++i) caf::anon_send(a, i);
  EXPECT_EQ(look("root/a").rejected, 10u);
  advance(100ms);
  EXPECT_EQ(journal_->of("a ").size(), 3u + 20u);
  EXPECT_EQ(look("root/a").depth, 0);
}

TEST_F(world, what_a_dying_actor_hands_over_goes_before_what_waits_already) {
  auto child = spec("a");
  child.slot = slot_ref::make(sys_);
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {child});
  for (const int x : {-1, 1, 2}) caf::anon_send(child.slot.address(), x);
  child.slot->buffer();
  caf::anon_send(child.slot.address(), 3);
  run();
  advance(1ms);
  EXPECT_EQ(journal_->lines, (lines{"a starts", "a ends", "a starts", "a 1", "a 2", "a 3"}));
}

TEST_F(world, an_address_takes_messages_before_its_actor_first_starts) {
  auto child = spec("a");
  child.slot = slot_ref::make(sys_);
  for (int i = 1; i <= 3; ++i) caf::anon_send(child.slot.address(), i);
  start({}, {child});
  EXPECT_EQ(journal_->lines, (lines{"a starts", "a 1", "a 2", "a 3"}));
}

// -- poison ---------------------------------------------------------------------------------------

TEST_F(world, a_type_that_keeps_crashing_its_actor_is_refused_and_does_not_escalate) {
  start({.restarts_max = 2, .backoff_min = 1ms, .backoff_max = 1ms, .healthy_after = 1s}, {spec("a")});
  const auto a = at("root/a");
  const auto crash = [&] {
    caf::anon_send(a, ask_order{-1, {}});
    run();
    advance(1ms);
  };
  crash();
  crash();
  EXPECT_EQ(alarms_, lines{});
  crash();
  EXPECT_EQ(alarms_, lines{"poisonous_type root/a"});
  EXPECT_EQ(look("root/a").refused_types, lines{"runtime_test::ask_order"});
  // Refused at once, healthy or not; everything else goes on.
  auto cell = std::make_shared<reply_cell<int>>(nullptr);
  caf::anon_send(a, ask_order{1, reply_to<int>{cell}});
  ASSERT_TRUE(cell->ready());
  EXPECT_EQ(cell->value().error().code, errc::unavailable);
  caf::anon_send(a, 5);
  run();
  EXPECT_EQ(journal_->lines.back(), "a 5");
  EXPECT_EQ(look("root/a").poisonous, 1u);
  EXPECT_EQ(look("root/a").crashes, 3u);
  EXPECT_EQ(fatal_, lines{});
  // The crashes of the refused type are forgiven: two others are still within the limit.
  for (const int x : {-1, -2}) {
    caf::anon_send(a, x);
    run();
    advance(1ms);
  }
  EXPECT_EQ(fatal_, lines{});
  // After the window the type is tried again.
  advance(60s);
  auto again = std::make_shared<reply_cell<int>>(nullptr);
  caf::anon_send(a, ask_order{2, reply_to<int>{again}});
  run();
  ASSERT_TRUE(again->ready());
  EXPECT_EQ(again->value().value(), 2);
}

TEST_F(world, an_operators_restart_accepts_a_refused_type_again) {
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {spec("a")});
  for (int i = 0; i < 3; ++i) {
    caf::anon_send(at("root/a"), -1);
    run();
    advance(1ms);
  }
  EXPECT_EQ(look("root/a").refused_types, lines{"@i32"});
  ASSERT_TRUE(order("root/a", actor_command::restart));
  EXPECT_EQ(look("root/a").refused_types, lines{});
  caf::anon_send(at("root/a"), 3);
  run();
  EXPECT_EQ(journal_->lines.back(), "a 3");
}

TEST_F(world, what_waits_of_a_type_that_becomes_refused_is_not_tried) {
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {spec("a")});
  std::vector<std::shared_ptr<reply_cell<int>>> cells;
  for (int i = 0; i < 6; ++i) {
    cells.push_back(std::make_shared<reply_cell<int>>(nullptr));
    caf::anon_send(at("root/a"), ask_order{-1, reply_to<int>{cells.back()}});
  }
  for (int i = 0; i < 20; ++i) advance(1ms);
  EXPECT_EQ(look("root/a").crashes, 3u);
  EXPECT_EQ(look("root/a").state, actor_state::running);
  EXPECT_EQ(look("root/a").depth, 0);
  for (const auto& cell : cells) EXPECT_TRUE(cell->ready());
}

TEST_F(world, crashes_on_its_own_messages_escalate_instead) {
  class selfish : public worker {
  public:
    using worker::worker;
    caf::behavior make_behavior() override {
      auto inherited = worker::make_behavior();
      send(this, std::string{"crash"});
      return inherited;
    }
  };
  start({.restarts_max = 3, .backoff_min = 1ms, .backoff_max = 1ms}, {child_of<selfish>("a", "selfish", journal_)});
  for (int i = 0; i < 10; ++i) advance(1ms);
  EXPECT_EQ(fatal_.size(), 1u);
  EXPECT_EQ(look("root/a").crashes, 4u);
}

// -- dead letters and replay ----------------------------------------------------------------------

TEST_F(world, a_dead_letter_holds_the_whole_message_and_is_replayed_to_the_restarted_actor) {
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {spec("a")});
  const matricula::trace_context trace{"request-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
  caf::anon_send(at("root/a"), add_order{-7, " with a note", trace});
  run();
  advance(1ms);
  ASSERT_EQ(letters_.all.size(), 1u);
  const auto& letter = letters_.all[0];
  EXPECT_EQ(letter.message_type, "runtime_test::add_order");
  EXPECT_EQ(letter.reason, "a negative amount");
  EXPECT_EQ(letter.trace, trace);
  EXPECT_EQ(letter.generation, 1u);
  EXPECT_EQ(letter.size_bytes, letter.payload.size());
  EXPECT_TRUE(letter.replayable);
  const auto content = decode_message(sys_, letter.payload);
  ASSERT_TRUE(content);
  ASSERT_TRUE(content->match_elements<add_order>());
  EXPECT_EQ(content->get_as<add_order>(0).trace, trace);

  worker::mended = true;
  ASSERT_TRUE(replay(sys_, *actors_, letter));
  run();
  EXPECT_EQ(journal_->lines.back(), "a adds -7 with a note");
}

TEST_F(world, a_request_is_kept_but_never_replayed) {
  start({.backoff_min = 1ms, .backoff_max = 1ms}, {spec("a")});
  caf::anon_send(at("root/a"), ask_order{-1, {}});
  run();
  ASSERT_EQ(letters_.all.size(), 1u);
  EXPECT_FALSE(letters_.all[0].replayable);
  EXPECT_FALSE(letters_.all[0].payload.empty());
  EXPECT_EQ(replay(sys_, *actors_, letters_.all[0]).error().code, errc::conflict);
  // Not even when the stored row says otherwise.
  letters_.all[0].replayable = true;
  EXPECT_EQ(replay(sys_, *actors_, letters_.all[0]).error().code, errc::conflict);
}

TEST_F(world, a_replay_to_nobody_is_refused) {
  dead_letter letter;
  letter.actor_path = "root/gone";
  letter.replayable = true;
  letter.payload = encode_message(sys_, caf::make_message(add_order{})).value();
  EXPECT_EQ(replay(sys_, *actors_, letter).error().code, errc::not_found);
}

TEST_F(world, a_message_of_any_registered_shape_survives_the_codec) {
  for (const auto& message :
       {caf::make_message(add_order{1, "x", {"r", ""}}), caf::make_message(caf::atom("reset"), 7, std::string{"text"}),
        caf::make_message(std::uint64_t{1}, true, std::vector<std::string>{"a", "b"}), caf::make_message()}) {
    const auto bytes = encode_message(sys_, message);
    ASSERT_TRUE(bytes) << bytes.error().message;
    const auto back = decode_message(sys_, *bytes);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(caf::to_string(*back), caf::to_string(message));
    EXPECT_EQ(back->type_token(), message.type_token());
    for (std::size_t cut = 0; cut < bytes->size(); ++cut)
      EXPECT_FALSE(decode_message(sys_, bytes->substr(0, cut))) << cut << " of " << bytes->size();
    EXPECT_FALSE(decode_message(sys_, *bytes + "x"));
  }
}

TEST_F(world, the_codec_makes_no_type_that_was_not_declared) {
  auto bytes = encode_message(sys_, caf::make_message(std::string{"x"})).value();
  bytes.replace(bytes.find("@str"), 4, "@msg");
  EXPECT_EQ(decode_message(sys_, bytes).error().code, errc::unsupported);
  EXPECT_FALSE(encode_message(sys_, caf::make_message(control{})));
}

// -- what an actor reports ------------------------------------------------------------------------

TEST_F(world, an_actor_reports_what_it_did_without_saying_what_was_in_it) {
  start({}, {spec("a")});
  journal_->when_poked = [&] { clock_.advance(50ms); };
  for (int i = 0; i < 99; ++i) caf::anon_send(at("root/a"), i);
  caf::anon_send(at("root/a"), add_order{1, "a secret", {}});
  caf::anon_send(at("root/a"), poke_order{});
  run();
  const auto seen = look("root/a");
  EXPECT_EQ(seen.path, "root/a");
  EXPECT_EQ(seen.kind, "worker");
  EXPECT_EQ(seen.state, actor_state::running);
  EXPECT_EQ(seen.generation, 1u);
  EXPECT_EQ(seen.handled, 101u);
  EXPECT_EQ(seen.busy_total, 50ms);
  EXPECT_LE(seen.p50, 2us);
  EXPECT_LE(seen.p99, 2us);
  EXPECT_GE(actors_->stats("root/a")->times.quantile(1.0), 50ms);
  const auto recent = actors_->recent("root/a");
  ASSERT_EQ(recent.size(), actor_stats::recent_max);
  EXPECT_EQ(recent.back().type, "runtime_test::poke_order");
  EXPECT_EQ(recent.back().taken, 50ms);
  EXPECT_EQ(recent[recent.size() - 2].type, "runtime_test::add_order");
  EXPECT_EQ(recent[recent.size() - 2].size_bytes, sizeof(add_order) + 8);
  EXPECT_EQ(recent.front().type, "@i32");
}

TEST_F(world, messages_without_a_handler_are_counted_and_dropped) {
  start({}, {spec("a")});
  caf::anon_send(at("root/a"), 2.5);
  run();
  EXPECT_EQ(look("root/a").unexpected, 1u);
  EXPECT_EQ(look("root/a").state, actor_state::running);
}

TEST_F(world, rates_are_measured_over_their_windows) {
  start({}, {spec("a")});
  (void)look("root/a");
  for (int second = 0; second < 20; ++second) {
    for (int i = 0; i < (second < 10 ? 100 : 20); ++i) caf::anon_send(at("root/a"), i);
    advance(1s);
    (void)look("root/a");
  }
  const auto rates = look("root/a").rates;
  EXPECT_DOUBLE_EQ(rates.over_1s, 20);
  EXPECT_DOUBLE_EQ(rates.over_10s, 20);
  EXPECT_DOUBLE_EQ(rates.over_60s, 60);
}

TEST_F(world, the_registry_lists_the_tree_by_path) {
  start({}, {spec("b"), subtree("sub", {}, {spec("a")})});
  lines paths;
  for (const auto& actor : actors_->list()) paths.push_back(actor.path + " " + actor.kind);
  EXPECT_EQ(paths, (lines{"root supervisor", "root/b worker", "root/sub supervisor", "root/sub/a worker"}));
  EXPECT_FALSE(actors_->find("root/nobody"));
  auto cell = std::make_shared<reply_cell<std::string>>(nullptr);
  actors_->inspect("root", reply_to<std::string>{cell});
  run();
  ASSERT_TRUE(cell->ready());
  EXPECT_NE(cell->value()->find(R"("strategy":"one_for_one")"), std::string::npos);
}

TEST_F(world, inspecting_an_actor_that_is_down_answers_at_once) {
  start({.backoff_min = 100ms}, {spec("a")});
  caf::anon_send(at("root/a"), -1);
  run();
  auto cell = std::make_shared<reply_cell<std::string>>(nullptr);
  actors_->inspect("root/a", reply_to<std::string>{cell});
  ASSERT_TRUE(cell->ready());
  EXPECT_EQ(cell->value().error().code, errc::unavailable);
}

TEST_F(world, inspecting_an_actor_that_does_not_answer_ends_in_time) {
  start({}, {spec("a")});
  const auto answer = actors_->inspect_and_wait("root/a", 10ms); // under the test scheduler nobody runs
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, errc::deadline_exceeded);
}

TEST(json_text, escapes_what_json_requires) {
  json_object o;
  o.add("a", "line\nwith \"quotes\" and \\ and \x01").add("n", -3).add("b", true).add("d", 0.5);
  o.add_raw("list", json_array{}.add("x").add_raw("1").str());
  EXPECT_EQ(o.str(), R"({"a":"line\nwith \"quotes\" and \\ and \u0001","n":-3,"b":true,"d":0.5,"list":["x",1]})");
}

// -- on the real scheduler ------------------------------------------------------------------------

/// Each number crashes it or is noted; the last one of each sender is waited for.
class ordered : public supervised_actor {
public:
  struct notes {
    std::atomic<std::uint64_t> handled{0};
    std::atomic<std::uint64_t> inversions{0};
    std::array<int, 2> last{};
    std::mutex mutex;
    std::condition_variable done;
    int finished = 0;
  };
  ordered(caf::actor_config& cfg, child_context context, std::shared_ptr<notes> to, int numbers)
      : supervised_actor(cfg, std::move(context)), to_(std::move(to)), numbers_(numbers) {}
  caf::behavior make_behavior() override {
    return {[this](int from, int x) {
      if (x % 997 == 0) throw std::runtime_error("poison");
      auto& last = to_->last[static_cast<std::size_t>(from)];
      if (x <= last) ++to_->inversions;
      last = x;
      ++to_->handled;
      if (x != numbers_) return;
      const std::lock_guard guard{to_->mutex};
      ++to_->finished;
      to_->done.notify_one();
    }};
  }

private:
  std::shared_ptr<notes> to_;
  int numbers_;
};

class real_node : public ::testing::Test {
protected:
  real_node() {
    shared_->time = &clock_;
    shared_->actors = actors_;
    shared_->make_random = [] { return std::make_unique<matricula::seeded_random>(1); };
  }
  const matricula::system_clock clock_;
  std::shared_ptr<registry> actors_ = std::make_shared<registry>(clock_);
  std::shared_ptr<services> shared_ = std::make_shared<services>();
};

TEST_F(real_node, the_watchdog_sees_a_handler_that_blocks_and_a_stop_ends_in_time) {
  std::promise<void> stuck_seen;
  std::promise<void> release;
  shared_->on_alarm = [&](const operator_alarm& a) {
    if (a.kind == "stuck_actor") stuck_seen.set_value();
  };
  auto blocked = release.get_future().share();
  class blocking : public supervised_actor {
  public:
    blocking(caf::actor_config& cfg, child_context context, std::shared_future<void> until)
        : supervised_actor(cfg, std::move(context)), until_(std::move(until)) {}
    caf::behavior make_behavior() override {
      return {[this](int) { until_.wait(); }};
    }
    std::shared_future<void> until_;
  };
  const auto config = make_system_config({.threads = 2}, {});
  caf::actor_system sys{*config};
  const watchdog_thread dog{shared_, {.stuck_after = 20ms, .stuck_after_max = 1h, .check_every = 1ms}};
  auto root = start_root(sys, shared_, {}, {child_of<blocking>("a", "blocking", blocked)});
  const auto watch = root;
  for (result<caf::actor> a = actors_->address("root/a"); !a; a = actors_->address("root/a")) std::this_thread::yield();
  caf::anon_send(*actors_->address("root/a"), 1);
  ASSERT_EQ(stuck_seen.get_future().wait_for(60s), std::future_status::ready);
  const auto late = stop_gracefully(sys, std::exchange(root, nullptr), 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::deadline_exceeded);
  release.set_value();
  EXPECT_TRUE(stop_gracefully(sys, watch, 60s));
  actors_->clear();
}

TEST_F(real_node, keeps_each_senders_order_over_200000_messages_with_restarts) {
  constexpr int numbers = 100'000; // for each of two senders
  constexpr int poison = numbers / 997;
  matricula::log::configure(matricula::log::level::error, matricula::log::format::text);
  const auto config = make_system_config({.threads = 2}, {});
  auto notes = std::make_shared<ordered::notes>();
  {
    caf::actor_system sys{*config};
    auto child = child_of<ordered>("a", "ordered", notes, numbers);
    child.slot = slot_ref::make(sys, {.buffer_max = 1'000'000, .crashes_max = 0});
    child.mailbox_messages_max = 1'000'000;
    supervisor_options options{.restarts_max = 1'000'000, .backoff_min = 1ms, .backoff_max = 1ms};
    auto root = start_root(sys, shared_, options, {child});
    const auto a = child.slot.address();
    {
      std::vector<std::jthread> senders;
      for (int sender = 0; sender < 2; ++sender)
        senders.emplace_back([&, sender] {
          for (int x = 1; x <= numbers; ++x) {
            caf::anon_send(a, sender, x);
            if (x % 50 == 0) std::this_thread::yield();
          }
        });
    }
    {
      std::unique_lock lock{notes->mutex};
      EXPECT_TRUE(notes->done.wait_for(lock, 60s, [&] { return notes->finished == 2; }));
    }
    EXPECT_EQ(notes->inversions, 0u);
    EXPECT_EQ(notes->handled, 2u * (numbers - poison));
    EXPECT_EQ(actors_->find("root/a")->restarts, 2u * poison);
    EXPECT_EQ(actors_->find("root/a")->rejected, 0u);
    EXPECT_EQ(actors_->inspect_and_wait("root/a", 1s).value_or("no answer"), "{}");
    EXPECT_TRUE(stop_gracefully(sys, std::exchange(root, nullptr), 10s));
    actors_->clear();
    child.slot = {};
  }
  matricula::log::set_level(matricula::log::level::info);
}

} // namespace
} // namespace runtime_test
