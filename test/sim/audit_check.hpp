/// Whether the audit trail holds and names everything that was acknowledged.
#pragma once
#include "storage/identifiers.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/model.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>

namespace matricula::sim {

/// Every step that some client was told of.
class acknowledged_steps {
public:
  using step = std::tuple<std::size_t, std::string, std::uint32_t, identifiers::id_state>; ///< type, id, assignment, to
  void add(const issue_call& call, const actors::issue_answer& answer);
  void add(const change_call& call, const identifiers::id_record& answer);
  [[nodiscard]] const std::set<step>& all() const noexcept { return all_; }

private:
  std::set<step> all_;
};

void check_audit_trail(const storage::view& v, const acknowledged_steps& steps, findings& found);

} // namespace matricula::sim
