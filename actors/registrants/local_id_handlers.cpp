#include "actors/registrants/local_id_handlers.hpp"

#include "actors/registrants/pool_call.hpp"
#include "actors/registrants/registrant_task.hpp"
#include "runtime/answer.hpp"
#include "storage/registrants.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace matricula::actors {

using identifiers::id_event;
using identifiers::id_state;
using registrants::call_outcome;
using registrants::registrant;

namespace {

/// What a refusal of a pool means for the try.
task_end end_for(const error& why) {
  switch (outcome_of_refusal(why.code)) {
  case call_outcome::none_available:
    // When again says the worker type, unless the pool has no more: many may wait, for long.
    return task_end::not_yet(why.message, why.code == errc::exhausted ? std::optional(exhausted_again) : std::nullopt);
  case call_outcome::refused:
    return task_end::permanent(why.message);
  default:
    return task_end::transient(why.message);
  }
}

/// Whether another registrant has the identifier: pools of two types may have the same one.
bool is_of_another(const queue_context& queue, const std::string& id, std::uint64_t registrant) {
  const auto rows = queue.log->read(queue.part.shard);
  if (!rows) return false; // the queue looks, too
  const auto owner =
      storage::find_number(storage::reader_of(**rows), storage::registrants_of(queue.part).unique_id_key(id));
  return owner && *owner && **owner != registrant;
}

caller caller_for(const registrant& r, std::string_view worker) {
  caller who;
  who.principal = worker;
  who.tenant = r.tenant;
  who.trace.request_id = fmt::format("task-{}", worker == registrants::request_worker ? r.request_task : r.update_task);
  return who;
}

task_end no_type(const registrant& r) {
  return task_end::permanent(fmt::format(
      "No identifier type is called '{}', as the registrant's kind had it when it was created.", r.id_type));
}

} // namespace

void local_request_handler::run(const leased_task& what, done_callback done) {
  const auto found = registrant_of_task(*queue_, what.task);
  if (!found) return done(found.error());
  // It has one: an earlier try of a task that was asked for again.
  if (!found->unique_id.empty()) return done(task_end::done());
  if (!found->generator.empty()) return done(no_generator(*found));
  const auto* type = pools_->find(found->id_type);
  if (type == nullptr) return done(no_type(*found));
  issue({queue_, pools_, *type, *found, !what.task.history.empty()}, 1, std::move(done));
}

void local_request_handler::issue(const wish& of, std::uint32_t round, done_callback done) {
  const auto name = registrants::task_key_of(of.who.id);
  const auto call = pool_call({of.who.tenant, registrants::request_worker, "registrants.id", name}, of.type, round);
  const auto met =
      std::make_shared<runtime::answer_meeting<issue_result>>([of, round, done](result<issue_result> issued) {
        if (issued) {
          auto end = task_end::done();
          end.effect.unique_id = issued->issued.ids.front();
          end.effect.assignment = issued->issued.assignments.front();
          if (of.tried_before && round < pool_rounds_max && is_of_another(*of.queue, end.effect.unique_id, of.who.id))
            return issue(of, round + 1, done);
          return done(std::move(end));
        }
        // Nobody had it, so nobody misses it; the registrant gets another one.
        if (issued.error().code == errc::assignment_ended && round < pool_rounds_max) return issue(of, round + 1, done);
        done(end_for(issued.error()));
      });
  met->give_by(of.pools->begin_issue(of.type, call, caller_for(of.who, registrants::request_worker), {met, 0}));
}

void local_update_handler::run(const leased_task& what, done_callback done) {
  const auto found = registrant_of_task(*queue_, what.task);
  if (!found) return done(found.error());
  if (found->unique_id.empty()) return done(task_end::permanent("The registrant has no unique ID to confirm."));
  if (!found->generator.empty()) return done(no_generator(*found));
  const auto* type = pools_->find(found->id_type);
  if (type == nullptr) return done(no_type(*found));
  // Identifiers of other lifecycles are in use once they are issued.
  if (!identifiers::next_state(type->rules.of, id_state::issued, id_event::confirm)) return done(task_end::done());
  const auto counter = pools_->counter_of(*type, found->unique_id);
  if (!counter) return done(task_end::transient(counter.error().message));
  if (!*counter) return done(task_end::permanent("The unique ID is none of this node's pool."));
  const auto met = std::make_shared<runtime::answer_meeting<identifiers::id_record>>(
      [done](result<identifiers::id_record> record) { done(record ? task_end::done() : end_for(record.error())); });
  met->give_by(pools_->begin_change(*type, **counter, id_event::confirm, found->assignment,
                                    caller_for(*found, registrants::update_worker), {met, 0}));
}

} // namespace matricula::actors
