// Every success and error of MOSIP's routes: status, envelope, code and message, byte by byte.
#include "api/compat/mosip.hpp"
#include "test/unit/api/compat_desk_of_a_test.hpp"

#include <fmt/format.h>

namespace matricula::api::compat {
namespace {

using identifiers::id_state;

class mosip_test : public compat_test {
protected:
  mosip_test() {
    add(all_routes());
    const auto opened = app.check_open_routes();
    EXPECT_TRUE(opened);
  }

  std::vector<route> all_routes() {
    return mosip_routes({&desk, [this] { return time.wall(); }, health(), [this] { return clock_suspect; },
                         [] { return std::string("matricula_up 1\n"); }});
  }

  static std::string success(const std::string& inner, const std::string& id = "null",
                             const std::string& version = "null") {
    return fmt::format(R"({{"id":{},"version":{},"responsetime":"{}","metadata":null,"response":{},"errors":null}})",
                       id, version, now_text, inner);
  }
  static std::string failure(const std::string& code, const std::string& message, const std::string& id = "null",
                             const std::string& version = "null") {
    return fmt::format(R"({{"id":{},"version":{},"responsetime":"{}","metadata":null,"response":null,)"
                       R"("errors":[{{"errorCode":"{}","message":"{}"}}]}})",
                       id, version, now_text, code, message);
  }
  static void expect(const response& answer, int status, const std::string& body) {
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(answer.content_type, "application/json");
  }
  std::string issued(const std::string& type) {
    const auto target = type == "prid" ? "/v1/pridgenerator/prid" : "/v1/idgenerator/" + type;
    const auto id = desk.unused(type);
    expect(get(target, {{"Authorization", type == "prid" ? "" : "Bearer *"}}), 200,
           success(fmt::format(R"({{"{}":"{}"}})", type, id)));
    return id;
  }
  response put(const std::string& type, const std::string& number, const std::string& status) {
    return ask("PUT", "/v1/idgenerator/" + type,
               fmt::format(R"({{"request":{{"{}":"{}","status":"{}"}}}})", type, number, status));
  }

