#include "api/application.hpp"
#include "api/json.hpp"
#include "api/openapi.hpp"
#include "api/resources/actors.hpp"
#include "api/resources/configuration.hpp"
#include "api/resources/dead_letters.hpp"
#include "api/resources/identifiers.hpp"
#include "api/resources/operations.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <cmath>
#include <limits>
#include <set>

namespace matricula::api {
namespace {

class actors_of_a_test final : public actor_desk {
public:
  [[nodiscard]] std::vector<runtime::actor_snapshot> list() const override { return actors; }
  [[nodiscard]] std::optional<runtime::actor_snapshot> find(std::string_view path) const override {
    for (const auto& actor : actors)
      if (actor.path == path) return actor;
    return std::nullopt;
  }
  [[nodiscard]] std::vector<runtime::recent_message> recent(std::string_view) const override {
    return {{.type = "issue",
             .size_bytes = 12,
             .began = std::chrono::nanoseconds(1),
             .taken = std::chrono::milliseconds(2)}};
  }
  [[nodiscard]] result<std::string> inspect(std::string_view, std::chrono::milliseconds) const override { return self; }
  [[nodiscard]] result<std::uint64_t> act(std::string_view path, action what, std::chrono::milliseconds) override {
    done.emplace_back(std::string(path), what);
    return refuse_with ? result<std::uint64_t>(std::unexpected(*refuse_with)) : 5;
  }
  void add(std::string path) {
    runtime::actor_snapshot actor;
    actor.path = std::move(path);
    actor.kind = "k";
    actor.state = runtime::actor_state::running;
    actors.push_back(std::move(actor));
  }

  std::vector<runtime::actor_snapshot> actors;
  result<std::string> self = std::string(R"({"level":3})");
  std::vector<std::pair<std::string, action>> done;
  std::optional<error> refuse_with;
};

class letters_of_a_test final : public dead_letter_desk {
public:
  [[nodiscard]] result<dead_letter_page> list(const dead_letter_query& query) const override {
    asked = query;
    return dead_letter_page{{one}, "next"};
  }
  [[nodiscard]] result<kept_dead_letter> find(std::string_view id) const override {
    if (id != one.id) return fail(errc::not_found, "No such dead letter.");
    return one;
  }
  [[nodiscard]] result<void> replay(std::string_view id, std::chrono::nanoseconds) override {
    if (one.replayed) return fail(errc::conflict, "It was replayed already.");
    one.replayed = true;
    done.push_back("replay " + std::string(id));
    return {};
  }
  [[nodiscard]] result<void> discard(std::string_view id, std::chrono::nanoseconds) override {
    done.push_back("discard " + std::string(id));
    return {};
  }
  kept_dead_letter one{"d1", {}, {}};
  mutable dead_letter_query asked;
  std::vector<std::string> done;
};

class resources_test : public testing::Test {
protected:
  resources_test() {
    letters.one.letter.actor_path = "root/pool";
    letters.one.letter.message_type = "issue";
    letters.one.letter.reason = "personal reason";
    letters.one.letter.payload = "personal payload";
    letters.one.letter.replayable = true;
    // The order of an std::map of paths: '-' stands before '/'.
    for (const auto* path : {"root", "root/a", "root/a-b", "root/a/x", "root/a/x/y", "root/b"}) desk.add(path);
    const auto audit = [this](const audit_entry& entry) -> result<void> {
      if (audit_fails) return fail(errc::unavailable, "The audit log is down.");
      audited.push_back(entry);
      return {};
    };
    add(operations_routes({.ready = {{"store", [this] { return store; }}},
                           .numbers = &numbers,
                           .before_metrics = {[this] { ++updates; }}}));
    add(configuration_routes(
        {.settings = [] { return R"({"http":{"port":1}})"; }, .reload = [this] { return reloaded; }, .audit = audit}));
    add(actor_routes(desk, audit, time));
    add(dead_letter_routes(letters, audit));
  }
  void add(std::vector<route> routes) {
    const auto ok = app.add(std::move(routes));
    EXPECT_TRUE(ok) << (ok ? "" : ok.error().message);
  }
  response ask(const std::string& method, const std::string& target, const std::string& body = "") {
    request_from_text what(method, target, {{"Content-Type", "application/json"}, {"X-Request-Id", "r1"}}, body);
    return app.answer(what);
  }

