// VIDs by policy over HTTP: what each policy gives, and that no number of clients at once gets more.
#include "foundation/clock.hpp"
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

namespace matricula::test {

using nlohmann::json;
using ::testing::HasSubstr;

namespace {

constexpr int clients = 10;
constexpr int requests_each = 10;

class holders : public node_test {
protected:
  /// A holder of this test alone.
  static std::string someone() {
    static int number = 0;
    return "holder-" + std::to_string(++number);
  }
  static std::string vids_of(const std::string& holder) { return "/v1/holders/" + holder + "/vids"; }
  api_answer create(const std::string& holder, const std::string& policy, const http_headers& headers = {}) {
    return client_.post(vids_of(holder), {{"policy", policy}}, headers);
  }
  std::string vid_of(const std::string& holder, const std::string& policy) {
    const auto made = create(holder, policy);
    EXPECT_EQ(made.status, 201) << made.shown();
    return made.status == 201 ? made().at("vid").get<std::string>() : "";
  }
  api_answer act(const std::string& vid, const std::string& what, const http_headers& headers = {}) {
    return client_.post("/v1/vids/" + vid + "/" + what, nullptr, headers);
  }
  std::vector<std::string> states(const std::string& holder) {
    std::vector<std::string> out;
    const auto list = client_.get(vids_of(holder));
    for (const auto& v : list().at("items")) out.push_back(v.at("state"));
    return out;
  }
  std::ptrdiff_t active(const std::string& holder) { return std::ranges::count(states(holder), "ACTIVE"); }

