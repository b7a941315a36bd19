/// What is asked of the keeper of registrants and what it gives, without its messages.
#pragma once
#include "domain/registrants/generator_call.hpp"
#include "domain/registrants/registrant.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace matricula::actors {

/// A registrant that somebody wants created, with an ID.
struct new_registrant {
  std::string kind;
  std::string id_type;        ///< of the kind, as the settings have it
  std::string reference;      ///< at most 128 bytes; empty: none
  std::string data;           ///< JSON, or empty
  std::string generator = {}; ///< of the kind, as the settings have it; empty: our own pools
};

struct created_registrant {
  std::uint64_t id = 0;
  bool existed = false;  ///< one with its reference was there before, or the key has created it
  bool conflict = false; ///< and is of another kind, or has other data: nothing was changed
  bool replayed = false; ///< it is what an earlier request with the same key created or found
};

/// At once, in one write: as many with the longest references and 64 KiB of data in all are not too large for a batch.
inline constexpr std::size_t created_registrants_max = 50;

/// What the end of a try means for the registrant of its task.
struct registrant_effect {
  std::string unique_id;        ///< done: what it gets
  std::uint32_t assignment = 0; ///< of it, from our own pool
  std::uint64_t call = 0;       ///< of a generator; 0: none was made
  bool call_in_doubt = false;   ///< nobody knows how it ended
};

/// What a worker may do that wants to call a generator.
struct call_permit {
  std::uint64_t call = 0;       ///< written down as open: call now. 0: there is nothing to call for
  std::string unique_id;        ///< it is known already, from a call before or because the registrant has it
  std::uint64_t known_from = 0; ///< the call that it is known from, or 0
};

} // namespace matricula::actors
