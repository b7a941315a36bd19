/// What an operator may ask of an actor.
#pragma once
#include <cstdint>

namespace matricula::runtime {

enum class actor_command : std::uint8_t {
  restart, ///< end it now and start it again; what waits is kept, refused message types are accepted again
  stop,    ///< let it finish what waits, then keep it stopped; its address refuses
  kill,    ///< end it now as a crash would; its restart policy decides what follows
  start,   ///< after a stop, or when its policy did not restart it
};

} // namespace matricula::runtime
