/// Between our errors and CAF's: translated once, where they cross.
#pragma once
#include "foundation/error.hpp"

#include <caf/error.hpp>

#include <string>

namespace matricula::runtime {

/// Category 'matricula', code = errc, context = the message.
[[nodiscard]] caf::error to_caf(errc code, std::string message);
/// Ours as they were; CAF's own as unavailable, deadline_exceeded (a request's timeout) or internal.
[[nodiscard]] error from_caf(const caf::error& what);
/// For people: what() of a crash, our message, or CAF's own rendering.
[[nodiscard]] std::string text_of(const caf::error& what);

/// A handler threw. The context is (what, message type, whether the type is refused from now on).
[[nodiscard]] caf::error crash_error(std::string what, std::string message_type, bool type_refused);
struct crash_report {
  std::string message_type; ///< empty when no message is to blame
  bool type_refused = false;
};
[[nodiscard]] crash_report crash_of(const caf::error& what);

} // namespace matricula::runtime
