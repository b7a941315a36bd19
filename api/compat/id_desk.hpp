/// What the routes of other systems need of the identifiers. The node gives them its door, tests one of their own.
#pragma once
#include "actors/identifiers/door.hpp"
#include "api/route.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace matricula::api::compat {

/// As actors::id_door has them.
class id_desk {
public:
  virtual ~id_desk() = default;
  [[nodiscard]] virtual std::vector<const identifiers::id_type*> types() const = 0;
  [[nodiscard]] virtual const identifiers::id_type* find(std::string_view name) const = 0;
  /// Nothing for what is no identifier of this type.
  [[nodiscard]] virtual result<std::optional<storage::id_place>> locate(const identifiers::id_type& type,
                                                                        std::string_view id) = 0;
  /// Under which counter that is, for a change.
  [[nodiscard]] virtual result<std::optional<std::uint64_t>> counter_of(const identifiers::id_type& type,
                                                                        std::string_view id) = 0;
  /// Whether `counter_of` or `begin_change` may read rows.
  [[nodiscard]] virtual bool reads_to_change(const identifiers::id_type& type) const = 0;
  [[nodiscard]] virtual result<actors::issue_result>
  issue(const identifiers::id_type& type, const actors::issue_call& what, const actors::caller& who) = 0;
  [[nodiscard]] virtual result<identifiers::id_record> change(const identifiers::id_type& type, std::uint64_t counter,
                                                              identifiers::id_event event, std::uint32_t assignment,
                                                              const actors::caller& who) = 0;
  /// Without waiting, as the door has them. Here they wait: for desks whose answers are there at once.
  [[nodiscard]] virtual actors::promised<actors::issue_result> begin_issue(const identifiers::id_type& type,
                                                                           const actors::issue_call& what,
                                                                           const actors::caller& who,
                                                                           runtime::reply_notice told);
  [[nodiscard]] virtual actors::promised<identifiers::id_record>
  begin_change(const identifiers::id_type& type, std::uint64_t counter, identifiers::id_event event,
               std::uint32_t assignment, const actors::caller& who, runtime::reply_notice told);
};

/// @param door must live longer.
[[nodiscard]] std::unique_ptr<id_desk> make_id_desk(actors::id_door& door);

/// Who asks, for the desk.
[[nodiscard]] actors::caller caller_of(const request& r);

/// The call for one identifier, with the request's Idempotency-Key when it has one. A key of these routes is not one of
/// POST /v1/ids/{type}, nor of another type.
[[nodiscard]] actors::issue_call one_identifier(const request& r, const identifiers::id_type& type,
                                                std::optional<timestamp> expires_at = std::nullopt);

} // namespace matricula::api::compat