  /// `ask(client)` a hundred times, by ten clients at once: the answers' statuses.
  template <class Ask>
  static std::multiset<int> a_hundred_times(Ask ask) {
    std::vector<std::multiset<int>> statuses(clients);
    {
      std::vector<std::jthread> threads;
      for (auto& mine : statuses)
        threads.emplace_back([&mine, &ask] {
          api_client client(node());
          for (int i = 0; i < requests_each; ++i) mine.insert(ask(client).status);
        });
    }
    std::multiset<int> all;
    for (const auto& mine : statuses) all.insert(mine.begin(), mine.end());
    return all;
  }
};

/// What a policy gives, as its settings say.
struct given {
  const char* policy;
  std::size_t instances;
  int transactions; ///< 0: unlimited
  bool expires;
  const char* makes_room_as; ///< empty: the limit is refused
};
void PrintTo(const given& g, std::ostream* out) { *out << g.policy; }
class shipped_policy : public holders, public ::testing::WithParamInterface<given> {};

} // namespace

TEST_P(shipped_policy, gives_its_instances_and_its_transactions) {
  const auto& [policy, instances, transactions, expires, makes_room_as] = GetParam();
  const auto holder = someone();
  const auto first = create(holder, policy);
  ASSERT_EQ(first.status, 201) << first.shown();
  EXPECT_EQ(first().at("policy"), policy);
  EXPECT_EQ(first().at("holder"), holder);
  EXPECT_EQ(first().at("state"), "ACTIVE");
  EXPECT_EQ(first().contains("expires_at"), expires);
  EXPECT_EQ(first().value("transactions_left", 0), transactions);
  for (std::size_t i = 1; i < instances; ++i) EXPECT_EQ(create(holder, policy).status, 201);
  const auto more = create(holder, policy);
  if (*makes_room_as != '\0') {
    ASSERT_EQ(more.status, 201) << more.shown();
    ASSERT_EQ(more().at("retired").size(), 1U);
    EXPECT_EQ(more().at("retired").at(0).at("vid"), first().at("vid"));
    EXPECT_EQ(more().at("retired").at(0).at("state"), makes_room_as);
  } else {
    EXPECT_EQ(more.status, 409) << more.shown();
    EXPECT_EQ(more.code(), "conflict");
  }
  EXPECT_EQ(active(holder), static_cast<std::ptrdiff_t>(instances));
}

INSTANTIATE_TEST_SUITE_P(is, shipped_policy,
                         ::testing::Values(given{"perpetual", 1, 0, false, "REVOKED"},
                                           given{"temporary", 5, 2, true, ""}, given{"one_time_use", 5, 1, false, ""},
                                           given{"transactional", 1, 1, true, "USED"},
                                           given{"long_term", 1, 0, true, "REVOKED"},
                                           given{"short_term", 5, 0, true, ""}),
                         [](const auto& one) { return one.param.policy; });

TEST_F(holders, resolve_a_vid_and_find_it_among_the_identifiers_too) {
  const auto holder = someone();
  const auto vid = vid_of(holder, "temporary");
  const auto found = client_.get("/v1/vids/" + vid);
  ASSERT_EQ(found.status, 200) << found.shown();
  EXPECT_EQ(found().at("holder"), holder);
  EXPECT_EQ(found(), client_.get(vids_of(holder))().at("items").at(0));
  const auto identifier = client_.get("/v1/ids/vid/" + vid);
  EXPECT_EQ(identifier().at("state"), "ASSIGNED");
  EXPECT_EQ(identifier().at("holder"), holder);
}

TEST_F(holders, spend_transactions_until_the_vid_is_used) {
  const auto vid = vid_of(someone(), "temporary");
  const auto first = act(vid, "use");
  EXPECT_EQ(first.status, 200) << first.shown();
  EXPECT_EQ(first().at("transactions_left"), 1);
  const auto last = act(vid, "use");
  EXPECT_EQ(last().at("transactions_left"), 0);
  EXPECT_EQ(last().at("state"), "USED");
  const auto over = act(vid, "use");
  EXPECT_EQ(over.status, 410) << over.shown();
  EXPECT_EQ(over.code(), "assignment_ended");
  EXPECT_EQ(client_.get("/v1/ids/vid/" + vid)().at("state"), "EXPIRED");
}

TEST_F(holders, get_a_fresh_vid_with_the_last_transaction_of_a_transactional_one) {
  const auto holder = someone();
  const auto used = act(vid_of(holder, "transactional"), "use");
  ASSERT_EQ(used.status, 200) << used.shown();
  EXPECT_EQ(used().at("state"), "USED");
  EXPECT_EQ(used().at("restored").at("state"), "ACTIVE");
  EXPECT_EQ(states(holder), (std::vector<std::string>{"USED", "ACTIVE"}));
}

TEST_F(holders, get_a_fresh_perpetual_vid_however_the_old_one_was_revoked) {
  const auto holder = someone();
  const auto first = vid_of(holder, "perpetual");
  const auto revoked = act(first, "revoke");
  ASSERT_EQ(revoked.status, 200) << revoked.shown();
  EXPECT_EQ(revoked().at("state"), "REVOKED");
  const auto second = revoked().at("restored").at("vid").get<std::string>();
  EXPECT_EQ(client_.post("/v1/ids/vid/" + second + "/revoke").status, 200);
  EXPECT_EQ(states(holder), (std::vector<std::string>{"REVOKED", "REVOKED", "ACTIVE"}));
  const auto third = client_.get(vids_of(holder))().at("items").at(2).at("vid").get<std::string>();
  const auto mosip = client_.send({.method = "PUT",
                                   .target = "/v1/idgenerator/vid",
                                   .body = json{{"request", {{"vid", third}, {"status", "REVOKED"}}}}.dump()});
  EXPECT_EQ(mosip.status, 200) << mosip.shown();
  EXPECT_EQ(active(holder), 1);
  EXPECT_EQ(client_.get("/v1/vids/" + third)().at("state"), "REVOKED");
}

TEST_F(holders, have_a_vid_regenerated_unless_it_is_replaced_by_itself) {
  const auto holder = someone();
  const auto vid = vid_of(holder, "temporary");
  const auto renewed = act(vid, "regenerate");
  ASSERT_EQ(renewed.status, 201) << renewed.shown();
  EXPECT_EQ(renewed().at("replaced").at("vid"), vid);
  EXPECT_EQ(renewed().at("replaced").at("state"), "INVALIDATED");
  EXPECT_NE(renewed().at("vid"), vid);
  EXPECT_EQ(act(vid, "use").status, 410);
  EXPECT_EQ(act(vid_of(holder, "perpetual"), "regenerate").status, 409);
}

TEST_F(holders, have_their_vids_deactivated_and_reactivated) {
  const auto holder = someone();
  const auto vid = vid_of(holder, "temporary");
  const auto off = client_.post(vids_of(holder) + "/deactivate");
  ASSERT_EQ(off.status, 200) << off.shown();
  EXPECT_EQ(off().at("items").at(0).at("state"), "DEACTIVATED");
  EXPECT_EQ(act(vid, "use").status, 409);
  EXPECT_EQ(client_.post(vids_of(holder) + "/reactivate").status, 200);
  EXPECT_EQ(act(vid, "use").status, 200);
  EXPECT_EQ(client_.post(vids_of(someone()) + "/deactivate").status, 404);
}

// -- at once ----------------------------------------------------------------------------------------------------------

TEST_F(holders, get_no_more_instances_from_a_hundred_requests_at_once) {
  const auto holder = someone();
  const auto statuses =
      a_hundred_times([&](api_client& c) { return c.post(vids_of(holder), {{"policy", "temporary"}}); });
  EXPECT_EQ(statuses.count(201), 5U);
  EXPECT_EQ(statuses.count(409), 95U);
  EXPECT_EQ(active(holder), 5);
}

TEST_F(holders, spend_no_more_transactions_by_a_hundred_requests_at_once) {
  const auto vid = vid_of(someone(), "temporary");
  const auto statuses = a_hundred_times([&](api_client& c) { return c.post("/v1/vids/" + vid + "/use"); });
  EXPECT_EQ(statuses.count(200), 2U);
  EXPECT_EQ(statuses.count(410), 98U);
}

TEST_F(holders, keep_exactly_one_perpetual_vid_active_whoever_creates_one_at_once) {
  const auto holder = someone();
  const auto statuses =
      a_hundred_times([&](api_client& c) { return c.post(vids_of(holder), {{"policy", "perpetual"}}); });
  EXPECT_EQ(statuses.count(201), 100U);
  EXPECT_EQ(active(holder), 1);
}

// -- keys and refusals ------------------------------------------------------------------------------------------------

TEST_F(holders, are_answered_the_same_under_the_same_key) {
  const auto holder = someone();
  const http_headers key = {{"Idempotency-Key", holder}};
  const auto made = create(holder, "temporary", key);
  ASSERT_EQ(made.status, 201) << made.shown();
  const auto again = create(holder, "temporary", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again(), made());
  EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
  EXPECT_EQ(create(holder, "perpetual", key).code(), "idempotency_mismatch");

  const auto vid = made().at("vid").get<std::string>();
  const auto used = act(vid, "use", key);
  const auto used_again = act(vid, "use", key);
  EXPECT_EQ(used_again(), used());
  EXPECT_EQ(client_.get("/v1/vids/" + vid)().at("transactions_left"), 1) << "spent once";

  const auto renewed = act(vid, "regenerate", key);
  ASSERT_EQ(renewed.status, 201) << renewed.shown();
  EXPECT_EQ(act(vid, "regenerate", key)(), renewed());
  EXPECT_EQ(create(holder, "temporary", key).code(), "assignment_ended") << "it was replaced since";
  EXPECT_EQ(active(holder), 1);
}

TEST_F(holders, are_refused_what_does_not_make_sense) {
  const auto holder = someone();
  const auto vid = vid_of(holder, "temporary");
  const auto unknown = create(holder, "eternal");
  EXPECT_EQ(unknown.status, 422) << unknown.shown();
  EXPECT_THAT(unknown().at("detail").get<std::string>(), HasSubstr("temporary"));
  for (const auto& body : {json(nullptr), json::object(), json{{"policy", 1}}, json{{"policy", ""}},
                           json{{"policy", "temporary"}, {"count", 2}}, json{{"policy", std::string(33, 'a')}}})
    EXPECT_THAT(client_.post(vids_of(holder), body).status, ::testing::AnyOf(400, 422)) << body;
  EXPECT_EQ(create(std::string(65, 'h'), "temporary").status, 422);
  EXPECT_EQ(create(std::string(64, 'h'), "temporary").status, 201);
  for (const auto* what : {"use", "revoke", "regenerate"}) {
    EXPECT_EQ(act("123", what).status, 404) << what;
    EXPECT_EQ(act(client_.issue("vid").front(), what).status, 404) << what << " of a VID without policy";
    EXPECT_EQ(client_.post("/v1/vids/" + vid + "/" + what, {{"assignment", 2}}).code(), "stale_assignment") << what;
  }
  EXPECT_EQ(client_.get("/v1/vids/" + client_.issue("vid").front()).status, 404);
  EXPECT_EQ(client_.get(vids_of(someone()))().at("items").size(), 0U);
}

// -- a node of its own ------------------------------------------------------------------------------------------------

namespace {
struct bad_policies {
  const char* what;
  const char* config;
  const char* file; ///< MOSIP's; null: none
  const char* says;
};
void PrintTo(const bad_policies& bad, std::ostream* out) { *out << bad.what; }
class policies_with : public ::testing::TestWithParam<bad_policies> {};
} // namespace

TEST_P(policies_with, a_fault_refuse_to_start_and_name_its_place) {
  node_process node(small_world());
  auto config = *small_world().config + GetParam().config;
  if (GetParam().file != nullptr) {
    const auto path = node.scratch() / "mosip-vid-policy.json";
    std::ofstream(path) << GetParam().file;
    config += "[vid_policies]\nfile = \"" + path.string() + "\"\n";
  }
  node.options().config = config;
  node.write_config(config);
  EXPECT_FALSE(node.launch());
  EXPECT_THAT(node.log(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    named, policies_with,
    ::testing::Values(
        bad_policies{"a_contradiction", "[vid_policies.temporary]\nauto_restore_allowed = true\n", nullptr,
                     "vid_policies.temporary.restore_on_action: found \"REGENERATE\""},
        bad_policies{"no_number_of_transactions", "[vid_policies.transactional]\ntransactions_allowed = 0\n", nullptr,
                     "vid_policies.transactional.restore_on_action: found \"USED\" without"},
        bad_policies{"too_many_transactions", "[vid_policies.temporary]\ntransactions_allowed = 1000001\n", nullptr,
                     "vid_policies.temporary.transactions_allowed: found the integer 1000001"},
        bad_policies{"a_type_of_another_lifecycle", "[vid_policies]\ntype = \"uin\"\n", nullptr,
                     "vid_policies.type: found \"uin\""},
        bad_policies{"a_fault_in_mosips_file", "",
                     R"({"vidPolicies":[{"vidType":"Perpetual","policy":{"validForInMinutes":null,
                         "transactionsAllowed":null,"instancesAllowed":0,"autoRestoreAllowed":true,
                         "restoreOnAction":"REVOKED"}}]})",
                     "vidPolicies[0].policy.instancesAllowed: found the integer 0"},
        bad_policies{"no_file", "[vid_policies]\nfile = \"/nowhere.json\"\n", nullptr, "vid_policies.file: /nowhere"}),
    [](const auto& one) { return one.param.what; });

