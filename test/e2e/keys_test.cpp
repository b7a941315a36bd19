// Keys: which start is refused and why, that none is ever told, and replacing one for the rest of a space.
#include "foundation/digest.hpp"
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace matricula::test {

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string key_text(const std::filesystem::path& file) {
  const auto text = text_of(file);
  return text.substr(0, text.find('\n'));
}

/// Issues until the type is used up, many at a time while there are.
std::vector<std::string> drain(api_client& client, const std::string& type) {
  std::vector<std::string> all;
  for (unsigned count = 50;;) {
    const auto answer = client.post("/v1/ids/" + type, {{"count", count}});
    if (answer.status == 410) return all;
    if (answer.status == 503) continue; // being refilled
    if (answer.status == 422 && count > 1) {
      count = 1; // fewer are left
      continue;
    }
    EXPECT_EQ(answer.status, 201) << answer.shown();
    if (answer.status != 201) return all;
    for (const auto& id : answer().at("ids")) all.push_back(id.get<std::string>());
  }
}

struct refused_start {
  const char* what;
  std::vector<std::string> sets;
  std::vector<std::string> environment;
  std::vector<std::string> says; ///< each of them
};

} // namespace

TEST(a_start_with_other_keys_or_types, is_refused_with_what_to_do) {
  node_process node(small_world());
  node.start();
  (void)api_client(node).issue("four_digits", 5);
  ASSERT_EQ(node.stop(), 0);
  const auto key = key_text(node.key_file());
  const auto other = (node.scratch() / "other").string(), open = (node.scratch() / "open").string(),
             bad = (node.scratch() / "bad").string();
  ASSERT_EQ(run_command({matricula_binary(), "keys", "create", other}).status, 0);
  std::ofstream(open) << key << "\n";
  std::filesystem::permissions(open, std::filesystem::perms{0644});
  std::ofstream(bad) << key.substr(1) << "\n";
  std::filesystem::permissions(bad, std::filesystem::perms{0600});
  const std::string no_file = "identifiers.key_file=";
  const auto type = [](const std::string& setting) { return "identifiers.types.four_digits." + setting; };

  const std::vector<refused_start> starts{
      {"another key",
       {"identifiers.key_file=" + other},
       {},
       {"the key has fingerprint", "were made with", "Start with"}},
      {"no key", {no_file}, {}, {"No key is configured", "matricula key create", "identifiers.key_file"}},
      {"no file", {"identifiers.key_file=/nowhere/key"}, {}, {"/nowhere/key", "No such file", "matricula key create"}},
      {"a readable file", {"identifiers.key_file=" + open}, {}, {"may be read by others", "chmod 600"}},
      {"a short key", {"identifiers.key_file=" + bad}, {}, {bad, "is not 64 hexadecimal digits"}},
      {"a command that fails", {no_file, "identifiers.key_command=exit 3"}, {}, {"key_command ended with status 3"}},
      {"a command without a key", {no_file, "identifiers.key_command=echo x"}, {}, {"is not 64 hexadecimal digits"}},
      {"a bad variable", {no_file}, {"MATRICULA_IDENTIFIERS__KEY=" + key.substr(1)}, {"identifiers.key", "not shown"}},
      {"two keys", {}, {"MATRICULA_IDENTIFIERS__KEY=" + key}, {"allowed: one of"}},
      {"a key in the data", {"identifiers.key_file=" + (node.data() / "key").string()}, {}, {"a file elsewhere"}},
      {"a previous key that is not there",
       {"identifiers.previous_keys=file:/nowhere/old"},
       {},
       {"identifiers.previous_keys", "/nowhere/old", "No such file"}},
      {"a variable that is not set",
       {"identifiers.previous_keys=env:NOT_THERE"},
       {},
       {"identifiers.previous_keys", "NOT_THERE is not set"}},
      {"a malformed source", {"identifiers.previous_keys=" + other}, {}, {"\\\"file:PATH\\\""}},
      {"another length", {type("length=5")}, {}, {"four_digits", "length, alphabet and rules cannot change", "Stored"}},
      {"another alphabet", {type("alphabet=letters_and_digits")}, {}, {"four_digits", "alphabet"}},
      {"another profile", {type("profile=strict")}, {}, {"four_digits", "Put the old ones back, or configure a new"}},
      {"another rule", {type("rules.sequence_limit=5")}, {}, {"four_digits", "rules cannot change"}},
      {"another lifecycle", {type("lifecycle=uin")}, {}, {"four_digits", "its lifecycle is pool", "configure a new"}},
  };
  const auto usual = node.options();
  for (const auto& one : starts) {
    SCOPED_TRACE(one.what);
    node.options() = usual;
    node.options().sets.insert(node.options().sets.end(), one.sets.begin(), one.sets.end());
    node.options().environment = one.environment;
    EXPECT_FALSE(node.launch());
    const auto log = node.log();
    for (const auto& words : one.says) {
      auto plain = words;
      for (std::size_t at; (at = plain.find("\\\"")) != std::string::npos;) plain.erase(at, 1);
      EXPECT_TRUE(log.find(words) != std::string::npos || log.find(plain) != std::string::npos) << words << "\n" << log;
    }
    EXPECT_THAT(log, Not(HasSubstr(key.substr(1)))) << "no key is told";
    EXPECT_THAT(log, Not(HasSubstr(key_text(other))));
  }
  node.options() = usual;
  node.start();
  EXPECT_EQ(api_client(node).get("/v1/ids").status, 200) << "and nothing was changed by any of them";
}

