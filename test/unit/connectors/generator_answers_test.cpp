// What each answer of a generator means. The worst mistake is to call an answer harmless that consumed an identifier.
#include "connectors/generator_answers.hpp"

#include <gmock/gmock.h>

#include <ostream>

namespace matricula::registrants {
static void PrintTo(call_outcome o, std::ostream* out) { *out << to_string(o); }
} // namespace matricula::registrants

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::generator_answer;

namespace {

using testing::HasSubstr;
using testing::Not;
using enum registrants::call_outcome;

struct answer_case {
  const char* what;
  int status;
  std::string body;
  call_outcome outcome;
  const char* says = ""; ///< in the error, or the identifier
};

std::string mosip_error(const char* code, const char* message = "message") {
  return std::string(R"({"id":null,"response":null,"errors":[{"errorCode":")") + code + R"(","message":")" + message +
         "\"}]}";
}

void check(const std::vector<answer_case>& cases, generator_answer (*read)(const generator_reply&)) {
  for (const auto& one : cases) {
    const auto is = read({.status = one.status, .body = one.body});
    EXPECT_EQ(is.outcome, one.outcome) << one.what << ": " << is.error;
    EXPECT_EQ(is.error.empty(), one.outcome == done) << one.what;
    EXPECT_EQ(is.id.empty(), one.outcome != done) << one.what;
    EXPECT_THAT(is.error + is.id, HasSubstr(one.says)) << one.what;
    EXPECT_LE(is.error.size(), 500U) << one.what;
  }
}

/// Statuses that are not of the generator but of what stands before it.
const std::vector<answer_case> of_http{
    {"unauthorised", 401, "", failed, "credentials"},
    {"forbidden", 403, "", failed, "credentials"},
    {"no route, as while a gateway restarts", 404, "<html>", failed, "404"},
    {"too slow in sending", 408, "", failed, "408"},
    {"too many", 429, "", failed, "429"},
    {"bad request", 400, "", refused, "400"},
    {"wrong method", 405, "", refused, "405"},
    {"moved", 301, "", failed, "redirects"},
    {"moved for once", 307, "", failed, "redirects"},
    {"see what was done", 303, "", unknown, "303"},
    {"internal error", 500, "", unknown, "500"},
    {"bad gateway", 502, "", unknown, "502"},
    {"unavailable, says a proxy", 503, "<html>", unknown, "503"},
    {"gateway timeout", 504, "", unknown, "504"},
    {"created", 201, R"({"response":{"uin":"1","id":"1"}})", unknown, "201"},
    {"early hints", 103, "", unknown, "103"},
};

const std::vector<answer_case> of_envelopes{
    {"empty", 200, "", unknown, "empty"},
    {"no JSON", 200, "<html>", unknown, "JSON"},
    {"half of it", 200, R"({"response":{"uin":"12)", unknown, "JSON"},
    {"bytes that are no text", 200, "\xff\xfe", unknown, "JSON"},
    {"a list", 200, "[]", unknown, "JSON"},
    {"a text, as MOSIP answers when its database fails", 200, R"("could not execute query")", unknown, "JSON"},
    {"two documents", 200, R"({"response":{"uin":"1","id":"1"}}{"response":{"uin":"2","id":"2"}})", unknown, "JSON"},
    {"nothing in it", 200, "{}", unknown, "neither"},
    {"null and no errors", 200, R"({"response":null,"errors":null})", unknown, "neither"},
    {"null and an empty list", 200, R"({"response":null,"errors":[]})", unknown, "neither"},
    {"a response that is a text", 200, R"({"response":"1234567890","errors":null})", unknown, "JSON"},
    {"without the identifier", 200, R"({"response":{},"errors":null})", unknown, "no text"},
    {"a number", 200, R"({"response":{"uin":1234567890,"id":1234567890}})", unknown, "no text"},
    {"an empty identifier", 200, R"({"response":{"uin":"","id":""}})", unknown, "no text"},
    {"a blank in it", 200, R"({"response":{"uin":"12 34","id":"12 34"}})", unknown, "no identifier"},
    {"markup", 200, R"({"response":{"uin":"<b>","id":"<b>"}})", unknown, "no identifier"},
    {"a zero byte", 200, R"({"response":{"uin":"12\u0000","id":"12\u0000"}})", unknown, "no identifier"},
    {"errors of no list", 200, R"({"response":{"uin":"1","id":"1"},"errors":"none"})", unknown, "JSON"},
    {"an identifier and an error", 200,
     R"({"response":{"uin":"1","id":"1"},"errors":[{"errorCode":"X","message":"y"}]})", unknown, "errors"},
    {"an error without a code", 200, R"({"response":null,"errors":[{}]})", unknown, "(none)"},
    {"an error that is null", 200, R"({"response":null,"errors":[null]})", unknown, "(none)"},
};

} // namespace

TEST(identifier, is_letters_digits_and_hyphens) {
  for (const auto& good : {std::string("1"), std::string("A-z9"), std::string(64, '7')})
    EXPECT_TRUE(is_identifier(good));
  for (const auto& bad : {std::string(), std::string(65, '7'), std::string("a b"), std::string("a_b"), std::string("é"),
                          std::string("1\n"), std::string("1\0", 2), std::string("../1")})
    EXPECT_FALSE(is_identifier(bad)) << bad;
}

