// A node that was restored from a backup never issues again what was issued after the backup.
#include "test/e2e/node_fixture.hpp"
#include "test/e2e/task_world.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <sstream>

namespace matricula::test {

using testing::HasSubstr;
using testing::Not;

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
  /// Valid identifiers of a type of four digits, as another system may have made them.
  std::vector<std::string> made_elsewhere(unsigned count) const {
    const auto made = run_command({matricula_binary(), "ids", "generate", "four_digits", "--config",
                                   node_.config_file().string(), "--count", std::to_string(count)});
    EXPECT_EQ(made.status, 0) << made.errors;
    std::vector<std::string> all;
    std::istringstream lines(made.output);
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), count);
    return all;
  }
  /// One a line, behind the header of a CSV.
  std::string file_of(std::span<const std::string> ids, const std::string& name, const std::string& state = "") const {
    const auto file = (elsewhere_ / name).string();
    std::ofstream out(file);
    out << (state.empty() ? "id\n" : "id,state\n");
    for (const auto& id : ids) out << id << (state.empty() ? "" : "," + state) << "\n";
    return file;
  }
  static finished_command import(const node_process& into, const std::string& type, const std::string& file) {
    return run_command({matricula_binary(), "import", "--type", type, "--file", file, "--url",
                        "http://127.0.0.1:" + std::to_string(into.port()), "--token", into.token()});
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

TEST_F(a_restore, gives_no_task_and_no_lease_a_number_that_was_given_out_since) {
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{"--skip", "5"}, std::vector<std::string>{"--old-data", node_.data().string()}}) {
    std::filesystem::remove_all(elsewhere_ / "backup");
    std::filesystem::remove_all(folder());
    if (!node_.running()) node_.start();
    task_client client(node_);
    const auto kept = client.enqueue("example", {}, {{"unique_key", "kept " + how.front()}});
    backup();
    const auto lost = client.enqueue("example");
    const auto held = client.lease("example", {{"count", 100}});
    ASSERT_GE(held.size(), 2U);
    node_.kill();

    ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
    const auto settled = settle(how);
    ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
    EXPECT_EQ(tool({"verify"}).status, 0) << tool({"verify"}).output;
    const auto other = restored();
    other->start();
    task_client again(*other);
    EXPECT_EQ(again.http().get(task_client::path(lost)).status, 404);
    const auto fresh = again.enqueue("example");
    EXPECT_GT(task_client::id_of(fresh), task_client::id_of(lost));
    // Workers of before the loss come back when others have their tasks.
    const auto held_now = again.lease("example", {{"count", 100}});
    EXPECT_GE(held_now.size(), 2U);
    for (const auto& one : held) EXPECT_EQ(again.complete(one).code(), "lease_lost");
    for (const auto& one : held_now) EXPECT_EQ(again.complete(one).status, 200);
    EXPECT_EQ(again.look(kept).at("task_status"), "COMPLETED");
  }
}

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

TEST_F(a_restore, passes_over_as_many_as_were_issued_besides_what_was_imported) {
  // Half of all 465 valid identifiers, so that counting them would fall short by far.
  const auto elsewhere = made_elsewhere(240);
  const std::span all(elsewhere);
  ASSERT_EQ(import(node_, "four_digits", file_of(all.first(200), "first.csv")).status, 0);
  std::set<std::string> held(elsewhere.begin(), elsewhere.end());
  // Enough of it that those of the second file are not issued before they are imported.
  const auto later = file_of(all.last(40), "second.csv");
  backup();
  ASSERT_EQ(import(node_, "four_digits", later).status, 0);
  for (const auto& id : issue("four_digits", 100)) EXPECT_TRUE(held.insert(id).second) << id;
  node_.kill();

  const auto made = tool({"restore", "--from", directory()});
  ASSERT_EQ(made.status, 0) << made.errors;
  EXPECT_THAT(made.output, HasSubstr("issued and imported"));
  const auto settled = settle({"--skip", "0", "--skip", "four_digits=140"});
  ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
  EXPECT_THAT(settled.output, HasSubstr("import their files again"));
  EXPECT_EQ(tool({"verify"}).status, 0) << tool({"verify"}).output;

  const auto other = restored();
  other->start();
  std::filesystem::remove(later + ".matricula-import");
  const auto again = import(*other, "four_digits", later);
  ASSERT_EQ(again.status, 0) << again.output << again.errors;
  EXPECT_THAT(again.output, HasSubstr("40 accepted"));
  api_client client(*other);
  const auto rest = drain(client, "four_digits");
  for (const auto& id : rest) EXPECT_TRUE(held.insert(id).second) << id << " was issued twice";
  EXPECT_GE(rest.size(), 465U - 340 - 40) << "nothing more than the skip is given up";
}