TEST(a_key, is_made_once_and_shown_without_a_store) {
  const scratch_directory folder;
  const auto make = [](const std::filesystem::path& file) {
    return run_command({matricula_binary(), "keys", "create", file.string()});
  };
  ASSERT_EQ(make(folder / "key").status, 0);
  const auto again = make(folder / "key");
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.errors, HasSubstr("A key file is never overwritten"));
  const auto nowhere = make(folder / "none" / "key");
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.errors, AllOf(HasSubstr("No such file or directory"), Not(HasSubstr("overwritten"))));
  const auto data = (folder / "data").string();
  const auto shown = run_command({matricula_binary(), "keys", "show", "--data", data, "--set",
                                  "identifiers.key_file=" + (folder / "key").string()});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, AllOf(HasSubstr("present key"), HasSubstr("There is no store in " + data)));
}

TEST(a_key, comes_from_a_command_or_the_environment_too) {
  node_process node(small_world());
  node.start();
  const auto id = api_client(node).issue("uin").front();
  const auto key = key_text(node.key_file());
  const auto usual = node.options();
  for (const bool by_command : {true, false}) {
    ASSERT_EQ(node.stop(), 0);
    node.options() = usual;
    node.options().sets.emplace_back("identifiers.key_file=");
    if (by_command)
      node.options().sets.push_back("identifiers.key_command=cat " + node.key_file().string());
    else
      node.options().environment.push_back("MATRICULA_IDENTIFIERS__KEY=" + key);
    node.start();
    EXPECT_EQ(api_client(node).get("/v1/ids/uin/" + id)().at("state"), "ISSUED");
    EXPECT_THAT(api_client(node).get("/v1/config").body, Not(HasSubstr(key)));
  }
}

TEST(a_key, is_told_nowhere) {
  node_process node(small_world());
  const auto key = key_text(node.key_file());
  const auto raw = from_hex(key).value();
  node.options().sets.emplace_back("identifiers.key_file=");
  node.options().sets.emplace_back("log.level=debug");
  node.options().sets.emplace_back("identifiers.previous_keys=env:OLD_KEY");
  node.options().environment = {"MATRICULA_IDENTIFIERS__KEY=" + key, "OLD_KEY=" + key};
  node.start();
  api_client client(node);
  (void)client.issue("uin", 10);
  const scratch_directory elsewhere;
  const auto backup = (elsewhere / "backup").string();
  ASSERT_EQ(client.post("/v1/backups", {{"directory", backup}}).status, 201);
  std::string answers;
  for (const auto* route : {"/v1/config", "/v1/ids", "/v1/actors", "/metrics", "/v1/audit", "/readyz"})
    answers += client.get(route).body;
  EXPECT_THAT(answers, HasSubstr("identifiers.previous_keys"));
  ASSERT_EQ(node.stop(), 0);
  const auto expect_no_key = [&](const std::string& text, const std::string& where) {
    EXPECT_EQ(text.find(key), std::string::npos) << where;
    EXPECT_EQ(text.find(raw), std::string::npos) << where;
  };
  expect_no_key(answers, "answers");
  expect_no_key(node.log(), "log");
  std::size_t files = 0;
  for (const auto& folder : {std::filesystem::path(backup), node.data()})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.is_regular_file()) {
        expect_no_key(text_of(entry.path()), entry.path().string());
        ++files;
      }
  EXPECT_GT(files, 5U);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"keys", "show"}, {"verify"}, {"inspect-store", "meta"}, {"config", "show"}}) {
    std::vector<std::string> command{matricula_binary()};
    command.insert(command.end(), words.begin(), words.end());
    command.insert(command.end(), {"--config", node.config_file().string(), "--set",
                                   "identifiers.key_file=" + node.key_file().string()});
    if (words[0] == "config")
      command.insert(command.end(), {"--set", "storage.data_dir=" + node.data().string()});
    else
      command.insert(command.end(), {"--data", node.data().string()});
    const auto done = run_command(command);
    EXPECT_EQ(done.status, 0) << words[0] << done.errors;
    expect_no_key(done.output + done.errors, words[0]);
  }
}