TEST(mosip_issue, is_read_from_every_answer) {
  check(of_http, read_mosip_issue);
  check(of_envelopes, read_mosip_issue);
  check({{"a UIN", 200, R"({"response":{"uin":"4920546943"},"errors":null})", done, "4920546943"},
         {"a UIN and an empty list", 200, R"({"response":{"uin":"4920546943"},"errors":[]})", done, "4920546943"},
         {"none left", 200, mosip_error("KER-UIG-001"), none_available, "KER-UIG-001"},
         {"internal error", 200, mosip_error("KER-UIG-005"), unknown, "KER-UIG-005: message"},
         {"not configured", 200, mosip_error("KER-UIG-006"), unknown, "KER-UIG-006"},
         {"not signed, after the UIN was taken", 200, mosip_error("KER-CSS-103"), unknown, "KER-CSS-103"},
         {"no good token", 200, mosip_error("KER-ATH-401", "Invalid Token: eyJ"), failed, "KER-ATH-401"}},
        read_mosip_issue);
}

TEST(mosip_issue, shows_neither_a_token_nor_an_identifier) {
  const auto of = [](const char* code, const char* message) {
    return read_mosip_issue({.status = 200, .body = mosip_error(code, message)}).error;
  };
  EXPECT_THAT(of("KER-ATH-401", "Invalid Token: eyJ"), Not(HasSubstr("eyJ")));
  EXPECT_THAT(of("KER-UIG-005", "row 4920546943 is locked"), HasSubstr("row (digits) is locked"));
}

TEST(mosip_confirm, is_read_from_every_answer) {
  const auto read = [](const generator_reply& reply) {
    auto out = read_mosip_confirm(reply, "4920546943");
    if (out.outcome == done) out.id = "confirmed"; // so that one table's check serves both
    return out;
  };
  check(of_http, read);
  check(
      {{"assigned", 200, R"({"response":{"uin":"4920546943","status":"ASSIGNED"},"errors":null})", done},
       {"assigned by an earlier try", 200, mosip_error("KER-UIG-004"), done},
       {"bad status", 200, mosip_error("KER-UIG-003"), refused, "KER-UIG-003"},
       {"not found", 200, mosip_error("KER-UIG-001"), refused, "look there"},
       {"internal error", 200, mosip_error("KER-UIG-005"), unknown, "KER-UIG-005"},
       {"no good token", 200, mosip_error("KER-ATH-403"), failed, "KER-ATH-403"},
       {"empty, as to a request without content", 200, "", unknown, "empty"},
       {"no JSON", 200, "<html>", unknown, "JSON"},
       {"about nothing", 200, R"({"response":{},"errors":null})", unknown, "another"},
       {"about another", 200, R"({"response":{"uin":"4920546944"},"errors":null})", unknown, "another"},
       {"neither", 200, R"({"response":null,"errors":[]})", unknown, "neither"},
       {"both", 200, R"({"response":{"uin":"4920546943"},"errors":[{"errorCode":"KER-UIG-004"}]})", unknown, "errors"}},
      read);
}

TEST(openg2p_issue, is_read_from_every_answer) {
  check(of_http, read_openg2p_issue);
  check(of_envelopes, read_openg2p_issue);
  check({{"an identifier", 200, R"({"response":{"id":"492054694321"},"errors":[]})", done, "492054694321"},
         {"none for now", 503, mosip_error("IDG-001"), none_available, "IDG-001"},
         {"none any more", 410, mosip_error("IDG-002"), refused, "for good"},
         {"unknown type", 404, mosip_error("IDG-003"), refused, "id_type"},
         {"bad type", 422, R"({"detail":[]})", refused, "id_type"},
         {"not started", 503, mosip_error("IDG-005"), failed, "not ready"},
         {"storage failed, perhaps while it wrote", 503, mosip_error("IDG-006"), unknown, "503"},
         {"another error with 503", 503, mosip_error("IDG-999"), unknown, "503"}},
        read_openg2p_issue);
}

TEST(generator_answer_of_a_busy_generator, carries_when_to_ask_again) {
  using std::chrono_literals::operator""s;
  for (const auto& body : {mosip_error("IDG-001"), std::string()})
    EXPECT_EQ(read_openg2p_issue({.status = 503, .body = body, .retry_after = 2s}).try_again, 2s);
  EXPECT_EQ(read_mosip_issue({.status = 429, .body = "", .retry_after = 3s}).try_again, 3s);
}

TEST(mosip_token, is_to_be_renewed_for_what_its_authentication_refuses) {
  EXPECT_TRUE(mosip_wants_new_token({.status = 401, .body = ""}));
  EXPECT_TRUE(mosip_wants_new_token({.status = 200, .body = mosip_error("KER-ATH-401")}));
  EXPECT_FALSE(mosip_wants_new_token({.status = 200, .body = mosip_error("KER-UIG-001")}));
  EXPECT_FALSE(mosip_wants_new_token({.status = 403, .body = ""}));
  EXPECT_FALSE(mosip_wants_new_token(
      {.status = 200, .body = R"({"response":{"uin":"1"},"errors":[{"errorCode":"KER-ATH-401"}]})"}))
      << "a UIN was consumed";
}

TEST(call_outcome_names, are_those_of_the_interface) {
  EXPECT_EQ(to_string(none_available), "none_available");
  EXPECT_EQ(to_string(unknown), "unknown");
}

} // namespace matricula::connectors
