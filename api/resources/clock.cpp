#include "api/resources/clock.hpp"

#include "api/json_writer.hpp"
#include "foundation/log.hpp"

namespace matricula::api {

namespace {
response show(const clock_sources& from) {
  // Asked for first: it is what finds a jump.
  const auto decisions = from.decisions->now();
  const auto wall = from.decisions->wall();
  json::writer w;
  w.begin_object().member("wall", to_rfc3339(wall)).member("decisions", to_rfc3339(decisions));
  w.member("ahead_ms", static_cast<std::int64_t>((wall - decisions).count()));
  w.member("suspect", from.decisions->suspect()).end_object();
  return {.body = std::move(w).str()};
}

outcome<response> trust(const clock_sources& from, const request& r) {
  if (auto ok = audit_with_reason(r, "clock.trust", "", from.audit); !ok) return std::unexpected(ok.error());
  const bool suspect = from.decisions->suspect();
  from.decisions->trust();
  if (suspect)
    log::warning("clock.trusted", "An operator confirmed the time.", {{"wall", to_rfc3339(from.decisions->wall())}},
                 &r.trace);
  return show(from);
}
} // namespace

std::vector<route> clock_routes(clock_sources sources) {
  return {
      {"GET", "/v1/clock", "config:read", [sources](const request&) -> outcome<response> { return show(sources); }},
      {"POST", "/v1/clock/trust", "config:act", [sources](const request& r) { return trust(sources, r); }},
  };
}

} // namespace matricula::api