namespace {

/// A node of small types, and tools for its stopped data folder.
class a_replaced_key : public testing::Test {
protected:
  void SetUp() override {
    for (const auto* name : {"second", "third"})
      ASSERT_EQ(run_command({matricula_binary(), "keys", "create", key(name)}).status, 0);
    node_.start();
  }
  [[nodiscard]] std::string key(const std::string& name) const {
    return name == "first" ? node_.key_file().string() : (elsewhere_ / name).string();
  }
  finished_command tool(std::vector<std::string> words, const std::string& present, const std::string& previous = "",
                        const std::string& data = "") const {
    words.insert(words.begin(), matricula_binary());
    words.insert(words.end(),
                 {"--config", node_.config_file().string(), "--data", data.empty() ? node_.data().string() : data,
                  "--set", "identifiers.key_file=" + key(present)});
    if (!previous.empty()) words.insert(words.end(), {"--set", "identifiers.previous_keys=" + previous});
    return run_command(words);
  }
  finished_command rotate(const std::string& from, const std::string& to, const std::string& previous = "") const {
    return tool({"keys", "rotate", "--type", "four_digits", "--type", "four_digit_uin", "--new-key-file", key(to)},
                from, previous);
  }
  void give_keys(node_process& node, const std::string& present, const std::string& previous) const {
    std::erase_if(node.options().sets, [](const std::string& set) {
      return set.starts_with("identifiers.key_file") || set.starts_with("identifiers.previous_keys");
    });
    node.options().sets.push_back("identifiers.key_file=" + key(present));
    if (!previous.empty()) node.options().sets.push_back("identifiers.previous_keys=" + previous);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return "file:" + key(name); }

  node_process node_{small_world()};
  scratch_directory elsewhere_;
};

} // namespace

TEST_F(a_replaced_key, draws_the_rest_of_the_space_and_nothing_twice) {
  api_client client(node_);
  auto held = client.issue("four_digits", 100);
  const auto uin = client.issue("four_digit_uin").front();
  EXPECT_EQ(rotate("first", "second").status, 1) << "the node runs";
  ASSERT_EQ(node_.stop(), 0);

  const auto done = rotate("first", "second");
  ASSERT_EQ(done.status, 0) << done.errors;
  EXPECT_THAT(done.output, AllOf(HasSubstr("four_digits "), HasSubstr("from counter"), HasSubstr("previous_keys")));
  EXPECT_THAT(done.output, Not(HasSubstr(key_text(key("second")))));

  // Without the new or the old one: refused, with the fingerprint that is missing.
  EXPECT_FALSE(node_.launch());
  EXPECT_THAT(node_.log(), AllOf(HasSubstr("the key has fingerprint"), HasSubstr("were made with")));
  give_keys(node_, "second", "");
  EXPECT_FALSE(node_.launch());
  EXPECT_THAT(node_.log(), AllOf(HasSubstr("of fingerprint"), HasSubstr("identifiers.previous_keys")));
  EXPECT_EQ(tool({"keys", "show"}, "second").status, 1);
  EXPECT_THAT(tool({"keys", "show"}, "second").output, HasSubstr("KEY MISSING"));

  give_keys(node_, "second", file("first"));
  node_.start();
  EXPECT_TRUE(node_.logged("keys.previous_in_use")) << "types that were not rotated";
  api_client second(node_);
  EXPECT_EQ(second.get("/v1/ids/four_digits/" + held.front())().at("state"), "TAKEN");
  EXPECT_EQ(second.post("/v1/ids/four_digit_uin/" + uin + "/return").status, 200);
  EXPECT_EQ(second.get("/v1/ids/uin").status, 200) << "a type that was not rotated";
  for (auto& id : second.issue("four_digits", 150)) held.push_back(std::move(id));
  ASSERT_EQ(node_.stop(), 0);

  EXPECT_EQ(rotate("second", "first", file("first")).status, 1) << "a key is never taken twice";
  ASSERT_EQ(rotate("second", "third", file("first")).status, 0);
  give_keys(node_, "third", "command:cat " + key("second") + "," + file("first"));
  node_.start();
  api_client third(node_);
  for (auto& id : drain(third, "four_digits")) held.push_back(std::move(id));
  EXPECT_EQ(held.size(), 465U) << "exact capacity";
  EXPECT_EQ(std::set(held.begin(), held.end()).size(), held.size()) << "each once";
  const auto uins = drain(third, "four_digit_uin");
  EXPECT_EQ(std::set(uins.begin(), uins.end()).size(), 465U) << "the returned one as well";
  for (const auto* id : {&held.front(), &held[200], &held.back()})
    EXPECT_EQ(third.get("/v1/ids/four_digits/" + *id)().at("state"), "TAKEN");
  ASSERT_EQ(node_.stop(), 0);
  const auto keys = file("second") + "," + file("first");
  const auto verified = tool({"verify"}, "third", keys);
  EXPECT_EQ(verified.status, 0) << verified.output;
  EXPECT_EQ(tool({"keys", "show"}, "third", keys).status, 0);
  const auto incomplete = tool({"verify"}, "third", file("first"));
  EXPECT_EQ(incomplete.status, 1);
  EXPECT_THAT(incomplete.output, HasSubstr("previous_keys"));
}

