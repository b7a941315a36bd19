#include "api/audit.hpp"

#include "api/json.hpp"

namespace matricula::api {

outcome<void> audit_act(const request& from, std::string action, std::string subject, std::string reason,
                        const audit_hook& audit) {
  if (auto ok = audit({from.who->name, from.who->tenant, std::move(action), std::move(subject), std::move(reason),
                       from.trace.request_id});
      !ok)
    return std::unexpected(refusal(ok.error()));
  return {};
}

outcome<void> audit_with_reason(const request& from, std::string action, std::string subject, const audit_hook& audit) {
  json::fields body(from.body);
  auto reason = body.text("reason", {.bytes_min = 1, .bytes_max = 500});
  if (auto bad = body.wrong()) return std::unexpected(std::move(*bad));
  return audit_act(from, std::move(action), std::move(subject), std::move(reason), audit);
}

outcome<void> audit_without_reason(const request& from, std::string action, std::string subject,
                                   const audit_hook& audit) {
  return audit_act(from, std::move(action), std::move(subject), "", audit);
}

} // namespace matricula::api
