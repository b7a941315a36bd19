// Registrants over HTTP: each gets one unique ID, and keeps it, also when the node is killed on the way.
#include "test/e2e/task_world.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>

namespace matricula::test {

using nlohmann::json;

namespace {

class registrants : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>(task_world({}));
    node_->start();
  }
  static void TearDownTestSuite() { node_.reset(); }
  void TearDown() override {
    EXPECT_FALSE(node_->logged("unreadable_row")) << node_->log_tail();
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_->log_tail().c_str());
  }

  static std::string path(const json& registrant) {
    return "/v1/registrants/" + std::to_string(registrant.at("registrant_id").get<std::uint64_t>());
  }
  json create(const json& body, int status = 201) {
    return task_client::expect(client_.post("/v1/registrants", body), status);
  }
  /// The registrant, once its ID has come so far.
  json once(const std::string& state, const json& registrant) {
    json now;
    EXPECT_TRUE(eventually([&] {
      now = client_.get(path(registrant))();
      return now.at("id_state") == state;
    })) << now;
    return now;
  }

  static inline std::unique_ptr<node_process> node_;
  api_client client_ = api_client(*node_);
};

/// `from` to `to` as NDJSON.
std::string lines(unsigned from, unsigned to) {
  std::string out;
  for (auto i = from; i < to; ++i) out += json{{"reference", "ref-" + std::to_string(i)}}.dump() + "\n";
  return out;
}

http_request bulk(std::string body, std::string target = "/v1/registrants/bulk") {
  return {
      .method = "POST", .target = std::move(target), .body = std::move(body), .content_type = "application/x-ndjson"};
}

/// Unique IDs by reference, of all there are.
std::map<std::string, std::string> unique_ids(api_client& client) {
  std::map<std::string, std::string> out;
  std::string cursor;
  for (;;) {
    const auto page = client.get("/v1/registrants?limit=1000" + cursor)();
    for (const auto& one : page.at("items"))
      if (one.contains("unique_id")) out.emplace(one.value("reference", ""), one.at("unique_id"));
    if (!page.contains("next_cursor")) return out;
    cursor = "&cursor=" + page.at("next_cursor").get<std::string>();
  }
}

} // namespace

TEST_F(registrants, get_a_unique_id_that_is_confirmed) {
  const auto made = create({{"kind", "individual"}, {"reference", "p-1"}, {"data", {{"village", 7}}}});
  EXPECT_EQ(made.at("kind"), "individual");
  EXPECT_EQ(made.at("id_type"), "uin");
  const auto found = once("confirmed", made);
  const auto& id = found.at("unique_id").get_ref<const std::string&>();
  EXPECT_EQ(found.at("data"), json({{"village", 7}}));
  EXPECT_EQ(found.at("task_ids").size(), 2U);
  const auto uin = client_.get("/v1/ids/uin/" + id)();
  EXPECT_EQ(uin.at("state"), "ASSIGNED");
  for (const auto& task : found.at("task_ids")) {
    const auto shown = client_.get("/v1/tasks/" + std::to_string(task.get<std::uint64_t>()))();
    EXPECT_EQ(shown.at("task_status"), "COMPLETED");
    EXPECT_EQ(shown.at("number_of_attempts"), 1);
    EXPECT_EQ(shown.at("worker_payload"), json({{"registrant_id", made.at("registrant_id")}}));
  }
  EXPECT_EQ(client_.get("/v1/registrants?unique_id=" + id)().at("items").at(0).at("reference"), "p-1");
  EXPECT_EQ(client_.get("/v1/registrants?reference=p-1")().at("items").at(0).at("unique_id"), id);
  EXPECT_EQ(client_.get("/v1/registrants?reference=p-0")().at("items"), json::array());
}

TEST_F(registrants, of_another_kind_get_ids_of_its_type) {
  const auto found = once("confirmed", create({{"kind", "household"}}));
  EXPECT_EQ(found.at("id_type"), "family_id");
  EXPECT_EQ(found.at("unique_id").get_ref<const std::string&>().size(), 12U);
  const auto unknown = client_.post("/v1/registrants", {{"kind", "herd"}});
  EXPECT_EQ(unknown.status, 422);
  EXPECT_THAT(unknown.body, testing::HasSubstr("household, individual"));
}

