#include "api/exchange.hpp"
#include "api/peer_address.hpp"
#include "api/quotas.hpp"
#include "api/tokens.hpp"
#include "test/support/scratch_directory.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gmock/gmock.h>

#include <arpa/inet.h>
#include <cstring>
#include <deque>
#include <netinet/in.h>
#include <optional>
#include <stdexcept>
#include <sys/socket.h>

namespace matricula::api {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// Quotas and a clock that the test moves.
struct quotas_test : testing::Test {
  explicit quotas_test(const quota_limits& limits = {}, std::size_t callers = 1'000) : kept(limits, callers, numbers) {}

  static principal named(std::string name) { return {std::move(name), "default", {"*"}}; }
  bool request(const std::string& name) { return bool(kept.admit({named(name), ""}, false, false, now)); }
  /// Whether a look-up is let in; it finds nothing.
  bool miss(const std::string& name, std::string_view address = "") {
    const auto who = named(name);
    if (!kept.admit({who, address}, false, true, now)) return false;
    kept.charge_miss({who, address}, now);
    return true;
  }
  bool hit(const std::string& name) { return bool(kept.admit({named(name), ""}, false, true, now)); }
  /// Whether a request for so many is let in; it holds them.
  bool hold(const std::string& name, std::uint32_t count) {
    const auto who = named(name);
    return kept.admit({who, ""}, true, false, now) && kept.hold({who, ""}, 1, count, now);
  }
  /// The same, and then so many are issued.
  bool issue(const std::string& name, std::uint32_t count, std::optional<std::uint32_t> in_the_end = {}) {
    if (!hold(name, count)) return false;
    kept.settle({named(name), ""}, count, in_the_end.value_or(count), now);
    return true;
  }
  template <class F>
  static int how_often(F&& what, int at_most = 100'000) {
    int n = 0;
    while (n < at_most && what()) ++n;
    return n;
  }

  metrics numbers;
  quotas kept;
  nanoseconds now = 1h;
};

struct unlimited : quotas_test {};
struct request_quota : quotas_test {
  request_quota() : quotas_test({.requests_per_s = 10, .requests_burst = 30}) {}
};
struct issue_quota : quotas_test {
  issue_quota() : quotas_test({.issued_per_min = 600}) {}
};
struct miss_quota : quotas_test {
  miss_quota() : quotas_test({.misses_per_min = 60}) {}
};
struct few_callers : quotas_test {
  few_callers() : quotas_test({.misses_per_min = 60}, 64) {}
};

TEST_F(unlimited, lets_everything_in_and_remembers_nobody) {
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_TRUE(request("a"));
    EXPECT_TRUE(miss("a"));
    EXPECT_TRUE(issue("a", 1'000));
  }
  EXPECT_EQ(kept.remembered(), 0U);
}

TEST_F(request_quota, allows_the_burst_and_then_the_rate) {
  EXPECT_EQ(how_often([&] { return request("a"); }), 30);
  EXPECT_EQ(how_often([&] { return request("b"); }), 30) << "each caller has its own";
  now += 1s;
  EXPECT_EQ(how_often([&] { return request("a"); }), 10);
  now += 100ms;
  EXPECT_EQ(how_often([&] { return request("a"); }), 1);
  now += 24h;
  EXPECT_EQ(how_often([&] { return request("a"); }), 30) << "no more than the burst gathers";
}

TEST_F(request_quota, says_when_to_come_again) {
  (void)how_often([&] { return request("a"); });
  const auto refused = kept.admit({named("a"), ""}, false, false, now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::quota_exceeded);
  ASSERT_TRUE(refused.error().retry_after);
  EXPECT_EQ(*refused.error().retry_after, 100ms);
  now += *refused.error().retry_after;
  EXPECT_TRUE(request("a"));
}

TEST_F(issue_quota, makes_a_large_batch_wait_afterwards) {
  EXPECT_TRUE(issue("a", 1'000)) << "one request may go over";
  EXPECT_FALSE(issue("a", 1));
  EXPECT_TRUE(request("a")) << "other requests are not concerned";
  EXPECT_TRUE(issue("b", 1));
  now += 40s;
  EXPECT_FALSE(issue("a", 1)) << "400 are made up for";
  now += 1s;
  EXPECT_TRUE(issue("a", 1));
}

TEST_F(issue_quota, keeps_to_the_rate_in_the_long_run) {
  std::uint64_t issued = 0;
  for (int second = 0; second < 3'600; ++second, now += 1s)
    while (issue("a", 7)) issued += 7;
  EXPECT_GE(issued, 36'000U);
  EXPECT_LE(issued, 36'000U + 600 + 7);
}

TEST_F(issue_quota, is_held_by_requests_that_run_at_the_same_moment) {
  EXPECT_EQ(how_often([&] { return hold("a", 400); }), 2) << "the last one may go over, and no more";
  EXPECT_FALSE(hold("a", 1));
}

TEST_F(issue_quota, that_was_held_for_nothing_comes_back) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(issue("a", 400, 0));
  EXPECT_TRUE(issue("a", 400, 100));
  EXPECT_EQ(how_often([&] { return issue("a", 100); }), 5);
}

TEST_F(issue_quota, of_which_nothing_is_left_holds_nothing_for_those_it_refuses) {
  ASSERT_TRUE(issue("a", 599));
  const auto who = named("a");
  ASSERT_TRUE(kept.admit({who, ""}, true, false, now)) << "the last one";
  EXPECT_FALSE(kept.admit({who, ""}, true, false, now));
  ASSERT_TRUE(kept.hold({who, ""}, 1, 2, now));
  EXPECT_FALSE(kept.hold({who, ""}, 0, 1, now));
  now += 200ms;
  EXPECT_EQ(how_often([&] { return issue("a", 1); }), 1) << "two are made up for, of which one was a debt";
}

TEST_F(issue_quota, takes_what_was_issued_without_being_held) {
  kept.settle({named("a"), ""}, 1, 601, now);
  EXPECT_FALSE(issue("a", 1));
}

TEST_F(miss_quota, stops_guessing_but_nothing_else) {
  EXPECT_EQ(how_often([&] { return miss("a"); }), 60);
  EXPECT_FALSE(hit("a")) << "who guesses does not learn of hits, either";
  EXPECT_TRUE(request("a"));
  EXPECT_TRUE(issue("a", 1));
  EXPECT_TRUE(hit("b"));
  now += 1s;
  EXPECT_EQ(how_often([&] { return miss("a"); }), 1);
}

TEST_F(miss_quota, does_not_count_or_remember_those_who_find) {
  EXPECT_EQ(how_often([&] { return hit("a"); }, 10'000), 10'000);
  EXPECT_EQ(kept.remembered(), 0U);
}

TEST_F(miss_quota, goes_by_address_where_nobody_is_asked_for_credentials) {
  EXPECT_EQ(how_often([&] { return miss("anonymous", "192.0.2.1"); }), 60);
  EXPECT_FALSE(miss("anonymous", "192.0.2.1"));
  EXPECT_TRUE(miss("anonymous", "192.0.2.2"));
  EXPECT_TRUE(miss("anonymous"));
}

TEST_F(miss_quota, of_its_own_goes_before_everybodys) {
  auto who = named("auditor");
  who.quota = own_quota{.misses_per_min = 0};
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(kept.admit({who, ""}, false, true, now));
    kept.charge_miss({who, ""}, now);
  }
  who = named("suspect");
  who.quota = own_quota{.misses_per_min = 1};
  EXPECT_TRUE(kept.admit({who, ""}, false, true, now));
  kept.charge_miss({who, ""}, now);
  EXPECT_FALSE(kept.admit({who, ""}, false, true, now));
}

TEST_F(miss_quota, can_be_changed_at_any_time) {
  EXPECT_EQ(how_often([&] { return miss("a"); }), 60);
  kept.set_limits({.misses_per_min = 100});
  EXPECT_EQ(how_often([&] { return miss("a"); }), 40);
  kept.set_limits({});
  EXPECT_TRUE(miss("a"));
}

TEST_F(few_callers, are_remembered_in_bounded_memory_and_nobody_gets_a_reset) {
  EXPECT_EQ(how_often([&] { return miss("attacker"); }), 60);
  // A thousand other names come by, to push the attacker out.
  for (int i = 0; i < 1'000; ++i) (void)miss("other" + std::to_string(i));
  EXPECT_LE(kept.remembered(), 64U);
  EXPECT_FALSE(miss("attacker"));
  // And with ever new names it gets no more than the shared quotas of newcomers, one for each of 16 parts.
  int more = 0;
  for (int i = 0; i < 100'000; ++i) more += miss("fresh" + std::to_string(i)) ? 1 : 0;
  EXPECT_LE(more, 16 * 60);
  // Once they have recovered, they are forgotten for others.
  now += 1min;
  EXPECT_TRUE(miss("latecomer"));
  EXPECT_EQ(how_often([&] { return miss("latecomer"); }), 59);
  EXPECT_LE(kept.remembered(), 64U);
}

TEST(own_quotas, are_written_as_they_are_read) {
  const auto all = parse_own_quota("requests_per_s=1,requests_burst=2,issued_per_min=0,misses_per_min=1000000000");
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, (own_quota{1, 2, 0, 1'000'000'000}));
  EXPECT_EQ(parse_own_quota(to_string(*all)).value(), *all);
  EXPECT_EQ(limits_for({.issued_per_min = 0}, {1, 2, 3, 4}), (quota_limits{1, 2, 0, 4}));
  EXPECT_EQ(to_string(own_quota{}), "");
  for (const auto* bad :
       {"", ",", "x=1", "issued_per_min", "issued_per_min=", "issued_per_min=-1", "issued_per_min=1x",
        "issued_per_min=1000000001", "issued_per_min=1,issued_per_min=1", "issued_per_min=1,", "issued_per_min = 1"})
    EXPECT_FALSE(parse_own_quota(bad)) << bad;
}

TEST(own_quotas, stand_in_the_tokens_file) {
  const test::scratch_directory folder;
  const auto file = folder / "tokens";
  const auto at = timestamp{milliseconds{1'800'000'000'000}};
  const auto plain = create_token(file, {.name = "plain", .scopes = {"ids:read"}}, at);
  const auto own =
      create_token(file, {.name = "own", .scopes = {"ids:read"}, .quota = own_quota{.misses_per_min = 5}}, at);
  ASSERT_TRUE(plain && own);
  token_store store(file);
  ASSERT_EQ(store.reload().value(), 2U);
  EXPECT_FALSE(store.check(*plain, at).value()->quota);
  EXPECT_EQ(store.check(*own, at).value()->quota, (own_quota{.misses_per_min = 5}));
}

sockaddr_storage address(const char* text) {
  sockaddr_storage out{};
  sockaddr_in v4{.sin_family = AF_INET};
  sockaddr_in6 v6{.sin6_family = AF_INET6};
  if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1)
    std::memcpy(&out, &v4, sizeof v4);
  else if (::inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
    std::memcpy(&out, &v6, sizeof v6);
  return out;
}

TEST(peer_addresses, are_one_for_all_that_one_host_can_have) {
  EXPECT_EQ(peer_text(address("192.0.2.7")), "192.0.2.7");
  EXPECT_EQ(peer_text(address("::ffff:192.0.2.7")), "192.0.2.7");
  EXPECT_EQ(peer_text(address("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::/64");
  EXPECT_EQ(peer_text(address("2001:db8:1:2::9")), "2001:db8:1:2::/64");
  EXPECT_EQ(peer_text(sockaddr_storage{.ss_family = AF_UNIX}), "local");
}

/// An application with one route of each kind.
class quota_chain : public testing::Test {
protected:
  class still_clock final : public clock {
  public:
    [[nodiscard]] timestamp wall() const override { return timestamp(milliseconds(1'800'000'000'000)); }
    [[nodiscard]] nanoseconds monotonic() const override { return now; }
    nanoseconds now{1h};
  };
  class everybody final : public authenticator {
  public:
    [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp) const override {
      const auto name = std::string(from.header("Authorization"));
      return std::make_shared<const principal>(principal{name, "default", {name == "reader" ? "ids:read" : "ids:*"}});
    }
  };

  quota_chain() {
    route find{"GET", "/things/{id}", "ids:read", [](const request& r) -> outcome<response> {
                 if (r.param("id") == "none") return fail(errc::not_found, "No such thing.");
                 response out;
                 out.missed = r.param("id") == "odd";
                 return out;
               }};
    find.guessable = true;
    route worded = find;
    worded.path = "/worded/{id}";
    worded.refusal_body = [](const refusal& why, response& answer) {
      if (answer.status == 404) answer.status = 200;
      answer.body = to_string(why.cause.code);
    };
    route unguessable{"GET", "/others/{id}", "ids:read",
                      [](const request&) -> outcome<response> { return fail(errc::not_found, "No."); }};
    route issue{"POST", "/things", "ids:issue", [](const request&) -> outcome<response> {
                  response out{.status = 201};
                  out.issued = 5;
                  return out;
                }};
    issue.issues = true;
    route batch{"POST", "/batches", "ids:issue", {}};
    batch.begin = [this](const request& r, const runtime::reply_notice& told) -> outcome<begun> {
      if (auto held = r.will_issue(5); !held) return std::unexpected(std::move(held.error()));
      if (throws) throw std::runtime_error("a broken promise");
      if (told.to) told.tell();
      return answer_later([this]() -> outcome<response> {
        if (fails_with) return fail(*fails_with, "Why.");
        response out{.status = 201};
        out.issued = replayed ? 0 : 5;
        return out;
      });
    };
    batch.issues = true;
    route health{"GET", "/health", "", [](const request&) -> outcome<response> { return response{}; }};
    health.under_load = true;
    for (auto* one : {&find, &worded, &unguessable, &issue, &batch, &health}) EXPECT_TRUE(app.add(std::move(*one)));
  }
  response ask(std::string method, std::string target, std::string name = "a") {
    request_from_text what(std::move(method), std::move(target), {{"Authorization", std::move(name)}});
    return app.answer(what);
  }

  int batches_let_in(int tries = 20) {
    int n = 0;
    for (int i = 0; i < tries; ++i) n += ask("POST", "/batches").status == 201 ? 1 : 0;
    return n;
  }

  std::optional<errc> fails_with; ///< of batches
  bool replayed = false;
  bool throws = false;
  metrics numbers;
  still_clock time;
  everybody who;
  quotas kept{{.issued_per_min = 10, .misses_per_min = 3}, 100, numbers};
  application app{{.limits_of_callers = &kept}, who, numbers, time};
};

TEST_F(quota_chain, counts_what_is_not_found_however_it_is_worded) {
  EXPECT_EQ(ask("GET", "/things/none").status, 404);
  EXPECT_EQ(ask("GET", "/things/odd").status, 200);
  EXPECT_EQ(ask("GET", "/things/fine").status, 200);
  EXPECT_EQ(ask("GET", "/worded/none").status, 200);
  const auto refused = ask("GET", "/things/fine");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header_of(refused, "Retry-After"), "20");
  EXPECT_THAT(refused.body, testing::HasSubstr(R"("code":"quota_exceeded")"));
  const auto worded = ask("GET", "/worded/fine");
  EXPECT_EQ(worded.status, 429);
  EXPECT_EQ(worded.body, "quota_exceeded");
  EXPECT_EQ(ask("GET", "/things/fine", "b").status, 200);
  EXPECT_EQ(ask("GET", "/others/1").status, 404) << "only what can be guessed";
  EXPECT_EQ(ask("POST", "/things").status, 201);
  time.now += 20s;
  EXPECT_EQ(ask("GET", "/things/fine").status, 200);
}

TEST_F(quota_chain, counts_what_is_issued) {
  EXPECT_EQ(ask("POST", "/things").status, 201);
  EXPECT_EQ(ask("POST", "/things").status, 201);
  EXPECT_EQ(ask("POST", "/things").status, 429);
  EXPECT_EQ(ask("GET", "/things/fine").status, 200);
}

TEST_F(quota_chain, does_not_get_back_what_may_have_been_issued) {
  // The answer is missed by a short deadline; the repetition that gives it once more costs nothing.
  int learnt = 0;
  for (int i = 0; i < 10; ++i) {
    fails_with = errc::outcome_unknown;
    if (ask("POST", "/batches").status == 429) break;
    fails_with.reset();
    replayed = true;
    (void)ask("POST", "/batches");
    replayed = false;
    learnt += 5;
  }
  EXPECT_EQ(learnt, 10);
  EXPECT_EQ(batches_let_in(), 0);
}

TEST_F(quota_chain, does_not_get_back_what_a_fault_of_ours_or_a_client_that_left_may_have_issued) {
  throws = true;
  EXPECT_EQ(ask("POST", "/batches").status, 500);
  throws = false;
  {
    request_from_text what("POST", "/batches", {{"Authorization", "a"}});
    application::exchange left(app, what);
    left.admit();
    left.begin({});
  }
  EXPECT_EQ(batches_let_in(), 0);
}

TEST_F(quota_chain, gets_back_what_was_not_issued) {
  replayed = true;
  EXPECT_EQ(batches_let_in(), 20);
  for (const auto why : {errc::refilling, errc::exhausted, errc::deadline_exceeded, errc::idempotency_mismatch}) {
    fails_with = why;
    EXPECT_EQ(batches_let_in(), 0);
  }
  EXPECT_EQ(ask("POST", "/batches?x=1").status, 400);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask("POST", "/batches", "reader").status, 403);
  {
    request_from_text what("POST", "/batches", {{"Authorization", "a"}});
    application::exchange left(app, what);
    left.admit();
    left.refuse_for_load("Too many.");
  }
  fails_with.reset();
  replayed = false;
  EXPECT_EQ(batches_let_in(), 2);
}

TEST_F(quota_chain, bounds_batches_that_run_at_the_same_moment) {
  std::deque<request_from_text> asked;
  std::deque<application::exchange> running;
  int let_in = 0;
  for (int i = 0; i < 10; ++i) { // all heads before the first body
    auto& what = asked.emplace_back("POST", "/batches", std::map<std::string, std::string>{{"Authorization", "a"}});
    running.emplace_back(app, what).admit();
    EXPECT_FALSE(running.back().answered());
  }
  for (auto& x : running) {
    x.begin({});
    let_in += x.answered() ? 0 : 1;
  }
  for (auto& x : running)
    if (!x.answered()) x.complete();
  EXPECT_EQ(let_in, 2) << "ten identifiers";
  running.clear();
  EXPECT_EQ(batches_let_in(), 0);
}

TEST_F(quota_chain, counts_requests_that_the_scope_does_not_cover) {
  kept.set_limits({.requests_per_s = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask("POST", "/things", "reader").status, 403);
  EXPECT_EQ(ask("POST", "/things", "reader").status, 429);
  EXPECT_EQ(ask("GET", "/others/1", "reader").status, 429);
  EXPECT_EQ(ask("GET", "/others/1").status, 404);
}

TEST_F(quota_chain, leaves_out_what_tells_how_the_node_is) {
  kept.set_limits({.requests_per_s = 1});
  EXPECT_EQ(ask("GET", "/things/fine").status, 200);
  EXPECT_EQ(ask("GET", "/things/fine").status, 429);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask("GET", "/health").status, 200);
}

} // namespace
} // namespace matricula::api
