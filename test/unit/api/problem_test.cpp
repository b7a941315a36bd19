#include "api/json.hpp"
#include "api/problem.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gtest/gtest.h>

namespace matricula::api {
namespace {

struct mapped {
  errc code;
  int status;
};

class problem_status : public testing::TestWithParam<mapped> {};

TEST_P(problem_status, follows_from_the_code) {
  const auto [code, status] = GetParam();
  EXPECT_EQ(status_of(code), status);
  const auto answer = problem(error{code, "Why.", std::nullopt}, "r1");
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.content_type, "application/problem+json");
  json::fields body(answer.body);
  EXPECT_EQ(body.text("code", {}), to_string(code));
  EXPECT_EQ(body.text("type", {}), "urn:matricula:problem:" + std::string(to_string(code)));
  EXPECT_FALSE(body.text("title", {}).empty());
  EXPECT_EQ(body.whole("status", {}), status);
  EXPECT_EQ(body.text("request_id", {}), "r1");
  EXPECT_FALSE(body.text("detail", {.bytes_max = 1000}).empty());
  EXPECT_FALSE(body.wrong()) << answer.body;
  EXPECT_EQ(!header_of(answer, "Retry-After").empty(), status == 503 || code == errc::idempotency_running);
  EXPECT_NE(reason_of(status), "Unknown");
}

INSTANTIATE_TEST_SUITE_P(
    all_codes, problem_status,
    testing::Values(mapped{errc::invalid_argument, 422}, mapped{errc::not_found, 404}, mapped{errc::conflict, 409},
                    mapped{errc::stale_assignment, 409}, mapped{errc::assignment_ended, 410},
                    mapped{errc::exhausted, 410}, mapped{errc::refilling, 503}, mapped{errc::overloaded, 503},
                    mapped{errc::deadline_exceeded, 504}, mapped{errc::storage_full, 503},
                    mapped{errc::outcome_unknown, 503}, mapped{errc::fenced, 503}, mapped{errc::corrupt, 500},
                    mapped{errc::io, 500}, mapped{errc::unauthenticated, 401}, mapped{errc::forbidden, 403},
                    mapped{errc::payload_too_large, 413}, mapped{errc::unsupported, 415},
                    mapped{errc::idempotency_mismatch, 422}, mapped{errc::idempotency_running, 409},
                    mapped{errc::unavailable, 503}, mapped{errc::internal, 500}, mapped{errc::quota_exceeded, 429},
                    mapped{errc::lease_lost, 409}),
    [](const auto& about) { return std::string(to_string(about.param.code)); });

TEST(problem, keeps_the_status_and_headers_of_the_refusal) {
  const auto answer = problem(refusal(405, errc::unsupported, "No.", {{"Allow", "GET"}}), "r");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(header_of(answer, "Allow"), "GET");
}

TEST(problem, rounds_retry_after_up_to_whole_seconds) {
  const auto after = [](std::chrono::milliseconds t) {
    return header_of(problem(error{errc::refilling, "Wait.", t}, "r"), "Retry-After");
  };
  EXPECT_EQ(after(std::chrono::milliseconds(0)), "1");
  EXPECT_EQ(after(std::chrono::milliseconds(1)), "1");
  EXPECT_EQ(after(std::chrono::milliseconds(1001)), "2");
  EXPECT_EQ(after(std::chrono::minutes(2)), "120");
}

TEST(problem, tells_nothing_of_our_own_faults) {
  const auto answer = problem(error{errc::corrupt, "row 17 of /var/lib/x is damaged", std::nullopt}, "r");
  EXPECT_FALSE(answer.body.contains("/var/lib")) << answer.body;
}

TEST(problem, says_that_the_same_key_is_safe_when_the_outcome_is_unknown) {
  EXPECT_TRUE(problem(error{errc::outcome_unknown, "", std::nullopt}, "r").body.contains("Idempotency-Key"));
}

} // namespace
} // namespace matricula::api
