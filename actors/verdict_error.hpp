/// What a caller is told of a write that did not become durable.
#pragma once
#include "storage/commit_log.hpp"

namespace matricula::actors {

/// @pre it is not `durable`
[[nodiscard]] error verdict_error(storage::verdict v);

} // namespace matricula::actors
