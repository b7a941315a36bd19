/// What the bridge keeps in OpenG2P's database: made where it is missing, if the database user may.
#pragma once
#include "connectors/postgres/connection.hpp"

#include <string>
#include <string_view>

namespace matricula::connectors::postgres {

/// connectors/postgres/schema.sql
extern const std::string_view schema_sql;
/// The channel of LISTEN and NOTIFY.
inline constexpr const char* wake_channel = "matricula_bridge";

/// Makes the schema `matricula` unless it is there. Any number of bridges may do so at once.
/// @param may false: only looks
/// Errors: refused, when it is not there and may not be made; the message says what to do.
[[nodiscard]] sql_result<void> make_own_schema(connection& on, bool may);

/// Puts the trigger that wakes bridges on a table of tasks, unless it is there.
/// @param table quoted, as SQL takes it. Errors: refused or locked; bridges then find new tasks by looking.
[[nodiscard]] sql_result<void> make_wake_trigger(connection& on, const std::string& table);

} // namespace matricula::connectors::postgres
