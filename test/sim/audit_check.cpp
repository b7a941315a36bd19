#include "test/sim/audit_check.hpp"

#include "storage/id_trail.hpp"
#include "storage/id_trail_verifier.hpp"

#include <algorithm>

namespace matricula::sim {

using namespace identifiers;

void acknowledged_steps::add(const issue_call& call, const actors::issue_answer& answer) {
  const auto to = *next_state(sim_types()[call.type].type.rules.of, id_state::available, id_event::issue);
  for (std::size_t i = 0; i < answer.issued.ids.size(); ++i)
    all_.emplace(call.type, answer.issued.ids[i], answer.issued.assignments[i], to);
}

void acknowledged_steps::add(const change_call& call, const id_record& answer) {
  all_.emplace(call.type, answer.id, answer.assignment, answer.state);
}

void check_audit_trail(const storage::view& v, const acknowledged_steps& steps, findings& found) {
  storage::verify_report report;
  storage::id_trail_verifier{}.check(v, report);
  for (const auto& problem : report.problems()) found.add("verify: " + problem.message);

  const auto setups = storage::find_types(v);
  if (!setups) return found.add("the types cannot be read: " + setups.error().message);
  std::set<acknowledged_steps::step> named;
  for (std::size_t t = 0; t < sim_types().size(); ++t) {
    const auto& name = sim_types()[t].type.name;
    const auto setup = std::ranges::find(*setups, name, &storage::type_setup::name);
    if (setup == setups->end()) return found.add("the store does not know the type " + name);
    for (const auto& part : storage::id_partitions(name, setup->number, setup->of, setup->issuers)) {
      const auto chain = storage::id_trail::chain_of(part);
      const auto walked = storage::journal::walk_up(v, chain, 0, [&](const storage::journal::row& r) {
        const auto note = storage::id_trail::decode(r.content, r.at);
        if (!note) return found.add("a row of the trail does not decode"), true;
        for (const auto& e : note->entries) named.emplace(t, e.id, e.assignment, e.to);
        return true;
      });
      if (!walked) found.add("the trail of " + name + " cannot be read: " + walked.error().message);
    }
  }
  for (const auto& step : steps.all())
    if (!named.contains(step))
      found.add(sim_types()[std::get<0>(step)].type.name + ": the audit trail does not name that " + std::get<1>(step) +
                " became " + std::string(to_string(std::get<3>(step))) + ", which was acknowledged");
}

} // namespace matricula::sim