TEST_F(registrants, with_a_known_reference_are_found_and_not_changed) {
  const auto first = create({{"reference", "twice"}});
  const auto again = create({{"reference", "twice"}}, 200);
  EXPECT_EQ(again.at("registrant_id"), first.at("registrant_id"));
  EXPECT_EQ(client_.post("/v1/registrants", {{"reference", "twice"}, {"kind", "household"}}).status, 409);
  EXPECT_EQ(client_.post("/v1/registrants", {{"reference", "twice"}, {"data", 1}}).code(), "conflict");
}

TEST_F(registrants, with_an_idempotency_key_are_created_once) {
  const http_headers key{{"Idempotency-Key", "once-and-for-all"}};
  const auto first = client_.post("/v1/registrants", json::object(), key);
  EXPECT_EQ(first.status, 201);
  const auto again = client_.post("/v1/registrants", json::object(), key);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
  EXPECT_EQ(again().at("registrant_id"), first().at("registrant_id"));
  EXPECT_EQ(client_.post("/v1/registrants", {{"kind", "household"}}, key).code(), "idempotency_mismatch");
}

TEST_F(registrants, are_created_in_bulk_line_by_line) {
  const auto answer =
      client_.send(bulk("{\"reference\":\"b-1\"}\n\n{\"kind\":\"herd\"}\nnot json\n{\"reference\":\"b-1\"}\n{}"));
  ASSERT_EQ(answer.status, 200) << answer.shown();
  const auto& items = answer().at("items");
  ASSERT_EQ(items.size(), 5U);
  EXPECT_EQ(items[0].at("existed"), false);
  EXPECT_EQ(items[1].at("line"), 3);
  EXPECT_EQ(items[1].at("code"), "malformed_line");
  EXPECT_EQ(items[2].at("code"), "malformed_line");
  EXPECT_EQ(items[3].at("registrant_id"), items[0].at("registrant_id"));
  EXPECT_EQ(items[3].at("existed"), true);
  EXPECT_EQ(answer().at("created"), 2);
  EXPECT_EQ(answer().at("existed"), 1);
  EXPECT_EQ(answer().at("refused"), 2);
  (void)once("confirmed", items[4]);
}

TEST_F(registrants, are_created_in_bulk_at_the_same_route) {
  auto many = bulk("{\"reference\":\"n-1\"}\n{\"registrant_id\":4711}\n", "/v1/registrants");
  const auto answer = client_.send(many);
  ASSERT_EQ(answer.status, 200) << answer.shown();
  EXPECT_EQ(answer().at("created"), 2);
  EXPECT_EQ(client_.get("/v1/registrants?reference=4711")().at("items").at(0).at("registrant_id"),
            answer().at("items").at(1).at("registrant_id"));
  many.content_type = "Application/X-NDJSON; charset=utf-8";
  EXPECT_EQ(client_.send(many)().at("existed"), 2);
  many.headers = {{"Idempotency-Key", "for-one"}};
  EXPECT_EQ(client_.send(many).status, 400);
  many.headers = {};
  many.content_type = "application/json";
  EXPECT_EQ(client_.send(many).status, 400);
}

TEST_F(registrants, may_be_called_by_an_id_of_the_clients_own) {
  const auto made = create({{"registrant_id", 815}});
  EXPECT_EQ(made.at("reference"), "815");
  EXPECT_EQ(create({{"registrant_id", "815"}}, 200).at("registrant_id"), made.at("registrant_id"));
  EXPECT_EQ(create({{"reference", "815"}}, 200).at("registrant_id"), made.at("registrant_id"));
  for (const json& bad : {json{{"registrant_id", 0}}, json{{"registrant_id", -1}}, json{{"registrant_id", 1.5}},
                          json{{"registrant_id", ""}}, json{{"registrant_id", std::string(129, 'r')}},
                          json{{"registrant_id", 1}, {"reference", "1"}}})
    EXPECT_EQ(client_.post("/v1/registrants", bad).status, 422) << bad;
}

