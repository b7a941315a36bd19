/// Errors as HTTP answers: problem+json (RFC 9457) with a stable `code`.
#pragma once
#include "api/route.hpp"

#include <string_view>

namespace matricula::api {

/// The status that `code` has where a refusal names none.
[[nodiscard]] int status_of(errc code) noexcept;
/// The refusal's own status, or that of its code.
[[nodiscard]] int status_of(const refusal& why) noexcept;
/// The reason phrase of a status ("Not Found"); "Unknown" for one that Matricula does not send.
[[nodiscard]] std::string_view reason_of(int status) noexcept;

/// A sentence for the client. The one of a fault of our own (500) stays in the log.
[[nodiscard]] std::string_view detail_of(const refusal& why) noexcept;

/// The answer without a body: status, the refusal's headers, and Retry-After where trying again makes sense (always
/// with 503).
[[nodiscard]] response head_of(const refusal& why);

/// The same with the body `{type, title, status, detail, code, request_id}` and content type application/problem+json.
[[nodiscard]] response problem(const refusal& why, std::string_view request_id);

} // namespace matricula::api
