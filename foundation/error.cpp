#include "foundation/error.hpp"

#include <cstdio>
#include <cstdlib>

namespace matricula {

std::string_view to_string(errc code) noexcept {
  switch (code) {
  case errc::invalid_argument:
    return "invalid_argument";
  case errc::not_found:
    return "not_found";
  case errc::conflict:
    return "conflict";
  case errc::stale_assignment:
    return "stale_assignment";
  case errc::assignment_ended:
    return "assignment_ended";
  case errc::exhausted:
    return "exhausted";
  case errc::refilling:
    return "refilling";
  case errc::overloaded:
    return "overloaded";
  case errc::deadline_exceeded:
    return "deadline_exceeded";
  case errc::storage_full:
    return "storage_full";
  case errc::outcome_unknown:
    return "outcome_unknown";
  case errc::fenced:
    return "fenced";
  case errc::corrupt:
    return "corrupt";
  case errc::io:
    return "io";
  case errc::unauthenticated:
    return "unauthenticated";
  case errc::forbidden:
    return "forbidden";
  case errc::payload_too_large:
    return "payload_too_large";
  case errc::unsupported:
    return "unsupported";
  case errc::idempotency_mismatch:
    return "idempotency_mismatch";
  case errc::idempotency_running:
    return "idempotency_running";
  case errc::unavailable:
    return "unavailable";
  case errc::internal:
    return "internal";
  case errc::quota_exceeded:
    return "quota_exceeded";
  case errc::lease_lost:
    return "lease_lost";
  }
  return "internal";
}

void require(bool condition, std::string_view what) noexcept {
  if (condition) return;
  std::fprintf(stderr, "matricula: broken promise: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

} // namespace matricula
