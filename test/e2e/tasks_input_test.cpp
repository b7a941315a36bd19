// Bodies for the task queue that no well-meaning client sends: each is refused and changes nothing.
#include "test/e2e/task_world.hpp"

#include <gmock/gmock.h>

namespace matricula::test {

using nlohmann::json;

namespace {
class task_input : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>(task_world({}));
    node_->start();
    task_client c(*node_);
    c.enqueue("example");
    leased_ = c.lease_one("example", {{"lease_seconds", 600}});
  }
  static void TearDownTestSuite() { node_.reset(); }
  void SetUp() override { before_ = state(); }
  void TearDown() override {
    EXPECT_EQ(state(), before_) << "something was done";
    EXPECT_FALSE(node_->logged("http.handler_threw")) << node_->log_tail();
    EXPECT_FALSE(node_->logged("http.failed")) << node_->log_tail();
    EXPECT_EQ(client_.http().get("/readyz").status, 200);
  }

  json state() { return json::array({client_.queue("example"), client_.look(leased_)}); }
  void expect(const std::string& target, const std::vector<std::pair<std::string, int>>& bodies) {
    for (const auto& [body, status] : bodies) {
      const auto answer = client_.http().send({.method = "POST", .target = target, .body = body});
      EXPECT_EQ(answer.status, status) << target << " " << body.substr(0, 200) << "\n" << answer.shown();
    }
  }
  /// With the token of the lease in place of "T".
  static std::string with_token(std::string body) {
    if (const auto at = body.find("\"T\""); at != std::string::npos)
      body.replace(at, 3, std::to_string(leased_.at("token").get<std::uint64_t>()));
    return body;
  }

  static inline std::unique_ptr<node_process> node_;
  static inline json leased_;
  task_client client_ = task_client(*node_);
  json before_;
};

std::string task_with(const std::string& members) {
  return R"({"worker_type":"example","worker_payload":{})" + (members.empty() ? "" : "," + members) + "}";
}
std::string nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += R"({"a":)";
  text += "1";
  text.append(static_cast<std::size_t>(depth), '}');
  return R"({"worker_type":"example","worker_payload":)" + text + "}";
}
} // namespace

