// A configuration server that answers, changes, lies, is slow, or is not there.
#include "connectors/config_server.hpp"
#include "test/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

namespace matricula::connectors {
namespace {

using namespace std::chrono_literals;

/// Stands where the test puts it.
class set_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override { return timestamp{std::chrono::milliseconds{wall_ms.load()}}; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return 1h; }
  std::atomic<std::int64_t> wall_ms{1'800'000'000'000};
};

std::string document(const std::string& uin_min) {
  return R"({"name":"kernel","propertySources":[{"name":"a","source":{"mosip.kernel.uin.min-unused-threshold":")" +
         uin_min + R"("}}]})";
}

/// A Spring Cloud Config server with one document.
class spring_server {
public:
  spring_server() {
    server_.Get("/config/kernel/default/master", [this](const httplib::Request& from, httplib::Response& to) {
      std::unique_lock hold(guard_);
      ++asked_;
      changed_.notify_all();
      changed_.wait(hold, [this] { return !held_; });
      authorization_ = from.get_header_value("Authorization");
      to.status = status_;
      to.set_content(text_, "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~spring_server() {
    hold(false);
    server_.stop();
    thread_.join();
  }
  spring_server(const spring_server&) = delete;
  spring_server& operator=(const spring_server&) = delete;

  void answer(std::string text, int status = 200) {
    const std::scoped_lock hold(guard_);
    text_ = std::move(text);
    status_ = status;
  }
  void hold(bool yes) {
    const std::scoped_lock hold(guard_);
    held_ = yes;
    changed_.notify_all();
  }
  void wait_for_questions(int n) {
    std::unique_lock hold(guard_);
    changed_.wait(hold, [&] { return asked_ >= n; });
  }
  [[nodiscard]] std::string authorization() {
    const std::scoped_lock hold(guard_);
    return authorization_;
  }
  [[nodiscard]] int port() const { return port_; }

private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::mutex guard_;
  std::condition_variable changed_;
  std::string text_ = document("100");
  int status_ = 200;
  int asked_ = 0;
  bool held_ = false;
  std::string authorization_;
};

struct config_server_test : testing::Test {
  [[nodiscard]] config_server_options options() const {
    config_server_options o;
    o.from = {.tls = false,
              .host = "127.0.0.1",
              .port = static_cast<std::uint16_t>(server.port()),
              .target = "/config/kernel/default/master"};
    o.every = 10ms;
    o.at_most = 5s;
    o.kept_in = folder / "kept";
    o.time = &time;
    return o;
  }
  [[nodiscard]] static std::optional<std::uint32_t> uin_min(const config_server& of) {
    const auto all = of.limits();
    const auto uin = all.find("uin");
    return uin == all.end() ? std::nullopt : uin->second.pool_min;
  }
  set_clock time;
  spring_server server;
  test::scratch_directory folder;
};

} // namespace

TEST_F(config_server_test, gives_its_limits_at_start) {
  auto with_credentials = options();
  with_credentials.from.user = "matricula";
  with_credentials.from.password = "secret";
  config_server asked(with_credentials);
  EXPECT_EQ(asked.now().age, -1ms);
  asked.ask_first();
  EXPECT_EQ(uin_min(asked), 100U);
  EXPECT_EQ(server.authorization(), "Basic bWF0cmljdWxhOnNlY3JldA==");
  EXPECT_EQ(asked.now().failures, 0U);
  EXPECT_EQ(asked.now().age, 0ms);
}

TEST_F(config_server_test, tells_of_changes_and_of_nothing_else) {
  config_server asked(options());
  asked.ask_first();
  std::mutex guard;
  std::condition_variable changed;
  std::vector<std::uint32_t> told;
  asked.go_on([&](const limits_of_types& now) {
    const std::scoped_lock hold(guard);
    told.push_back(now.at("uin").pool_min.value());
    changed.notify_all();
  });
  server.wait_for_questions(4);
  server.answer(document("250"));
  {
    std::unique_lock hold(guard);
    ASSERT_TRUE(changed.wait_for(hold, 20s, [&] { return !told.empty(); }));
  }
  server.answer("nonsense");
  server.wait_for_questions(8);
  asked.stop();
  EXPECT_EQ(told, (std::vector<std::uint32_t>{250}));
  EXPECT_EQ(uin_min(asked), 250U) << "the last good values stay";
}

TEST_F(config_server_test, keeps_its_last_good_values_for_a_start_without_it) {
  config_server(options()).ask_first();
  time.wall_ms += 3'600'000;
  for (const int status : {500, 404, 302, 200}) {
    server.answer("nonsense", status);
    config_server later(options());
    later.ask_first();
    EXPECT_EQ(uin_min(later), 100U) << status;
    EXPECT_EQ(later.now().age, 1h);
    EXPECT_EQ(later.now().failures, 1U);
  }
}

TEST_F(config_server_test, keeps_the_last_good_value_over_a_start_when_the_present_one_is_bad) {
  config_server(options()).ask_first();
  server.answer(document("many"));
  config_server later(options());
  later.ask_first();
  EXPECT_EQ(uin_min(later), 100U);
  EXPECT_EQ(later.now().refused, 1U);
  EXPECT_EQ(later.now().failures, 0U);
}

TEST_F(config_server_test, that_is_silent_delays_a_start_no_longer_than_its_timeout) {
  server.hold(true);
  auto brief = options();
  brief.at_most = 200ms;
  config_server asked(brief);
  const auto began = std::chrono::steady_clock::now();
  asked.ask_first();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_FALSE(uin_min(asked));
  EXPECT_EQ(asked.now().age, -1ms);
}

TEST_F(config_server_test, is_left_at_once_when_the_node_stops) {
  config_server asked(options());
  asked.ask_first();
  server.hold(true);
  asked.go_on([](const limits_of_types&) {});
  server.wait_for_questions(2);
  const auto began = std::chrono::steady_clock::now();
  asked.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
}

TEST_F(config_server_test, does_not_believe_a_damaged_file) {
  server.answer("", 500);
  std::ofstream(folder / "kept") << "matricula-config-server 1 5\nmosip.kernel.uin.uins-to-generate 5";
  config_server asked(options());
  asked.ask_first();
  EXPECT_TRUE(asked.limits().empty());
}

TEST_F(config_server_test, is_refused_when_its_answer_is_too_large) {
  server.answer(std::string(document_bytes_max + 1, ' '));
  config_server asked(options());
  asked.ask_first();
  EXPECT_EQ(asked.now().failures, 1U);
}

} // namespace matricula::connectors
