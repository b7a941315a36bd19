/// Whole messages as bytes, for dead letters: written when an actor crashed, read back when an operator replays one.
#pragma once
#include "foundation/error.hpp"
#include "runtime/dead_letters.hpp"

#include <caf/fwd.hpp>

#include <string>
#include <string_view>

namespace matricula::runtime {

class registry;

/// A version, the name of each element's type, and each element as CAF's binary serializer writes it.
/// Errors: unsupported when a type is not registered with the actor system.
[[nodiscard]] result<std::string> encode_message(caf::actor_system& system, const caf::type_erased_tuple& content);
/// Reads what encode_message wrote. Only declared types and CAF's plain values are made.
/// Errors: corrupt (not such bytes), unsupported (a type or version that this program does not know).
[[nodiscard]] result<caf::message> decode_message(caf::actor_system& system, std::string_view bytes);

/// Sends a dead letter's message to the address of the actor that crashed on it, without a sender or a way back.
/// Errors: conflict (its type is not declared replayable), not_found (no such actor), unavailable (the actor is stopped
/// or refuses the type for now), corrupt, unsupported.
[[nodiscard]] result<void> replay(caf::actor_system& system, const registry& actors, const dead_letter& letter);
/// Whether `replay` would send it now; sends nothing. Errors: the same.
[[nodiscard]] result<void> check_replay(caf::actor_system& system, const registry& actors, const dead_letter& letter);

} // namespace matricula::runtime
