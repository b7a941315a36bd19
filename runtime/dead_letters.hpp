/// Messages that crashed their actor. The runtime hands them to a sink that storage implements; they are kept durably
/// so that an operator can look at one and, when its type is declared replayable, send it again after the fault is
/// mended.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/trace.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace matricula::runtime {

/// A longer message is kept without its payload, so that a dead letter always fits one write batch.
inline constexpr std::size_t dead_letter_payload_bytes_max = 131'072;

struct dead_letter {
  std::string actor_path;
  std::uint64_t generation = 0; ///< which incarnation crashed
  timestamp at;
  std::string reason;         ///< what() of the exception; as sensitive as the payload, never logged
  std::string message_type;   ///< name of the message type
  std::size_t size_bytes = 0; ///< of the payload, or an estimate when there is none
  std::string payload;        ///< message_codec's bytes; empty when the message cannot be written or is too long
  bool replayable = false;    ///< its type is declared replayable and the payload is whole
  trace_context trace;
};

/// Where dead letters go. Called on the thread of the crashed actor, possibly by many at once.
class dead_letter_sink {
public:
  virtual ~dead_letter_sink() = default;
  virtual void keep(dead_letter letter) noexcept = 0;
};

} // namespace matricula::runtime
