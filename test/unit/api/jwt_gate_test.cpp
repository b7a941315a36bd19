// Keys, rules and memory together: who gets in while keys come and go.
#include "api/authenticator.hpp"
#include "api/jwt_gate.hpp"
#include "foundation/digest.hpp"
#include "test/support/jwt_signer.hpp"
#include "test/support/scratch_directory.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <thread>

namespace matricula::api {
namespace {

using namespace std::chrono_literals;
using test::jwks_of;
using test::jwt_signer;
using kind = jwt_signer::kind;

const timestamp now = parse_rfc3339("2026-05-01T00:00:00Z").value();

std::string claims(const std::string& sub, std::chrono::seconds valid_for = 300s, const std::string& roles = "ISSUER") {
  const auto until = (now + valid_for).time_since_epoch() / 1s;
  return R"({"iss":"https://issuer.example","aud":["matricula"],"sub":")" + sub + R"(","roles":[")" + roles +
         R"("],"exp":)" + std::to_string(until) + "}";
}

jwt_gate_rules rules() {
  jwt_gate_rules out;
  out.token = {"https://issuer.example", {"matricula"}, 0s};
  out.mapping.roles_claim = "roles";
  out.mapping.scopes_of_role = {{"ISSUER", {"ids:issue"}}, {"READER", {"ids:read"}}};
  return out;
}

class jwt_gate_test : public testing::Test {
protected:
  void publish(const std::vector<std::string>& keys) const {
    std::ofstream(folder_ / "new", std::ios::binary) << jwks_of(keys);
    std::filesystem::rename(folder_ / "new", folder_ / "keys.json");
  }
  jwks_source_options options() const {
    jwks_source_options out;
    out.from.file = folder_ / "keys.json";
    out.every = 24h;
    out.at_least_between = 0ms;
    out.wait_at_most = 20s;
    return out;
  }
  /// The name of whoever the token lets in, or why it does not.
  std::string ask(const jwt_gate& gate, const std::string& token, timestamp at = now) const {
    const auto who = gate.check(token, at);
    return who ? (*who)->name : who.error().message;
  }

  test::scratch_directory folder_;
  jwt_signer a_{kind::p256, "a"};
  jwt_signer b_{kind::p256, "b"};
};

TEST_F(jwt_gate_test, lets_the_bearer_of_a_good_token_in) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const auto who = gate.check(a_.token(claims("anna")), now);
  ASSERT_TRUE(who) << who.error().message;
  EXPECT_EQ((*who)->name, "jwt:anna");
  EXPECT_TRUE((*who)->may("ids:issue"));
  EXPECT_FALSE((*who)->may("ids:read"));
}

TEST_F(jwt_gate_test, remembers_a_good_token_until_it_ends_and_no_longer) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const auto token = a_.token(claims("anna", 300s));
  const auto first = gate.check(token, now);
  ASSERT_TRUE(first);
  const auto again = gate.check(token, now + 299s);
  ASSERT_TRUE(again);
  EXPECT_EQ(first->get(), again->get()) << "the same object: it was not read again";
  EXPECT_EQ(ask(gate, token, now + 300s), "The token has expired.");
  EXPECT_TRUE(gate.check(token, now)) << "the clock went back";
}

TEST_F(jwt_gate_test, forgets_every_token_when_the_keys_change) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const auto token = a_.token(claims("anna"));
  ASSERT_EQ(ask(gate, token), "jwt:anna");
  publish({b_.jwk()});
  ASSERT_TRUE(keys.read_now());
  EXPECT_THAT(ask(gate, token), testing::HasSubstr("not in the issuer's key set"));
}

