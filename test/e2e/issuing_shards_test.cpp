// A type with several issuing shards behaves like any other one.
#include "test/e2e/node_fixture.hpp"

#include <filesystem>
#include <set>

namespace matricula::test {

namespace {

constexpr unsigned shards = 4;

node_options sharded_world() {
  node_options options;
  options.config = R"(
[identifiers.types.wide]
length = 10
profile = "mosip-uin"
lifecycle = "uin"
issuing_shards = 4
pool_min = 400
pool_target = 800
[identifiers.types.wide_vid]
length = 16
profile = "mosip-vid"
lifecycle = "vid"
issuing_shards = 4
cool_off_seconds = 0
pool_min = 400
pool_target = 800
)";
  options.sets = small_pools();
  return options;
}

class issuing_shards : public testing::Test {
protected:
  void SetUp() override { node_.start(); }
  finished_command tool(std::vector<std::string> words, const std::string& data) const {
    words.insert(words.begin(), matricula_binary());
    words.insert(words.end(), {"--config", node_.config_file().string(), "--set",
                               "identifiers.key_file=" + node_.key_file().string(), "--data", data});
    return run_command(words);
  }
  node_process node_{sharded_world()};
  scratch_directory elsewhere_;
};

} // namespace

TEST_F(issuing_shards, issue_look_up_and_change_as_one_type) {
  api_client client(node_);
  std::set<std::string> held;
  for (int i = 0; i < 40; ++i) {
    const auto issued = client.post("/v1/ids/wide", nullptr);
    ASSERT_EQ(issued.status, 201) << issued.shown();
    const auto id = issued().at("ids").at(0).get<std::string>();
    EXPECT_TRUE(held.insert(id).second) << id;
    EXPECT_EQ(client.get("/v1/ids/wide/" + id)().at("state"), "ISSUED");
    const auto how = i % 2 == 0 ? "/confirm" : "/return";
    const auto changed = client.post("/v1/ids/wide/" + id + how, {{"assignment", 1}});
    ASSERT_EQ(changed.status, 200) << changed.shown();
    EXPECT_EQ(changed().at("state"), i % 2 == 0 ? "ASSIGNED" : "AVAILABLE");
  }
  EXPECT_EQ(client.issue("wide", 100).size(), 100U);
  const auto type = client.get("/v1/ids/wide");
  EXPECT_EQ(type().at("issued"), 120U) << type.shown();
  EXPECT_EQ(type().at("issues_total"), 140U) << type.shown();
  EXPECT_EQ(type().at("exhausted"), false);
  EXPECT_TRUE(eventually([&] { return client.get("/v1/ids/wide")().at("available").get<unsigned>() >= 400; }));
}

TEST_F(issuing_shards, answer_a_key_again_with_the_same_identifiers_even_after_a_restart) {
  std::vector<std::string> answers;
  const auto ask = [&](int n) {
    api_client client(node_);
    return client.post("/v1/ids/wide", {{"count", 3}}, {{"Idempotency-Key", "key " + std::to_string(n)}});
  };
  std::set<std::string> held;
  for (int n = 0; n < 20; ++n) {
    const auto first = ask(n);
    ASSERT_EQ(first.status, 201) << first.shown();
    for (const auto& id : first().at("ids")) EXPECT_TRUE(held.insert(id.get<std::string>()).second);
    EXPECT_EQ(ask(n).body, first.body);
    answers.push_back(first.body);
  }
  node_.kill();
  node_.start();
  for (int n = 0; n < 20; ++n) EXPECT_EQ(ask(n).body, answers[static_cast<std::size_t>(n)]);
}

TEST_F(issuing_shards, expire_what_is_due_in_all_of_them) {
  api_client client(node_);
  std::vector<std::string> ids;
  for (int n = 0; n < 12; ++n) {
    const auto issued = client.post("/v1/ids/wide_vid", {{"expires_in_days", 1}});
    ASSERT_EQ(issued.status, 201) << issued.shown();
    ids.push_back(issued().at("ids").at(0).get<std::string>());
    ASSERT_EQ(client.post("/v1/ids/wide_vid/" + ids.back() + "/revoke", nullptr).status, 200);
  }
  const auto done = client.post("/v1/ids/wide_vid/expire-due", nullptr);
  ASSERT_EQ(done.status, 200) << done.shown();
  EXPECT_EQ(done().at("released"), 12U) << done.shown();
  EXPECT_EQ(client.get("/v1/ids/wide_vid")().at("released"), 12U);
}

