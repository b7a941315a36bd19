/// Lets a trace_context travel inside CAF messages: `f(meta::type_name("issue"), x.trace, ...)`.
#pragma once
#include "foundation/trace.hpp"

#include <caf/meta/type_name.hpp>

namespace matricula {

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, trace_context& x) {
  return f(caf::meta::type_name("trace_context"), x.request_id, x.traceparent);
}

} // namespace matricula
