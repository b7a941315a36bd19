// The node as a process: its health, its numbers, its settings, how it starts and stops.
#include "test/e2e/node_fixture.hpp"

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

namespace matricula::test {

using nlohmann::json;

namespace {
using running_node = node_test;

/// A node whose syncs can be made to wait.
class held_node {
public:
  held_node() {
    auto options = small_world();
    options.environment = {"LD_PRELOAD=" MATRICULA_SYNC_FAULTS,
                           "MATRICULA_TEST_SYNC_FAULTS=" + faults_.path().string()};
    node.options() = options;
    node.write_config(*options.config);
    node.start();
  }
  void hold() { std::ofstream(faults_ / "hold") << "x"; }
  void release() { std::filesystem::remove(faults_ / "hold"); }

  /// Waits until so many requests are in flight, beside the one that asks, or `enough`.
  [[nodiscard]] bool in_flight(int wanted, const std::function<bool()>& enough = [] { return false; }) const {
    http_client http(node.port(), node.token());
    return eventually([&] {
      const auto numbers = http.send({.target = "/metrics"});
      std::smatch found;
      const std::regex gauge("\nmatricula_http_requests_in_flight ([0-9]+)");
      return enough() ||
             (numbers && std::regex_search(numbers->body, found, gauge) && std::stoi(found[1]) >= wanted + 1);
    });
  }

private:
  scratch_directory faults_;

public:
  node_process node;
};
} // namespace

TEST_F(running_node, says_that_it_is_well) {
  EXPECT_EQ(client_.get("/healthz")().at("status"), "ok");
  const auto ready = client_.get("/readyz");
  EXPECT_EQ(ready().at("ready"), true);
  EXPECT_FALSE(ready().at("checks").empty());
}

TEST_F(running_node, exposes_numbers_that_parse) {
  (void)client_.issue("uin", 3);
  const auto answer = client_.get("/metrics");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4");
  const std::regex sample(
      R"rx(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*",?)*\})? (\S+))rx");
  const std::regex number("[+-]?([0-9.]+([eE][+-]?[0-9]+)?|Inf)|NaN");
  std::istringstream lines(answer.body);
  std::set<std::string> families, series;
  std::size_t samples = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      const auto name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(name).second) << name << " is declared twice";
    }
    if (line.empty() || line.starts_with('#')) continue;
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(line, parts, sample)) << line;
    EXPECT_TRUE(std::regex_match(parts[5].str(), number)) << line;
    EXPECT_TRUE(series.insert(parts[1].str() + parts[2].str()).second) << line << " comes twice";
    auto family = parts[1].str();
    for (const std::string suffix : {"_bucket", "_sum", "_count"})
      if (!families.contains(family) && family.ends_with(suffix)) family.resize(family.size() - suffix.size());
    EXPECT_TRUE(families.contains(family)) << line << " has no TYPE";
    EXPECT_TRUE(family.starts_with("matricula_")) << line;
    ++samples;
  }
  EXPECT_GT(samples, 100U);
  EXPECT_TRUE(families.contains("matricula_storage_sync_seconds"));
}

TEST_F(running_node, shows_its_settings_and_no_secret) {
  const auto answer = client_.get("/v1/config");
  const auto& settings = answer().at("settings");
  EXPECT_EQ(settings.at("identifiers.types.vid.cool_off_seconds").at("value"), 1);
  EXPECT_EQ(settings.at("log.format").at("value"), "json");
  std::ifstream in(node().key_file());
  std::string key;
  in >> key;
  ASSERT_EQ(key.size(), 64U);
  EXPECT_EQ(answer.body.find(key), std::string::npos);
  EXPECT_EQ(node().log().find(key), std::string::npos);
  EXPECT_EQ(node().log().find(node().token()), std::string::npos);
}

