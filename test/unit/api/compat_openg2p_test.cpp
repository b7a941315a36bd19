// Every success and error of OpenG2P's routes: status, envelope, code and message.
#include "api/compat/openg2p.hpp"
#include "test/unit/api/compat_desk_of_a_test.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <set>

namespace matricula::api::compat {
namespace {

class openg2p_test : public compat_test {
protected:
  openg2p_test() {
    add(openg2p_routes({&desk, [this] { return time.wall(); }, health(), "1.2.3"}));
  }

  static std::string success(const std::string& inner) {
    return fmt::format(
        R"({{"id":"openg2p.idgenerator","version":"1.0","responsetime":"{}","response":{},"errors":[]}})", now_text,
        inner);
  }
  static std::string failure(const std::string& code, const std::string& message) {
    return fmt::format(R"({{"id":"openg2p.idgenerator","version":"1.0","responsetime":"{}","response":null,)"
                       R"("errors":[{{"errorCode":"{}","message":"{}"}}]}})",
                       now_text, code, message);
  }
  static void expect(const response& answer, int status, const std::string& body) {
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(answer.content_type, "application/json");
  }
};

TEST_F(openg2p_test, issues_one_identifier) {
  for (const auto* body : {"", "{}", " { } "}) {
    const auto id = desk.unused("farmer");
    expect(ask("POST", "/v1/idgenerator/farmer/id", body), 200, success(fmt::format(R"({{"id":"{}"}})", id)));
  }
}

TEST_F(openg2p_test, serves_pools_of_digits_only) {
  EXPECT_EQ(ask("POST", "/v1/idgenerator/prid/id").status, 200);
  // A route that needs no credentials must not hand out UINs and VIDs, and letters have no place in its pattern.
  for (const auto* type : {"uin", "vid", "tracking_id", "passport", "aa"}) {
    const auto unknown = failure("IDG-003", fmt::format("Unknown ID type '{}'", type));
    expect(ask("POST", fmt::format("/v1/idgenerator/{}/id", type)), 404, unknown);
    expect(get(fmt::format("/v1/idgenerator/{}/id/validate/123456", type)), 404, unknown);
  }
}

TEST_F(openg2p_test, tells_each_reason_why_it_issued_nothing) {
  struct row {
    errc why;
    int status;
    const char* code;
    const char* message;
    const char* retry_after;
  };
  constexpr row table[] = {
      {errc::refilling, 503, "IDG-001", "No IDs available for ID type 'farmer'. Replenishment in progress.", "1"},
      {errc::exhausted, 410, "IDG-002", "ID space exhausted for ID type 'farmer'", ""},
      {errc::storage_full, 503, "IDG-006", "Why.", "1"},
      {errc::outcome_unknown, 503, "IDG-006", "Why.", "1"},
      {errc::fenced, 503, "IDG-006", "Why.", "1"},
      {errc::unavailable, 503, "unavailable", "Why.", "1"},
      {errc::overloaded, 503, "overloaded", "Why.", "1"},
      {errc::deadline_exceeded, 504, "deadline_exceeded", "Why.", ""},
      {errc::io, 500, "IDG-006", "Matricula failed, and its log says why. Tell the operator the request_id.", ""},
      {errc::assignment_ended, 409, "assignment_ended", "Why.", ""},
      {errc::idempotency_running, 409, "idempotency_running", "Why.", "1"},
      {errc::idempotency_mismatch, 422, "idempotency_mismatch", "Why.", ""},
      {errc::internal, 500, "internal", "Matricula failed, and its log says why. Tell the operator the request_id.",
       ""},
  };
  for (const auto& [why, status, code, message, retry_after] : table) {
    SCOPED_TRACE(to_string(why));
    desk.fail_with = error{why, "Why.", {}};
    const auto answer = ask("POST", "/v1/idgenerator/farmer/id");
    expect(answer, status, failure(code, message));
    EXPECT_EQ(header_of(answer, "Retry-After"), retry_after);
  }
}

TEST_F(openg2p_test, answers_with_its_envelope_even_where_its_own_code_fails) {
  desk.throws = true;
  expect(ask("POST", "/v1/idgenerator/farmer/id"), 500,
         failure("internal", "Matricula failed, and its log says why. Tell the operator the request_id."));
}

TEST_F(openg2p_test, judges_numbers) {
  const auto id = desk.unused("farmer");
  auto changed = id;
  changed.back() = changed.back() == '9' ? '8' : static_cast<char>(changed.back() + 1);
  const auto verdict = [](const std::string& of, const char* valid) {
    return success(fmt::format(R"({{"id":"{}","valid":{}}})", of, valid));
  };
  const std::pair<std::string, const char*> table[] = {{id, "true"},        {changed, "false"},
                                                       {"1", "false"},      {"000000", "false"},
                                                       {id + "0", "false"}, {std::string(32, '7'), "false"}};
  for (const auto& [number, valid] : table)
    expect(get("/v1/idgenerator/farmer/id/validate/" + number), 200, verdict(number, valid));
}

TEST_F(openg2p_test, refuses_what_breaks_a_pattern_as_its_framework_does) {
  expect(
      get("/v1/idgenerator/farmer/id/validate/2A13023805"), 422,
      R"({"detail":[{"type":"string_pattern_mismatch","loc":["path","id_value"],)"
      R"("msg":"String should match pattern '^\\d{1,32}$'","input":"2A13023805","ctx":{"pattern":"^\\d{1,32}$"}}]})");
  const std::string bad_type = R"({"type":"string_pattern_mismatch","loc":["path","id_type"],)"
                               R"("msg":"String should match pattern '^[a-z][a-z0-9_]{1,63}$'","input":"Farmer",)"
                               R"("ctx":{"pattern":"^[a-z][a-z0-9_]{1,63}$"}})";
  expect(ask("POST", "/v1/idgenerator/Farmer/id"), 422, R"({"detail":[)" + bad_type + "]}");
  expect(get("/v1/idgenerator/Farmer/id/validate/x"), 422,
         R"({"detail":[)" + bad_type + R"(,{"type":"string_pattern_mismatch","loc":["path","id_value"],)" +
             R"("msg":"String should match pattern '^\\d{1,32}$'","input":"x","ctx":{"pattern":"^\\d{1,32}$"}}]})");
  const std::string ids[] = {"%D9%A7%D9%A1%D9%A2%D9%A1%D9%A7%D9%A3", // Arabic-Indic digits
                             "%EF%BC%97%EF%BC%91",                   // full-width digits
                             std::string(33, '1'),
                             "12%2034",
                             "-1",
                             "+1",
                             "1.5",
                             "12%2F34",
                             "%F0%9D%9F%8F", // a mathematical digit
                             "1%0A"};
  for (const auto& id : ids) {
    const int status = id == "1%0A" ? 400 : 422; // control characters are refused before any route
    EXPECT_EQ(get("/v1/idgenerator/farmer/id/validate/" + id).status, status) << id;
  }
  const std::string types[] = {"f", "9a", "_a", "fa-rmer", "f%C3%A4", "far%20mer", std::string(65, 'a')};
  for (const auto& type : types) {
    EXPECT_EQ(ask("POST", "/v1/idgenerator/" + type + "/id").status, 422) << type;
    EXPECT_EQ(get("/v1/idgenerator/" + type + "/id/validate/123456").status, 422) << type;
  }
  EXPECT_EQ(ask("POST", "/v1/idgenerator/" + std::string(64, 'a') + "/id").status, 404);
}

TEST_F(openg2p_test, refuses_bodies_that_ask_for_what_it_does_not_do) {
  for (const auto* body : {R"({"count":5})", "[]", "null", "{", "7", "\"x\"", "{}{}"}) {
    const auto answer = ask("POST", "/v1/idgenerator/farmer/id", body);
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_TRUE(answer.body.starts_with(R"({"detail":[{"type":"extra_forbidden","loc":["body"],)")) << answer.body;
  }
  expect(ask("POST", "/v1/idgenerator/farmer/id", "a=1", {{"Content-Type", "application/x-www-form-urlencoded"}}), 415,
         failure("unsupported", "The Content-Type must be application/json (UTF-8)."));
  expect(ask("POST", "/v1/idgenerator/farmer/id", std::string((1 << 20) + 1, ' ')), 413,
         failure("payload_too_large", "too large"));
  expect(ask("POST", "/v1/idgenerator/farmer/id?count=5"), 400,
         failure("invalid_argument", "The query parameter 'count' is not known here. Known: none."));
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
}

TEST_F(openg2p_test, asks_for_credentials_and_scopes_in_its_envelope) {
  struct row {
    const char* method;
    const char* target;
    const char* scope;
  };
  constexpr row table[] = {{"POST", "/v1/idgenerator/farmer/id", "ids:issue"},
                           {"GET", "/v1/idgenerator/farmer/id/validate/123456", "ids:read"},
                           {"GET", "/v1/idgenerator/version", "ids:read"},
                           {"GET", "/v1/idgenerator/config", "ids:read"}};
  for (const auto& [method, target, scope] : table) {
    SCOPED_TRACE(target);
    expect(ask(method, target, "", {{"Authorization", ""}}), 401, failure("unauthenticated", "Send a token."));
    expect(ask(method, target, "", {{"Authorization", "Bearer x"}}), 403,
           failure("forbidden", fmt::format("The token needs the scope {}.", scope)));
    EXPECT_EQ(ask(method, target, "", {{"Authorization", ""}, {"Cookie", "Authorization=*"}}).status, 401)
        << "cookies count on MOSIP's routes only";
    EXPECT_EQ(ask(method, target, "", {{"Authorization", std::string("Bearer ") + scope}}).status, 200);
  }
}

TEST_F(openg2p_test, knows_no_other_methods_and_paths) {
  for (const auto* method : {"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const auto answer = ask(method, "/v1/idgenerator/farmer/id");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(header_of(answer, "Allow"), "POST");
  }
  EXPECT_EQ(ask("POST", "/v1/idgenerator/farmer/id/validate/1").status, 405);
  EXPECT_EQ(ask("POST", "/v1/idgenerator/farmer/id/").status, 404);
  EXPECT_TRUE(desk.records.empty()) << "nothing was issued";
  for (const auto* target :
       {"/docs", "/redoc", "/v1/idgenerator/farmer/id/", "/v1/idgenerator/farmer", "/v1/idgenerator/farmer/id/validate",
        "/v1/idgenerator/farmer/id/1", "/v1/idgenerator/farmer/id/validate/1/2"})
    EXPECT_EQ(get(target).status, 404) << target;
}

TEST_F(openg2p_test, tells_its_health) {
  const headers nobody{{"Authorization", ""}};
  expect(get("/v1/idgenerator/health", nobody), 200, success(R"({"status":"UP"})"));
  pools = fail(errc::unavailable, "Not filled.");
  expect(get("/v1/idgenerator/health", nobody), 503, failure("IDG-005", "Service not ready: Not filled."));
  storage = fail(errc::storage_full, "Too little disk space.");
  const auto down = get("/v1/idgenerator/health", nobody);
  expect(down, 503, failure("IDG-006", "Database health check failed: Too little disk space."));
  EXPECT_EQ(header_of(down, "Retry-After"), "1");
}

TEST_F(openg2p_test, tells_its_version_and_configuration) {
  expect(get("/v1/idgenerator/version"), 200,
         success(R"({"service_version":"1.2.3","build_time":"dev","git_commit":"dev"})"));
  expect(get("/v1/idgenerator/config"), 200,
         success(R"({"id_types":{"farmer":{"id_length":6},"prid":{"id_length":6}},)"
                 R"("filter_rules":{"sequence_limit":3,"repeating_limit":2,"repeating_block_limit":2,)"
                 R"("conjugative_even_digits_limit":3,"digits_group_limit":5,"reverse_digits_group_limit":5,)"
                 R"("not_start_with":["0","1"],"restricted_numbers":[]}})"));
}

TEST_F(openg2p_test, describes_its_routes_as_openapi_yaml_does) {
  const auto answer = get("/openapi.json", {{"Authorization", ""}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  const auto own = YAML::Load(answer.body); // JSON is YAML
  const auto all = YAML::LoadFile(MATRICULA_SOURCE_DIR "/api/openapi.yaml");
  EXPECT_EQ(own["openapi"].as<std::string>(), "3.1.0");
  EXPECT_EQ(own["info"]["version"].as<std::string>(), all["info"]["version"].as<std::string>());
  std::set<std::string> described, served;
  const auto note = [](const YAML::Node& paths, std::set<std::string>& into, const auto& wanted) {
    for (const auto& path : paths)
      for (const auto& operation : path.second) {
        // Beside the methods a path has the parameters that they share.
        if (!operation.second.IsMap() || !wanted(operation.second)) continue;
        for (const auto& response : operation.second["responses"])
          into.insert(fmt::format("{} {} {}", operation.first.as<std::string>(), path.first.as<std::string>(),
                                  response.first.as<std::string>()));
      }
  };
  note(own["paths"], described, [](const YAML::Node&) { return true; });
  note(all["paths"], served, [](const YAML::Node& operation) {
    const auto tag = operation["tags"] ? operation["tags"][0].as<std::string>() : "";
    return tag == "openg2p" && operation["operationId"].as<std::string>() != "openg2pDescription";
  });
  std::set<std::string> with_its_names; // a parameter has another name there
  for (auto one : served) {
    if (const auto at = one.find("/{id} "); at != one.npos) one.replace(at, 6, "/{id_value} ");
    with_its_names.insert(one);
  }
  EXPECT_EQ(described, with_its_names);
  EXPECT_GT(described.size(), 20U);
}

TEST_F(openg2p_test, passes_an_idempotency_key_on) {
  ask("POST", "/v1/idgenerator/farmer/id", "", {{"Idempotency-Key", "k"}});
  EXPECT_EQ(desk.last_call.idempotency_ref.size(), 16U);
  desk.replayed = true;
  EXPECT_EQ(header_of(ask("POST", "/v1/idgenerator/farmer/id", "", {{"Idempotency-Key", "k"}}), "Idempotent-Replayed"),
            "true");
}

} // namespace
} // namespace matricula::api::compat
