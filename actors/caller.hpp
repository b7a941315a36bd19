/// What all doors to the actors have in common.
#pragma once
#include "foundation/error.hpp"
#include "foundation/trace.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace matricula::actors {

/// Who asks, and until when the answer is of use (monotonic clock).
struct caller {
  std::string principal;
  std::string tenant; ///< of the principal
  trace_context trace;
  std::chrono::nanoseconds deadline{0};
};

/// Gives the answer of a call that nobody waits for: once the listener was told, or errc::outcome_unknown when the
/// deadline has passed before. To be called once.
template <class T>
using promised = std::function<result<T>()>;

} // namespace matricula::actors
