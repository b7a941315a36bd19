/// What can be done to the VIDs that policies have made for a holder.
#pragma once
#include <cstdint>

namespace matricula::actors {

/// Stands in messages, never in rows.
enum class vid_action : std::uint8_t { create, use, revoke, regenerate, deactivate, reactivate };

} // namespace matricula::actors