TEST_F(task_input, of_a_new_task_is_refused) {
  expect("/v1/tasks",
         {{"", 400},
          {"{", 400},
          {"[]", 400},
          {"null", 400},
          {"{} x", 400},
          {std::string("\xFF\xFE{\0}\0", 6), 400},
          {task_with("\"unique_key\":\"\xC3\x28\""), 400},
          {task_with("\"unique_key\":\"\\ud800\""), 400},
          {task_with("\"worker_type\":\"example\""), 400},
          {nested(40), 400},
          {R"({"worker_type":"example","worker_payload":{"a":1,"a":2}})", 400},
          {R"({"worker_type":"example","worker_payload":{"a":1e400}})", 400},
          {R"({"worker_type":"example","worker_payload":{"a":18446744073709551616}})", 400},
          {"{}", 422},
          {R"({"worker_type":"example"})", 422},
          {R"({"worker_payload":{}})", 422},
          {R"({"worker_type":"example","worker_payload":null})", 422},
          {R"({"worker_type":"example","worker_payload":[]})", 422},
          {R"({"worker_type":"example","worker_payload":"{}"})", 422},
          {R"({"worker_type":"example","worker_payload":7})", 422},
          {R"({"worker_type":"","worker_payload":{}})", 422},
          {R"({"worker_type":"nobody","worker_payload":{}})", 422},
          {R"({"worker_type":"Example","worker_payload":{}})", 422},
          {R"({"worker_type":"../example","worker_payload":{}})", 422},
          {R"({"worker_type":"exa\u0000mple","worker_payload":{}})", 422},
          {R"({"worker_type":7,"worker_payload":{}})", 422},
          {R"({"worker_type":")" + std::string(65, 'a') + R"(","worker_payload":{}})", 422},
          {task_with("\"unique_key\":\"\""), 422},
          {task_with("\"unique_key\":\"" + std::string(129, 'k') + "\""), 422},
          {task_with("\"unique_key\":\"a\\nb\""), 422},
          {task_with("\"unique_key\":7"), 422},
          {task_with("\"priority\":-1"), 422},
          {task_with("\"priority\":10"), 422},
          {task_with("\"priority\":\"high\""), 422},
          {task_with("\"priority\":1.5"), 422},
          {task_with("\"max_attempts\":0"), 422},
          {task_with("\"max_attempts\":1001"), 422},
          {task_with("\"max_attempts\":true"), 422},
          {task_with("\"due_at\":\"tomorrow\""), 422},
          {task_with("\"due_at\":\"2030-02-30T00:00:00Z\""), 422},
          {task_with("\"due_at\":1893456000"), 422},
          {task_with("\"task_status\":\"COMPLETED\""), 422},
          {task_with("\"id\":1"), 422},
          {task_with("\"tasks\":[]"), 422},
          {R"({"tasks":[]})", 422},
          {R"({"tasks":{}})", 422},
          {R"({"tasks":[null]})", 422},
          {R"({"tasks":[{}]})", 422},
          {R"({"tasks":[)" + task_with("") + R"(,7]})", 422},
          {R"({"tasks":[)" + task_with("") + R"(],"worker_type":"example"})", 422},
          {R"({"worker_type":"example","worker_payload":{"x":")" + std::string(64 << 10, 'x') + R"("}})", 422},
          {R"({"worker_type":"example","worker_payload":{"x":")" + std::string(512 << 10, 'x') + R"("}})", 413}});
  json too_many = json::array();
  for (int i = 0; i < 501; ++i) too_many.push_back({{"worker_type", "example"}, {"worker_payload", json::object()}});
  EXPECT_EQ(client_.http().post("/v1/tasks", {{"tasks", too_many}}).status, 422);
}

TEST_F(task_input, in_another_encoding_is_refused) {
  const auto body = task_with("");
  for (const auto* type : {"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"})
    for (const auto* target : {"/v1/tasks", "/v1/queues/example/lease", "/v1/tasks/1/complete", "/v1/tasks/retry"}) {
      const auto answer = client_.http().send({.method = "POST", .target = target, .body = body, .content_type = type});
      EXPECT_EQ(answer.status, 415) << type << target << answer.shown();
    }
  EXPECT_EQ(
      client_.http()
          .send({.method = "POST", .target = "/v1/tasks", .body = body, .headers = {{"Content-Encoding", "gzip"}}})
          .status,
      415);
}

