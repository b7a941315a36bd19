/// The runtime's own messages between registry, supervisors and actors. They are never bounded, buffered, handed over
/// or counted as user messages. Not for use outside of runtime.
#pragma once
#include "runtime/actor_command.hpp"
#include "runtime/reply.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace matricula::runtime {

/// Answered with `describe()`.
struct inspect_order {
  reply_to<std::string> reply;
};
/// For a supervisor: answered with the child's generation when done.
struct command_order {
  std::string child;
  actor_command what = actor_command::restart;
  reply_to<std::uint64_t> reply;
};
/// A supervisor's timer: the back-off of restart plan `plan` is over.
struct restart_due {
  std::size_t plan = 0;
  std::uint64_t plan_generation = 0;
};
/// A supervisor's timer: a child was asked to stop (or killed) and should be gone by now.
struct stop_overdue {
  std::size_t child = 0;
  std::uint64_t generation = 0;
  bool killed = false;
};

struct control {
  std::variant<inspect_order, command_order, restart_due, stop_overdue> what;
};

} // namespace matricula::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(matricula::runtime::control)
