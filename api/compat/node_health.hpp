/// How the node is, as far as the health routes of other systems tell it.
#pragma once
#include "foundation/error.hpp"

#include <cstdint>
#include <functional>

namespace matricula::api::compat {

struct disk_space {
  std::uint64_t total_bytes = 0; ///< when the node started
  std::uint64_t free_bytes = 0;
  std::uint64_t threshold_bytes = 0; ///< with less free, writes are refused
};

/// Thread safe, and what is known already: they never block. An error says what is missing.
struct node_health {
  std::function<result<void>()> storage; ///< whether it takes writes
  std::function<result<void>()> pools;   ///< whether every pool can hand out identifiers, or never will again
  std::function<disk_space()> disk;
};

} // namespace matricula::api::compat