  bool clock_suspect = false;
};

TEST_F(mosip_test, issues_each_kind_in_the_envelope) {
  for (const auto* type : {"uin", "vid", "prid"}) EXPECT_EQ(issued(type).size(), 6U);
}

TEST_F(mosip_test, confirms_and_returns_an_issued_uin_and_repeats_id_and_version) {
  const auto uin = issued("uin");
  const auto body = fmt::format(
      R"({{"id":"mosip.uin","version":"1.0","requesttime":"2026-01-01T00:00:00.000Z","metadata":{{"a":[1]}},)"
      R"("request":{{"uin":"{}","status":"UNASSIGNED"}}}})",
      uin);
  expect(ask("PUT", "/v1/idgenerator/uin", body), 200,
         success(fmt::format(R"({{"uin":"{}","status":"UNUSED"}})", uin), R"("mosip.uin")", R"("1.0")"));
  const auto other = issued("uin");
  expect(put("uin", other, "ASSIGNED"), 200, success(fmt::format(R"({{"uin":"{}","status":"ASSIGNED"}})", other)));
}

TEST_F(mosip_test, repeats_id_and_version_of_a_request_also_where_it_refuses) {
  struct row {
    const char* members;
    const char* id;
    const char* version;
  };
  constexpr row table[] = {{R"("id":"a","version":"b",)", R"("a")", R"("b")"},
                           {R"("id":"a",)", R"("a")", "null"},
                           {R"("version":"b",)", "null", R"("b")"},
                           {R"("id":null,"version":null,)", "null", "null"},
                           {R"("id":"","version":"",)", R"("")", R"("")"},
                           {R"("id":"\"\\ä",)", R"("\"\\ä")", "null"}};
  for (const auto& [members, id, version] : table) {
    const auto body = [&](const char* rest) { return std::string("{") + members + rest + "}"; };
    expect(ask("PUT", "/v1/idgenerator/uin", body(R"("request":{"uin":"1","status":"ASSIGNED"})")), 200,
           failure("KER-UIG-001", "UIN could not be found", id, version));
    expect(ask("PUT", "/v1/idgenerator/uin", body(R"("request":null)")), 200,
           failure("KER-UIG-005", "The field 'request' is required.", id, version));
    expect(ask("PUT", "/v1/idgenerator/vid", body(R"("request":{"vid":"1","status":"REVOKED"})")), 200,
           failure("KER-VID-007", "VID could not be found", id, version));
    expect(ask("PUT", "/v1/idgenerator/vid", body(R"("request":null)")), 200,
           failure("KER-VID-005", "KER-VID-005 --> The field 'request' is required.", id, version));
  }
}

TEST_F(mosip_test, reads_every_way_in_which_clients_write_an_envelope) {
  const std::string members[] = {R"("requesttime":null,)",
                                 R"("requesttime":"2026-01-01T00:00:00.000Z",)",
                                 R"("requesttime":"1999-12-31T23:59:59.999Z",)",
                                 R"("requesttime":"2026-12-31T24:00:00.000Z",)",
                                 R"("metadata":null,)",
                                 R"("metadata":{"a":[1,{"b":null}]},)",
                                 R"("metadata":"x",)",
                                 "\n\t ",
                                 ""};
  for (const auto& member : members) {
    const auto uin = issued("uin");
    const auto body = fmt::format(R"({{{}"request":{{"status":"ASSIGNED","uin":"{}"}}}})", member, uin);
    expect(ask("PUT", "/v1/idgenerator/uin", body), 200,
           success(fmt::format(R"({{"uin":"{}","status":"ASSIGNED"}})", uin)));
  }
  for (const auto* type : {"application/json", "application/json;charset=UTF-8", "application/json; charset=utf-8",
                           "Application/JSON;charset=\"utf-8\""}) {
    const auto uin = issued("uin");
    const auto body = fmt::format(R"({{"request":{{"uin":"{}","status":"ASSIGNED"}}}})", uin);
    expect(ask("PUT", "/v1/idgenerator/uin", body, {{"Content-Type", type}}), 200,
           success(fmt::format(R"({{"uin":"{}","status":"ASSIGNED"}})", uin)));
  }
}

TEST_F(mosip_test, refuses_a_change_of_a_uin_that_is_not_issued_before_it_looks_at_the_status) {
  const auto uin = issued("uin");
  ASSERT_EQ(put("uin", uin, "ASSIGNED").status, 200);
  const auto refused = failure("KER-UIG-004", "Given UIN is not in ISSUED status");
  for (const auto* status : {"ASSIGNED", "UNASSIGNED", "NONSENSE", ""}) expect(put("uin", uin, status), 200, refused);
  desk.set_state("uin", uin, id_state::available);
  expect(put("uin", uin, "ASSIGNED"), 200, refused);
}

TEST_F(mosip_test, names_what_is_wrong_with_a_change_of_a_uin) {
  const auto uin = issued("uin");
  struct row {
    std::string uin;
    const char* status;
    const char* code;
    const char* message;
  };
  const row table[] = {
      {desk.unused("uin"), "ASSIGNED", "KER-UIG-001", "UIN could not be found"},
      {desk.unused("uin"), "NONSENSE", "KER-UIG-001", "UIN could not be found"},
      {"", "ASSIGNED", "KER-UIG-001", "UIN could not be found"},
      {"000000", "ASSIGNED", "KER-UIG-001", "UIN could not be found"},
      {uin + "0", "ASSIGNED", "KER-UIG-001", "UIN could not be found"},
      {"\u0667\u0661\u0662", "ASSIGNED", "KER-UIG-001", "UIN could not be found"},
      {uin, "assigned", "KER-UIG-003", "Given UIN status not found"},
      {uin, "UNUSED", "KER-UIG-003", "Given UIN status not found"},
      {uin, "", "KER-UIG-003", "Given UIN status not found"},
  };
  for (const auto& [number, status, code, message] : table)
    expect(put("uin", number, status), 200, failure(code, message));
  for (const auto* body : {R"({"request":{}})", R"({"request":{"uin":null,"status":null}})"})
    expect(ask("PUT", "/v1/idgenerator/uin", body), 200, failure("KER-UIG-001", "UIN could not be found"));
  expect(ask("PUT", "/v1/idgenerator/uin", fmt::format(R"({{"request":{{"uin":"{}"}}}})", uin)), 200,
         failure("KER-UIG-003", "Given UIN status not found"));
}

TEST_F(mosip_test, confirms_no_uin_that_was_issued_to_somebody_else_meanwhile) {
  const auto uin = issued("uin");
  desk.fail_with = error{errc::stale_assignment, "x", {}};
  expect(put("uin", uin, "ASSIGNED"), 200, failure("KER-UIG-004", "Given UIN is not in ISSUED status"));
  desk.fail_with = error{errc::conflict, "x", {}};
  expect(put("uin", uin, "UNASSIGNED"), 200, failure("KER-UIG-004", "Given UIN is not in ISSUED status"));
}

TEST_F(mosip_test, revokes_a_vid_as_often_as_it_is_asked_to) {
  const auto vid = issued("vid");
  for (int i = 0; i < 3; ++i)
    expect(put("vid", vid, "REVOKED"), 200, success(fmt::format(R"({{"vid":"{}","status":"EXPIRED"}})", vid)));
  const auto ended_by_its_time = issued("vid");
  desk.set_state("vid", ended_by_its_time, id_state::expired);
  expect(put("vid", ended_by_its_time, "REVOKED"), 200,
         success(fmt::format(R"({{"vid":"{}","status":"EXPIRED"}})", ended_by_its_time)));
}

TEST_F(mosip_test, names_what_is_wrong_with_a_revoke_of_a_vid) {
  const auto vid = issued("vid");
  const auto not_found = failure("KER-VID-007", "VID could not be found");
  expect(put("vid", desk.unused("vid"), "REVOKED"), 200, not_found);
  expect(put("vid", "123", "REVOKED"), 200, not_found);
  expect(put("vid", "", "REVOKED"), 200, not_found);
  expect(put("vid", "\u0667\u0661\u0662\u0661\u0667\u0663", "REVOKED"), 200, not_found);
  expect(ask("PUT", "/v1/idgenerator/vid", R"({"request":{"vid":null}})"), 200, not_found);
  for (const auto* status : {"EXPIRED", "revoked", "REVOKED ", "ASSIGNED", ""})
    expect(put("vid", vid, status), 200, failure("KER-VID-005", "KER-VID-005 --> The status must be REVOKED."));
  for (const auto state : {id_state::available, id_state::retired}) {
    desk.set_state("vid", vid, state);
    expect(put("vid", vid, "REVOKED"), 200, failure("KER-VID-008", "Given VID is not in ASSIGNED status"));
  }
}

TEST_F(mosip_test, revokes_on_a_thread_where_rows_must_be_read_to_find_the_vid) {
  const auto routes = all_routes();
  const auto put =
      std::ranges::find_if(routes, [](const route& r) { return r.method == "PUT" && r.path == "/v1/idgenerator/vid"; });
  ASSERT_NE(put, routes.end());
  ASSERT_TRUE(put->begin && put->begin_reads);
  EXPECT_TRUE(put->begin_reads({}));
  desk.reads = false;
  EXPECT_FALSE(put->begin_reads({}));
  desk.forget("vid");
  EXPECT_FALSE(put->begin_reads({})) << "there is nothing to read";
}

TEST_F(mosip_test, takes_the_expiry_of_a_vid_to_the_letter) {
  const auto past = failure("KER-VID-003", "Vid expiry date is before current utc time");
  const auto blank = failure("KER-VID-002", "Vid expiry date is empty");
  const auto malformed =
      failure("KER-VID-004", "Vid expiry date pattern is invalid, should be in yyyy-MM-dd'T'HH:mm:ss.SSS'Z' pattern");
  const std::pair<const char*, std::string> refused[] = {
      {"", blank},
      {"+", blank},
      {"%20%20", blank},
      {"2027-01-15T07:59:59.999Z", past},
      {"1999-12-31T00:00:00.000Z", past},
      {"1970-01-01T00:00:00.000Z", past},
      {"0001-01-01T00:00:00.000Z", past},
      {"2027-01-14T24:00:00.000Z", past},
      {"0000-01-01T00:00:00.000Z", malformed},
      {"2030-01-01T00:00:00Z", malformed},
      {"2030-01-01T00:00:00.0Z", malformed},
      {"2030-01-01T00:00:00.000%2B00:00", malformed},
      {"2030-01-01T00:00:00.000z", malformed},
      {"%202030-01-01T00:00:00.000Z", malformed},
      {"2030-01-01T00:00:00.000Z%20", malformed},
      {"2030-13-01T00:00:00.000Z", malformed},
      {"2030-01-32T00:00:00.000Z", malformed},
      {"2030-02-30T00:00:00.000Z", malformed},
      {"2030-02-29T00:00:00.000Z", malformed},
      {"2030-04-31T00:00:00.000Z", malformed},
      {"2030-00-01T00:00:00.000Z", malformed},
      {"2030-01-00T00:00:00.000Z", malformed},
      {"2030-01-01T24:00:00.001Z", malformed},
      {"2030-01-01T24:00:01.000Z", malformed},
      {"2030-01-01T25:00:00.000Z", malformed},
      {"2030-01-01T00:60:00.000Z", malformed},
      {"2030-01-01T00:00:60.000Z", malformed},
      {"2030-01-01%2000:00:00.000Z", malformed},
      {"2030-01-01T00:00:00.000", malformed},
      {"2030-01-01", malformed},
      {"1893456000000", malformed},
      {"tomorrow", malformed},
      {"5", malformed},
      {"%D9%A2%D9%A0%D9%A3%D9%A0-01-01T00:00:00.000Z", malformed},
  };
  for (const auto& [text, body] : refused) {
    SCOPED_TRACE(text);
    expect(get(std::string("/v1/idgenerator/vid?videxpiry=") + text), 200, body);
  }
  expect(get("/v1/idgenerator/vid?videxpiry"), 200, blank);
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
  const std::pair<const char*, const char*> taken[] = {
      {now_text, now_text}, // equal to now is accepted
      {"2030-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z"},
      {"2030-02-28T24:00:00.000Z", "2030-03-01T00:00:00.000Z"},
      {"2032-02-29T23:59:59.999Z", "2032-02-29T23:59:59.999Z"},
      {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
  };
  for (const auto& [text, until] : taken) {
    EXPECT_EQ(get(std::string("/v1/idgenerator/vid?videxpiry=") + text).status, 200);
    ASSERT_TRUE(desk.last_call.expires_at) << text;
    EXPECT_EQ(to_rfc3339(*desk.last_call.expires_at), until);
  }
  issued("vid");
  EXPECT_FALSE(desk.last_call.expires_at) << "without videxpiry it is perpetual";
}

TEST_F(mosip_test, never_takes_the_epoch_for_no_expiry_at_all) {
  for (const auto* text : {"1970-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"})
    expect(get(std::string("/v1/idgenerator/vid?videxpiry=") + text, {{"Idempotency-Key", "k"}}), 200,
           failure("KER-VID-003", "Vid expiry date is before current utc time"));
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
}

TEST_F(mosip_test, issues_nothing_that_expires_while_its_clock_is_not_believed) {
  clock_suspect = true;
  const auto answer = get("/v1/idgenerator/vid?videxpiry=2030-01-01T00:00:00.000Z");
  expect(answer, 200,
         failure("KER-VID-005", "KER-VID-005 --> The node's clock jumped and nobody has confirmed it: what expires "
                                "cannot be issued. See GET /v1/clock."));
  EXPECT_EQ(header_of(answer, "Retry-After"), "60");
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
  issued("vid");
}

TEST_F(mosip_test, calls_an_expiry_past_that_has_come_while_the_request_waited) {
  desk.fail_with = error{errc::invalid_argument, "The expiry lies in the past.", {}};
  expect(get("/v1/idgenerator/vid?videxpiry=2030-01-01T00:00:00.000Z"), 200,
         failure("KER-VID-003", "Vid expiry date is before current utc time"));
}

TEST_F(mosip_test, calls_an_empty_pool_by_the_codes_of_its_kind) {
  for (const auto why : {errc::refilling, errc::exhausted}) {
    desk.fail_with = error{why, "x", {}};
    if (why == errc::refilling) desk.fail_with->retry_after = milliseconds(1'500);
    const auto answers = {get("/v1/idgenerator/uin"), get("/v1/idgenerator/vid"),
                          get("/v1/pridgenerator/prid", {{"Authorization", ""}})};
    const std::string bodies[] = {failure("KER-UIG-001", "UIN could not be found"),
                                  failure("KER-VID-001", "KER-VID-001 --> VID not available for allocation"),
                                  failure("KER-PRID-001", "PRID not available for allocation")};
    std::size_t i = 0;
    for (const auto& answer : answers) {
      expect(answer, 200, bodies[i++]);
      EXPECT_EQ(header_of(answer, "Retry-After"), why == errc::refilling ? "2" : "");
    }
  }
}

TEST_F(mosip_test, tells_every_other_failure_in_the_envelope_and_keeps_faults_of_its_own_to_the_log) {
  const auto uin = issued("uin");
  const auto vid = issued("vid");
  struct row {
    int status;
    errc why;
    bool shown;
  };
  constexpr row table[] = {
      {200, errc::outcome_unknown, true},   {200, errc::storage_full, true}, {200, errc::unavailable, true},
      {200, errc::deadline_exceeded, true}, {200, errc::fenced, true},       {200, errc::assignment_ended, true},
      {200, errc::corrupt, false},          {200, errc::io, false},          {200, errc::internal, false},
      {503, errc::overloaded, true},
  };
  for (const auto& [status, why, shown] : table) {
    SCOPED_TRACE(to_string(why));
    desk.fail_with = error{why, "The reason.", {}};
    const std::string text = shown ? "The reason." : "Internal Server Error";
    expect(get("/v1/idgenerator/uin"), status, failure("KER-UIG-005", text));
    expect(get("/v1/idgenerator/vid"), status, failure("KER-VID-005", "KER-VID-005 --> " + text));
    expect(get("/v1/pridgenerator/prid"), status, failure("KER-PRID-005", text));
    expect(put("uin", uin, "ASSIGNED"), status, failure("KER-UIG-005", text));
    expect(put("vid", vid, "REVOKED"), status, failure("KER-VID-005", "KER-VID-005 --> " + text));
  }
  desk.fail_look_up_with = error{errc::io, "secret", {}};
  expect(put("uin", uin, "ASSIGNED"), 200, failure("KER-UIG-005", "Internal Server Error"));
}

TEST_F(mosip_test, answers_with_an_envelope_even_where_its_own_code_fails) {
  const auto uin = issued("uin");
  const auto vid = issued("vid");
  desk.throws = true;
  expect(get("/v1/idgenerator/uin"), 200, failure("KER-UIG-005", "Internal Server Error"));
  expect(get("/v1/idgenerator/vid"), 200, failure("KER-VID-005", "KER-VID-005 --> Internal Server Error"));
  expect(get("/v1/pridgenerator/prid"), 200, failure("KER-PRID-005", "Internal Server Error"));
  expect(put("uin", uin, "ASSIGNED"), 200, failure("KER-UIG-005", "Internal Server Error"));
  expect(put("vid", vid, "REVOKED"), 200, failure("KER-VID-005", "KER-VID-005 --> Internal Server Error"));
}

TEST_F(mosip_test, answers_every_unreadable_body_with_an_envelope) {
  const std::string bodies[] = {
      "",
      " ",
      "{",
      "[]",
      "null",
      "7",
      "\"x\"",
      "{}",
      R"({"request":null})",
      R"({"request":[]})",
      R"({"request":"x"})",
      R"({"request":{"uin":"1","vid":"1","status":"ASSIGNED"}})",
      R"({"request":{"status":"ASSIGNED","more":1}})",
      R"({"request":{"status":7}})",
      R"({"request":{"uin":7,"status":"ASSIGNED","vid":7}})",
      R"({"request":{"status":["ASSIGNED"]}})",
      R"({"request":{},"more":1})",
      R"({"request":{},"request":{}})",
      R"({"id":7,"request":{}})",
      R"({"version":{},"request":{}})",
      R"({"requesttime":"2026-02-30T00:00:00.000Z","request":{}})",
      R"({"requesttime":"2026-01-01T00:00:00Z","request":{}})",
      R"({"requesttime":5,"request":{}})",
      R"({"requesttime":"","request":{}})",
      R"({"requesttime":"2026-01-01T00:00:00.000+00:00","request":{}})",
      R"({"requesttime":"2026-01-01T24:00:00.001Z","request":{}})",
      R"({"Request":{}})",
      R"({"request":true})",
      R"({"request":{"uin":true,"vid":{}}})",
      R"({"request":{}} {})",
      "{\"request\":{\"status\":\"\xff\"}}",
      R"({"request":{"status":"A\u0000"}})",
      std::string(40, '[') + std::string(40, ']'),
      R"({"id":")" + std::string(300, 'i') + R"(","request":{}})",
  };
  for (const auto& body : bodies) {
    for (const auto* type : {"uin", "vid"}) {
      const auto answer = ask("PUT", std::string("/v1/idgenerator/") + type, body);
      EXPECT_EQ(answer.status, 200) << body;
      const std::string code = std::string(type) == "uin" ? "KER-UIG-005" : "KER-VID-005";
      EXPECT_TRUE(answer.body.contains("\"response\":null,\"errors\":[{\"errorCode\":\"" + code)) << answer.body;
      EXPECT_TRUE(answer.body.starts_with("{\"id\":null,\"version\":null,\"responsetime\":")) << answer.body;
    }
  }
  const auto echoed = ask("PUT", "/v1/idgenerator/uin", R"({"id":"a","version":"b","request":null})");
  EXPECT_TRUE(echoed.body.starts_with(R"({"id":"a","version":"b",)")) << echoed.body;
  for (const auto& [key, record] : desk.records)
    EXPECT_EQ(record.state, key.first == "uin" ? id_state::issued : id_state::assigned);
}

TEST_F(mosip_test, refuses_what_http_itself_refuses_with_its_status_in_the_envelope) {
  const std::string body = R"({"request":{}})";
  for (const auto* type : {"text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"}) {
    const auto answer = ask("PUT", "/v1/idgenerator/uin", body, {{"Content-Type", type}});
    expect(answer, 415, failure("KER-UIG-005", "The Content-Type must be application/json (UTF-8)."));
  }
  const auto large = ask("PUT", "/v1/idgenerator/vid", std::string((1 << 20) + 1, ' '));
  expect(large, 413, failure("KER-VID-005", "KER-VID-005 --> too large"));
  app.set_limits({.in_flight_max = 0, .access_log = false});
  const auto busy = get("/v1/idgenerator/uin");
  EXPECT_EQ(busy.status, 503);
  EXPECT_TRUE(busy.body.contains("KER-UIG-005")) << busy.body;
  EXPECT_EQ(header_of(busy, "Retry-After"), "1");
  EXPECT_EQ(get("/v1/idgenerator/actuator/health").status, 200);
}

TEST_F(mosip_test, refuses_unknown_query_parameters_because_a_misspelt_expiry_would_be_none) {
  const auto answer = get("/v1/idgenerator/vid?vidExpiry=2030-01-01T00:00:00.000Z");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body.contains("KER-VID-005 --> The query parameter 'vidExpiry' is not known here")) << answer.body;
  const auto twice = get("/v1/idgenerator/vid?videxpiry=&videxpiry=");
  EXPECT_TRUE(twice.body.contains("KER-VID-005")) << twice.body;
  for (const auto* text : {"%zz", "%", "%09", "%ff"})
    EXPECT_TRUE(get(std::string("/v1/idgenerator/vid?videxpiry=") + text).body.contains("KER-VID-005")) << text;
  EXPECT_TRUE(get("/v1/idgenerator/uin?count=2").body.contains("KER-UIG-005"));
  EXPECT_TRUE(get("/v1/pridgenerator/prid?count=2").body.contains("KER-PRID-005"));
  EXPECT_TRUE(desk.records.empty());
}

TEST_F(mosip_test, asks_for_credentials_and_scopes_on_every_route) {
  struct row {
    std::string method;
    std::string target;
    std::string scope;
  };
  const row table[] = {
      {"GET", "/v1/idgenerator/uin", "ids:issue"},    {"PUT", "/v1/idgenerator/uin", "ids:confirm"},
      {"GET", "/v1/idgenerator/vid", "ids:issue"},    {"PUT", "/v1/idgenerator/vid", "ids:revoke"},
      {"GET", "/v1/pridgenerator/prid", "ids:issue"},
  };
  const auto strict = guarded(all_routes());
  for (const auto& route : table) {
    SCOPED_TRACE(route.method + " " + route.target);
    const auto with = [&](const std::string& credentials, const std::string& path) {
      std::map<std::string, std::string> sent{{"Content-Type", "application/json"}};
      if (!credentials.empty()) sent["Authorization"] = credentials;
      request_from_text what(route.method, path, sent, route.method == "PUT" ? R"({"request":{}})" : "");
      return strict->answer(what);
    };
    const auto nobody = with("", route.target);
    expect(nobody, 401, failure("KER-ATH-401", "Authentication Failed"));
    EXPECT_EQ(header_of(nobody, "WWW-Authenticate"), R"(Bearer realm="matricula")");
    expect(with("Basic x", route.target), 401, failure("KER-ATH-401", "Authentication Failed"));
    const auto forbidden = with("Bearer ids:read+ids:act+ids:return", route.target);
    expect(forbidden, 403, failure("KER-ATH-403", "Forbidden"));
    EXPECT_EQ(header_of(forbidden, "WWW-Authenticate"),
              fmt::format(R"(Bearer realm="matricula", error="insufficient_scope", scope="{}")", route.scope));
    const auto later = with("Bearer later", route.target);
    EXPECT_EQ(later.status, 503) << "the caller cannot be told: no outcome of the request";
    EXPECT_TRUE(later.body.contains("The issuer's keys could not be had yet.")) << later.body;
    EXPECT_EQ(header_of(later, "Retry-After"), "1");
    // What lies below a route is not its own and needs nobody's credentials to be nothing.
    EXPECT_EQ(with("", route.target + "/foo").status, 404);
    EXPECT_TRUE(desk.records.empty()) << "something was issued";
    const auto allowed = with(std::string("Bearer ") + route.scope, route.target);
    EXPECT_EQ(allowed.status, 200);
    EXPECT_FALSE(allowed.body.contains("KER-ATH")) << allowed.body;
    EXPECT_EQ(header_of(allowed, "Set-Cookie"), "") << "who sent the token has it";
    desk.records.clear();
  }
}

TEST_F(mosip_test, takes_the_token_from_the_cookie_too) {
  const auto with = [&](const std::string& cookie) {
    return get("/v1/idgenerator/uin", {{"Authorization", ""}, {"Cookie", cookie}}).status;
  };
  EXPECT_EQ(with("Authorization=ids:issue"), 200);
  EXPECT_EQ(with("a=b; Authorization=\"ids:issue\"; c=d"), 200);
  EXPECT_EQ(with("Authorization=ids:read"), 403);
  EXPECT_EQ(with("authorization=ids:issue"), 401) << "names of cookies have a case";
  EXPECT_EQ(with("XAuthorization=ids:issue"), 401);
  EXPECT_EQ(with("Authorization="), 401);
  EXPECT_EQ(with("Authorization=ids:issue; Authorization=*"), 401) << "who knows which of them is right?";
  EXPECT_EQ(get("/v1/idgenerator/uin", {{"Authorization", "Bearer ids:read"}, {"Cookie", "Authorization=*"}}).status,
            403)
      << "the header wins";
}

TEST_F(mosip_test, wants_two_scopes_for_giving_back) {
  const auto uin = issued("uin");
  const auto body = [&](const char* status) {
    return fmt::format(R"({{"request":{{"uin":"{}","status":"{}"}}}})", uin, status);
  };
  const auto strict = guarded(all_routes());
  const auto with = [&](const char* scopes, const char* status) {
    request_from_text what("PUT", "/v1/idgenerator/uin",
                           {{"Authorization", scopes}, {"Content-Type", "application/json"}}, body(status));
    return strict->answer(what);
  };
  expect(with("Bearer ids:return", "UNASSIGNED"), 403, failure("KER-ATH-403", "Forbidden"));
  const auto forbidden = with("Bearer ids:confirm", "UNASSIGNED");
  expect(forbidden, 403, failure("KER-ATH-403", "Forbidden"));
  EXPECT_EQ(header_of(forbidden, "WWW-Authenticate"),
            R"(Bearer realm="matricula", error="insufficient_scope", scope="ids:return")");
  expect(with("Bearer ids:confirm+ids:return", "UNASSIGNED"), 200,
         success(fmt::format(R"({{"uin":"{}","status":"UNUSED"}})", uin)));
}

TEST_F(mosip_test, serves_routes_that_are_open_without_credentials_but_no_keys) {
  const headers nobody{{"Authorization", ""}};
  const auto uin = issued("uin");
  EXPECT_EQ(get("/v1/pridgenerator/prid", nobody).status, 200);
  EXPECT_EQ(desk.last_caller, "anonymous");
  expect(ask("PUT", "/v1/idgenerator/uin", fmt::format(R"({{"request":{{"uin":"{}","status":"UNASSIGNED"}}}})", uin),
             nobody),
         200, success(fmt::format(R"({{"uin":"{}","status":"UNUSED"}})", uin)));
  const auto keyed = get("/v1/pridgenerator/prid", {{"Authorization", ""}, {"Idempotency-Key", "k"}});
  EXPECT_TRUE(keyed.body.contains("KER-PRID-005")) << keyed.body;
}

TEST_F(mosip_test, passes_an_idempotency_key_on_and_marks_a_repeated_answer) {
  for (const auto& key : {std::string(), std::string(256, 'k'), std::string("\xc3\xa4")})
    EXPECT_TRUE(get("/v1/idgenerator/uin", {{"Idempotency-Key", key}}).body.contains("KER-UIG-005")) << key;
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
  get("/v1/idgenerator/uin", {{"Idempotency-Key", "k"}});
  const auto of_uin = desk.last_call;
  EXPECT_EQ(of_uin.idempotency_ref.size(), 16U);
  EXPECT_EQ(of_uin.fingerprint.size(), 32U);
  get("/v1/idgenerator/vid", {{"Idempotency-Key", "k"}});
  EXPECT_NE(desk.last_call.idempotency_ref, of_uin.idempotency_ref) << "another type is another request";
  const auto perpetual = desk.last_call;
  get("/v1/idgenerator/vid?videxpiry=2030-01-01T00:00:00.000Z", {{"Idempotency-Key", "k"}});
  EXPECT_EQ(desk.last_call.idempotency_ref, perpetual.idempotency_ref);
  EXPECT_NE(desk.last_call.fingerprint, perpetual.fingerprint);
  get("/v1/idgenerator/vid?videxpiry=2020-01-01T00:00:00.000Z", {{"Idempotency-Key", "k"}});
  EXPECT_TRUE(desk.last_call.expires_at) << "the pool looks whether it is a repetition";
  desk.replayed = true;
  EXPECT_EQ(header_of(get("/v1/idgenerator/uin", {{"Idempotency-Key", "k"}}), "Idempotent-Replayed"), "true");
}

TEST_F(mosip_test, has_no_sub_paths_and_no_head) {
  for (const auto* target : {"/v1/idgenerator/uin/foo", "/v1/idgenerator/uin/", "/v1/idgenerator/vid/x/y",
                             "/v1/idgenerator", "/v1/idgenerator/UIN", "/v1/pridgenerator", "/v1/pridgenerator/prid/1"})
    for (const auto* method : {"GET", "PUT"}) EXPECT_EQ(ask(method, target).status, 404) << method << " " << target;
  const std::pair<std::string, const char*> families[] = {
      {"uin", "KER-UIG-005"}, {"vid", "KER-VID-005"}, {"prid", "KER-PRID-005"}};
  for (const auto& [type, code] : families) {
    const auto target = type == "prid" ? "/v1/pridgenerator/prid" : "/v1/idgenerator/" + type;
    const auto head = ask("HEAD", target);
    EXPECT_EQ(head.status, 405) << target;
    EXPECT_TRUE(head.body.contains(code)) << head.body;
    EXPECT_EQ(header_of(head, "Allow"), type == "prid" ? "GET" : "GET, PUT");
    for (const auto* method : {"POST", "DELETE", "PATCH", "OPTIONS"})
      EXPECT_EQ(ask(method, target).status, 405) << method << " " << target;
  }
  EXPECT_EQ(ask("PUT", "/v1/pridgenerator/prid").status, 405);
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
}

TEST_F(mosip_test, says_that_a_type_is_not_configured) {
  for (const auto* type : {"uin", "vid", "prid"}) desk.forget(type);
  for (const auto* target : {"/v1/idgenerator/uin", "/v1/idgenerator/vid", "/v1/pridgenerator/prid"}) {
    const auto answer = get(target);
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body.contains("no identifier type")) << answer.body;
  }
  EXPECT_TRUE(put("uin", "1", "ASSIGNED").body.contains("KER-UIG-005"));
}

TEST_F(mosip_test, tells_its_numbers_to_those_who_may_see_them) {
  const auto answer = get("/v1/idgenerator/metrics", {{"Authorization", "Bearer metrics:read"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "matricula_up 1\n");
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4");
  EXPECT_EQ(get("/v1/idgenerator/metrics", {{"Authorization", "Bearer ids:issue"}}).status, 403);
  EXPECT_EQ(get("/v1/idgenerator/metrics", {{"Authorization", ""}}).status, 401);
}

TEST_F(mosip_test, tells_its_health) {
  const auto up = get("/v1/idgenerator/actuator/health", {{"Authorization", ""}});
  expect(up, 200,
         R"({"status":"UP","checks":[{"id":"db","status":"UP","data":{"database":"embedded","hello":1}},)"
         R"({"id":"diskspace","status":"UP","data":{"total":1000000,"free":500000,"threshold":100000}},)"
         R"({"id":"idgenerator","status":"UP","data":{"response":"active"}}],)"
         R"("details":{"db":{"status":"UP","details":{"database":"embedded","hello":1}},)"
         R"("diskspace":{"status":"UP","details":{"total":1000000,"free":500000,"threshold":100000}},)"
         R"("idgenerator":{"status":"UP","details":{"response":"active"}}}})");
  const auto is_down = [&](const char* part) {
    const auto answer = get("/v1/idgenerator/actuator/health");
    EXPECT_EQ(answer.status, 503) << part;
    EXPECT_TRUE(answer.body.starts_with(R"({"status":"DOWN")")) << answer.body;
    EXPECT_TRUE(answer.body.contains(std::string(R"({"id":")") + part + R"(","status":"DOWN")")) << answer.body;
  };
  storage = fail(errc::storage_full, "full");
  is_down("db");
  storage = {};
  pools = fail(errc::unavailable, "empty");
  is_down("idgenerator");
  pools = {};
  disk.free_bytes = 99'999;
  is_down("diskspace");
}

} // namespace
} // namespace matricula::api::compat