TEST_F(holders, have_a_key_of_their_own_each) {
  const auto one = someone(), other = someone();
  const http_headers key = {{"Idempotency-Key", "of both"}};
  const auto first = create(one, "temporary", key);
  const auto second = create(other, "temporary", key);
  ASSERT_EQ(first.status, 201) << first.shown();
  ASSERT_EQ(second.status, 201) << "wherever the rows of the two are: " << second.shown();
  EXPECT_NE(second().at("vid"), first().at("vid"));
  EXPECT_EQ(create(other, "temporary", key)().at("vid"), second().at("vid"));
  EXPECT_EQ(active(other), 1);
  const auto a = first().at("vid").get<std::string>(), b = second().at("vid").get<std::string>();
  EXPECT_EQ(act(a, "use", key)().at("transactions_left"), 1);
  EXPECT_EQ(act(b, "use", key)().at("transactions_left"), 1);
  EXPECT_EQ(act(b, "use", key)().at("transactions_left"), 1) << "the same use";
}

TEST(vids_of_imported_numbers, are_resolved_used_replaced_and_ended_like_any_other) {
  auto options = small_world();
  *options.config += R"(
[identifiers.types.short_vid]
length = 4
profile = "openg2p"
lifecycle = "vid"
cool_off_seconds = 0
[vid_policies]
type = "short_vid"
)";
  node_process node(options);
  node.start();
  api_client client(node);
  // Every number of the type was somebody's elsewhere and is free again here.
  std::string body = "id,state,expires_at\n";
  std::size_t count = 0;
  for (int n = 1'000; n < 10'000; ++n) {
    const auto id = std::to_string(n);
    if (client.get("/v1/ids/short_vid/" + id + "/validate")().at("valid") != true) continue;
    body += id + ",EXPIRED,2020-01-01T00:00:00Z\n";
    ++count;
  }
  const auto loaded =
      client.send({.method = "POST", .target = "/v1/ids/short_vid/import", .body = body, .content_type = "text/csv"});
  ASSERT_EQ(loaded().at("accepted"), count) << loaded.shown();
  ASSERT_EQ(client.post("/v1/ids/short_vid/expire-due")().at("released"), count);

  const auto made = client.post("/v1/holders/h/vids", {{"policy", "temporary"}});
  ASSERT_EQ(made.status, 201) << made.shown();
  const auto vid = "/v1/vids/" + made().at("vid").get<std::string>();
  ASSERT_EQ(client.get("/v1/ids/short_vid/" + made().at("vid").get<std::string>())().at("imported"), true);
  const auto found = client.get(vid);
  ASSERT_EQ(found.status, 200) << found.shown();
  EXPECT_EQ(found().at("holder"), "h");
  EXPECT_EQ(client.post(vid + "/use").status, 200);
  const auto renewed = client.post(vid + "/regenerate");
  ASSERT_EQ(renewed.status, 201) << renewed.shown();
  EXPECT_EQ(renewed().at("replaced").at("vid"), made().at("vid"));
  const auto revoked = client.post("/v1/vids/" + renewed().at("vid").get<std::string>() + "/revoke");
  ASSERT_EQ(revoked.status, 200) << revoked.shown();
  EXPECT_EQ(revoked().at("state"), "REVOKED");
}

