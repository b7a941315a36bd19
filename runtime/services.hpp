/// What every supervised actor of a node shares: time, randomness, the registry, dead letters, and where alarms go.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/random.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace matricula::runtime {

class registry;
class dead_letter_sink;

/// Something that an operator should look at.
struct operator_alarm {
  std::string_view kind; ///< stable: "poisonous_type", "stuck_actor", "child_does_not_stop", "escalated"
  std::string path;      ///< of the actor
  std::string message;   ///< a sentence without message content
};

/// Filled once by the program and shared as `std::shared_ptr<const services>`. Callbacks may come from any thread.
struct services {
  const clock* time = nullptr;              ///< required; outlives every actor
  std::shared_ptr<registry> actors;         ///< required
  dead_letter_sink* dead_letters = nullptr; ///< may be missing: then poison is only counted
  /// A source for each supervisor's jitter. Required.
  std::function<std::unique_ptr<random_source>()> make_random;
  std::function<void(const operator_alarm&)> on_alarm; ///< besides the log; may be missing
  /// The node cannot go on: the root gave up, or an actor neither works nor ends. Ends the process in production.
  std::function<void(std::string_view why)> on_fatal;

  /// Logs and passes on.
  void raise(const operator_alarm& what) const;
  void fatal(std::string_view why) const;
};

} // namespace matricula::runtime