TEST_F(running_node, takes_changed_settings_from_the_route_and_from_sighup) {
  const auto world = *small_world().config;
  node().write_config("[identifiers]\nbatch_count_max = 5\n" + world);
  const auto reloaded = client_.post("/v1/config/reload");
  ASSERT_EQ(reloaded.status, 200) << reloaded.shown();
  EXPECT_EQ(reloaded().at("changed"), json::array({"identifiers.batch_count_max"}));
  EXPECT_EQ(client_.post("/v1/ids/uin", {{"count", 6}}).status, 422);
  EXPECT_EQ(client_.post("/v1/ids/uin", {{"count", 5}}).status, 201);

  node().write_config("[identifiers]\nbatch_count_max = 7\n" + world);
  node().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return client_.post("/v1/ids/uin", {{"count", 7}}).status == 201; }));
  EXPECT_EQ(client_.post("/v1/ids/uin", {{"count", 8}}).status, 422);
  node().write_config(world);
  EXPECT_EQ(client_.post("/v1/config/reload").status, 200);
  EXPECT_EQ(client_.post("/v1/ids/uin", {{"count", 8}}).status, 201);
}

TEST_F(running_node, keeps_its_settings_when_the_new_ones_are_wrong) {
  const auto before = client_.get("/v1/config").body;
  for (const auto* wrong : {"[identifiers]\nbatch_count_max = 5\nbatch_count_mx = 7\n",
                            "[identifiers]\nbatch_count_max = 0\n", "[identifiers", "[server]\nthreads = \"many\"\n"}) {
    node().write_config(std::string(wrong) + *small_world().config);
    const auto refused = client_.post("/v1/config/reload");
    EXPECT_EQ(refused.status, 422) << refused.shown();
    EXPECT_EQ(client_.get("/v1/config").body, before) << wrong;
  }
  node().write_config("[identifiers]\nbatch_count_mx = 7\n" + *small_world().config);
  const auto named = client_.post("/v1/config/reload");
  EXPECT_NE(named.body.find("batch_count_max"), std::string::npos) << "the nearest known key: " << named.shown();
  node().write_config(*small_world().config);
  EXPECT_EQ(client_.post("/v1/config/reload").status, 200);
}

namespace {
/// Asks for a reload by HTTP and by SIGHUP; both must refuse, name the tokens file, and leave the old tokens in force.
void expect_refused_reload(node_process& node, int status) {
  api_client client(node);
  const auto name = node.tokens_file().string();
  const auto refused = client.post("/v1/config/reload");
  EXPECT_EQ(refused.status, status) << refused.shown();
  EXPECT_NE(refused.body.find(name), std::string::npos) << refused.shown();
  const auto refusals = [&] {
    std::size_t count = 0;
    std::istringstream lines(node.log());
    for (std::string line; std::getline(lines, line);)
      if (line.find("\"event\":\"config.reload_refused\"") != std::string::npos && line.find(name) != std::string::npos)
        ++count;
    return count;
  };
  const auto before = refusals();
  EXPECT_GE(before, 1U) << node.log_tail();
  node.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return refusals() > before; })) << node.log_tail();
  EXPECT_EQ(client.get("/v1/config").status, 200) << "the old tokens apply";
}
} // namespace

TEST(reload_of_tokens, that_cannot_be_read_is_refused_and_said) {
  auto options = small_world();
  options.config = "[identifiers]\nbatch_count_max = 5\n" + *options.config;
  node_process node(options);
  node.start();
  node.write_config("[identifiers]\nbatch_count_max = 6\n" + *small_world().config);
  const auto kept = node.scratch() / "kept";
  std::filesystem::rename(node.tokens_file(), kept);
  {
    SCOPED_TRACE("missing");
    expect_refused_reload(node, 422);
  }
  std::ofstream(node.tokens_file()) << "garbage\n";
  std::filesystem::permissions(node.tokens_file(), std::filesystem::perms(0600));
  {
    SCOPED_TRACE("malformed");
    expect_refused_reload(node, 422);
  }
  std::filesystem::permissions(node.tokens_file(), std::filesystem::perms(0644));
  {
    SCOPED_TRACE("readable by others");
    expect_refused_reload(node, 422);
  }
  std::filesystem::remove(node.tokens_file());
  std::filesystem::create_directory(node.tokens_file());
  std::filesystem::permissions(node.tokens_file(), std::filesystem::perms(0700));
  {
    SCOPED_TRACE("a folder");
    expect_refused_reload(node, 503);
  }
  api_client client(node);
  EXPECT_EQ(client.post("/v1/ids/uin", {{"count", 6}}).status, 422) << "the settings stayed too";
  std::filesystem::remove(node.tokens_file());
  std::filesystem::rename(kept, node.tokens_file());
  EXPECT_EQ(client.post("/v1/config/reload").status, 200);
  EXPECT_EQ(client.post("/v1/ids/uin", {{"count", 6}}).status, 201);
  EXPECT_FALSE(node.logged("http.failed")) << node.log_tail();
}

