/// A node with worker types that try again soon, and a worker that speaks to it over HTTP.
#pragma once
#include "foundation/clock.hpp"
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <vector>

namespace matricula::test {

/// Each test has a type of its own, so that none takes the tasks of another.
[[nodiscard]] inline node_options task_world(const std::vector<std::string>& types, std::string_view more = "") {
  node_options options;
  options.config.emplace();
  for (const auto& type : types)
    *options.config += "[tasks.types." + type + "]\nbackoff_first_ms = 1\nbackoff_max_ms = 5\nnot_yet_ms = 1\n";
  *options.config += more;
  options.sets = small_pools();
  return options;
}

/// Queues and works at tasks. Whatever it gets wrong fails the test and throws.
class task_client {
public:
  explicit task_client(const node_process& node) : client_(node) {}
  [[nodiscard]] api_client& http() noexcept { return client_; }

  /// A new task, as the answer shows it.
  nlohmann::json enqueue(const std::string& type, nlohmann::json payload = nlohmann::json::object(),
                         const nlohmann::json& more = nlohmann::json::object()) {
    if (payload.is_null()) payload = nlohmann::json::object();
    nlohmann::json body = {{"worker_type", type}, {"worker_payload", std::move(payload)}};
    if (!more.is_null()) body.update(more);
    return expect(client_.post("/v1/tasks", body), 201);
  }
  nlohmann::json look(const nlohmann::json& task) { return expect(client_.get(path(task)), 200); }
  nlohmann::json lease(const std::string& type, const nlohmann::json& more = nlohmann::json::object()) {
    nlohmann::json body = {{"worker", "w1"}};
    body.update(more);
    return expect(client_.post("/v1/queues/" + type + "/lease", body), 200).at("items");
  }
  /// Waits until there is one.
  nlohmann::json lease_one(const std::string& type, nlohmann::json more = nlohmann::json::object()) {
    more["wait_seconds"] = 4;
    nlohmann::json items;
    EXPECT_TRUE(eventually([&] { return !(items = lease(type, more)).empty(); })) << "nothing of " << type;
    return items.at(0);
  }
  api_answer act(const nlohmann::json& task, const std::string& what, const nlohmann::json& body = nullptr) {
    return client_.post(path(task) + "/" + what, body);
  }
  api_answer complete(const nlohmann::json& leased, nlohmann::json more = nlohmann::json::object()) {
    more["token"] = leased.at("token");
    return act(leased, "complete", more);
  }
  api_answer fail(const nlohmann::json& leased, nlohmann::json more = nlohmann::json::object()) {
    more["token"] = leased.at("token");
    if (!more.contains("error")) more["error"] = "it did not work";
    return act(leased, "fail", more);
  }
  nlohmann::json queue(const std::string& type) {
    const auto queues = expect(client_.get("/v1/queues"), 200);
    for (const auto& one : queues.at("items"))
      if (one.at("worker_type") == type) return one;
    throw std::runtime_error("no queue of " + type);
  }

  static std::uint64_t id_of(const nlohmann::json& task) { return task.at("id").get<std::uint64_t>(); }
  static std::string path(const nlohmann::json& task) { return "/v1/tasks/" + std::to_string(id_of(task)); }
  static nlohmann::json expect(const api_answer& answer, int status) {
    EXPECT_EQ(answer.status, status) << answer.shown();
    if (answer.status != status) throw std::runtime_error("not the answer: " + answer.shown());
    return answer();
  }

private:
  api_client client_;
};

/// Stops the node and has `matricula verify` look at what it left behind.
inline void expect_sound_store(node_process& node) {
  EXPECT_EQ(node.stop(), 0) << node.log_tail();
  const auto verified =
      run_command({matricula_binary(), "verify", "--data", node.data().string(), "--set",
                   "identifiers.key_file=" + node.key_file().string(), "--config", node.config_file().string()});
  EXPECT_EQ(verified.status, 0) << verified.output << verified.errors;
  EXPECT_THAT(verified.output, testing::HasSubstr("  registrants\n"));
}

/// So long after now, as RFC 3339.
[[nodiscard]] inline std::string from_now(milliseconds after) { return to_rfc3339(system_clock{}.wall() + after); }

} // namespace matricula::test