TEST_F(registrants, with_the_longest_references_are_created_one_by_one_and_in_bulk) {
  const auto long_one = [](unsigned i) {
    auto text = std::to_string(i);
    return std::string(128 - text.size(), 'r') + text;
  };
  const auto first = create({{"reference", long_one(0)}});
  EXPECT_EQ(create({{"reference", long_one(0)}}, 200).at("registrant_id"), first.at("registrant_id"));
  std::string text;
  for (unsigned i = 0; i < 300; ++i)
    text += json{{"reference", long_one(i)}, {"data", i == 0 ? json() : json(std::string(650, 'd'))}}.dump() + "\n";
  const auto many = client_.send(bulk(text));
  ASSERT_EQ(many.status, 200) << many.shown();
  EXPECT_EQ(many().at("refused"), 0) << many.shown();
  EXPECT_EQ(many().at("created"), 299);
  EXPECT_EQ(many().at("items").at(0).at("registrant_id"), first.at("registrant_id"));
  (void)once("confirmed", many().at("items").at(299));
}

TEST_F(registrants, in_conflict_are_told_so_each_time) {
  (void)create({{"reference", "as-it-was"}});
  const http_headers key{{"Idempotency-Key", "of-a-conflict"}};
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(client_.post("/v1/registrants", {{"reference", "as-it-was"}, {"kind", "household"}}, key).status, 409);
  const http_headers fresh{{"Idempotency-Key", "of-a-known-one"}};
  const auto known = client_.post("/v1/registrants", {{"reference", "as-it-was"}}, fresh);
  EXPECT_EQ(known.status, 200);
  EXPECT_EQ(known.header("Idempotent-Replayed"), "") << "it was there before this key was used";
  EXPECT_EQ(client_.post("/v1/registrants", {{"reference", "as-it-was"}}, fresh).header("Idempotent-Replayed"), "true");
}

TEST_F(registrants, a_second_task_for_one_finds_the_first) {
  const auto made = create({{"reference", "only-one"}});
  const json task = {{"worker_type", "id_generation_request_worker"},
                     {"worker_payload", {{"registrant_id", made.at("registrant_id")}}}};
  const auto again = client_.post("/v1/tasks", task);
  EXPECT_EQ(again.status, 200) << again.shown();
  EXPECT_EQ(again().at("id"), made.at("task_ids").at(0));
  auto keyed = task;
  keyed["unique_key"] = "of-my-own";
  EXPECT_EQ(client_.post("/v1/tasks", keyed).status, 422);
}

