/// How the actor system of a node is set up, and how it is brought down.
#pragma once
#include "foundation/error.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace matricula::runtime {

struct system_options {
  enum class scheduling : bool {
    production, ///< workers that wait for one queue of runnable actors
    testing,    ///< nothing runs by itself: the test runs actors one at a time, under virtual time
  };
  scheduling how = scheduling::production;
  std::size_t threads = 0;             ///< workers; 0 = one for each core, at least 2
  std::size_t messages_per_turn = 100; ///< then a busy actor yields its worker
};

/// The configuration for `caf::actor_system`; it must outlive the system.
/// @param declare registers every message type: the one place for that (see declare_messages).
[[nodiscard]] std::unique_ptr<caf::actor_system_config>
make_system_config(const system_options& options, const std::function<void(caf::actor_system_config&)>& declare);

/// Asks the root to stop, everything in reverse order of its start, and waits for its end.
/// Errors: deadline_exceeded; the caller then ends the process. Not for actors: it blocks.
[[nodiscard]] result<void> stop_gracefully(caf::actor_system& system, caf::actor root,
                                           std::chrono::milliseconds deadline);

} // namespace matricula::runtime
