#include "actors/registrants/remote_id_handlers.hpp"

#include "actors/messages.hpp"
#include "actors/registrants/registrant_task.hpp"
#include "runtime/answer.hpp"

#include <caf/send.hpp>

#include <utility>

namespace matricula::actors {

using registrants::call_outcome;
using registrants::generator_answer;

namespace {

constexpr milliseconds again_soon{1'000};

/// A generator that throws is a bug of ours; whether its call had an effect nobody knows.
template <class Call>
generator_answer ask(const Call& call) {
  try {
    return call();
  } catch (const std::exception& e) {
    return {call_outcome::unknown, {}, std::string("The call failed: ") + e.what(), std::nullopt};
  }
}

task_end end_for(const generator_answer& a) {
  switch (a.outcome) {
  case call_outcome::done:
    return task_end::done();
  case call_outcome::none_available:
    return task_end::not_yet(a.error, a.try_again);
  case call_outcome::refused:
    return task_end::permanent(a.error);
  case call_outcome::failed:
  case call_outcome::unknown:
    break;
  }
  return task_end::transient(a.error, a.try_again);
}

task_end end_of_issue(generator_answer a, std::uint64_t call) {
  if (a.outcome == call_outcome::done && !registrants::is_unique_id(a.id))
    a = {call_outcome::unknown, {}, "The generator's answer has no identifier that can be kept.", std::nullopt};
  auto end = end_for(a);
  end.effect.unique_id = a.outcome == call_outcome::done ? a.id : std::string();
  end.effect.call = call;
  end.effect.call_in_doubt = call != 0 && a.outcome == call_outcome::unknown;
  return end;
}

} // namespace

void remote_request_handler::run(const leased_task& what, done_callback done) {
  const auto found = registrant_of_task(*queue_, what.task);
  if (!found) return done(found.error());
  if (!found->unique_id.empty()) return done(task_end::done());
  const auto call = [work = work_, from = from_,
                     name = registrants::task_key_of(found->id)](std::uint64_t number, const done_callback& then) {
    work([from, name, number, then] { then(end_of_issue(ask([&] { return from.generator->issue(name); }), number)); });
  };
  if (from_.generator->knows_requests()) return call(0, done);
  if (!from_.under_way->begin(found->id))
    return done(task_end::not_yet("An earlier call for this registrant has not come back yet.", again_soon));
  const auto over = [done, under_way = from_.under_way, id = found->id](task_end end) {
    done(std::move(end));
    under_way->end(id);
  };
  begin_generator_call begin;
  begin.context.principal = registrants::request_worker;
  begin.task = what.task.id;
  begin.token = what.lease.token;
  begin.generator = from_.name;
  begin.reply = runtime::reply_into<call_permit>([call, over](result<call_permit> permit) {
    // Nobody was called.
    if (!permit) return over(task_end::not_yet(permit.error().message, permit.error().retry_after));
    if (permit->call != 0) return call(permit->call, over);
    auto end = task_end::done();
    end.effect.unique_id = permit->unique_id;
    over(std::move(end));
  });
  caf::anon_send(queue_->queue.address(), std::move(begin));
}

void remote_update_handler::run(const leased_task& what, done_callback done) {
  const auto found = registrant_of_task(*queue_, what.task);
  if (!found) return done(found.error());
  if (found->unique_id.empty()) return done(task_end::permanent("The registrant has no unique ID to confirm."));
  work_([from = from_, id = found->unique_id, done = std::move(done)] {
    done(end_for(ask([&] { return from.generator->confirm(id); })));
  });
}

} // namespace matricula::actors
