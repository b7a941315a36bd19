// One token for all, renewed in time, and never told to anybody.
#include "connectors/access_token.hpp"
#include "test/support/fault_generator.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <set>

namespace matricula::connectors {
namespace {

using namespace std::chrono_literals;
using matricula::test::fault;
using matricula::test::fault_generator;
using testing::HasSubstr;
using testing::Not;
constexpr auto token_call = fault_generator::call::token;

class set_clock final : public clock {
public:
  [[nodiscard]] timestamp wall() const override { return timestamp{1'800'000'000'000ms}; }
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return now.load(); }
  void advance(std::chrono::nanoseconds by) { now = now.load() + by; }
  std::atomic<std::chrono::nanoseconds> now{1h};
};

deadline soon() { return std::chrono::steady_clock::now() + 10s; }

struct access_tokens_test : testing::Test {
  std::unique_ptr<access_tokens> tokens_of(const fault_generator& from, std::string secret = "a secret & more") {
    access_token_options options;
    options.at.tls = false;
    options.at.host = "127.0.0.1";
    options.at.port = from.port();
    options.at.target = from.token_url().substr(from.openg2p_url().size());
    options.client_id = "matricula";
    options.client_secret = std::move(secret);
    options.time = &time;
    auto made = access_tokens::make(options);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  set_clock time;
};

} // namespace

TEST_F(access_tokens_test, are_asked_for_once_and_renewed_before_their_end) {
  fault_generator from({.token_lifetime = 100s});
  const auto tokens = tokens_of(from);
  EXPECT_EQ(tokens->current(soon()).value(), "token-1");
  time.advance(79s);
  EXPECT_EQ(tokens->current(soon()).value(), "token-1");
  time.advance(2s);
  EXPECT_EQ(tokens->current(soon()).value(), "token-2");
  EXPECT_EQ(from.calls(token_call), 2U);
}

TEST_F(access_tokens_test, are_asked_for_by_one_thread_for_all) {
  fault_generator from;
  from.script(token_call, {fault::delayed});
  const auto tokens = tokens_of(from);
  std::vector<std::future<std::string>> all;
  for (int i = 0; i < 16; ++i)
    all.push_back(std::async(std::launch::async, [&] { return tokens->current(soon()).value_or(""); }));
  for (auto& one : all) EXPECT_EQ(one.get(), "token-1");
  EXPECT_EQ(from.calls(token_call), 1U);
}

TEST_F(access_tokens_test, of_before_serve_while_one_thread_renews) {
  fault_generator from({.token_lifetime = 100s, .delay = 60s});
  const auto tokens = tokens_of(from);
  ASSERT_TRUE(tokens->current(soon()));
  time.advance(90s);
  from.script(token_call, {fault::delayed});
  auto renews = std::async(std::launch::async, [&] { return tokens->current(soon()); });
  ASSERT_TRUE(from.wait_for_calls(token_call, 2));
  EXPECT_EQ(tokens->current(soon()).value(), "token-1");
  from.stop();
  EXPECT_EQ(renews.get().value(), "token-1") << "it is valid for ten seconds more";
}

TEST_F(access_tokens_test, that_were_refused_are_dropped_once) {
  fault_generator from;
  const auto tokens = tokens_of(from);
  const auto first = tokens->current(soon()).value();
  tokens->drop(first);
  tokens->drop(first);
  const auto second = tokens->current(soon()).value();
  EXPECT_EQ(second, "token-2");
  tokens->drop(first); // a thread that was slow to hear of it
  EXPECT_EQ(tokens->current(soon()).value(), second);
  EXPECT_EQ(from.calls(token_call), 2U);
}

TEST_F(access_tokens_test, that_are_not_given_fail_for_a_second_without_another_question) {
  fault_generator from;
  const auto tokens = tokens_of(from, "wrong");
  for (int i = 0; i < 10; ++i) {
    const auto none = tokens->current(soon());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, errc::unavailable);
    EXPECT_THAT(none.error().message, HasSubstr("it answered 401 (invalid_client)"));
    EXPECT_THAT(none.error().message, Not(HasSubstr("wrong")));
  }
  EXPECT_EQ(from.calls(token_call), 1U);
  time.advance(1100ms);
  EXPECT_FALSE(tokens->current(soon()));
  EXPECT_EQ(from.calls(token_call), 2U);
}

TEST_F(access_tokens_test, that_came_too_late_for_one_are_asked_for_by_the_next) {
  fault_generator from({.delay = 60s});
  from.script(token_call, {fault::delayed});
  const auto tokens = tokens_of(from);
  EXPECT_FALSE(tokens->current(std::chrono::steady_clock::now() + 50ms)) << "its time was over";
  EXPECT_TRUE(tokens->current(soon()));
}

TEST_F(access_tokens_test, survive_every_fault_of_their_endpoint) {
  for (const auto f : {fault::lost, fault::reset_before, fault::reset_after, fault::server_error_before,
                       fault::empty_body, fault::null_response, fault::garbage, fault::truncated}) {
    fault_generator from;
    from.script(token_call, {f});
    const auto tokens = tokens_of(from);
    const auto none = tokens->current(soon());
    EXPECT_FALSE(none) << static_cast<int>(f);
    time.advance(2s);
    EXPECT_TRUE(tokens->current(soon())) << static_cast<int>(f);
  }
}

TEST(token_answer, is_read_as_servers_write_it) {
  const auto lifetime = [](const char* text) { return parse_token_answer(text).value().lifetime; };
  EXPECT_EQ(parse_token_answer(R"({"access_token":"eyJ.a-b_c"})").value().token, "eyJ.a-b_c");
  EXPECT_EQ(lifetime(R"({"access_token":"a"})"), 900s);
  EXPECT_EQ(lifetime(R"({"access_token":"a","expires_in":null})"), 900s);
  EXPECT_EQ(lifetime(R"({"access_token":"a","expires_in":60})"), 60s);
  EXPECT_EQ(lifetime(R"({"access_token":"a","expires_in":"60"})"), 60s);
  EXPECT_EQ(lifetime(R"({"access_token":"a","expires_in":60.5})"), 60s);
  EXPECT_EQ(lifetime(R"({"access_token":"a","expires_in":1e300})"), 24h);
}

TEST(token_answer, without_a_token_that_can_be_sent_is_refused) {
  for (const std::string text :
       {"", "null", "[]", "{}", "{", R"({"access_token":null})", R"({"access_token":7})", R"({"access_token":""})",
        R"({"access_token":"a b"})", R"({"access_token":"a\r\nX: y"})", R"({"access_token":"a;b=c"})",
        R"({"access_token":"a\"b"})", R"({"access_token":"\u00e9"})", R"({"access_token":"a","expires_in":0})",
        R"({"access_token":"a","expires_in":-5})", R"({"access_token":"a","expires_in":"soon"})",
        R"({"access_token":"a","expires_in":[]})"}) {
    const auto read = parse_token_answer(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, errc::unavailable);
  }
  EXPECT_FALSE(parse_token_answer(R"({"access_token":")" + std::string(20'000, 'a') + "\"}"));
}

} // namespace matricula::connectors
