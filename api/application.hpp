/// Everything between the socket and the resources: the table of routes and the chain of checks (middleware.cpp) that
/// every request goes through.
#pragma once
#include "api/authenticator.hpp"
#include "api/quotas.hpp"
#include "api/route.hpp"
#include "api/router.hpp"
#include "foundation/clock.hpp"
#include "foundation/metrics.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace matricula::api {

/// What may change while the server runs.
struct request_limits {
  std::chrono::milliseconds deadline{10'000};        ///< for one request; X-Request-Timeout-Ms lowers it
  std::size_t body_bytes_max = std::size_t{1} << 20; ///< where a route names none
  std::size_t in_flight_max = 512;                   ///< requests at once; above: 503
  bool access_log = true;                            ///< one line at level info for each request
};

struct application_options {
  request_limits limits;
  /// Templates that need no credentials, "/v1/x" or "GET /v1/x". Every one must exist when the server starts.
  std::vector<std::string> open_routes;
  quotas* limits_of_callers = nullptr; ///< must live longer; null: nobody has quotas
};

class application {
public:
  /// The authenticator, the metrics and the clock must live longer.
  application(application_options options, const authenticator& who, metrics& numbers, const clock& time);
  ~application();
  application(const application&) = delete;
  application& operator=(const application&) = delete;

  /// Before the server starts. Errors: invalid_argument, conflict (see router::add).
  [[nodiscard]] result<void> add(route added);
  [[nodiscard]] result<void> add(std::vector<route> added);
  /// Refuses (invalid_argument) an entry of `open_routes` that no route matches. Call it after the last `add`.
  [[nodiscard]] result<void> check_open_routes() const;

  /// In the order of adding.
  [[nodiscard]] std::vector<const route*> routes() const;
  void set_limits(const request_limits& limits);
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_.load(std::memory_order_relaxed); }

  /// The answer to `what`, whatever happens: a handler's exception becomes 500 and a line in the log. Waits for it.
  /// Thread safe. The same in steps, for a server whose threads do not wait, is `exchange` (exchange.hpp).
  [[nodiscard]] response answer(incoming& what);
  struct exchange;
  /// The answer to what is not even a request, with a request id of its own; counted and logged like others.
  [[nodiscard]] response refuse_unread(const refusal& why);

private:
  struct endpoint;
  struct chain;
  static response tell(const exchange& x, const refusal& why);
  void finish(exchange& x, response& answer);

  const authenticator& who_;
  metrics& numbers_;
  const clock& time_;
  std::vector<std::string> open_routes_;
  quotas* quotas_;
  router router_;
  std::deque<endpoint> endpoints_;
  std::unique_ptr<endpoint> unmatched_; ///< counts what no route took
  prometheus::Gauge& in_flight_gauge_;

  std::atomic<std::size_t> in_flight_{0};
  std::atomic<std::int64_t> deadline_ms_;
  std::atomic<std::size_t> body_bytes_max_;
  std::atomic<std::size_t> in_flight_max_;
  std::atomic<bool> access_log_;
};

} // namespace matricula::api
