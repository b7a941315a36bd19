// Bytes that no well-meaning client sends. Each is refused with a proper problem, has no effect, and leaves the node
// as it was.
#include "test/e2e/node_fixture.hpp"

#include <algorithm>

namespace matricula::test {

using nlohmann::json;

namespace {
class hostile_input : public node_test {
protected:
  void SetUp() override { before_ = issued(); }
  void TearDown() override {
    EXPECT_EQ(issued(), before_) << "something was issued";
    EXPECT_EQ(client_.get("/readyz").status, 200);
    EXPECT_FALSE(node().logged("http.handler_threw")) << node().log_tail();
    EXPECT_FALSE(node().logged("http.failed")) << node().log_tail();
    node_test::TearDown();
  }

  json issued() {
    auto counts = json::object();
    const auto types = client_.get("/v1/ids");
    for (const auto& type : types().at("items")) counts[type.at("type").get<std::string>()] = type.at("issues_total");
    return counts;
  }

  /// Sends bytes on a connection of their own, and nothing after them.
  std::optional<http_answer> answer_to(const std::string& bytes) {
    http_client raw(node().port(), node().token());
    raw.set_timeout(std::chrono::seconds(20));
    if (raw.write(bytes)) raw.finish_writing();
    return raw.read_answer();
  }
  [[nodiscard]] std::string authorised(const std::string& request_line, const std::string& rest) const {
    return request_line + "\r\nHost: x\r\nAuthorization: Bearer " + node().token() + "\r\n" + rest;
  }

private:
  json before_;
};

std::string nested(int depth) {
  std::string text = R"({"count":)";
  text.append(static_cast<std::size_t>(depth), '[');
  text.append(static_cast<std::size_t>(depth), ']');
  return text + "}";
}
} // namespace

TEST_F(hostile_input, in_a_body_is_refused) {
  const std::vector<std::pair<std::string, int>> bodies = {
      {"{", 400},
      {"[]", 400},
      {"null", 400},
      {"7", 400},
      {"\"count\"", 400},
      {"{}{}", 400},
      {"{} x", 400},
      {"{\"count\":1,}", 400},
      {"{'count':1}", 400},
      {"{\"count\":1,\"count\":1}", 400},
      {"{\"count\":01}", 400},
      {"{\"count\":+1}", 400},
      {"{\"count\":NaN}", 400},
      {"{\"count\":0x10}", 400},
      {"{\"count\":18446744073709551616}", 400},
      {"{\"count\":1e400}", 400},
      {"{\"holder\":\"\xC3\x28\"}", 400},
      {"{\"holder\":\"\xED\xA0\x80\"}", 400},
      {"{\"holder\":\"\\ud800\"}", 400},
      {"{\"holder\":\"a\nb\"}", 400},
      {std::string("\xFF\xFE{\0}\0", 6), 400},
      {std::string("{\"count\":1}\0", 12), 400},
      {nested(40), 400},
      {nested(5'000), 400},
      {"{\"count\":0}", 422},
      {"{\"count\":-1}", 422},
      {"{\"count\":1001}", 422},
      {"{\"count\":9223372036854775807}", 422},
      {"{\"count\":1.5}", 422},
      {"{\"count\":1.0}", 422},
      {"{\"count\":\"1\"}", 422},
      {"{\"count\":true}", 422},
      {"{\"count\":[1]}", 422},
      {"{\"count\":{}}", 422},
      {"{\"Count\":1}", 422},
      {"{\"\":1}", 422},
      {"{\"count\":1,\"__proto__\":{}}", 422},
      {"{\"holder\":\"\"}", 422},
      {"{\"holder\":\"a\\u0000b\"}", 422},
      {"{\"holder\":\"a\\nb\"}", 422},
      {"{\"holder\":\"" + std::string(65, 'h') + "\"}", 422},
      {"{\"holder\":7}", 422},
      {"{\"expires_at\":\"2099-01-01T00:00:00Z\"}", 422}, // of a type that does not expire
      {"{\"expires_in_days\":1}", 422},
  };
  for (const auto& [body, status] : bodies) {
    const auto answer = client_.send({.method = "POST", .target = "/v1/ids/uin", .body = body});
    EXPECT_EQ(answer.status, status) << body.substr(0, 100) << "\n" << answer.shown();
  }
}

TEST_F(hostile_input, in_a_time_is_refused) {
  for (const auto* time :
       {"\"\"", "\"tomorrow\"", "\"2099-01-01\"", "\"2099-01-01 00:00:00Z\"", "\"2099-01-01T00:00:00\"",
        "\"2099-02-30T00:00:00Z\"", "\"2099-13-01T00:00:00Z\"", "\"2099-01-01T24:00:00Z\"", "\"1999-01-01T00:00:00Z\"",
        "\"99999-01-01T00:00:00Z\"", "4070908800", "\"2099-01-01T00:00:00+99:00\""}) {
    const auto answer =
        client_.send({.method = "POST", .target = "/v1/ids/vid", .body = std::string("{\"expires_at\":") + time + "}"});
    EXPECT_EQ(answer.status, 422) << time << answer.shown();
  }
  EXPECT_EQ(client_.post("/v1/ids/vid", {{"expires_at", "2099-01-01T00:00:00Z"}, {"expires_in_days", 3}}).status, 422);
  for (const int days : {0, -1, 36'526})
    EXPECT_EQ(client_.post("/v1/ids/vid", {{"expires_in_days", days}}).status, 422);
}

TEST_F(hostile_input, in_a_media_type_is_refused) {
  for (const auto* type : {"", "text/plain", "application/json; charset=iso-8859-1", "application/xml",
                           "application/jsonx", "application/x-www-form-urlencoded", "application/json; a=b"}) {
    const auto answer =
        client_.send({.method = "POST", .target = "/v1/ids/uin", .body = "{\"count\":1}", .content_type = type});
    EXPECT_EQ(answer.status, 415) << type << answer.shown();
  }
  for (const auto* coding : {"gzip", "br", "identity, gzip"}) {
    const auto answer = client_.post("/v1/ids/uin", {{"count", 1}}, {{"Content-Encoding", coding}});
    EXPECT_EQ(answer.status, 415) << coding << answer.shown();
  }
}

TEST_F(hostile_input, of_too_many_bytes_is_refused) {
  const std::vector<std::pair<const char*, std::size_t>> limits{
      {"/v1/ids/uin", std::size_t{16} << 10},
      {"/v1/ids/uin/0000000000/confirm", std::size_t{16} << 10},
      {"/v1/idgenerator/farmer/id", std::size_t{16} << 10},
      {"/v1/actors/root/nobody/restart", std::size_t{1} << 20}};
  for (const auto& [target, bytes] : limits) {
    const auto most = client_.send({.method = "POST", .target = target, .body = std::string(bytes, '[')});
    EXPECT_TRUE(most.status == 400 || most.status == 422 || most.status == 404) << target << most.shown();
    const auto more = client_.send({.method = "POST", .target = target, .body = std::string(bytes + 1, '[')});
    EXPECT_EQ(more.status, 413) << target << more.shown();
  }
  // Announced only: refused without waiting for it.
  expect_problem(answer_to(authorised("POST /v1/ids/uin HTTP/1.1", "Content-Length: 9999999999999\r\n\r\n")), 413,
                 "a large Content-Length");
  expect_problem(answer_to(authorised("GET /v1/ids HTTP/1.1", "X-Filler: " + std::string(20'000, 'x') + "\r\n\r\n")),
                 431, "a large header");
  std::string many;
  for (int i = 0; i < 500; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  expect_problem(answer_to(authorised("GET /v1/ids HTTP/1.1", many + "\r\n")), 431, "many headers");
  expect_problem(answer_to(authorised("GET /v1/ids/" + std::string(9'000, '1') + " HTTP/1.1", "\r\n")), 414,
                 "a long path");
}

TEST_F(hostile_input, in_an_idempotency_key_is_refused) {
  for (const auto& key :
       {std::string(), std::string("   "), std::string(256, 'k'), std::string("k\xC3\xA9"), std::string("a\tb")}) {
    const auto answer = client_.post("/v1/ids/uin", nullptr, {{"Idempotency-Key", key}});
    EXPECT_EQ(answer.status, 400) << key << answer.shown();
  }
  for (const auto* timeout : {"0", "-5", "1.5", "x", "99999999999999999999"})
    EXPECT_EQ(client_.post("/v1/ids/uin", nullptr, {{"X-Request-Timeout-Ms", timeout}}).status, 400) << timeout;
}

TEST_F(hostile_input, in_a_path_or_query_is_refused) {
  const std::vector<std::pair<const char*, int>> targets = {
      {"/v1/ids/uin/%00", 400},
      {"/v1/ids/uin/..%2f..%2fetc%2fpasswd", 404},
      {"/v1/ids/%2e%2e/uin", 404},
      {"/v1/ids/uin/%F0%9F%92%A9", 404},
      {"/v1/ids/uin/%C3%28", 400},
      {"/v1/ids/uin/1%0d%0aX-Evil:%201", 400},
      {"/v1/ids/uin/%zz", 400},
      {"/v1/ids/uin/%4", 400},
      {"/v1/ids/uin?count=5", 400},
      {"/v1/ids?%zz=1", 400},
      {"/v1/ids/", 404},
      {"/v2/ids", 404},
      {"/v1/actors/root/..", 404},
      {"/v1/actors/root//domain", 404},
  };
  for (const auto& [target, status] : targets) {
    http_client raw(node().port(), node().token());
    expect_problem(raw.send({.target = target}), status, target);
  }
  const auto odd = client_.get("/v1/ids/uin/%22%3Cscript%3E/validate");
  EXPECT_EQ(odd.status, 200) << odd.shown();
  EXPECT_EQ(odd().at("id"), "\"<script>");
}

TEST_F(hostile_input, in_a_method_is_refused) {
  for (const auto* method : {"PUT", "DELETE", "PATCH"}) {
    const auto answer = client_.send({.method = method, .target = "/v1/ids/uin"});
    EXPECT_EQ(answer.status, 405) << answer.shown();
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD, POST");
  }
  for (const auto* line : {"TRACE /v1/ids HTTP/1.1", "BREW /v1/ids HTTP/1.1", "CONNECT /x HTTP/1.1"})
    expect_problem(answer_to(authorised(line, "\r\n")), 501, line);
}

TEST_F(hostile_input, in_the_framing_is_refused) {
  const std::string post = "POST /v1/ids/uin HTTP/1.1";
  const std::string json_type = "Content-Type: application/json\r\n";
  const std::vector<std::pair<std::string, int>> texts = {
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400}, // a TLS hello
      {"GET\r\n\r\n", 400},
      {"GET /v1/ids\r\n\r\n", 400},
      {"GET  /v1/ids  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET http://x/v1/ids HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /v1/ids HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"GET /v1/ids HTTP/1.1\r\n\r\n", 400},
      {"GET /v1/ids HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET /v1/ids HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400},
      {"GET /v1/ids HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n", 400},
      {"GET /v1/ids HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {std::string("GET /v1/\0ids HTTP/1.1\r\nHost: x\r\n\r\n", 34), 400},
      {authorised(post, json_type + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"), 400},
      {authorised(post, json_type + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
      {authorised(post, json_type + "Content-Length: -2\r\n\r\n{}"), 400},
      {authorised(post, json_type + "Content-Length: 0x2\r\n\r\n{}"), 400},
      {authorised(post, json_type + "Content-Length: 50\r\n\r\n{}"), 400}, // cut off
      {authorised(post, json_type + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501},
      {authorised(post, json_type + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), 400},
      {authorised(post, json_type + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n"), 400},
      {authorised(post, json_type + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}"), 400}, // cut off
      {authorised(post, json_type + "Transfer-Encoding: chunked\r\n\r\n2 zz\r\n{}\r\n0\r\n\r\n"), 400},
      {authorised(post, json_type + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\nC: d\r\n\r\n"), 400},
      {authorised(post, json_type + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), 400},
      {authorised(post, json_type + "Expect: a-miracle\r\nContent-Length: 2\r\n\r\n{}"), 417},
  };
  for (const auto& [text, status] : texts) expect_problem(answer_to(text), status, text);
}

TEST_F(hostile_input, that_never_becomes_a_request_is_dropped) {
  for (const auto* bytes : {"", "G", "GET / HTTP/1.1\r\nHost: x\r\n"}) {
    http_client raw(node().port());
    ASSERT_TRUE(raw.write(bytes));
    raw.finish_writing();
    EXPECT_FALSE(raw.read_answer()) << bytes;
  }
}

namespace {
using unusual_input = node_test;
}

TEST_F(unusual_input, that_is_right_is_served) {
  const auto count = [](const std::optional<http_answer>& answer) {
    return answer && answer->status == 201 ? json::parse(answer->body).at("ids").size() : 0;
  };
  const std::string head = "POST /v1/ids/uin HTTP/1.1\r\nhOsT: x\r\nAUTHORIZATION: bearer " + node().token() +
                           "\r\nContent-Type: Application/JSON; charset=UTF-8\r\n";
  http_client raw(node().port());
  ASSERT_TRUE(
      raw.write(head + "Transfer-Encoding: chunked\r\n\r\n4;x=y\r\n{\"co\r\n7\r\nunt\":4}\r\n0\r\nTrailer: t\r\n\r\n"));
  EXPECT_EQ(count(raw.read_answer()), 4U);
  // Three requests in one packet are three answers in their order.
  std::string three;
  for (int i = 1; i <= 3; ++i) three += head + "Content-Length: 11\r\n\r\n{\"count\":" + std::to_string(i) + "}";
  ASSERT_TRUE(raw.write(three));
  for (std::size_t i = 1; i <= 3; ++i) EXPECT_EQ(count(raw.read_answer()), i);
  // One byte at a time.
  for (const char c : head + "Content-Length: 11\r\n\r\n{\"count\":2}") ASSERT_TRUE(raw.write(std::string_view(&c, 1)));
  EXPECT_EQ(count(raw.read_answer()), 2U);
  ASSERT_TRUE(raw.write(head + "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n{\"count\":5}"));
  EXPECT_EQ(count(raw.read_answer()), 5U);
  EXPECT_EQ(client_.send({.method = "HEAD", .target = "/v1/ids"}).status, 200);
}

TEST_F(unusual_input, in_trace_headers_is_taken_over_when_it_is_valid) {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto named =
      client_.send({.target = "/v1/ids", .headers = {{"X-Request-Id", "my-request.1"}, {"traceparent", trace}}});
  EXPECT_EQ(named.header("X-Request-Id"), "my-request.1");
  EXPECT_EQ(named.header("traceparent").substr(0, 35), trace.substr(0, 35));
  EXPECT_NE(named.header("traceparent"), trace) << "the node's own span";
  const auto odd =
      client_.send({.target = "/v1/ids", .headers = {{"X-Request-Id", "<script>"}, {"traceparent", "00-zz-1-1"}}});
  EXPECT_NE(odd.header("X-Request-Id"), "<script>");
  EXPECT_EQ(odd.header("traceparent").size(), trace.size());
}

TEST(slow_client, is_told_and_dropped) {
  auto options = small_world();
  options.sets.emplace_back("server.read_timeout_ms=200");
  node_process node(options);
  node.start();
  for (const auto* text :
       {"GET /v1/ids HTTP/1.1\r\nHost: x\r\n",
        "POST /v1/ids/uin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 5\r\n\r\n{"}) {
    std::string bytes = text;
    if (const auto at = bytes.find("TOKEN"); at != std::string::npos) bytes.replace(at, 5, node.token());
    http_client raw(node.port());
    ASSERT_TRUE(raw.write(bytes));
    expect_problem(raw.read_answer(), 408, bytes);
    EXPECT_FALSE(raw.read_answer()) << "the connection stayed open";
  }
}

} // namespace matricula::test