TEST_F(jwt_gate_test, keeps_nobody_waiting_for_a_key_that_is_withdrawn_between_two_looks) {
  publish({a_.jwk()});
  auto slow = options();
  slow.at_least_between = 24h; // whoever has the set read again waits until the test fails
  jwks_source keys(slow);
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const bearer_authenticator by(nullptr, &gate);
  const request_from_text asks("GET", "/", {{"Authorization", "Bearer " + a_.token(claims("anna"))}});
  EXPECT_FALSE(by.who_asks_at_once(asks, now)) << "it was never checked";
  ASSERT_TRUE(by.who_asks(asks, now));
  const auto known = by.who_asks_at_once(asks, now);
  ASSERT_TRUE(known && *known);
  EXPECT_EQ((**known)->name, "jwt:anna");
  publish({b_.jwk()});
  ASSERT_TRUE(keys.read_now());
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(by.who_asks_at_once(asks, now)) << "only a thread may wait for the keys";
  EXPECT_LT(std::chrono::steady_clock::now() - before, slow.wait_at_most);
}

TEST_F(jwt_gate_test, tells_at_once_what_is_no_jwt_or_no_credentials_at_all) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const token_store store(folder_ / "tokens");
  const bearer_authenticator both(&store, &gate), only_jwt(nullptr, &gate);
  for (const auto* credentials : {"", "Basic x", "Bearer ", "Bearer mtr_1"})
    for (const auto* by : {&both, &only_jwt}) {
      const auto told = by->who_asks_at_once(request_from_text("GET", "/", {{"Authorization", credentials}}), now);
      ASSERT_TRUE(told) << credentials;
      EXPECT_FALSE(*told) << credentials;
    }
}

TEST_F(jwt_gate_test, applies_new_rules_to_tokens_that_it_remembers) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  jwt_gate gate(keys, rules());
  const auto token = a_.token(claims("anna"));
  ASSERT_TRUE(gate.check(token, now).value()->may("ids:issue"));
  auto others = rules();
  others.mapping.scopes_of_role = {{"ISSUER", {"ids:read"}}};
  gate.set_rules(others);
  EXPECT_FALSE(gate.check(token, now).value()->may("ids:issue"));
  others.token.issuer = "https://other.example";
  gate.set_rules(others);
  EXPECT_THAT(ask(gate, token), testing::HasSubstr("issuer"));
}

TEST_F(jwt_gate_test, knows_a_new_key_with_the_first_token_that_names_it) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  EXPECT_THAT(ask(gate, b_.token(claims("berta"))), testing::HasSubstr("not in the issuer's key set"));
  publish({a_.jwk(), b_.jwk()});
  EXPECT_EQ(ask(gate, b_.token(claims("berta"))), "jwt:berta");
  EXPECT_EQ(ask(gate, a_.token(claims("anna"))), "jwt:anna") << "the old one goes on";
}

TEST_F(jwt_gate_test, knows_a_new_key_without_a_name_too) {
  const jwt_signer first(kind::p256, ""), second(kind::p256, "");
  publish({first.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  ASSERT_EQ(ask(gate, first.token(claims("anna"))), "jwt:anna");
  publish({second.jwk()});
  EXPECT_EQ(ask(gate, second.token(claims("berta"))), "jwt:berta");
  EXPECT_NE(ask(gate, first.token(claims("anna"))), "jwt:anna");
}

TEST_F(jwt_gate_test, asks_for_keys_only_for_tokens_that_a_key_could_make_good) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  std::filesystem::remove(folder_ / "keys.json");
  const auto foreign = R"({"iss":"https://other.example","aud":"matricula","sub":"x","exp":1777593600})";
  EXPECT_THAT(ask(gate, b_.token(claims("late", -1s))), testing::HasSubstr("expired"));
  EXPECT_THAT(ask(gate, b_.token(foreign)), testing::HasSubstr("issuer"));
  EXPECT_THAT(ask(gate, a_.token(claims("x")) + "AAAA"), testing::HasSubstr("signature"));
  EXPECT_EQ(keys.now().failures, 0U) << "nothing was read";
  const auto who = gate.check(b_.token(claims("berta")), now);
  ASSERT_FALSE(who);
  EXPECT_EQ(who.error().code, errc::unavailable) << "it may be good: that cannot be known at present";
  EXPECT_GE(keys.now().failures, 1U);
}

TEST_F(jwt_gate_test, refuses_everybody_politely_while_there_are_no_keys) {
  jwks_source keys(options());
  ASSERT_FALSE(keys.start());
  const jwt_gate gate(keys, rules());
  const auto who = gate.check(a_.token(claims("anna")), now);
  ASSERT_FALSE(who);
  EXPECT_EQ(who.error().code, errc::unavailable);
  publish({a_.jwk()});
  EXPECT_EQ(ask(gate, a_.token(claims("anna"))), "jwt:anna");
}

TEST_F(jwt_gate_test, says_nothing_of_a_token_in_its_refusals) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const std::string secret = "do-not-tell-9f3c";
  const auto header = R"({"alg":"ES256","kid":")" + secret + R"("})";
  for (const auto& token :
       {a_.token("ES256", header, claims(secret)), a_.token("ES256", R"({"alg":")" + secret + R"("})", "{}"),
        a_.token("ES256", R"({"alg":"ES256","typ":")" + secret + R"("})", "{}"),
        a_.token(R"({"iss":")" + secret + R"(","exp":9999999999})"), a_.token("{" + secret), secret,
        a_.token(claims(secret + " blank")),
        test::to_base64url("{\"" + secret + "\":1,\"" + secret + "\":2}") + ".e30.AA"}) {
    const auto who = gate.check(token, now);
    ASSERT_FALSE(who);
    EXPECT_THAT(who.error().message, testing::Not(testing::HasSubstr(secret)));
  }
}

