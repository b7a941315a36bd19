/// What every request to an actor carries.
#pragma once
#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <string>

namespace matricula::actors {

/// What every request carries: who asks, until when the answer is of use, and how to follow it.
struct request_context {
  std::string principal;        ///< 1 to 64 bytes; kept in the history
  std::int64_t deadline_ns = 0; ///< on the monotonic clock; 0 = none
  std::string tenant = {};      ///< of the principal; kept in the audit trail
};

template <class I>
typename I::result_type inspect(I& f, request_context& x) {
  return f(caf::meta::type_name("request_context"), x.principal, x.deadline_ns, x.tenant);
}

} // namespace matricula::actors
