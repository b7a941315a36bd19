/// Who asked, and how to follow it: the request id and the W3C trace context that travel with every message.
/// Source: W3C Recommendation "Trace Context" (2021), section 3.2.
#pragma once
#include "foundation/random.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace matricula {

struct trace_context {
  std::string request_id;  ///< ULID, or the client's X-Request-Id (1 to 64 of [A-Za-z0-9._-])
  std::string traceparent; ///< "00-<32 hex>-<16 hex>-<2 hex>"; empty when none
  bool operator==(const trace_context&) const = default;
};

/// Whether `header` is a traceparent of version 00 (or later, by its first 55 characters) with non-zero ids.
[[nodiscard]] bool is_traceparent(std::string_view header) noexcept;
/// The same trace with a new parent id; a new trace when `header` is not valid.
[[nodiscard]] std::string child_traceparent(std::string_view header, random_source& random);
/// Whether a client's request id may be taken over.
[[nodiscard]] bool is_request_id(std::string_view text) noexcept;

} // namespace matricula
