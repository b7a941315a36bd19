/// What operators do through the API, for the audit log.
#pragma once
#include "api/route.hpp"

#include <functional>
#include <string>

namespace matricula::api {

struct audit_entry {
  std::string principal;
  std::string tenant;
  std::string action;  ///< "actor.kill", "dead_letter.replay", "config.reload"
  std::string subject; ///< an actor's path, a dead letter's id; empty where there is one only
  std::string reason;  ///< in the operator's words; empty where none is asked for
  std::string request_id;
};

/// Called before the action. When it fails, the action is refused: nothing is done that is not on record.
using audit_hook = std::function<result<void>(const audit_entry&)>;

/// Reads the body `{"reason": "..."}` (1 to 500 bytes, required) and hands the entry to `audit`.
[[nodiscard]] outcome<void> audit_with_reason(const request& from, std::string action, std::string subject,
                                              const audit_hook& audit);
/// The same for actions without a reason.
[[nodiscard]] outcome<void> audit_without_reason(const request& from, std::string action, std::string subject,
                                                 const audit_hook& audit);
/// The same with a reason that was read before; empty: none was given.
[[nodiscard]] outcome<void> audit_act(const request& from, std::string action, std::string subject, std::string reason,
                                      const audit_hook& audit);

} // namespace matricula::api
