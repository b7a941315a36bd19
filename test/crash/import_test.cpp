// Identifiers are imported from a file while the client and the node are killed: what was imported is there, nothing of
// it is ever issued, and what is issued in the end is exactly the rest of the space.
// MATRICULA_IMPORT_COUNT=10000000 makes it the real thing.
#include "test/support/node_process.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

namespace matricula::test {

using nlohmann::json;

namespace {

/// A type with slightly more identifiers than are imported; counted by hand and by enumeration.
struct space {
  const char* profile;
  int length;
  std::size_t capacity;
};
constexpr space spaces[] = {{"openg2p", 7, 231'359}, {"mosip-vid", 8, 1'444'911}, {"mosip-vid", 9, 10'642'542}};

std::size_t wanted() {
  if (const char* named = std::getenv("MATRICULA_IMPORT_COUNT")) return std::strtoull(named, nullptr, 10);
  return 200'000;
}

/// The most memory that the process ever had, or has now, in MiB.
std::size_t memory_mib(pid_t pid, const std::string& which) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; in >> word;)
    if (word == which + ":") {
      std::size_t kib = 0;
      in >> kib;
      return kib / 1024;
    }
  return 0;
}

class a_large_import : public ::testing::Test {
protected:
  json type() {
    auto client = node.client();
    const auto answer = client.send({.target = "/v1/ids/bulk"});
    return answer && answer->status == 200 ? json::parse(answer->body) : json();
  }
  std::vector<std::string> command(const std::string& file, std::vector<std::string> before = {},
                                   const std::string& give_up_after = "2") {
    for (const auto& word :
         {matricula_binary(), std::string("import"), std::string("--type"), std::string("bulk"), std::string("--file"),
          file, std::string("--url"), "http://127.0.0.1:" + std::to_string(node.port()), std::string("--token"),
          node.token(), std::string("--give-up-after"), give_up_after})
      before.push_back(word);
    return before;
  }

  std::size_t count = wanted();
  const space of = *std::ranges::find_if(spaces, [this](const space& s) { return s.capacity > count; });
  std::string config = "[identifiers.types.bulk]\nlifecycle = \"pool\"\nprofile = \"" + std::string(of.profile) +
                       "\"\nlength = " + std::to_string(of.length) + "\n";
  node_process node{{.config = config, .sets = small_pools()}};
};

} // namespace

TEST_F(a_large_import, survives_the_death_of_client_and_node_and_is_never_issued) {
  node.start();
  const auto file = (node.scratch() / "bulk.ids").string();
  std::vector<bool> imported(static_cast<std::size_t>(std::pow(10, of.length)));
  {
    const auto made = run_command({matricula_binary(), "ids", "generate", "bulk", "--config",
                                   node.config_file().string(), "--count", std::to_string(count)});
    ASSERT_EQ(made.status, 0) << made.errors;
    std::ofstream(file) << made.output;
    std::istringstream lines(made.output);
    for (std::string id; std::getline(lines, id);) imported.at(std::stoull(id)) = true;
  }

  // The client is killed in the middle.
  const auto killed = run_command(command(file, {"timeout", "-s", "KILL", count > 1'000'000 ? "5" : "0.4"}));
  EXPECT_NE(killed.status, 0) << "it was too quick to be killed";
  const auto after_first = type().at("issued").get<std::size_t>();
  std::cout << "imported when the client was killed: " << after_first << "\n";

  // The node is killed in the middle of the rest, and the client gives up.
  std::atomic<bool> over{false};
  finished_command gave_up;
  std::thread client([&] {
    gave_up = run_command(command(file));
    over = true;
  });
  const auto half = after_first + (count - after_first) / 2;
  const bool came_there = eventually(
      [&] {
        const auto now = type();
        return over || (now.is_object() && now.at("issued").get<std::size_t>() >= half);
      },
      std::chrono::minutes(20));
  const auto resident = memory_mib(node.pid(), "VmRSS"), peak = memory_mib(node.pid(), "VmHWM");
  node.kill();
  client.join();
  ASSERT_TRUE(came_there) << gave_up.output << gave_up.errors << node.log_tail();
  EXPECT_EQ(gave_up.status, 1) << gave_up.output << gave_up.errors;
  node.start();
  std::cout << "imported when the node was killed: " << type().at("issued") << " (" << resident << " MiB resident, "
            << peak << " at most)\n";

  const auto began = std::chrono::steady_clock::now();
  const auto before_last = type().at("issued").get<std::size_t>();
  // Millions of rows make the store rewrite its tables now and then: the client tries again until there is room.
  const auto finished = run_command(command(file, {}, "120"));
  EXPECT_EQ(finished.status, 0) << finished.output << finished.errors;
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const auto loaded = type();
  EXPECT_EQ(loaded.at("issued"), count) << finished.output;
  std::cout << finished.output << "the last part: " << static_cast<double>(count - before_last) / seconds
            << " identifiers/s; " << memory_mib(node.pid(), "VmRSS") << " MiB resident, "
            << memory_mib(node.pid(), "VmHWM") << " at most\n";

  std::size_t issued = 0;
  auto asking = node.client();
  unsigned ask = 1'000;
  // A pool of little but imports fills slowly: asked now and then, it has the processors for that.
  const bool all = eventually(
      [&] {
        for (;;) {
          const auto answer = asking.send(
              {.method = "POST", .target = "/v1/ids/bulk", .body = R"({"count":)" + std::to_string(ask) + "}"});
          EXPECT_TRUE(answer) << "no answer";
          if (!answer || answer->status == 410) return true;
          if (answer->status == 422) ask = std::max(ask / 4, 1U); // fewer are left
          if (answer->status == 503) return false;
          if (answer->status != 201) continue;
          const auto given = json::parse(answer->body);
          for (const auto& id : given.at("ids")) {
            auto seen = imported.at(std::stoull(id.get<std::string>()));
            if (seen) {
              ADD_FAILURE() << id << " was imported or issued before";
              return true;
            }
            seen = true;
            ++issued;
          }
        }
      },
      std::chrono::minutes(20));
  EXPECT_TRUE(all) << node.log_tail();
  EXPECT_EQ(issued + count, of.capacity);
  std::cout << "issued the rest, " << issued << ": not one of them imported\n";
  const auto last = type();
  EXPECT_EQ(last.at("exhausted"), true);
  EXPECT_EQ(node.stop(), 0);
  const auto verified =
      run_command({matricula_binary(), "verify", "--data", node.data().string(), "--config",
                   node.config_file().string(), "--set", "identifiers.key_file=" + node.key_file().string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
}

} // namespace matricula::test
