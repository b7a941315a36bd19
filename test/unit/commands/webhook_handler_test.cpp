// The worker type webhook: what of a task is delivered where, and how its try ends.
#include "commands/webhook_handler.hpp"
#include "test/support/byte_server.hpp"

#include <gmock/gmock.h>

#include <future>

namespace matricula::commands {
namespace {

using testing::HasSubstr;

struct webhook_handlers : testing::Test {
  std::string receive() {
    const std::lock_guard hold(guard);
    return received;
  }
  /// How the try of a task with this payload ends.
  actors::task_end run(const std::string& payload) {
    std::promise<actors::task_end> ended; // outlives the handler's threads
    auto made = webhook_handler::make(s, 2, time);
    EXPECT_TRUE(made) << made.error().message;
    actors::leased_task t;
    t.task.id = 17;
    t.task.payload = payload;
    (*made)->run(t, [&ended](actors::task_end end) { ended.set_value(std::move(end)); });
    return ended.get_future().get();
  }
  std::string refusal(const std::string& payload) {
    const auto end = run(payload);
    EXPECT_EQ(end.how.kind, tasks::outcome_kind::permanent);
    return end.how.text;
  }

  std::mutex guard;
  std::string received;
  std::string answer = test::answer_of(204, "");
  test::byte_server server{[this](int socket) {
    while (const auto request = test::read_request(socket)) {
      const std::lock_guard hold(guard);
      received = *request;
      if (!test::send_text(socket, answer)) return;
    }
  }};
  system_clock time;
  config::settings s = [this] {
    auto all = config::defaults();
    all.webhooks["registry"] = {.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/hook",
                                .timeout_ms = 5'000};
    return all;
  }();
};

TEST_F(webhook_handlers, deliver_the_body_under_the_number_of_the_task) {
  const auto end = run(R"({"body":{"registrant":17,"names":["a"]}})");
  EXPECT_EQ(end.how.kind, tasks::outcome_kind::done);
  EXPECT_EQ(end.how.text, R"({"status":204})");
  EXPECT_THAT(receive(), testing::StartsWith("POST /hook HTTP/1.1\r\n"));
  EXPECT_THAT(receive(), HasSubstr("Matricula-Delivery: task-17\r\n"));
  EXPECT_THAT(receive(), testing::EndsWith("\r\n\r\n{\"registrant\":17,\"names\":[\"a\"]}"));
}

TEST_F(webhook_handlers, deliver_where_the_task_says_if_the_settings_allow_it) {
  const auto own = "http://127.0.0.1:" + std::to_string(server.port()) + "/other?of=1";
  EXPECT_EQ(run(R"({"webhook":"registry","url":")" + own + R"(","body":null})").how.kind,
            tasks::outcome_kind::permanent)
      << "null is no body";
  EXPECT_EQ(run(R"({"webhook":"registry","url":")" + own + R"(","body":1})").how.kind, tasks::outcome_kind::done);
  EXPECT_THAT(receive(), testing::StartsWith("POST /other?of=1 HTTP/1.1\r\n"));
  EXPECT_THAT(refusal(R"({"url":"http://127.0.0.1:1/","body":1})"), HasSubstr("127.0.0.1:1 is not among those"));
  EXPECT_THAT(refusal(R"({"url":"ftp://127.0.0.1/","body":1})"), HasSubstr("no address of http or https"));
}

TEST_F(webhook_handlers, try_again_what_may_be_mended) {
  answer = test::answer_of(503, "later", "Retry-After: 7\r\n");
  const auto end = run(R"({"body":{}})");
  EXPECT_EQ(end.how.kind, tasks::outcome_kind::transient);
  EXPECT_EQ(end.how.try_again, std::chrono::seconds(7));
  EXPECT_THAT(end.how.text, HasSubstr("503"));
}

TEST_F(webhook_handlers, fail_at_once_what_the_receiver_refuses_for_good) {
  answer = test::answer_of(410, "");
  EXPECT_THAT(refusal(R"({"body":{}})"), HasSubstr("410"));
}

TEST_F(webhook_handlers, say_what_is_wrong_with_a_payload) {
  EXPECT_EQ(refusal("{}"), "The payload has no body to deliver.");
  EXPECT_EQ(refusal(R"({"webhook":"nobody","body":1})"), "No webhook is called 'nobody'.");
  EXPECT_THAT(refusal(R"({"webhook":7,"body":1})"), HasSubstr("webhook"));
  EXPECT_THAT(refusal(R"({"body":1,"colour":"red"})"), HasSubstr("colour"));
  s.webhooks["another"] = s.webhooks.at("registry");
  EXPECT_EQ(refusal(R"({"body":1})"), "The payload names none of the node's webhooks.");
  s.webhooks.clear();
  EXPECT_EQ(refusal(R"({"body":1})"), "The settings of this node have no [webhooks.NAME].");
}

TEST_F(webhook_handlers, end_soon_when_they_are_stopped) {
  // A receiver that never answers: it holds the connection until the client has gone.
  std::promise<void> asked;
  test::byte_server silent([&asked](int socket) {
    static_cast<void>(test::read_request(socket));
    asked.set_value();
    static_cast<void>(test::read_request(socket));
  });
  s.webhooks["registry"].url = "http://127.0.0.1:" + std::to_string(silent.port()) + "/";
  s.webhooks["registry"].timeout_ms = 600'000;
  std::promise<actors::task_end> ended;
  auto made = webhook_handler::make(s, 1, time);
  ASSERT_TRUE(made);
  actors::leased_task t;
  t.task.id = 1;
  t.task.payload = R"({"body":1})";
  (*made)->run(t, [&ended](actors::task_end end) { ended.set_value(std::move(end)); });
  asked.get_future().wait();
  (*made)->stop();
  EXPECT_EQ(ended.get_future().get().how.kind, tasks::outcome_kind::transient);
}

} // namespace
} // namespace matricula::commands
