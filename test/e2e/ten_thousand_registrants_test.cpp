// Ten thousand registrants and a slow generator of another system that fails now and then, while workers and nodes are
// killed: each gets one ID for ever, and what the generator gave away beside these is on the node's list of doubts.
#include "test/e2e/task_world.hpp"
#include "test/support/fault_generator.hpp"

#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <random>
#include <set>

namespace matricula::test {

using nlohmann::json;
using namespace nlohmann::literals;

namespace {

constexpr unsigned all = 10'000;
constexpr unsigned calls_max = 24;
constexpr std::string_view workers_path = "root/domain/tasks/id_generation_";

fault_generator_options slow_and_faulty() {
  using enum fault;
  return {.needs_token = true,
          .latency = std::chrono::milliseconds(20),
          .delay = std::chrono::milliseconds(100),
          .faults_per_mille = 20,
          .random_faults = {reset_before, server_error_before, pool_empty, token_expired, delayed, doubled, lost,
                            reset_after, server_error_after, errors_in_200, garbage, truncated},
          .seed = 20'261'122};
}

class ten_thousand_registrants : public ::testing::Test {
protected:
  void TearDown() override {
    EXPECT_FALSE(node_.logged("unreadable_row"));
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }
  [[nodiscard]] node_options options() const {
    std::string config = "[tasks]\nbeat = \"*/2 * * * * *\"\n";
    for (const auto* type : {"id_generation_request_worker", "id_generation_update_worker"})
      config +=
          std::string("[tasks.types.") + type + "]\nmax_attempts = 20\nbackoff_first_ms = 1\nbackoff_max_ms = 100\n";
    config += "[generators.mosip]\nkind = \"mosip\"\nurl = \"" + other_.mosip_url() + "\"\ntoken_url = \"" +
              other_.token_url() + "\"\nclient_id = \"matricula\"\nclient_secret_env = \"MOSIP_SECRET\"\ncalls_max = " +
              std::to_string(calls_max) + "\n[registrants.kinds.resident]\ngenerator = \"mosip\"\n";
    node_options o;
    o.config = config;
    o.environment = {"MOSIP_SECRET=a secret & more"};
    o.sets = small_pools();
    return o;
  }
  json get(const std::string& target) {
    const auto answer = http_->send({.target = target});
    EXPECT_TRUE(answer && answer->status == 200) << target;
    return answer ? json::parse(answer->body, nullptr, false) : json();
  }
  void begin() {
    node_.start();
    http_.emplace(node_.port(), node_.token());
  }
  void kill_the_node() {
    node_.kill();
    ++node_kills_;
    begin();
  }
  void kill_a_worker() {
    if (workers_.empty()) {
      const auto tree = get("/v1/actors");
      for (const auto& top : tree.at("items")) add_workers(top);
    }
    ASSERT_FALSE(workers_.empty());
    const auto& path = workers_.at(random_() % workers_.size());
    const auto killed =
        http_->send({.method = "POST", .target = "/v1/actors/" + path + "/kill", .body = R"({"reason":"a test"})"});
    if (killed && killed->status == 200) ++worker_kills_;
  }
  void create(unsigned from, unsigned to) {
    std::string lines;
    for (auto i = from; i < to; ++i)
      lines += json{{"kind", "resident"}, {"reference", "r-" + std::to_string(i)}}.dump() + "\n";
    const auto made = http_->send({.method = "POST",
                                   .target = "/v1/registrants",
                                   .body = std::move(lines),
                                   .content_type = "application/x-ndjson"});
    ASSERT_TRUE(made && made->status == 200) << (made ? made->body : "no answer");
    EXPECT_EQ(json::parse(made->body).at("created"), to - from);
  }
  /// Looks at every registrant: an ID that was there once is there for ever.
  void watch() {
    std::map<std::uint64_t, std::string> now;
    std::string cursor;
    for (;;) {
      const auto page = get("/v1/registrants?limit=1000" + cursor);
      for (const auto& one : page.at("items"))
        if (one.contains("unique_id"))
          now.emplace(one.at("registrant_id").get<std::uint64_t>(), one.at("unique_id").get<std::string>());
      if (!page.contains("next_cursor")) break;
      cursor = "&cursor=" + page.at("next_cursor").get<std::string>();
    }
    for (const auto& [registrant, id] : ids_) {
      const auto found = now.find(registrant);
      ASSERT_TRUE(found != now.end()) << "registrant " << registrant << " had an ID and has none";
      ASSERT_EQ(found->second, id) << "the ID of registrant " << registrant << " has changed";
    }
    ids_ = std::move(now);
    const auto beat = get("/v1/actors/root/domain/tasks/queue").value("/self/last_beat"_json_pointer, json());
    if (beat.is_string()) beats_.insert(beat.get<std::string>());
  }
  void add_workers(const json& actor) {
    const auto path = actor.at("path").get<std::string>();
    if (path.starts_with(workers_path) && actor.at("children").empty()) workers_.push_back(path);
    for (const auto& child : actor.at("children")) add_workers(child);
  }
  /// How many tasks of a worker type are in that state, whatever queues of it there are.
  std::uint64_t tasks(std::string_view type, const std::string& state) {
    std::uint64_t n = 0;
    const auto queues = get("/v1/queues");
    for (const auto& one : queues.at("items"))
      if (one.at("worker_type").get<std::string>().starts_with(type)) n += one.at(state).get<std::uint64_t>();
    return n;
  }
  std::uint64_t confirmed() { return tasks("id_generation_update_worker", "completed"); }
  std::uint64_t in_doubt() {
    std::uint64_t calls = 0;
    std::string cursor;
    for (;;) {
      const auto page = get("/v1/generator-calls?state=in_doubt&limit=1000" + cursor);
      calls += page.at("items").size();
      if (!page.contains("next_cursor")) return calls;
      cursor = "&cursor=" + page.at("next_cursor").get<std::string>();
    }
  }