TEST_F(jwt_gate_test, loses_no_good_token_while_keys_rotate_under_load) {
  constexpr int rotations = 30;
  publish({a_.jwk()});
  auto how = options();
  how.every = 2ms;
  jwks_source keys(how);
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());

  // The issuer publishes a key before it signs with it, and none is withdrawn while a token of it may be under way.
  std::mutex guard;
  std::shared_ptr<const jwt_signer> signer = std::make_shared<jwt_signer>(a_);
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> good{0}, bad{0};
  std::string first_refusal;
  std::vector<std::thread> clients;
  for (int i = 0; i < 6; ++i)
    clients.emplace_back([&, i] {
      for (int n = 0; !over; ++n) {
        const auto with = [&] {
          const std::scoped_lock hold(guard);
          return signer;
        }();
        const auto name = "c" + std::to_string(i) + "-" + std::to_string(n / 4); // four requests with a token
        const auto who = gate.check(with->token(claims(name)), now);
        if (who && (*who)->name == "jwt:" + name) {
          ++good;
          continue;
        }
        ++bad;
        const std::scoped_lock hold(guard);
        if (first_refusal.empty()) first_refusal = who ? "another name" : who.error().message;
      }
    });
  std::vector<std::string> published{a_.jwk()};
  for (int r = 0; r < rotations; ++r) {
    auto fresh = std::make_shared<jwt_signer>(kind::p256, "r" + std::to_string(r));
    published.push_back(fresh->jwk());
    publish(published);
    {
      const std::scoped_lock hold(guard);
      signer = fresh;
    }
    const auto target = good + bad + 50;
    while (good + bad < target) std::this_thread::yield();
  }
  over = true;
  for (auto& one : clients) one.join();
  EXPECT_EQ(bad, 0U) << first_refusal;
  EXPECT_GE(good, 50U * rotations);
}