TEST(node_with_another_key, refuses_to_start_and_says_why) {
  node_process node(small_world());
  node.start();
  (void)api_client(node).issue("uin");
  EXPECT_EQ(node.stop(), 0);
  std::filesystem::remove(node.key_file());
  ASSERT_EQ(run_command({matricula_binary(), "key", "create", node.key_file().string()}).status, 0);
  EXPECT_FALSE(node.launch());
  EXPECT_EQ(node.wait_for_end(std::chrono::seconds(20)), 1);
  EXPECT_TRUE(node.logged("node.start_refused")) << node.log_tail();
  EXPECT_NE(node.log().find("key"), std::string::npos) << node.log_tail();
}

TEST(node_without_a_key, refuses_to_start_and_says_how_to_make_one) {
  node_process node(small_world());
  std::filesystem::remove(node.key_file());
  EXPECT_FALSE(node.launch());
  EXPECT_NE(node.wait_for_end(std::chrono::seconds(20)), 0);
  EXPECT_NE(node.log().find("matricula key create"), std::string::npos) << node.log_tail();
}

TEST(second_node, on_the_same_data_refuses_to_start) {
  const scratch_directory shared;
  auto options = small_world();
  options.data = shared / "data";
  node_process first(options), second(options);
  first.start();
  EXPECT_FALSE(second.launch());
  EXPECT_EQ(second.wait_for_end(std::chrono::seconds(20)), 1);
  EXPECT_EQ(api_client(first).post("/v1/ids/uin").status, 201);
}

TEST(node_whose_disk_is_slow, answers_409_to_a_key_whose_first_request_still_runs) {
  held_node held;
  const http_headers key = {{"Idempotency-Key", "slow"}};
  held.hold();
  api_answer first;
  std::thread asking([&] { first = api_client(held.node).post("/v1/ids/uin", {{"count", 2}}, key); });
  ASSERT_TRUE(held.in_flight(1));
  std::atomic<bool> answered{false};
  api_answer second;
  std::thread asking_again([&] {
    second = api_client(held.node).post("/v1/ids/uin", {{"count", 2}}, key);
    answered = true;
  });
  ASSERT_TRUE(held.in_flight(2, [&] { return answered.load(); }));
  held.release();
  asking.join();
  asking_again.join();
  ASSERT_EQ(first.status, 201) << first.shown();
  EXPECT_EQ(second.status, 409) << second.shown();
  EXPECT_EQ(second.code(), "idempotency_running");
  api_client client(held.node);
  const auto third = client.post("/v1/ids/uin", {{"count", 2}}, key);
  EXPECT_EQ(third.body, first.body);
  EXPECT_EQ(third.header("Idempotent-Replayed"), "true");
}

TEST(node_whose_disk_is_slow, says_that_the_outcome_is_unknown_after_the_deadline_and_the_key_is_safe) {
  held_node held;
  const http_headers key = {{"Idempotency-Key", "too slow"}, {"X-Request-Timeout-Ms", "300"}};
  held.hold();
  api_client client(held.node);
  const auto late = client.post("/v1/ids/uin", nullptr, key);
  EXPECT_EQ(late.status, 503) << late.shown();
  EXPECT_EQ(late.code(), "outcome_unknown");
  held.release();
  api_answer again;
  ASSERT_TRUE(eventually([&] {
    again = client.post("/v1/ids/uin", nullptr, {{"Idempotency-Key", "too slow"}});
    return again.status == 201;
  })) << again.shown();
  EXPECT_EQ(again.header("Idempotent-Replayed"), "true") << "it had been done";
  EXPECT_EQ(client.get("/v1/ids/uin")().at("issues_total"), 1);
}