TEST(policies_of_mosips_file, are_the_ones_that_hold_and_survive_a_restart_and_verify) {
  auto options = small_world();
  node_process node(options);
  const auto path = node.scratch() / "mosip-vid-policy.json";
  std::ofstream(path) << R"({"vidPolicies":[
    {"vidType":"Perpetual","policy":{"validForInMinutes":null,"transactionsAllowed":null,"instancesAllowed":1,
     "autoRestoreAllowed":true,"restoreOnAction":"REVOKED"}},
    {"vidType":"OneTimeUse","policy":{"validForInMinutes":null,"transactionsAllowed":2,"instancesAllowed":5,
     "autoRestoreAllowed":false,"restoreOnAction":"REVOKED"}}]})";
  node.options().sets.push_back("vid_policies.file=" + path.string());
  node.start();
  std::string vid;
  {
    api_client client(node);
    EXPECT_EQ(client.post("/v1/holders/h/vids", {{"policy", "temporary"}}).status, 422) << "only those of the file";
    const auto made = client.post("/v1/holders/h/vids", {{"policy", "one_time_use"}});
    ASSERT_EQ(made.status, 201) << made.shown();
    EXPECT_EQ(made().at("transactions_left"), 2);
    vid = made().at("vid").get<std::string>();
    EXPECT_EQ(client.post("/v1/vids/" + vid + "/use").status, 200);
    EXPECT_EQ(client.post("/v1/holders/h/vids", {{"policy", "perpetual"}}).status, 201);
  }
  node.kill();
  node.start();
  EXPECT_EQ(api_client(node).get("/v1/vids/" + vid)().at("transactions_left"), 1);
  EXPECT_EQ(node.stop(), 0);
  const auto verified =
      run_command({matricula_binary(), "verify", "--set", "storage.data_dir=" + node.data().string(), "--set",
                   "identifiers.key_file=" + node.key_file().string(), "--config", node.config_file().string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  EXPECT_THAT(verified.output, HasSubstr("1  holders"));
  const auto shown = run_command({matricula_binary(), "inspect-store", "holders", "--data", node.data().string()});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, HasSubstr("\"policy\":\"one_time_use\""));
}

TEST(policies_without_their_type, are_not_served) {
  auto options = small_world();
  options.config = "[identifiers.types.vid]\nenabled = false\n";
  node_process node(options);
  node.start();
  api_client client(node);
  EXPECT_EQ(client.post("/v1/holders/h/vids", {{"policy", "perpetual"}}).status, 404);
  EXPECT_EQ(client.get("/v1/vids/1234567890123456").status, 404);
}

} // namespace matricula::test
