/// What a resource declares (routes) and what its handlers see (requests, responses): no HTTP library, no socket.
#pragma once
#include "api/quota_limits.hpp"
#include "foundation/error.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace matricula::api {

/// Who asks, as the authenticator found out.
struct principal {
  std::string name;
  std::string tenant;
  std::vector<std::string> scopes;               ///< "ids:issue", "ids:*" (a whole feature) or "*" (everything)
  std::optional<own_quota> quota = std::nullopt; ///< where it differs from everybody's

  /// Whether one of `scopes` covers `scope`.
  [[nodiscard]] bool may(std::string_view scope) const noexcept;
};

struct header {
  std::string name;
  std::string value;
};

struct response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<header> headers;
  std::uint32_t issued = 0; ///< identifiers that were handed out for it, and counted against the caller's quota
  bool missed = false;      ///< whether a guessable route found nothing, though its status is not 404
};

/// Why a request is refused: an error, and a status where the error's code alone does not decide it (0: it does).
struct refusal {
  error cause;
  int status = 0;
  std::vector<header> headers;
  bool missed = false; ///< whether a guessable route found nothing, though the status is not 404

  refusal(error e) : cause(std::move(e)) {} // NOLINT: implicit, so that a handler returns fail(...) and result errors
  refusal(int http_status, errc code, std::string message, std::vector<header> more = {})
      : cause{code, std::move(message), std::nullopt}, status(http_status), headers(std::move(more)) {}
};

template <class T>
using outcome = std::expected<T, refusal>;

/// A refusal with a status of its own, as in `return refuse(400, errc::invalid_argument, "...")`.
[[nodiscard]] inline std::unexpected<refusal> refuse(int status, errc code, std::string message) {
  return std::unexpected(refusal(status, code, std::move(message)));
}

/// Names and decoded values, in the order of the request.
using name_values = std::vector<std::pair<std::string, std::string>>;

/// What the client sent, before any judgement. The server reads it from a socket, tests from strings.
class incoming {
public:
  virtual ~incoming() = default;
  /// Upper case.
  [[nodiscard]] virtual std::string_view method() const = 0;
  /// Path and query as sent, percent-encoded.
  [[nodiscard]] virtual std::string_view target() const = 0;
  /// The first header of that name (any case), trimmed. Absent: a view without data (`data() == nullptr`). Sent without
  /// a value: an empty view with data.
  [[nodiscard]] virtual std::string_view header(std::string_view name) const = 0;
  /// The whole body; read on the first call, so that a refused request costs no memory.
  /// Refuses with 413 over `bytes_max`, 408 when it comes too slowly, 400 when its framing is broken.
  [[nodiscard]] virtual outcome<std::string_view> body(std::size_t bytes_max) = 0;
  /// The network address that it comes from; valid as long as this.
  [[nodiscard]] virtual std::string_view peer() const { return "unknown"; }
};

/// What a handler sees. Every view lives until the handler returns.
struct request {
  const incoming* raw = nullptr;
  std::string_view method;
  std::string_view route; ///< the template that matched
  name_values params;     ///< of the path
  name_values query;
  std::string_view body;
  std::string_view idempotency_key; ///< empty when none was sent
  std::shared_ptr<const principal> who;
  bool open = false; ///< nobody was asked who they are, so the handler asks for no further scope either
  trace_context trace;
  std::chrono::nanoseconds deadline{}; ///< on the clock's monotonic scale; no effect may begin after it
  std::function<outcome<void>(std::uint32_t count)> hold_quota; ///< see `will_issue`

  /// To be called before identifiers are asked for, where it may be more than one: takes `count` from the caller's
  /// quota. What is not `response::issued` in the end is given back. Errors: quota_exceeded.
  [[nodiscard]] outcome<void> will_issue(std::uint32_t count) const {
    return hold_quota ? hold_quota(count) : outcome<void>{};
  }
  /// The path parameter `name`. @pre the route's template has it
  [[nodiscard]] std::string_view param(std::string_view name) const;
  /// The query parameter `name`, or nothing.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
  [[nodiscard]] std::string_view header(std::string_view name) const { return raw ? raw->header(name) : ""; }
};

/// Makes the answer from the reply that was waited for. Called once, on another thread than the handler's perhaps: when
/// the reply is there, or at the request's deadline without it. It may keep nothing of the request but copies.
using answer_later = std::function<outcome<response>()>;
/// What a handler that waits for nothing gives back.
using begun = std::variant<response, answer_later>;

/// What a route does with the header Idempotency-Key. A key is always checked for its form.
enum class idempotency : std::uint8_t {
  ignored,  ///< repeating the request changes nothing anyway
  accepted, ///< with a key the same answer is given again
  required, ///< 400 without a key
};

/// Of bodies of a few fields. A larger one would keep all others waiting where it is read on an event loop.
inline constexpr std::size_t small_body_bytes_max = std::size_t{16} << 10;

/// One route. Templates are segments: literals, `{name}` (one segment) and `{name...}` (one or more segments, last or
/// followed by one literal): "/v1/ids/{type}/{id}/confirm", "/v1/actors/{path...}/restart".
struct route {
  std::string method;
  std::string path;
  std::string scope; ///< empty: open to everyone
  std::function<outcome<response>(const request&)> handle;

  /// 0: the server's limit, and with `begin` small_body_bytes_max. No more than that either where no thread is used; so
  /// with a larger one `begin_reads` is to say the same of a request each time.
  std::size_t body_bytes_max = 0;
  std::vector<std::string> content_types = {"application/json"};
  std::vector<std::string> query; ///< the query parameters that it knows; others are refused
  api::idempotency idempotency = api::idempotency::ignored;
  bool under_load = false; ///< answered even when the bound of requests in flight is reached; no quotas
  /// Whether it names something that could be guessed, such as an identifier: its 404s, and answers that are `missed`,
  /// are counted against the caller's quota.
  bool guessable = false;
  /// Whether its answers may be `issued`. One identifier is held of the caller's quota before the handler runs; where
  /// it may be more the handler says so with `request::will_issue`.
  bool issues = false;

  /// In place of `handle`, for answers that come from an actor or the commit log: hands the request on and returns. The
  /// notice is told when the reply is there, perhaps before `begin` returns. It never waits for that, and unless
  /// `begin_reads` it never blocks: it runs where all connections are served.
  std::function<outcome<begun>(const request&, const runtime::reply_notice&)> begin;
  /// Whether `begin` reads rows for this request, or takes long to read its body, of which only the head is known: then
  /// it runs on a thread, and gives it back before the answer is there. Empty: it never does.
  std::function<bool(const request&)> begin_reads;
  /// Whether `handle` may block: it reads rows, takes long or waits. False only where it just computes; then it runs
  /// where all connections are served, without a thread of its own.
  bool waits = true;

  /// Whether a token may also come as the cookie `Authorization`. Browsers send cookies unasked, so for routes that
  /// promise it only.
  bool cookie_credentials = false;
  /// How this route words a refusal, also one of the chain before its handler (401, 403, 413, 415, ...): given the
  /// refusal and an answer that has status and headers, it sets body and content type and may change the status. For
  /// routes that speak like another system; empty: problem+json. What no route took (404, 405) is always a problem.
  std::function<void(const refusal&, response&)> refusal_body;
};

/// Whether the body may be larger than small_body_bytes_max, as its head says: for `route::begin_reads`.
[[nodiscard]] bool has_large_body(const request& r) noexcept;

} // namespace matricula::api
