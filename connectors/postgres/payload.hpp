/// Which registrant a task is for.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::connectors::postgres {

/// From the payload of a task, {"registrant_id": 123} or {"registrant_id": "123"}.
/// The error is a sentence for the task's error column.
[[nodiscard]] std::expected<std::int64_t, std::string> registrant_of_payload(std::optional<std::string_view> payload);

/// From the column registrant_id of the older table, a number as text.
[[nodiscard]] std::expected<std::int64_t, std::string> registrant_of_text(std::optional<std::string_view> text);

} // namespace matricula::connectors::postgres