TEST_F(registrants, tasks_without_one_fail_at_once_with_a_reason) {
  for (const auto& [payload, why] : {std::pair<json, std::string>{json::object(), "names no registrant"},
                                     {json{{"registrant_id", 999'999}}, "There is no registrant 999999"},
                                     {json{{"registrant_id", "seven"}}, "names no registrant"}}) {
    const auto queued =
        client_.post("/v1/tasks", {{"worker_type", "id_generation_request_worker"}, {"worker_payload", payload}})();
    json now;
    ASSERT_TRUE(eventually([&] {
      now = client_.get(task_client::path(queued))();
      return now.at("task_status") == "FAILED";
    })) << now;
    EXPECT_EQ(now.at("number_of_attempts"), 1);
    EXPECT_THAT(now.at("last_attempt_error_code").get<std::string>(), testing::HasSubstr(why));
  }
  (void)once("confirmed", create(json::object()));
}

TEST_F(registrants, that_have_their_id_are_not_asked_for_again) {
  const auto found = once("confirmed", create(json::object()));
  const auto asked = client_.post(path(found) + "/request-id", {{"reason", "a test"}});
  EXPECT_EQ(asked.status, 200);
  EXPECT_EQ(asked().at("unique_id"), found.at("unique_id"));
  EXPECT_EQ(asked().at("task_ids"), found.at("task_ids"));
  EXPECT_EQ(client_.post("/v1/registrants/999999/request-id").status, 404);
  EXPECT_EQ(client_.get("/v1/registrants/nobody").status, 404);
}

TEST_F(registrants, of_our_own_pools_leave_no_calls_in_doubt) {
  EXPECT_EQ(client_.get("/v1/generator-calls?state=in_doubt")().at("items"), json::array());
  EXPECT_EQ(client_.post("/v1/generator-calls/1/resolve", {{"note", "none"}}).status, 404);
  EXPECT_EQ(client_.post("/v1/generator-calls/1/resolve", {{"note", "one"}, {"unique_id", "x y"}}).status, 422);
  const auto metrics = client_.raw().send({.target = "/metrics"});
  ASSERT_TRUE(metrics);
  EXPECT_THAT(metrics->body, testing::HasSubstr("\nmatricula_generator_calls_in_doubt 0\n"));
}

TEST(registrants_in_bulk, ten_thousand_have_ten_thousand_ids_though_the_node_is_killed_again_and_again) {
  constexpr unsigned all = 10'000, a_request = 1'000;
  auto options = task_world({});
  options.sets = {}; // pools as they are shipped
  node_process node(options);
  node.start();
  std::map<std::string, std::string> seen;
  for (unsigned from = 0; from < all;) {
    {
      api_client client(node);
      const auto answer = client.send(bulk(lines(from, from + a_request)));
      ASSERT_EQ(answer.status, 200) << answer.shown();
      ASSERT_EQ(answer().at("refused"), 0) << answer.shown();
      for (const auto& [reference, id] : unique_ids(client)) {
        const auto [known, fresh] = seen.emplace(reference, id);
        EXPECT_EQ(known->second, id) << reference << " has another ID than before";
      }
    }
    from += a_request;
    if (from % 3'000 == 0) {
      node.kill();
      node.start();
    }
  }
  api_client client(node);
  std::map<std::string, std::string> ids;
  EXPECT_TRUE(eventually(
      [&] {
        ids = unique_ids(client);
        return ids.size() == all;
      },
      std::chrono::seconds(90)))
      << ids.size();
  for (const auto& [reference, id] : seen) EXPECT_EQ(ids.at(reference), id);
  std::set<std::string> distinct;
  for (const auto& [reference, id] : ids) distinct.insert(id);
  EXPECT_EQ(distinct.size(), all);
  EXPECT_TRUE(eventually([&] { return client.get("/v1/tasks?status=PENDING&limit=1")().at("items").empty(); }));
  EXPECT_TRUE(eventually([&] { return client.get("/v1/tasks?status=RUNNING&limit=1")().at("items").empty(); },
                         std::chrono::seconds(60)));
  EXPECT_EQ(client.get("/v1/tasks?status=FAILED")().at("items"), json::array());
  EXPECT_EQ(client.get("/v1/ids/uin")().at("issues_total"), all) << "no identifier was lost on the way";
  expect_sound_store(node);
}

TEST(registrants_at_a_stop, have_what_was_begun_finished_and_no_attempt_lost) {
  node_process node(task_world({}));
  node.start();
  {
    api_client client(node);
    ASSERT_EQ(client.send(bulk(lines(0, 300))).status, 200);
  }
  EXPECT_EQ(node.stop(), 0) << node.log_tail();
  EXPECT_FALSE(node.logged("node.tasks_cut")) << node.log_tail();
  node.start();
  api_client client(node);
  EXPECT_TRUE(eventually([&] { return unique_ids(client).size() == 300; }, std::chrono::seconds(60)));
  EXPECT_EQ(client.get("/v1/ids/uin")().at("issues_total"), 300);
  const auto page = client.get("/v1/tasks?worker_type=id_generation_request_worker&limit=1000")();
  for (const auto& task : page.at("items")) EXPECT_EQ(task.at("number_of_attempts"), 1) << task;
  expect_sound_store(node);
}

} // namespace matricula::test