TEST(stopping_node, finishes_what_is_in_flight_and_takes_nothing_new) {
  held_node held;
  held.hold();
  api_answer in_flight;
  std::thread asking([&] { in_flight = api_client(held.node).post("/v1/ids/uin", {{"count", 3}}); });
  ASSERT_TRUE(held.in_flight(1));
  http_client known(held.node.port(), held.node.token());
  ASSERT_EQ(known.send({.target = "/readyz"}).value_or(http_answer{}).status, 200);
  held.node.signal(SIGTERM);
  // Whoever asks now is not told that the node is ready: neither a new connection nor one that is kept alive.
  EXPECT_TRUE(eventually([&] {
    http_client fresh(held.node.port());
    const auto answer = fresh.send({.target = "/readyz"});
    return !answer || answer->status == 503;
  }));
  const auto kept = known.send({.target = "/readyz"});
  EXPECT_TRUE(!kept || kept->status == 503) << kept->status;
  EXPECT_TRUE(held.node.running());
  held.release();
  asking.join();
  EXPECT_EQ(in_flight.status, 201) << in_flight.shown();
  EXPECT_EQ(held.node.wait_for_end(std::chrono::seconds(30)), 0) << held.node.log_tail();
  EXPECT_TRUE(held.node.logged("node.stopped")) << held.node.log_tail();
  held.node.start();
  for (const auto& id : in_flight().at("ids"))
    EXPECT_EQ(api_client(held.node).get("/v1/ids/uin/" + id.get<std::string>())().at("state"), "ISSUED");
}

TEST(stopping_node, ends_at_once_at_the_second_signal) {
  held_node held;
  held.hold();
  std::thread asking([&] {
    http_client http(held.node.port(), held.node.token());
    (void)http.send({.method = "POST", .target = "/v1/ids/uin"});
  });
  ASSERT_TRUE(held.in_flight(1));
  held.node.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return held.node.logged("node.stopping"); }));
  EXPECT_TRUE(held.node.running());
  held.node.signal(SIGTERM);
  EXPECT_TRUE(held.node.wait_for_end(std::chrono::seconds(10)).has_value()) << held.node.log_tail();
  asking.join();
}