TEST_F(issuing_shards, have_a_tree_of_actors_each) {
  api_client client(node_);
  for (unsigned issuer = 0; issuer < shards; ++issuer)
    for (const auto* who : {"pool", "checker", "populator", "expirer", "walker1"}) {
      const auto path = "/v1/actors/root/domain/identifiers/wide/" + std::to_string(issuer) + "/" + who;
      EXPECT_EQ(client.get(path).status, 200) << path;
    }
}

TEST_F(issuing_shards, are_checked_by_verify_and_shown_by_inspect_store) {
  {
    api_client client(node_);
    (void)client.issue("wide", 50);
    for (int i = 0; i < 8; ++i) (void)client.issue("wide", 1);
  }
  node_.kill();
  const auto verified = tool({"verify"}, node_.data().string());
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  EXPECT_NE(verified.output.find("58  identifiers of type wide"), std::string::npos) << verified.output;
  const auto pools = tool({"inspect-store", "pools"}, node_.data().string());
  EXPECT_EQ(pools.status, 0) << pools.errors;
  EXPECT_NE(pools.output.find("\"borrowed\":0"), std::string::npos) << pools.output;
}

TEST_F(issuing_shards, are_fixed_once_the_type_has_started) {
  node_.kill();
  node_options changed = sharded_world();
  changed.data = node_.data().string();
  changed.sets.emplace_back("identifiers.types.wide.issuing_shards=2");
  node_process other(changed);
  std::filesystem::copy_file(node_.key_file(), other.key_file(), std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(other.launch());
  EXPECT_NE(other.log().find("issuing_shards = 4, not 2"), std::string::npos) << other.log_tail();
}

TEST(issuing_shards_of_a_small_type, are_refused) {
  node_options options = sharded_world();
  *options.config += R"(
[identifiers.types.small]
length = 7
profile = "mosip-uin"
lifecycle = "uin"
issuing_shards = 2
)";
  node_process node(options);
  EXPECT_FALSE(node.launch());
  EXPECT_NE(node.log().find("fewer than 10000000 raw numbers"), std::string::npos) << node.log_tail();
}

TEST_F(issuing_shards, issue_nothing_again_after_a_restore) {
  std::set<std::string> held;
  const auto backup = (elsewhere_ / "backup").string();
  const auto folder = (elsewhere_ / "restored").string();
  {
    api_client client(node_);
    for (const auto& id : client.issue("wide", 50)) held.insert(id);
    const auto made = client.post("/v1/backups", {{"directory", backup}});
    ASSERT_EQ(made.status, 201) << made.shown();
    for (int i = 0; i < 5; ++i)
      for (const auto& id : client.issue("wide", 60)) EXPECT_TRUE(held.insert(id).second) << id;
  }
  node_.kill();
  const auto issue_more_from = [&](const std::vector<std::string>& settle) {
    std::filesystem::remove_all(folder);
    ASSERT_EQ(tool({"restore", "--from", backup}, folder).status, 0);
    const auto settled = tool(settle, folder);
    ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
    EXPECT_NE(settled.output.find("wide/3"), std::string::npos) << settled.output;
    const auto verified = tool({"verify"}, folder);
    EXPECT_EQ(verified.status, 0) << verified.output;
    node_options options = sharded_world();
    options.data = folder;
    node_process other(options);
    std::filesystem::copy_file(node_.key_file(), other.key_file(), std::filesystem::copy_options::overwrite_existing);
    other.start();
    api_client client(other);
    auto seen = held;
    for (int i = 0; i < 10; ++i)
      for (const auto& id : client.issue("wide", 60)) EXPECT_TRUE(seen.insert(id).second) << id << " was issued twice";
  };
  issue_more_from({"settle-restore", "--old-data", node_.data().string()});
  issue_more_from({"settle-restore", "--skip", "300"});
}

} // namespace matricula::test
