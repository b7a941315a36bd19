// A node that was restored from a backup never issues again what was issued after the backup.
#include "test/e2e/node_fixture.hpp"

#include <filesystem>
#include <set>

namespace matricula::test {

namespace {

/// Issues until the type is used up.
std::vector<std::string> drain(api_client& client, const std::string& type) {
  std::vector<std::string> all;
  for (;;) {
    const auto answer = client.post("/v1/ids/" + type, nullptr);
    if (answer.status == 410) return all;
    if (answer.status == 503) continue; // being refilled
    EXPECT_EQ(answer.status, 201) << answer.shown();
    if (answer.status != 201) return all;
    all.push_back(answer().at("ids").at(0).get<std::string>());
  }
}

class a_restore : public testing::Test {
protected:
  void SetUp() override { node_.start(); }

  std::vector<std::string> issue(const std::string& type, unsigned count) {
    api_client client(node_);
    return client.issue(type, count);
  }
  void backup() {
    api_client client(node_);
    const auto made = client.post("/v1/backups", {{"directory", directory()}});
    ASSERT_EQ(made.status, 201) << made.shown();
  }
  [[nodiscard]] std::string directory() const { return (elsewhere_ / "backup").string(); }
  [[nodiscard]] std::string folder() const { return (elsewhere_ / "restored").string(); }
  finished_command tool(std::vector<std::string> words) const {
    words.insert(words.begin(), matricula_binary());
    words.insert(words.end(), {"--config", node_.config_file().string(), "--set",
                               "identifiers.key_file=" + node_.key_file().string(), "--data", folder()});
    return run_command(words);
  }
  finished_command settle(const std::vector<std::string>& how) const {
    std::vector<std::string> words{"settle-restore"};
    words.insert(words.end(), how.begin(), how.end());
    return tool(words);
  }
  std::unique_ptr<node_process> restored() const {
    auto options = small_world();
    options.data = folder();
    auto other = std::make_unique<node_process>(options);
    std::filesystem::copy_file(node_.key_file(), other->key_file(), std::filesystem::copy_options::overwrite_existing);
    return other;
  }

  node_process node_{small_world()};
  scratch_directory elsewhere_;
};

} // namespace

TEST_F(a_restore, goes_on_behind_everything_that_the_lost_node_had_issued) {
  const auto before = issue("four_digits", 50);
  const auto returned = issue("four_digit_uin", 20);
  api_client client(node_);
  for (const auto& id : returned)
    ASSERT_EQ(client.post("/v1/ids/four_digit_uin/" + id + "/return", nullptr).status, 200);
  const http_headers key = {{"Idempotency-Key", "returned and given to somebody else"}};
  const auto keyed = client.post("/v1/ids/four_digit_uin", nullptr, key);
  const auto its_id = keyed().at("ids").at(0).get<std::string>();
  ASSERT_EQ(client.post("/v1/ids/four_digit_uin/" + its_id + "/return", nullptr).status, 200);
  backup();
  // After the backup: new ones, and returned ones that now belong to somebody else.
  const auto after = issue("four_digits", 100);
  const auto uins_after = issue("four_digit_uin", 200);
  node_.kill();

  ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
  {
    const auto other = restored();
    EXPECT_FALSE(other->launch());
    EXPECT_NE(other->log().find("settle-restore"), std::string::npos) << other->log_tail();
  }
  const auto settled = settle({"--old-data", node_.data().string()});
  ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
  EXPECT_EQ(settle({"--skip", "1"}).status, 1) << "it is settled already";
  EXPECT_EQ(tool({"verify"}).status, 0) << tool({"verify"}).output;

  const auto other = restored();
  other->start();
  api_client again(*other);
  EXPECT_EQ(again.post("/v1/ids/four_digit_uin", nullptr, key).status, 410) << "it may be somebody else's by now";
  std::set<std::string> held(before.begin(), before.end());
  held.insert(after.begin(), after.end());
  const auto rest = drain(again, "four_digits");
  EXPECT_GE(rest.size(), 465u - 150 - 1) << "and nothing more than needed is given up";
  for (const auto& id : rest) EXPECT_TRUE(held.insert(id).second) << id << " was issued twice";

  std::set<std::string> uins(uins_after.begin(), uins_after.end());
  for (const auto& id : drain(again, "four_digit_uin"))
    EXPECT_TRUE(uins.insert(id).second) << id << " was issued twice";
}

TEST_F(a_restore, without_the_lost_folder_passes_over_as_many_as_the_operator_says) {
  const auto before = issue("uin", 50);
  backup();
  std::set<std::string> held(before.begin(), before.end());
  for (const auto& id : issue("uin", 500)) held.insert(id);
  node_.kill();
  ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
  for (const auto& wrong : std::vector<std::vector<std::string>>{{},
                                                                 {"--skip", "many"},
                                                                 {"--skip", "-1"},
                                                                 {"--skip", "uin=600"},
                                                                 {"--skip", "10", "--skip", "uni=600"},
                                                                 {"--skip", "1", "--skip", "2"},
                                                                 {"--skip", "=5"},
                                                                 {"--old-data", folder()},
                                                                 {"--skip", "1", "--old-data", "x"},
                                                                 {"--old-data", "/nowhere"}}) {
    const auto refused = settle(wrong);
    EXPECT_EQ(refused.status, 1) << refused.output;
    EXPECT_FALSE(refused.errors.empty());
  }
  const auto settled = settle({"--skip", "10", "--skip", "uin=500"});
  ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
  const auto other = restored();
  other->start();
  api_client again(*other);
  for (int i = 0; i < 3; ++i)
    for (const auto& id : again.issue("uin", 100)) EXPECT_TRUE(held.insert(id).second) << id << " was issued twice";
  EXPECT_EQ(again.get("/v1/ids/uin/" + before.front())().at("state"), "ISSUED");
}

TEST_F(a_restore, retires_what_ends_in_the_restored_node_instead_of_giving_it_to_somebody_else) {
  const auto held = issue("four_digit_uin", 2);
  backup();
  node_.kill();
  ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
  ASSERT_EQ(settle({"--skip", "0"}).status, 0);
  const auto other = restored();
  other->start();
  api_client client(*other);
  const auto path = "/v1/ids/four_digit_uin/" + held.front() + "/return";
  const auto returned = client.post(path, nullptr);
  ASSERT_EQ(returned.status, 200) << returned.shown();
  EXPECT_EQ(returned().at("state"), "RETIRED");
  EXPECT_EQ(client.post(path, nullptr).status, 200) << "a client that asks again gets its answer";
  for (const auto& id : drain(client, "four_digit_uin")) {
    EXPECT_NE(id, held.front());
    EXPECT_NE(id, held.back());
  }
}

} // namespace matricula::test
