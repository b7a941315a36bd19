/// Errors as HTTP answers: problem+json (RFC 9457) with a stable `code`.
#pragma once
#include "api/route.hpp"

#include <string_view>

namespace matricula::api {

/// The status that `code` has where a refusal names none.
[[nodiscard]] int status_of(errc code) noexcept;
/// The reason phrase of a status ("Not Found"); "Unknown" for one that Matricula does not send.
[[nodiscard]] std::string_view reason_of(int status) noexcept;

/// `{type, title, status, detail, code, request_id}` with content type application/problem+json, the refusal's headers
/// and Retry-After where trying again makes sense (always with 503). The detail of a fault of our own (500) stays in
/// the log.
[[nodiscard]] response problem(const refusal& why, std::string_view request_id);

} // namespace matricula::api