TEST_F(task_input, of_a_worker_is_refused) {
  const auto at = [](const char* what) { return task_client::path(leased_) + "/" + what; };
  const std::vector<std::pair<std::string, int>> tokens{{"", 400},
                                                        {"[]", 400},
                                                        {"{}", 422},
                                                        {R"({"token":0})", 422},
                                                        {R"({"token":-1})", 422},
                                                        {R"({"token":"1"})", 422},
                                                        {R"({"token":1.5})", 422},
                                                        {R"({"token":18446744073709551615})", 422},
                                                        {R"({"token":null})", 422},
                                                        {with_token(R"({"token":"T","more":1})"), 422}};
  expect(at("heartbeat"), tokens);
  expect(at("complete"), tokens);
  expect(at("heartbeat"), {{with_token(R"({"token":"T","lease_seconds":0})"), 422},
                           {with_token(R"({"token":"T","lease_seconds":43201})"), 422},
                           {with_token(R"({"token":"T","lease_seconds":-1})"), 422},
                           {R"({"token":9223372036854775807})", 409}});
  const auto large = std::string(17 << 10, 'r');
  expect(at("complete"), {{with_token(R"({"token":"T","result":")" + large + R"("})"), 422},
                          {with_token(R"({"token":"T","then":{}})"), 422},
                          {with_token(R"({"token":"T","then":[7]})"), 422},
                          {with_token(R"({"token":"T","then":[{"worker_type":"nobody","worker_payload":{}}]})"), 422},
                          {R"({"token":9223372036854775807})", 409}});
  std::string eleven;
  for (int i = 0; i < 11; ++i) eleven += (i == 0 ? "" : ",") + task_with("");
  expect(at("complete"), {{with_token(R"({"token":"T","then":[)" + eleven + "]}"), 422}});
  std::string heavy;
  for (int i = 0; i < 5; ++i)
    heavy += std::string(i == 0 ? "" : ",") + R"({"worker_type":"example","worker_payload":{"x":")" +
             std::string(60'000, 'x') + R"("}})";
  expect(at("complete"), {{with_token(R"({"token":"T","then":[)" + heavy + "]}"), 413}});
  expect(at("fail"), {{with_token(R"({"token":"T"})"), 422},
                      {with_token(R"({"token":"T","error":""})"), 422},
                      {with_token(R"({"token":"T","error":7})"), 422},
                      {with_token(R"({"token":"T","error":")" + large + R"("})"), 422},
                      {with_token(R"({"token":"T","error":"e","kind":"done"})"), 422},
                      {with_token(R"({"token":"T","error":"e","kind":"lost"})"), 422},
                      {with_token(R"({"token":"T","error":"e","kind":"whatever"})"), 422},
                      {with_token(R"({"token":"T","error":"e","retry_in_seconds":-1})"), 422},
                      {with_token(R"({"token":"T","error":"e","retry_in_seconds":2592001})"), 422},
                      {R"({"token":9223372036854775807,"error":"e"})", 409}});
  expect("/v1/queues/example/lease", {{"", 400},
                                      {"{}", 422},
                                      {R"({"worker":""})", 422},
                                      {R"({"worker":"w\n"})", 422},
                                      {R"({"worker":")" + std::string(65, 'w') + R"("})", 422},
                                      {R"({"worker":"w","count":0})", 422},
                                      {R"({"worker":"w","count":101})", 422},
                                      {R"({"worker":"w","lease_seconds":0})", 422},
                                      {R"({"worker":"w","lease_seconds":43201})", 422},
                                      {R"({"worker":"w","wait_seconds":61})", 422},
                                      {R"({"worker":"w","wait_seconds":-1})", 422},
                                      {R"({"worker":"w","token":1})", 422},
                                      {"[" + std::string(16 << 10, ' ') + "]", 413}});
  expect("/v1/queues/nobody/lease", {{R"({"worker":"w"})", 404}});
}

TEST_F(task_input, of_an_operator_is_refused) {
  expect("/v1/tasks/retry", {{"[]", 400},
                             {R"({"limit":0})", 422},
                             {R"({"limit":10001})", 422},
                             {R"({"worker_type":7})", 422},
                             {R"({"error":""})", 422},
                             {R"({"error":")" + std::string(201, 'e') + R"("})", 422},
                             {R"({"reason":""})", 422},
                             {R"({"status":"FAILED"})", 422}});
  for (const auto& target : {task_client::path(leased_) + "/cancel", task_client::path(leased_) + "/retry",
                             std::string("/v1/queues/example/pause"), std::string("/v1/queues/example/resume")})
    expect(target, {{"[]", 400},
                    {"{", 400},
                    {R"({"reason":""})", 422},
                    {R"({"reason":")" + std::string(501, 'r') + R"("})", 422},
                    {R"({"reason":"a\nb"})", 422},
                    {R"({"force":true})", 422}});
  for (const auto* target :
       {"/v1/tasks/1/cancel/now", "/v1/tasks/%00", "/v1/queues/example", "/v1/queues/example/stop"})
    EXPECT_GE(client_.http().raw().send({.method = "POST", .target = target})->status, 400) << target;
}

} // namespace matricula::test
