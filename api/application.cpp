#include "api/application.hpp"

#include "api/endpoint.hpp"

#include <algorithm>

namespace matricula::api {

application::endpoint::endpoint(route r, metrics& numbers) : declared(std::move(r)) {
  const metrics::labels where{{"method", declared.method}, {"route", declared.path}};
  for (std::size_t hundreds = 2; hundreds < answers.size(); ++hundreds) {
    auto with = where;
    with["class"] = std::to_string(hundreds) + "xx";
    answers[hundreds] =
        &numbers.counter("matricula_http_requests_total", "Answers by route and class of status.", with);
  }
  answers[0] = answers[1] = answers[5];
  seconds = &numbers.histogram("matricula_http_request_seconds", "From the request's head to the answer.",
                               metrics::seconds_bounds(), where);
}

application::application(application_options options, const authenticator& who, metrics& numbers, const clock& time)
    : who_(who), numbers_(numbers), time_(time), open_routes_(std::move(options.open_routes)),
      quotas_(options.limits_of_callers), unmatched_(std::make_unique<endpoint>(route{"any", "none", "", {}}, numbers)),
      in_flight_gauge_(numbers.gauge("matricula_http_requests_in_flight", "Requests being answered.")) {
  set_limits(options.limits);
}

application::~application() = default;

void application::set_limits(const request_limits& limits) {
  deadline_ms_.store(limits.deadline.count(), std::memory_order_relaxed);
  body_bytes_max_.store(limits.body_bytes_max, std::memory_order_relaxed);
  in_flight_max_.store(limits.in_flight_max, std::memory_order_relaxed);
  access_log_.store(limits.access_log, std::memory_order_relaxed);
}

result<void> application::add(route added) {
  if (auto ok = router_.add(added.method, added.path, endpoints_.size()); !ok) return ok;
  auto& to = endpoints_.emplace_back(std::move(added), numbers_);
  const auto full = to.declared.method + " " + to.declared.path;
  to.open = to.declared.scope.empty() || std::ranges::any_of(open_routes_, [&](const std::string& name) {
              return name == to.declared.path || name == full;
            });
  return {};
}

result<void> application::add(std::vector<route> added) {
  for (auto& one : added)
    if (auto ok = add(std::move(one)); !ok) return ok;
  return {};
}

result<void> application::check_open_routes() const {
  for (const auto& name : open_routes_) {
    const bool known = std::ranges::any_of(endpoints_, [&](const endpoint& to) {
      return name == to.declared.path || name == to.declared.method + " " + to.declared.path;
    });
    if (!known)
      return fail(errc::invalid_argument,
                  "auth.open_routes names '" + name + "', which is no route; write a path of /openapi.yaml.");
  }
  return {};
}

std::vector<const route*> application::routes() const {
  std::vector<const route*> all;
  for (const auto& to : endpoints_) all.push_back(&to.declared);
  return all;
}

} // namespace matricula::api
