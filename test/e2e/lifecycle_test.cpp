// What becomes of an identifier after it was issued: confirmed, returned, revoked, expired, used up.
#include "foundation/clock.hpp"
#include "test/e2e/node_fixture.hpp"

#include <chrono>
#include <set>

namespace matricula::test {

using nlohmann::json;

namespace {
std::string change(const std::string& type, const std::string& id, const char* what) {
  return "/v1/ids/" + type + "/" + id + "/" + what;
}

/// Issues until the type says that it is used up. Largest batches first, as a hasty client would.
std::set<std::string> drain(api_client& client, const std::string& type, std::size_t expected) {
  std::set<std::string> all;
  unsigned count = 1000;
  while (all.size() <= expected) {
    const auto answer = client.post("/v1/ids/" + type, {{"count", count}});
    if (answer.status == 201) {
      for (const auto& id : answer().at("ids")) EXPECT_TRUE(all.insert(id.get<std::string>()).second) << id << " twice";
    } else if (answer.status == 422 && count > 1) {
      count = count > 10 ? count / 3 : 1; // fewer are left
    } else if (answer.status != 503) {
      EXPECT_EQ(answer.status, 410) << answer.shown();
      EXPECT_EQ(answer.code(), "exhausted");
      break;
    }
  }
  return all;
}

using lifecycle = node_test;
} // namespace

TEST_F(lifecycle, of_a_uin_goes_from_issued_to_assigned) {
  const auto id = client_.issue("uin").front();
  for (int i = 0; i < 2; ++i) { // confirming again changes nothing
    const auto confirmed = client_.post(change("uin", id, "confirm"), {{"assignment", 1}});
    ASSERT_EQ(confirmed.status, 200) << confirmed.shown();
    EXPECT_EQ(confirmed().at("state"), "ASSIGNED");
    EXPECT_EQ(confirmed().at("history").size(), 2U);
  }
  const auto returned = client_.post(change("uin", id, "return"));
  EXPECT_EQ(returned.status, 409) << returned.shown();
  EXPECT_EQ(client_.get("/v1/ids/uin/" + id)().at("state"), "ASSIGNED");
}

TEST_F(lifecycle, of_a_uin_goes_back_when_it_is_returned) {
  const auto id = client_.issue("uin").front();
  const auto returned = client_.post(change("uin", id, "return"));
  ASSERT_EQ(returned.status, 200) << returned.shown();
  EXPECT_EQ(returned().at("state"), "AVAILABLE");
  EXPECT_FALSE(returned().contains("issued_at"));
  EXPECT_EQ(client_.post(change("uin", id, "confirm")).status, 409);
  // With the number of the assignment, doing it again is known to be the same return.
  EXPECT_EQ(client_.post(change("uin", id, "return"), {{"assignment", 1}}).status, 200);
}

TEST_F(lifecycle, refuses_an_assignment_that_is_not_the_present_one) {
  const auto id = client_.issue("uin").front();
  for (const auto* what : {"confirm", "return"}) {
    const auto answer = client_.post(change("uin", id, what), {{"assignment", 2}});
    EXPECT_EQ(answer.status, 409) << answer.shown();
    EXPECT_EQ(answer.code(), "stale_assignment");
  }
  for (const auto& wrong : {json(0), json(-1), json(4294967296), json("1"), json(1.5), json::array({1}), json(true)})
    EXPECT_EQ(client_.post(change("uin", id, "confirm"), {{"assignment", wrong}}).status, 422) << wrong;
}

TEST_F(lifecycle, refuses_steps_that_it_does_not_have) {
  const auto uin = client_.issue("uin").front();
  const auto vid = client_.issue("vid").front();
  const auto taken = client_.issue("farmer").front();
  for (const auto& route :
       {change("uin", uin, "revoke"), change("vid", vid, "confirm"), change("vid", vid, "return"),
        change("farmer", taken, "confirm"), change("farmer", taken, "return"), change("farmer", taken, "revoke")}) {
    const auto answer = client_.post(route);
    EXPECT_EQ(answer.status, 409) << route << answer.shown();
    EXPECT_EQ(answer.code(), "conflict");
  }
}

TEST_F(lifecycle, has_no_step_for_what_was_never_issued) {
  const auto made = run_command({matricula_binary(), "ids", "generate", "uin"});
  const auto id = made.output.substr(0, made.output.find('\n'));
  EXPECT_EQ(client_.post(change("uin", id, "confirm")).status, 404);
  EXPECT_EQ(client_.post(change("uin", "123", "confirm")).status, 404);
}

TEST_F(lifecycle, of_a_vid_ends_when_it_is_revoked) {
  const auto id = client_.issue("vid").front();
  for (int i = 0; i < 2; ++i) {
    const auto revoked = client_.post(change("vid", id, "revoke"), {{"assignment", 1}});
    ASSERT_EQ(revoked.status, 200) << revoked.shown();
    EXPECT_EQ(revoked().at("state"), "EXPIRED");
    EXPECT_EQ(revoked().at("history").size(), 2U);
  }
}

TEST_F(lifecycle, of_a_vid_ends_with_its_time_and_the_expirer_releases_it_after_the_cool_off) {
  const auto soon = system_clock{}.wall() + std::chrono::milliseconds(1200);
  const auto issued = client_.post("/v1/ids/vid", {{"expires_at", to_rfc3339(soon)}});
  ASSERT_EQ(issued.status, 201) << issued.shown();
  const auto id = issued().at("ids").at(0).get<std::string>();
  EXPECT_EQ(client_.get("/v1/ids/vid/" + id)().at("state"), "ASSIGNED");

  // It is EXPIRED for who asks from that moment on, whether or not the expirer has come round.
  ASSERT_TRUE(eventually([&] { return client_.get("/v1/ids/vid/" + id)().at("state") == "EXPIRED"; }));
  EXPECT_EQ(client_.get("/v1/ids/vid/" + id)().at("history").size(), 1U);
  const auto run = client_.post("/v1/ids/vid/expire-due");
  ASSERT_EQ(run.status, 200) << run.shown();
  EXPECT_GE(run().at("expired").get<int>(), 1);

  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(client_.post("/v1/ids/vid/expire-due").status, 200);
    return client_.get("/v1/ids/vid/" + id)().at("state") == "AVAILABLE";
  }));
  const auto after = client_.get("/v1/ids/vid/" + id);
  EXPECT_FALSE(after().contains("expires_at"));
  ASSERT_EQ(after().at("history").size(), 3U) << after.shown();
  EXPECT_EQ(after().at("history").at(1).at("to"), "EXPIRED");
  EXPECT_EQ(after().at("history").at(1).at("by"), "expirer");
  EXPECT_EQ(after().at("history").at(2).at("to"), "AVAILABLE");
  EXPECT_GE(client_.get("/v1/ids/vid")().at("released").get<int>(), 1);
}