  metrics numbers;
  system_clock time;
  open_authenticator everyone;
  application app{{.limits = {.access_log = false}, .open_routes = {}}, everyone, numbers, time};
  result<void> store;
  int updates = 0;
  result<std::vector<std::string>> reloaded = std::vector<std::string>{"http.deadline_ms"};
  actors_of_a_test desk;
  letters_of_a_test letters;
  std::vector<audit_entry> audited;
  bool audit_fails = false;
};

TEST_F(resources_test, every_route_is_described_with_its_scope) {
  const auto text = YAML::Load(std::string(openapi_yaml));
  std::map<std::string, std::string> described;
  for (const auto& path : text["paths"])
    for (const auto& operation : path.second) {
      const auto method = operation.first.as<std::string>();
      if (method == "parameters") continue;
      described[method + " " + path.first.as<std::string>()] = operation.second["x-scope"].as<std::string>();
    }
  for (const auto* route : app.routes()) {
    auto name = route->method + " " + route->path;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (const auto rest = name.find("...}"); rest != std::string::npos) name.erase(rest, 3);
    ASSERT_TRUE(described.contains(name)) << name << " is not in openapi.yaml";
    EXPECT_EQ(described[name], route->scope.empty() ? "none" : route->scope) << name;
  }
}

TEST_F(resources_test, is_healthy_when_it_answers_and_ready_when_every_check_passes) {
  EXPECT_EQ(ask("GET", "/healthz").body, R"({"status":"ok"})");
  EXPECT_EQ(ask("GET", "/readyz").body, R"({"ready":true,"checks":["store"]})");
  store = fail(errc::unavailable, "The store is opening.");
  const auto not_ready = ask("GET", "/readyz");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_TRUE(not_ready.body.contains("store: The store is opening.")) << not_ready.body;
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(resources_test, shows_its_numbers_and_its_description) {
  const auto shown = ask("GET", "/metrics");
  EXPECT_TRUE(shown.body.contains("matricula_http_requests_total"));
  EXPECT_EQ(shown.content_type, "text/plain; version=0.0.4");
  EXPECT_EQ(updates, 1);
  EXPECT_EQ(ask("GET", "/openapi.yaml").body, openapi_yaml);
}

TEST_F(resources_test, shows_and_reloads_the_configuration) {
  EXPECT_EQ(ask("GET", "/v1/config").body, R"({"settings":{"http":{"port":1}}})");
  EXPECT_EQ(ask("POST", "/v1/config/reload").body, R"({"changed":["http.deadline_ms"]})");
  ASSERT_EQ(audited.size(), 1u);
  EXPECT_EQ(audited[0].action, "config.reload");
  reloaded = fail(errc::invalid_argument, "matricula.toml: http.deadline_ms must be 1 or more.");
  EXPECT_EQ(ask("POST", "/v1/config/reload").status, 422);
}

TEST_F(resources_test, shows_the_actors_as_a_tree) {
  const auto tree = json::parse(ask("GET", "/v1/actors").body);
  ASSERT_TRUE(tree);
  /// "path(children)" of a list of nodes.
  const auto draw = [](const auto& self, const json::value& list) -> std::string {
    std::string text;
    for (const auto& node : *list.as<json::value::array>()) {
      std::string path;
      std::string below;
      for (const auto& [name, held] : *node.as<json::value::object>()) {
        if (name == "path") path = *held.template as<std::string>();
        if (name == "children") below = self(self, held);
      }
      text += path + "(" + below + ")";
    }
    return text;
  };
  EXPECT_EQ(draw(draw, tree->as<json::value::object>()->front().held),
            "root(root/a(root/a/x(root/a/x/y()))root/a-b()root/b())");
}

TEST_F(resources_test, shows_one_actor_with_what_it_tells_about_itself) {
  const auto shown = ask("GET", "/v1/actors/root/a/x");
  EXPECT_EQ(shown.status, 200);
  EXPECT_TRUE(shown.body.contains(R"("path":"root/a/x")")) << shown.body;
  EXPECT_TRUE(shown.body.contains(R"("self":{"level":3})")) << shown.body;
  EXPECT_TRUE(shown.body.contains(R"("recent":[{"type":"issue","size_bytes":12,)")) << shown.body;
  EXPECT_TRUE(json::parse(shown.body));
  EXPECT_EQ(ask("GET", "/v1/actors/root/none").status, 404);
}

TEST_F(resources_test, shows_an_actor_that_cannot_answer) {
  desk.self = fail(errc::deadline_exceeded, "It is busy.");
  EXPECT_TRUE(ask("GET", "/v1/actors/root").body.contains(R"("self_missing":"It is busy.")"));
  desk.self = "no { json";
  EXPECT_TRUE(json::parse(ask("GET", "/v1/actors/root").body));
}

TEST_F(resources_test, acts_on_an_actor_after_the_audit) {
  const auto answer = ask("POST", "/v1/actors/root/a/x/kill", R"({"reason":"it leaks"})");
  EXPECT_EQ(answer.body, R"({"path":"root/a/x","action":"kill","generation":5,"state":"running"})");
  ASSERT_EQ(desk.done.size(), 1u);
  EXPECT_EQ(desk.done[0], std::make_pair(std::string("root/a/x"), actor_desk::action::kill));
  ASSERT_EQ(audited.size(), 1u);
  EXPECT_EQ(audited[0].principal, "local");
  EXPECT_EQ(audited[0].action, "actor.kill");
  EXPECT_EQ(audited[0].subject, "root/a/x");
  EXPECT_EQ(audited[0].reason, "it leaks");
  EXPECT_EQ(audited[0].request_id, "r1");
  for (const auto* verb : {"restart", "stop", "start"})
    EXPECT_EQ(ask("POST", std::string("/v1/actors/root/") + verb, R"({"reason":"x"})").status, 200) << verb;
  EXPECT_EQ(desk.done.size(), 4u);
}

TEST_F(resources_test, does_nothing_to_an_actor_without_a_reason_or_a_record) {
  EXPECT_EQ(ask("POST", "/v1/actors/root/kill").status, 400);
  EXPECT_EQ(ask("POST", "/v1/actors/root/kill", "{}").status, 422);
  EXPECT_EQ(ask("POST", "/v1/actors/root/kill", R"({"reason":""})").status, 422);
  EXPECT_EQ(ask("POST", "/v1/actors/root/kill", R"({"reason":"x","force":true})").status, 422);
  EXPECT_EQ(ask("POST", "/v1/actors/none/kill", R"({"reason":"x"})").status, 404);
  EXPECT_EQ(ask("GET", "/v1/actors/none/kill").status, 404);
  EXPECT_TRUE(audited.empty());
  audit_fails = true;
  EXPECT_EQ(ask("POST", "/v1/actors/root/kill", R"({"reason":"x"})").status, 503);
  EXPECT_TRUE(desk.done.empty());
}

TEST_F(resources_test, passes_on_why_an_actor_cannot_be_acted_on) {
  desk.refuse_with = error{errc::conflict, "It is the root.", std::nullopt};
  EXPECT_EQ(ask("POST", "/v1/actors/root/kill", R"({"reason":"x"})").status, 409);
}

TEST_F(resources_test, lists_dead_letters_without_their_content) {
  const auto page = ask("GET", "/v1/dead-letters?actor=root/pool&limit=7&cursor=c%201");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(letters.asked.actor, "root/pool");
  EXPECT_EQ(letters.asked.items_max, 7u);
  EXPECT_EQ(letters.asked.cursor, "c 1");
  EXPECT_TRUE(page.body.contains(R"("next_cursor":"next")"));
  EXPECT_FALSE(page.body.contains("personal"));
  EXPECT_FALSE(page.body.contains("706572736f6e616c"));
  for (const auto* bad : {"0", "1001", "x", "", "-1"})
    EXPECT_EQ(ask("GET", std::string("/v1/dead-letters?limit=") + bad).status, 400) << bad;
}

TEST_F(resources_test, shows_the_content_of_a_dead_letter_to_its_scope_only) {
  EXPECT_TRUE(ask("GET", "/v1/dead-letters/d1").body.contains("personal reason"));
  class reader final : public authenticator {
    [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming&, timestamp) const override {
      return std::make_shared<const principal>(principal{"reader", "default", {"dead-letters:read"}});
    }
  } reads;
  application guarded({.limits = {.access_log = false}, .open_routes = {}}, reads, numbers, time);
  ASSERT_TRUE(guarded.add(dead_letter_routes(letters, [](const audit_entry&) -> result<void> { return {}; })));
  request_from_text what("GET", "/v1/dead-letters/d1");
  const auto shown = guarded.answer(what);
  EXPECT_EQ(shown.status, 200);
  EXPECT_FALSE(shown.body.contains("content")) << shown.body;
}

TEST_F(resources_test, replays_a_dead_letter_once_and_discards_it) {
  const std::string why = R"({"reason":"fixed"})";
  EXPECT_EQ(ask("POST", "/v1/dead-letters/d1/replay", why).body, R"({"id":"d1","action":"replay"})");
  EXPECT_EQ(ask("POST", "/v1/dead-letters/d1/replay", why).status, 409);
  EXPECT_TRUE(ask("GET", "/v1/dead-letters/d1").body.contains(R"("replayable":false)"));
  EXPECT_EQ(ask("POST", "/v1/dead-letters/d1/discard", why).status, 200);
  EXPECT_EQ(letters.done, (std::vector<std::string>{"replay d1", "discard d1"}));
  EXPECT_EQ(ask("POST", "/v1/dead-letters/d2/replay", why).status, 404);
  EXPECT_EQ(ask("POST", "/v1/dead-letters/d1/replay", "{}").status, 422);
  ASSERT_EQ(audited.size(), 3u);
  EXPECT_EQ(audited[0].action, "dead_letter.replay");
  EXPECT_EQ(audited[2].subject, "d1");
}

TEST(capacity, is_a_whole_number_of_64_bits_whatever_the_type) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(whole_capacity(0), 0);
  EXPECT_EQ(whole_capacity(464.5), 465);
  EXPECT_EQ(whole_capacity(8'423'121'967.0), 8'423'121'967);
  EXPECT_EQ(whole_capacity(std::nextafter(0x1p63, 0)), most - 1023);
  for (const double more : {0x1p63, 0x1p64, 1.8e19, 1e32, std::numeric_limits<double>::infinity()})
    EXPECT_EQ(whole_capacity(more), most) << more;
  EXPECT_EQ(whole_capacity(-1), 0);
  EXPECT_EQ(whole_capacity(std::numeric_limits<double>::quiet_NaN()), 0);
}

} // namespace
} // namespace matricula::api