TEST_F(a_replaced_key, is_refused_with_what_to_do) {
  ASSERT_EQ(node_.stop(), 0);
  const auto refused = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"keys", "rotate"});
    const auto done = tool(words, "first");
    EXPECT_EQ(done.status, 1) << done.output;
    return done.errors;
  };
  EXPECT_THAT(refused({"--new-key-file", key("second")}), HasSubstr("--type TYPE"));
  EXPECT_THAT(refused({"--all", "--type", "uin", "--new-key-file", key("second")}), HasSubstr("--all"));
  EXPECT_THAT(refused({"--all"}), HasSubstr("keys create"));
  EXPECT_THAT(refused({"--all", "--new-key-file", key("second"), "--new-key-env", "X"}), HasSubstr("--new-key-file"));
  EXPECT_THAT(refused({"--type", "nothing", "--new-key-file", key("second")}), HasSubstr("no type 'nothing'"));
  EXPECT_THAT(refused({"--all", "--new-key-file", key("first")}), HasSubstr("already"));
  EXPECT_THAT(refused({"--all", "--new-key-env", "NOT_THERE"}), HasSubstr("NOT_THERE is not set"));
  EXPECT_THAT(refused({"--all", "--new-key-command", "exit 4"}), HasSubstr("--new-key-command ended with status 4"));
  EXPECT_EQ(tool({"keys", "rotate", "--all", "--new-key-command", "cat " + key("second")}, "first").status, 0);
}

TEST_F(a_replaced_key, survives_a_restore_of_an_earlier_backup) {
  api_client client(node_);
  auto held = client.issue("four_digits", 50);
  const auto backup = (elsewhere_ / "backup").string();
  ASSERT_EQ(client.post("/v1/backups", {{"directory", backup}}).status, 201);
  for (auto& id : client.issue("four_digits", 50)) held.push_back(std::move(id));
  ASSERT_EQ(node_.stop(), 0);
  const auto cut_text = rotate("first", "second").output;
  const auto at = cut_text.find("from counter ", cut_text.find("four_digits "));
  ASSERT_NE(at, std::string::npos) << cut_text;
  const auto cut = std::to_string(std::stoull(cut_text.substr(at + 13)));
  give_keys(node_, "second", file("first"));
  node_.start();
  api_client second(node_);
  for (auto& id : second.issue("four_digits", 100)) held.push_back(std::move(id));
  node_.kill();

  for (const bool with_old_data : {true, false}) {
    SCOPED_TRACE(with_old_data);
    const auto folder = (elsewhere_ / (with_old_data ? "by-data" : "by-skip")).string();
    ASSERT_EQ(tool({"restore", "--from", backup}, "second", file("first"), folder).status, 0);
    const auto settle = [&](std::vector<std::string> how) {
      how.insert(how.begin(), "settle-restore");
      return tool(how, "second", file("first"), folder);
    };
    if (with_old_data) {
      const auto settled = settle({"--old-data", node_.data().string()});
      ASSERT_EQ(settled.status, 0) << settled.errors;
    } else {
      const auto silent = settle({"--skip", "100"});
      EXPECT_EQ(silent.status, 1);
      EXPECT_THAT(silent.errors, HasSubstr("--cut"));
      std::vector<std::string> how{"--skip", "100"};
      for (const auto* type : {"uin", "vid", "prid", "social_id", "family_id", "farmer", "household", "tracking_id",
                               "registration_number", "four_digit_uin"})
        how.insert(how.end(), {"--cut", std::string(type) + "=none"});
      auto wrong = how;
      wrong.insert(wrong.end(), {"--cut", "four_digits=1"});
      EXPECT_THAT(settle(wrong).errors, HasSubstr("cannot have been replaced there"));
      how.insert(how.end(), {"--cut", "four_digits=" + cut});
      const auto settled = settle(how);
      ASSERT_EQ(settled.status, 0) << settled.errors;
    }
    EXPECT_EQ(tool({"verify"}, "second", file("first"), folder).status, 0);
    auto options = small_world();
    options.data = folder;
    node_process other(options);
    give_keys(other, "second", file("first"));
    other.start();
    api_client again(other);
    std::set<std::string> all(held.begin(), held.end());
    for (const auto& id : drain(again, "four_digits")) EXPECT_TRUE(all.insert(id).second) << id << " was issued twice";
    EXPECT_EQ(all.size(), 465U);
  }
}

} // namespace matricula::test
