// A node that takes its pool limits from MOSIP's configuration server.
#include "test/e2e/node_fixture.hpp"

#include <gmock/gmock.h>
#include <httplib.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace matricula::test {

namespace {

/// Answers like a Spring Cloud Config server with mosip-config behind it.
class spring_server {
public:
  spring_server() {
    server_.Get("/config/kernel/default/master", [this](const httplib::Request&, httplib::Response& to) {
      const std::scoped_lock hold(guard_);
      to.set_content(document_, "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~spring_server() { stop(); }
  spring_server(const spring_server&) = delete;
  spring_server& operator=(const spring_server&) = delete;

  void stop() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void say(const nlohmann::json& important, const nlohmann::json& others) {
    const nlohmann::json document{
        {"name", "kernel"},
        {"profiles", {"default"}},
        {"label", "master"},
        {"version", "c0ffee"},
        {"state", nullptr},
        {"propertySources",
         {{{"name", "https://git.example/mosip-config/kernel-default.properties"}, {"source", important}},
          {{"name", "https://git.example/mosip-config/application-default.properties"}, {"source", others}}}}};
    const std::scoped_lock hold(guard_);
    document_ = document.dump();
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/config"; }

private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::mutex guard_;
  std::string document_;
};

nlohmann::json setting(api_client& client, const std::string& key) {
  return client.get("/v1/config")().at("settings").at("identifiers.types." + key);
}

} // namespace

TEST(a_configuration_server, gives_limits_at_start_while_running_and_from_what_was_kept) {
  spring_server server;
  server.say({{"mosip.kernel.uin.min-unused-threshold", "${mosip.kernel.uin.min.unused.threshold.override:150}"},
              {"mosip.kernel.uin.uins-to-generate", "300"},
              {"mosip.kernel.vid.time-to-release-after-expiry", "3"},
              {"mosip.kernel.prid.min-unused-threshold", "many"}},
             {{"mosip.kernel.uin.uins-to-generate", "1"}, {"db.password", "another system's secret"}});
  node_process node(small_world());
  node.options().sets.push_back("config_server.url=" + server.url());
  node.options().sets.emplace_back("config_server.refresh_s=1");
  node.start();
  api_client client(node);
  EXPECT_EQ(setting(client, "uin.pool_min").at("value"), 150);
  EXPECT_EQ(setting(client, "uin.pool_target").at("value"), 300) << "the first source wins";
  EXPECT_EQ(setting(client, "uin.pool_min").at("origin"), "configuration server");
  EXPECT_EQ(setting(client, "vid.cool_off_seconds").at("value"), 3 * 86'400);
  EXPECT_EQ(setting(client, "prid.pool_min").at("value"), 1'000) << "what is refused stays as the settings have it";
  EXPECT_THAT(node.log(), testing::HasSubstr("mosip.kernel.prid.min-unused-threshold: found"));

  server.say({{"mosip.kernel.uin.min-unused-threshold", "170"}, {"mosip.kernel.prid.prids-to-generate", "50"}},
             nlohmann::json::object());
  ASSERT_TRUE(eventually([&] { return setting(client, "uin.pool_min").at("value") == 170; }));
  EXPECT_EQ(setting(client, "uin.pool_target").at("value"), 2'000) << "what it says no more is as the settings have it";
  ASSERT_EQ(client.post("/v1/config/reload").status, 200);
  EXPECT_EQ(setting(client, "uin.pool_min").at("value"), 170) << "a reload does not undo it";
  EXPECT_THAT(client.get("/metrics").body, testing::HasSubstr("\nmatricula_config_server_age_seconds "));

  server.stop();
  ASSERT_TRUE(eventually([&] { return node.logged("config_server.failed"); }));
  EXPECT_EQ(setting(client, "uin.pool_min").at("value"), 170);
  ASSERT_EQ(node.stop(), 0);
  node.start();
  api_client later(node);
  EXPECT_TRUE(node.logged("config_server.kept_used"));
  EXPECT_EQ(setting(later, "uin.pool_min").at("value"), 170);
  ASSERT_EQ(node.stop(), 0);
  for (const auto& entry : std::filesystem::directory_iterator(node.data())) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(text.find("another system's secret"), std::string::npos) << entry.path();
  }
}

TEST(a_configuration_server, that_never_was_there_does_not_keep_a_node_from_starting) {
  node_process node(small_world());
  node.options().sets.emplace_back("config_server.url=http://127.0.0.1:1/config");
  node.options().sets.emplace_back("config_server.timeout_ms=500");
  node.options().sets.emplace_back("config_server.user=matricula");
  node.options().environment.emplace_back("MATRICULA_CONFIG_SERVER__PASSWORD=not-to-be-told");
  node.start();
  api_client client(node);
  EXPECT_EQ(setting(client, "uin.pool_min").at("value"), 1'000);
  EXPECT_TRUE(node.logged("config_server.failed"));
  EXPECT_THAT(client.get("/v1/config").body, testing::Not(testing::HasSubstr("not-to-be-told")));
  EXPECT_THAT(node.log(), testing::Not(testing::HasSubstr("not-to-be-told")));
}

} // namespace matricula::test