  fault_generator other_{slow_and_faulty()};
  node_process node_{options()};
  std::optional<http_client> http_;
  std::mt19937_64 random_{4};
  std::map<std::uint64_t, std::string> ids_;
  std::set<std::string> beats_;
  std::vector<std::string> workers_;
  unsigned node_kills_ = 0, worker_kills_ = 0;
};

} // namespace

TEST_F(ten_thousand_registrants, have_one_id_each_whoever_is_killed_and_all_that_was_given_is_accounted_for) {
  begin();
  for (unsigned from = 0; from < all; from += 1'000) ASSERT_NO_FATAL_FAILURE(create(from, from + 1'000));
  for (unsigned next = 500; next <= all; next += 500) {
    ASSERT_TRUE(eventually([&] { return confirmed() >= next; }, std::chrono::seconds(60)))
        << confirmed() << " of " << next;
    ASSERT_NO_FATAL_FAILURE(watch());
    if (next == 3'000 || next == 7'000)
      kill_the_node();
    else
      ASSERT_NO_FATAL_FAILURE(kill_a_worker());
  }
  ASSERT_NO_FATAL_FAILURE(watch());
  EXPECT_GE(worker_kills_, 15U);
  EXPECT_GE(beats_.size(), 3U);

  // Everybody has an ID of his own, from that generator, which knows that it is in use.
  std::set<std::string> distinct;
  for (const auto& [registrant, id] : ids_) distinct.insert(id);
  EXPECT_EQ(ids_.size(), all);
  EXPECT_EQ(distinct.size(), all);
  const auto issued = other_.issued();
  const std::set<std::string> given(issued.begin(), issued.end());
  for (const auto& id : distinct) ASSERT_TRUE(given.contains(id)) << "an ID that nobody issued";
  EXPECT_EQ(other_.assigned(), all);
  for (const auto* type : {"id_generation_request_worker", "id_generation_update_worker"}) {
    EXPECT_EQ(tasks(type, "completed"), all) << type;
    for (const auto* state : {"pending", "running", "failed", "cancelled"})
      EXPECT_EQ(tasks(type, state), 0U) << type << ' ' << state;
  }

  // What it gave to nobody, and what it did not give without saying so, are calls in doubt, each one of its own. Beside
  // them only calls that were on their way when a node was killed.
  const auto unused = other_.consumed() - all;
  const auto least = unused + other_.idle_and_unsaid();
  EXPECT_GT(other_.undelivered(), 30U) << "it fails as it should";
  EXPECT_GE(unused, other_.undelivered());
  EXPECT_GE(in_doubt(), least);
  EXPECT_LE(in_doubt(), least + std::uint64_t{node_kills_} * calls_max);
  EXPECT_LE(other_.most_at_once(), calls_max * 2U) << "those of a killed node may still be answered";
  expect_sound_store(node_);
}

} // namespace matricula::test
