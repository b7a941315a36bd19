#include "api/problem.hpp"

#include "api/json_writer.hpp"

#include <algorithm>

namespace matricula::api {

namespace {
/// For a person; the code in words.
std::string_view title_of(errc code) noexcept {
  switch (code) {
  case errc::invalid_argument:
    return "The request breaks a rule";
  case errc::not_found:
    return "Not found";
  case errc::conflict:
    return "The present state does not allow it";
  case errc::stale_assignment:
    return "An older assignment was named";
  case errc::assignment_ended:
    return "The assignment has ended";
  case errc::exhausted:
    return "The identifier space is used up";
  case errc::refilling:
    return "The pool is being refilled";
  case errc::overloaded:
    return "Too much work at once";
  case errc::deadline_exceeded:
    return "The deadline passed before any effect";
  case errc::storage_full:
    return "Too little disk space to write";
  case errc::outcome_unknown:
    return "The outcome of the write is unknown";
  case errc::fenced:
    return "Another writer has taken over";
  case errc::corrupt:
    return "Stored data is damaged";
  case errc::io:
    return "The operating system refused";
  case errc::unauthenticated:
    return "Credentials are missing or not valid";
  case errc::forbidden:
    return "The credentials do not cover this";
  case errc::payload_too_large:
    return "Too large";
  case errc::unsupported:
    return "Not served";
  case errc::idempotency_mismatch:
    return "The idempotency key was used for another request";
  case errc::idempotency_running:
    return "The first request with this key is still running";
  case errc::unavailable:
    return "Temporarily not available";
  case errc::internal:
    return "Internal error";
  case errc::quota_exceeded:
    return "The quota is used up";
  case errc::lease_lost:
    return "The lease is over";
  }
  return "Internal error";
}
} // namespace

int status_of(errc code) noexcept {
  switch (code) {
  case errc::invalid_argument:
  case errc::idempotency_mismatch:
    return 422;
  case errc::unauthenticated:
    return 401;
  case errc::forbidden:
    return 403;
  case errc::not_found:
    return 404;
  case errc::conflict:
  case errc::stale_assignment:
  case errc::idempotency_running:
  case errc::lease_lost:
    return 409;
  case errc::assignment_ended:
  case errc::exhausted:
    return 410;
  case errc::quota_exceeded:
    return 429;
  case errc::payload_too_large:
    return 413;
  case errc::unsupported:
    return 415;
  case errc::refilling:
  case errc::overloaded:
  case errc::storage_full:
  case errc::outcome_unknown:
  case errc::fenced:
  case errc::unavailable:
    return 503;
  case errc::deadline_exceeded:
    return 504;
  case errc::corrupt:
  case errc::io:
  case errc::internal:
    return 500;
  }
  return 500;
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
  case 200:
    return "OK";
  case 201:
    return "Created";
  case 202:
    return "Accepted";
  case 204:
    return "No Content";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 409:
    return "Conflict";
  case 410:
    return "Gone";
  case 411:
    return "Length Required";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 415:
    return "Unsupported Media Type";
  case 417:
    return "Expectation Failed";
  case 422:
    return "Unprocessable Content";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  case 505:
    return "HTTP Version Not Supported";
  default:
    return "Unknown";
  }
}

int status_of(const refusal& why) noexcept { return why.status != 0 ? why.status : status_of(why.cause.code); }

std::string_view detail_of(const refusal& why) noexcept {
  if (status_of(why) == 500) return "Matricula failed, and its log says why. Tell the operator the request_id.";
  if (why.cause.code == errc::outcome_unknown && why.cause.message.empty())
    return "The write failed midway. Repeat the request with the same Idempotency-Key: that is safe.";
  return why.cause.message;
}

response head_of(const refusal& why) {
  response answer{status_of(why), {}, {}, why.headers};
  auto retry = why.cause.retry_after;
  if (!retry && (answer.status == 503 || why.cause.code == errc::idempotency_running)) retry = std::chrono::seconds(1);
  if (retry) {
    const auto seconds = std::max(std::chrono::ceil<std::chrono::seconds>(*retry), std::chrono::seconds(1));
    answer.headers.push_back({"Retry-After", std::to_string(seconds.count())});
  }
  return answer;
}

response problem(const refusal& why, std::string_view request_id) {
  auto answer = head_of(why);
  answer.content_type = "application/problem+json";
  const auto code = why.cause.code;
  json::writer w(320);
  w.begin_object()
      .member("type", "urn:matricula:problem:" + std::string(to_string(code)))
      .member("title", title_of(code))
      .member("status", answer.status)
      .member("detail", detail_of(why))
      .member("code", to_string(code))
      .member("request_id", request_id)
      .end_object();
  answer.body = std::move(w).str();
  return answer;
}

} // namespace matricula::api