TEST_F(lifecycle, of_a_vid_that_has_ended_is_no_longer_the_answer_to_its_key_and_no_other_one_is_issued) {
  const auto issues_before = client_.get("/v1/ids/vid")().at("issues_total").get<int>();
  const http_headers key = {{"Idempotency-Key", "asked again after the end"}};
  const auto soon = system_clock{}.wall() + std::chrono::milliseconds(800);
  const json body = {{"expires_at", to_rfc3339(soon)}};
  const auto first = client_.post("/v1/ids/vid", body, key);
  ASSERT_EQ(first.status, 201) << first.shown();
  ASSERT_TRUE(eventually([&] { return system_clock{}.wall() > soon; }));
  const auto again = client_.post("/v1/ids/vid", body, key);
  EXPECT_EQ(again.status, 410) << again.shown();
  EXPECT_EQ(again.code(), "assignment_ended") << "whoever asks again learns that it was issued, and is over";
  // Nothing is issued for a time that is over: neither without a key nor with one that is new.
  EXPECT_EQ(client_.post("/v1/ids/vid", body).status, 422);
  for (const auto& past : {body, json{{"expires_at", "1970-01-01T00:00:00Z"}}}) {
    const auto refused = client_.post("/v1/ids/vid", past, {{"Idempotency-Key", "too late"}});
    EXPECT_EQ(refused.status, 422) << refused.shown();
    EXPECT_EQ(refused.code(), "invalid_argument");
  }
  EXPECT_EQ(client_.get("/v1/ids/vid")().at("issues_total"), issues_before + 1);
}

TEST_F(lifecycle, of_a_returned_number_begins_anew_for_somebody_else) {
  const http_headers key = {{"Idempotency-Key", "first owner"}};
  const auto first = client_.post("/v1/ids/four_digit_uin", nullptr, key);
  ASSERT_EQ(first.status, 201) << first.shown();
  const auto id = first().at("ids").at(0).get<std::string>();
  EXPECT_EQ(drain(client_, "four_digit_uin", 465).size(), 464U);
  ASSERT_EQ(client_.post(change("four_digit_uin", id, "return"), {{"assignment", 1}}).status, 200);

  const auto ended = client_.post("/v1/ids/four_digit_uin", nullptr, key);
  EXPECT_EQ(ended.status, 410) << ended.shown();
  EXPECT_EQ(ended.code(), "assignment_ended");

  // Only this one is left, so the next issue gets it.
  const auto second = client_.post("/v1/ids/four_digit_uin");
  ASSERT_EQ(second.status, 201) << second.shown();
  EXPECT_EQ(second().at("ids").at(0), id);
  EXPECT_EQ(second().at("assignments"), json::array({2}));
  for (const auto* what : {"confirm", "return"}) {
    const auto stale = client_.post(change("four_digit_uin", id, what), {{"assignment", 1}});
    EXPECT_EQ(stale.status, 409) << stale.shown();
    EXPECT_EQ(stale.code(), "stale_assignment");
  }
  EXPECT_EQ(client_.post("/v1/ids/four_digit_uin", nullptr, key).code(), "assignment_ended");
  EXPECT_EQ(client_.post(change("four_digit_uin", id, "confirm"), {{"assignment", 2}}).status, 200);
  EXPECT_EQ(client_.post("/v1/ids/four_digit_uin").code(), "exhausted");
}

