/// What a caller is told of a write that did not become durable, or not in time, or was not begun.
#pragma once
#include "storage/commit_log.hpp"

#include <string_view>

namespace matricula::actors {

/// What to do when nobody knows whether a request was carried out.
inline constexpr std::string_view advice_on_identifiers =
    "Repeat the request with the same Idempotency-Key: that is safe. Without a key, look the identifier up first.";
inline constexpr std::string_view advice_on_tasks =
    "Look at the task, or ask again: a unique_key makes that safe, and so does the lease's token.";
inline constexpr std::string_view advice_on_registrants =
    "Ask again: a reference or an Idempotency-Key makes that safe.";
inline constexpr std::string_view advice_on_alerts = "Asking again is safe.";

/// @pre it is not `durable`
[[nodiscard]] error verdict_error(storage::verdict v, std::string_view advice);
[[nodiscard]] error no_answer_in_time(std::string_view advice);
[[nodiscard]] error too_late();

} // namespace matricula::actors