TEST(verified_tokens, are_bounded_and_end_with_what_they_rest_on) {
  verified_tokens all(64);
  const auto who = std::make_shared<const principal>(principal{"a", "t", {}});
  const verified_tokens::basis by{1, 1};
  const auto digest = [](int i) { return sha256(std::to_string(i)); };
  for (int i = 0; i < 10'000; ++i) all.put(digest(i), {by, now, now + 10s, who}, now);
  EXPECT_LE(all.size(), 64U);
  EXPECT_GT(all.size(), 32U);
  all.put(digest(1), {by, now, now + 10s, who}, now);
  EXPECT_EQ(all.find(digest(1), by, now), who);
  EXPECT_EQ(all.find(digest(1), by, now + 10s - 1ms), who);
  EXPECT_EQ(all.find(digest(1), by, now + 10s), nullptr);
  for (const verified_tokens::basis other : {verified_tokens::basis{2, 1}, verified_tokens::basis{1, 2}}) {
    all.put(digest(2), {by, now, now + 10s, who}, now);
    EXPECT_EQ(all.find(digest(2), other, now), nullptr);
    EXPECT_EQ(all.find(digest(2), by, now), nullptr) << "it was dropped";
  }
  all.put(digest(3), {by, now, now + 10s, who}, now);
  EXPECT_EQ(all.find(digest(3), by, now - 1ms), nullptr) << "not valid yet";
}

TEST(verified_tokens, make_room_for_others_in_the_order_in_which_they_came) {
  constexpr std::size_t parts = 16, a_part = 4;
  verified_tokens all(parts * a_part);
  const auto who = std::make_shared<const principal>(principal{"a", "t", {}});
  const verified_tokens::basis by{1, 1};
  const auto digest = [](int i) { return std::string(1, '\0') + std::to_string(i); }; // all of one part
  const auto put = [&](int i) { all.put(digest(i), {by, now, now + 10s, who}, now); };
  const auto kept = [&] {
    std::string numbers;
    for (int i = 0; i < 10; ++i)
      if (all.find(digest(i), by, now)) numbers += std::to_string(i);
    return numbers;
  };
  for (int i = 0; i < 5; ++i) put(i);
  EXPECT_EQ(kept(), "1234");
  put(5);
  EXPECT_EQ(kept(), "2345");
  put(2); // checked once more, as after it ended
  put(6);
  EXPECT_EQ(kept(), "2456");
  EXPECT_EQ(all.find(digest(4), by, now + 10s), nullptr);
  put(7);
  put(8);
  EXPECT_EQ(kept(), "2678") << "what has ended leaves no trace in the order";
}

TEST_F(jwt_gate_test, stands_beside_the_tokens_file_and_the_shape_decides) {
  publish({a_.jwk()});
  jwks_source keys(options());
  ASSERT_TRUE(keys.start());
  const jwt_gate gate(keys, rules());
  const auto file = folder_ / "tokens";
  const auto ours = create_token(file, {.name = "till", .scopes = {"*"}, .expires = {}}, now);
  ASSERT_TRUE(ours);
  token_store store(file);
  ASSERT_TRUE(store.reload());
  const auto jwt = a_.token(claims("anna"));
  const auto ask_with = [](const bearer_authenticator& by, const std::string& token) -> std::string {
    const auto who = by.who_asks(request_from_text("GET", "/", {{"Authorization", "Bearer " + token}}), now);
    const auto elsewhere = by.who_has(token, now);
    EXPECT_EQ(who.has_value(), elsewhere.has_value()) << "wherever it was sent";
    EXPECT_TRUE(who || who.error().code == errc::unauthenticated);
    return who ? (*who)->name : "";
  };
  const bearer_authenticator both(&store, &gate), only_jwt(nullptr, &gate), only_ours(store);
  EXPECT_EQ(ask_with(both, jwt), "jwt:anna");
  EXPECT_EQ(ask_with(both, *ours), "till");
  EXPECT_EQ(ask_with(only_jwt, jwt), "jwt:anna");
  EXPECT_EQ(ask_with(only_jwt, *ours), "");
  EXPECT_EQ(ask_with(only_ours, jwt), "");
  EXPECT_EQ(ask_with(only_ours, *ours), "till");
  for (const std::string& odd : {std::string("x"), std::string("mtr_"), "mtr_" + jwt, jwt + "x", *ours + "..",
                                 std::string(".."), std::string("mtr_.."), std::string(9000, 'x')})
    for (const auto* by : {&both, &only_jwt, &only_ours}) EXPECT_EQ(ask_with(*by, odd), "") << odd.substr(0, 60);
  EXPECT_FALSE(both.who_has("", now));
}

} // namespace
} // namespace matricula::api
