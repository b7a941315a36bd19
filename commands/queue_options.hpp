/// What the settings say about tasks, in the terms of the queue.
#pragma once
#include "actors/tasks/queue_context.hpp"
#include "config/settings.hpp"

namespace matricula::commands {

/// The enabled worker types, retention and ageing; log, clocks and address are still to be set.
[[nodiscard]] actors::queue_context queue_context_of(const config::task_settings& s);

} // namespace matricula::commands