namespace {
struct small_space {
  const char* name;
  const char* config;
  std::size_t size;
};
void PrintTo(const small_space& space, std::ostream* out) { *out << space.name; }
class space_of : public ::testing::TestWithParam<small_space> {};
} // namespace

TEST_P(space_of, identifiers_is_drained_to_the_last_one_for_good) {
  const auto& [name, config, size] = GetParam();
  auto options = small_world();
  options.config = std::string("[identifiers.types.small]\n") + config;
  node_process node(options);
  node.start();
  {
    api_client client(node);
    EXPECT_EQ(client.get("/v1/ids/small")().at("capacity"), size);
    const auto all = drain(client, "small", size);
    EXPECT_EQ(all.size(), size);
    for (const auto& id : {*all.begin(), *all.rbegin()})
      EXPECT_EQ(client.get("/v1/ids/small/" + id + "/validate")().at("valid"), true);
    const auto type = client.get("/v1/ids/small");
    EXPECT_EQ(type().at("exhausted"), true) << type.shown();
    EXPECT_EQ(type().at("issued"), size);
    EXPECT_EQ(type().at("available"), 0);
  }
  node.kill();
  node.start();
  api_client client(node);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.post("/v1/ids/small").code(), "exhausted");
}

INSTANTIATE_TEST_SUITE_P(
    drained, space_of,
    ::testing::Values(small_space{"openg2p_4", "length = 4\nprofile = \"openg2p\"\nlifecycle = \"pool\"\n", 465},
                      small_space{"openg2p_5", "length = 5\nprofile = \"openg2p\"\nlifecycle = \"pool\"\n", 3'723},
                      small_space{"openg2p_6", "length = 6\nprofile = \"openg2p\"\nlifecycle = \"pool\"\n", 29'593},
                      small_space{"mosip_uin_6", "length = 6\nprofile = \"mosip-uin\"\nlifecycle = \"uin\"\n", 22'268}),
    [](const auto& one) { return one.param.name; });

namespace {
/// From the start of the process to its first "ready". Checked code is several times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::chrono::seconds ready_at_once{10};
#else
constexpr std::chrono::seconds ready_at_once{2};
#endif
} // namespace

TEST(nearly_drained_type, is_ready_at_once_after_a_restart) {
  auto options = small_world();
  options.config = "[identifiers.types.small]\nlength = 6\nprofile = \"mosip-uin\"\nlifecycle = \"uin\"\n";
  node_process node(options);
  node.start();
  {
    api_client client(node);
    for (std::size_t done = 0; done < 22'260;) {
      const auto count = std::min<std::size_t>(1000, 22'260 - done);
      const auto answer = client.post("/v1/ids/small", {{"count", count}});
      if (answer.status == 503) continue;
      ASSERT_EQ(answer.status, 201) << answer.shown();
      done += count;
    }
  }
  node.kill();
  const auto began = std::chrono::steady_clock::now();
  node.start();
  const auto taken = std::chrono::steady_clock::now() - began;
  EXPECT_LT(taken, ready_at_once) << std::chrono::duration<double>(taken).count() << " s";
  // "Ready" was said; no request may now be told that the pool is being refilled.
  api_client client(node);
  EXPECT_EQ(client.get("/v1/ids/small")().at("available"), 8);
  EXPECT_EQ(client.issue("small", 8).size(), 8U);
  EXPECT_EQ(client.post("/v1/ids/small").code(), "exhausted");
}

TEST(issued_identifiers, and_their_keys_are_the_same_after_a_restart) {
  node_process node(small_world());
  node.start();
  const http_headers key = {{"Idempotency-Key", "over a restart"}};
  const auto first = api_client(node).post("/v1/ids/vid", {{"count", 5}, {"holder", "h"}}, key);
  ASSERT_EQ(first.status, 201);
  EXPECT_EQ(node.stop(), 0) << node.log_tail();
  node.start();
  api_client client(node);
  const auto again = client.post("/v1/ids/vid", {{"count", 5}, {"holder", "h"}}, key);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
  for (const auto& id : first().at("ids"))
    EXPECT_EQ(client.get("/v1/ids/vid/" + id.get<std::string>())().at("state"), "ASSIGNED");
}

} // namespace matricula::test