TEST_F(a_restore, with_the_lost_folder_takes_over_what_was_imported_after_the_backup) {
  const auto elsewhere = made_elsewhere(100);
  const auto file = file_of(elsewhere, "uins.csv", "ISSUED");
  backup();
  ASSERT_EQ(import(node_, "four_digit_uin", file).status, 0);
  // One of them changes hands: it is returned and issued again, to somebody who confirms it.
  std::set<std::string> held(elsewhere.begin(), elsewhere.end());
  api_client client(node_);
  ASSERT_EQ(client.post("/v1/ids/four_digit_uin/" + elsewhere[0] + "/confirm", nullptr).status, 200);
  ASSERT_EQ(client.post("/v1/ids/four_digit_uin/" + elsewhere[1] + "/return", nullptr).status, 200);
  for (const auto& id : issue("four_digit_uin", 100)) held.insert(id);
  const auto after = client.get("/v1/ids/four_digit_uin/" + elsewhere[1])().at("state");
  node_.kill();

  ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
  const auto settled = settle({"--old-data", node_.data().string()});
  ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
  EXPECT_THAT(settled.output, HasSubstr("100 identifiers that were imported after the backup are taken over"));
  EXPECT_THAT(settled.output, Not(HasSubstr("import their files again")));
  const auto verified = tool({"verify"});
  EXPECT_EQ(verified.status, 0) << verified.output;

  const auto other = restored();
  other->start();
  api_client again(*other);
  const auto state_of = [&](const std::string& id) { return again.get("/v1/ids/four_digit_uin/" + id)().at("state"); };
  EXPECT_EQ(state_of(elsewhere[0]), "ASSIGNED");
  EXPECT_EQ(state_of(elsewhere[1]), after == "AVAILABLE" ? "RETIRED" : "ISSUED");
  EXPECT_EQ(state_of(elsewhere[2]), "ISSUED");
  EXPECT_EQ(again.get("/v1/ids/four_digit_uin")().at("imported"), 100);
  const auto returned = again.post("/v1/ids/four_digit_uin/" + elsewhere[2] + "/return", nullptr);
  EXPECT_EQ(returned().at("state"), "RETIRED") << returned.shown();
  for (const auto& id : drain(again, "four_digit_uin"))
    EXPECT_TRUE(held.insert(id).second) << id << " was imported or issued before";
}

TEST_F(a_restore, gives_nothing_that_is_imported_again_to_somebody_else) {
  const auto elsewhere = made_elsewhere(1);
  const auto file = file_of(elsewhere, "uins.csv", "ISSUED");
  backup();
  ASSERT_EQ(import(node_, "four_digit_uin", file).status, 0);
  node_.kill();
  ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
  ASSERT_EQ(settle({"--skip", "1"}).status, 0);
  const auto other = restored();
  other->start();

  // The same command as before: it must not believe that there is nothing to do.
  const auto silent = import(*other, "four_digit_uin", file);
  EXPECT_EQ(silent.status, 1) << silent.output;
  EXPECT_THAT(silent.errors, HasSubstr("restored from a backup since then"));
  EXPECT_THAT(silent.errors, HasSubstr("delete " + file + ".matricula-import"));
  std::filesystem::remove(file + ".matricula-import");
  const auto again = import(*other, "four_digit_uin", file);
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_THAT(again.output, HasSubstr("1 accepted"));

  // Perhaps it was returned after the backup, and issued to somebody else.
  api_client client(*other);
  const auto returned = client.post("/v1/ids/four_digit_uin/" + elsewhere[0] + "/return", nullptr);
  ASSERT_EQ(returned.status, 200) << returned.shown();
  EXPECT_EQ(returned().at("state"), "RETIRED");
  for (const auto& id : drain(client, "four_digit_uin")) EXPECT_NE(id, elsewhere[0]);
}

TEST_F(a_restore, is_not_settled_with_other_settings_than_those_of_the_lost_node) {
  backup();
  node_.kill();
  auto with_more = small_world();
  *with_more.config += "[identifiers.types.later]\nlength = 5\nprofile = \"openg2p\"\nlifecycle = \"pool\"\n";
  with_more.data = node_.data();
  {
    // A type that the backup does not have.
    node_process grown(with_more);
    std::filesystem::copy_file(node_.key_file(), grown.key_file(), std::filesystem::copy_options::overwrite_existing);
    grown.start();
    (void)api_client(grown).issue("later", 3);
  }
  ASSERT_EQ(tool({"restore", "--from", directory()}).status, 0);
  const std::vector<std::string> lost{"--old-data", node_.data().string()};
  EXPECT_THAT(settle(lost).errors, HasSubstr("'later' that the settings do not name"));
  const auto with = [&](const char* length, const char* lifecycle) {
    auto words = lost;
    words.insert(words.end(), {"--set", std::string("identifiers.types.later.length=") + length, "--set",
                               "identifiers.types.later.profile=openg2p", "--set",
                               std::string("identifiers.types.later.lifecycle=") + lifecycle});
    return settle(words);
  };
  EXPECT_THAT(with("6", "pool").errors, HasSubstr("'later' with another lifecycle"));
  EXPECT_THAT(with("5", "uin").errors, HasSubstr("'later' with another lifecycle"));
  const auto settled = with("5", "pool");
  EXPECT_EQ(settled.status, 0) << settled.errors;
}

} // namespace matricula::test
