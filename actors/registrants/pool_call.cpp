#include "actors/registrants/pool_call.hpp"

#include "foundation/digest.hpp"

#include <fmt/format.h>

namespace matricula::actors {

using registrants::call_outcome;

issue_call pool_call(const storage::idempotency::owner& whose, const identifiers::id_type& type, std::uint32_t round) {
  const auto key = fmt::format("{}/{}", whose.key, round);
  issue_call call;
  call.holder = whose.key;
  call.idempotency_ref = storage::idempotency::hash_of({whose.tenant, whose.principal, whose.operation, key});
  call.fingerprint = sha256(fmt::format("{}\n{}\n{}", whose.operation, whose.key, type.name));
  return call;
}

call_outcome outcome_of_refusal(errc why) noexcept {
  switch (why) {
  case errc::refilling:
  case errc::overloaded:
  case errc::unavailable:
  case errc::idempotency_running:
  case errc::deadline_exceeded:
  case errc::storage_full:
  case errc::exhausted:
    return call_outcome::none_available;
  case errc::conflict:
  case errc::stale_assignment:
  case errc::invalid_argument:
  case errc::idempotency_mismatch:
  case errc::not_found:
    return call_outcome::refused;
  default:
    return call_outcome::failed;
  }
}

} // namespace matricula::actors