TEST_F(running_node, makes_a_backup_that_another_node_starts_from) {
  const auto id = client_.issue("uin").front();
  const scratch_directory elsewhere;
  const auto directory = (elsewhere / "backup").string();
  const auto made = client_.post("/v1/backups", {{"directory", directory}});
  ASSERT_EQ(made.status, 201) << made.shown();
  EXPECT_GT(made().at("files").get<int>(), 0);
  for (const auto& wrong : {json{{"directory", "relative"}}, json{{"directory", ""}}, json::object()})
    EXPECT_EQ(client_.post("/v1/backups", wrong).status, 422) << wrong;
  EXPECT_NE(client_.post("/v1/backups", {{"directory", directory}}).status, 201) << "into a directory that is in use";

  auto options = small_world();
  options.data = elsewhere / "restored";
  node_process other(options);
  const auto done = run_command({matricula_binary(), "restore", "--from", directory, "--data", options.data.string()});
  ASSERT_EQ(done.status, 0) << done.errors;
  const auto verified = run_command({matricula_binary(), "verify", "--data", options.data.string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  std::filesystem::copy_file(node().key_file(), other.key_file(), std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(other.launch()) << "nobody has said yet what was issued since";
  EXPECT_NE(other.log().find("settle-restore"), std::string::npos) << other.log_tail();
  other.write_config(*options.config);
  const auto settled = run_command({matricula_binary(), "settle-restore", "--config", other.config_file().string(),
                                    "--set", "identifiers.key_file=" + other.key_file().string(), "--data",
                                    options.data.string(), "--skip", "0"});
  ASSERT_EQ(settled.status, 0) << settled.output << settled.errors;
  other.start();
  EXPECT_EQ(api_client(other).get("/v1/ids/uin/" + id)().at("state"), "ISSUED");
}

TEST_F(running_node, is_backed_up_by_the_command_into_a_directory_of_any_name) {
  const scratch_directory elsewhere;
  const auto to = (elsewhere / "monday \"1\" \\ caf\xC3\xA9").string();
  const auto done =
      run_command({matricula_binary(), "backup", "--url", "http://127.0.0.1:" + std::to_string(node().port()),
                   "--token", node().token(), "--to", to});
  EXPECT_EQ(done.status, 0) << done.output << done.errors;
  EXPECT_EQ(json::parse(done.output).at("directory"), to);
  EXPECT_TRUE(std::filesystem::exists(to + "/MANIFEST.matricula"));
  // What cannot be a name is refused by the node, in its own words, and not as broken JSON.
  const auto odd =
      run_command({matricula_binary(), "backup", "--url", "http://127.0.0.1:" + std::to_string(node().port()),
                   "--token", node().token(), "--to", (elsewhere / "a\nb").string()});
  EXPECT_EQ(odd.status, 1);
  EXPECT_EQ(json::parse(odd.errors).at("status"), 422) << odd.errors;
  const auto not_text =
      run_command({matricula_binary(), "backup", "--url", "http://127.0.0.1:" + std::to_string(node().port()),
                   "--token", node().token(), "--to", (elsewhere / "a\xFF").string()});
  EXPECT_EQ(not_text.status, 1);
  EXPECT_NE(not_text.errors.find("UTF-8"), std::string::npos) << not_text.errors;
}

TEST(tools_of_a_stopped_node, make_no_store_where_there_is_none) {
  const scratch_directory here;
  std::filesystem::create_directory(here / "empty");
  std::filesystem::create_directory(here / "other");
  std::ofstream(here / "other" / "letter.txt") << "Dear";
  for (const auto* name : {"mistyped", "empty", "other"}) {
    const auto data = (here / name).string();
    const auto copied = run_command({matricula_binary(), "backup", "--data", data, "--to", (here / "to").string()});
    EXPECT_EQ(copied.status, 1) << name;
    EXPECT_NE(copied.errors.find("There is no store in " + data), std::string::npos) << copied.errors;
    EXPECT_FALSE(std::filesystem::exists(here / "to")) << name;
  }
  EXPECT_TRUE(std::filesystem::is_empty(here / "empty"));
  const auto data = (here / "mistyped").string();
  EXPECT_EQ(run_command({matricula_binary(), "verify", "--data", data}).status, 1);
  EXPECT_EQ(run_command({matricula_binary(), "inspect-store", "meta", "--data", data}).status, 1);
  EXPECT_FALSE(std::filesystem::exists(data));
}

TEST(verifying_a_stopped_node, says_whether_the_key_was_at_hand) {
  node_process node(small_world());
  node.start();
  (void)api_client(node).issue("uin", 3);
  EXPECT_EQ(node.stop(), 0);
  std::vector<std::string> words = {
      matricula_binary(), "verify", "--json", "--config", node.config_file().string(), "--data", node.data().string()};
  const auto without = run_command(words);
  ASSERT_EQ(without.status, 0) << without.output << without.errors;
  const auto skipped = json::parse(without.output);
  EXPECT_EQ(skipped.at("ok"), true);
  EXPECT_EQ(skipped.at("key_check").at("done"), false);
  EXPECT_NE(skipped.at("key_check").at("why_not").get<std::string>().find("key"), std::string::npos);
  words.insert(words.end(), {"--set", "identifiers.key_file=" + node.key_file().string()});
  const auto with = run_command(words);
  ASSERT_EQ(with.status, 0) << with.output << with.errors;
  EXPECT_EQ(json::parse(with.output).at("key_check"), (json{{"done", true}}));
}

TEST(dead_letters, are_listed_and_not_found) {
  node_process node(small_world());
  node.start();
  api_client client(node);
  const auto page = client.get("/v1/dead-letters?limit=5");
  ASSERT_EQ(page.status, 200) << page.shown();
  EXPECT_TRUE(page().at("items").empty());
  for (const auto* query : {"limit=0", "limit=1001", "limit=x", "colour=red"})
    EXPECT_EQ(client.get(std::string("/v1/dead-letters?") + query).status, 400) << query;
  for (const auto* id : {"0", "nothing", "01M80Y7G3825HXWQVV1RYADWDW"}) {
    EXPECT_EQ(client.get(std::string("/v1/dead-letters/") + id).status, 404) << id;
    EXPECT_EQ(client.post(std::string("/v1/dead-letters/") + id + "/replay", {{"reason", "r"}}).status, 404) << id;
    EXPECT_EQ(client.post(std::string("/v1/dead-letters/") + id + "/discard", {{"reason", "r"}}).status, 404) << id;
  }
}

} // namespace matricula::test
