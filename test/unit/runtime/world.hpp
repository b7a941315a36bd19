/// A small node under virtual time: an actor system in which nothing runs by itself, a clock that the test moves, and
/// workers that write down what happens to them.
#pragma once
#include "runtime/dead_letters.hpp"
#include "runtime/message_types.hpp"
#include "runtime/registry.hpp"
#include "runtime/services.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/system.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace runtime_test {

/// A message that may be replayed.
struct add_order {
  static constexpr bool replayable = true;
  int amount = 0;
  std::string note;
  matricula::trace_context trace;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, add_order& x) {
  return f(caf::meta::type_name("add_order"), x.amount, x.note, x.trace);
}
inline std::size_t approximate_size(const add_order& x) { return sizeof(x) + x.note.size(); }

/// A request: it may not.
struct ask_order {
  int what = 0;
  matricula::runtime::reply_to<int> reply;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, ask_order& x) {
  return f(caf::meta::type_name("ask_order"), x.what, x.reply);
}

/// Runs what the journal says, in the worker's handler.
struct poke_order {};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, poke_order&) {
  return f(caf::meta::type_name("poke_order"));
}

} // namespace runtime_test

CAF_BEGIN_TYPE_ID_BLOCK(runtime_tests, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(runtime_tests, (runtime_test::add_order))
CAF_ADD_TYPE_ID(runtime_tests, (runtime_test::ask_order))
CAF_ADD_TYPE_ID(runtime_tests, (runtime_test::poke_order))
CAF_END_TYPE_ID_BLOCK(runtime_tests)

namespace runtime_test {

using namespace matricula::runtime;
using namespace std::chrono_literals;
using matricula::errc;

class manual_clock final : public matricula::clock {
public:
  matricula::timestamp wall() const override { return matricula::timestamp{1'800'000'000'000ms + now_ + step_}; }
  std::chrono::nanoseconds monotonic() const override { return now_; }
  void advance(milliseconds by) { now_ += by; }
  void step_wall(milliseconds by) { step_ += by; }

private:
  milliseconds now_{1'000};
  milliseconds step_{0};
};

struct kept_letters final : dead_letter_sink {
  std::vector<dead_letter> all;
  void keep(dead_letter letter) noexcept override { all.push_back(std::move(letter)); }
};

/// What happened to the workers, and what shall happen to them.
struct journal {
  std::vector<std::string> lines;
  std::map<std::string, int> failing_constructors; ///< by id, how many times yet
  std::map<std::string, int> failing_starts;
  std::function<void()> when_poked = [] {};
  [[nodiscard]] std::vector<std::string> of(const std::string& prefix) const {
    std::vector<std::string> out;
    for (const auto& line : lines)
      if (line.starts_with(prefix)) out.push_back(line);
    return out;
  }
};

/// Numbers are written down; negative ones crash it.
class worker : public supervised_actor {
public:
  worker(caf::actor_config& cfg, child_context context, std::shared_ptr<journal> to)
      : supervised_actor(cfg, std::move(context)), to_(std::move(to)), id_(path().substr(path().rfind('/') + 1)) {
    if (to_->failing_constructors[id_]-- > 0) throw std::runtime_error("the constructor failed");
  }
  caf::behavior make_behavior() override {
    if (to_->failing_starts[id_]-- > 0) throw std::runtime_error("the start failed");
    to_->lines.push_back(id_ + " starts");
    return {
        [this](int x) {
          if (x < 0) throw std::runtime_error("poison " + std::to_string(x));
          to_->lines.push_back(id_ + " " + std::to_string(x));
          return x;
        },
        [this](const add_order& x) {
          if (x.amount < 0 && !mended) throw std::invalid_argument("a negative amount");
          to_->lines.push_back(id_ + " adds " + std::to_string(x.amount) + x.note);
        },
        [](const ask_order& x) {
          if (x.what < 0) throw std::runtime_error("unanswerable");
          x.reply.deliver(x.what);
        },
        [this](poke_order) { to_->when_poked(); },
        [this](const std::string& later) { // to itself
          if (later == "crash") throw std::runtime_error("its own message");
          to_->lines.push_back(id_ + " " + later);
        },
    };
  }
  std::string describe() const override { return R"({"id":")" + id_ + R"("})"; }
  void on_exit() override { to_->lines.push_back(id_ + " ends"); }

  static inline bool mended = false;

private:
  std::shared_ptr<journal> to_;
  std::string id_;
};

/// An actor that does what the test says, once. A class: CAF's function-based actors trip UBSan.
class client : public caf::event_based_actor {
public:
  client(caf::actor_config& cfg, std::function<void(caf::event_based_actor*)> what)
      : caf::event_based_actor(cfg), what_(std::move(what)) {}
  caf::behavior make_behavior() override {
    if (what_) what_(this);
    return {[](caf::unit_t) {}};
  }

private:
  std::function<void(caf::event_based_actor*)> what_;
};

class world : public ::testing::Test {
protected:
  world() {
    worker::mended = false;
    shared_->time = &clock_;
    shared_->actors = actors_;
    shared_->dead_letters = &letters_;
    shared_->make_random = [] { return std::make_unique<matricula::seeded_random>(7); };
    shared_->on_alarm = [this](const operator_alarm& a) { alarms_.push_back(std::string{a.kind} + " " + a.path); };
    shared_->on_fatal = [this](std::string_view why) { fatal_.emplace_back(why); };
  }
  ~world() override {
    for (auto& each : clients_) caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
    clients_.clear();
    if (root_) {
      caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
      root_ = nullptr;
    }
    for (int i = 0; i < 50; ++i) {
      sched_.run();
      if (!sched_.has_pending_timeout()) break;
      sched_.trigger_timeouts();
    }
    actors_->clear();
    std::map<std::string, int> alive;
    for (const auto& line : journal_->lines) {
      auto& count = alive[line.substr(0, line.find(' '))];
      if (line.ends_with(" starts")) {
        EXPECT_EQ(count++, 0) << "two incarnations at once: " << line;
      } else if (line.ends_with(" ends") && count > 0) { // one that failed to start ends without having started
        --count;
      }
    }
    for (const auto& [id, count] : alive) EXPECT_EQ(count, 0) << id << " outlived its supervisor";
  }

  caf::actor as_client(std::function<void(caf::event_based_actor*)> what) {
    clients_.push_back(sys_.spawn<client>(std::move(what)));
    return clients_.back();
  }
  [[nodiscard]] child_spec spec(const std::string& id) const { return child_of<worker>(id, "worker", journal_); }
  void start(supervisor_options options, std::vector<child_spec> children) {
    root_ = start_root(sys_, shared_, options, std::move(children));
    sched_.run();
  }
  void run() { sched_.run(); }
  void advance(milliseconds by) {
    clock_.advance(by);
    sched_.advance_time(by);
    sched_.run();
  }
  [[nodiscard]] caf::actor at(const std::string& path) const {
    auto found = actors_->address(path);
    EXPECT_TRUE(found) << path;
    return found ? *found : caf::actor{};
  }
  [[nodiscard]] actor_snapshot look(const std::string& path) const {
    const auto found = actors_->find(path);
    EXPECT_TRUE(found) << path;
    return found.value_or(actor_snapshot{});
  }
  /// Gives a command, lets it be carried out, and returns its answer.
  matricula::result<std::uint64_t> order(const std::string& path, actor_command what) {
    auto cell = std::make_shared<reply_cell<std::uint64_t>>(nullptr);
    actors_->command(path, what, reply_to<std::uint64_t>{cell});
    sched_.run();
    if (!cell->ready()) return matricula::fail(errc::internal, "no answer yet");
    return cell->value();
  }
  /// Lets everyone but the actors now living under `paths` run.
  void run_all_but(const std::vector<caf::actor>& held) {
    sched_.run_jobs_filtered([&](caf::resumable* job) {
      for (const auto& h : held)
        if (dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(h)) == job) return false;
      return true;
    });
  }

  manual_clock clock_;
  kept_letters letters_;
  std::vector<std::string> alarms_;
  std::vector<std::string> fatal_;
  std::shared_ptr<journal> journal_ = std::make_shared<journal>();
  std::shared_ptr<registry> actors_ = std::make_shared<registry>(clock_);
  std::shared_ptr<services> shared_ = std::make_shared<services>();
  std::unique_ptr<caf::actor_system_config> config_ =
      make_system_config({.how = system_options::scheduling::testing}, [](caf::actor_system_config& config) {
        declare_messages<caf::id_block::runtime_tests>(config);
      });
  caf::actor_system sys_{*config_};
  caf::scheduler::test_coordinator& sched_ = dynamic_cast<caf::scheduler::test_coordinator&>(sys_.scheduler());
  caf::actor root_;
  std::vector<caf::actor> clients_;
};

using lines = std::vector<std::string>;

} // namespace runtime_test
