/// Registrants, who get their unique IDs by tasks, and the calls of generators of which nobody knows how they ended.
#pragma once
#include "actors/registrants/door.hpp"
#include "api/audit.hpp"
#include "api/route.hpp"

#include <map>
#include <string>
#include <vector>

namespace matricula::api {

struct registrant_sources {
  actors::registrant_door* door = nullptr; ///< lives longer
  struct kind {
    std::string id_type;
    std::string generator; ///< empty: our own pools
  };
  std::map<std::string, kind, std::less<>> kinds;
  audit_hook audit; ///< is told what operators do: request an ID again, resolve a call
};

/// Scopes: registrants:write creates, registrants:read looks, registrants:act requests again and resolves.
[[nodiscard]] std::vector<route> registrant_routes(registrant_sources sources);

} // namespace matricula::api
